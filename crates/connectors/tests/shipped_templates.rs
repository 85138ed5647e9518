//! Every shipped template renders, with everything configured and with nothing that may be empty.

use recobro_connectors::template::{Files, ROOT, Templates};
use serde_json::{Value, json};
use std::path::Path;

fn shipped() -> Files {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(ROOT);
    let mut files = Files::new();
    for id in std::fs::read_dir(&root).unwrap() {
        let id = id.unwrap();
        for file in std::fs::read_dir(id.path()).unwrap() {
            let file = file.unwrap();
            let name = format!("{ROOT}{}/{}", id.file_name().to_string_lossy(), file.file_name().to_string_lossy());
            files.insert(name, std::fs::read(file.path()).unwrap());
        }
    }
    files
}

fn context(is_full: bool) -> Value {
    let or_empty = |text: &str| if is_full { text.to_owned() } else { String::new() };
    let entry = json!({"number": "F-1", "due": "2026-05-04", "claimable": 7200.5, "currency": "EUR", "level": 1});
    let mut context = json!({
        "invoice": {
            "number": "F-1", "currency": "EUR", "issued": "2026-04-04", "due": "2026-05-04", "amount": 7300, "balance": 7300,
            "claimable": 7200.5, "disputed": is_full, "disputed_amount": 99.5, "retained": 0, "days_overdue": 11,
            "reference": "R-1", "charges": if is_full { 57.04 } else { 0.0 },
        },
        "customer": {"kind": "business"},
        "interest_statement": null,
        "creditor": {"name": "ACME", "address": or_empty("Calle 1"), "city": or_empty("Madrid"), "iban": or_empty("ES00")},
        "sender": {"name": "Ana", "role": "credit-control", "phone": or_empty("600 000 000"), "email": "ana@example.com"},
        "contact": {"name": or_empty("Eva"), "role": "billing", "address": or_empty("Calle 2")},
        "payment_link": or_empty("https://pay.example.com/invoices/F-1"),
        "opt_out": or_empty("https://pay.example.com/stop"),
        "today": "2026-05-15",
        "invoices": [entry.clone()],
        "statement": {"total": 7200.5, "currency": "EUR", "totals": [{"total": 7200.5, "currency": "EUR"}]},
        "promise": null, "plan": null, "dispute": null,
        "tone": "firm", "outcome": "rejected", "until": "2026-06-10",
    });
    if is_full {
        context["invoices"] =
            json!([entry, {"number": "F-2", "due": "2026-05-10", "claimable": 10, "currency": "EUR", "level": 1}]);
        context["promise"] = json!({
            "date": "2026-05-20", "amount": 7200.5, "limit": "2026-05-22", "method": "transfer",
            "invoices": ["F-1", "F-2"],
        });
        let line = json!({
            "from": "2026-05-05", "to": "2026-05-15", "days": 11, "rate": "10.15", "base": 7200.5, "amount": 22.03,
        });
        context["interest_statement"] = json!({
            "lines": [line], "interest": 22.03, "fixed_sum": 40, "waived": 4.99, "charges": 57.04,
            "as_of": "2026-05-15", "unknown_from": "2026-07-01",
        });
        let part = |number: i64, due: &str, paid: f64| json!({"number": number, "due": due, "amount": 2400.25, "paid": paid, "status": "open"});
        context["plan"] = json!({
            "instalments": 3, "next_due": "2026-06-04", "next_amount": 2400.25, "status": "active", "amount": 7200.75,
            "method": "transfer", "default_after": 2, "valid_until": "2026-05-30",
            "schedule": [part(1, "2026-05-04", 2400.25), part(2, "2026-06-04", 0.0), part(3, "2026-07-04", 0.0)],
        });
    }
    context
}

#[test]
fn every_shipped_template_renders_with_full_and_with_bare_settings() {
    let files = shipped();
    let (templates, problems) = Templates::load(&files);
    assert!(problems.is_empty(), "{problems:#?}");
    let mut failures = Vec::new();
    for file in files.keys() {
        let (id, rest) = file[ROOT.len()..].split_once('/').unwrap();
        let mut parts = rest.split('.');
        let (channel, locale) = (parts.next().unwrap(), parts.next().unwrap());
        for is_full in [true, false] {
            match templates.render(id, channel, locale, &context(is_full)) {
                Ok(done) if channel == "email" && done.subject.is_empty() => {
                    failures.push(format!("{file}: no subject"));
                }
                Ok(done) if done.text.contains("{{") || done.text.contains("none") => failures.push(done.text),
                Ok(_) => {}
                Err(problem) => failures.push(format!("{problem} (full: {is_full})")),
            }
        }
    }
    assert!(files.len() > 100, "only {} templates", files.len());
    assert!(failures.is_empty(), "{failures:#?}");
}

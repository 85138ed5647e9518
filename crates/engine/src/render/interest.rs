//! What the law adds to a late invoice, as templates show it: every line, and totals that follow from the lines.

use recobro_connectors::template::plain;
use recobro_kernel::facts::Facts;
use recobro_kernel::interest::Statement;
use recobro_kernel::value::Value;
use serde_json::{Value as Json, json};

/// The variable `interest_statement`; `null` where no table of rates is for the customer.
pub(super) fn variable(statement: Option<&Statement>, facts: &Facts) -> Json {
    let Some(statement) = statement else { return Json::Null };
    let money = |minor: i64| plain(&Value::Decimal(facts.invoice.money(minor).to_decimal()));
    let lines: Vec<Json> = statement
        .lines
        .iter()
        .map(|line| {
            json!({
                "from": line.from.to_string(),
                "to": line.to.to_string(),
                "days": line.days,
                "rate": line.percent.normalize().to_string(),
                "base": money(line.principal_minor),
                "amount": money(line.interest_minor),
            })
        })
        .collect();
    let (all, charges) = (statement.interest_minor + statement.fixed_minor, facts.invoice.charges_minor);
    json!({
        "lines": lines,
        "interest": money(statement.interest_minor),
        "fixed_sum": money(statement.fixed_minor),
        // What is not asked for any more, so that the lines and the total that is asked for meet.
        "waived": money(all - charges),
        "charges": money(charges),
        "as_of": statement.as_of.to_string(),
        "unknown_from": statement.unknown_from.map(|day| day.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;
    use recobro_connectors::template::{Files, Templates};
    use recobro_kernel::ids::{CustomerId, Hash, InvoiceId};
    use recobro_kernel::interest::{Application, DayCount, Debt, FixedSum, Rate, Rates, Rounding, statement};
    use recobro_kernel::money::Currency;
    use std::sync::Arc;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn rates() -> Arc<Rates> {
        let rate = |from: &str, to: &str, percent: &str| Rate {
            from: day(from),
            to: day(to),
            percent: percent.parse().unwrap(),
            source: String::new(),
        };
        Arc::new(Rates {
            name: "test".to_owned(),
            jurisdictions: Vec::new(),
            debtor_kinds: vec!["business".to_owned()],
            currency: Currency::EUR,
            application: Application::Piecewise,
            day_count: DayCount::Actual365,
            rounding: Rounding::Total,
            rates: vec![rate("2026-01-01", "2026-06-30", "10.15"), rate("2026-07-01", "2026-12-31", "10.4")],
            fixed: vec![FixedSum { at_least: 0.into(), amount: 40.into() }],
            hash: Hash::of(b"test"),
        })
    }

    /// 1,000.00 due on 4 May, 250.00 paid on 1 June, asked on 15 July.
    fn made() -> Statement {
        let paid = vec![(day("2026-06-01"), 25_000)];
        let debt =
            Debt { due: day("2026-05-04"), amount_minor: 100_000, currency: Currency::EUR, paid, waivers: Vec::new() };
        statement(&rates(), &debt, day("2026-07-15"))
    }

    fn facts(charges_minor: i64) -> Facts {
        let client = serde_json::json!({
            "id": "C", "name": "", "kind": "business", "segment": "standard", "country": "ES", "locale": "es",
            "time_zone": "Europe/Madrid",
        });
        let client = crate::route::book::Client {
            record: serde_json::from_value(client).unwrap(),
            tally: recobro_store::customers::Aggregates::default(),
            changed: false,
            points_changed: false,
            tally_changed: false,
            defaults: Vec::new(),
            source: String::new(),
        };
        let invoice = recobro_kernel::facts::InvoiceFacts {
            id: InvoiceId("I".to_owned()),
            number: "F-1".to_owned(),
            product: String::new(),
            currency: Currency::EUR,
            issued: day("2026-04-04"),
            due: day("2026-05-04"),
            amount_minor: 100_000,
            balance_minor: 75_000,
            charges_minor,
            disputed_minor: 0,
            retained_minor: 0,
            not_due_minor: 0,
            last_payment_on: None,
            reference: "R-1".to_owned(),
            closed: false,
            x: std::collections::BTreeMap::new(),
        };
        let customer = crate::facts::customer_facts(&client, day("2026-07-15"));
        assert_eq!(customer.id, CustomerId("C".to_owned()));
        Facts {
            invoice,
            customer,
            promise: None,
            dispute: None,
            plan: None,
            incentive: None,
            contacts: Vec::new(),
            contacts_total: 0,
            today: day("2026-07-15"),
        }
    }

    /// Cents of every amount that stands behind the last colon of a line.
    fn amounts(text: &str, begin: &str) -> Vec<i64> {
        let lines = text.lines().map(str::trim).filter(|line| line.starts_with(begin));
        let last = |line: &str| line.rsplit('€').next().unwrap().trim_end_matches('.').replace(['.', ','], "");
        lines.map(|line| last(line).parse().unwrap()).collect()
    }

    #[test]
    fn the_lines_of_a_rendered_notice_add_up_to_what_it_asks() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows/templates/formal-notice");
        let file = std::fs::read(root.join("letter.en.j2")).unwrap();
        let files: Files = [("workflows/templates/formal-notice/letter.en.j2".to_owned(), file)].into();
        let (templates, problems) = Templates::load(&files);
        assert!(problems.is_empty(), "{problems:?}");
        let statement = made();
        let facts = facts(statement.charges_minor() - 500);
        let mut context = json!({
            "creditor": {"name": "ACME", "address": "", "city": "", "iban": "ES00"},
            "sender": {"name": "Ana", "role": "desk", "phone": "", "email": "ana@example.com"},
            "contact": {"name": "", "role": "billing", "address": ""},
            "payment_link": "", "today": "2026-07-15",
        });
        for fact in recobro_kernel::facts::FACTS.iter().filter(|fact| !fact.path.starts_with("plan.")) {
            recobro_connectors::template::put(&mut context, fact.path, plain(&(fact.read)(&facts)));
        }
        context["interest_statement"] = variable(Some(&statement), &facts);
        let text = templates.render("formal-notice", "letter", "en", &context).unwrap().text;
        let lines = amounts(&text, "- ");
        assert_eq!(lines.len(), 3, "{text}");
        // 28 days on 1,000 and 29 on 750 at 10.15, 15 on 750 at 10.40: 7.786, 13.835 and 17.040 as a running sum.
        assert_eq!(lines, [779, 604, 321]);
        assert_eq!(amounts(&text, "Interest"), [lines.iter().sum::<i64>()]);
        let sums = [amounts(&text, "Fixed sum"), amounts(&text, "Waived"), amounts(&text, "In all")].concat();
        assert_eq!(sums, [4_000, 500, lines.iter().sum::<i64>() + 4_000 - 500]);
        context["interest_statement"] = variable(None, &facts);
        let bare = templates.render("formal-notice", "letter", "en", &context).unwrap().text;
        assert!(!bare.contains("Interest"), "{bare}");
    }
}

//! What a decision read is all it depended on: facts that were not read never matter, and each fact that was read
//! either changes the answer when it changes, or another operand of the condition shows why it did not.

use recobro_kernel::case::Marks;
use recobro_kernel::expr::{Evaluation, ExprId, Run, View};
use recobro_kernel::facts::{CustomerFacts, Facts, InvoiceFacts};
use recobro_kernel::ids::Hash;
use recobro_kernel::money::Currency;
use recobro_kernel::time::Timestamp;
use recobro_playbook::{Compiled, check, read_dir};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A fact by its path, and other values it may take.
type Change = (&'static str, fn(&mut Facts, u64));

const CHANGES: &[Change] = &[
    ("customer.account_manager", |f, n| f.customer.account_manager = (n % 2 == 0).then(|| "ana".to_owned())),
    ("customer.broken_promises", |f, n| f.customer.broken_promises = i64::try_from(n % 4).unwrap()),
    ("customer.has_open_plan", |f, n| f.customer.has_open_plan = n % 2 == 0),
    ("customer.late_payments_12m", |f, n| f.customer.late_payments_12m = i64::try_from(n % 7).unwrap()),
    ("customer.risk", |f, n| {
        ["low", "medium", "high"][usize::try_from(n % 3).unwrap()].clone_into(&mut f.customer.risk);
    }),
    ("customer.segment", |f, n| {
        ["key", "sme", "standard"][usize::try_from(n % 3).unwrap()].clone_into(&mut f.customer.segment);
    }),
    ("customer.vulnerable", |f, n| f.customer.vulnerable = n % 2 == 0),
    ("invoice.balance", |f, n| f.invoice.balance_minor = i64::try_from(n % 6).unwrap() * 499_950),
    ("invoice.number", |f, n| f.invoice.number = format!("INV-{n}")),
    ("customer.kept_promises", |f, n| f.customer.kept_promises = i64::try_from(n % 4).unwrap()),
];

fn facts(mut draw: impl FnMut() -> u64) -> Facts {
    let mut facts = Facts {
        invoice: InvoiceFacts {
            id: "INV-1".into(),
            number: "INV-1".to_owned(),
            product: "electricity".to_owned(),
            currency: Currency::EUR,
            issued: "2026-04-04".parse().unwrap(),
            due: "2026-05-04".parse().unwrap(),
            amount_minor: 720_000,
            balance_minor: 720_000,
            charges_minor: 0,
            disputed_minor: 0,
            retained_minor: 0,
            not_due_minor: 0,
            last_payment_on: None,
            reference: "INV-1".to_owned(),
            closed: false,
            x: std::collections::BTreeMap::new(),
        },
        customer: CustomerFacts {
            id: "C-1".into(),
            kind: "business".to_owned(),
            segment: "standard".to_owned(),
            country: "ES".to_owned(),
            subdivision: None,
            locale: "es".to_owned(),
            time_zone: "Europe/Madrid".parse().unwrap(),
            risk: "medium".to_owned(),
            risk_score: 50,
            account_manager: None,
            vulnerable: false,
            has_open_plan: false,
            late_payments_12m: 0,
            broken_promises: 0,
            kept_promises: 0,
            matured_minor: BTreeMap::new(),
            late_reason: None,
            open_invoices: 1,
            total_minor: BTreeMap::new(),
            last_reply_on: None,
            tags: vec![],
            contact_points: vec![],
            assume_reachable: true,
            inconvenient: Vec::new(),
            preferred: Vec::new(),
            exceptions: Vec::new(),
            x: std::collections::BTreeMap::new(),
        },
        promise: None,
        dispute: None,
        plan: None,
        incentive: None,
        contacts: vec![],
        contacts_total: 0,
        today: "2026-05-20".parse().unwrap(),
    };
    for (_, change) in CHANGES {
        change(&mut facts, draw());
    }
    facts
}

fn evaluate(compiled: &Compiled, law: &Arc<recobro_kernel::law::Law>, id: ExprId, facts: &Facts) -> Evaluation {
    let playbook = &compiled.playbook;
    let now: Timestamp = "2026-05-20T08:00:00Z".parse().unwrap();
    let view = View {
        facts: Arc::new(facts.clone()),
        event: None,
        run: Run {
            playbook: playbook.name.as_str().into(),
            version: i64::from(playbook.version),
            stage: "".into(),
            step: "".into(),
            clock_day: 16,
            held_days: 0,
            skipped_days: 0,
            generation: 1,
        },
        vars: Arc::new(playbook.vars.clone()),
        marks: Arc::new(Marks::default()),
        now,
        today: now.date_in(facts.customer.time_zone),
        calendar: law.calendar_for("ES", None, &playbook.calendar),
        law: Arc::clone(law),
    };
    compiled.rules.eval(id, &view).unwrap_or_else(|error| panic!("{}: {error:?}", playbook.expr(id).source))
}

#[test]
fn unread_facts_never_matter_and_read_ones_are_shown_to() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let library = check(&read_dir(&root).unwrap()).library;
    let mut state = 7_u64;
    let mut draw = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let (mut mattered, mut unread) = (0_u32, 0_u32);
    for compiled in &library.playbooks {
        let of_stages = |(_, expr): &(usize, &recobro_kernel::expr::Expr)| expr.event.is_none();
        for (index, _) in compiled.playbook.exprs.iter().enumerate().filter(of_stages) {
            let id = ExprId(u32::try_from(index).unwrap());
            for _ in 0..40 {
                let base = facts(&mut draw);
                let before = evaluate(compiled, &library.law, id, &base);
                // Three facts at random, read or not.
                for _ in 0..3 {
                    let (path, change) = CHANGES[usize::try_from(draw() % CHANGES.len() as u64).unwrap()];
                    let mut other = base.clone();
                    change(&mut other, draw());
                    let after = evaluate(compiled, &library.law, id, &other);
                    if before.read.iter().any(|(read, _)| read == path) {
                        mattered += u32::from(after.value != before.value);
                        let shown = after.read != before.read || other == base;
                        assert!(after.value == before.value || shown, "{path} changed the answer and left no trace");
                    } else {
                        unread += 1;
                        assert_eq!(after.value, before.value, "{path} was not read, yet it matters");
                        assert_eq!(after.read, before.read, "{path} was not read, yet the reads changed");
                    }
                }
            }
        }
    }
    assert!(mattered > 50 && unread > 500, "the worlds are too alike: {mattered} {unread}");
    assert_ne!(library.playbooks.first().map(|compiled| compiled.playbook.bundle), Some(Hash::default()));
}

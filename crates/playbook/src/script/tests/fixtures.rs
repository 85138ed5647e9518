//! A made-up case, and short ways to evaluate over it.

use crate::script::{RhaiRules, Scripts, Watch};
use recobro_kernel::calendar::{Calendar, MonthDay, Season};
use recobro_kernel::case::{End, Mark, Marks};
use recobro_kernel::event::Event;
use recobro_kernel::expr::{Evaluation, Expr, ExprId, RuleError, Rules, Run, View};
use recobro_kernel::facts::{CustomerFacts, Facts, InvoiceFacts, PromiseFacts};
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::law::{Law, Policy};
use recobro_kernel::money::Currency;
use recobro_kernel::playbook::{Comparison, Table, TableRow, Test};
use recobro_kernel::time::Span;
use recobro_kernel::value::{Type, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const RISK: &str = r#"/// Where does the debt go ten working days after the final notice?
/// @returns "legal" | "agency" | "write_off"
fn route(facts) {
    let inv = facts.invoice;
    if inv.balance < 300 {
        note("small balance");
        return "write_off";
    }
    if facts.customer.segment == "key" or inv.balance >= 15000 {
        note("large balance or key account");
        return "legal";
    }
    note("neither small nor large");
    "agency"
}

/// Would this customer keep an instalment plan?
/// @returns bool
fn can_keep_plan(facts) {
    let c = facts.customer;
    c.broken_promises == 0 and c.late_payments_12m <= 4
}
"#;

pub(super) fn date(text: &str) -> chrono::NaiveDate {
    text.parse().unwrap()
}

pub(super) fn facts() -> Facts {
    Facts {
        invoice: InvoiceFacts {
            id: InvoiceId::from("inv-1"),
            number: "INV-1042".into(),
            product: "saas".into(),
            currency: Currency::EUR,
            issued: date("2026-04-04"),
            due: date("2026-05-04"),
            amount_minor: 720_000,
            balance_minor: 720_000,
            charges_minor: 0,
            disputed_minor: 0,
            retained_minor: 0,
            not_due_minor: 0,
            last_payment_on: None,
            reference: "R1".into(),
            closed: false,
            x: std::collections::BTreeMap::new(),
        },
        customer: CustomerFacts {
            id: CustomerId::from("c-1"),
            kind: "business".into(),
            segment: "standard".into(),
            country: "ES".into(),
            subdivision: None,
            locale: "es".into(),
            time_zone: "Europe/Madrid".parse().unwrap(),
            risk: "medium".into(),
            risk_score: 50,
            account_manager: None,
            vulnerable: false,
            has_open_plan: false,
            late_payments_12m: 1,
            broken_promises: 0,
            kept_promises: 1,
            matured_minor: BTreeMap::new(),
            late_reason: None,
            open_invoices: 1,
            total_minor: [(Currency::EUR, 720_000)].into(),
            last_reply_on: None,
            tags: vec!["vip".into()],
            contact_points: Vec::new(),
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
        contacts: Vec::new(),
        contacts_total: 0,
        today: date("2026-05-20"),
    }
}

pub(super) fn promise() -> PromiseFacts {
    PromiseFacts {
        id: "p".into(),
        made_on: date("2026-05-20"),
        date: date("2026-05-29"),
        amount_minor: 720_000,
        limit: date("2026-06-02"),
        method: None,
        invoices: vec!["INV-1".into()],
        status: "open".into(),
    }
}

pub(super) fn law() -> Law {
    let values = [
        ("masc_wait".to_owned(), Value::Span("1 month".parse().unwrap())),
        ("fixed_compensation".to_owned(), Value::Decimal("40".parse().unwrap())),
    ];
    let policy = Policy { name: "eu-b2b".into(), values: values.into(), ..Policy::default() };
    Law { policies: [("eu-b2b".to_owned(), Arc::new(policy))].into(), ..Law::default() }
}

pub(super) fn view() -> View {
    let winter = Season { from: MonthDay { month: 11, day: 1 }, to: MonthDay { month: 3, day: 31 }, reopen: None };
    let calendar = Calendar { seasons: [("winter-truce".to_owned(), winter)].into(), ..Calendar::weekdays() };
    let now = "2026-05-20T12:20:00Z".parse().unwrap();
    let mark = Mark {
        end: End::Done,
        at: "2026-05-05T07:00:00Z".parse().unwrap(),
        on: date("2026-05-05"),
        held_days: 0,
        outcome: "no_answer".into(),
        sent: 1,
        sent_at: Some("2026-05-05T07:00:00Z".parse().unwrap()),
        notice: vec!["payment_demand".into()],
        proven_on: None,
    };
    View {
        facts: Arc::new(facts()),
        event: None,
        run: Run {
            playbook: "b2b-standard".into(),
            version: 7,
            stage: "reminders".into(),
            step: "overdue-second".into(),
            clock_day: 15,
            held_days: 0,
            skipped_days: 0,
            generation: 1,
        },
        vars: Arc::default(),
        marks: Arc::new(Marks {
            steps: [("overdue-first".to_owned(), mark)].into(),
            answered_at: Some("2026-05-06T07:00:00Z".parse().unwrap()),
            first_contact: None,
        }),
        now,
        today: date("2026-05-20"),
        calendar: Arc::new(calendar),
        law: Arc::new(law()),
    }
}

pub(super) fn with_facts(change: impl FnOnce(&mut Facts)) -> View {
    let mut facts = facts();
    change(&mut facts);
    View { facts: Arc::new(facts), ..view() }
}

pub(super) fn with_event(name: &str, fields: &[(&str, Value)]) -> View {
    let event = Event {
        id: recobro_kernel::ids::EventId::derive(&["e"]),
        name: name.into(),
        at: "2026-05-20T12:20:00Z".parse().unwrap(),
        actor: "source:test".into(),
        fields: fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
    };
    View { event: Some(Arc::new(event)), ..view() }
}

pub(super) fn approach() -> Table {
    let text = |names: &[&str]| Type::Enum(names.iter().map(|n| (*n).to_owned()).collect());
    let is = |text: &str| Test::Is(Value::text(text));
    let row = |tests: [Test; 3], opening: &str, tone: &str, most: i64, line| TableRow {
        tests: tests.into(),
        outputs: vec![Value::text(opening), Value::text(tone), Value::Int(most)],
        line,
    };
    let large = Test::Compare(Comparison::AtLeast, Value::Int(10_000));
    Table {
        name: "approach".into(),
        inputs: ["customer.segment", "invoice.balance", "customer.risk"].map(str::to_owned).into(),
        outputs: vec![
            ("opening".into(), text(&["call", "email"])),
            ("tone".into(), text(&["personal", "neutral", "firm", "friendly"])),
            ("max_instalments".into(), Type::Int),
        ],
        rows: vec![
            row([is("key"), Test::Any, Test::Any], "call", "personal", 6, 38),
            row([Test::Any, large, Test::Any], "call", "neutral", 6, 39),
            row([Test::Any, Test::Any, is("high")], "call", "firm", 3, 40),
            row([Test::Any, Test::Any, Test::Any], "email", "friendly", 3, 41),
        ],
    }
}

pub(super) fn vars() -> BTreeMap<String, Value> {
    [("grace".to_owned(), Value::Span(Span::working_days(2)))].into()
}

pub(super) fn scripts(source: &str) -> Scripts {
    let (scripts, problems) = Scripts::compile(&[("scripts/risk.rhai".to_owned(), source.as_bytes().to_vec())].into());
    assert_eq!(problems, [], "{source}");
    scripts
}

pub(super) fn expr(source: &str, returns: Type, event: Option<&'static str>) -> Expr {
    Expr {
        source: source.into(),
        file: "workflows/b2b.yaml".into(),
        line: 40,
        column: 9,
        returns,
        params: Arc::new([("grace".to_owned(), Value::Span(Span::days(5)))].into()),
        event,
    }
}

pub(super) fn rules(source: &str, returns: Type, hooks: &str, event: Option<&'static str>) -> RhaiRules {
    let rules =
        RhaiRules::new(&[expr(source, returns, event)], vec![approach()], vars(), &scripts(hooks), &["risk".into()]);
    rules.unwrap_or_else(|(_, problems)| panic!("{source}: {problems:?}"))
}

pub(super) fn eval_in(source: &str, returns: Type, view: &View) -> Result<Evaluation, RuleError> {
    let event = view.event.as_deref().and_then(|event| recobro_kernel::event::find(&event.name)).map(|kind| kind.name);
    rules(source, returns, RISK, event).eval(ExprId(0), view)
}

pub(super) fn truth(source: &str) -> bool {
    eval_in(source, Type::Bool, &view()).unwrap_or_else(|e| panic!("{source}: {e:?}")).value == Value::Bool(true)
}

pub(super) fn hook(body: &str, returns: &str) -> Result<Evaluation, RuleError> {
    hook_watched(body, returns, Watch::real())
}

pub(super) fn hook_watched(body: &str, returns: &str, watch: Watch) -> Result<Evaluation, RuleError> {
    let source = format!("/// @returns {returns}\nfn probe(facts) {{\n{body}\n}}\n");
    let of = match returns {
        "bool" => Type::Bool,
        "int" => Type::Int,
        "decimal" => Type::Decimal,
        "date" => Type::Date,
        "duration" => Type::Span,
        _ => Type::Text,
    };
    rules("risk::probe(facts)", of, &source, None).with_watch(watch).eval(ExprId(0), &view())
}

pub(super) fn failure(result: Result<Evaluation, RuleError>) -> String {
    match result {
        Err(RuleError::Failed(text)) => text,
        other => panic!("should have failed: {other:?}"),
    }
}

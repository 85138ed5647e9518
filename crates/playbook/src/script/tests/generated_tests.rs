//! Made-up expressions by the hundred, good and bad: what passes the check never fails for a type or a missing value,
//! and answers the same when rhai runs it inside a hook.

use super::check_tests::check_as;
use super::fixtures::*;
use crate::script::{Expected, RhaiRules};
use recobro_kernel::expr::{ExprId, RuleError, Rules, View};
use recobro_kernel::facts::{DisputeFacts, PlanFacts};
use recobro_kernel::plan::{Instalment, Part, Told};
use recobro_kernel::value::{Type, Value};

/// A small generator of numbers: the same expressions on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % sides as u64).unwrap()
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Want {
    Bool,
    Number,
    Text,
    Date,
    Span,
}

const OPTIONAL: &[(&str, Want)] = &[
    ("customer.account_manager", Want::Text),
    ("customer.last_reply_on", Want::Date),
    ("invoice.last_payment_on", Want::Date),
    ("contacts.last_channel", Want::Text),
    ("contract.number", Want::Text),
    ("contract.terms_on", Want::Date),
    ("promise.date", Want::Date),
    ("promise.amount", Want::Number),
    ("promise.status", Want::Text),
    ("dispute.outcome", Want::Text),
    ("dispute.reason", Want::Text),
    ("plan.next_due", Want::Date),
    ("plan.instalments", Want::Number),
];

fn made_up(dice: &mut Dice, mut want: Want, depth: usize) -> String {
    // Now and then something that does not belong here.
    if dice.roll(14) == 0 {
        want = [Want::Bool, Want::Number, Want::Text, Want::Date, Want::Span][dice.roll(5)];
    }
    if depth == 0 || dice.roll(4) == 0 {
        return leaf(dice, want);
    }
    let depth = depth - 1;
    if dice.roll(8) == 0 {
        let (path, of) = OPTIONAL[dice.roll(OPTIONAL.len())];
        let safe = if dice.roll(2) == 0 { path.replace('.', "?.") } else { path.to_owned() };
        let other = made_up(dice, of, depth);
        if of == want {
            return format!("({safe} ?? {other})");
        }
        if want == Want::Bool {
            let sign = dice.pick(&["==", "!=", ">", "<="]);
            let link = dice.pick(&["has({}) and", "not has({}) or", "has({}) or", ""]).replace("{}", path);
            return format!("({link} {path} {sign} {other})");
        }
    }
    if dice.roll(8) == 0 {
        let (condition, then) = (made_up(dice, Want::Bool, depth), made_up(dice, want, depth));
        let otherwise = made_up(dice, want, depth);
        return format!("if {condition} {{ {then} }} else {{ {otherwise} }}");
    }
    let branch = |dice: &mut Dice, want| made_up(dice, want, depth);
    match want {
        Want::Bool => match dice.roll(6) {
            0 => format!("({} and {})", branch(dice, Want::Bool), branch(dice, Want::Bool)),
            1 => format!("({} or {})", branch(dice, Want::Bool), branch(dice, Want::Bool)),
            2 => format!("not ({})", branch(dice, Want::Bool)),
            3 => {
                let of = [Want::Number, Want::Text, Want::Date][dice.roll(3)];
                let sign = dice.pick(&["==", "!=", "<", ">="]);
                format!("({} {sign} {})", branch(dice, of), branch(dice, of))
            }
            4 => {
                let of = [Want::Number, Want::Text, Want::Date][dice.roll(3)];
                let sign = dice.pick(&["in", "!in"]);
                format!("({} {sign} [{}, {}])", branch(dice, of), branch(dice, of), branch(dice, of))
            }
            _ => format!("is_working_day({})", branch(dice, Want::Date)),
        },
        Want::Number => match dice.roll(6) {
            0 => format!("({} + {})", branch(dice, Want::Number), branch(dice, Want::Number)),
            1 => format!("({} * {})", branch(dice, Want::Number), branch(dice, Want::Number)),
            2 => format!("({} - {})", branch(dice, Want::Date), branch(dice, Want::Date)),
            3 => format!("round_money({})", branch(dice, Want::Number)),
            4 => format!("-({})", branch(dice, Want::Number)),
            _ => format!("({} / {})", branch(dice, Want::Number), branch(dice, Want::Number)),
        },
        Want::Text => format!("({} + {})", branch(dice, Want::Text), branch(dice, Want::Text)),
        Want::Date => format!("({} {} {})", branch(dice, Want::Date), dice.pick(&["+", "-"]), branch(dice, Want::Span)),
        Want::Span => format!("days({})", dice.roll(40)),
    }
}

fn leaf(dice: &mut Dice, want: Want) -> String {
    let names: &[&str] = match want {
        Want::Bool => &[
            "customer.vulnerable",
            "invoice.disputed",
            "has(promise)",
            "has(dispute.outcome)",
            "risk::can_keep_plan(facts)",
            "done(\"overdue-first\")",
            "in_season(\"winter-truce\")",
            "true",
        ],
        Want::Number => &[
            "invoice.balance",
            "invoice.days_overdue",
            "customer.broken_promises",
            "0.5",
            "3",
            "-2",
            "run.clock_day",
            "approach.max_instalments",
            "law.fixed_compensation",
            "sent(\"overdue-first\")",
            "unanswered(\"email\")",
            "promise.amount",
        ],
        Want::Text => &[
            "customer.segment",
            "customer.risk",
            "invoice.product",
            "\"low\"",
            "\"key\"",
            "approach.opening",
            "risk::route(facts)",
            "outcome(\"overdue-first\")",
            "customer.account_manager",
            "customer.segmnt",
        ],
        Want::Date => &["today", "invoice.due", "date(\"2026-05-04\")", "customer.last_reply_on", "promise.date"],
        Want::Span => &["grace", "days(3)", "working_days(2)", "months(1)", "param.grace", "law.masc_wait"],
    };
    dice.pick(names).to_owned()
}

fn views() -> Vec<View> {
    let rich = with_facts(|facts| {
        facts.promise = Some(promise());
        facts.dispute = Some(DisputeFacts { reason: "price".into(), outcome: None, opened_on: date("2026-05-10") });
        facts.customer.account_manager = Some("ana".into());
        facts.customer.last_reply_on = Some(date("2026-05-12"));
        facts.customer.segment = "key".into();
        facts.invoice.balance_minor = 0;
    });
    let other = with_facts(|facts| {
        let outcome = Some("rejected".into());
        facts.dispute = Some(DisputeFacts { reason: "quality".into(), outcome, opened_on: date("2026-05-10") });
        let due = Instalment { due: date("2026-06-10"), amount_minor: 10_000 };
        facts.plan = Some(PlanFacts {
            id: "P1".into(),
            status: "active".into(),
            parts: vec![Part { instalment: due, paid_minor: 0, told: Told::Nothing }],
            method: "transfer".into(),
            default_after: 2,
            valid_until: None,
            re_ages: false,
        });
        facts.invoice.last_payment_on = Some(date("2026-05-01"));
        facts.customer.vulnerable = true;
        facts.customer.broken_promises = 2;
    });
    vec![view(), rich, other]
}

/// Failures of arithmetic are no failures of types.
fn is_arithmetic(text: &str) -> bool {
    ["division by zero", "does not fit a", "out of the calendar", "too far apart"]
        .iter()
        .any(|known| text.contains(known))
}

fn as_hook(source: &str, of: &Type) -> RhaiRules {
    let roots =
        ["invoice", "customer", "promise", "dispute", "plan", "contacts", "contract", "run", "law", "param", "today"];
    let lets: String = roots
        .iter()
        .chain(&["approach", "grace"])
        .fold(String::new(), |lets, name| format!("{lets}let {name} = facts.{name};\n"));
    let returns = match of {
        Type::Enum(_) => "text".to_owned(),
        other => other.to_string(),
    };
    // Hooks of a module call each other by their bare names.
    let source = source.replace("risk::", "");
    let hooks = format!("{RISK}\n/// @returns {returns}\nfn probe(facts) {{\n{lets}{source}\n}}\n");
    let of = if let Type::Enum(_) = of { Type::Text } else { of.clone() };
    rules("risk::probe(facts)", of, &hooks, None)
}

#[test]
fn what_passes_the_check_never_fails_for_types_or_missing_values() {
    let views = views();
    let mut dice = Dice(20_260_504);
    let (mut good, mut bad, mut answers) = (0, 0, 0);
    for _ in 0..900 {
        let want = [Want::Bool, Want::Bool, Want::Number, Want::Text, Want::Date][dice.roll(5)];
        let source = made_up(&mut dice, want, 3);
        let Ok(info) = check_as(&source, None, &Expected::Any) else {
            bad += 1;
            continue;
        };
        good += 1;
        let expression = rules(&source, info.of.clone(), RISK, None);
        let hook = as_hook(&source, &info.of);
        for view in &views {
            let ours = expression.eval(ExprId(0), view);
            let value = match ours {
                Ok(found) => Some(found.value),
                Err(RuleError::Failed(text)) if is_arithmetic(&text) => None,
                Err(error) => panic!("{source}\n{error:?}"),
            };
            match (value, hook.eval(ExprId(0), view)) {
                (Some(ours), Ok(theirs)) => {
                    assert!(same(&ours, &theirs.value), "{source}\nexpression {ours:?}\nhook {:?}", theirs.value);
                    answers += 1;
                }
                (None, Ok(theirs)) => panic!("{source}\nonly the hook answers: {theirs:?}"),
                // A root that is not there has no properties in rhai; one-line expressions forgive that under `has`.
                (Some(_), Err(error)) => {
                    let forgiven =
                        ["promise", "dispute", "plan"].iter().any(|root| source.contains(&format!("{root}.")));
                    assert!(forgiven, "{source}\nonly the expression answers: {error:?}");
                }
                (None, Err(_)) => {}
            }
        }
    }
    assert!(good > 300 && bad > 150 && answers > 700, "{good} good, {bad} bad, {answers} answers");
}

fn same(a: &Value, b: &Value) -> bool {
    match (a.as_decimal(), b.as_decimal()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

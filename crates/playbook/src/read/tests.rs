//! Tests on facts: `applies_to` and the cells of decision tables. Literals, lists, comparisons and ranges; no functions.

use super::{cut, plain_date, wrong};
use crate::diagnostic::{Diagnostic, Report};
use crate::yaml::{Kind, Node};
use recobro_kernel::money::Currency;
use recobro_kernel::playbook::{Comparison, Test};
use recobro_kernel::value::{Type, Value};
use rust_decimal::Decimal;

/// What a test may assume about its fact.
#[derive(Clone)]
pub(crate) struct Subject<'a> {
    /// Path, for messages.
    pub(crate) path: &'a str,
    /// Type.
    pub(crate) of: Type,
    /// The playbook's currency; nothing for `any`.
    pub(crate) currency: Option<Currency>,
}

/// Whether a fact is an amount of money, so that a bare number needs the playbook's currency.
pub(crate) fn is_amount(path: &str, of: &Type) -> bool {
    let plain = ["contract.", "customer.x.", "invoice.x.", "law."];
    *of == Type::Decimal && !plain.iter().any(|root| path.starts_with(root))
}

const SIGNS: &[(&str, Comparison)] = &[
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<", Comparison::Less),
    (">", Comparison::More),
];

/// Reads one test.
pub(crate) fn test(report: &Report, node: &Node, subject: &Subject<'_>) -> Option<Test> {
    match &node.kind {
        Kind::List(items) => {
            let values: Option<Vec<Value>> =
                items.iter().map(|item| literal(report, item, text_of(item), subject)).collect();
            if items.is_empty() {
                report.error("PB006", node, "an empty list never matches");
            }
            values.map(Test::In)
        }
        Kind::Map(_) => {
            wrong(report, node, "a value, a list, a comparison, a range or `_`");
            None
        }
        Kind::Scalar(text, _) if text == "_" => Some(Test::Any),
        Kind::Scalar(text, _) => {
            let text = text.trim();
            if let Some((sign, how)) = SIGNS.iter().find(|(sign, _)| text.starts_with(sign)) {
                let value = literal(report, node, text[sign.len()..].trim(), subject)?;
                return Some(Test::Compare(*how, value));
            }
            if let Some((low, high)) = text.split_once("..").filter(|_| ordered(&subject.of)) {
                let low = literal(report, node, low.trim(), subject)?;
                let high = literal(report, node, high.trim(), subject)?;
                let test = Test::Range(low.clone(), high.clone());
                if !test.accepts(&low) {
                    report.error(
                        "PB006",
                        node,
                        format!("the range `{text}` is empty: its first value is the larger one"),
                    );
                }
                return Some(test);
            }
            literal(report, node, text, subject).map(Test::Is)
        }
    }
}

fn text_of(node: &Node) -> &str {
    node.text().unwrap_or_default().trim()
}

fn ordered(of: &Type) -> bool {
    matches!(of, Type::Int | Type::Decimal | Type::Date)
}

fn literal(report: &Report, node: &Node, text: &str, subject: &Subject<'_>) -> Option<Value> {
    let refuse = |wanted: &str| {
        let message = format!("`{}` is not {wanted}, which `{}` is", cut(text), subject.path);
        report.push(Diagnostic::error("PB203", &node.place, message));
        None
    };
    match &subject.of {
        Type::Bool => match text {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => refuse("`true` or `false`"),
        },
        Type::Int => text.parse().map(Value::Int).or_else(|_| refuse("an integer").ok_or(())).ok(),
        Type::Decimal => amount(report, node, text, subject),
        Type::Date => plain_date(text).map(Value::Date).or_else(|| refuse("a date")),
        Type::Span => text.parse().ok().map(Value::Span).or_else(|| refuse("a duration")),
        Type::Enum(names) if !names.iter().any(|name| name == text) => {
            let mut sorted = names.clone();
            sorted.sort();
            report.push(
                Diagnostic::error(
                    "PB202",
                    &node.place,
                    format!("\"{}\" is never a value of `{}`", cut(text), subject.path),
                )
                .nearest(text, names.iter().map(String::as_str))
                .help(format!("values are {}", sorted.join(", "))),
            );
            None
        }
        Type::Text | Type::Enum(_) | Type::List(_) => Some(Value::text(text)),
        Type::Instant => refuse("comparable here; test a date instead"),
    }
}

/// PB401: a number, possibly with the currency beside it, which must be the playbook's.
fn amount(report: &Report, node: &Node, text: &str, subject: &Subject<'_>) -> Option<Value> {
    let (number, code) = split_currency(text);
    let Ok(value) = Decimal::from_str_exact(number) else {
        let message = format!("`{}` is not a number, which `{}` is", cut(text), subject.path);
        report.push(Diagnostic::error("PB203", &node.place, message));
        return None;
    };
    if is_amount(subject.path, &subject.of) {
        same_currency(report, node, code, subject.currency);
    }
    Some(Value::Decimal(value))
}

/// `50 EUR`, `EUR 50` or `50`.
pub(crate) fn split_currency(text: &str) -> (&str, Option<&str>) {
    let is_code = |part: &str| part.len() == 3 && part.chars().all(|c| c.is_ascii_uppercase());
    match text.split_once(' ') {
        Some((number, code)) if is_code(code.trim()) => (number.trim(), Some(code.trim())),
        Some((code, number)) if is_code(code.trim()) => (number.trim(), Some(code.trim())),
        _ => (text, None),
    }
}

/// PB401: the amount's currency against the playbook's.
pub(crate) fn same_currency(report: &Report, node: &Node, code: Option<&str>, currency: Option<Currency>) {
    match (currency, code) {
        (Some(ours), Some(code)) if ours.code() != code => report.push(Diagnostic::error(
            "PB401",
            &node.place,
            format!("playbook currency is {ours} but this amount says {code}"),
        )),
        (None, _) => report.push(
            Diagnostic::error("PB401", &node.place, "a bare amount means nothing where `currency: any`")
                .help("name the playbook's currency, or compare two amounts of the same invoice"),
        ),
        _ => {}
    }
}

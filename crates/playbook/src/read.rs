//! Small readers: a node in, a typed value or a problem with its place out. The field gives the type, never YAML.

pub(crate) mod examples;
pub(crate) mod holidays;
pub(crate) mod law;
pub(crate) mod own;
mod places;
pub(crate) mod policy;
pub(crate) mod rates;
pub(crate) mod requests;
pub(crate) mod tests;

use crate::diagnostic::{Diagnostic, Report};
use crate::yaml::{Kind, Node};
use chrono::NaiveDate;
use recobro_kernel::facts::Channel;
use recobro_kernel::playbook::{Bundle, Repeat, Via};
use recobro_kernel::time::{Span, SpanError};
use recobro_kernel::value::{Type, Value};
use rust_decimal::Decimal;

/// Says what was expected instead of what stands there.
pub(crate) fn wrong(report: &Report, node: &Node, wanted: &str) {
    // A tag eats its value and was reported where it stands.
    let is_tag = node.text() == Some("") && !node.is_quoted() && node.place.start != node.place.end;
    if is_tag {
        return;
    }
    let message = match node.text() {
        Some("") => format!("nothing stands here; {wanted} is needed"),
        Some(text) => format!("`{}` is not {wanted}", cut(text)),
        None => format!("{} stands here; {wanted} is needed", node.shape()),
    };
    report.push(Diagnostic::error("PB006", &node.place, message));
}

/// A text for a message, not longer than a line.
pub(crate) fn cut(text: &str) -> String {
    if text.chars().count() <= 60 { text.to_owned() } else { text.chars().take(57).chain("...".chars()).collect() }
}

/// Any text, also an empty one in quotes.
pub(crate) fn text(report: &Report, node: &Node) -> Option<String> {
    match node.text() {
        Some(text) if !text.is_empty() || node.is_quoted() => Some(text.to_owned()),
        _ => {
            wrong(report, node, "a text");
            None
        }
    }
}

/// A name: letters, digits and `-_./:@`.
pub(crate) fn name(report: &Report, node: &Node) -> Option<String> {
    let Some(text) = node.text().filter(|text| !text.is_empty()) else {
        wrong(report, node, "a name");
        return None;
    };
    if node.expression().is_some() {
        report.push(
            Diagnostic::error("PB006", &node.place, "a constant is needed here, not an expression")
                .help("only a parameter of the fragment may stand here: `= param.NAME`"),
        );
        return None;
    }
    let good = |c: char| c.is_alphanumeric() || "-_./:@".contains(c);
    if text.chars().all(good) && text.chars().count() <= 120 {
        Some(text.to_owned())
    } else {
        wrong(report, node, "a name");
        None
    }
}

/// Free text of one line, for `note`, `title` and words to staff.
pub(crate) fn words(report: &Report, node: &Node) -> Option<String> {
    text(report, node).map(|text| text.trim().to_owned())
}

/// The items of a list; a single value counts as a list of one.
pub(crate) fn items<'n>(report: &Report, node: &'n Node) -> Vec<&'n Node> {
    match &node.kind {
        Kind::List(items) => items.iter().collect(),
        Kind::Scalar(..) => vec![node],
        Kind::Map(_) => {
            wrong(report, node, "a list");
            Vec::new()
        }
    }
}

/// The items of what must be a list.
pub(crate) fn list<'n>(report: &Report, node: &'n Node, of: &str) -> &'n [Node] {
    match &node.kind {
        Kind::List(items) => items,
        _ if node.is_empty() => &[],
        _ => {
            wrong(report, node, &format!("a list of {of}"));
            &[]
        }
    }
}

/// The entries of what must be a map.
pub(crate) fn map<'n>(report: &Report, node: &'n Node, of: &str) -> &'n [(Node, Node)] {
    if let Kind::Map(entries) = &node.kind {
        return entries;
    }
    wrong(report, node, &format!("a map of {of}"));
    &[]
}

/// One name or a list of them.
pub(crate) fn names(report: &Report, node: &Node) -> Vec<String> {
    items(report, node).into_iter().filter_map(|item| name(report, item)).collect()
}

/// `true` or `false`, nothing else: YAML's `yes` and `on` are texts.
pub(crate) fn boolean(report: &Report, node: &Node) -> Option<bool> {
    match node.text() {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => {
            wrong(report, node, "`true` or `false`");
            None
        }
    }
}

/// A whole number as people write it; `012` is 12, `1.10` is refused.
pub(crate) fn int(report: &Report, node: &Node) -> Option<i64> {
    let parsed = node.text().filter(|_| !node.is_quoted()).and_then(|text| text.parse().ok());
    if parsed.is_none() {
        let shown = node.text().map_or_else(|| node.shape().to_owned(), cut);
        report.push(Diagnostic::error("PB006", &node.place, format!("`{shown}` is not an integer")));
    }
    parsed
}

/// A whole number of at least `least`.
pub(crate) fn count(report: &Report, node: &Node, least: u32) -> Option<u32> {
    let found = int(report, node)?;
    match u32::try_from(found) {
        Ok(found) if found >= least && found <= 100_000 => Some(found),
        _ => {
            report.error("PB006", node, format!("`{found}` is out of range; {least} to 100000"));
            None
        }
    }
}

/// A decimal number with a point.
pub(crate) fn decimal(report: &Report, node: &Node) -> Option<Decimal> {
    let parsed = node.text().and_then(|text| Decimal::from_str_exact(text).ok());
    if parsed.is_none() {
        wrong(report, node, "a number");
    }
    parsed
}

/// `2026-05-04`.
pub(crate) fn date(report: &Report, node: &Node) -> Option<NaiveDate> {
    let parsed = node.text().and_then(plain_date);
    if parsed.is_none() {
        wrong(report, node, "a date such as `2026-05-04`");
    }
    parsed
}

/// A date in its one accepted form.
pub(crate) fn plain_date(text: &str) -> Option<NaiveDate> {
    (text.len() == 10).then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()
}

/// PB005: a duration with its unit.
pub(crate) fn span(report: &Report, key: &str, node: &Node) -> Option<Span> {
    let Some(text) = node.text().filter(|text| !text.is_empty()) else {
        wrong(report, node, "a duration such as `3 days`");
        return None;
    };
    match text.parse::<Span>() {
        Ok(span) => Some(span),
        Err(SpanError::NoUnit(number)) => {
            let one = if number.trim() == "1" { "" } else { "s" };
            let number = number.trim().to_owned();
            report.push(
                Diagnostic::error("PB005", &node.place, format!("`{key}: {number}` has no unit"))
                    .help(format!("`{number} day{one}` or `{number} working day{one}`")),
            );
            None
        }
        Err(SpanError::Malformed(_)) => {
            report.push(
                Diagnostic::error("PB005", &node.place, format!("`{}` is not a duration", cut(text)))
                    .help("write a number and minutes, hours, days, working days, weeks or months"),
            );
            None
        }
    }
}

/// PB107: a channel by name.
pub(crate) fn channel(report: &Report, node: &Node) -> Option<Channel> {
    let text = node.text().unwrap_or_default();
    if let Some(channel) = Channel::parse(text) {
        return Some(channel);
    }
    let known = Channel::ALL.map(Channel::name);
    report.push(
        Diagnostic::error("PB107", &node.place, format!("unknown channel `{}`", cut(text)))
            .nearest(text, known)
            .help(format!("channels are {}", known.join(", "))),
    );
    None
}

/// Channels in order, and `last_working`.
pub(crate) fn channels(report: &Report, node: &Node) -> Vec<Via> {
    let items = items(report, node);
    if items.is_empty() && matches!(node.kind, Kind::List(_)) {
        report.error("PB006", node, "at least one channel is needed");
    }
    let one = |item: &&Node| match item.text() {
        Some("last_working") => Some(Via::LastWorking),
        Some("call") => {
            let problem = Diagnostic::error("PB107", &item.place, "a message cannot leave by `call`");
            report.push(problem.help("write a step `call: NAME`, or the channel `voice` for a machine's call"));
            None
        }
        _ => channel(report, item).map(Via::Channel),
    };
    items.iter().filter_map(one).collect()
}

/// `{times, every}`.
pub(crate) fn repeat(report: &Report, node: &Node) -> Option<Repeat> {
    only(report, node, "`{times, every}`", &["every", "times"]);
    let times = required(report, node, "times").and_then(|node| count(report, node, 1));
    let every = required(report, node, "every").and_then(|node| span(report, "every", node));
    Some(Repeat { times: times?, every: every? })
}

/// `customer` or `{by: customer, window: 3 days}`.
pub(crate) fn bundle(report: &Report, node: &Node) -> Option<Bundle> {
    if node.text() == Some("customer") {
        return Some(Bundle { window: None });
    }
    if node.text().is_some() {
        wrong(report, node, "`customer` or `{by: customer, window: 3 days}`");
        return None;
    }
    only(report, node, "`bundle`", &["by", "window"]);
    let by = required(report, node, "by")?;
    if by.text() != Some("customer") {
        wrong(report, by, "`customer`");
    }
    let window = match node.get("window") {
        Some(window) => Some(span(report, "window", window)?),
        None => None,
    };
    Some(Bundle { window })
}

/// PB001: keys that a map does not know.
pub(crate) fn only(report: &Report, node: &Node, what: &str, known: &[&str]) {
    for (key, _) in map(report, node, "keys") {
        let name = key.text().unwrap_or_default();
        if !known.contains(&name) {
            unknown_key(report, key, what, known);
        }
    }
}

/// PB001 for one key.
pub(crate) fn unknown_key(report: &Report, key: &Node, what: &str, known: &[&str]) {
    let name = key.text().unwrap_or_default();
    report.push(
        Diagnostic::error("PB001", &key.place, format!("unknown key `{}` in {what}", cut(name)))
            .nearest(name, known.iter().copied())
            .help(format!("{what} knows: {}", known.join(" "))),
    );
}

/// PB009: a key that must be there.
pub(crate) fn required<'n>(report: &Report, node: &'n Node, key: &str) -> Option<&'n Node> {
    let found = node.get(key).filter(|value| !value.is_empty());
    if found.is_none() {
        report.push(Diagnostic::error("PB009", &node.place, format!("`{key}:` is missing")));
    }
    found
}

/// A constant of a type, for tables, `with:` and parameters.
pub(crate) fn value(report: &Report, node: &Node, of: &Type) -> Option<Value> {
    Some(match of {
        Type::Bool => Value::Bool(boolean(report, node)?),
        Type::Int => Value::Int(int(report, node)?),
        Type::Decimal => Value::Decimal(decimal(report, node)?),
        Type::Text => Value::Text(text(report, node)?),
        Type::Enum(names) => Value::Text(one_of(report, node, names)?),
        Type::Date => Value::Date(date(report, node)?),
        Type::Instant => Value::Instant(node.text().and_then(|text| text.parse().ok()).or_else(|| {
            wrong(report, node, "an instant such as `2026-05-04T09:00:00Z`");
            None
        })?),
        Type::Span => Value::Span(span(report, "duration", node)?),
        Type::List(of) => {
            Value::List(items(report, node).into_iter().map(|item| value(report, item, of)).collect::<Option<_>>()?)
        }
    })
}

fn one_of(report: &Report, node: &Node, names: &[String]) -> Option<String> {
    let text = node.text().unwrap_or_default();
    if names.iter().any(|name| name == text) {
        return Some(text.to_owned());
    }
    report.push(
        Diagnostic::error("PB006", &node.place, format!("`{}` is none of {}", cut(text), names.join(", ")))
            .nearest(text, names.iter().map(String::as_str)),
    );
    None
}

/// A constant whose own shape gives the type: `vars`, cells of outputs.
pub(crate) fn guess(report: &Report, node: &Node) -> Option<Value> {
    match &node.kind {
        Kind::List(items) => Some(Value::List(items.iter().map(|item| guess(report, item)).collect::<Option<_>>()?)),
        Kind::Map(_) => {
            wrong(report, node, "a number, text, duration, date or list");
            None
        }
        Kind::Scalar(text, _) if node.is_quoted() => Some(Value::text(text)),
        Kind::Scalar(text, _) => Some(guess_text(text)),
    }
}

fn guess_text(text: &str) -> Value {
    let flag = match text {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        _ => None,
    };
    flag.or_else(|| text.parse().ok().map(Value::Int))
        .or_else(|| Decimal::from_str_exact(text).ok().map(Value::Decimal))
        .or_else(|| plain_date(text).map(Value::Date))
        .or_else(|| text.parse().ok().map(Value::Span))
        .unwrap_or_else(|| Value::text(text))
}

/// The type of a constant.
pub(crate) fn type_of(value: &Value) -> Type {
    match value {
        Value::Missing | Value::Text(_) => Type::Text,
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::Decimal(_) => Type::Decimal,
        Value::Date(_) => Type::Date,
        Value::Instant(_) => Type::Instant,
        Value::Span(_) => Type::Span,
        Value::List(items) => Type::List(Box::new(items.first().map_or(Type::Text, type_of))),
    }
}

/// A type by the name that headers, requests and parameters use.
pub(crate) fn type_named(report: &Report, node: &Node) -> Option<Type> {
    const NAMES: &[&str] = &["bool", "date", "decimal", "duration", "int", "list", "text"];
    Some(match node.text().unwrap_or_default() {
        "bool" => Type::Bool,
        "date" => Type::Date,
        "amount" | "decimal" => Type::Decimal,
        "duration" => Type::Span,
        "int" => Type::Int,
        "list" => Type::List(Box::new(Type::Text)),
        "text" => Type::Text,
        other => {
            report.push(
                Diagnostic::error("PB006", &node.place, format!("`{}` is not a type", cut(other)))
                    .nearest(other, NAMES.iter().copied())
                    .help(format!("types are {}", NAMES.join(", "))),
            );
            return None;
        }
    })
}

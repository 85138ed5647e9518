//! The operators, once for expressions and hooks: unlike types and missing values are errors, never `false`.

use super::parse::Op;
use chrono::{Datelike, Days, Months, NaiveDate};
use recobro_kernel::calendar::Calendar;
use recobro_kernel::time::{Span, Timestamp, Unit};
use recobro_kernel::value::{Type, Value};
use rust_decimal::Decimal;
use std::cmp::Ordering;

/// Longest duration and farthest working day that a rule may count.
const MAX_COUNT: i64 = 100_000;

/// How people call the type of a value.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Missing => "missing",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Decimal(_) => "decimal",
        Value::Text(_) => "text",
        Value::Date(_) => "date",
        Value::Instant(_) => "instant",
        Value::Span(_) => "duration",
        Value::List(_) => "list",
    }
}

/// Applies an operator.
///
/// # Errors
/// A readable reason: unlike types, a missing value, overflow, division by zero.
pub(super) fn apply(op: Op, a: &Value, b: &Value, calendar: &Calendar, zone: chrono_tz::Tz) -> Result<Value, String> {
    if op.compares() { compare(op, a, b).map(Value::Bool) } else { arithmetic(op, a, b, calendar, zone) }
}

/// Compares two values of one kind.
///
/// # Errors
/// A readable reason where the answer would be `false` without meaning it.
pub(super) fn compare(op: Op, a: &Value, b: &Value) -> Result<bool, String> {
    if a.is_missing() || b.is_missing() {
        return Err(format!(
            "a missing value cannot be compared with `{}`; ask `has(..)` first or write `??`",
            op.sign()
        ));
    }
    let unlike = || Err(format!("{} cannot be compared with {} by `{}`", type_name(a), type_name(b), op.sign()));
    if let (Value::List(left), Value::List(right)) = (a, b) {
        return match op {
            Op::Equal => Ok(same_lists(left, right)),
            Op::NotEqual => Ok(!same_lists(left, right)),
            _ => unlike(),
        };
    }
    let Some(found) = order(a, b) else { return unlike() };
    let ordered = !matches!(a, Value::Bool(_) | Value::Span(_));
    Ok(match op {
        Op::Equal => found.is_eq(),
        Op::NotEqual => found.is_ne(),
        Op::Less if ordered => found.is_lt(),
        Op::AtMost if ordered => found.is_le(),
        Op::More if ordered => found.is_gt(),
        Op::AtLeast if ordered => found.is_ge(),
        _ => return unlike(),
    })
}

fn same_lists(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| order(a, b).is_some_and(Ordering::is_eq))
}

/// The order of two values of one kind; spans and truth only know equal and not equal.
fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::Instant(a), Value::Instant(b)) => Some(a.cmp(b)),
        (Value::Span(a), Value::Span(b)) => Some(a.unit.cmp(&b.unit).then(a.count.cmp(&b.count))),
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        _ => Some(a.as_decimal()?.cmp(&b.as_decimal()?)),
    }
}

/// Whether a list or text holds an item.
///
/// # Errors
/// A readable reason where the types do not fit.
pub(super) fn contains(list: &Value, item: &Value) -> Result<bool, String> {
    if item.is_missing() {
        return Err("a missing value is in no list; ask `has(..)` first or write `??`".to_owned());
    }
    match (list, item) {
        (Value::List(items), _) => {
            for one in items {
                if order(one, item).ok_or_else(|| unlike_item(one, item))?.is_eq() {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        (Value::Text(text), Value::Text(part)) => Ok(text.contains(part.as_str())),
        _ => Err(format!("`in` needs a list, not {}", type_name(list))),
    }
}

fn unlike_item(one: &Value, item: &Value) -> String {
    format!("{} is looked for in a list of {}", type_name(item), type_name(one))
}

fn arithmetic(op: Op, a: &Value, b: &Value, calendar: &Calendar, zone: chrono_tz::Tz) -> Result<Value, String> {
    match (op, a, b) {
        (_, Value::Int(a), Value::Int(b)) => whole(op, *a, *b).map(Value::Int),
        (_, Value::Int(_) | Value::Decimal(_), Value::Int(_) | Value::Decimal(_)) => {
            let (Some(left), Some(right)) = (a.as_decimal(), b.as_decimal()) else { return Err(unlike(op, a, b)) };
            fraction(op, left, right).map(Value::Decimal)
        }
        (Op::Add, Value::Text(a), Value::Text(b)) => Ok(Value::Text(format!("{a}{b}"))),
        (Op::Add, Value::Date(date), Value::Span(span)) | (Op::Add, Value::Span(span), Value::Date(date)) => {
            shift(*date, *span, calendar).map(Value::Date)
        }
        (Op::Subtract, Value::Date(date), Value::Span(span)) => {
            shift(*date, Span { count: -span.count, unit: span.unit }, calendar).map(Value::Date)
        }
        (Op::Subtract, Value::Date(a), Value::Date(b)) => Ok(Value::Int((*a - *b).num_days())),
        (Op::Add, Value::Instant(at), Value::Span(span)) | (Op::Add, Value::Span(span), Value::Instant(at)) => {
            shift_instant(*at, *span, calendar, zone).map(Value::Instant)
        }
        (Op::Subtract, Value::Instant(at), Value::Span(span)) => {
            shift_instant(*at, Span { count: -span.count, unit: span.unit }, calendar, zone).map(Value::Instant)
        }
        _ => Err(unlike(op, a, b)),
    }
}

fn unlike(op: Op, a: &Value, b: &Value) -> String {
    if a.is_missing() || b.is_missing() {
        return format!("a missing value cannot be calculated with `{}`; ask `has(..)` first or write `??`", op.sign());
    }
    format!("`{}` does not fit {} and {}", op.sign(), type_name(a), type_name(b))
}

fn whole(op: Op, a: i64, b: i64) -> Result<i64, String> {
    let found = match op {
        Op::Add => a.checked_add(b),
        Op::Subtract => a.checked_sub(b),
        Op::Multiply => a.checked_mul(b),
        Op::Divide | Op::Remainder if b == 0 => return Err("division by zero".to_owned()),
        Op::Divide => a.checked_div(b),
        Op::Remainder => a.checked_rem(b),
        Op::Equal | Op::NotEqual | Op::Less | Op::AtMost | Op::More | Op::AtLeast => None,
    };
    found.ok_or_else(|| format!("{a} {} {b} does not fit a whole number", op.sign()))
}

fn fraction(op: Op, a: Decimal, b: Decimal) -> Result<Decimal, String> {
    let found = match op {
        Op::Add => a.checked_add(b),
        Op::Subtract => a.checked_sub(b),
        Op::Multiply => a.checked_mul(b),
        Op::Divide | Op::Remainder if b.is_zero() => return Err("division by zero".to_owned()),
        Op::Divide => a.checked_div(b),
        Op::Remainder => a.checked_rem(b),
        Op::Equal | Op::NotEqual | Op::Less | Op::AtMost | Op::More | Op::AtLeast => None,
    };
    found.ok_or_else(|| format!("{a} {} {b} does not fit a decimal", op.sign()))
}

/// `-a`
///
/// # Errors
/// A readable reason where it is no number.
pub(super) fn negative(a: &Value) -> Result<Value, String> {
    match a {
        Value::Int(n) => n.checked_neg().map(Value::Int).ok_or_else(|| format!("-{n} does not fit a whole number")),
        Value::Decimal(d) => Ok(Value::Decimal(-*d)),
        other => Err(format!("`-` does not fit {}", type_name(other))),
    }
}

/// A duration, bounded so that no date runs off the calendar.
///
/// # Errors
/// A readable reason where it is too long.
pub(super) fn span(count: i64, unit: Unit) -> Result<Value, String> {
    if (-MAX_COUNT..=MAX_COUNT).contains(&count) {
        Ok(Value::Span(Span { count, unit }))
    } else {
        Err(format!("{count} is too long for a duration; at most {MAX_COUNT}"))
    }
}

/// A date some duration later, or earlier for a negative count.
fn shift(date: NaiveDate, span: Span, calendar: &Calendar) -> Result<NaiveDate, String> {
    let far = || format!("{date} and {span} lead out of the calendar");
    if span.count.abs() > MAX_COUNT {
        return Err(far());
    }
    let count = span.count.unsigned_abs();
    let back = span.count < 0;
    let by_days = |days: u64| {
        if back { date.checked_sub_days(Days::new(days)) } else { date.checked_add_days(Days::new(days)) }
    };
    let moved = match span.unit {
        Unit::Minutes | Unit::Hours => Some(date),
        Unit::Days => by_days(count),
        Unit::Weeks => by_days(count * 7),
        Unit::Months => {
            let months = Months::new(u32::try_from(count).map_err(|_| far())?);
            if back { date.checked_sub_months(months) } else { date.checked_add_months(months) }
        }
        Unit::WorkingDays if back => Some(working_days_before(date, count, calendar)),
        Unit::WorkingDays => Some(calendar.add_working_days(date, span.count)),
    };
    moved.filter(|date| (1..=9_999).contains(&date.year())).ok_or_else(far)
}

fn working_days_before(mut date: NaiveDate, count: u64, calendar: &Calendar) -> NaiveDate {
    for _ in 0..count {
        // A calendar without working days would never end; a year is longer than any real closure.
        for _ in 0..366 {
            date = date.checked_sub_days(Days::new(1)).unwrap_or(date);
            if calendar.is_working_day(date) {
                break;
            }
        }
    }
    date
}

fn shift_instant(at: Timestamp, span: Span, calendar: &Calendar, zone: chrono_tz::Tz) -> Result<Timestamp, String> {
    if span.count.abs() > MAX_COUNT {
        return Err(format!("{span} is too long"));
    }
    if let Some(us) = span.exact_us() {
        return Ok(at.plus_us(us));
    }
    let local = at.local(zone);
    Ok(Timestamp::at_local(shift(local.date(), span, calendar)?, local.time(), zone))
}

/// Working days after `a` up to `b`.
///
/// # Errors
/// A readable reason where the dates are centuries apart.
pub(super) fn working_days_between(a: NaiveDate, b: NaiveDate, calendar: &Calendar) -> Result<i64, String> {
    if (b - a).num_days().abs() > MAX_COUNT {
        return Err(format!("{a} and {b} are too far apart"));
    }
    Ok(calendar.working_days_between(a, b))
}

/// The value, if it is of a type; an int is taken for a decimal. Missing fits nothing.
///
/// # Errors
/// The value itself, where it does not fit.
pub(super) fn fit(value: Value, of: &Type) -> Result<Value, Value> {
    match (value, of) {
        (Value::Int(n), Type::Decimal) => Ok(Value::Decimal(Decimal::from(n))),
        (Value::List(items), Type::List(inner)) => {
            let all = items.iter().cloned().map(|item| fit(item, inner)).collect::<Result<Vec<_>, _>>();
            all.map(Value::List).map_err(|_| Value::List(items))
        }
        (Value::Text(text), Type::Enum(names)) if names.contains(&text) => Ok(Value::Text(text)),
        (value @ Value::Bool(_), Type::Bool)
        | (value @ Value::Int(_), Type::Int)
        | (value @ Value::Decimal(_), Type::Decimal)
        | (value @ Value::Text(_), Type::Text)
        | (value @ Value::Date(_), Type::Date)
        | (value @ Value::Instant(_), Type::Instant)
        | (value @ Value::Span(_), Type::Span) => Ok(value),
        (value, _) => Err(value),
    }
}

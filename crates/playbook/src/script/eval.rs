//! Walks the tree of an expression against one session: facts are read when reached, each operand of the condition
//! leaves its value, and whatever does not fit is an error with its place.

use super::context::Session;
use super::hooks;
use super::names::{Found, Place};
use super::ops;
use super::parse::{Node, NodeKind, Op, Part};
use super::registry::{self, Takes};
use chrono::NaiveDate;
use recobro_kernel::case::End;
use recobro_kernel::expr::Clause;
use recobro_kernel::facts::{Channel, OPTIONAL_ROOTS};
use recobro_kernel::time::Unit;
use recobro_kernel::value::Value;
use rust_decimal::{Decimal, RoundingStrategy};
use std::sync::Arc;

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// First byte of the part that failed.
    pub(super) start: usize,
    /// What went wrong and what to do.
    pub(super) reason: String,
    /// The wall clock stopped a hook.
    pub(super) slow: bool,
}

impl Failure {
    fn at(node: &Node, reason: impl Into<String>) -> Self {
        Self { start: node.start, reason: reason.into(), slow: false }
    }
}

type Answer = Result<Value, Failure>;

/// An evaluation under way.
pub(super) struct Walk<'a> {
    /// What it looks at and records into.
    pub(super) session: &'a Arc<Session>,
    /// The clock and limit of hooks.
    pub(super) watch: &'a super::rules::Watch,
    /// Nodes visited.
    pub(super) steps: u64,
}

/// The operands of a condition, in order: `and` and `or` are taken apart, everything else is one operand.
pub(super) fn operands(node: &Node) -> Vec<&Node> {
    match &node.kind {
        NodeKind::And(items) | NodeKind::Or(items) => items.iter().flat_map(operands).collect(),
        _ => vec![node],
    }
}

impl Walk<'_> {
    /// Evaluates a condition and fills in the value of each operand that was reached.
    pub(super) fn condition(&mut self, node: &Node, clauses: &mut [Clause]) -> Answer {
        let mut next = 0;
        self.operand(node, clauses, &mut next)
    }

    fn operand(&mut self, node: &Node, clauses: &mut [Clause], next: &mut usize) -> Answer {
        let (items, stop) = match &node.kind {
            NodeKind::And(items) => (items, false),
            NodeKind::Or(items) => (items, true),
            _ => {
                let value = self.truth(node)?;
                if let Some(clause) = clauses.get_mut(*next) {
                    clause.value = Some(value);
                }
                *next += 1;
                return Ok(Value::Bool(value));
            }
        };
        let mut decided = None;
        for item in items {
            if decided.is_some() {
                *next += operands(item).len();
            } else if self.operand(item, clauses, next)? == Value::Bool(stop) {
                decided = Some(stop);
            }
        }
        Ok(Value::Bool(decided.unwrap_or(!stop)))
    }

    fn truth(&mut self, node: &Node) -> Result<bool, Failure> {
        match self.value(node)? {
            Value::Bool(value) => Ok(value),
            other => {
                Err(Failure::at(node, format!("a condition must be true or false, not {}", ops::type_name(&other))))
            }
        }
    }

    /// Evaluates a node.
    pub(super) fn value(&mut self, node: &Node) -> Answer {
        self.steps += 1;
        match &node.kind {
            NodeKind::Constant(value) => Ok(value.clone()),
            NodeKind::Path(parts) => self.path(node, parts),
            NodeKind::List(items) => {
                items.iter().map(|item| self.value(item)).collect::<Result<_, _>>().map(Value::List)
            }
            NodeKind::And(items) => self.chain(items, false),
            NodeKind::Or(items) => self.chain(items, true),
            NodeKind::Coalesce(items) => self.coalesce(items),
            NodeKind::Not(inner) => self.truth(inner).map(|value| Value::Bool(!value)),
            NodeKind::Negative(inner) => {
                let value = self.value(inner)?;
                ops::negative(&value).map_err(|reason| Failure::at(node, reason))
            }
            NodeKind::Binary { op, at, sides } => self.binary(*op, *at, &sides.0, &sides.1),
            NodeKind::In { sides, negated } => {
                let (item, list) = (self.value(&sides.0)?, self.value(&sides.1)?);
                let found = ops::contains(&list, &item).map_err(|reason| Failure::at(node, reason))?;
                Ok(Value::Bool(found != *negated))
            }
            NodeKind::If { parts } => {
                let (condition, then, otherwise) = &**parts;
                if self.truth(condition)? { self.value(then) } else { self.value(otherwise) }
            }
            NodeKind::Call { module: Some(module), name, args } => self.hook(node, module, name, args),
            NodeKind::Call { module: None, name, args } => self.helper(node, name, args),
        }
    }

    fn chain(&mut self, items: &[Node], stop: bool) -> Answer {
        for item in items {
            if self.truth(item)? == stop {
                return Ok(Value::Bool(stop));
            }
        }
        Ok(Value::Bool(!stop))
    }

    fn coalesce(&mut self, items: &[Node]) -> Answer {
        let mut found = Value::Missing;
        for item in items {
            found = match &item.kind {
                NodeKind::Path(parts) => self.lenient(item, parts)?,
                _ => self.value(item)?,
            };
            if !found.is_missing() {
                break;
            }
        }
        Ok(found)
    }

    fn binary(&mut self, op: Op, at: usize, left: &Node, right: &Node) -> Answer {
        let (a, b) = (self.value(left)?, self.value(right)?);
        let view = &self.session.view;
        ops::apply(op, &a, &b, &view.calendar, view.facts.customer.time_zone).map_err(|reason| {
            let missing = [(left, &a), (right, &b)].into_iter().find(|(_, value)| value.is_missing());
            match missing.and_then(|(node, _)| path_of(node)) {
                Some(path) => {
                    let reason = format!("`{path}` is missing here; write `has({path}) and ..` or `{path} ?? ..`");
                    Failure { start: at, reason, slow: false }
                }
                None => Failure { start: at, reason, slow: false },
            }
        })
    }

    /// A path under `has` or `??`: a missing root makes it missing.
    fn lenient(&mut self, node: &Node, parts: &[Part]) -> Answer {
        let root = strip(parts).first().map_or("", |part| part.name.as_str());
        if OPTIONAL_ROOTS.contains(&root) && !self.session.has_root(root) {
            self.session.record(root, &Value::Missing);
            return Ok(Value::Missing);
        }
        self.path(node, parts)
    }

    fn path(&mut self, node: &Node, parts: &[Part]) -> Answer {
        let parts = strip(parts);
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        match self.session.names().find(&names) {
            Found::Value(place) => {
                let root = names[0];
                if matches!(place, Place::Fact(_)) && OPTIONAL_ROOTS.contains(&root) && !self.session.has_root(root) {
                    self.session.record(root, &Value::Missing);
                    if parts.get(1).is_some_and(|part| part.safe) {
                        return Ok(Value::Missing);
                    }
                    let reason =
                        format!("there is no {root} here; write `has({root}) and ..` or `{root}?.{} ?? ..`", names[1]);
                    return Err(Failure::at(node, reason));
                }
                self.session.read(place).map_err(|reason| Failure::at(node, reason))
            }
            Found::Object => {
                let reason = format!("`{}` is no value; name one of its fields", names.join("."));
                Err(Failure::at(node, reason))
            }
            Found::Nothing => Err(Failure::at(node, format!("unknown fact `{}`", names.join(".")))),
        }
    }

    fn hook(&mut self, node: &Node, module: &str, name: &str, args: &[Node]) -> Answer {
        let facts = matches!(args, [Node { kind: NodeKind::Path(parts), .. }] if matches!(&parts[..], [p] if p.name == "facts"));
        if !facts {
            return Err(Failure::at(node, format!("a hook takes exactly one argument: `{module}::{name}(facts)`")));
        }
        hooks::call(self.session, self.watch, module, name).map_err(|(reason, slow)| Failure {
            start: node.start,
            reason,
            slow,
        })
    }

    fn helper(&mut self, node: &Node, name: &str, args: &[Node]) -> Answer {
        let Some(helper) = registry::helper_named(name) else {
            return Err(Failure::at(node, format!("there is no function `{name}`")));
        };
        if helper.takes.len() != args.len() {
            return Err(Failure::at(
                node,
                format!("`{name}` takes {} arguments, {} given", helper.takes.len(), args.len()),
            ));
        }
        if name == "has" {
            return self.has(&args[0]);
        }
        let values = args.iter().map(|arg| self.value(arg)).collect::<Result<Vec<_>, _>>()?;
        help(self.session, name, &values).map_err(|reason| Failure::at(node, reason))
    }

    fn has(&mut self, arg: &Node) -> Answer {
        if let NodeKind::Path(parts) = &arg.kind {
            if let [root] = strip(parts)
                && let Found::Object = self.session.names().find(&[root.name.as_str()])
            {
                let there = self.session.has_root(&root.name);
                if OPTIONAL_ROOTS.contains(&root.name.as_str()) && !there {
                    self.session.record(&root.name, &Value::Missing);
                }
                return Ok(Value::Bool(there));
            }
            return self.lenient(arg, parts).map(|value| Value::Bool(!value.is_missing()));
        }
        self.value(arg).map(|value| Value::Bool(!value.is_missing()))
    }
}

/// A path without `facts.` in front.
fn strip(parts: &[Part]) -> &[Part] {
    match parts {
        [first, rest @ ..] if first.name == "facts" && !rest.is_empty() => rest,
        all => all,
    }
}

fn path_of(node: &Node) -> Option<String> {
    match &node.kind {
        NodeKind::Path(parts) => Some(parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join(".")),
        _ => None,
    }
}

/// Runs a helper; arguments are checked here, because hooks come without a type check.
///
/// # Errors
/// A readable reason.
pub(super) fn help(session: &Session, name: &str, values: &[Value]) -> Result<Value, String> {
    let Some(helper) = registry::helper_named(name) else { return Err(format!("there is no function `{name}`")) };
    for ((argument, takes), value) in helper.takes.iter().zip(values) {
        if !fits(*takes, value) {
            let found = ops::type_name(value);
            return Err(format!("`{name}` needs {} as `{argument}`, not {found}", takes.name()));
        }
    }
    let text = |at: usize| values[at].as_text().unwrap_or("");
    let int = |at: usize| if let Value::Int(n) = &values[at] { *n } else { 0 };
    let date = |at: usize| values[at].as_date().unwrap_or_default();
    let decimal = |at: usize| values[at].as_decimal().unwrap_or_default();
    let view = &session.view;
    Ok(match name {
        "date" => Value::Date(read_date(text(0))?),
        "days" => return ops::span(int(0), Unit::Days),
        "working_days" => return ops::span(int(0), Unit::WorkingDays),
        "months" => return ops::span(int(0), Unit::Months),
        "years" => return ops::span(int(0).saturating_mul(12), Unit::Months),
        "is_working_day" => Value::Bool(view.calendar.is_working_day(date(0))),
        "working_days_between" => Value::Int(ops::working_days_between(date(0), date(1), &view.calendar)?),
        "in_season" => Value::Bool(view.calendar.in_season(text(0), view.today)),
        "round_money" => {
            let digits = view.facts.invoice.currency.digits();
            Value::Decimal(decimal(0).round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero))
        }
        "percent" => {
            let share = decimal(0).checked_mul(decimal(1)).map(|product| product / Decimal::ONE_HUNDRED);
            Value::Decimal(share.ok_or_else(|| "the percentage does not fit a decimal".to_owned())?)
        }
        "note" => {
            let mut log = session.log();
            if log.notes.len() < MAX_NOTES {
                log.notes.push(text(0).to_owned());
            }
            Value::Missing
        }
        _ => return remembered(session, name, values),
    })
}

/// Notes kept of one evaluation.
const MAX_NOTES: usize = 20;

/// Helpers that look at the case's past: their answers are recorded like facts.
fn remembered(session: &Session, name: &str, values: &[Value]) -> Result<Value, String> {
    let text = values[0].as_text().unwrap_or("");
    let shown = values.iter().map(|value| match value {
        Value::Text(text) => format!("\"{text}\""),
        other => other.to_string(),
    });
    let path = format!("{name}({})", shown.collect::<Vec<_>>().join(", "));
    if let Some(found) = session.given(&path)? {
        session.record(&path, &found);
        return Ok(found);
    }
    let view = &session.view;
    let mark = || view.marks.find(text);
    let value = match name {
        "sent" => Value::Int(mark().map_or(0, |mark| i64::from(mark.sent))),
        "done" => Value::Bool(mark().is_some_and(|mark| mark.end == End::Done)),
        "outcome" => Value::text(mark().map_or("", |mark| mark.outcome.as_str())),
        "replied_since" => {
            let since = mark().map(|mark| mark.sent_at.unwrap_or(mark.at));
            Value::Bool(since.zip(view.marks.answered_at).is_some_and(|(since, answered)| answered > since))
        }
        "notified" => Value::Bool(view.marks.steps.values().any(|mark| mark.notice.iter().any(|kind| kind == text))),
        "unanswered" => {
            let channel = Channel::parse(text).ok_or_else(|| format!("there is no channel `{text}`"))?;
            Value::Int(view.facts.unanswered(channel))
        }
        "bucket" => Value::Int(bucket(view.facts.invoice.id.as_str(), text, &values[1])?),
        _ => return Err(format!("`{name}` cannot be called here")),
    };
    session.record(&path, &value);
    Ok(value)
}

/// A stable number below `n`: the first eight bytes of a hash over invoice and name.
fn bucket(invoice: &str, name: &str, n: &Value) -> Result<i64, String> {
    use sha2::{Digest, Sha256};
    let n = match n {
        Value::Int(n) if *n > 0 => n.unsigned_abs(),
        _ => return Err("`bucket` needs a number of at least 1".to_owned()),
    };
    let digest = Sha256::new().chain_update(invoice).chain_update([0]).chain_update(name).finalize();
    let first = digest.iter().take(8).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    i64::try_from(first % n).map_err(|_| "`bucket` does not fit a whole number".to_owned())
}

/// Reads `2026-05-04`.
///
/// # Errors
/// A readable reason.
pub(super) fn read_date(text: &str) -> Result<NaiveDate, String> {
    let wrong = || format!("\"{text}\" is no date; write \"2026-05-04\"");
    if text.len() != 10 {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
}

fn fits(takes: Takes, value: &Value) -> bool {
    match takes {
        Takes::Anything => true,
        Takes::Int => matches!(value, Value::Int(_)),
        Takes::Number => matches!(value, Value::Int(_) | Value::Decimal(_)),
        Takes::Date => matches!(value, Value::Date(_)),
        Takes::Text | Takes::DateText | Takes::Step | Takes::Season | Takes::Channel | Takes::Notice => {
            matches!(value, Value::Text(_))
        }
    }
}

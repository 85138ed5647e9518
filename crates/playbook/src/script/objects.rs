//! What hooks see: read-only objects whose properties are read from the snapshot when touched, our comparisons, dates
//! and durations, and the helpers.

use super::context::Session;
use super::eval;
use super::names::Found;
use super::ops;
use super::parse::Op;
use super::registry;
use chrono::NaiveDate;
use recobro_kernel::facts::OPTIONAL_ROOTS;
use recobro_kernel::time::{Span, Timestamp};
use recobro_kernel::value::Value;
use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, NativeCallContext, Position};
use rust_decimal::Decimal;
use std::sync::Arc;

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// `facts`, `facts.invoice`, and so on.
#[derive(Clone)]
pub(super) struct Object {
    session: Arc<Session>,
    /// Path without `facts.`; empty for `facts` itself.
    path: String,
}

impl Object {
    /// `facts` itself.
    pub(super) fn facts(session: Arc<Session>) -> Self {
        Self { session, path: String::new() }
    }

    fn get(&mut self, name: &str) -> Fallible<Dynamic> {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        let parts: Vec<&str> = path.split('.').collect();
        match self.session.names().find(&parts) {
            Found::Value(place) => self.session.read(place).map(to_dynamic).map_err(failed),
            Found::Object if OPTIONAL_ROOTS.contains(&path.as_str()) && !self.session.has_root(&path) => {
                self.session.given(&path).map_err(failed)?;
                self.session.record(&path, &Value::Missing);
                Ok(Dynamic::UNIT)
            }
            Found::Object => Ok(Dynamic::from(Self { session: Arc::clone(&self.session), path })),
            // A test gives tables and variables by name; there is no playbook to declare them.
            Found::Nothing if self.session.gives_below(&path) => {
                Ok(Dynamic::from(Self { session: Arc::clone(&self.session), path }))
            }
            Found::Nothing => match self.session.given.as_ref().and_then(|given| given.get(&path)) {
                Some(value) => Ok(to_dynamic(value.clone())),
                None => Err(failed(format!("unknown fact `{path}`"))),
            },
        }
    }
}

#[expect(clippy::unnecessary_box_returns, reason = "every function of rhai fails with a boxed error")]
fn failed(reason: String) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(reason.into(), Position::NONE).into()
}

/// A value as rhai holds it.
pub(super) fn to_dynamic(value: Value) -> Dynamic {
    match value {
        Value::Missing => Dynamic::UNIT,
        Value::Bool(b) => b.into(),
        Value::Int(n) => n.into(),
        Value::Decimal(d) => d.into(),
        Value::Text(text) => text.into(),
        Value::Date(date) => Dynamic::from(date),
        Value::Instant(at) => Dynamic::from(at),
        Value::Span(span) => Dynamic::from(span),
        Value::List(items) => items.into_iter().map(to_dynamic).collect::<rhai::Array>().into(),
    }
}

/// A value of rhai as ours; nothing for maps, objects and other things that no playbook can hold.
pub(super) fn from_dynamic(value: &Dynamic) -> Option<Value> {
    if value.is_unit() {
        return Some(Value::Missing);
    }
    if let Ok(b) = value.as_bool() {
        return Some(Value::Bool(b));
    }
    if let Ok(n) = value.as_int() {
        return Some(Value::Int(n));
    }
    if let Some(decimal) = value.read_lock::<Decimal>() {
        return Some(Value::Decimal(*decimal));
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Some(Value::text(text.as_str()));
    }
    if let Some(date) = value.read_lock::<NaiveDate>() {
        return Some(Value::Date(*date));
    }
    if let Some(span) = value.read_lock::<Span>() {
        return Some(Value::Span(*span));
    }
    if let Some(at) = value.read_lock::<Timestamp>() {
        return Some(Value::Instant(*at));
    }
    let items = value.read_lock::<rhai::Array>()?;
    items.iter().map(from_dynamic).collect::<Option<_>>().map(Value::List)
}

/// Registers everything hooks can name.
pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Object>("facts");
    engine.register_type_with_name::<NaiveDate>("date");
    engine.register_type_with_name::<Span>("duration");
    engine.register_type_with_name::<Timestamp>("instant");
    engine.register_indexer_get(|object: &mut Object, name: ImmutableString| object.get(&name));
    comparisons(engine);
    time_arithmetic(engine);
    shown(engine);
    helpers(engine);
    engine.register_fn("round", |_: Dynamic| -> Fallible<Dynamic> { Err(failed(ROUND.to_owned())) });
    engine.register_fn("round", |_: Decimal| -> Fallible<Dynamic> { Err(failed(ROUND.to_owned())) });
    engine.register_fn("round", |_: Decimal, _: i64| -> Fallible<Dynamic> { Err(failed(ROUND.to_owned())) });
}

/// Why `round` is refused.
pub(super) const ROUND: &str = "`round` rounds half to even; use `round_money(x)`, which rounds half away from zero";

fn comparisons(engine: &mut Engine) {
    for op in Op::ALL.into_iter().filter(|op| op.compares()) {
        engine.register_fn(op.sign(), move |a: Dynamic, b: Dynamic| compare(op, &a, &b));
    }
}

fn compare(op: Op, a: &Dynamic, b: &Dynamic) -> Fallible<bool> {
    if a.is_unit() || b.is_unit() {
        match op {
            Op::Equal => return Ok(a.is_unit() && b.is_unit()),
            Op::NotEqual => return Ok(a.is_unit() != b.is_unit()),
            _ => {}
        }
    }
    if let (Some(a), Some(b)) = (a.read_lock::<char>(), b.read_lock::<char>()) {
        return ops::compare(op, &Value::text(a.to_string()), &Value::text(b.to_string())).map_err(failed);
    }
    match (from_dynamic(a), from_dynamic(b)) {
        (Some(a), Some(b)) => ops::compare(op, &a, &b).map_err(failed),
        _ => Err(failed(format!("only plain values can be compared by `{}`, not objects or maps", op.sign()))),
    }
}

fn session<'a>(context: &'a NativeCallContext<'_>) -> Fallible<impl std::ops::Deref<Target = Arc<Session>> + 'a> {
    let tag = context.tag().and_then(Dynamic::read_lock::<Arc<Session>>);
    tag.ok_or_else(|| failed("this function needs the facts of a case".to_owned()))
}

fn calculate(context: &NativeCallContext<'_>, op: Op, a: &Value, b: &Value) -> Fallible<Dynamic> {
    let session = session(context)?;
    let view = &session.view;
    ops::apply(op, a, b, &view.calendar, view.facts.customer.time_zone).map(to_dynamic).map_err(failed)
}

fn time_arithmetic(engine: &mut Engine) {
    engine.register_fn("+", |context: NativeCallContext<'_>, a: NaiveDate, b: Span| {
        calculate(&context, Op::Add, &Value::Date(a), &Value::Span(b))
    });
    engine.register_fn("+", |context: NativeCallContext<'_>, a: Span, b: NaiveDate| {
        calculate(&context, Op::Add, &Value::Span(a), &Value::Date(b))
    });
    engine.register_fn("-", |context: NativeCallContext<'_>, a: NaiveDate, b: Span| {
        calculate(&context, Op::Subtract, &Value::Date(a), &Value::Span(b))
    });
    engine.register_fn("-", |context: NativeCallContext<'_>, a: NaiveDate, b: NaiveDate| {
        calculate(&context, Op::Subtract, &Value::Date(a), &Value::Date(b))
    });
    engine.register_fn("+", |context: NativeCallContext<'_>, a: Timestamp, b: Span| {
        calculate(&context, Op::Add, &Value::Instant(a), &Value::Span(b))
    });
    engine.register_fn("+", |context: NativeCallContext<'_>, a: Span, b: Timestamp| {
        calculate(&context, Op::Add, &Value::Span(a), &Value::Instant(b))
    });
    engine.register_fn("-", |context: NativeCallContext<'_>, a: Timestamp, b: Span| {
        calculate(&context, Op::Subtract, &Value::Instant(a), &Value::Span(b))
    });
}

/// Dates, durations and instants can be put into the text of a note.
fn shown(engine: &mut Engine) {
    engine.register_fn("to_string", |date: &mut NaiveDate| date.to_string());
    engine.register_fn("to_string", |span: &mut Span| span.to_string());
    engine.register_fn("to_string", |at: &mut Timestamp| at.to_string());
    engine.register_fn("+", |text: ImmutableString, date: NaiveDate| format!("{text}{date}"));
    engine.register_fn("+", |text: ImmutableString, span: Span| format!("{text}{span}"));
}

fn helpers(engine: &mut Engine) {
    for helper in registry::HELPERS {
        let name = helper.name;
        match helper.takes.len() {
            1 if name == "has" => {
                engine.register_fn(name, |value: Dynamic| !value.is_unit());
            }
            1 => {
                engine.register_fn(name, move |context: NativeCallContext<'_>, a: Dynamic| help(&context, name, &[a]));
            }
            _ => {
                engine.register_fn(name, move |context: NativeCallContext<'_>, a: Dynamic, b: Dynamic| {
                    help(&context, name, &[a, b])
                });
            }
        }
    }
}

fn help(context: &NativeCallContext<'_>, name: &str, args: &[Dynamic]) -> Fallible<Dynamic> {
    let values: Option<Vec<Value>> = args.iter().map(from_dynamic).collect();
    let values = values.ok_or_else(|| failed(format!("`{name}` cannot take this value")))?;
    let session = session(context)?;
    eval::help(&session, name, &values).map(to_dynamic).map_err(failed)
}

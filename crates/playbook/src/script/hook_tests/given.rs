//! The facts that a hook test gives, and a view that holds nothing else.

use super::{Refused, refused, type_of};
use crate::script::eval::read_date;
use crate::script::names::is_root;
use crate::yaml::{Kind, Node};
use recobro_kernel::calendar::Calendar;
use recobro_kernel::event::Event;
use recobro_kernel::expr::{Run, View};
use recobro_kernel::facts::{CustomerFacts, Facts, InvoiceFacts, Registry};
use recobro_kernel::ids::{CustomerId, EventId, InvoiceId};
use recobro_kernel::money::Currency;
use recobro_kernel::time::Timestamp;
use recobro_kernel::value::{Type, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Facts by path; a missing one is given as missing.
#[derive(Clone)]
pub(super) struct Given {
    /// The facts.
    pub(super) facts: BTreeMap<String, Value>,
    /// What may be given, with its type.
    known: Arc<Registry>,
}

impl Given {
    /// Nothing yet.
    pub(super) fn of(known: &Arc<Registry>) -> Self {
        Self { facts: BTreeMap::new(), known: Arc::clone(known) }
    }

    /// Takes over a node under a path; later ones replace earlier ones.
    pub(super) fn add(&mut self, path: &str, node: &Node, event: Option<&str>) -> Result<(), Refused> {
        if let Kind::Map(entries) = &node.kind {
            for (key, value) in entries {
                let key = key.text().unwrap_or_default();
                let inner = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                self.add(&inner, value, event)?;
            }
            return Ok(());
        }
        let root = path.split('.').next().unwrap_or_default();
        let value = match type_of(&self.known, path, event) {
            _ if node.is_empty() => Value::Missing,
            Some(of) => value(node, &of).map_err(|found| {
                let wanted =
                    if let Type::Enum(names) = &of { format!("one of {}", names.join(", ")) } else { of.to_string() };
                refused(node, format!("`{path}` is {wanted}, not `{found}`"))
            })?,
            None if is_root(root) || root == "event" => return Err(refused(node, format!("unknown fact `{path}`"))),
            None => guess(node),
        };
        self.facts.insert(path.to_owned(), value);
        Ok(())
    }

    /// A view with the given day; its other facts are never read.
    pub(super) fn view(&self, event: Option<&'static str>) -> Result<View, String> {
        let today = self.facts.get("today").and_then(Value::as_date).unwrap_or_default();
        let zone = chrono_tz::Tz::UTC;
        let now = match self.facts.get("now") {
            Some(Value::Instant(at)) => *at,
            _ => Timestamp::start_of(today, zone),
        };
        let currency = match self.facts.get("invoice.currency").and_then(Value::as_text) {
            Some(code) => code.parse().map_err(|error: recobro_kernel::money::UnknownCurrency| error.to_string())?,
            None => Currency::EUR,
        };
        let event = event.map(|name| {
            Arc::new(Event {
                id: EventId::derive(&["hook test"]),
                name: name.to_owned(),
                at: now,
                actor: "test".to_owned(),
                fields: BTreeMap::new(),
            })
        });
        let empty: Arc<str> = Arc::from("");
        Ok(View {
            facts: Arc::new(blank(currency, today)),
            event,
            run: Run {
                playbook: Arc::clone(&empty),
                version: 1,
                stage: Arc::clone(&empty),
                step: empty,
                clock_day: 0,
                held_days: 0,
                skipped_days: 0,
                generation: 1,
            },
            vars: Arc::default(),
            marks: Arc::default(),
            now,
            today,
            calendar: Arc::new(Calendar::weekdays()),
            law: Arc::default(),
        })
    }
}

fn blank(currency: Currency, today: chrono::NaiveDate) -> Facts {
    Facts {
        invoice: InvoiceFacts {
            id: InvoiceId::from("test"),
            number: String::new(),
            product: String::new(),
            currency,
            issued: today,
            due: today,
            amount_minor: 0,
            balance_minor: 0,
            charges_minor: 0,
            disputed_minor: 0,
            retained_minor: 0,
            not_due_minor: 0,
            last_payment_on: None,
            reference: String::new(),
            closed: false,
            x: std::collections::BTreeMap::new(),
        },
        customer: CustomerFacts {
            id: CustomerId::from("test"),
            kind: String::new(),
            segment: String::new(),
            country: String::new(),
            subdivision: None,
            locale: String::new(),
            time_zone: chrono_tz::Tz::UTC,
            risk: String::new(),
            risk_score: 0,
            account_manager: None,
            vulnerable: false,
            has_open_plan: false,
            late_payments_12m: 0,
            broken_promises: 0,
            kept_promises: 0,
            matured_minor: BTreeMap::new(),
            late_reason: None,
            open_invoices: 0,
            total_minor: BTreeMap::new(),
            last_reply_on: None,
            tags: Vec::new(),
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
        today,
    }
}

/// A node as a value of a type.
///
/// # Errors
/// The text that does not fit.
pub(super) fn value(node: &Node, of: &Type) -> Result<Value, String> {
    if let (Kind::List(items), Type::List(inner)) = (&node.kind, of) {
        return items.iter().map(|item| value(item, inner)).collect::<Result<_, _>>().map(Value::List);
    }
    let text = node.text().ok_or_else(|| node.shape().to_owned())?;
    let found = match of {
        Type::Bool => text.parse().ok().map(Value::Bool),
        Type::Int => text.parse().ok().map(Value::Int),
        Type::Decimal => text.parse().ok().map(Value::Decimal),
        Type::Text => Some(Value::text(text)),
        Type::Enum(names) => names.iter().any(|name| name == text).then(|| Value::text(text)),
        Type::Date => read_date(text).ok().map(Value::Date),
        Type::Instant => text.parse().ok().map(Value::Instant),
        Type::Span => text.parse().ok().map(Value::Span),
        Type::List(_) => None,
    };
    found.ok_or_else(|| text.to_owned())
}

/// A value of no registered type: variables, outputs of tables, figures of the law, answers of helpers.
fn guess(node: &Node) -> Value {
    if let Kind::List(items) = &node.kind {
        return Value::List(items.iter().map(guess).collect());
    }
    let order = [Type::Bool, Type::Int, Type::Decimal, Type::Date, Type::Span];
    let plain = (!node.is_quoted()).then(|| order.iter().find_map(|of| value(node, of).ok())).flatten();
    plain.unwrap_or_else(|| Value::text(node.text().unwrap_or_default()))
}

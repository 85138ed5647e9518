//! News that reaches a case: the closed catalogue of events with their fields, and the event itself.

use crate::ids::EventId;
use crate::time::Timestamp;
use crate::value::{Type, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whom an event concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The case of one invoice.
    Invoice,
    /// Every open case of the customer.
    Customer,
    /// The cases of the invoices that a promise or plan covers.
    Covered,
    /// Inside the product: outcomes of effects and operators' acts; no handler may name it.
    Internal,
}

/// One line of the catalogue.
#[derive(Debug)]
pub struct EventKind {
    /// Name as playbooks write it.
    pub name: &'static str,
    /// Whom it concerns.
    pub scope: Scope,
    /// Fields below `event.`; a name ending in `?` may be missing.
    pub fields: &'static [(&'static str, FieldType)],
}

/// Types of event fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// A decimal amount in the invoice's currency.
    Amount,
    /// A civil date.
    Date,
    /// Text.
    Text,
    /// A closed list of texts.
    OneOf(&'static [&'static str]),
    /// A list of texts.
    Texts,
}

impl FieldType {
    /// As the checker's type.
    #[must_use]
    pub fn to_type(self) -> Type {
        match self {
            Self::Amount => Type::Decimal,
            Self::Date => Type::Date,
            Self::Text => Type::Text,
            Self::OneOf(names) => Type::Enum(names.iter().map(|n| (*n).to_owned()).collect()),
            Self::Texts => Type::List(Box::new(Type::Text)),
        }
    }
}

use FieldType::{Amount, Date, OneOf, Text, Texts};
use Scope::{Covered, Customer, Internal, Invoice};

/// A plan may cover several cases: one of them leads, and writes to the customer for all.
const YES_NO: &[&str] = &["yes", "no"];
const DISPUTE_ENDS: &[&str] = &["accepted", "rejected", "withdrawn"];

macro_rules! events {
    ($($name:literal $scope:ident {$($field:literal: $of:expr),*};)*) => {
        /// Every event, ordered by name.
        pub const EVENTS: &[EventKind] = &[$(EventKind {
            name: $name, scope: $scope, fields: &[$(($field, $of)),*],
        }),*];
    };
}

events! {
    "attorney.named" Customer {"name?": Text, "email?": Text, "address?": Text};
    "card.failed" Invoice {"amount?": Amount, "on?": Date, "reason?": Text};
    "channel.opted_out" Customer {"channel": Text, "channels?": Texts};
    "claimable.positive" Invoice {};
    "claimable.zero" Invoice {};
    "contact.cease_requested" Customer {};
    "contact.delivered" Invoice {"step": Text, "channel": Text, "proof?": Text, "on": Date};
    "contact.failed" Invoice {"step": Text, "channels": Texts};
    "contact.unanswered" Invoice {"step": Text, "channel": Text};
    "customer.changed" Customer {"field": Text, "from": Text, "to": Text};
    "customer.deceased" Customer {"on?": Date};
    "customer.insolvent" Customer {"court?": Text, "claim_deadline?": Date};
    "deadline.missed" Invoice {"rule": Text, "what": Text, "since": Date, "until": Date};
    "deadline.near" Invoice {"rule": Text, "what": Text, "since": Date, "until": Date};
    "dispute.closed" Invoice {"outcome": OneOf(DISPUTE_ENDS), "amount?": Amount, "reason?": Text};
    "dispute.opened" Invoice {"reason": Text, "amount": Amount};
    "dispute.overdue" Invoice {"reason": Text, "owner?": Text};
    "exception.begun" Internal {"exception": Text, "rule": Text, "until": Date, "asked_by": Text, "approved_by": Text};
    "hardship.reported" Customer {"kind?": Text};
    "hold.placed" Invoice {"hold": Text, "reason": Text, "until": Date, "owner?": Text};
    "hold.released" Invoice {"hold": Text, "reason?": Text};
    "incentive.expired" Invoice {};
    "incentive.taken" Invoice {"amount?": Amount};
    "invoice.changed" Invoice {"field": Text};
    "invoice.closed" Invoice {"by": OneOf(&["credit", "cancelled", "written_off"])};
    "invoice.due_changed" Invoice {"from": Date, "to": Date};
    "invoice.paid" Invoice {"amount": Amount, "on": Date};
    "invoice.reopened" Invoice {"by": Text};
    "law.changed" Internal {"changed": Text};
    "meeting.accepted" Invoice {"date": Date};
    "operator.cancel" Internal {"why": Text, "who": Text};
    "operator.goto" Internal {"why": Text, "who": Text, "stage": Text};
    "operator.migrate" Internal {"why": Text, "who": Text};
    "operator.pause" Internal {"why": Text, "who": Text};
    "operator.resume" Internal {"why": Text, "who": Text};
    "operator.retry" Internal {"why": Text, "who": Text};
    "operator.skip" Internal {"why": Text, "who": Text};
    "outcome.accepted" Internal {"effect": Text, "ref?": Text, "channel": Text};
    "outcome.bounced" Internal {"effect": Text, "reason": Text};
    "outcome.failed" Internal {"effect": Text, "reason": Text};
    "outcome.refused" Internal {"effect": Text, "reason": Text};
    "outcome.returned" Internal {"effect": Text, "rule": Text, "not_before?": Text};
    "outcome.unknown" Internal {"effect": Text, "reason": Text};
    "payment.claimed" Invoice {"amount?": Amount, "on?": Date};
    "payment.received" Invoice {"amount": Amount, "on": Date};
    "payment.returned" Invoice {"amount": Amount, "on": Date, "reason?": Text};
    "placement.accepted" Invoice {"agency": Text, "reason?": Text};
    "placement.closed" Invoice {"agency": Text, "reason?": Text};
    "placement.returned" Invoice {"agency": Text, "reason?": Text};
    "plan.accepted" Covered {"plan": Text, "lead": OneOf(YES_NO), "due?": Date, "amount?": Amount};
    "plan.cancelled" Covered {"plan": Text, "lead": OneOf(YES_NO), "reason?": Text};
    "plan.completed" Covered {"plan": Text, "lead": OneOf(YES_NO), "due?": Date, "amount?": Amount};
    "plan.declined" Covered {"plan": Text, "lead": OneOf(YES_NO), "due?": Date};
    "plan.defaulted" Covered {"plan": Text, "lead": OneOf(YES_NO), "due?": Date, "amount?": Amount};
    "plan.expired" Covered {"plan": Text, "lead": OneOf(YES_NO), "due?": Date};
    "plan.instalment_due" Covered {"plan": Text, "lead": OneOf(YES_NO), "due": Date, "amount": Amount};
    "plan.instalment_missed" Covered {"plan": Text, "lead": OneOf(YES_NO), "due": Date, "amount?": Amount};
    "plan.offered" Covered {"plan": Text, "lead": OneOf(YES_NO), "valid_until?": Date};
    "promise.broken" Covered {"date": Date, "amount": Amount, "method?": Text, "by?": Text, "invoices?": Texts, "paid": Amount};
    "promise.cancelled" Covered {"date": Date, "amount": Amount, "method?": Text, "by?": Text, "invoices?": Texts};
    "promise.kept" Covered {"date": Date, "amount": Amount, "method?": Text, "by?": Text, "invoices?": Texts, "paid?": Amount};
    "promise.made" Covered {"date": Date, "amount": Amount, "method?": Text, "by?": Text, "invoices?": Texts, "limit?": Date};
    "reply.received" Customer {"channel": Text, "kind": OneOf(&["text", "auto", "opt_out", "paid_claim"])};
    "request.done" Invoice {"action": Text, "reason?": Text};
    "request.failed" Invoice {"action": Text, "reason?": Text};
    "task.done" Invoice {"task": Text, "outcome": Text, "with?": Text, "by?": Text, "date?": Date, "amount?": Amount, "reason?": Text, "at?": Text};
    "task.timed_out" Invoice {"task": Text};
}

/// The catalogue's line for a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static EventKind> {
    EVENTS.binary_search_by(|kind| kind.name.cmp(name)).ok().map(|i| &EVENTS[i])
}

/// One item of news for one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Derived from its source and key; equal ids are one event.
    pub id: EventId,
    /// A name of [`EVENTS`].
    pub name: String,
    /// When it happened, at or before the turn's now.
    pub at: Timestamp,
    /// Who brought it: `source:csv`, `person:ana`, `worker`.
    pub actor: String,
    /// Fields, without the `?`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Value>,
}

impl Event {
    /// A field, [`Value::Missing`] if it is not there.
    #[must_use]
    pub fn field(&self, name: &str) -> &Value {
        self.fields.get(name).unwrap_or(&Value::Missing)
    }

    /// A text field, empty if it is not there.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.field(name).as_text().unwrap_or("")
    }

    /// An answer is a reply that is no auto-reply, a promise, a dispute, a plan request, any payment, a talk.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        match self.name.as_str() {
            "reply.received" => self.text("kind") != "auto",
            "task.done" => crate::step::is_talk(self.text("outcome")),
            name => matches!(
                name,
                "promise.made"
                    | "dispute.opened"
                    | "plan.accepted"
                    | "plan.declined"
                    | "payment.received"
                    | "payment.claimed"
                    | "invoice.paid"
                    | "hardship.reported"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_sorted_so_that_find_works() {
        assert!(EVENTS.is_sorted_by(|a, b| a.name < b.name));
        assert_eq!(find("promise.broken").unwrap().scope, Scope::Covered);
        assert!(find("promise.boken").is_none());
    }
}

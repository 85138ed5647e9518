//! Outward acts that a turn orders. They live in the outbox until they are settled.

use crate::facts::{Channel, Class};
use crate::ids::{CaseId, CustomerId, EffectId, GroupId, Hash, InvoiceId};
use crate::time::Timestamp;
use crate::value::Value;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the effect does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectKind {
    /// A message to the debtor (`send`, `offer_plan`).
    Contact,
    /// A hand-over to the legal desk or an agency (`escalate`, `outsource`).
    Placement,
    /// A named action of a connector (`request`), and the recall of a placement.
    Request,
    /// A message to staff (`notify`, `remind`).
    Notify,
}

/// An outward act, ordered by a turn, settled by exactly one outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// Derived from case, generation, position, occurrence and channel; also the idempotency key.
    pub id: EffectId,
    /// The case that ordered it.
    pub case: CaseId,
    /// Its invoice.
    pub invoice: InvoiceId,
    /// Its customer.
    pub customer: CustomerId,
    /// What it does.
    pub kind: EffectKind,
    /// The lane it leaves by: `email`, `sms`, `letter`, `whatsapp`, `voice`, `agency`, `legal`, `request`, `staff`.
    pub lane: String,
    /// Channel, for contacts.
    pub channel: Option<Channel>,
    /// Class, for contacts; placements and adverse requests count as dunning.
    pub class: Class,
    /// Step that ordered it: `overdue-first`, or `whenever/promise.broken/promise-broken`.
    pub step: String,
    /// Stage, empty in a handler.
    pub stage: String,
    /// Template of a contact, name of an agency, action of a request, text of a notice.
    pub subject: String,
    /// Language of the template file.
    pub locale: String,
    /// Contact point frozen at the order; nothing where the customer counts as reachable.
    pub to: Option<String>,
    /// Role asked for.
    pub role: String,
    /// Sender's role or name.
    pub from: String,
    /// Values for the template or the connector.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, Value>,
    /// The message offers a payment plan, with its limits in `with`: the ledger notes the offer when it left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offers_plan: bool,
    /// It leaves together with what else is due to the same address (`bundle: customer`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bundled: bool,
    /// Attachments by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attach: Vec<String>,
    /// Contacts of one handler run share it.
    pub group: GroupId,
    /// When it was ordered (logical time).
    pub ordered_at: Timestamp,
    /// Restoring requests and exempt classes pass the claimable and hold checks.
    pub exempt: bool,
    /// Tries and pauses of transient failures.
    pub retry: Retry,
    /// Template or request text by hash.
    pub content: Hash,
    /// The key it leaves by, where it shares one with what sibling cases say of the same news; else its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<EffectId>,
}

/// How often and how soon a transient failure is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Tries in all, first included.
    pub times: u32,
    /// Pause after the first failure, seconds.
    pub first_s: i64,
    /// Each pause is this many times the one before.
    pub factor: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self { times: 4, first_s: 600, factor: 3 }
    }
}

/// Work that a turn opened for a person: a row, not an effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTask {
    /// Derived id.
    pub id: crate::ids::TaskId,
    /// `call`, `task`, `approve`, or `fix` for work the engine opens itself.
    pub kind: String,
    /// What is to be done: the step's value.
    pub subject: String,
    /// Role or person.
    pub assignee: String,
    /// Answer expected by this instant.
    pub limit_at: Option<Timestamp>,
    /// Answers that the task accepts.
    pub outcomes: Vec<String>,
    /// Hash of what the person is shown; an approval names it (`--seen`).
    pub seen: Hash,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Step that opened it.
    pub step: String,
    /// Persons who must all answer, for `by: [a, b]`.
    pub by: Vec<String>,
}

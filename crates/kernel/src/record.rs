//! What a turn decided: the append-only history of a case. One row a turn, its records inside, hashed as stored.
//!
//! Bodies hold ids, amounts, dates, codes and the facts read; names, addresses and message texts never.

use crate::case::{Approval, End, Hold, InFlight, PendingContact, Watch, Work};
use crate::event::Event;
use crate::expr::{Clause, TableUse};
use crate::facts::Channel;
use crate::ids::{CaseId, CustomerId, EffectId, EventId, Hash, InvoiceId, TaskId};
use crate::playbook::{Hashes, Outcome};
use crate::time::Timestamp;
use crate::value::Value;
use chrono::NaiveDate;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Facts that were really touched, in order, as `{path: value}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads(pub Vec<(String, serde_json::Value)>);

impl Reads {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Reads {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (path, value) in &self.0 {
            map.serialize_entry(path, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Reads {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Reads;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of facts")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Reads, A::Error> {
                let mut reads = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    reads.push(entry);
                }
                Ok(Reads(reads))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Where in the playbook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Stage, empty in a handler.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stage: String,
    /// Step path.
    pub step: String,
    /// Line of the file.
    pub line: u32,
    /// Index into the playbook's steps.
    pub position: usize,
}

/// An expression that was evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Where.
    #[serde(rename = "where")]
    pub place: Place,
    /// `when`, `stage_when`, `choose`, `with.tone`, `assign`, `until`, `handler_when`, `set.NAME`, ...
    pub field: String,
    /// The expression.
    pub expr: String,
    /// Its result.
    pub result: serde_json::Value,
    /// Facts touched, in order.
    #[serde(default)]
    pub read: Reads,
    /// Operands of a condition with their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clauses: Vec<Clause>,
    /// Tables consulted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<TableUse>,
    /// Notes of hooks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Operations spent.
    pub ops: u64,
}

/// A limit that moved a start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// `min_gap`, `cap 2 per week`, `hours`, `not_during winter-truce`, a policy's rule.
    pub rule: String,
    /// To when.
    pub until: Timestamp,
}

impl Moved {
    /// The rule that a wait is named after: the one without which it would be over soonest.
    ///
    /// Limits stand in the order in which they moved a start from `from`. Gaps and caps name a day; hours then move it to
    /// the next opening, so that the last one alone is mostly the hour of a day that another rule chose. Hours decide
    /// where they moved it further than what came before them, as over a weekend.
    #[must_use]
    pub fn decisive(moved: &[Self], from: Timestamp) -> Option<&Self> {
        let last = moved.last()?;
        let Some(day) = moved.iter().rfind(|limit| !limit.rule.starts_with("hours")) else { return Some(last) };
        let by_hours = last.until.as_us().saturating_sub(day.until.as_us());
        let before = day.until.as_us().saturating_sub(from.as_us());
        Some(if by_hours > before { last } else { day })
    }
}

/// The rule that lets a late entry wait for the day drawn for its customer.
pub const BACKLOG_SPREAD: &str = "backlog.spread";

/// What picked a playbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picked {
    /// `segments.yaml row 2`, or `applies_to, priority 20`.
    pub by: String,
    /// The facts that were asked.
    #[serde(default, skip_serializing_if = "Reads::is_empty")]
    pub read: Reads,
    /// The row's note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Picked {
    /// `segments.yaml row 2: customer.kind = business`.
    #[must_use]
    pub fn sentence(&self) -> String {
        let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let read: Vec<String> = self.read.0.iter().map(|(path, value)| format!("{path} = {}", text(value))).collect();
        let read = if read.is_empty() { String::new() } else { format!(": {}", read.join(", ")) };
        let note = self.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        format!("{}{read}{note}", self.by)
    }
}

/// One record. Kinds are closed: adding one is an entry in `crates/DECISIONS.md`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// The case began.
    Entered {
        /// Case.
        case: CaseId,
        /// Invoice.
        invoice: InvoiceId,
        /// Customer.
        customer: CustomerId,
        /// Playbook.
        playbook: String,
        /// Version.
        version: u32,
        /// Logic.
        bundle: Hash,
        /// Templates.
        content: Hash,
        /// Due date.
        anchor: NaiveDate,
        /// Clock set by backlog or hand-over.
        skipped_days: i64,
        /// First position.
        position: usize,
        /// Defaults taken for missing facts.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        defaults: Vec<String>,
        /// The case it continues, with what it takes over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        continues: Option<Box<Inheritance>>,
        /// Why this playbook; nothing where a hand-over or the case before said it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chosen: Option<Picked>,
    },
    /// News arrived.
    Event {
        /// The event, its values included.
        event: Event,
        /// An answer of the customer.
        #[serde(default)]
        answer: bool,
    },
    /// A handler took it.
    Handler {
        /// Event.
        event: EventId,
        /// Line of the handler, 0 for the built-in ones.
        line: u32,
        /// `resume`, `goto final-notice`, `finish paid`, ...
        then: String,
    },
    /// An expression was evaluated.
    Decision(Decision),
    /// A variable changed.
    Assigned {
        /// Variable.
        name: String,
        /// New value.
        value: Value,
    },
    /// A step was left out.
    Skipped {
        /// Where.
        #[serde(rename = "where")]
        place: Place,
        /// `when`, `cap`, `past`, `operator`, ...
        reason: String,
    },
    /// A late step gave way to a later one.
    Superseded {
        /// Where.
        #[serde(rename = "where")]
        place: Place,
        /// Path of the step that is decided instead.
        by: String,
    },
    /// A step that was ready must wait.
    Deferred {
        /// Where.
        #[serde(rename = "where")]
        place: Place,
        /// To when.
        until: Timestamp,
        /// Every limit that moved it, in order; [`Moved::decisive`] names the wait.
        moved: Vec<Moved>,
        /// True where a watch, not the cursor, waits.
        #[serde(default)]
        beside: bool,
    },
    /// An effect was ordered.
    Ordered {
        /// Where.
        #[serde(rename = "where")]
        place: Place,
        /// Effect and idempotency key.
        effect: EffectId,
        /// Template, agency or action.
        subject: String,
        /// Channel or lane.
        lane: String,
        /// Occurrence in the key.
        occurrence: u32,
        /// Contact point.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// What the case remembers while it is out.
        state: InFlight,
        /// Hash of the content.
        content: Hash,
        /// Claimable at the order, minor units.
        claimable_minor: i64,
    },
    /// The dispatch check sent it back.
    Returned {
        /// Effect.
        effect: EffectId,
        /// Rule.
        rule: String,
        /// Earliest next start, nothing for `forbid`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<Timestamp>,
    },
    /// It left.
    Sent {
        /// Where.
        #[serde(rename = "where")]
        place: Place,
        /// Effect.
        effect: EffectId,
        /// Channel or lane.
        lane: String,
        /// The provider's reference.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reference: String,
        /// The effect whose message took it along.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        bundle: String,
        /// Kinds of notice it gave.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notice: Vec<String>,
    },
    /// It was taken back before it left.
    Recalled {
        /// Effect.
        effect: EffectId,
        /// Why.
        reason: String,
    },
    /// What became of it: `refused`, `failed`, `unknown`, `bounced`, `delivered`.
    Delivery {
        /// Effect.
        effect: EffectId,
        /// What.
        state: String,
        /// Reason or proof.
        reason: String,
    },
    /// Work for a person was opened.
    WorkOpened {
        /// Where.
        #[serde(rename = "where")]
        place: Place,
        /// The work.
        work: Work,
        /// True where the cursor waits for it.
        blocks: bool,
    },
    /// Work ended.
    WorkClosed {
        /// Task.
        task: TaskId,
        /// Outcome, `timed_out`, or why it was closed.
        outcome: String,
        /// By whom.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        by: String,
    },
    /// One of several persons answered, or a limit passed and was extended.
    WorkMoved {
        /// The work as it is now.
        work: Work,
        /// Why.
        reason: String,
    },
    /// A hold began.
    HoldOpened {
        /// The hold.
        hold: Hold,
    },
    /// A hold ended.
    HoldClosed {
        /// Name.
        name: String,
        /// `dispute.closed`, `until`, `limit`, `restart`, ...
        reason: String,
        /// Local dates it held, only where it was the last one open.
        held_days: i64,
    },
    /// A hold's limit was extended (`remind`).
    HoldMoved {
        /// The hold as it is now.
        hold: Hold,
    },
    /// An approval was given.
    Approved {
        /// The approval.
        approval: Approval,
    },
    /// Something waits beside the cursor from now on.
    WatchOpened {
        /// Where.
        #[serde(rename = "where")]
        place: Place,
        /// What.
        watch: Watch,
    },
    /// It no longer waits.
    WatchClosed {
        /// Index in the list at that time.
        index: usize,
        /// `due`, `answered`, `sent`, `finished`, ...
        reason: String,
    },
    /// A waiting contact changed: ordered, sent back, next channel.
    WatchMoved {
        /// Index in the list.
        index: usize,
        /// What it is now.
        contact: PendingContact,
    },
    /// The cursor's step began to wait.
    Waiting {
        /// Where.
        #[serde(rename = "where")]
        place: Place,
        /// `acting`, `settling` or `ready`.
        phase: crate::case::Phase,
        /// Limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit_at: Option<Timestamp>,
        /// Held dates move the limit along.
        #[serde(default)]
        stretches: bool,
    },
    /// The cursor's step goes back to pending: next channel, next try, next round.
    Again {
        /// Where.
        #[serde(rename = "where")]
        place: Place,
        /// Channel index.
        channel: usize,
        /// Rounds done.
        round: u32,
        /// Not before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<Timestamp>,
        /// Why.
        reason: String,
    },
    /// A step ended and the cursor moved on.
    Ended {
        /// Where.
        #[serde(rename = "where")]
        place: Place,
        /// How.
        end: End,
        /// Outcome of its work, if any.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        outcome: String,
        /// Position the cursor moves to.
        next: usize,
        /// Days that `roll: shift` adds in this stage from now on.
        #[serde(default)]
        rolled_days: i64,
    },
    /// The cursor jumped, or the clock moved.
    Jump {
        /// From.
        #[serde(rename = "where")]
        place: Place,
        /// To this position.
        to: usize,
        /// Stage by name.
        stage: String,
        /// Days the clock moved forward.
        days: i64,
        /// Why: `goto`, `at once`, ...
        reason: String,
    },
    /// The due date moved.
    Anchored {
        /// New anchor.
        anchor: NaiveDate,
        /// Why.
        reason: String,
    },
    /// Everything from the first step again.
    Restarted {
        /// New generation.
        generation: u32,
        /// New due date.
        anchor: NaiveDate,
    },
    /// An arm was taken, for good.
    Split {
        /// Where.
        #[serde(rename = "where")]
        place: Place,
        /// Arm.
        arm: String,
        /// Position of its first step.
        to: usize,
    },
    /// Another version took over.
    VersionChanged {
        /// Version.
        version: u32,
        /// Logic.
        bundle: Hash,
        /// Templates.
        content: Hash,
        /// Position in the new version.
        position: usize,
    },
    /// Something is wrong and the case parks, or a channel failed for good.
    Error {
        /// Where.
        #[serde(rename = "where")]
        place: Place,
        /// What, where and what to do.
        message: String,
        /// True where the case stops until it is mended.
        parks: bool,
    },
    /// The case runs again after it was parked or paused; or is paused.
    Running {
        /// `paused`, `resumed`, `retried`.
        state: String,
        /// Who and why.
        reason: String,
    },
    /// News that changes nothing, and why.
    Ignored {
        /// What.
        what: String,
        /// Why.
        reason: String,
    },
    /// The case is over.
    Finished {
        /// How.
        outcome: Outcome,
        /// What ended it.
        reason: String,
    },
    /// How the case stands after the turn, so that a fold ends where the turn did.
    Rests {
        /// Status.
        status: crate::case::Status,
        /// Next look.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wake: Option<crate::case::Wake>,
    },
}

/// What a linked case takes over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inheritance {
    /// The case before.
    pub case: CaseId,
    /// `handover` or `returned payment`.
    pub reason: String,
    /// Held dates of the clock.
    pub held_days: i64,
    /// Days jumped over by the clock.
    #[serde(default)]
    pub skipped_days: i64,
    /// Step marks (a returned payment takes them; a hand-over only the notices).
    pub marks: crate::case::Marks,
    /// Holds.
    pub holds: Vec<Hold>,
    /// Variables.
    pub vars: BTreeMap<String, Value>,
    /// Arms.
    pub splits: BTreeMap<String, String>,
    /// Generation.
    pub generation: u32,
    /// When the last contact went out: the new case waits `min_gap` from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
}

impl Record {
    /// The kind as stored.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Entered { .. } => "entered",
            Self::Event { .. } => "event",
            Self::Handler { .. } => "handler",
            Self::Decision(_) => "decision",
            Self::Assigned { .. } => "assigned",
            Self::Skipped { .. } => "skipped",
            Self::Superseded { .. } => "superseded",
            Self::Deferred { .. } => "deferred",
            Self::Ordered { .. } => "ordered",
            Self::Returned { .. } => "returned",
            Self::Sent { .. } => "sent",
            Self::Recalled { .. } => "recalled",
            Self::Delivery { .. } => "delivery",
            Self::WorkOpened { .. } => "work_opened",
            Self::WorkClosed { .. } => "work_closed",
            Self::WorkMoved { .. } => "work_moved",
            Self::HoldOpened { .. } => "hold_opened",
            Self::HoldClosed { .. } => "hold_closed",
            Self::HoldMoved { .. } => "hold_moved",
            Self::Approved { .. } => "approved",
            Self::WatchOpened { .. } => "watch_opened",
            Self::WatchClosed { .. } => "watch_closed",
            Self::WatchMoved { .. } => "watch_moved",
            Self::Waiting { .. } => "waiting",
            Self::Again { .. } => "again",
            Self::Ended { .. } => "ended",
            Self::Jump { .. } => "jump",
            Self::Anchored { .. } => "anchored",
            Self::Restarted { .. } => "restarted",
            Self::Split { .. } => "split",
            Self::VersionChanged { .. } => "version_changed",
            Self::Error { .. } => "error",
            Self::Running { .. } => "running",
            Self::Ignored { .. } => "ignored",
            Self::Finished { .. } => "finished",
            Self::Rests { .. } => "rests",
        }
    }
}

/// The stored body of one turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnBody {
    /// Version of this shape.
    pub v: u32,
    /// Logical time.
    pub at: Timestamp,
    /// Date at the customer's place.
    pub local: NaiveDate,
    /// The dunning clock.
    pub clock_day: i64,
    /// Playbook.
    pub playbook: String,
    /// Version.
    pub version: u32,
    /// Hashes used.
    pub hash: Hashes,
    /// Sequence number of the first record.
    pub seq: u64,
    /// The records.
    pub records: Vec<Record>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decisive(from: &str, moved: &[(&str, &str)]) -> String {
        let moved = moved.iter().map(|(rule, until)| Moved { rule: (*rule).to_owned(), until: until.parse().unwrap() });
        let moved: Vec<Moved> = moved.collect();
        Moved::decisive(&moved, from.parse().unwrap()).map(|limit| limit.rule.clone()).unwrap_or_default()
    }

    #[test]
    fn a_wait_is_named_after_the_rule_without_which_it_would_be_over_soonest() {
        let friday = "2026-06-05T18:00:00Z";
        let hours = [("hours", "2026-06-08T07:00:00Z")];
        assert_eq!(decisive(friday, &hours), "hours", "alone");
        let gap = [("min_gap", "2026-06-05T22:00:00Z"), hours[0]];
        assert_eq!(decisive(friday, &gap), "hours", "the weekend, not the evening");
        let cap = [
            ("min_gap", "2026-06-06T22:00:00Z"),
            ("cap 2 per 1 week", "2026-06-10T22:00:00Z"),
            ("hours", "2026-06-11T07:00:00Z"),
        ];
        assert_eq!(decisive(friday, &cap), "cap 2 per 1 week", "the day, not its opening");
        let policies =
            [("cap us-reg-f/seven", "2026-06-10T22:00:00Z"), ("hours us-reg-f/hours", "2026-06-11T12:00:00Z")];
        assert_eq!(decisive(friday, &policies), "cap us-reg-f/seven");
        assert_eq!(decisive(friday, &[]), "");
    }
}

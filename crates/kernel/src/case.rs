//! The state of a case: folded from its records, stored as a snapshot on its row.

use crate::effect::EffectKind;
use crate::facts::{Channel, Class};
use crate::ids::{CaseId, CustomerId, EffectId, EventId, GroupId, Hash, InvoiceId, TaskId};
use crate::playbook::Outcome;
use crate::time::Timestamp;
use crate::value::Value;
use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a case is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Sleeps to a time.
    WaitingTime,
    /// Waits for an event or for the outcome of an effect.
    WaitingEvent,
    /// Waits for a person.
    WaitingPerson,
    /// At least one hold is open.
    Held,
    /// Parked by an error until somebody mends it.
    Attention,
    /// Stopped by an operator.
    Paused,
    /// Over.
    Finished,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 7] = [
        Self::WaitingTime,
        Self::WaitingEvent,
        Self::WaitingPerson,
        Self::Held,
        Self::Attention,
        Self::Paused,
        Self::Finished,
    ];

    /// The name lists show and filters take.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WaitingTime => "waiting_time",
            Self::WaitingEvent => "waiting_event",
            Self::WaitingPerson => "waiting_person",
            Self::Held => "held",
            Self::Attention => "attention",
            Self::Paused => "paused",
            Self::Finished => "finished",
        }
    }
}

/// Phase of the step under the cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not yet due.
    #[default]
    Pending,
    /// Due, waits for an approval to be renewed.
    Ready,
    /// Its effect is out or its work is open.
    Acting,
    /// Accepted, waits for proof.
    Settling,
}

/// Where the case stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Index into the playbook's steps.
    pub position: usize,
    /// Phase.
    pub phase: Phase,
    /// Times this position ordered an effect or opened work for good.
    #[serde(default)]
    pub occurrence: u32,
    /// Next channel of `via` to try.
    #[serde(default)]
    pub channel: usize,
    /// Rounds of `repeat` done.
    #[serde(default)]
    pub round: u32,
    /// Earliest start set by a return, a retry or a repeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Why `not_before` is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// First instant the step could have acted but for caps and windows; `give_up` counts from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_since: Option<Timestamp>,
    /// When the step began to wait (acting or settling).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Limit of what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_at: Option<Timestamp>,
    /// The call whose outcome led here: what its outcome sends counts as one contact with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
    /// Held dates move `limit_at` and `not_before` along (waits and repeats, never people's work).
    #[serde(default)]
    pub stretches: bool,
}

/// The dunning clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// The due date.
    pub anchor: NaiveDate,
    /// Dates whose local midnight found a hold open, up to the last release.
    #[serde(default)]
    pub held_days: i64,
    /// Days jumped over by `at_once`, `backlog`, `handover`.
    #[serde(default)]
    pub skipped_days: i64,
    /// Since when at least one hold is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_since: Option<Timestamp>,
}

impl Clock {
    /// Held dates up to an instant, the open hold included.
    #[must_use]
    pub fn held_until(&self, at: Timestamp, zone: Tz) -> i64 {
        self.held_days + self.held_since.map_or(0, |since| midnights(since, at, zone))
    }

    /// The clock's day at an instant.
    #[must_use]
    pub fn day(&self, at: Timestamp, zone: Tz) -> i64 {
        (at.date_in(zone) - self.anchor).num_days() - self.held_until(at, zone) + self.skipped_days
    }

    /// The date on which the clock shows `day` if no further hold comes.
    #[must_use]
    pub fn date_of(&self, day: i64, at: Timestamp, zone: Tz) -> NaiveDate {
        shift(self.anchor, day + self.held_until(at, zone) - self.skipped_days)
    }
}

/// A date some days later or earlier; stays at the ends of the calendar.
#[must_use]
pub fn shift(date: NaiveDate, days: i64) -> NaiveDate {
    let count = Days::new(days.unsigned_abs());
    let moved = if days < 0 { date.checked_sub_days(count) } else { date.checked_add_days(count) };
    moved.unwrap_or(date)
}

/// Local midnights `m` with `from <= m < to`: what closes at 00:00 is closed for that midnight.
#[must_use]
pub fn midnights(from: Timestamp, to: Timestamp, zone: Tz) -> i64 {
    if to <= from {
        return 0;
    }
    // Dates whose first instant lies before an instant; the instant itself excluded.
    let dates_begun = |at: Timestamp| {
        let date = at.date_in(zone);
        let begun = Timestamp::start_of(date, zone) < at;
        i64::from(chrono::Datelike::num_days_from_ce(&date)) + i64::from(begun)
    };
    dates_begun(to) - dates_begun(from)
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It did what it says.
    Done,
    /// Its condition was false, or it was given up.
    Skipped,
    /// A later step of the same kind took its place.
    Superseded,
    /// Every channel or try failed.
    Failed,
}

/// What is remembered of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// How it ended last.
    pub end: End,
    /// When.
    pub at: Timestamp,
    /// On which local date.
    pub on: NaiveDate,
    /// Held dates at that time, so that `after` does not count them.
    #[serde(default)]
    pub held_days: i64,
    /// Outcome of its work.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub outcome: String,
    /// Messages it sent.
    #[serde(default)]
    pub sent: u32,
    /// When it sent last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// Kinds of notice it gave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notice: Vec<String>,
    /// The day on which its delivery is proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven_on: Option<NaiveDate>,
}

/// What is remembered of all steps, by path; plus the last answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// By step path.
    pub steps: BTreeMap<String, Mark>,
    /// When the customer last answered anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Timestamp>,
    /// The day of the first contact that left, or of the first talk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_contact: Option<NaiveDate>,
}

impl Marks {
    /// The mark of a step by its path or its local id (the latest where arms share it).
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Mark> {
        self.steps.get(id).or_else(|| {
            let same = |path: &str| path.rsplit_once('/').is_some_and(|(_, last)| last == id);
            self.steps.iter().filter(|(path, _)| same(path)).map(|(_, mark)| mark).max_by_key(|mark| mark.at)
        })
    }
}

/// An open hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// `dispute`, `promise`, `placement`, `plan`, `task`, a playbook's own.
    pub name: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// The event that ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The date that ends it: its first instant after the limit's day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Longest life; then `on_timeout` of the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_at: Option<Timestamp>,
    /// Index of the step that opened it; nothing for a hold the engine opened itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// The task that keeps it open (`hold_while_open`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
}

/// Open work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// The task.
    pub id: TaskId,
    /// `call`, `task`, `approve`, `fix`.
    pub kind: String,
    /// Index of the step; nothing for work the engine opened itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// Role or person it went to.
    pub assignee: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Revision of the turn that opened it: a finish keeps the work of its own turn open.
    pub opened_rev: u64,
    /// Its limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_at: Option<Timestamp>,
    /// Which try of `attempts`, from 1.
    #[serde(default)]
    pub attempt: u32,
    /// The occurrence its id was made of: every try of a call keeps it.
    #[serde(default)]
    pub occurrence: u32,
    /// Roles whose answer is still missing (`by: [a, b]`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Persons who approved so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answered_by: Vec<String>,
    /// For an approval asked again: the covered position that waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renews: Option<usize>,
    /// The effect of which nobody knows whether it left: the answer says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<EffectId>,
}

/// What waits beside the cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "watch", rename_all = "snake_case")]
pub enum Watch {
    /// A contact or request that a handler ordered and that is not out yet.
    Contact(PendingContact),
    /// Silence after a send orders one more try on the next channel.
    Fallback {
        /// Step that sent.
        step: usize,
        /// Channel to try next.
        channel: usize,
        /// When it sent.
        since: Timestamp,
        /// Held dates at that time: silence counts none that come later.
        held_days: i64,
    },
    /// A call to be opened again.
    Recall {
        /// Step.
        step: usize,
        /// Try, from 2.
        attempt: u32,
        /// Occurrence of the first try, which the later ones keep.
        #[serde(default)]
        occurrence: u32,
        /// When.
        due_at: Timestamp,
        /// Limit of the work, kept over all tries.
        limit_at: Option<Timestamp>,
        /// The day that its record of waiting named last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        told: Option<Timestamp>,
    },
}

/// A handler's contact (or a second try of a stage's) with its own earliest start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingContact {
    /// Step.
    pub step: usize,
    /// Occurrence: the sequence number of the triggering event.
    pub occurrence: u32,
    /// Next channel of `via`.
    pub channel: usize,
    /// Contacts of one `do` list share it.
    pub group: GroupId,
    /// The event that ordered it, for its expressions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Arc<crate::event::Event>>,
    /// Class, so that a finish knows what to drop.
    pub class: Class,
    /// When it was ordered by the handler.
    pub since: Timestamp,
    /// Held dates at that time: `give_up` counts none that come later.
    #[serde(default)]
    pub held_days: i64,
    /// Earliest start set by a return or a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// The day that its record of waiting named last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Timestamp>,
    /// The effect, once ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<EffectId>,
    /// A try ordered by a watch of a stage's step: given up when the next contact is decided or an answer arrives.
    #[serde(default)]
    pub fallback: bool,
}

/// An approval that was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The approve step.
    pub step: usize,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Vec<String>,
    /// Principal balance it was given for, minor units.
    pub balance_minor: i64,
    /// Content hash it was given for.
    pub content: Hash,
    /// Positions it covers.
    pub covers: Vec<usize>,
}

/// An effect ordered and not settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// Step.
    pub step: usize,
    /// What it does.
    pub kind: EffectKind,
    /// Class.
    pub class: Class,
    /// Channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Index into `via`.
    #[serde(default)]
    pub via: usize,
    /// Passes a finish and the hold check.
    pub exempt: bool,
    /// True for effects of the cursor's step, false for watches.
    pub of_cursor: bool,
    /// The hand-over's outcome is unknown; a person or the provider must say.
    #[serde(default)]
    pub unknown: bool,
}

/// A message that left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentSend {
    /// Effect.
    pub effect: EffectId,
    /// Step.
    pub step: usize,
    /// Index into `via`.
    pub via: usize,
    /// Channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
}

/// When the case wants to be looked at again, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wake {
    /// Instant.
    pub at: Timestamp,
    /// Reason for people: `send overdue-second, day 15`.
    pub reason: String,
}

/// The state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Version of this shape.
    pub v: u32,
    /// Id.
    pub id: CaseId,
    /// Invoice.
    pub invoice: InvoiceId,
    /// Customer.
    pub customer: CustomerId,
    /// Playbook name.
    pub playbook: String,
    /// Playbook version.
    pub version: u32,
    /// Pinned logic.
    pub bundle: Hash,
    /// Pinned templates.
    pub content: Hash,
    /// One, and one more per restart.
    pub generation: u32,
    /// Turns so far.
    pub rev: u64,
    /// Records so far.
    pub seq: u64,
    /// When it entered.
    pub entered_at: Timestamp,
    /// Status.
    pub status: Status,
    /// Outcome of a finished case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Revision of the turn that finished it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_rev: Option<u64>,
    /// Cursor.
    pub cursor: Cursor,
    /// Clock.
    pub clock: Clock,
    /// Steps so far.
    #[serde(default)]
    pub marks: Arc<Marks>,
    /// The step that ended last on the main line, for `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_end: Option<LastEnd>,
    /// Days that `roll: shift` added in the current stage.
    #[serde(default)]
    pub rolled_days: i64,
    /// Open holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// Open work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub work: Vec<Work>,
    /// Watches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watches: Vec<Watch>,
    /// Approvals given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
    /// Effects out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub in_flight: BTreeMap<EffectId, InFlight>,
    /// The last messages that left, newest last, so that a bounce finds its step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<RecentSend>,
    /// Placement in progress: the agency or desk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_with: Option<String>,
    /// Variables that `set` changed.
    #[serde(default)]
    pub vars: Arc<BTreeMap<String, Value>>,
    /// Arms taken.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub splits: BTreeMap<String, String>,
    /// The newest events consumed, so that a duplicate within a batch or soon after has no effect. Older ones need no
    /// memory here: the store refuses an event id that it has seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<EventId>,
    /// Events consumed in all: the sequence number of the newest, of which a handler's ids are made.
    #[serde(default)]
    pub heard: u32,
    /// Deadlines of which people were told, by rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deadlines: BTreeMap<String, Told>,
    /// Parked: the cause for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// Paused by an operator: who and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// Next look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake: Option<Wake>,
    /// Times the turn was aborted by the wall clock.
    #[serde(default)]
    pub aborted: u32,
}

/// What people were told of a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The day that it ran from: one that begins anew is told anew.
    pub started: NaiveDate,
    /// That it was missed; else that it was near.
    pub missed: bool,
}

/// The end of the previous step on the main line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastEnd {
    /// When.
    pub at: Timestamp,
    /// Held dates up to then.
    pub held_days: i64,
}

impl Case {
    /// Whether it is over.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.status == Status::Finished
    }

    /// Whether a hold is open.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.holds.is_empty()
    }

    /// Whether its step or a contact beside it waits for a later day that a limit or the law named.
    #[must_use]
    pub fn is_deferred(&self) -> bool {
        let cursor = &self.cursor;
        let by_limit = cursor.not_before.is_some() && cursor.rule.as_deref().is_some_and(is_limit);
        let beside = |watch: &Watch| matches!(watch, Watch::Contact(contact) if contact.effect.is_none());
        (by_limit && cursor.phase == Phase::Pending) || self.watches.iter().any(beside)
    }

    /// Whether people were told that a deadline that runs from a day is near, or that it was missed.
    #[must_use]
    pub fn was_told(&self, rule: &str, started: NaiveDate, missed: bool) -> bool {
        self.deadlines.get(rule).is_some_and(|told| told.started == started && (told.missed || !missed))
    }
}

/// Whether a wait has its day from hours, gaps, caps or the law: worked out again, it may be another one.
#[must_use]
pub fn is_limit(rule: &str) -> bool {
    matches!(rule, "min_gap" | "bundle") || ["hours", "cap ", "gap ", "law "].iter().any(|kind| rule.starts_with(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_hold_counts_the_midnights_it_sees_and_not_the_one_it_closes_at() {
        let madrid: Tz = "Europe/Madrid".parse().unwrap();
        // 20 May 14:20 to 3 June 00:00 local: the midnights of 21 May to 2 June.
        let (from, to) = (at("2026-05-20T12:20:00Z"), at("2026-06-02T22:00:00Z"));
        assert_eq!(midnights(from, to, madrid), 13);
        assert_eq!(midnights(from, from, madrid), 0);
        assert_eq!(midnights(to, to.plus_us(1), madrid), 1, "opened at 00:00 sees that midnight");
    }

    #[test]
    fn the_clock_stops_while_held() {
        let madrid: Tz = "Europe/Madrid".parse().unwrap();
        let mut clock =
            Clock { anchor: "2026-05-04".parse().unwrap(), held_days: 0, skipped_days: 0, held_since: None };
        assert_eq!(clock.day(at("2026-05-20T12:20:00Z"), madrid), 16);
        clock.held_since = Some(at("2026-05-20T12:20:00Z"));
        assert_eq!(clock.day(at("2026-06-02T22:00:00Z"), madrid), 17);
        clock = Clock { held_days: 13, held_since: None, ..clock };
        assert_eq!(clock.date_of(45, at("2026-06-10T00:00:00Z"), madrid), "2026-07-01".parse().unwrap());
    }
}

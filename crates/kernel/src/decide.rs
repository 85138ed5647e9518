//! One pure decision over one case: news in, records, effects and work out. Total: it never fails and never panics.

use crate::case::Case;
use crate::effect::{Effect, NewTask};
use crate::event::Event;
use crate::expr::Rules;
use crate::facts::Facts;
use crate::ids::{CaseId, EffectId, EventId, TaskId};
use crate::law::Law;
use crate::playbook::{Handover, Playbook};
use crate::record::{Inheritance, TurnBody};
use crate::time::Timestamp;
use std::sync::Arc;

/// What a turn may know.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The pinned playbook.
    pub playbook: &'a Playbook,
    /// Evaluates its expressions.
    pub rules: &'a dyn Rules,
    /// The newest law.
    pub law: &'a Arc<Law>,
    /// One snapshot, as of the claim.
    pub facts: &'a Arc<Facts>,
    /// Logical time, fixed at the start.
    pub now: Timestamp,
    /// Version of the rule engine, recorded with the hashes.
    pub rhai: &'a str,
}

/// Work that a turn closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedTask {
    /// Task.
    pub id: TaskId,
    /// `timed_out`, `paid`, `restart`, ...; the outcome where a person answered.
    pub outcome: String,
}

/// A linked case to open in the same commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// Playbook and stage.
    pub handover: Handover,
    /// What it takes over.
    pub inherits: Inheritance,
}

/// What a turn decided.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The case after the turn: the fold of its records over the case before. `rev` and `seq` are moved.
    pub case: Case,
    /// The history row's body; its `seq` is that of its first record.
    pub body: TurnBody,
    /// Effects to insert into the outbox.
    pub effects: Vec<Effect>,
    /// Effects not yet handed over that must go from the outbox.
    pub recalls: Vec<EffectId>,
    /// Work to open.
    pub opened: Vec<NewTask>,
    /// Work to close.
    pub closed: Vec<ClosedTask>,
    /// Events that this turn took; the others stay unread.
    pub consumed: Vec<EventId>,
    /// A linked case to open.
    pub follow: Option<Follow>,
}

/// The answer of [`decide`].
#[derive(Clone, Debug)]
pub enum Decided {
    /// A turn to commit.
    Turn(Box<Turn>),
    /// A rule hit the wall clock: nothing happened; try again alone, park after three aborts.
    Slow(String),
}

/// What a new case is made of.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Derived id: playbook-independent, `CaseId::derive(&[invoice, ordinal])`.
    pub case: CaseId,
    /// Defaults that were taken for missing facts, as `customer.risk = medium`.
    pub defaults: Vec<String>,
    /// The case it continues.
    pub continues: Option<Inheritance>,
    /// Stage to start at (hand-over).
    pub at_stage: Option<String>,
}

/// Opens a case and takes its first turn.
#[must_use]
pub fn enter(_input: &Input<'_>, _entry: Entry) -> Decided {
    todo!()
}

/// Takes one turn. `events` are the unread ones in arrival order, none later than `now`.
///
/// With no events and nothing due it answers a turn without records; the caller commits only its wake.
#[must_use]
pub fn decide(_input: &Input<'_>, _case: &Case, _events: &[Event]) -> Decided {
    todo!()
}

/// Parks a case whose rule was stopped by the wall clock three times: `slow rule`.
#[must_use]
pub fn park(_input: &Input<'_>, _case: &Case, _cause: &str) -> Turn {
    todo!()
}

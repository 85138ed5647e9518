//! The hot path: a batch of turns in one transaction and a constant number of statements.
//!
//! The only file that appends history. Each case is guarded by its revision: a case that another worker moved first
//! is left out whole, the rest is written.

use crate::history::HistoryRow;
use crate::outbox::{NewEffect, Settled};
use crate::tasks::{CloseTask, OpenTask};
use crate::wake::WakeAt;
use crate::events::NewEvent;
use crate::{CaseNo, Result, Tx};
use recobro_kernel::case::Status;
use recobro_kernel::ids::{CaseId, CustomerId, EffectId, EventId, Hash, InvoiceId};
use recobro_kernel::time::Timestamp;

/// What the row of a case shows after the turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Id.
    pub id: CaseId,
    /// Invoice.
    pub invoice: InvoiceId,
    /// Customer.
    pub customer: CustomerId,
    /// Playbook.
    pub playbook: String,
    /// Version.
    pub version: u32,
    /// Pinned logic.
    pub bundle: Hash,
    /// Pinned templates.
    pub content: Hash,
    /// Generation.
    pub generation: u32,
    /// Status; finished closes the case for its invoice.
    pub status: Status,
    /// Outcome.
    pub outcome: Option<String>,
    /// Stage, for lists.
    pub stage: String,
    /// Step, for lists.
    pub step: String,
    /// Next look, for lists.
    pub next_at: Option<Timestamp>,
    /// Why then.
    pub next_reason: String,
    /// When it entered.
    pub entered_at: Timestamp,
    /// JSON of `kernel::case::Case`.
    pub state: String,
}

/// One turn to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnCommit {
    /// Number of the case; nothing for a new one, which is inserted.
    pub no: Option<CaseNo>,
    /// Revision the turn started from; 0 for a new case.
    pub expected: u64,
    /// A new case that continues another of this batch is left out with it.
    pub follows: Option<CaseId>,
    /// The row.
    pub case: Snapshot,
    /// The history row; its `rev` must be `expected + 1`, its `hash` is the new head.
    pub history: HistoryRow,
    /// Next wake-up; nothing takes it away.
    pub wake: Option<WakeAt>,
    /// Effects ordered.
    pub effects: Vec<NewEffect>,
    /// Effects not handed over that must go from the outbox, with their rows in the contact ledger.
    pub recalls: Vec<EffectId>,
    /// Work opened.
    pub opened: Vec<OpenTask>,
    /// Work closed.
    pub closed: Vec<CloseTask>,
    /// Events taken.
    pub consumed: Vec<EventId>,
    /// News for other cases.
    pub news: Vec<NewEvent>,
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Number of each turn's case, in the order given; nothing for a loser, of which nothing was written: its case moved
    /// past the revision, its settled effect had a newer fence, or its invoice has an open case already.
    pub cases: Vec<Option<CaseNo>>,
    /// Settled effects (index into `settled`) that were not there any more with that fence. Nothing of them was written.
    pub stale: Vec<usize>,
}

impl Committed {
    /// Indexes of the turns that were left out.
    pub fn losers(&self) -> impl Iterator<Item = usize> {
        self.cases.iter().enumerate().filter(|(_, no)| no.is_none()).map(|(i, _)| i)
    }
}

/// Writes turns, and settles effects whose outcome these turns took; the caller commits.
///
/// A settled effect belongs to the turn of the same case in this batch; where the batch has none it stands alone.
/// Bounds: at most 1,000 turns.
///
/// # Errors
/// Those of the database.
pub async fn commit_turns(tx: &mut Tx, turns: &[TurnCommit], settled: &[Settled]) -> Result<Committed> { todo!() }

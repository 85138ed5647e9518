//! The hot path: a batch of turns in one transaction and a constant number of statements.
//!
//! The only file that appends history. Each case is guarded by its revision: a case that another worker moved first
//! is left out whole, the rest is written.

use crate::events::NewEvent;
use crate::history::HistoryRow;
use crate::outbox::{NewEffect, Settled};
use crate::sql::{Bulk, Tail, args, columns};
use crate::tasks::{CloseTask, OpenTask};
use crate::wake::Waking;
use crate::{CaseNo, Error, Result, Tx};
use crate::{contacts, events, outbox, tasks, wake};
use recobro_kernel::case::Status;
use recobro_kernel::ids::{CaseId, CustomerId, EffectId, EventId, Hash, InvoiceId};
use recobro_kernel::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

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
    /// Next wake-up.
    pub wake: Waking,
    /// Effects ordered.
    pub effects: Vec<NewEffect>,
    /// Effects not handed over that must go from the outbox, with their rows in the contact ledger.
    pub recalls: Vec<EffectId>,
    /// Unknown effects that a person resolved: whether they left. They go from the outbox; what left counts.
    pub resolved: Vec<(EffectId, bool)>,
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
/// A settled effect belongs to the turn of the same case in this batch; where the batch has none it stands alone. Locks
/// are taken in this order: cases, outbox, wake.
/// Bounds: at most 1,000 turns.
///
/// # Errors
/// Those of the database. [`Error::Conflict`] where another worker has the effect that a turn settles: the case did not
/// move, and only taking back the whole transaction undoes the turn.
pub async fn commit_turns(tx: &mut Tx, turns: &[TurnCommit], settled: &[Settled]) -> Result<Committed> {
    assert!(turns.len() <= TURNS_MAX, "{} turns in one batch", turns.len());
    for turn in turns {
        assert_eq!(turn.history.rev, turn.expected + 1, "case {} skips a revision", turn.case.id);
        assert_eq!(turn.no.is_none(), turn.expected == 0, "case {}: only new cases have no number", turn.case.id);
    }
    let mut batch = Batch::new(turns, settled);
    batch.won = move_cases(tx, turns).await?;
    insert_cases(tx, turns, &mut batch).await?;
    settle(tx, &mut batch).await?;
    append_history(tx, &batch).await?;
    outbox::insert(tx, batch.winners().flat_map(|(no, turn)| turn.effects.iter().map(move |e| (no, e)))).await?;
    wake::move_on(tx, &batch.winners().map(|(no, turn)| (no, turn.wake)).collect::<Vec<_>>()).await?;
    move_news(tx, &batch).await?;
    move_work(tx, &batch).await?;
    let is_stale = |s: &Settled| batch.stands_alone(s) && !batch.fresh.contains(&s.effect);
    let stale = settled.iter().enumerate().filter(|(_, s)| is_stale(s)).map(|(i, _)| i).collect();
    Ok(Committed { cases: turns.iter().map(|turn| batch.won.get(&turn.case.id).copied()).collect(), stale })
}

/// Turns in one batch.
const TURNS_MAX: usize = 1_000;

/// A batch while it is written.
struct Batch<'a> {
    turns: &'a [TurnCommit],
    settled: &'a [Settled],
    /// Cases that have a turn in it.
    moving: BTreeSet<CaseNo>,
    /// Settled effects whose fence held.
    fresh: BTreeSet<EffectId>,
    won: BTreeMap<CaseId, CaseNo>,
}

impl<'a> Batch<'a> {
    fn new(turns: &'a [TurnCommit], settled: &'a [Settled]) -> Self {
        let moving = turns.iter().filter_map(|turn| turn.no).collect();
        Self { turns, settled, moving, fresh: BTreeSet::new(), won: BTreeMap::new() }
    }

    /// The turns that count, in order of case number: the order of locks and of pages.
    fn winners(&self) -> impl Iterator<Item = (CaseNo, &'a TurnCommit)> {
        let mut won: Vec<_> =
            self.turns.iter().filter_map(|turn| self.won.get(&turn.case.id).map(|no| (*no, turn))).collect();
        won.sort_by_key(|(no, _)| *no);
        won.into_iter()
    }

    fn stands_alone(&self, settled: &Settled) -> bool {
        !self.moving.contains(&settled.no)
    }

    /// Settled effects that may be written: those that stand alone, and those of turns that count.
    fn to_settle(&self) -> Vec<&'a Settled> {
        let won: BTreeSet<CaseNo> = self.won.values().copied().collect();
        self.settled.iter().filter(|s| won.contains(&s.no) || self.stands_alone(s)).collect()
    }

    /// Settled effects that are written.
    fn done(&self) -> impl Iterator<Item = &'a Settled> {
        self.settled.iter().filter(|s| self.fresh.contains(&s.effect))
    }
}

static MOVE: Bulk = Bulk::new(
    "commit.move",
    columns!(no Int, rev Int, playbook Text, version Int, bundle Bytes, content Bytes, generation Int, status Text,
             finished Int, outcome Text, stage Text, step Text, next_at Int, next_reason Text, moved_at Int, head Bytes,
             state Text),
    Tail::Text(
        "UPDATE cases SET rev = x.rev + 1, playbook = x.playbook, version = x.version, bundle = x.bundle,
           content = x.content, generation = x.generation, status = x.status, finished = x.finished,
           outcome = x.outcome, stage = x.stage, step = x.step, next_at = x.next_at, next_reason = x.next_reason,
           moved_at = x.moved_at, head = x.head, state = x.state
         FROM x WHERE cases.no = x.no AND cases.rev = x.rev RETURNING cases.id, cases.no",
    ),
);

/// Moves known cases; answers who won.
async fn move_cases(tx: &mut Tx, turns: &[TurnCommit]) -> Result<BTreeMap<CaseId, CaseNo>> {
    let mut known: Vec<(CaseNo, &TurnCommit)> = turns.iter().filter_map(|t| Some((t.no?, t))).collect();
    known.sort_by_key(|(no, _)| *no);
    let rows = known.iter().flat_map(|(no, turn)| {
        let c = &turn.case;
        args![
            *no,
            turn.expected,
            &c.playbook,
            c.version,
            c.bundle,
            c.content,
            c.generation,
            c.status,
            c.status == Status::Finished,
            c.outcome.as_ref(),
            &c.stage,
            &c.step,
            c.next_at,
            &c.next_reason,
            turn.history.at,
            turn.history.hash,
            &c.state
        ]
    });
    tx.bulk(&MOVE, rows.collect()).await?.iter_mut().map(|row| Ok((row.next()?, row.next()?))).collect()
}

static OPEN: Bulk = Bulk::new(
    "commit.open",
    columns!(ord Int, id Text, invoice Text, customer Text, playbook Text, version Int, bundle Bytes, content Bytes,
             generation Int, status Text, finished Int, outcome Text, stage Text, step Text, next_at Int,
             next_reason Text, entered_at Int, moved_at Int, head Bytes, state Text),
    Tail::Text(
        "INSERT INTO cases (id, invoice, customer, playbook, version, bundle, content, generation, rev, status, finished,
           outcome, stage, step, next_at, next_reason, entered_at, moved_at, head, state)
         SELECT x.id, x.invoice, x.customer, x.playbook, x.version, x.bundle, x.content, x.generation, 1, x.status,
           x.finished, x.outcome, x.stage, x.step, x.next_at, x.next_reason, x.entered_at, x.moved_at, x.head, x.state
         FROM x WHERE x.ord IS NOT NULL ORDER BY x.ord ON CONFLICT DO NOTHING RETURNING id, no",
    ),
);

/// Inserts new cases; one whose invoice has an open case already is left out, and so is one whose parent lost.
async fn insert_cases(tx: &mut Tx, turns: &[TurnCommit], batch: &mut Batch<'_>) -> Result<()> {
    let parent_won = |turn: &&TurnCommit| turn.follows.is_none_or(|parent| batch.won.contains_key(&parent));
    let new = turns.iter().filter(|turn| turn.no.is_none()).filter(parent_won);
    let rows: Vec<_> = new
        .zip(0_i64..)
        .flat_map(|(turn, ord)| {
            let c = &turn.case;
            args![
                ord,
                c.id,
                &c.invoice,
                &c.customer,
                &c.playbook,
                c.version,
                c.bundle,
                c.content,
                c.generation,
                c.status,
                c.status == Status::Finished,
                c.outcome.as_ref(),
                &c.stage,
                &c.step,
                c.next_at,
                &c.next_reason,
                c.entered_at,
                turn.history.at,
                turn.history.hash,
                &c.state
            ]
        })
        .collect();
    for mut row in tx.bulk(&OPEN, rows).await? {
        batch.won.insert(row.next()?, row.next()?);
    }
    Ok(())
}

/// Deletes what is settled or recalled and keeps the evidence.
async fn settle(tx: &mut Tx, batch: &mut Batch<'_>) -> Result<()> {
    let wanted = batch.to_settle();
    if !wanted.is_empty() {
        batch.fresh = outbox::delete_fenced(tx, &wanted).await?;
        if wanted.iter().any(|s| !batch.fresh.contains(&s.effect) && !batch.stands_alone(s)) {
            return Err(Error::Conflict(sqlx::Error::RowNotFound));
        }
        let settled: Vec<&Settled> = batch.done().collect();
        let marked = |mark| settled.iter().filter(move |s| s.mark == mark).map(|s| s.effect.to_string());
        contacts::mark(tx, &marked(outbox::LedgerMark::Counts).collect::<Vec<_>>(), "sent").await?;
        contacts::delete(tx, &marked(outbox::LedgerMark::Goes).collect::<Vec<_>>()).await?;
        outbox::keep(tx, settled.iter().filter_map(|s| s.communication.as_ref())).await?;
    }
    let recalls: Vec<EffectId> = batch.winners().flat_map(|(_, turn)| turn.recalls.iter().copied()).collect();
    outbox::recall(tx, &recalls).await?;
    let resolved: Vec<(EffectId, bool)> = batch.winners().flat_map(|(_, turn)| turn.resolved.iter().copied()).collect();
    if !resolved.is_empty() {
        outbox::delete(tx, &resolved.iter().map(|(effect, _)| *effect).collect::<Vec<_>>()).await?;
        let said = |left| resolved.iter().filter(move |(_, sent)| *sent == left).map(|(effect, _)| effect.to_string());
        contacts::mark(tx, &said(true).collect::<Vec<_>>(), "sent").await?;
        contacts::delete(tx, &said(false).collect::<Vec<_>>()).await?;
    }
    Ok(())
}

static APPEND: Bulk = Bulk::insert(
    "commit.append",
    "history",
    columns!(no Int, seq Int, rev Int, at Int, actor Text, cause Text, body Text, prev Bytes, hash Bytes),
    "",
);

async fn append_history(tx: &mut Tx, batch: &Batch<'_>) -> Result<()> {
    let rows = batch.winners().flat_map(|(no, turn)| {
        let h = &turn.history;
        args![no, h.seq, h.rev, h.at, &h.actor, h.cause.as_ref(), &h.body, h.prev, h.hash]
    });
    tx.bulk(&APPEND, rows.collect()).await?;
    Ok(())
}

/// Consumes the news the turns took and inserts what they and the settled effects bring.
async fn move_news(tx: &mut Tx, batch: &Batch<'_>) -> Result<()> {
    let consumed: Vec<(EventId, u64)> =
        batch.winners().flat_map(|(_, turn)| turn.consumed.iter().map(|id| (*id, turn.history.rev))).collect();
    events::consume(tx, &consumed).await?;
    let of_turns = batch.winners().flat_map(|(_, turn)| turn.news.iter());
    let of_effects = batch.done().filter_map(|s| s.news.as_ref());
    let news: Vec<NewEvent> = of_turns.chain(of_effects).cloned().collect();
    events::insert(tx, &news).await?;
    Ok(())
}

async fn move_work(tx: &mut Tx, batch: &Batch<'_>) -> Result<()> {
    let opened: Vec<tasks::Opened<'_>> = batch
        .winners()
        .flat_map(|(no, turn)| {
            let c = &turn.case;
            turn.opened.iter().map(move |task| tasks::Opened {
                task,
                no,
                case: c.id,
                invoice: &c.invoice,
                customer: &c.customer,
            })
        })
        .collect();
    tasks::open(tx, &opened).await?;
    let closed: Vec<&CloseTask> = batch.winners().flat_map(|(_, turn)| turn.closed.iter()).collect();
    tasks::close(tx, &closed).await
}

crate::sql::statements! { ; MOVE, OPEN, APPEND}

//! When a case is looked at next: a row only while it sleeps to a time or has news.

use crate::sql::{Bulk, Query, Tail, args, columns, listed, locked, newest, numbers, texts};
use crate::{CaseNo, Result, Tx};
use recobro_kernel::ids::CustomerId;
use recobro_kernel::time::Timestamp;
use std::collections::BTreeSet;

/// Which goes first when much is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// News: payments, replies, outcomes.
    News,
    /// A time has come.
    Timer,
}

impl Priority {
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::News => 0,
            Self::Timer => 1,
        }
    }
}

/// A wake-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WakeAt {
    /// When.
    pub due_at: Timestamp,
    /// How urgent.
    pub priority: Priority,
}

/// What a turn does to the wake-up of its case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waking {
    /// Sets it or takes it away: the caller has claimed it, so whatever comes meanwhile waits behind its commit.
    Set(Option<WakeAt>),
    /// Sets or takes away the timer: the caller has claimed nothing, and what news have woken meanwhile stays awake.
    Timer(Option<WakeAt>),
    /// As [`Waking::Timer`], where the case had no timer and needs none.
    Keep,
}

/// Moves the wake-ups of cases whose turns were written.
pub(crate) async fn move_on(tx: &mut Tx, rows: &[(CaseNo, Waking)]) -> Result<()> {
    let set: Vec<_> =
        rows.iter().filter_map(|(no, how)| if let Waking::Set(at) = how { Some((*no, *at)) } else { None }).collect();
    put(tx, &set).await?;
    let timers = rows.iter().filter_map(|(no, how)| if let Waking::Timer(at) = how { Some((*no, *at)) } else { None });
    let (on, off): (Vec<_>, Vec<_>) = timers.partition(|(_, at)| at.is_some());
    let on = on.into_iter().filter_map(|(no, at)| at.map(|at| args![no, at.due_at, at.priority.number()]));
    tx.bulk(&SET_TIMER, on.flatten().collect()).await?;
    if !off.is_empty() {
        let off: Vec<CaseNo> = off.into_iter().map(|(no, _)| no).collect();
        tx.run(&END_TIMER, vec![numbers(&off)]).await?;
    }
    Ok(())
}

// Whoever is woken at the earlier instant reads all news that is there.
static SET_TIMER: Bulk = Bulk::new(
    "wake.set_timer",
    columns!(no Int, due_at Int, priority Int),
    Tail::Text(
        "INSERT INTO wake (no, due_at, priority)
         SELECT x.no, x.due_at, x.priority FROM x WHERE x.no IS NOT NULL ORDER BY x.no
         ON CONFLICT (no) DO UPDATE SET due_at = excluded.due_at, priority = excluded.priority
         WHERE wake.priority = 1 OR wake.due_at > excluded.due_at",
    ),
);

const END_TIMER: Query = listed!("wake.end_timer", "DELETE FROM wake WHERE priority = 1 AND no", "");

static SET: Bulk = Bulk::upsert("wake.set", "wake", columns!(no Int, due_at Int, priority Int), "no");

const TAKE_AWAY: Query = listed!("wake.take_away", "DELETE FROM wake WHERE no", "");

/// Sets or takes away the wake-up of cases whose turn wrote nothing.
///
/// # Errors
/// Those of the database.
pub async fn put(tx: &mut Tx, rows: &[(CaseNo, Option<WakeAt>)]) -> Result<()> {
    let set = newest(rows, |row| row.0).filter_map(|(no, wake)| wake.map(|wake| (no, wake)));
    tx.bulk(&SET, set.flat_map(|(no, wake)| args![*no, wake.due_at, wake.priority.number()]).collect()).await?;
    let gone: Vec<CaseNo> = newest(rows, |row| row.0).filter(|row| row.1.is_none()).map(|row| row.0).collect();
    if !gone.is_empty() {
        tx.run(&TAKE_AWAY, vec![numbers(&gone)]).await?;
    }
    Ok(())
}
/// Two probes of `wake_due`.
const NEXT: Query = Query::new(
    "wake.next",
    "SELECT MIN(due_at) FROM (
       SELECT MIN(due_at) AS due_at FROM wake WHERE priority = 0
       UNION ALL SELECT MIN(due_at) AS due_at FROM wake WHERE priority = 1) AS both_kinds LIMIT 1",
);

/// Returns the earliest wake-up of all.
///
/// # Errors
/// Those of the database.
pub async fn next_at(tx: &mut Tx) -> Result<Option<Timestamp>> {
    Ok(tx.row(&NEXT, args![]).await?.map(|mut row| row.next()).transpose()?.flatten())
}

static HASTEN: Bulk = Bulk::new(
    "wake.hasten",
    columns!(no Int, due_at Int),
    Tail::Text(
        "INSERT INTO wake (no, due_at, priority)
         SELECT x.no, MIN(x.due_at), 0 FROM x WHERE x.no IS NOT NULL GROUP BY x.no ORDER BY x.no
         ON CONFLICT (no) DO UPDATE SET priority = 0,
           due_at = CASE WHEN wake.due_at < excluded.due_at THEN wake.due_at ELSE excluded.due_at END",
    ),
);

/// Wakes cases for news at these instants, ahead of timers.
pub(crate) async fn hasten(tx: &mut Tx, rows: &[(CaseNo, Timestamp)]) -> Result<()> {
    // One row per case also within a rung of the ladder's statements; PostgreSQL takes them in order of their numbers.
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    rows.dedup_by_key(|row| row.0);
    tx.bulk(&HASTEN, rows.into_iter().flat_map(|(no, at)| args![no, at]).collect()).await?;
    Ok(())
}

/// By `wake_due`.
const DUE_NEWS: Query = locked!(
    "wake.due_news",
    "SELECT no, due_at FROM wake WHERE priority = 0 AND due_at <= $1 ORDER BY due_at, no LIMIT $2",
    " FOR UPDATE SKIP LOCKED"
);

/// By `wake_due`.
const DUE_TIMERS: Query = locked!(
    "wake.due_timers",
    "SELECT no, due_at FROM wake WHERE priority = 1 AND due_at <= $1 ORDER BY due_at, no LIMIT $2",
    " FOR UPDATE SKIP LOCKED"
);

/// Returns what is due: news first, then timers.
pub(crate) async fn due(tx: &mut Tx, until: Timestamp, limit: i64) -> Result<Vec<(CaseNo, Timestamp)>> {
    let mut rows = tx.rows(&DUE_NEWS, args![until, limit]).await?;
    let news = i64::try_from(rows.len()).unwrap_or(limit);
    if news < limit {
        rows.extend(tx.rows(&DUE_TIMERS, args![until, limit - news]).await?);
    }
    rows.iter_mut().map(|row| Ok((row.next()?, row.next()?))).collect()
}

/// By `cases_customer` and the primary key.
const DUE_OF: Query = listed!(
    "wake.due_of",
    "SELECT wake.no, wake.due_at FROM cases JOIN wake ON wake.no = cases.no WHERE wake.due_at <= $2 AND cases.customer",
    "ORDER BY wake.due_at, wake.no LIMIT $3",
    " FOR UPDATE OF wake SKIP LOCKED"
);

/// Returns what is due of these customers.
pub(crate) async fn due_of(
    tx: &mut Tx,
    customers: &[CustomerId],
    until: Timestamp,
    limit: i64,
) -> Result<Vec<(CaseNo, Timestamp)>> {
    let mut rows = tx.rows(&DUE_OF, args![texts(customers), until, limit]).await?;
    rows.iter_mut().map(|row| Ok((row.next()?, row.next()?))).collect()
}

/// By `cases_customer` and the primary key; also what another worker is deciding.
const UNDECIDED: Query = listed!(
    "wake.undecided",
    "SELECT DISTINCT cases.customer FROM cases JOIN wake ON wake.no = cases.no
     WHERE wake.due_at <= $2 AND cases.customer",
    "ORDER BY cases.customer LIMIT 1000"
);

/// Which of these customers, at most 1,000, have cases that are due by `until` and not decided yet.
///
/// # Errors
/// Those of the database.
pub async fn undecided(tx: &mut Tx, customers: &[CustomerId], until: Timestamp) -> Result<BTreeSet<CustomerId>> {
    let mut rows = tx.rows(&UNDECIDED, args![texts(customers), until]).await?;
    rows.iter_mut().map(crate::sql::Row::next).collect()
}

crate::sql::statements! {TAKE_AWAY, END_TIMER, NEXT, DUE_NEWS, DUE_TIMERS, DUE_OF, UNDECIDED ; SET, SET_TIMER, HASTEN}

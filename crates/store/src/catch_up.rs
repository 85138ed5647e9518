//! What waits for a person after an outage: cases that were taken too late, and the contacts that they ordered.

use crate::sql::{Bulk, Query, args, columns, listed, numbers};
use crate::{CaseNo, Result, Tx, meta};
use recobro_kernel::time::Timestamp;
use std::collections::BTreeSet;

const SINCE: &str = "catch_up.since";
const LATE: &str = "catch_up.late";
const SUPERSEDED: &str = "catch_up.superseded";

/// What an outage left, as far as it was worked off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Cases that were taken too late.
    pub late: i64,
    /// Their steps that gave way to a later one.
    pub superseded: i64,
}

/// By `wake_due`; no more than the limit is counted.
const COUNT_LATE: Query = Query::new(
    "catch_up.count_late",
    "SELECT COUNT(*) FROM (SELECT no FROM wake WHERE priority IN (0, 1) AND due_at < $1 LIMIT $2) AS late LIMIT 1",
);

/// Counts cases whose time came before an instant and that nobody took yet, no further than a limit.
///
/// # Errors
/// Those of the database.
pub async fn late(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<i64> {
    Ok(tx.row(&COUNT_LATE, args![before, limit]).await?.map(|mut row| row.next()).transpose()?.unwrap_or(0))
}

/// By `outbox_ready` and `outbox_held`; no more than the limit of each is counted.
const COUNT_LATE_EFFECTS: Query = Query::new(
    "catch_up.count_late_effects",
    "SELECT COUNT(*) FROM (
       SELECT id FROM (SELECT id FROM outbox WHERE status = 0 AND due_at < $1 ORDER BY due_at, id LIMIT $2) AS ready
       UNION ALL SELECT id FROM (SELECT id FROM outbox WHERE status = 4 ORDER BY id LIMIT $2) AS held) AS late LIMIT 1",
);

/// Counts effects that were ready before an instant and that nobody claimed, with those that wait for a person already,
/// each no further than a limit.
///
/// # Errors
/// Those of the database.
pub async fn late_effects(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<i64> {
    let args = args![before, limit];
    Ok(tx.row(&COUNT_LATE_EFFECTS, args).await?.map(|mut row| row.next()).transpose()?.unwrap_or(0))
}

/// Since when contacts wait for a person; nothing where none need to.
///
/// # Errors
/// Those of the database.
pub async fn since(tx: &mut Tx) -> Result<Option<String>> {
    meta::get(tx, SINCE).await
}

/// From now on contacts of cases that are taken late wait for a person. A new outage counts anew.
///
/// # Errors
/// Those of the database.
pub async fn begin(tx: &mut Tx, at: Timestamp) -> Result<()> {
    meta::put(tx, SINCE, &at.to_string()).await?;
    meta::put(tx, LATE, "0").await?;
    meta::put(tx, SUPERSEDED, "0").await
}

/// Everything late was taken: cases to come are on time again.
///
/// # Errors
/// Those of the database.
pub async fn end(tx: &mut Tx) -> Result<()> {
    meta::forget(tx, SINCE).await
}

/// Adds to what the outage left.
///
/// # Errors
/// Those of the database.
pub async fn count(tx: &mut Tx, more: Totals) -> Result<()> {
    meta::add(tx, LATE, more.late).await?;
    meta::add(tx, SUPERSEDED, more.superseded).await
}

/// What the last outage left.
///
/// # Errors
/// Those of the database.
pub async fn totals(tx: &mut Tx) -> Result<Totals> {
    let number = |text: Option<String>| text.and_then(|text| text.parse().ok()).unwrap_or(0);
    let late = number(meta::get(tx, LATE).await?);
    Ok(Totals { late, superseded: number(meta::get(tx, SUPERSEDED).await?) })
}

static HOLD: Bulk = Bulk::insert("catch_up.hold", "catch_up", columns!(no Int, at Int), "ON CONFLICT DO NOTHING");

/// What these cases order waits for a person.
///
/// # Errors
/// Those of the database.
pub async fn hold(tx: &mut Tx, cases: &[CaseNo], at: Timestamp) -> Result<()> {
    let sorted: BTreeSet<CaseNo> = cases.iter().copied().collect();
    tx.bulk(&HOLD, sorted.into_iter().flat_map(|no| args![no, at]).collect()).await?;
    Ok(())
}

const HELD: Query = listed!("catch_up.held", "SELECT no FROM catch_up WHERE at >= $2 AND no", "ORDER BY no");

/// Which of these cases order what waits for a person: those taken too late at or after an instant.
///
/// # Errors
/// Those of the database.
pub async fn held(tx: &mut Tx, cases: &[CaseNo], since: Timestamp) -> Result<BTreeSet<CaseNo>> {
    tx.rows(&HELD, vec![numbers(cases), since.into()]).await?.iter_mut().map(crate::sql::Row::next).collect()
}

const COUNT: Query = Query::new("catch_up.count", "SELECT COUNT(*) FROM catch_up LIMIT 1");

/// Counts cases that order what waits for a person.
///
/// # Errors
/// Those of the database.
pub async fn cases(tx: &mut Tx) -> Result<i64> {
    Ok(tx.row(&COUNT, args![]).await?.map(|mut row| row.next()).transpose()?.unwrap_or(0))
}

const RELEASE: Query = listed!("catch_up.release", "DELETE FROM catch_up WHERE no", "");
const RELEASE_ALL: Query = Query::new("catch_up.release_all", "DELETE FROM catch_up");

/// These cases are on time again.
///
/// # Errors
/// Those of the database.
pub async fn release(tx: &mut Tx, cases: &[CaseNo]) -> Result<()> {
    tx.run(&RELEASE, vec![numbers(cases)]).await?;
    Ok(())
}

/// All cases are on time again.
///
/// # Errors
/// Those of the database.
pub async fn release_all(tx: &mut Tx) -> Result<()> {
    tx.run(&RELEASE_ALL, args![]).await?;
    end(tx).await
}

crate::sql::statements! {COUNT_LATE, COUNT_LATE_EFFECTS, HELD, COUNT, RELEASE, RELEASE_ALL ; HOLD}

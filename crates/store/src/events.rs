//! News that a case has not taken yet.

use crate::sql::{Bulk, Query, Tail, args, columns, listed, numbers};
use crate::wake;
use crate::{CaseNo, Result, Tx};
use recobro_kernel::ids::EventId;
use recobro_kernel::time::Timestamp;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// One item of news for one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Case.
    pub no: CaseNo,
    /// Id: the dedup key.
    pub id: EventId,
    /// When it happened; its case is woken for this instant.
    pub at: Timestamp,
    /// JSON of `kernel::event::Event`.
    pub body: String,
}
static INSERT: Bulk = Bulk::new(
    "events.insert",
    columns!(ord Int, no Int, id Text, at Int, body Text),
    Tail::Text(
        "INSERT INTO events (no, id, at, body) SELECT x.no, x.id, x.at, x.body FROM x WHERE x.ord IS NOT NULL
         ORDER BY x.ord ON CONFLICT (id) DO NOTHING RETURNING id",
    ),
);

/// Stores news and wakes their cases (no later than the news' instant, ahead of timers). Answers per row whether it
/// was new; a known id changes nothing. Finished cases are woken too: the engine decides.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx, rows: &[NewEvent]) -> Result<Vec<bool>> {
    let args = rows.iter().zip(0_i64..).flat_map(|(e, ord)| args![ord, e.no, e.id, e.at, &e.body]).collect();
    let mut new: BTreeSet<EventId> = BTreeSet::new();
    for mut row in tx.bulk(&INSERT, args).await? {
        new.insert(row.next()?);
    }
    let fresh: Vec<bool> = rows.iter().map(|event| new.remove(&event.id)).collect();
    let woken: Vec<_> = rows.iter().zip(&fresh).filter(|(_, new)| **new).map(|(e, _)| (e.no, e.at)).collect();
    wake::hasten(tx, &woken).await?;
    Ok(fresh)
}
/// By `events_unread`.
const UNREAD: Query = listed!(
    "events.unread",
    "SELECT no, id, at, body FROM events WHERE consumed IS NULL AND at <= $2 AND no",
    "ORDER BY no, seq LIMIT 100000"
);

/// Returns the unread news of cases with an instant at or before `until`, in order of arrival.
///
/// # Errors
/// Those of the database.
pub async fn unread(tx: &mut Tx, nos: &[CaseNo], until: Timestamp) -> Result<BTreeMap<CaseNo, Vec<NewEvent>>> {
    let mut found: BTreeMap<CaseNo, Vec<NewEvent>> = BTreeMap::new();
    for mut row in tx.rows(&UNREAD, vec![numbers(nos), until.into()]).await? {
        let event = NewEvent { no: row.next()?, id: row.next()?, at: row.next()?, body: row.next()? };
        found.entry(event.no).or_default().push(event);
    }
    Ok(found)
}
/// By `events_unread`.
const NEXT_OF: Query = listed!(
    "events.next_of",
    "SELECT no, MIN(at) FROM events WHERE consumed IS NULL AND no",
    "GROUP BY no ORDER BY no"
);

/// Returns for each case the instant of its earliest unread news.
///
/// # Errors
/// Those of the database.
pub async fn next_of(tx: &mut Tx, nos: &[CaseNo]) -> Result<BTreeMap<CaseNo, Timestamp>> {
    let mut rows = tx.rows(&NEXT_OF, vec![numbers(nos)]).await?;
    rows.iter_mut().map(|row| Ok((row.next()?, row.next()?))).collect()
}

static CONSUME: Bulk = Bulk::new(
    "events.consume",
    columns!(id Text, rev Int),
    Tail::Text("UPDATE events SET consumed = x.rev FROM x WHERE events.id = x.id"),
);

/// Marks events as taken by a revision.
pub(crate) async fn consume(tx: &mut Tx, rows: &[(EventId, u64)]) -> Result<()> {
    tx.bulk(&CONSUME, rows.iter().flat_map(|(id, rev)| args![*id, *rev]).collect()).await?;
    Ok(())
}

crate::sql::statements! {UNREAD, NEXT_OF ; INSERT, CONSUME}

//! News as it was received, before anything is made of it.

use crate::sql::{Arg, Bulk, Query, Row, Tail, args, columns, listed, locked, newest, texts};
use crate::{Result, Tx};
use recobro_kernel::ids::Hash;
use recobro_kernel::time::Timestamp;
use std::collections::BTreeMap;

/// One received record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInbound {
    /// Where it came from: `csv`, `mailbox`.
    pub source: String,
    /// `customer`, `invoice`, `payment`, ...
    pub kind: String,
    /// The source's key.
    pub external_id: String,
    /// The normalised record, JSON.
    pub body: String,
    /// Business instant: it is routed when the clock gets there.
    pub at: Timestamp,
    /// Order at one instant: customers, invoices, payments, disputes, promises, replies.
    pub rank: i64,
    /// Of the body: equal to the newest row of the same key means unchanged.
    pub hash: Hash,
}

/// What became of a received record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// New or changed.
    Accepted,
    /// The newest row of the same key says the same.
    Unchanged,
}

/// A stored record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// Row.
    pub id: i64,
    /// Source.
    pub source: String,
    /// Kind.
    pub kind: String,
    /// The source's key.
    pub external_id: String,
    /// From 1, one more per change.
    pub version: i64,
    /// JSON.
    pub body: String,
    /// Business instant.
    pub at: Timestamp,
    /// Order at one instant.
    pub rank: i64,
    /// When it was received (the clock of the run).
    pub received_at: Timestamp,
}

/// A record that could not be routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The record.
    pub inbound: Inbound,
    /// Why.
    pub reason: String,
}

/// A parked record that somebody put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dismissed {
    /// The record, with why it could not be routed.
    pub parked: Parked,
    /// Who put it aside.
    pub by: String,
    /// Why.
    pub why: String,
    /// When.
    pub at: Timestamp,
}
/// By the unique key; a version is one more than the newest of its key.
static NEWEST: Bulk = Bulk::new(
    "inbound.newest",
    columns!(ord Int, source Text, kind Text, external_id Text),
    Tail::Text(
        "SELECT x.ord, i.version, i.hash FROM x JOIN inbound i
           ON i.external_id = x.external_id AND i.kind = x.kind AND i.source = x.source
         WHERE i.version = (SELECT MAX(j.version) FROM inbound j
           WHERE j.external_id = x.external_id AND j.kind = x.kind AND j.source = x.source)
         ORDER BY x.ord LIMIT 1000",
    ),
);

static INSERT: Bulk = Bulk::new(
    "inbound.insert",
    columns!(ord Int, source Text, kind Text, external_id Text, version Int, body Text, at Int, rank Int, hash Bytes,
             received_at Int),
    Tail::Text(
        "INSERT INTO inbound (source, kind, external_id, version, body, at, rank, hash, received_at, state)
         SELECT x.source, x.kind, x.external_id, x.version, x.body, x.at, x.rank, x.hash, x.received_at, 0
         FROM x WHERE x.ord IS NOT NULL ORDER BY x.ord",
    ),
);

/// Rows looked up and written together.
const PIECE: usize = 1_000;

/// Stores a batch; answers row by row. Any size: it is written in pieces.
///
/// # Errors
/// [`crate::Error::Conflict`] if another process stored the same key meanwhile.
pub async fn insert(tx: &mut Tx, rows: &[NewInbound], received_at: Timestamp) -> Result<Vec<Receipt>> {
    let mut receipts = Vec::with_capacity(rows.len());
    for piece in rows.chunks(PIECE) {
        insert_piece(tx, piece, received_at, &mut receipts).await?;
    }
    Ok(receipts)
}
macro_rules! fields {
    () => {
        "id, source, kind, external_id, version, body, at, rank, received_at"
    };
}

/// `2301` is this product's word for "routing" among the database's advisory locks.
const ALONE: Query = Query {
    name: "inbound.alone",
    sqlite: "SELECT 1",
    postgres: "SELECT pg_try_advisory_xact_lock(2301)::INT::BIGINT",
    locking: "SELECT pg_try_advisory_xact_lock(2301)::INT::BIGINT",
};

/// Whether this transaction is the only one that routes, until its end. News are taken in their order by one worker at a
/// time: else a payment could be parked for want of an invoice that another worker is just writing.
///
/// # Errors
/// Those of the database.
pub async fn route_alone(tx: &mut Tx) -> Result<bool> {
    Ok(tx.row(&ALONE, args![]).await?.map(|mut row| row.next::<i64>()).transpose()? == Some(1))
}

/// By `inbound_unrouted`.
const UNROUTED: Query = locked!(
    "inbound.unrouted",
    concat!("SELECT ", fields!(), " FROM inbound WHERE state = 0 AND at <= $1 ORDER BY at, rank, id LIMIT $2"),
    " FOR UPDATE SKIP LOCKED"
);

/// Returns rows to route whose instant is at or before `until`, ordered by instant, rank and arrival.
///
/// On PostgreSQL they stay locked until the commit and rows of other routers are passed over.
///
/// # Errors
/// Those of the database.
pub async fn unrouted(tx: &mut Tx, until: Timestamp, limit: i64) -> Result<Vec<Inbound>> {
    tx.rows(&UNROUTED, args![until, limit]).await?.iter_mut().map(read).collect()
}
const ROUTED: Query =
    listed!("inbound.routed", "UPDATE inbound SET state = 1, moved_at = $2, reason = NULL WHERE id", "");

/// Marks rows as routed.
///
/// # Errors
/// Those of the database.
pub async fn mark_routed(tx: &mut Tx, ids: &[i64], at: Timestamp) -> Result<()> {
    tx.run(&ROUTED, vec![Arg::Ints(ids.to_vec()), at.into()]).await?;
    Ok(())
}
static PARK: Bulk = Bulk::new(
    "inbound.park",
    columns!(id Int, reason Text, at Int),
    Tail::Text("UPDATE inbound SET state = 2, moved_at = x.at, reason = x.reason FROM x WHERE inbound.id = x.id"),
);

/// Parks rows with the reason for people.
///
/// # Errors
/// Those of the database.
pub async fn park(tx: &mut Tx, rows: &[(i64, String)], at: Timestamp) -> Result<()> {
    let rows = newest(rows, |row| row.0).flat_map(|(id, reason)| args![*id, reason, at]).collect();
    tx.bulk(&PARK, rows).await?;
    Ok(())
}
/// By `inbound_reason`.
const UNPARK: Query =
    listed!("inbound.unpark", "UPDATE inbound SET state = 0, reason = NULL WHERE state = 2 AND reason", "");

/// Puts rows that were parked for one of these reasons back to be routed (what they waited for has come).
///
/// # Errors
/// Those of the database.
pub async fn unpark(tx: &mut Tx, reasons: &[String]) -> Result<()> {
    tx.run(&UNPARK, vec![texts(reasons)]).await?;
    Ok(())
}
/// By `inbound_parked`.
const PARKED: Query = Query::new(
    "inbound.parked",
    concat!("SELECT ", fields!(), ", reason FROM inbound WHERE state = 2 AND id > $1 ORDER BY id LIMIT $2"),
);

/// Returns parked rows after a row number, in order of arrival.
///
/// # Errors
/// Those of the database.
pub async fn parked(tx: &mut Tx, after: i64, limit: i64) -> Result<Vec<Parked>> {
    let mut rows = tx.rows(&PARKED, args![after, limit]).await?;
    rows.iter_mut().map(|row| Ok(Parked { inbound: read(row)?, reason: row.next()? })).collect()
}
const DISMISS: Query = Query::new(
    "inbound.dismiss",
    "UPDATE inbound SET state = 3, moved_at = $4, dismissed_by = $2, dismissed_why = $3 WHERE id = $1 AND state = 2",
);

/// Puts a parked row aside for good, with who and why; answers whether it was parked.
///
/// # Errors
/// Those of the database.
pub async fn dismiss(tx: &mut Tx, row: i64, by: &str, why: &str, at: Timestamp) -> Result<bool> {
    Ok(tx.run(&DISMISS, args![row, by, why, at]).await? > 0)
}
/// By `inbound_dismissed`.
const DISMISSED: Query = Query::new(
    "inbound.dismissed",
    concat!(
        "SELECT ",
        fields!(),
        ", reason, dismissed_by, dismissed_why, moved_at FROM inbound WHERE state = 3 AND id > $1 ORDER BY id LIMIT $2"
    ),
);

/// Returns dismissed rows after a row number, in order of arrival.
///
/// # Errors
/// Those of the database.
pub async fn dismissed(tx: &mut Tx, after: i64, limit: i64) -> Result<Vec<Dismissed>> {
    let mut rows = tx.rows(&DISMISSED, args![after, limit]).await?;
    let read = |row: &mut Row| {
        Ok(Dismissed {
            parked: Parked { inbound: read(row)?, reason: row.next()? },
            by: row.next()?,
            why: row.next()?,
            at: row.next()?,
        })
    };
    rows.iter_mut().map(read).collect()
}
/// By `inbound_unrouted`.
const NEXT: Query = Query::new("inbound.next", "SELECT at FROM inbound WHERE state = 0 ORDER BY at, rank, id LIMIT 1");

/// Returns the earliest instant that is not routed yet.
///
/// # Errors
/// Those of the database.
pub async fn next_at(tx: &mut Tx) -> Result<Option<Timestamp>> {
    tx.row(&NEXT, args![]).await?.map(|mut row| row.next()).transpose()
}
/// By `inbound_unrouted`.
const WAITING: Query = Query::new(
    "inbound.waiting",
    "SELECT COUNT(*) FROM (SELECT id FROM inbound WHERE state = 0 AND at <= $1 ORDER BY at, rank, id LIMIT $2) w",
);

/// Counts rows that are due and not routed yet, up to a limit.
///
/// # Errors
/// Those of the database.
pub async fn waiting(tx: &mut Tx, until: Timestamp, limit: i64) -> Result<i64> {
    tx.row(&WAITING, args![until, limit]).await?.map_or(Ok(0), |mut row| row.next())
}
/// By `inbound_unrouted`, from its end: what is dated furthest ahead is what somebody asks about.
const AHEAD: Query = Query::new(
    "inbound.ahead",
    concat!(
        "SELECT ",
        fields!(),
        " FROM (SELECT * FROM inbound WHERE state = 0 ORDER BY at DESC, rank DESC, id DESC LIMIT $2) w
         WHERE kind = $1 ORDER BY at, rank, id"
    ),
);

/// Returns rows of a kind among the last ones that are not routed yet, in order.
///
/// # Errors
/// Those of the database.
pub async fn ahead(tx: &mut Tx, kind: &str, among: i64) -> Result<Vec<Inbound>> {
    tx.rows(&AHEAD, args![kind, among]).await?.iter_mut().map(read).collect()
}
/// By `inbound_parked`.
const PARKED_SINCE: Query =
    Query::new("inbound.parked_since", "SELECT COUNT(*) FROM inbound WHERE state = 2 AND moved_at >= $1");

/// Counts rows that are parked and came there at or after an instant.
///
/// # Errors
/// Those of the database.
pub async fn parked_since(tx: &mut Tx, since: Timestamp) -> Result<i64> {
    tx.row(&PARKED_SINCE, args![since]).await?.map_or(Ok(0), |mut row| row.next())
}
/// By the unique key.
const VERSIONS: Query = listed!(
    "inbound.versions",
    concat!("SELECT ", fields!(), " FROM inbound WHERE kind = $2 AND external_id"),
    "ORDER BY external_id, id LIMIT 100000"
);

/// Returns everything that was ever said about some keys of a kind, in the order in which we learned it.
///
/// # Errors
/// Those of the database.
pub async fn versions(tx: &mut Tx, kind: &str, keys: &[String]) -> Result<Vec<Inbound>> {
    tx.rows(&VERSIONS, vec![texts(keys), kind.into()]).await?.iter_mut().map(read).collect()
}

async fn insert_piece(
    tx: &mut Tx,
    piece: &[NewInbound],
    received_at: Timestamp,
    receipts: &mut Vec<Receipt>,
) -> Result<()> {
    let keys = piece.iter().zip(0_i64..).flat_map(|(row, ord)| args![ord, &row.source, &row.kind, &row.external_id]);
    let mut known: BTreeMap<(&str, &str, &str), (i64, Hash)> = BTreeMap::new();
    for mut found in tx.bulk(&NEWEST, keys.collect()).await? {
        let ord: i64 = found.next()?;
        let row = &piece[usize::try_from(ord).expect("an index that was just made")];
        known.insert(row.key(), (found.next()?, found.next()?));
    }
    let mut fresh = Vec::new();
    for (row, ord) in piece.iter().zip(0_i64..) {
        let version = match known.get(&row.key()) {
            Some((_, hash)) if *hash == row.hash => {
                receipts.push(Receipt::Unchanged);
                continue;
            }
            Some((version, _)) => version + 1,
            None => 1,
        };
        known.insert(row.key(), (version, row.hash));
        receipts.push(Receipt::Accepted);
        fresh.extend(args![
            ord,
            &row.source,
            &row.kind,
            &row.external_id,
            version,
            &row.body,
            row.at,
            row.rank,
            row.hash,
            received_at
        ]);
    }
    tx.bulk(&INSERT, fresh).await?;
    Ok(())
}

impl NewInbound {
    fn key(&self) -> (&str, &str, &str) {
        (&self.external_id, &self.kind, &self.source)
    }
}

fn read(row: &mut Row) -> Result<Inbound> {
    Ok(Inbound {
        id: row.next()?,
        source: row.next()?,
        kind: row.next()?,
        external_id: row.next()?,
        version: row.next()?,
        body: row.next()?,
        at: row.next()?,
        rank: row.next()?,
        received_at: row.next()?,
    })
}

crate::sql::statements! {ALONE, UNROUTED, ROUTED, UNPARK, PARKED, DISMISS, DISMISSED, NEXT, WAITING, AHEAD, PARKED_SINCE, VERSIONS ; NEWEST, INSERT, PARK}

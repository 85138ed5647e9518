//! News as it was received, before anything is made of it.

use crate::{Result, Tx};
use recobro_kernel::ids::Hash;
use recobro_kernel::time::Timestamp;

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

/// Stores a batch; answers row by row. Any size: it is written in pieces.
///
/// # Errors
/// [`crate::Error::Conflict`] if another process stored the same key meanwhile.
pub async fn insert(tx: &mut Tx, rows: &[NewInbound], received_at: Timestamp) -> Result<Vec<Receipt>> { todo!() }

/// Returns rows to route whose instant is at or before `until`, ordered by instant, rank and arrival.
///
/// On PostgreSQL they stay locked until the commit and rows of other routers are passed over.
///
/// # Errors
/// Those of the database.
pub async fn unrouted(tx: &mut Tx, until: Timestamp, limit: i64) -> Result<Vec<Inbound>> { todo!() }

/// Marks rows as routed.
///
/// # Errors
/// Those of the database.
pub async fn mark_routed(tx: &mut Tx, ids: &[i64], at: Timestamp) -> Result<()> { todo!() }

/// Parks rows with the reason for people.
///
/// # Errors
/// Those of the database.
pub async fn park(tx: &mut Tx, rows: &[(i64, String)], at: Timestamp) -> Result<()> { todo!() }

/// Puts parked rows of some keys back to be routed (their customer or invoice came meanwhile).
///
/// # Errors
/// Those of the database.
pub async fn unpark(tx: &mut Tx, ids: &[i64]) -> Result<()> { todo!() }

/// Returns parked rows after a row number, in order of arrival.
///
/// # Errors
/// Those of the database.
pub async fn parked(tx: &mut Tx, after: i64, limit: i64) -> Result<Vec<Parked>> { todo!() }

/// Returns the earliest instant that is not routed yet.
///
/// # Errors
/// Those of the database.
pub async fn next_at(tx: &mut Tx) -> Result<Option<Timestamp>> { todo!() }

/// Whether a row of these kinds with an instant at or before `until` is not routed yet.
///
/// # Errors
/// Those of the database.
pub async fn waits(tx: &mut Tx, kinds: &[&str], until: Timestamp) -> Result<bool> { todo!() }

//! Promises to pay.

use crate::{Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::time::Timestamp;

/// A promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromiseRow {
    /// Id.
    pub id: String,
    /// Source.
    pub source: String,
    /// Customer.
    pub customer: CustomerId,
    /// Invoices it covers, in the order of their due dates.
    pub invoices: Vec<InvoiceId>,
    /// Day it was made.
    pub made_on: NaiveDate,
    /// Day promised.
    pub due_on: NaiveDate,
    /// Last day of grace.
    pub limit_on: NaiveDate,
    /// First instant at which it can be judged.
    pub limit_at: Timestamp,
    /// Amount.
    pub amount_minor: i64,
    /// Paid towards it so far.
    pub paid_minor: i64,
    /// How: `transfer`, ...; empty if not said.
    pub method: String,
    /// Who promised; empty if not said.
    pub by: String,
    /// `open kept partly_kept broken superseded cancelled`.
    pub status: String,
    /// Day it was judged.
    pub judged_on: Option<NaiveDate>,
    /// When we knew.
    pub known_at: Timestamp,
}

/// Writes promises (new ones, superseded ones, judged ones); a known id is overwritten, its invoices stay.
///
/// # Errors
/// Those of the database.
pub async fn upsert(tx: &mut Tx, rows: &[PromiseRow]) -> Result<()> { todo!() }

/// Returns promises by id, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, ids: &[String]) -> Result<Vec<PromiseRow>> { todo!() }

/// Returns open promises that cover one of the invoices, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn open_of(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<Vec<PromiseRow>> { todo!() }

/// Returns open promises whose limit is at or before an instant, ordered by limit and id.
///
/// # Errors
/// Those of the database.
pub async fn due(tx: &mut Tx, until: Timestamp, limit: i64) -> Result<Vec<PromiseRow>> { todo!() }

/// Returns the earliest limit of an open promise.
///
/// # Errors
/// Those of the database.
pub async fn next_at(tx: &mut Tx) -> Result<Option<Timestamp>> { todo!() }

//! Disputes.

use crate::{Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::time::Timestamp;

/// A dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputeRow {
    /// Id.
    pub id: String,
    /// Source.
    pub source: String,
    /// Invoice.
    pub invoice: InvoiceId,
    /// Customer.
    pub customer: CustomerId,
    /// Reason code.
    pub reason: String,
    /// Part under dispute.
    pub amount_minor: i64,
    /// Day opened.
    pub opened_on: NaiveDate,
    /// Day closed.
    pub closed_on: Option<NaiveDate>,
    /// `accepted`, `rejected` or `withdrawn`.
    pub outcome: Option<String>,
    /// When we knew.
    pub known_at: Timestamp,
}

/// Writes disputes (open or closed); a known id is overwritten.
///
/// # Errors
/// Those of the database.
pub async fn upsert(tx: &mut Tx, rows: &[DisputeRow]) -> Result<()> { todo!() }

/// Returns disputes by id, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, ids: &[String]) -> Result<Vec<DisputeRow>> { todo!() }

/// Returns all disputes of invoices, ordered by invoice, day opened and id.
///
/// # Errors
/// Those of the database.
pub async fn of_invoices(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<Vec<DisputeRow>> { todo!() }

/// Returns disputes after an id, open ones only if asked, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx, open: bool, after: &str, limit: i64) -> Result<Vec<DisputeRow>> { todo!() }

//! Invoices that no playbook applies to, with the reason, until one does.

use crate::{Result, Tx};
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::time::Timestamp;

/// An invoice without a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmatchedRow {
    /// Invoice.
    pub invoice: InvoiceId,
    /// Customer.
    pub customer: CustomerId,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// Writes invoices without a playbook; a known one keeps `since`.
///
/// # Errors
/// Those of the database.
pub async fn put(tx: &mut Tx, rows: &[UnmatchedRow]) -> Result<()> { todo!() }

/// Removes invoices that found a playbook or are settled.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<()> { todo!() }

/// Lists them after an invoice id, ordered by it.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx, after: &str, limit: i64) -> Result<Vec<UnmatchedRow>> { todo!() }

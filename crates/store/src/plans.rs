//! Payment plans: the rows that a decision may read. Their life comes with a later part of the product.

use crate::{Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::time::Timestamp;

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRow {
    /// Id.
    pub id: String,
    /// Customer.
    pub customer: CustomerId,
    /// Invoices it covers.
    pub invoices: Vec<InvoiceId>,
    /// Number of instalments.
    pub instalments: i64,
    /// Next due date.
    pub next_due_on: NaiveDate,
    /// `proposed active completed defaulted expired declined`.
    pub status: String,
    /// When we knew.
    pub known_at: Timestamp,
}

/// Writes plans; a known id is overwritten, its invoices stay.
///
/// # Errors
/// Those of the database.
pub async fn upsert(tx: &mut Tx, rows: &[PlanRow]) -> Result<()> { todo!() }

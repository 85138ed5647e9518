//! Payments and what they were allocated to.

use crate::{Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::money::Currency;
use recobro_kernel::time::Timestamp;

/// A payment, a return of one, or a credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRow {
    /// Id.
    pub id: String,
    /// Source.
    pub source: String,
    /// The source's key; with the source it is unique.
    pub external_id: String,
    /// `payment`, `return` or `credit`.
    pub kind: String,
    /// Customer, where known.
    pub customer: Option<CustomerId>,
    /// Invoice it names.
    pub invoice: Option<InvoiceId>,
    /// Currency.
    pub currency: Currency,
    /// Amount; negative for a return.
    pub amount_minor: i64,
    /// Not allocated yet.
    pub unallocated_minor: i64,
    /// Its reference.
    pub reference: String,
    /// Day of the money.
    pub booked_on: NaiveDate,
    /// When we knew.
    pub known_at: Timestamp,
}

/// A part of a payment that settles a part of an invoice; negative for a return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllocationRow {
    /// Payment.
    pub payment: String,
    /// From 1 within the payment.
    pub ordinal: i64,
    /// Invoice.
    pub invoice: InvoiceId,
    /// Amount.
    pub amount_minor: i64,
    /// Day of the money.
    pub booked_on: NaiveDate,
    /// When we knew.
    pub known_at: Timestamp,
}

/// Books payments; answers per row whether it is new (false: its source and key were booked before, nothing written).
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx, rows: &[PaymentRow]) -> Result<Vec<bool>> { todo!() }

/// Books allocations.
///
/// # Errors
/// Those of the database.
pub async fn allocate(tx: &mut Tx, rows: &[AllocationRow]) -> Result<()> { todo!() }

/// Returns allocations to invoices booked on or after a date, ordered by invoice, date and payment.
///
/// # Errors
/// Those of the database.
pub async fn allocations(tx: &mut Tx, invoices: &[InvoiceId], since: NaiveDate) -> Result<Vec<AllocationRow>> { todo!() }

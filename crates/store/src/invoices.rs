//! Invoices and their balances.

use crate::{Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::money::Currency;
use recobro_kernel::time::Timestamp;
use std::collections::BTreeMap;

/// An invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceRow {
    /// Id.
    pub id: InvoiceId,
    /// Customer.
    pub customer: CustomerId,
    /// Source.
    pub source: String,
    /// Printed number.
    pub number: String,
    /// Creditor entity, empty for the only one.
    pub creditor: String,
    /// What was sold.
    pub product: String,
    /// Currency of every amount here.
    pub currency: Currency,
    /// Date of issue.
    pub issued_on: NaiveDate,
    /// Date due.
    pub due_on: NaiveDate,
    /// Original amount.
    pub amount_minor: i64,
    /// Principal open.
    pub balance_minor: i64,
    /// Interest and fixed sums.
    pub charges_minor: i64,
    /// Under dispute.
    pub disputed_minor: i64,
    /// Agreed retention.
    pub retained_minor: i64,
    /// Due later by a plan.
    pub not_due_minor: i64,
    /// Day of the last payment.
    pub last_payment_on: Option<NaiveDate>,
    /// Payment reference.
    pub reference: String,
    /// `credit`, `cancelled` or `written_off`.
    pub closed: Option<String>,
    /// Defaults taken at the import.
    pub defaults: Vec<String>,
    /// Day it was booked at the source.
    pub booked_on: NaiveDate,
    /// When we knew.
    pub known_at: Timestamp,
}

/// Writes invoices whole, balances included; a known id is overwritten. Read with [`get`] first what must be kept.
///
/// # Errors
/// Those of the database.
pub async fn upsert(tx: &mut Tx, rows: &[InvoiceRow]) -> Result<()> { todo!() }

/// Returns invoices by id; unknown ids are missing in the answer.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, ids: &[InvoiceId]) -> Result<BTreeMap<InvoiceId, InvoiceRow>> { todo!() }

/// Returns invoices by printed number, ordered by id; a number may name several.
///
/// # Errors
/// Those of the database.
pub async fn by_number(tx: &mut Tx, numbers: &[String]) -> Result<Vec<InvoiceRow>> { todo!() }

/// Returns invoices of customers that are still owed, ordered by customer, due date and id.
///
/// # Errors
/// Those of the database.
pub async fn open_of(tx: &mut Tx, customers: &[CustomerId]) -> Result<Vec<InvoiceRow>> { todo!() }

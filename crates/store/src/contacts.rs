//! The contact ledger and its budget rows: who was contacted when, by which channel. Unknown outcomes count.

use crate::{CaseNo, Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::ids::{CustomerId, GroupId, InvoiceId};
use recobro_kernel::time::Timestamp;
use std::collections::BTreeMap;

/// One contact made or about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactRow {
    /// Effect id, or task id for a call.
    pub id: String,
    /// Customer.
    pub customer: CustomerId,
    /// Invoice.
    pub invoice: InvoiceId,
    /// Case.
    pub no: CaseNo,
    /// Channel.
    pub channel: String,
    /// Class.
    pub class: String,
    /// Stage of its step.
    pub stage: String,
    /// Step.
    pub step: String,
    /// Group.
    pub group: GroupId,
    /// When.
    pub at: Timestamp,
    /// Date at the customer's place.
    pub local_on: NaiveDate,
    /// `claimed`, `sent` or `unknown`.
    pub state: String,
    /// Somebody was talked to.
    pub talk: bool,
}

/// Locks the budget rows of customers until the end of the transaction, in order of id. Nothing to do on SQLite.
///
/// # Errors
/// Those of the database.
pub async fn lock_budget(tx: &mut Tx, customers: &[CustomerId]) -> Result<()> { todo!() }

/// Inserts contacts in the claim transaction; a known id is overwritten (a later try moves its time).
///
/// # Errors
/// Those of the database.
pub async fn put(tx: &mut Tx, rows: &[ContactRow]) -> Result<()> { todo!() }

/// Deletes contacts that did not leave.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx, ids: &[String]) -> Result<()> { todo!() }

/// Sets the state of contacts.
///
/// # Errors
/// Those of the database.
pub async fn mark(tx: &mut Tx, ids: &[String], state: &str) -> Result<()> { todo!() }

/// Returns contacts of customers at or after an instant, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn since(tx: &mut Tx, customers: &[CustomerId], since: Timestamp) -> Result<BTreeMap<CustomerId, Vec<ContactRow>>> { todo!() }

/// Returns all contacts after an instant and id, ordered by instant and id.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx, after: (Timestamp, &str), limit: i64) -> Result<Vec<ContactRow>> { todo!() }

//! Cases: the claim, and the lists people read.

use crate::{CaseNo, Result, Tx};
use recobro_kernel::case::Status;
use recobro_kernel::ids::{CaseId, CustomerId, Hash, InvoiceId};
use recobro_kernel::time::Timestamp;
use std::collections::BTreeMap;

/// A claimed case: what a turn starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Number.
    pub no: CaseNo,
    /// Id.
    pub id: CaseId,
    /// Invoice.
    pub invoice: InvoiceId,
    /// Customer.
    pub customer: CustomerId,
    /// Pinned logic.
    pub bundle: Hash,
    /// Pinned templates.
    pub content: Hash,
    /// Revision.
    pub rev: u64,
    /// Hash of its last history row.
    pub head: Hash,
    /// The snapshot, JSON of `kernel::case::Case`.
    pub state: String,
    /// The instant it was woken for; nothing for a case loaded by id.
    pub due_at: Option<Timestamp>,
}

/// A case in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseRow {
    /// Number; also the key for `after`.
    pub no: CaseNo,
    /// Id.
    pub id: CaseId,
    /// Invoice.
    pub invoice: InvoiceId,
    /// Customer.
    pub customer: CustomerId,
    /// Playbook.
    pub playbook: String,
    /// Its version.
    pub version: u32,
    /// Revision.
    pub rev: u64,
    /// Status.
    pub status: Status,
    /// Outcome.
    pub outcome: Option<String>,
    /// Stage.
    pub stage: String,
    /// Step.
    pub step: String,
    /// Next look.
    pub next_at: Option<Timestamp>,
    /// Why then.
    pub next_reason: String,
    /// When it entered.
    pub entered_at: Timestamp,
    /// When it moved last.
    pub moved_at: Timestamp,
}

/// Which cases to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Status.
    pub status: Option<Status>,
    /// Playbook.
    pub playbook: Option<String>,
    /// Customer.
    pub customer: Option<CustomerId>,
    /// Invoice.
    pub invoice: Option<InvoiceId>,
    /// Outcome.
    pub outcome: Option<String>,
}

/// Claims cases to wake at or before `until`: news first, then timers, each ordered by time; at most `limit`.
///
/// Their wake rows stay until [`crate::commit::commit_turns`] or [`crate::wake::put`] moves them. On PostgreSQL they
/// are locked until the end of the transaction and rows of other workers are passed over.
///
/// # Errors
/// Those of the database.
pub async fn claim_due(tx: &mut Tx, until: Timestamp, limit: i64) -> Result<Vec<Claimed>> { todo!() }

/// Loads cases by number, ordered by number (locked on PostgreSQL in a write transaction).
///
/// # Errors
/// Those of the database.
pub async fn load(tx: &mut Tx, nos: &[CaseNo]) -> Result<Vec<Claimed>> { todo!() }

/// Loads one case by id.
///
/// # Errors
/// Those of the database.
pub async fn by_id(tx: &mut Tx, id: CaseId) -> Result<Option<Claimed>> { todo!() }

/// Returns the open case of each invoice that has one.
///
/// # Errors
/// Those of the database.
pub async fn open_of(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<BTreeMap<InvoiceId, (CaseNo, CaseId)>> { todo!() }

/// Returns the newest case of each invoice, open or finished: what news that come after the end go to.
///
/// # Errors
/// Those of the database.
pub async fn latest_of(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<BTreeMap<InvoiceId, (CaseNo, CaseId)>> { todo!() }

/// Returns the open cases of customers, ordered by customer and number.
///
/// # Errors
/// Those of the database.
pub async fn open_of_customers(tx: &mut Tx, customers: &[CustomerId]) -> Result<Vec<(CustomerId, CaseNo, CaseId)>> { todo!() }

/// Returns how many cases an invoice ever had: the ordinal of the next one's id.
///
/// # Errors
/// Those of the database.
pub async fn count_of(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<BTreeMap<InvoiceId, i64>> { todo!() }

/// Lists cases after a number, ordered by number.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx, filter: &Filter, after: CaseNo, limit: i64) -> Result<Vec<CaseRow>> { todo!() }

/// Returns how many cases are open.
///
/// # Errors
/// Those of the database.
pub async fn count_open(tx: &mut Tx) -> Result<i64> { todo!() }

//! Work for people, and their answers to approvals.

use crate::{CaseNo, Result, Tx};
use recobro_kernel::ids::{CaseId, CustomerId, Hash, InvoiceId, TaskId};
use recobro_kernel::time::Timestamp;

/// Work that a turn opens; its case is the turn's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTask {
    /// Id.
    pub id: TaskId,
    /// `call`, `task`, `approve` or `fix`.
    pub kind: String,
    /// What is to be done.
    pub subject: String,
    /// Stage of its step.
    pub stage: String,
    /// Step.
    pub step: String,
    /// Role or person.
    pub assignee: String,
    /// Persons who must all answer.
    pub by: Vec<String>,
    /// Answers it accepts.
    pub outcomes: Vec<String>,
    /// Hash of what the person is shown.
    pub seen: Hash,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Its limit.
    pub limit_at: Option<Timestamp>,
}

/// Work that a turn closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseTask {
    /// Id.
    pub id: TaskId,
    /// `timed_out`, `paid`, ...; the outcome where a person answered.
    pub outcome: String,
    /// When.
    pub at: Timestamp,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRow {
    /// As opened.
    pub task: OpenTask,
    /// Case.
    pub no: CaseNo,
    /// Its id.
    pub case: CaseId,
    /// Invoice.
    pub invoice: InvoiceId,
    /// Customer.
    pub customer: CustomerId,
    /// Outcome; nothing while it is open.
    pub outcome: Option<String>,
    /// Who answered: `person:ana`; nothing where a turn closed it.
    pub closed_by: Option<String>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

/// Which tasks to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only open ones.
    pub open: bool,
    /// Kind.
    pub kind: Option<String>,
    /// Role or person.
    pub assignee: Option<String>,
    /// Case.
    pub no: Option<CaseNo>,
    /// Customer.
    pub customer: Option<CustomerId>,
}

/// Lists tasks after an opening time and id, ordered by them.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx, filter: &Filter, after: Option<(Timestamp, TaskId)>, limit: i64) -> Result<Vec<TaskRow>> { todo!() }

/// Returns one task.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, id: TaskId) -> Result<Option<TaskRow>> { todo!() }

/// A person's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Task.
    pub id: TaskId,
    /// Outcome.
    pub outcome: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Closes open tasks by people's answers; answers per row whether it was open. The event for the case is the caller's.
///
/// # Errors
/// Those of the database.
pub async fn answer(tx: &mut Tx, rows: &[Answer]) -> Result<Vec<bool>> { todo!() }

/// One person's word on an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRow {
    /// Task.
    pub task: TaskId,
    /// Person.
    pub person: String,
    /// Hash they named.
    pub seen: Hash,
    /// `approved` or `rejected`.
    pub decision: String,
    /// When.
    pub at: Timestamp,
}

/// Keeps a word on an approval; false if that person has spoken already.
///
/// # Errors
/// Those of the database.
pub async fn approve(tx: &mut Tx, row: &ApprovalRow) -> Result<bool> { todo!() }

/// Returns the words on an approval, ordered by person.
///
/// # Errors
/// Those of the database.
pub async fn approvals(tx: &mut Tx, task: TaskId) -> Result<Vec<ApprovalRow>> { todo!() }

/// Counts open tasks by kind, ordered by kind.
///
/// # Errors
/// Those of the database.
pub async fn count_open(tx: &mut Tx) -> Result<Vec<(String, i64)>> { todo!() }

//! Work for people, and their answers to approvals.

use crate::sql::{Bulk, Query, Row, Tail, args, columns, newest};
use crate::{CaseNo, Result, Tx};
use recobro_kernel::ids::{CaseId, CustomerId, GroupId, Hash, InvoiceId, TaskId};
use recobro_kernel::time::Timestamp;
use std::collections::BTreeSet;

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
    /// What it is done with in one go: open work of the same name, of other cases of the customer.
    pub together: Option<GroupId>,
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
macro_rules! fields {
    () => {
        "id, kind, subject, stage, step, assignee, by, outcomes, seen, opened_at, limit_at, together, no, case_id, invoice, \
         customer, outcome, closed_by, closed_at"
    };
}

macro_rules! listing {
    ($name:literal, $open:literal) => {
        Query::new(
            $name,
            concat!(
                "SELECT ",
                fields!(),
                " FROM tasks WHERE ",
                $open,
                " AND (opened_at > $1 OR (opened_at = $1 AND id > $2)) AND (kind = $3 OR $3 IS NULL) \
                 AND (assignee = $4 OR $4 IS NULL) AND (no = $5 OR $5 IS NULL) AND (customer = $6 OR $6 IS NULL) \
                 ORDER BY opened_at, id LIMIT $7"
            ),
        )
    };
}

/// By `tasks_opened`.
const LIST: Query = listing!("tasks.list", "closed IN (0, 1)");

/// By `tasks_open`.
const LIST_OPEN: Query = listing!("tasks.list_open", "closed = 0");

/// By `tasks_case`.
const LIST_OF_CASE: Query = Query::new(
    "tasks.list_of_case",
    concat!(
        "SELECT ",
        fields!(),
        " FROM tasks WHERE no = $5 AND ($8 = 0 OR closed = 0) \
         AND (opened_at > $1 OR (opened_at = $1 AND id > $2)) AND (kind = $3 OR $3 IS NULL) \
         AND (assignee = $4 OR $4 IS NULL) AND (customer = $6 OR $6 IS NULL) ORDER BY opened_at, id LIMIT $7"
    ),
);

/// Lists tasks after an opening time and id, ordered by them.
///
/// # Errors
/// Those of the database.
pub async fn list(
    tx: &mut Tx,
    filter: &Filter,
    after: Option<(Timestamp, TaskId)>,
    limit: i64,
) -> Result<Vec<TaskRow>> {
    let (at, id) = after.map_or((Timestamp::from_us(i64::MIN), String::new()), |(at, id)| (at, id.to_string()));
    let mut args =
        args![at, id, filter.kind.as_ref(), filter.assignee.as_ref(), filter.no, filter.customer.as_ref(), limit];
    let query = match (filter.no, filter.open) {
        (Some(_), open) => {
            args.push(open.into());
            &LIST_OF_CASE
        }
        (None, true) => &LIST_OPEN,
        (None, false) => &LIST,
    };
    tx.rows(query, args).await?.iter_mut().map(read).collect()
}
const GET: Query =
    Query::new("tasks.get", concat!("SELECT ", fields!(), " FROM tasks WHERE id = $1 ORDER BY id LIMIT 1"));

/// Returns one task.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, id: TaskId) -> Result<Option<TaskRow>> {
    tx.row(&GET, args![id]).await?.as_mut().map(read).transpose()
}

/// By `tasks_together`.
const TOGETHER: Query = Query::new(
    "tasks.together",
    concat!("SELECT ", fields!(), " FROM tasks WHERE closed = 0 AND together = $1 ORDER BY opened_at, id LIMIT 1000"),
);

/// Returns the open work that is done in one go, at most 1,000, the oldest first.
///
/// # Errors
/// Those of the database.
pub async fn open_together(tx: &mut Tx, together: GroupId) -> Result<Vec<TaskRow>> {
    tx.rows(&TOGETHER, args![together]).await?.iter_mut().map(read).collect()
}

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
static ANSWER: Bulk = Bulk::new(
    "tasks.answer",
    columns!(id Text, outcome Text, closed_by Text, closed_at Int),
    Tail::Text(
        "UPDATE tasks SET closed = 1, outcome = x.outcome, closed_by = x.closed_by, closed_at = x.closed_at
         FROM x WHERE tasks.id = x.id AND tasks.closed = 0 RETURNING tasks.id",
    ),
);

/// Closes open tasks by people's answers; answers per row whether it was open. The event for the case is the caller's.
///
/// # Errors
/// Those of the database.
pub async fn answer(tx: &mut Tx, rows: &[Answer]) -> Result<Vec<bool>> {
    let args = newest(rows, |row| row.id).flat_map(|a| args![a.id, &a.outcome, &a.by, a.at]).collect();
    let mut closed: BTreeSet<TaskId> = BTreeSet::new();
    for mut row in tx.bulk(&ANSWER, args).await? {
        closed.insert(row.next()?);
    }
    Ok(rows.iter().map(|row| closed.remove(&row.id)).collect())
}

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
const APPROVE: Query = Query::new(
    "tasks.approve",
    "INSERT INTO approvals (task, person, seen, decision, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
);

/// Keeps a word on an approval; false if that person has spoken already.
///
/// # Errors
/// Those of the database.
pub async fn approve(tx: &mut Tx, row: &ApprovalRow) -> Result<bool> {
    Ok(tx.run(&APPROVE, args![row.task, &row.person, row.seen, &row.decision, row.at]).await? == 1)
}
const APPROVALS: Query = Query::new(
    "tasks.approvals",
    "SELECT task, person, seen, decision, at FROM approvals WHERE task = $1 ORDER BY person LIMIT 100",
);

/// Returns the words on an approval, ordered by person.
///
/// # Errors
/// Those of the database.
pub async fn approvals(tx: &mut Tx, task: TaskId) -> Result<Vec<ApprovalRow>> {
    let mut rows = tx.rows(&APPROVALS, args![task]).await?;
    rows.iter_mut()
        .map(|row| {
            Ok(ApprovalRow {
                task: row.next()?,
                person: row.next()?,
                seen: row.next()?,
                decision: row.next()?,
                at: row.next()?,
            })
        })
        .collect()
}
/// By `tasks_open`.
const COUNT_OPEN: Query = Query::new(
    "tasks.count_open",
    "SELECT kind, COUNT(*) FROM tasks WHERE closed = 0 GROUP BY kind ORDER BY kind LIMIT 100",
);

/// Counts open tasks by kind, ordered by kind.
///
/// # Errors
/// Those of the database.
pub async fn count_open(tx: &mut Tx) -> Result<Vec<(String, i64)>> {
    tx.rows(&COUNT_OPEN, args![]).await?.iter_mut().map(|row| Ok((row.next()?, row.next()?))).collect()
}

/// Work with the case it belongs to.
pub(crate) struct Opened<'a> {
    pub(crate) task: &'a OpenTask,
    pub(crate) no: CaseNo,
    pub(crate) case: CaseId,
    pub(crate) invoice: &'a InvoiceId,
    pub(crate) customer: &'a CustomerId,
}

static OPEN: Bulk = Bulk::insert(
    "tasks.open",
    "tasks",
    columns!(id Text, no Int, case_id Text, invoice Text, customer Text, kind Text, subject Text, stage Text, step Text,
             assignee Text, by Text, outcomes Text, seen Bytes, opened_at Int, limit_at Int, together Text, closed Int),
    "ON CONFLICT DO NOTHING",
);

/// Opens work; a known id changes nothing.
pub(crate) async fn open(tx: &mut Tx, rows: &[Opened<'_>]) -> Result<()> {
    let rows = rows.iter().flat_map(|o| {
        let t = o.task;
        args![
            t.id,
            o.no,
            o.case,
            o.invoice,
            o.customer,
            &t.kind,
            &t.subject,
            &t.stage,
            &t.step,
            &t.assignee,
            &t.by,
            &t.outcomes,
            t.seen,
            t.opened_at,
            t.limit_at,
            t.together,
            false
        ]
    });
    tx.bulk(&OPEN, rows.collect()).await?;
    Ok(())
}

static CLOSE: Bulk = Bulk::new(
    "tasks.close",
    columns!(id Text, outcome Text, closed_at Int),
    Tail::Text(
        "UPDATE tasks SET closed = 1, outcome = x.outcome, closed_at = x.closed_at
         FROM x WHERE tasks.id = x.id AND tasks.closed = 0",
    ),
);

/// Closes work that is open; what a person has answered stays as it is.
pub(crate) async fn close(tx: &mut Tx, rows: &[&CloseTask]) -> Result<()> {
    tx.bulk(&CLOSE, newest(rows, |row| row.id).flat_map(|c| args![c.id, &c.outcome, c.at]).collect()).await?;
    Ok(())
}

fn read(row: &mut Row) -> Result<TaskRow> {
    Ok(TaskRow {
        task: OpenTask {
            id: row.next()?,
            kind: row.next()?,
            subject: row.next()?,
            stage: row.next()?,
            step: row.next()?,
            assignee: row.next()?,
            by: row.next_json()?,
            outcomes: row.next_json()?,
            seen: row.next()?,
            opened_at: row.next()?,
            limit_at: row.next()?,
            together: row.next()?,
        },
        no: row.next()?,
        case: row.next()?,
        invoice: row.next()?,
        customer: row.next()?,
        outcome: row.next()?,
        closed_by: row.next()?,
        closed_at: row.next()?,
    })
}

crate::sql::statements! {LIST, LIST_OPEN, LIST_OF_CASE, GET, TOGETHER, APPROVE, APPROVALS, COUNT_OPEN ; ANSWER, OPEN, CLOSE}

//! Disputes.

use crate::sql::{Bulk, Query, Row, args, columns, listed, locked, newest, texts};
use crate::{Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::time::Timestamp;
use std::collections::BTreeMap;

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
    /// Who answers it on our side.
    pub owner: Option<String>,
    /// Day by which it is to be answered.
    pub answer_by: Option<NaiveDate>,
    /// What credit notes have answered it with.
    pub credited_minor: i64,
    /// Accepted, and the rest of its credit is still to come.
    pub awaits_credit: bool,
    /// First instant after the day of the answer, while nobody was told of it.
    pub overdue_at: Option<Timestamp>,
}
static UPSERT: Bulk = Bulk::upsert(
    "disputes.upsert",
    "disputes",
    columns!(id Text, source Text, invoice Text, customer Text, reason Text, amount_minor Int, opened_on Text,
             closed_on Text, outcome Text, known_at Int, owner Text, answer_by Text, credited_minor Int,
             awaits_credit Int, overdue_at Int),
    "id",
);

/// Writes disputes (open or closed); a known id is overwritten.
///
/// # Errors
/// Those of the database.
pub async fn upsert(tx: &mut Tx, rows: &[DisputeRow]) -> Result<()> {
    let rows = newest(rows, |row| &row.id).flat_map(|d| {
        args![
            &d.id,
            &d.source,
            &d.invoice,
            &d.customer,
            &d.reason,
            d.amount_minor,
            d.opened_on,
            d.closed_on,
            d.outcome.as_ref(),
            d.known_at,
            d.owner.as_ref(),
            d.answer_by,
            d.credited_minor,
            d.awaits_credit,
            d.overdue_at
        ]
    });
    tx.bulk(&UPSERT, rows.collect()).await?;
    Ok(())
}
macro_rules! fields {
    () => {
        "id, source, invoice, customer, reason, amount_minor, opened_on, closed_on, outcome, known_at, owner, \
         answer_by, credited_minor, awaits_credit, overdue_at"
    };
}

const GET: Query = listed!("disputes.get", concat!("SELECT ", fields!(), " FROM disputes WHERE id"), "ORDER BY id");

/// Returns disputes by id, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, ids: &[String]) -> Result<Vec<DisputeRow>> {
    tx.rows(&GET, vec![texts(ids)]).await?.iter_mut().map(read).collect()
}
/// By `disputes_invoice`.
const OF_INVOICES: Query = listed!(
    "disputes.of_invoices",
    concat!("SELECT ", fields!(), " FROM disputes WHERE invoice"),
    "ORDER BY invoice, opened_on, id LIMIT 100000"
);

/// Returns all disputes of invoices, ordered by invoice, day opened and id.
///
/// # Errors
/// Those of the database.
pub async fn of_invoices(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<Vec<DisputeRow>> {
    tx.rows(&OF_INVOICES, vec![texts(invoices)]).await?.iter_mut().map(read).collect()
}
const LIST: Query = Query::new(
    "disputes.list",
    concat!(
        "SELECT ",
        fields!(),
        " FROM disputes WHERE id > $1 AND ($2 = 0 OR closed_on IS NULL) ORDER BY id LIMIT $3"
    ),
);

/// Returns disputes after an id, open ones only if asked, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx, open: bool, after: &str, limit: i64) -> Result<Vec<DisputeRow>> {
    tx.rows(&LIST, args![after, open, limit]).await?.iter_mut().map(read).collect()
}

/// The window holds one row per invoice of the list.
const LATEST_OF: Query = listed!(
    "disputes.latest_of",
    concat!(
        "SELECT ",
        fields!(),
        " FROM (SELECT ",
        fields!(),
        ", ROW_NUMBER() OVER (PARTITION BY invoice ORDER BY opened_on DESC, known_at DESC, id DESC) AS place
           FROM disputes WHERE invoice"
    ),
    ") AS ranked WHERE place = 1 ORDER BY invoice"
);

/// Returns the latest dispute of each invoice that ever had one.
///
/// # Errors
/// Those of the database.
pub async fn latest_of(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<BTreeMap<InvoiceId, DisputeRow>> {
    let mut rows = tx.rows(&LATEST_OF, vec![texts(invoices)]).await?;
    rows.iter_mut().map(|row| read(row).map(|d| (d.invoice.clone(), d))).collect()
}

/// An id, or the source's own id of it.
const NAMED: Query = Query::new(
    "disputes.named",
    concat!("SELECT ", fields!(), " FROM disputes WHERE id = $1 OR id = source || ':' || $1 ORDER BY id LIMIT 10"),
);

/// Returns the disputes that a person may mean by an id: the whole one, or the part that their source gave.
///
/// # Errors
/// Those of the database.
pub async fn named(tx: &mut Tx, name: &str) -> Result<Vec<DisputeRow>> {
    tx.rows(&NAMED, args![name]).await?.iter_mut().map(read).collect()
}

/// By `disputes_overdue`.
const OVERDUE: Query = locked!(
    "disputes.overdue",
    concat!("SELECT ", fields!(), " FROM disputes WHERE overdue_at <= $1 ORDER BY overdue_at, id LIMIT $2"),
    " FOR UPDATE SKIP LOCKED"
);

/// Returns disputes whose day of answer is over at an instant and nobody was told, ordered by that day.
///
/// # Errors
/// Those of the database.
pub async fn overdue(tx: &mut Tx, until: Timestamp, limit: i64) -> Result<Vec<DisputeRow>> {
    tx.rows(&OVERDUE, args![until, limit]).await?.iter_mut().map(read).collect()
}

/// By `disputes_overdue`.
const NEXT: Query = Query::new(
    "disputes.next",
    "SELECT overdue_at FROM disputes WHERE overdue_at IS NOT NULL ORDER BY overdue_at, id LIMIT 1",
);

/// Returns the first instant at which a dispute is overdue.
///
/// # Errors
/// Those of the database.
pub async fn next_at(tx: &mut Tx) -> Result<Option<Timestamp>> {
    tx.row(&NEXT, args![]).await?.map(|mut row| row.next()).transpose()
}

fn read(row: &mut Row) -> Result<DisputeRow> {
    Ok(DisputeRow {
        id: row.next()?,
        source: row.next()?,
        invoice: row.next()?,
        customer: row.next()?,
        reason: row.next()?,
        amount_minor: row.next()?,
        opened_on: row.next()?,
        closed_on: row.next()?,
        outcome: row.next()?,
        known_at: row.next()?,
        owner: row.next()?,
        answer_by: row.next()?,
        credited_minor: row.next()?,
        awaits_credit: row.next()?,
        overdue_at: row.next()?,
    })
}

crate::sql::statements! {GET, OF_INVOICES, LIST, LATEST_OF, NAMED, OVERDUE, NEXT ; UPSERT}

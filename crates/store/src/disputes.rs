//! Disputes.

use crate::sql::{Bulk, Query, Row, args, columns, listed, newest, texts};
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
}
static UPSERT: Bulk = Bulk::upsert(
    "disputes.upsert",
    "disputes",
    columns!(id Text, source Text, invoice Text, customer Text, reason Text, amount_minor Int, opened_on Text,
             closed_on Text, outcome Text, known_at Int),
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
            d.known_at
        ]
    });
    tx.bulk(&UPSERT, rows.collect()).await?;
    Ok(())
}
macro_rules! fields {
    () => {
        "id, source, invoice, customer, reason, amount_minor, opened_on, closed_on, outcome, known_at"
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
    "SELECT id, source, invoice, customer, reason, amount_minor, opened_on, closed_on, outcome, known_at
     FROM (SELECT id, source, invoice, customer, reason, amount_minor, opened_on, closed_on, outcome, known_at,
             ROW_NUMBER() OVER (PARTITION BY invoice ORDER BY opened_on DESC, known_at DESC, id DESC) AS place
           FROM disputes WHERE invoice",
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
    })
}

crate::sql::statements! {GET, OF_INVOICES, LIST, LATEST_OF ; UPSERT}

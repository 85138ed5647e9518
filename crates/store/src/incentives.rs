//! Discounts for paying early.

use crate::sql::{Bulk, Query, Row, args, columns, listed, locked, newest, texts};
use crate::{Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::time::Timestamp;

/// An incentive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncentiveRow {
    /// Id.
    pub id: String,
    /// Source.
    pub source: String,
    /// Invoice.
    pub invoice: InvoiceId,
    /// Customer.
    pub customer: CustomerId,
    /// Percentage, where one was said.
    pub percent: Option<String>,
    /// The discount.
    pub amount_minor: i64,
    /// Day it was offered.
    pub opened_on: NaiveDate,
    /// Last day to pay.
    pub until_on: NaiveDate,
    /// First instant after it, while the offer is open.
    pub expires_at: Option<Timestamp>,
    /// Why.
    pub reason: String,
    /// `open`, `taken` or `expired`.
    pub status: String,
    /// Day of the payment that took it.
    pub taken_on: Option<NaiveDate>,
    /// When we knew.
    pub known_at: Timestamp,
}
static UPSERT: Bulk = Bulk::upsert(
    "incentives.upsert",
    "incentives",
    columns!(id Text, source Text, invoice Text, customer Text, percent Text, amount_minor Int, opened_on Text,
             until_on Text, expires_at Int, reason Text, status Text, taken_on Text, known_at Int),
    "id",
);

/// Writes incentives; a known id is overwritten.
///
/// # Errors
/// Those of the database.
pub async fn upsert(tx: &mut Tx, rows: &[IncentiveRow]) -> Result<()> {
    let rows = newest(rows, |row| &row.id).flat_map(|i| {
        args![
            &i.id,
            &i.source,
            &i.invoice,
            &i.customer,
            i.percent.as_ref(),
            i.amount_minor,
            i.opened_on,
            i.until_on,
            i.expires_at,
            &i.reason,
            &i.status,
            i.taken_on,
            i.known_at
        ]
    });
    tx.bulk(&UPSERT, rows.collect()).await?;
    Ok(())
}

macro_rules! fields {
    () => {
        "id, source, invoice, customer, percent, amount_minor, opened_on, until_on, expires_at, reason, status, \
         taken_on, known_at"
    };
}

/// By `incentives_invoice`.
const OF_INVOICES: Query = listed!(
    "incentives.of_invoices",
    concat!("SELECT ", fields!(), " FROM incentives WHERE invoice"),
    "ORDER BY invoice, opened_on, id LIMIT 100000"
);

/// Returns all incentives of invoices, ordered by invoice, day and id.
///
/// # Errors
/// Those of the database.
pub async fn of_invoices(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<Vec<IncentiveRow>> {
    tx.rows(&OF_INVOICES, vec![texts(invoices)]).await?.iter_mut().map(read).collect()
}

const LIST: Query = Query::new(
    "incentives.list",
    concat!(
        "SELECT ",
        fields!(),
        " FROM incentives WHERE id > $1 AND ($2 = 0 OR status = 'open') ORDER BY id LIMIT $3"
    ),
);

/// Returns incentives after an id, open ones only if asked, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx, open: bool, after: &str, limit: i64) -> Result<Vec<IncentiveRow>> {
    tx.rows(&LIST, args![after, open, limit]).await?.iter_mut().map(read).collect()
}

/// By `incentives_expire`.
const DUE: Query = locked!(
    "incentives.due",
    concat!("SELECT ", fields!(), " FROM incentives WHERE expires_at <= $1 ORDER BY expires_at, id LIMIT $2"),
    " FOR UPDATE SKIP LOCKED"
);

/// Returns open incentives whose last day is over at an instant, ordered by that day.
///
/// # Errors
/// Those of the database.
pub async fn due(tx: &mut Tx, until: Timestamp, limit: i64) -> Result<Vec<IncentiveRow>> {
    tx.rows(&DUE, args![until, limit]).await?.iter_mut().map(read).collect()
}

/// By `incentives_expire`.
const NEXT: Query = Query::new(
    "incentives.next",
    "SELECT expires_at FROM incentives WHERE expires_at IS NOT NULL ORDER BY expires_at, id LIMIT 1",
);

/// Returns the first instant at which an incentive expires.
///
/// # Errors
/// Those of the database.
pub async fn next_at(tx: &mut Tx) -> Result<Option<Timestamp>> {
    tx.row(&NEXT, args![]).await?.map(|mut row| row.next()).transpose()
}

fn read(row: &mut Row) -> Result<IncentiveRow> {
    Ok(IncentiveRow {
        id: row.next()?,
        source: row.next()?,
        invoice: row.next()?,
        customer: row.next()?,
        percent: row.next()?,
        amount_minor: row.next()?,
        opened_on: row.next()?,
        until_on: row.next()?,
        expires_at: row.next()?,
        reason: row.next()?,
        status: row.next()?,
        taken_on: row.next()?,
        known_at: row.next()?,
    })
}

crate::sql::statements! {OF_INVOICES, LIST, DUE, NEXT ; UPSERT}

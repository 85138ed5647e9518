//! Holds that people place: on an invoice, a customer or a class of them, with reason, end and owner.

use crate::sql::{Bulk, Query, Row, args, columns, listed, newest, texts};
use crate::{Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::time::Timestamp;

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRow {
    /// Id.
    pub id: String,
    /// Source.
    pub source: String,
    /// `invoice`, `customer` or `class`.
    pub scope: String,
    /// The invoice, of scope `invoice`.
    pub invoice: Option<InvoiceId>,
    /// The customer, of every scope but `class`.
    pub customer: Option<CustomerId>,
    /// The tests of a class, one a line: `customer.country=ES`.
    pub class: Option<String>,
    /// Reason code.
    pub reason: String,
    /// What people should know; never in history.
    pub note: String,
    /// Who answers for it.
    pub owner: String,
    /// First day.
    pub from_on: NaiveDate,
    /// Last day.
    pub until_on: NaiveDate,
    /// Day it was released before its end.
    pub released_on: Option<NaiveDate>,
    /// Who released it.
    pub released_by: Option<String>,
    /// When we knew.
    pub known_at: Timestamp,
}

static UPSERT: Bulk = Bulk::upsert(
    "holds.upsert",
    "holds",
    columns!(id Text, source Text, scope Text, invoice Text, customer Text, class Text, reason Text, note Text,
             owner Text, from_on Text, until_on Text, released_on Text, released_by Text, known_at Int),
    "id",
);

/// Writes holds; a known id is overwritten.
///
/// # Errors
/// Those of the database.
pub async fn upsert(tx: &mut Tx, rows: &[HoldRow]) -> Result<()> {
    let rows = newest(rows, |row| &row.id).flat_map(|h| {
        args![
            &h.id,
            &h.source,
            &h.scope,
            h.invoice.as_ref(),
            h.customer.as_ref(),
            h.class.as_ref(),
            &h.reason,
            &h.note,
            &h.owner,
            h.from_on,
            h.until_on,
            h.released_on,
            h.released_by.as_ref(),
            h.known_at
        ]
    });
    tx.bulk(&UPSERT, rows.collect()).await?;
    Ok(())
}

macro_rules! fields {
    () => {
        "id, source, scope, invoice, customer, class, reason, note, owner, from_on, until_on, released_on, \
         released_by, known_at"
    };
}

const GET: Query = listed!("holds.get", concat!("SELECT ", fields!(), " FROM holds WHERE id"), "ORDER BY id");

/// Returns holds by id, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, ids: &[String]) -> Result<Vec<HoldRow>> {
    tx.rows(&GET, vec![texts(ids)]).await?.iter_mut().map(read).collect()
}

/// By `holds_customer`.
const OF_CUSTOMERS: Query = listed!(
    "holds.of_customers",
    concat!("SELECT ", fields!(), " FROM holds WHERE released_on IS NULL AND customer"),
    "ORDER BY id LIMIT 100000"
);

/// By `holds_class`.
const OF_CLASSES: Query = Query::new(
    "holds.of_classes",
    concat!(
        "SELECT ",
        fields!(),
        " FROM holds WHERE scope = 'class' AND released_on IS NULL AND until_on >= $1 ORDER BY until_on, id LIMIT 1000"
    ),
);

/// Returns holds that nobody released: those of customers and their invoices, and those of classes that last to a day
/// or longer.
///
/// # Errors
/// Those of the database.
pub async fn standing(tx: &mut Tx, customers: &[CustomerId], on: NaiveDate) -> Result<Vec<HoldRow>> {
    let mut rows = tx.rows(&OF_CUSTOMERS, vec![texts(customers)]).await?;
    rows.extend(tx.rows(&OF_CLASSES, args![on]).await?);
    rows.iter_mut().map(read).collect()
}

const LIST: Query = Query::new(
    "holds.list",
    concat!(
        "SELECT ",
        fields!(),
        " FROM holds WHERE id > $1 AND ($2 = '' OR (released_on IS NULL AND until_on >= $2)) ORDER BY id LIMIT $3"
    ),
);

/// Returns holds after an id, ordered by id: where a day is given only those that last to it.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx, lasting: Option<NaiveDate>, after: &str, limit: i64) -> Result<Vec<HoldRow>> {
    let lasting = lasting.map(|on| on.to_string()).unwrap_or_default();
    tx.rows(&LIST, args![after, lasting.as_str(), limit]).await?.iter_mut().map(read).collect()
}

fn read(row: &mut Row) -> Result<HoldRow> {
    Ok(HoldRow {
        id: row.next()?,
        source: row.next()?,
        scope: row.next()?,
        invoice: row.next()?,
        customer: row.next()?,
        class: row.next()?,
        reason: row.next()?,
        note: row.next()?,
        owner: row.next()?,
        from_on: row.next()?,
        until_on: row.next()?,
        released_on: row.next()?,
        released_by: row.next()?,
        known_at: row.next()?,
    })
}

crate::sql::statements! {GET, OF_CUSTOMERS, OF_CLASSES, LIST ; UPSERT}

//! Invoices and their balances.

use crate::sql::{Bulk, Query, Row, args, columns, json, listed, newest, texts};
use crate::{Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::facts::OwnValues;
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
    /// The organisation's own facts, by name.
    pub x: OwnValues,
    /// Day it was booked at the source.
    pub booked_on: NaiveDate,
    /// When we knew.
    pub known_at: Timestamp,
}
static UPSERT: Bulk = Bulk::upsert(
    "invoices.upsert",
    "invoices",
    columns!(id Text, customer Text, source Text, number Text, creditor Text, product Text, currency Text,
             issued_on Text, due_on Text, amount_minor Int, balance_minor Int, charges_minor Int, disputed_minor Int,
             retained_minor Int, not_due_minor Int, last_payment_on Text, reference Text, closed Text, defaults Text,
             x Text, booked_on Text, known_at Int),
    "id",
);

/// Writes invoices whole, balances included; a known id is overwritten. Read with [`get`] first what must be kept.
///
/// # Errors
/// Those of the database.
pub async fn upsert(tx: &mut Tx, rows: &[InvoiceRow]) -> Result<()> {
    let rows = newest(rows, |row| &row.id).flat_map(|i| {
        args![
            &i.id,
            &i.customer,
            &i.source,
            &i.number,
            &i.creditor,
            &i.product,
            i.currency,
            i.issued_on,
            i.due_on,
            i.amount_minor,
            i.balance_minor,
            i.charges_minor,
            i.disputed_minor,
            i.retained_minor,
            i.not_due_minor,
            i.last_payment_on,
            &i.reference,
            i.closed.as_ref(),
            &i.defaults,
            json(&i.x),
            i.booked_on,
            i.known_at
        ]
    });
    tx.bulk(&UPSERT, rows.collect()).await?;
    Ok(())
}
macro_rules! fields {
    () => {
        "id, customer, source, number, creditor, product, currency, issued_on, due_on, amount_minor, balance_minor, \
         charges_minor, disputed_minor, retained_minor, not_due_minor, last_payment_on, reference, closed, defaults, x, \
         booked_on, known_at"
    };
}

const GET: Query = listed!("invoices.get", concat!("SELECT ", fields!(), " FROM invoices WHERE id"), "ORDER BY id");

/// Returns invoices by id; unknown ids are missing in the answer.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, ids: &[InvoiceId]) -> Result<BTreeMap<InvoiceId, InvoiceRow>> {
    let mut rows = tx.rows(&GET, vec![texts(ids)]).await?;
    rows.iter_mut().map(|row| read(row).map(|i| (i.id.clone(), i))).collect()
}
/// By `invoices_number` and `invoices_reference`. UNION, because both databases scan where an OR spans two indexes.
const BY_NAME: Query = Query {
    name: "invoices.by_name",
    sqlite: concat!(
        "SELECT ",
        fields!(),
        " FROM invoices WHERE number IN (SELECT value FROM json_each($1)) UNION SELECT ",
        fields!(),
        " FROM invoices WHERE reference <> '' AND reference IN (SELECT value FROM json_each($1)) ORDER BY 1 LIMIT 100000"
    ),
    postgres: concat!(
        "SELECT ",
        fields!(),
        " FROM invoices WHERE number = ANY($1) UNION SELECT ",
        fields!(),
        " FROM invoices WHERE reference <> '' AND reference = ANY($1) ORDER BY 1 LIMIT 100000"
    ),
    locking: concat!(
        "SELECT ",
        fields!(),
        " FROM invoices WHERE number = ANY($1) UNION SELECT ",
        fields!(),
        " FROM invoices WHERE reference <> '' AND reference = ANY($1) ORDER BY 1 LIMIT 100000"
    ),
};

/// Returns invoices by printed number or payment reference, ordered by id; a name may mean several.
///
/// # Errors
/// Those of the database.
pub async fn by_name(tx: &mut Tx, names: &[String]) -> Result<Vec<InvoiceRow>> {
    tx.rows(&BY_NAME, vec![texts(names)]).await?.iter_mut().map(read).collect()
}
/// By the key.
const IDS: Query = Query::new("invoices.ids", "SELECT id FROM invoices WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3");

/// By `invoices_number`.
const NUMBERS: Query = Query::new(
    "invoices.numbers",
    "SELECT number FROM invoices WHERE number > $1 AND number < $2 ORDER BY number, id LIMIT $3",
);

/// Returns ids and printed numbers between two texts, so many of each: what a person may have meant.
///
/// # Errors
/// Those of the database.
pub async fn names_between(tx: &mut Tx, from: &str, to: &str, limit: i64) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for query in [&IDS, &NUMBERS] {
        for mut row in tx.rows(query, args![from, to, limit]).await? {
            names.push(row.next()?);
        }
    }
    Ok(names)
}
/// By `invoices_customer`.
const OPEN_OF: Query = listed!(
    "invoices.open_of",
    concat!("SELECT ", fields!(), " FROM invoices WHERE balance_minor > 0 AND closed IS NULL AND customer"),
    "ORDER BY customer, due_on, id LIMIT 100000"
);

/// Returns invoices of customers that are still owed, ordered by customer, due date and id.
///
/// # Errors
/// Those of the database.
pub async fn open_of(tx: &mut Tx, customers: &[CustomerId]) -> Result<Vec<InvoiceRow>> {
    tx.rows(&OPEN_OF, vec![texts(customers)]).await?.iter_mut().map(read).collect()
}

/// By `invoices_customer`.
const OF_CUSTOMERS: Query = listed!(
    "invoices.of_customers",
    concat!("SELECT ", fields!(), " FROM invoices WHERE customer"),
    "ORDER BY customer, id LIMIT 100000"
);

/// Returns all invoices of customers, paid ones included, ordered by customer and id.
///
/// # Errors
/// Those of the database.
pub async fn of_customers(tx: &mut Tx, customers: &[CustomerId]) -> Result<Vec<InvoiceRow>> {
    tx.rows(&OF_CUSTOMERS, vec![texts(customers)]).await?.iter_mut().map(read).collect()
}

fn read(row: &mut Row) -> Result<InvoiceRow> {
    Ok(InvoiceRow {
        id: row.next()?,
        customer: row.next()?,
        source: row.next()?,
        number: row.next()?,
        creditor: row.next()?,
        product: row.next()?,
        currency: row.next()?,
        issued_on: row.next()?,
        due_on: row.next()?,
        amount_minor: row.next()?,
        balance_minor: row.next()?,
        charges_minor: row.next()?,
        disputed_minor: row.next()?,
        retained_minor: row.next()?,
        not_due_minor: row.next()?,
        last_payment_on: row.next()?,
        reference: row.next()?,
        closed: row.next()?,
        defaults: row.next_json()?,
        x: row.next_json()?,
        booked_on: row.next()?,
        known_at: row.next()?,
    })
}

crate::sql::statements! {GET, BY_NAME, IDS, NUMBERS, OPEN_OF, OF_CUSTOMERS ; UPSERT}

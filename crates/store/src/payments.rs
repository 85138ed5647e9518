//! Payments and what they were allocated to.

use crate::sql::{Bulk, Query, Row, Tail, args, columns, listed, newest, texts};
use crate::{Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::money::Currency;
use recobro_kernel::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A payment, a return of one, or a credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRow {
    /// Id.
    pub id: String,
    /// Source.
    pub source: String,
    /// The source's key; with the source it is unique.
    pub external_id: String,
    /// `payment`, `return`, `credit`, `discount` or `write_off`.
    pub kind: String,
    /// Customer, where known.
    pub customer: Option<CustomerId>,
    /// Invoice it names.
    pub invoice: Option<InvoiceId>,
    /// Currency.
    pub currency: Currency,
    /// Amount; negative for a return.
    pub amount_minor: i64,
    /// Not allocated yet.
    pub unallocated_minor: i64,
    /// Its reference.
    pub reference: String,
    /// Day of the money.
    pub booked_on: NaiveDate,
    /// When we knew.
    pub known_at: Timestamp,
}

/// A part of a payment that settles a part of an invoice; negative for a return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllocationRow {
    /// Payment.
    pub payment: String,
    /// From 1 within the payment.
    pub ordinal: i64,
    /// Invoice.
    pub invoice: InvoiceId,
    /// Amount.
    pub amount_minor: i64,
    /// Day of the money.
    pub booked_on: NaiveDate,
    /// When we knew.
    pub known_at: Timestamp,
}
static INSERT: Bulk = Bulk::insert(
    "payments.insert",
    "payments",
    columns!(id Text, source Text, external_id Text, kind Text, customer Text, invoice Text, currency Text,
             amount_minor Int, unallocated_minor Int, reference Text, booked_on Text, known_at Int),
    "ON CONFLICT DO NOTHING RETURNING id",
);

/// Books payments; answers per row whether it is new (false: its source and key were booked before, nothing written).
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx, rows: &[PaymentRow]) -> Result<Vec<bool>> {
    let mut args = Vec::new();
    for p in rows {
        args.extend(args![
            &p.id,
            &p.source,
            &p.external_id,
            &p.kind,
            p.customer.as_ref(),
            p.invoice.as_ref(),
            p.currency,
            p.amount_minor,
            p.unallocated_minor,
            &p.reference,
            p.booked_on,
            p.known_at
        ]);
    }
    let mut new = BTreeSet::new();
    for mut row in tx.bulk(&INSERT, args).await? {
        new.insert(row.next::<String>()?);
    }
    // The first of two equal rows in one batch is the new one.
    Ok(rows.iter().map(|p| new.remove(&p.id)).collect())
}
static ALLOCATE: Bulk = Bulk::upsert(
    "payments.allocate",
    "allocations",
    columns!(payment Text, ordinal Int, invoice Text, amount_minor Int, booked_on Text, known_at Int),
    "payment, ordinal",
);

/// Books allocations.
///
/// # Errors
/// Those of the database.
pub async fn allocate(tx: &mut Tx, rows: &[AllocationRow]) -> Result<()> {
    let rows = newest(rows, |row| (&row.payment, row.ordinal))
        .flat_map(|a| args![&a.payment, a.ordinal, &a.invoice, a.amount_minor, a.booked_on, a.known_at]);
    tx.bulk(&ALLOCATE, rows.collect()).await?;
    Ok(())
}
/// By `allocations_invoice`.
const ALLOCATIONS: Query = listed!(
    "payments.allocations",
    "SELECT payment, ordinal, invoice, amount_minor, booked_on, known_at FROM allocations
     WHERE booked_on >= $2 AND invoice",
    "ORDER BY invoice, booked_on, payment, ordinal LIMIT 100000"
);

/// Returns allocations to invoices booked on or after a date, ordered by invoice, date and payment.
///
/// # Errors
/// Those of the database.
pub async fn allocations(tx: &mut Tx, invoices: &[InvoiceId], since: NaiveDate) -> Result<Vec<AllocationRow>> {
    tx.rows(&ALLOCATIONS, vec![texts(invoices), since.into()]).await?.iter_mut().map(read).collect()
}

/// A part of money or of a credit note that settles a part of an invoice, with what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Payment.
    pub payment: String,
    /// Invoice.
    pub invoice: InvoiceId,
    /// `payment`, `return`, `credit`, `write_off`.
    pub kind: String,
    /// Amount.
    pub amount_minor: i64,
    /// Day of the money.
    pub booked_on: NaiveDate,
    /// When we knew.
    pub known_at: Timestamp,
}

impl Settled {
    /// Whether it was never owed.
    #[must_use]
    pub fn is_credit(&self) -> bool {
        self.kind == "credit"
    }
}

/// By `allocations_invoice`.
const SETTLED: Query = listed!(
    "payments.settled",
    "SELECT a.payment, a.invoice, p.kind, a.amount_minor, a.booked_on, a.known_at
     FROM allocations a JOIN payments p ON p.id = a.payment WHERE a.invoice",
    "ORDER BY a.invoice, a.booked_on, a.payment, a.ordinal LIMIT 100000"
);

/// Returns what settled parts of invoices, ordered by invoice, date and payment.
///
/// # Errors
/// Those of the database.
pub async fn settled(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<Vec<Settled>> {
    let read = |row: &mut Row| {
        Ok(Settled {
            payment: row.next()?,
            invoice: row.next()?,
            kind: row.next()?,
            amount_minor: row.next()?,
            booked_on: row.next()?,
            known_at: row.next()?,
        })
    };
    tx.rows(&SETTLED, vec![texts(invoices)]).await?.iter_mut().map(read).collect()
}

/// By `allocations_invoice`. The sum of big integers is no big integer on PostgreSQL.
const FORGIVEN: Query = listed!(
    "payments.forgiven",
    "SELECT a.invoice, CAST(SUM(a.amount_minor) AS BIGINT) FROM allocations a JOIN payments p ON p.id = a.payment
     WHERE p.kind NOT IN ('payment', 'return') AND a.invoice",
    "GROUP BY a.invoice ORDER BY a.invoice"
);

/// Returns what was taken off invoices without money: credit notes, discounts, write-offs.
///
/// # Errors
/// Those of the database.
pub async fn forgiven(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<BTreeMap<InvoiceId, i64>> {
    tx.rows(&FORGIVEN, vec![texts(invoices)]).await?.iter_mut().map(|row| Ok((row.next()?, row.next()?))).collect()
}

macro_rules! fields {
    () => {
        "id, source, external_id, kind, customer, invoice, currency, amount_minor, unallocated_minor, reference, \
         booked_on, known_at"
    };
}

const GET: Query =
    listed!("payments.get", concat!("SELECT ", fields!(), " FROM payments WHERE id"), "ORDER BY id", " FOR UPDATE");

/// Returns payments by id. On PostgreSQL the rows stay locked in a write transaction.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, ids: &[String]) -> Result<Vec<PaymentRow>> {
    tx.rows(&GET, vec![texts(ids)]).await?.iter_mut().map(read_payment).collect()
}

/// By `payments_unallocated`.
const UNALLOCATED: Query = Query::new(
    "payments.unallocated",
    concat!(
        "SELECT ",
        fields!(),
        " FROM payments WHERE unallocated_minor <> 0 AND (booked_on, id) > ($1, $2) ORDER BY booked_on, id LIMIT $3"
    ),
);

/// Returns money that settles nothing yet, after a day and an id, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn unallocated(tx: &mut Tx, after: (NaiveDate, &str), limit: i64) -> Result<Vec<PaymentRow>> {
    tx.rows(&UNALLOCATED, args![after.0, after.1, limit]).await?.iter_mut().map(read_payment).collect()
}

/// By `payments_unallocated`: what settles nothing yet is little.
const UNALLOCATED_NAMED: Query = Query::new(
    "payments.unallocated_named",
    concat!(
        "SELECT ",
        fields!(),
        " FROM payments WHERE unallocated_minor <> 0 AND external_id IN ($1, $2) ORDER BY booked_on, id LIMIT 10"
    ),
);

/// Returns money that settles nothing yet by the id that its source gave it, with or without `credit/`.
///
/// # Errors
/// Those of the database.
pub async fn unallocated_named(tx: &mut Tx, name: &str) -> Result<Vec<PaymentRow>> {
    let credit = format!("credit/{name}");
    tx.rows(&UNALLOCATED_NAMED, args![name, &credit]).await?.iter_mut().map(read_payment).collect()
}

/// By `payments_customer`.
const OF_CUSTOMERS: Query = listed!(
    "payments.of_customers",
    concat!("SELECT ", fields!(), " FROM payments WHERE customer"),
    "ORDER BY customer, booked_on, id LIMIT 100000"
);

/// Returns all money of customers, ordered by customer, day and id.
///
/// # Errors
/// Those of the database.
pub async fn of_customers(tx: &mut Tx, customers: &[CustomerId]) -> Result<Vec<PaymentRow>> {
    tx.rows(&OF_CUSTOMERS, vec![texts(customers)]).await?.iter_mut().map(read_payment).collect()
}

static LEFT: Bulk = Bulk::new(
    "payments.left",
    columns!(id Text, customer Text, unallocated Int),
    Tail::Text(
        "UPDATE payments SET unallocated_minor = x.unallocated, customer = COALESCE(payments.customer, x.customer)
         FROM x WHERE payments.id = x.id",
    ),
);

/// Writes what is left of payments after more of them was allocated, and whose they turned out to be.
///
/// # Errors
/// Those of the database.
pub async fn left(tx: &mut Tx, rows: &[(String, Option<CustomerId>, i64)]) -> Result<()> {
    let rows = newest(rows, |row| &row.0).flat_map(|(id, customer, minor)| args![id, customer.as_ref(), *minor]);
    tx.bulk(&LEFT, rows.collect()).await?;
    Ok(())
}

/// How many allocations each payment has.
const PARTS: Query = listed!(
    "payments.parts",
    "SELECT payment, MAX(ordinal) FROM allocations WHERE payment",
    "GROUP BY payment ORDER BY payment"
);

/// Returns the highest ordinal of each payment's allocations.
///
/// # Errors
/// Those of the database.
pub async fn parts(tx: &mut Tx, payments: &[String]) -> Result<BTreeMap<String, i64>> {
    tx.rows(&PARTS, vec![texts(payments)]).await?.iter_mut().map(|row| Ok((row.next()?, row.next()?))).collect()
}

fn read_payment(row: &mut Row) -> Result<PaymentRow> {
    Ok(PaymentRow {
        id: row.next()?,
        source: row.next()?,
        external_id: row.next()?,
        kind: row.next()?,
        customer: row.next()?,
        invoice: row.next()?,
        currency: row.next()?,
        amount_minor: row.next()?,
        unallocated_minor: row.next()?,
        reference: row.next()?,
        booked_on: row.next()?,
        known_at: row.next()?,
    })
}

fn read(row: &mut Row) -> Result<AllocationRow> {
    Ok(AllocationRow {
        payment: row.next()?,
        ordinal: row.next()?,
        invoice: row.next()?,
        amount_minor: row.next()?,
        booked_on: row.next()?,
        known_at: row.next()?,
    })
}

crate::sql::statements! {ALLOCATIONS, SETTLED, FORGIVEN, GET, UNALLOCATED, UNALLOCATED_NAMED, OF_CUSTOMERS, PARTS ; INSERT, ALLOCATE, LEFT}

//! Promises to pay.

use crate::sql::{Bulk, Query, Row, Tail, args, columns, listed, locked, newest, texts};
use crate::{Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::time::Timestamp;
use std::collections::BTreeMap;

/// A promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromiseRow {
    /// Id.
    pub id: String,
    /// Source.
    pub source: String,
    /// Customer.
    pub customer: CustomerId,
    /// Invoices it covers, in the order of their due dates.
    pub invoices: Vec<InvoiceId>,
    /// Day it was made.
    pub made_on: NaiveDate,
    /// Day promised.
    pub due_on: NaiveDate,
    /// Last day of grace.
    pub limit_on: NaiveDate,
    /// First instant at which it can be judged.
    pub limit_at: Timestamp,
    /// Amount.
    pub amount_minor: i64,
    /// Paid towards it so far.
    pub paid_minor: i64,
    /// How: `transfer`, ...; empty if not said.
    pub method: String,
    /// Who promised; empty if not said.
    pub by: String,
    /// `open kept partly_kept broken superseded cancelled`.
    pub status: String,
    /// Day it was judged.
    pub judged_on: Option<NaiveDate>,
    /// When we knew.
    pub known_at: Timestamp,
}
static UPSERT: Bulk = Bulk::upsert(
    "promises.upsert",
    "promises",
    columns!(id Text, source Text, customer Text, made_on Text, due_on Text, limit_on Text, limit_at Int,
             amount_minor Int, paid_minor Int, method Text, by Text, status Text, judged_on Text, known_at Int),
    "id",
);

static COVER: Bulk = Bulk::insert(
    "promises.cover",
    "promise_invoices",
    columns!(promise Text, ordinal Int, invoice Text),
    "ON CONFLICT DO NOTHING",
);

/// Writes promises (new ones, superseded ones, judged ones); a known id is overwritten, its invoices stay.
///
/// # Errors
/// Those of the database.
pub async fn upsert(tx: &mut Tx, rows: &[PromiseRow]) -> Result<()> {
    let args = newest(rows, |row| &row.id).flat_map(|p| {
        args![
            &p.id,
            &p.source,
            &p.customer,
            p.made_on,
            p.due_on,
            p.limit_on,
            p.limit_at,
            p.amount_minor,
            p.paid_minor,
            &p.method,
            &p.by,
            &p.status,
            p.judged_on,
            p.known_at
        ]
    });
    tx.bulk(&UPSERT, args.collect()).await?;
    let covered = newest(rows, |row| &row.id)
        .flat_map(|p| p.invoices.iter().zip(1_i64..).flat_map(|(invoice, i)| args![&p.id, i, invoice]));
    tx.bulk(&COVER, covered.collect()).await?;
    Ok(())
}
static UNCOVER: Bulk = Bulk::new(
    "promises.uncover",
    columns!(promise Text, invoice Text),
    Tail::Text("DELETE FROM promise_invoices WHERE (promise, invoice) IN (SELECT x.promise, x.invoice FROM x)"),
);

/// Takes invoices out of promises, as pairs of promise and invoice: a newer promise covers them.
///
/// # Errors
/// Those of the database.
pub async fn uncover(tx: &mut Tx, pairs: &[(String, InvoiceId)]) -> Result<()> {
    tx.bulk(&UNCOVER, pairs.iter().flat_map(|(promise, invoice)| args![promise, invoice]).collect()).await?;
    Ok(())
}
macro_rules! fields {
    () => {
        "p.id, p.source, p.customer, p.made_on, p.due_on, p.limit_on, p.limit_at, p.amount_minor, p.paid_minor, \
         p.method, p.by, p.status, p.judged_on, p.known_at"
    };
}

const GET: Query =
    listed!("promises.get", concat!("SELECT ", fields!(), " FROM promises p WHERE p.id"), "ORDER BY p.id");

/// Returns promises by id, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, ids: &[String]) -> Result<Vec<PromiseRow>> {
    let rows = tx.rows(&GET, vec![texts(ids)]).await?;
    with_invoices(tx, rows).await
}
const LIST: Query = Query::new(
    "promises.list",
    concat!(
        "SELECT ",
        fields!(),
        " FROM promises p WHERE p.id > $1 AND ($2 = 0 OR p.status = 'open') ORDER BY p.id LIMIT $3"
    ),
);

/// Returns promises after an id, open ones only if asked, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx, open: bool, after: &str, limit: i64) -> Result<Vec<PromiseRow>> {
    let rows = tx.rows(&LIST, args![after, open, limit]).await?;
    with_invoices(tx, rows).await
}

/// By `promise_invoices_invoice`.
const OPEN_OF: Query = listed!(
    "promises.open_of",
    concat!(
        "SELECT ",
        fields!(),
        " FROM promises p WHERE p.status = 'open' AND p.id IN
           (SELECT i.promise FROM promise_invoices i WHERE i.invoice"
    ),
    ") ORDER BY p.id LIMIT 100000"
);

/// Returns open promises that cover one of the invoices, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn open_of(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<Vec<PromiseRow>> {
    let rows = tx.rows(&OPEN_OF, vec![texts(invoices)]).await?;
    with_invoices(tx, rows).await
}
/// By `promises_due`.
const DUE: Query = locked!(
    "promises.due",
    concat!(
        "SELECT ",
        fields!(),
        " FROM promises p WHERE p.status = 'open' AND p.limit_at <= $1 \
         ORDER BY p.limit_at, p.id LIMIT $2"
    ),
    " FOR UPDATE SKIP LOCKED"
);

/// Returns open promises whose limit is at or before an instant, ordered by limit and id.
///
/// # Errors
/// Those of the database.
pub async fn due(tx: &mut Tx, until: Timestamp, limit: i64) -> Result<Vec<PromiseRow>> {
    let rows = tx.rows(&DUE, args![until, limit]).await?;
    with_invoices(tx, rows).await
}
/// By `promises_due`.
const NEXT: Query =
    Query::new("promises.next", "SELECT limit_at FROM promises WHERE status = 'open' ORDER BY limit_at, id LIMIT 1");

/// Returns the earliest limit of an open promise.
///
/// # Errors
/// Those of the database.
pub async fn next_at(tx: &mut Tx) -> Result<Option<Timestamp>> {
    tx.row(&NEXT, args![]).await?.map(|mut row| row.next()).transpose()
}

/// The window holds one row per invoice of the list.
const LATEST_OF: Query = listed!(
    "promises.latest_of",
    "SELECT id, source, customer, made_on, due_on, limit_on, limit_at, amount_minor, paid_minor, method, by, status,
       judged_on, known_at, invoice
     FROM (SELECT p.id, p.source, p.customer, p.made_on, p.due_on, p.limit_on, p.limit_at, p.amount_minor,
             p.paid_minor, p.method, p.by, p.status, p.judged_on, p.known_at, i.invoice,
             ROW_NUMBER() OVER (PARTITION BY i.invoice ORDER BY p.made_on DESC, p.known_at DESC, p.id DESC) AS place
           FROM promise_invoices i JOIN promises p ON p.id = i.promise WHERE i.invoice",
    ") AS ranked WHERE place = 1 ORDER BY invoice"
);

/// Returns the latest promise that covers each invoice that ever had one.
///
/// # Errors
/// Those of the database.
pub async fn latest_of(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<BTreeMap<InvoiceId, PromiseRow>> {
    let mut found = Vec::new();
    for mut row in tx.rows(&LATEST_OF, vec![texts(invoices)]).await? {
        let promise = read(&mut row)?;
        found.push((row.next()?, promise));
    }
    let ids: Vec<String> = found.iter().map(|(_, p): &(InvoiceId, PromiseRow)| p.id.clone()).collect();
    let covered = covered(tx, &ids).await?;
    for (_, promise) in &mut found {
        promise.invoices = covered.get(&promise.id).cloned().unwrap_or_default();
    }
    Ok(found.into_iter().collect())
}

async fn with_invoices(tx: &mut Tx, mut rows: Vec<Row>) -> Result<Vec<PromiseRow>> {
    let mut promises = rows.iter_mut().map(read).collect::<Result<Vec<_>>>()?;
    let ids: Vec<String> = promises.iter().map(|p| p.id.clone()).collect();
    let mut covered = covered(tx, &ids).await?;
    for promise in &mut promises {
        promise.invoices = covered.remove(&promise.id).unwrap_or_default();
    }
    Ok(promises)
}

const COVERED: Query = listed!(
    "promises.covered",
    "SELECT promise, invoice FROM promise_invoices WHERE promise",
    "ORDER BY promise, ordinal LIMIT 100000"
);

async fn covered(tx: &mut Tx, ids: &[String]) -> Result<BTreeMap<String, Vec<InvoiceId>>> {
    let mut covered: BTreeMap<String, Vec<InvoiceId>> = BTreeMap::new();
    if ids.is_empty() {
        return Ok(covered);
    }
    for mut row in tx.rows(&COVERED, vec![texts(ids)]).await? {
        covered.entry(row.next()?).or_default().push(row.next()?);
    }
    Ok(covered)
}

fn read(row: &mut Row) -> Result<PromiseRow> {
    Ok(PromiseRow {
        id: row.next()?,
        source: row.next()?,
        customer: row.next()?,
        invoices: Vec::new(),
        made_on: row.next()?,
        due_on: row.next()?,
        limit_on: row.next()?,
        limit_at: row.next()?,
        amount_minor: row.next()?,
        paid_minor: row.next()?,
        method: row.next()?,
        by: row.next()?,
        status: row.next()?,
        judged_on: row.next()?,
        known_at: row.next()?,
    })
}

crate::sql::statements! {GET, LIST, OPEN_OF, DUE, NEXT, LATEST_OF, COVERED ; UPSERT, COVER, UNCOVER}

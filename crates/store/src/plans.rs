//! Payment plans: the rows that a decision may read. Their life comes with a later part of the product.

use crate::sql::{Bulk, Query, Row, args, columns, listed, newest, texts};
use crate::{Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::time::Timestamp;
use std::collections::BTreeMap;

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRow {
    /// Id.
    pub id: String,
    /// Customer.
    pub customer: CustomerId,
    /// Invoices it covers.
    pub invoices: Vec<InvoiceId>,
    /// Number of instalments.
    pub instalments: i64,
    /// Next due date.
    pub next_due_on: NaiveDate,
    /// `proposed active completed defaulted expired declined`.
    pub status: String,
    /// When we knew.
    pub known_at: Timestamp,
}
static UPSERT: Bulk = Bulk::upsert(
    "plans.upsert",
    "plans",
    columns!(id Text, customer Text, instalments Int, next_due_on Text, status Text, known_at Int),
    "id",
);

static COVER: Bulk = Bulk::insert(
    "plans.cover",
    "plan_invoices",
    columns!(plan Text, ordinal Int, invoice Text),
    "ON CONFLICT DO NOTHING",
);

/// Writes plans; a known id is overwritten, its invoices stay.
///
/// # Errors
/// Those of the database.
pub async fn upsert(tx: &mut Tx, rows: &[PlanRow]) -> Result<()> {
    let args = newest(rows, |row| &row.id)
        .flat_map(|p| args![&p.id, &p.customer, p.instalments, p.next_due_on, &p.status, p.known_at]);
    tx.bulk(&UPSERT, args.collect()).await?;
    let covered = newest(rows, |row| &row.id)
        .flat_map(|p| p.invoices.iter().zip(1_i64..).flat_map(|(invoice, i)| args![&p.id, i, invoice]));
    tx.bulk(&COVER, covered.collect()).await?;
    Ok(())
}

/// The window holds one row per invoice of the list.
const LATEST_OF: Query = listed!(
    "plans.latest_of",
    "SELECT id, customer, instalments, next_due_on, status, known_at, invoice
     FROM (SELECT p.id, p.customer, p.instalments, p.next_due_on, p.status, p.known_at, i.invoice,
             ROW_NUMBER() OVER (PARTITION BY i.invoice ORDER BY p.known_at DESC, p.id DESC) AS place
           FROM plan_invoices i JOIN plans p ON p.id = i.plan WHERE i.invoice",
    ") AS ranked WHERE place = 1 ORDER BY invoice"
);

const COVERED: Query = listed!(
    "plans.covered",
    "SELECT plan, invoice FROM plan_invoices WHERE plan",
    "ORDER BY plan, ordinal LIMIT 100000"
);

/// Returns the latest plan that covers each invoice that ever had one.
///
/// # Errors
/// Those of the database.
pub async fn latest_of(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<BTreeMap<InvoiceId, PlanRow>> {
    let mut found: Vec<(InvoiceId, PlanRow)> = Vec::new();
    for mut row in tx.rows(&LATEST_OF, vec![texts(invoices)]).await? {
        let plan = read(&mut row)?;
        found.push((row.next()?, plan));
    }
    if found.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids: Vec<&str> = found.iter().map(|(_, p)| p.id.as_str()).collect();
    let mut covered: BTreeMap<String, Vec<InvoiceId>> = BTreeMap::new();
    for mut row in tx.rows(&COVERED, vec![texts(&ids)]).await? {
        covered.entry(row.next()?).or_default().push(row.next()?);
    }
    for (_, plan) in &mut found {
        plan.invoices = covered.get(&plan.id).cloned().unwrap_or_default();
    }
    Ok(found.into_iter().collect())
}

fn read(row: &mut Row) -> Result<PlanRow> {
    Ok(PlanRow {
        id: row.next()?,
        customer: row.next()?,
        invoices: Vec::new(),
        instalments: row.next()?,
        next_due_on: row.next()?,
        status: row.next()?,
        known_at: row.next()?,
    })
}

crate::sql::statements! {LATEST_OF, COVERED ; UPSERT, COVER}

//! Payment plans with their invoices and instalments.

use crate::sql::{Bulk, Query, Row, args, columns, listed, locked, newest, texts};
use crate::{Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::money::Currency;
use recobro_kernel::time::Timestamp;
use std::collections::BTreeMap;

/// A plan, offered or agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRow {
    /// Id.
    pub id: String,
    /// Source.
    pub source: String,
    /// Customer.
    pub customer: CustomerId,
    /// Currency of every amount here.
    pub currency: Currency,
    /// What is paid over time; of an offer what was open.
    pub amount_minor: i64,
    /// `proposed active completed defaulted expired declined cancelled`.
    pub status: String,
    /// Day of the offer.
    pub offered_on: Option<NaiveDate>,
    /// Last day on which the offer can be accepted.
    pub valid_until: Option<NaiveDate>,
    /// Most instalments of the offer.
    pub max_instalments: Option<i64>,
    /// The offered plan ends by this day.
    pub ends_by: Option<NaiveDate>,
    /// Day of the agreement.
    pub agreed_on: Option<NaiveDate>,
    /// Day it was over.
    pub ended_on: Option<NaiveDate>,
    /// `transfer`, `direct_debit`, `card`; empty if not said.
    pub method: String,
    /// Who agreed; empty if not said.
    pub by: String,
    /// So many instalments missed at the same time end it.
    pub default_after: i64,
    /// Days overdue count anew while it is active.
    pub re_ages: bool,
    /// The mandate of a direct debit, as JSON.
    pub mandate: Option<String>,
    /// Why it was cancelled; empty if it was not.
    pub reason: String,
    /// When it must be looked at again.
    pub watch_at: Option<Timestamp>,
    /// When we knew.
    pub known_at: Timestamp,
    /// What it covers.
    pub invoices: Vec<CoveredRow>,
    /// Its dates.
    pub instalments: Vec<InstalmentRow>,
}

/// What a plan covers of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoveredRow {
    /// Invoice.
    pub invoice: InvoiceId,
    /// So much of it.
    pub amount_minor: i64,
    /// Its balance when the plan was agreed.
    pub base_minor: i64,
}

/// One date of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalmentRow {
    /// Last day on which it is in time.
    pub due_on: NaiveDate,
    /// How much.
    pub amount_minor: i64,
    /// Paid of it so far.
    pub paid_minor: i64,
    /// `open`, `announced` or `missed`.
    pub told: String,
    /// The file in which its direct debit was ordered.
    pub collected: Option<String>,
}

static UPSERT: Bulk = Bulk::upsert(
    "plans.upsert",
    "plans",
    columns!(id Text, source Text, customer Text, currency Text, amount_minor Int, status Text, offered_on Text,
             valid_until Text, max_instalments Int, ends_by Text, agreed_on Text, ended_on Text, method Text, by Text,
             default_after Int, re_ages Int, mandate Text, reason Text, watch_at Int, known_at Int),
    "id",
);

static COVER: Bulk = Bulk::upsert(
    "plans.cover",
    "plan_invoices",
    columns!(plan Text, ordinal Int, invoice Text, amount_minor Int, base_minor Int),
    "plan, ordinal",
);

static INSTALMENTS: Bulk = Bulk::upsert(
    "plans.instalments",
    "instalments",
    columns!(plan Text, ordinal Int, due_on Text, amount_minor Int, paid_minor Int, told Text, collected Text),
    "plan, ordinal",
);

static FORGET: Bulk = Bulk::new(
    "plans.forget_instalments",
    columns!(plan Text),
    crate::sql::Tail::Text("DELETE FROM instalments WHERE plan IN (SELECT x.plan FROM x)"),
);

static UNCOVER: Bulk = Bulk::new(
    "plans.forget_invoices",
    columns!(plan Text),
    crate::sql::Tail::Text("DELETE FROM plan_invoices WHERE plan IN (SELECT x.plan FROM x)"),
);

/// Writes plans; a known id is overwritten as a whole.
///
/// # Errors
/// Those of the database.
pub async fn upsert(tx: &mut Tx, rows: &[PlanRow]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let args = newest(rows, |row| &row.id).flat_map(|p| {
        args![
            &p.id,
            &p.source,
            &p.customer,
            p.currency,
            p.amount_minor,
            &p.status,
            p.offered_on,
            p.valid_until,
            p.max_instalments,
            p.ends_by,
            p.agreed_on,
            p.ended_on,
            &p.method,
            &p.by,
            p.default_after,
            p.re_ages,
            p.mandate.as_ref(),
            &p.reason,
            p.watch_at,
            p.known_at
        ]
    });
    tx.bulk(&UPSERT, args.collect()).await?;
    // An accepted offer may cover less, and have fewer dates, than it proposed.
    for forget in [&UNCOVER, &FORGET] {
        tx.bulk(forget, newest(rows, |row| &row.id).flat_map(|p| args![&p.id]).collect()).await?;
    }
    let covered = newest(rows, |row| &row.id).flat_map(|p| {
        let parts = p.invoices.iter().zip(1_i64..);
        parts.flat_map(|(part, i)| args![&p.id, i, &part.invoice, part.amount_minor, part.base_minor])
    });
    tx.bulk(&COVER, covered.collect()).await?;
    let dates = newest(rows, |row| &row.id).flat_map(|p| {
        let dates = p.instalments.iter().zip(1_i64..);
        dates.flat_map(|(one, i)| {
            args![&p.id, i, one.due_on, one.amount_minor, one.paid_minor, &one.told, one.collected.as_ref()]
        })
    });
    tx.bulk(&INSTALMENTS, dates.collect()).await?;
    Ok(())
}

static COLLECTED: Bulk = Bulk::new(
    "plans.collected",
    columns!(plan Text, ordinal Int, file Text),
    crate::sql::Tail::Text(
        "UPDATE instalments SET collected = x.file FROM x
         WHERE instalments.plan = x.plan AND instalments.ordinal = x.ordinal AND instalments.collected IS NULL
         RETURNING instalments.ordinal",
    ),
);

/// Notes the file in which instalments, by plan and ordinal from 1, were ordered from the bank; the first file holds.
/// Says how many were not in a file before.
///
/// # Errors
/// Those of the database.
pub async fn collected(tx: &mut Tx, instalments: &[(String, i64)], file: &str) -> Result<usize> {
    let rows = instalments.iter().flat_map(|(plan, ordinal)| args![plan, *ordinal, file]).collect();
    Ok(tx.bulk(&COLLECTED, rows).await?.len())
}

macro_rules! fields {
    () => {
        "p.id, p.source, p.customer, p.currency, p.amount_minor, p.status, p.offered_on, p.valid_until, \
         p.max_instalments, p.ends_by, p.agreed_on, p.ended_on, p.method, p.by, p.default_after, p.re_ages, p.mandate, \
         p.reason, p.watch_at, p.known_at"
    };
}

const GET: Query = listed!("plans.get", concat!("SELECT ", fields!(), " FROM plans p WHERE p.id"), "ORDER BY p.id");

/// Returns plans by id, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, ids: &[String]) -> Result<Vec<PlanRow>> {
    let rows = tx.rows(&GET, vec![texts(ids)]).await?;
    whole(tx, rows).await
}

const LIST: Query = Query::new(
    "plans.list",
    concat!(
        "SELECT ",
        fields!(),
        " FROM plans p WHERE p.id > $1 AND ($2 = '' OR p.status = $2) AND ($3 = '' OR p.customer = $3) ORDER BY p.id \
         LIMIT $4"
    ),
);

/// Returns plans after an id, ordered by id: of a status or a customer, where one is given.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx, (status, customer): (&str, &str), after: &str, limit: i64) -> Result<Vec<PlanRow>> {
    let rows = tx.rows(&LIST, args![after, status, customer, limit]).await?;
    whole(tx, rows).await
}

/// By `plan_invoices_invoice`.
const OPEN_OF: Query = listed!(
    "plans.open_of",
    concat!(
        "SELECT ",
        fields!(),
        " FROM plans p WHERE p.status IN ('proposed', 'active') AND p.id IN
           (SELECT i.plan FROM plan_invoices i WHERE i.invoice"
    ),
    ") ORDER BY p.id LIMIT 100000"
);

/// Returns offered and active plans that cover one of the invoices, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn open_of(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<Vec<PlanRow>> {
    let rows = tx.rows(&OPEN_OF, vec![texts(invoices)]).await?;
    whole(tx, rows).await
}

/// By `plans_watch`.
const DUE: Query = locked!(
    "plans.due",
    concat!(
        "SELECT ",
        fields!(),
        " FROM plans p WHERE p.watch_at IS NOT NULL AND p.watch_at <= $1 ORDER BY p.watch_at, p.id LIMIT $2"
    ),
    " FOR UPDATE SKIP LOCKED"
);

/// Returns plans to look at by an instant, ordered by that instant and id.
///
/// # Errors
/// Those of the database.
pub async fn due(tx: &mut Tx, until: Timestamp, limit: i64) -> Result<Vec<PlanRow>> {
    let rows = tx.rows(&DUE, args![until, limit]).await?;
    whole(tx, rows).await
}

/// By `plans_watch`.
const NEXT: Query =
    Query::new("plans.next", "SELECT watch_at FROM plans WHERE watch_at IS NOT NULL ORDER BY watch_at, id LIMIT 1");

/// Returns the earliest instant at which a plan must be looked at.
///
/// # Errors
/// Those of the database.
pub async fn next_at(tx: &mut Tx) -> Result<Option<Timestamp>> {
    tx.row(&NEXT, args![]).await?.map(|mut row| row.next()).transpose()
}

/// The window holds one row per invoice of the list. What was agreed speaks before what was only offered.
const LATEST_OF: Query = listed!(
    "plans.latest_of",
    "SELECT invoice, id
     FROM (SELECT i.invoice, p.id,
             ROW_NUMBER() OVER (PARTITION BY i.invoice ORDER BY CASE p.status WHEN 'active' THEN 0 ELSE 1 END,
               p.known_at DESC, p.id DESC) AS place
           FROM plan_invoices i JOIN plans p ON p.id = i.plan WHERE i.invoice",
    ") AS ranked WHERE place = 1 ORDER BY invoice"
);

/// Returns the plan that speaks for each invoice that ever had one: the active one, else the latest.
///
/// # Errors
/// Those of the database.
pub async fn latest_of(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<BTreeMap<InvoiceId, PlanRow>> {
    let mut found: Vec<(InvoiceId, String)> = Vec::new();
    for mut row in tx.rows(&LATEST_OF, vec![texts(invoices)]).await? {
        found.push((row.next()?, row.next()?));
    }
    if found.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids: std::collections::BTreeSet<String> = found.iter().map(|(_, id)| id.clone()).collect();
    let plans = get(tx, &ids.into_iter().collect::<Vec<_>>()).await?;
    let by_id: BTreeMap<&str, &PlanRow> = plans.iter().map(|plan| (plan.id.as_str(), plan)).collect();
    Ok(found.into_iter().filter_map(|(invoice, id)| Some((invoice, (*by_id.get(id.as_str())?).clone()))).collect())
}

/// By `plans_watch`'s table: few plans are paid by direct debit at a time.
const DEBITS: Query = Query::new(
    "plans.debits",
    concat!(
        "SELECT ",
        fields!(),
        " FROM plans p WHERE p.status = 'active' AND p.method = 'direct_debit' AND p.id > $1 AND EXISTS
           (SELECT 1 FROM instalments i WHERE i.plan = p.id AND i.collected IS NULL AND i.due_on <= $2
              AND i.paid_minor < i.amount_minor)
         ORDER BY p.id LIMIT $3"
    ),
);

/// Returns active plans with an instalment due by a day whose direct debit was not ordered yet, ordered by id.
/// What keeps them from being collected is asked of the working set.
///
/// # Errors
/// Those of the database.
pub async fn debits(tx: &mut Tx, by: NaiveDate, after: &str, limit: i64) -> Result<Vec<PlanRow>> {
    let rows = tx.rows(&DEBITS, args![after, by, limit]).await?;
    whole(tx, rows).await
}

async fn whole(tx: &mut Tx, mut rows: Vec<Row>) -> Result<Vec<PlanRow>> {
    let mut plans = rows.iter_mut().map(read).collect::<Result<Vec<_>>>()?;
    if plans.is_empty() {
        return Ok(plans);
    }
    let ids: Vec<&str> = plans.iter().map(|plan| plan.id.as_str()).collect();
    let mut covered: BTreeMap<String, Vec<CoveredRow>> = BTreeMap::new();
    for mut row in tx.rows(&COVERED, vec![texts(&ids)]).await? {
        let part = covered.entry(row.next()?).or_default();
        part.push(CoveredRow { invoice: row.next()?, amount_minor: row.next()?, base_minor: row.next()? });
    }
    let mut dates: BTreeMap<String, Vec<InstalmentRow>> = BTreeMap::new();
    for mut row in tx.rows(&DATES, vec![texts(&ids)]).await? {
        dates.entry(row.next()?).or_default().push(read_instalment(&mut row)?);
    }
    for plan in &mut plans {
        plan.invoices = covered.remove(&plan.id).unwrap_or_default();
        plan.instalments = dates.remove(&plan.id).unwrap_or_default();
    }
    Ok(plans)
}

const COVERED: Query = listed!(
    "plans.covered",
    "SELECT plan, invoice, amount_minor, base_minor FROM plan_invoices WHERE plan",
    "ORDER BY plan, ordinal LIMIT 100000"
);

const DATES: Query = listed!(
    "plans.dates",
    "SELECT plan, due_on, amount_minor, paid_minor, told, collected FROM instalments WHERE plan",
    "ORDER BY plan, ordinal LIMIT 1000000"
);

fn read_instalment(row: &mut Row) -> Result<InstalmentRow> {
    Ok(InstalmentRow {
        due_on: row.next()?,
        amount_minor: row.next()?,
        paid_minor: row.next()?,
        told: row.next()?,
        collected: row.next()?,
    })
}

fn read(row: &mut Row) -> Result<PlanRow> {
    Ok(PlanRow {
        id: row.next()?,
        source: row.next()?,
        customer: row.next()?,
        currency: row.next()?,
        amount_minor: row.next()?,
        status: row.next()?,
        offered_on: row.next()?,
        valid_until: row.next()?,
        max_instalments: row.next()?,
        ends_by: row.next()?,
        agreed_on: row.next()?,
        ended_on: row.next()?,
        method: row.next()?,
        by: row.next()?,
        default_after: row.next()?,
        re_ages: row.next()?,
        mandate: row.next()?,
        reason: row.next()?,
        watch_at: row.next()?,
        known_at: row.next()?,
        invoices: Vec::new(),
        instalments: Vec::new(),
    })
}

crate::sql::statements! {GET, LIST, OPEN_OF, DUE, NEXT, LATEST_OF, DEBITS, COVERED, DATES ; UPSERT, COVER, UNCOVER, FORGET, INSTALMENTS, COLLECTED}

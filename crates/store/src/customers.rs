//! Customers, where they can be reached, and what a decision may know of them without a scan.

use crate::sql::{Bulk, Query, Row, Tail, args, columns, json, listed, newest, texts};
use crate::{Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::facts::OwnValues;
use recobro_kernel::ids::CustomerId;
use recobro_kernel::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerRow {
    /// Id.
    pub id: CustomerId,
    /// Source.
    pub source: String,
    /// Name; personal.
    pub name: String,
    /// `business`, `person` or `public`.
    pub kind: String,
    /// Segment.
    pub segment: String,
    /// ISO country.
    pub country: String,
    /// Subdivision.
    pub subdivision: Option<String>,
    /// Language.
    pub locale: String,
    /// IANA zone.
    pub time_zone: String,
    /// `low`, `medium` or `high`.
    pub risk: String,
    /// 0 to 100.
    pub risk_score: i64,
    /// Person in charge on our side.
    pub account_manager: Option<String>,
    /// Under protection.
    pub vulnerable: bool,
    /// Free labels.
    pub tags: Vec<String>,
    /// Defaults taken at the import, as `risk = medium`.
    pub defaults: Vec<String>,
    /// The organisation's own facts, by name.
    pub x: OwnValues,
    /// Day it was booked at the source.
    pub booked_on: NaiveDate,
    /// When we knew.
    pub known_at: Timestamp,
}

/// Where a customer can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactPointRow {
    /// Id, frozen into effects.
    pub id: String,
    /// Customer.
    pub customer: CustomerId,
    /// Channel.
    pub channel: String,
    /// Role.
    pub role: String,
    /// Name of the person; personal.
    pub name: String,
    /// Address or number; personal.
    pub address: String,
    /// False after a hard bounce.
    pub usable: bool,
    /// When we knew.
    pub known_at: Timestamp,
}

/// Why a customer is late, in their own words' code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateReason {
    /// `unaware`, `unable`, `unwilling` or `hardship`.
    pub reason: String,
    /// Day they said it.
    pub on: NaiveDate,
}

/// What is counted of a customer; kept by whoever books the cause, in the same transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aggregates {
    /// Invoices paid late, by month as `2026-05`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub late_by_month: BTreeMap<String, i64>,
    /// Promises kept.
    #[serde(default)]
    pub kept_promises: i64,
    /// Promises broken.
    #[serde(default)]
    pub broken_promises: i64,
    /// What matured promises promised, by currency, minor units. Promises that matured before it was kept are missing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub promised_minor: BTreeMap<String, i64>,
    /// What was paid of it in time.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub honoured_minor: BTreeMap<String, i64>,
    /// Why they were late when they last said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_reason: Option<LateReason>,
    /// Day on which they were reported vulnerable; no import takes that back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vulnerable_on: Option<NaiveDate>,
    /// Open invoices.
    #[serde(default)]
    pub open_invoices: i64,
    /// Open principal by currency, minor units.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub total_minor: BTreeMap<String, i64>,
    /// Contacts so far.
    #[serde(default)]
    pub contacts_total: i64,
    /// Day of the last reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reply_on: Option<NaiveDate>,
    /// Active plans.
    #[serde(default)]
    pub open_plans: i64,
    /// When they like to be contacted, as they said it: `mon-fri 10:00-13:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_times: Option<String>,
    /// When they want no contact, as they said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inconvenient_times: Option<String>,
    /// Events that stop everything for the customer, later cases included: `attorney.named`, `customer.deceased`, ...
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub stops: BTreeSet<String>,
}
static UPSERT: Bulk = Bulk::upsert(
    "customers.upsert",
    "customers",
    columns!(id Text, source Text, name Text, kind Text, segment Text, country Text, subdivision Text, locale Text,
             time_zone Text, risk Text, risk_score Int, account_manager Text, vulnerable Int, tags Text, defaults Text,
             x Text, booked_on Text, known_at Int),
    "id",
);

/// Writes customers; a known id is overwritten.
///
/// # Errors
/// Those of the database.
pub async fn upsert(tx: &mut Tx, rows: &[CustomerRow]) -> Result<()> {
    let rows = newest(rows, |row| &row.id).flat_map(|c| {
        args![
            &c.id,
            &c.source,
            &c.name,
            &c.kind,
            &c.segment,
            &c.country,
            c.subdivision.as_ref(),
            &c.locale,
            &c.time_zone,
            &c.risk,
            c.risk_score,
            c.account_manager.as_ref(),
            c.vulnerable,
            &c.tags,
            &c.defaults,
            json(&c.x),
            c.booked_on,
            c.known_at
        ]
    });
    tx.bulk(&UPSERT, rows.collect()).await?;
    Ok(())
}
macro_rules! fields {
    () => {
        "id, source, name, kind, segment, country, subdivision, locale, time_zone, risk, risk_score, account_manager, \
         vulnerable, tags, defaults, x, booked_on, known_at"
    };
}

const GET: Query = listed!("customers.get", concat!("SELECT ", fields!(), " FROM customers WHERE id"), "ORDER BY id");

/// Returns customers by id; unknown ids are missing in the answer.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, ids: &[CustomerId]) -> Result<BTreeMap<CustomerId, CustomerRow>> {
    let mut rows = tx.rows(&GET, vec![texts(ids)]).await?;
    rows.iter_mut().map(|row| read(row).map(|c| (c.id.clone(), c))).collect()
}
const LIST: Query =
    Query::new("customers.list", concat!("SELECT ", fields!(), " FROM customers WHERE id > $1 ORDER BY id LIMIT $2"));

/// Returns customers after an id, in order.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx, after: &str, limit: i64) -> Result<Vec<CustomerRow>> {
    tx.rows(&LIST, args![after, limit]).await?.iter_mut().map(read).collect()
}
static UPSERT_POINTS: Bulk = Bulk::insert(
    "customers.upsert_points",
    "contact_points",
    columns!(id Text, customer Text, channel Text, role Text, name Text, address Text, usable Int, known_at Int),
    "ON CONFLICT (id) DO UPDATE SET customer = excluded.customer, channel = excluded.channel, role = excluded.role,
       name = excluded.name, known_at = excluded.known_at, address = excluded.address,
       usable = CASE WHEN contact_points.usable = 0 AND contact_points.address = excluded.address THEN 0
                     ELSE excluded.usable END",
);

static REPLACE_POINTS: Bulk = Bulk::new(
    "customers.replace_points",
    columns!(id Text, customer Text, channel Text, role Text),
    Tail::Text(
        "DELETE FROM contact_points WHERE usable = 1
           AND (customer, channel, role) IN (SELECT x.customer, x.channel, x.role FROM x)
           AND id NOT IN (SELECT x.id FROM x WHERE x.id IS NOT NULL)",
    ),
);

/// Writes contact points. They take the place of what the customer had for the same channel and role; closed ones stay,
/// so that an address that was closed is not opened by coming again.
///
/// # Errors
/// Those of the database.
pub async fn replace_points(tx: &mut Tx, rows: &[ContactPointRow]) -> Result<()> {
    // First away, then written: where the rows need several statements, what one takes away the upsert puts back.
    let named = newest(rows, |row| &row.id).flat_map(|p| args![&p.id, &p.customer, &p.channel, &p.role]);
    tx.bulk(&REPLACE_POINTS, named.collect()).await?;
    upsert_points(tx, rows).await
}

/// Writes contact points; a known id is overwritten, but `usable` stays false where it was closed and the address
/// is the same.
///
/// # Errors
/// Those of the database.
pub async fn upsert_points(tx: &mut Tx, rows: &[ContactPointRow]) -> Result<()> {
    let rows = newest(rows, |row| &row.id)
        .flat_map(|p| args![&p.id, &p.customer, &p.channel, &p.role, &p.name, &p.address, p.usable, p.known_at]);
    tx.bulk(&UPSERT_POINTS, rows.collect()).await?;
    Ok(())
}
/// By `contact_points_customer`.
const POINTS: Query = listed!(
    "customers.points",
    "SELECT id, customer, channel, role, name, address, usable, known_at FROM contact_points WHERE customer",
    "ORDER BY customer, id LIMIT 100000"
);

/// Returns contact points of customers, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn points(tx: &mut Tx, ids: &[CustomerId]) -> Result<BTreeMap<CustomerId, Vec<ContactPointRow>>> {
    let mut found: BTreeMap<CustomerId, Vec<ContactPointRow>> = BTreeMap::new();
    for mut row in tx.rows(&POINTS, vec![texts(ids)]).await? {
        let point = read_point(&mut row)?;
        found.entry(point.customer.clone()).or_default().push(point);
    }
    Ok(found)
}
const AGGREGATES: Query = listed!(
    "customers.aggregates",
    "SELECT customer, body FROM customer_facts WHERE customer",
    "ORDER BY customer",
    " FOR UPDATE"
);

/// Returns the aggregates of customers, empty ones where nothing was counted yet. On PostgreSQL the rows stay locked
/// in a write transaction.
///
/// # Errors
/// Those of the database; [`crate::Error::Corrupt`].
pub async fn aggregates(tx: &mut Tx, ids: &[CustomerId]) -> Result<BTreeMap<CustomerId, Aggregates>> {
    read_aggregates(tx, &AGGREGATES, ids).await
}

const AGGREGATES_SEEN: Query = listed!(
    "customers.aggregates_seen",
    "SELECT customer, body FROM customer_facts WHERE customer",
    "ORDER BY customer"
);

/// The same without locks, for decisions.
pub(crate) async fn aggregates_seen(tx: &mut Tx, ids: &[CustomerId]) -> Result<BTreeMap<CustomerId, Aggregates>> {
    read_aggregates(tx, &AGGREGATES_SEEN, ids).await
}

async fn read_aggregates(
    tx: &mut Tx,
    query: &'static Query,
    ids: &[CustomerId],
) -> Result<BTreeMap<CustomerId, Aggregates>> {
    let mut found: BTreeMap<_, _> = ids.iter().map(|id| (id.clone(), Aggregates::default())).collect();
    for mut row in tx.rows(query, vec![texts(ids)]).await? {
        found.insert(row.next()?, row.next_json()?);
    }
    Ok(found)
}
static PUT_AGGREGATES: Bulk =
    Bulk::upsert("customers.put_aggregates", "customer_facts", columns!(customer Text, body Text), "customer");

/// Writes aggregates.
///
/// # Errors
/// Those of the database.
pub async fn put_aggregates(tx: &mut Tx, rows: &BTreeMap<CustomerId, Aggregates>) -> Result<()> {
    let rows = rows.iter().flat_map(|(customer, facts)| args![customer, json(facts)]).collect();
    tx.bulk(&PUT_AGGREGATES, rows).await?;
    Ok(())
}

fn read(row: &mut Row) -> Result<CustomerRow> {
    Ok(CustomerRow {
        id: row.next()?,
        source: row.next()?,
        name: row.next()?,
        kind: row.next()?,
        segment: row.next()?,
        country: row.next()?,
        subdivision: row.next()?,
        locale: row.next()?,
        time_zone: row.next()?,
        risk: row.next()?,
        risk_score: row.next()?,
        account_manager: row.next()?,
        vulnerable: row.next()?,
        tags: row.next_json()?,
        defaults: row.next_json()?,
        x: row.next_json()?,
        booked_on: row.next()?,
        known_at: row.next()?,
    })
}

fn read_point(row: &mut Row) -> Result<ContactPointRow> {
    Ok(ContactPointRow {
        id: row.next()?,
        customer: row.next()?,
        channel: row.next()?,
        role: row.next()?,
        name: row.next()?,
        address: row.next()?,
        usable: row.next()?,
        known_at: row.next()?,
    })
}

crate::sql::statements! {GET, LIST, POINTS, AGGREGATES, AGGREGATES_SEEN ; UPSERT, UPSERT_POINTS, REPLACE_POINTS, PUT_AGGREGATES}

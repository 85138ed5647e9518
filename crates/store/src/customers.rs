//! Customers, where they can be reached, and what a decision may know of them without a scan.

use crate::{Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::ids::CustomerId;
use recobro_kernel::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
    /// False after an opt-out or a hard bounce.
    pub usable: bool,
    /// When we knew.
    pub known_at: Timestamp,
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
    /// An active plan exists.
    #[serde(default)]
    pub has_open_plan: bool,
}

/// Writes customers; a known id is overwritten.
///
/// # Errors
/// Those of the database.
pub async fn upsert(tx: &mut Tx, rows: &[CustomerRow]) -> Result<()> { todo!() }

/// Returns customers by id; unknown ids are missing in the answer.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, ids: &[CustomerId]) -> Result<BTreeMap<CustomerId, CustomerRow>> { todo!() }

/// Returns customers after an id, in order.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx, after: &str, limit: i64) -> Result<Vec<CustomerRow>> { todo!() }

/// Writes contact points; a known id is overwritten, but `usable` stays false where an opt-out or a bounce closed it
/// and the address is the same.
///
/// # Errors
/// Those of the database.
pub async fn upsert_points(tx: &mut Tx, rows: &[ContactPointRow]) -> Result<()> { todo!() }

/// Returns contact points of customers, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn points(tx: &mut Tx, ids: &[CustomerId]) -> Result<BTreeMap<CustomerId, Vec<ContactPointRow>>> { todo!() }

/// Closes contact points by id (opt-out, hard bounce).
///
/// # Errors
/// Those of the database.
pub async fn close_points(tx: &mut Tx, ids: &[String]) -> Result<()> { todo!() }

/// Returns the aggregates of customers, empty ones where nothing was counted yet. On PostgreSQL the rows stay locked
/// in a write transaction.
///
/// # Errors
/// Those of the database; [`crate::Error::Corrupt`].
pub async fn aggregates(tx: &mut Tx, ids: &[CustomerId]) -> Result<BTreeMap<CustomerId, Aggregates>> { todo!() }

/// Writes aggregates.
///
/// # Errors
/// Those of the database.
pub async fn put_aggregates(tx: &mut Tx, rows: &BTreeMap<CustomerId, Aggregates>) -> Result<()> { todo!() }

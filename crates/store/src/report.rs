//! Sums for people. Each is one scan of what it names.

use crate::{Result, Tx};
use chrono::NaiveDate;

/// Open principal by age, one row per bucket and currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgeingRow {
    /// Currency.
    pub currency: String,
    /// `not_due`, `1-30`, `31-60`, `61-90`, `over_90`, in this order by `order`.
    pub bucket: String,
    /// Invoices.
    pub invoices: i64,
    /// Principal, minor units.
    pub balance_minor: i64,
}

/// A count by two names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountRow {
    /// First name: channel, playbook.
    pub group: String,
    /// Second name: step, outcome (empty while open).
    pub name: String,
    /// How many.
    pub count: i64,
}

/// Ages open principal as of a date, ordered by currency and age.
///
/// # Errors
/// Those of the database.
pub async fn ageing(tx: &mut Tx, on: NaiveDate) -> Result<Vec<AgeingRow>> { todo!() }

/// Counts contacts by channel and step, ordered by both.
///
/// # Errors
/// Those of the database.
pub async fn contacts(tx: &mut Tx) -> Result<Vec<CountRow>> { todo!() }

/// Counts cases by playbook and outcome, ordered by both; open ones have an empty outcome.
///
/// # Errors
/// Those of the database.
pub async fn outcomes(tx: &mut Tx) -> Result<Vec<CountRow>> { todo!() }

/// Counts cases by status, ordered by it; `group` is the status.
///
/// # Errors
/// Those of the database.
pub async fn statuses(tx: &mut Tx) -> Result<Vec<CountRow>> { todo!() }

/// Counts tasks by kind and outcome, ordered by both; open ones have an empty outcome.
///
/// # Errors
/// Those of the database.
pub async fn tasks(tx: &mut Tx) -> Result<Vec<CountRow>> { todo!() }

/// Returns the number of turns ever committed.
///
/// # Errors
/// Those of the database.
pub async fn turns(tx: &mut Tx) -> Result<i64> { todo!() }

/// Sums of money in minor units by currency: owed originally, open now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmountRow {
    /// Currency.
    pub currency: String,
    /// Invoices.
    pub invoices: i64,
    /// Original amounts.
    pub amount_minor: i64,
    /// Principal open.
    pub balance_minor: i64,
}

/// Sums all invoices, ordered by currency.
///
/// # Errors
/// Those of the database.
pub async fn amounts(tx: &mut Tx) -> Result<Vec<AmountRow>> { todo!() }

//! Sums for people. Each is one scan of what it names.

use crate::sql::{Query, args};
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
/// The buckets in order.
const BUCKETS: [&str; 5] = ["not_due", "1-30", "31-60", "61-90", "over_90"];

const AGEING: Query = Query::new(
    "report.ageing",
    "SELECT currency, bucket, COUNT(*), CAST(SUM(balance_minor) AS BIGINT)
     FROM (SELECT currency, balance_minor, CASE WHEN due_on >= $1 THEN 0 WHEN due_on >= $2 THEN 1
             WHEN due_on >= $3 THEN 2 WHEN due_on >= $4 THEN 3 ELSE 4 END + $5 AS bucket
           FROM invoices WHERE balance_minor > 0 AND closed IS NULL) AS aged
     GROUP BY currency, bucket ORDER BY currency, bucket LIMIT 1000",
);

/// Ages open principal as of a date, ordered by currency and age.
///
/// # Errors
/// Those of the database.
pub async fn ageing(tx: &mut Tx, on: NaiveDate) -> Result<Vec<AgeingRow>> {
    let back = |days| on.checked_sub_days(chrono::Days::new(days)).unwrap_or(on);
    let args = args![on, back(30), back(60), back(90), 0_i64];
    let mut rows = tx.rows(&AGEING, args).await?;
    rows.iter_mut()
        .map(|row| {
            let (currency, bucket) = (row.next()?, row.next::<u64>()?);
            let bucket = usize::try_from(bucket).ok().and_then(|i| BUCKETS.get(i)).copied().unwrap_or("over_90");
            Ok(AgeingRow { currency, bucket: bucket.to_owned(), invoices: row.next()?, balance_minor: row.next()? })
        })
        .collect()
}
const CONTACTS: Query = Query::new(
    "report.contacts",
    "SELECT channel, step, COUNT(*) FROM contacts_made GROUP BY channel, step ORDER BY channel, step LIMIT 10000",
);

/// Counts contacts by channel and step, ordered by both.
///
/// # Errors
/// Those of the database.
pub async fn contacts(tx: &mut Tx) -> Result<Vec<CountRow>> {
    counts(tx, &CONTACTS).await
}
const OUTCOMES: Query = Query::new(
    "report.outcomes",
    "SELECT playbook, COALESCE(outcome, ''), COUNT(*) FROM cases GROUP BY playbook, COALESCE(outcome, '')
     ORDER BY playbook, COALESCE(outcome, '') LIMIT 10000",
);

/// Counts cases by playbook and outcome, ordered by both; open ones have an empty outcome.
///
/// # Errors
/// Those of the database.
pub async fn outcomes(tx: &mut Tx) -> Result<Vec<CountRow>> {
    counts(tx, &OUTCOMES).await
}
const STATUSES: Query =
    Query::new("report.statuses", "SELECT status, '', COUNT(*) FROM cases GROUP BY status ORDER BY status LIMIT 100");

/// Counts cases by status, ordered by it; `group` is the status.
///
/// # Errors
/// Those of the database.
pub async fn statuses(tx: &mut Tx) -> Result<Vec<CountRow>> {
    counts(tx, &STATUSES).await
}
const TASKS: Query = Query::new(
    "report.tasks",
    "SELECT kind, COALESCE(outcome, ''), COUNT(*) FROM tasks GROUP BY kind, COALESCE(outcome, '')
     ORDER BY kind, COALESCE(outcome, '') LIMIT 10000",
);

/// Counts tasks by kind and outcome, ordered by both; open ones have an empty outcome.
///
/// # Errors
/// Those of the database.
pub async fn tasks(tx: &mut Tx) -> Result<Vec<CountRow>> {
    counts(tx, &TASKS).await
}
/// A case's revision is its number of turns.
const TURNS: Query = Query::new("report.turns", "SELECT CAST(COALESCE(SUM(rev), 0) AS BIGINT) FROM cases LIMIT 1");

/// Returns the number of turns ever committed.
///
/// # Errors
/// Those of the database.
pub async fn turns(tx: &mut Tx) -> Result<i64> {
    Ok(tx.row(&TURNS, args![]).await?.map(|mut row| row.next()).transpose()?.unwrap_or(0))
}

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
const AMOUNTS: Query = Query::new(
    "report.amounts",
    "SELECT currency, COUNT(*), CAST(SUM(amount_minor) AS BIGINT), CAST(SUM(balance_minor) AS BIGINT)
     FROM invoices GROUP BY currency ORDER BY currency LIMIT 1000",
);

/// Sums all invoices, ordered by currency.
///
/// # Errors
/// Those of the database.
pub async fn amounts(tx: &mut Tx) -> Result<Vec<AmountRow>> {
    let mut rows = tx.rows(&AMOUNTS, args![]).await?;
    rows.iter_mut()
        .map(|row| {
            Ok(AmountRow {
                currency: row.next()?,
                invoices: row.next()?,
                amount_minor: row.next()?,
                balance_minor: row.next()?,
            })
        })
        .collect()
}

async fn counts(tx: &mut Tx, query: &'static Query) -> Result<Vec<CountRow>> {
    let mut rows = tx.rows(query, args![]).await?;
    rows.iter_mut().map(|row| Ok(CountRow { group: row.next()?, name: row.next()?, count: row.next()? })).collect()
}

crate::sql::statements! {AGEING, CONTACTS, OUTCOMES, STATUSES, TASKS, TURNS, AMOUNTS ; }

//! Exceptions and deadlines as people and programs see them.

use crate::failure::Failure;
use chrono::NaiveDate;
use recobro_engine::explain::Running;
use recobro_kernel::time::Timestamp;
use recobro_store::Store;
use recobro_store::exceptions::{self, ExceptionRow};
use serde::Serialize;

/// An exception as lists show it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ExceptionLine {
    schema: &'static str,
    /// Its name.
    pub(crate) exception: String,
    /// The rule that it lifts.
    pub(crate) rule: String,
    /// `customer` or `class`.
    pub(crate) scope: &'static str,
    /// Whom it is for.
    pub(crate) on: String,
    /// Reason code.
    pub(crate) reason: String,
    /// First day.
    pub(crate) from: NaiveDate,
    /// Last day.
    pub(crate) until: NaiveDate,
    /// `asked`, `coming`, `stands`, `over`, `refused` or `ended`.
    pub(crate) status: String,
    /// Who asked.
    pub(crate) asked_by: String,
    asked_at: Timestamp,
    /// Who approved or refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decided_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    /// What people should know.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) note: String,
}

/// An exception that somebody just did something with.
#[derive(Serialize)]
pub(super) struct Done<'a> {
    /// The exception.
    #[serde(flatten)]
    pub(super) exception: &'a ExceptionLine,
    /// Nothing was taken.
    pub(super) dry_run: bool,
}

/// An exception with what was done with it.
#[derive(Serialize)]
pub(super) struct Told {
    /// The exception.
    #[serde(flatten)]
    pub(super) exception: ExceptionLine,
    /// In order.
    pub(super) acts: Vec<Noted>,
}

/// One act.
#[derive(Serialize)]
pub(super) struct Noted {
    /// When.
    pub(super) at: Timestamp,
    /// Who.
    pub(super) who: String,
    /// `asked`, `approved`, `refused`, `began` or `ended`.
    pub(super) act: String,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) why: String,
}

/// An exception as it is on a day.
pub(super) fn line(row: ExceptionRow, today: NaiveDate) -> ExceptionLine {
    let status = match row.status.as_str() {
        "approved" if row.until_on < today => "over",
        "approved" if row.from_on > today => "coming",
        "approved" => "stands",
        other => other,
    };
    let (scope, on) = match (row.customer, row.class) {
        (Some(customer), _) => ("customer", customer.0),
        (None, class) => ("class", class.unwrap_or_default().replace('\n', " and ")),
    };
    ExceptionLine {
        schema: "recobro/v1/exception",
        status: status.to_owned(),
        exception: row.id,
        rule: row.rule,
        scope,
        on,
        reason: row.reason,
        from: row.from_on,
        until: row.until_on,
        asked_by: row.asked_by,
        asked_at: row.asked_at,
        decided_by: row.decided_by,
        decided_at: row.decided_at,
        ended_by: row.ended_by,
        ended_at: row.ended_at,
        note: row.note,
    }
}

/// Exceptions, ordered by name: of a status, or those that stand or will.
pub(super) async fn all(
    store: &Store,
    (status, standing): (&str, bool),
    today: NaiveDate,
    limit: u32,
) -> Result<Vec<ExceptionLine>, Failure> {
    let mut tx = store.read().await?;
    let of = (status, standing.then_some(today));
    let rows = exceptions::list(&mut tx, of, "", i64::from(limit)).await?;
    Ok(rows.into_iter().map(|row| line(row, today)).collect())
}

/// One exception.
pub(super) async fn one(store: &Store, name: &str, today: NaiveDate) -> Result<Told, Failure> {
    let mut tx = store.read().await?;
    let Some(row) = exceptions::get(&mut tx, name).await? else {
        return Err(Failure::not_found(format!("no exception `{name}`"))
            .help("`recobro guard exception list` shows all"));
    };
    let acts = exceptions::acts(&mut tx, std::slice::from_ref(&row.id)).await?;
    let acts = acts.into_iter().map(|act| Noted { at: act.at, who: act.who, act: act.act, why: act.why }).collect();
    Ok(Told { exception: line(row, today), acts })
}

/// A deadline of an open case.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DeadlineLine {
    schema: &'static str,
    invoice: String,
    number: String,
    rule: String,
    awaits: String,
    since: NaiveDate,
    until: NaiveDate,
    alert: NaiveDate,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    met: Option<NaiveDate>,
    source: String,
}

impl DeadlineLine {
    /// As people read it.
    pub(crate) fn text(&self) -> String {
        let met = self.met.map_or_else(String::new, |on| format!(" on {on}"));
        format!("{} by {}: {}{met}  {}  ({})", self.awaits, self.until, self.state, self.rule, self.source)
    }

    /// The invoice's number.
    pub(crate) fn number(&self) -> &str {
        &self.number
    }
}

impl From<Running> for DeadlineLine {
    fn from(running: Running) -> Self {
        let due = running.due;
        Self {
            schema: "recobro/v1/deadline",
            invoice: running.invoice.0,
            number: running.number,
            rule: due.rule,
            awaits: due.what,
            since: due.started,
            until: due.last,
            alert: due.alert_on,
            state: running.state,
            met: due.met_on,
            source: due.source,
        }
    }
}

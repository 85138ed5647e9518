//! Plans and holds as people and programs see them.

use crate::failure::Failure;
use chrono::NaiveDate;
use recobro_connectors::source::record::Mandate;
use recobro_kernel::money::Money;
use recobro_store::holds::{self, HoldRow};
use recobro_store::plans::{self, PlanRow};
use recobro_store::{Store, Tx};
use serde::Serialize;

/// One date of a plan.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct InstalmentLine {
    /// From 1.
    pub(crate) number: usize,
    /// Last day on which it is in time.
    pub(crate) due: NaiveDate,
    /// Amount.
    pub(crate) amount: String,
    /// Paid of it.
    pub(crate) paid: String,
    /// `open`, `announced`, `missed` or `paid`.
    pub(crate) status: String,
    /// The file in which its direct debit was ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) collected: Option<String>,
}

/// A plan as lists show it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PlanLine {
    schema: &'static str,
    /// Id.
    pub(crate) plan: String,
    /// Customer.
    pub(crate) customer: String,
    /// `proposed`, `active`, ...
    pub(crate) status: String,
    /// What it covers.
    pub(crate) invoices: Vec<String>,
    /// Amount.
    pub(crate) amount: String,
    /// Paid so far.
    pub(crate) paid: String,
    /// Currency.
    pub(crate) currency: String,
    /// How it is paid.
    pub(crate) method: String,
    /// Who agreed.
    pub(crate) by: String,
    /// Day of the offer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offered_on: Option<NaiveDate>,
    /// Last day to accept it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) valid_until: Option<NaiveDate>,
    /// Most instalments of the offer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_instalments: Option<i64>,
    /// It ends by this day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ends_by: Option<NaiveDate>,
    /// Day of the agreement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) agreed_on: Option<NaiveDate>,
    /// Day it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended_on: Option<NaiveDate>,
    /// Missed instalments that end it.
    pub(crate) default_after: i64,
    /// Days overdue count anew.
    pub(crate) re_ages: bool,
    /// Why it was cancelled.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
    /// The mandate of its direct debits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mandate: Option<Mandate>,
    /// The next date that is not paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_due: Option<NaiveDate>,
    /// Its dates.
    pub(crate) instalments: Vec<InstalmentLine>,
}

impl From<PlanRow> for PlanLine {
    fn from(row: PlanRow) -> Self {
        let money = |minor: i64| Money::new(minor, row.currency).to_decimal().to_string();
        let instalment = |(number, one): (usize, &plans::InstalmentRow)| InstalmentLine {
            number,
            due: one.due_on,
            amount: money(one.amount_minor),
            paid: money(one.paid_minor),
            status: if one.paid_minor >= one.amount_minor { "paid".to_owned() } else { one.told.clone() },
            collected: one.collected.clone(),
        };
        // What is over has no next date; what was offered has.
        let runs = matches!(row.status.as_str(), "active" | "proposed");
        let next = row.instalments.iter().find(|one| runs && one.paid_minor < one.amount_minor);
        let mandate = row.mandate.as_deref().and_then(|text| serde_json::from_str(text).ok());
        Self {
            schema: "recobro/v1/plan",
            invoices: row.invoices.iter().map(|part| part.invoice.0.clone()).collect(),
            amount: money(row.amount_minor),
            paid: money(row.instalments.iter().map(|one| one.paid_minor).sum()),
            currency: row.currency.to_string(),
            mandate,
            next_due: next.map(|one| one.due_on),
            instalments: (1..).zip(&row.instalments).map(instalment).collect(),
            plan: row.id,
            customer: row.customer.0,
            status: row.status,
            method: row.method,
            by: row.by,
            offered_on: row.offered_on,
            valid_until: row.valid_until,
            max_instalments: row.max_instalments,
            ends_by: row.ends_by,
            agreed_on: row.agreed_on,
            ended_on: row.ended_on,
            default_after: row.default_after,
            re_ages: row.re_ages,
            reason: row.reason,
        }
    }
}

/// Plans of a status or a customer, ordered by id.
pub(crate) async fn plans(store: &Store, of: (&str, &str), limit: u32) -> Result<Vec<PlanLine>, Failure> {
    let mut tx = store.read().await?;
    Ok(plans::list(&mut tx, of, "", i64::from(limit)).await?.into_iter().map(PlanLine::from).collect())
}

/// One plan.
pub(crate) async fn plan(store: &Store, id: &str) -> Result<PlanLine, Failure> {
    let mut tx = store.read().await?;
    let found = plans::get(&mut tx, &[id.to_owned()]).await?.pop();
    found
        .map(PlanLine::from)
        .ok_or_else(|| Failure::not_found(format!("no plan `{id}`")).help("`recobro plan list` shows all"))
}

/// A hold as lists show it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct HoldLine {
    schema: &'static str,
    /// Id.
    pub(crate) hold: String,
    /// `invoice`, `customer` or `class`.
    pub(crate) scope: String,
    /// What it is on.
    pub(crate) on: String,
    /// Reason code.
    pub(crate) reason: String,
    /// Who answers for it.
    pub(crate) owner: String,
    /// First day.
    pub(crate) from: NaiveDate,
    /// Last day.
    pub(crate) until: NaiveDate,
    /// `stands`, `ended` or `released`.
    pub(crate) status: &'static str,
    /// Day it was released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) released_on: Option<NaiveDate>,
    /// Who released it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) released_by: Option<String>,
    /// What people should know.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) note: String,
}

fn hold_line(row: HoldRow, today: NaiveDate) -> HoldLine {
    let status = match (row.released_on, row.until_on < today) {
        (Some(_), _) => "released",
        (None, true) => "ended",
        (None, false) => "stands",
    };
    let on = row.invoice.map(|id| id.0).or_else(|| row.customer.map(|id| id.0));
    HoldLine {
        schema: "recobro/v1/hold",
        hold: row.id,
        scope: row.scope,
        on: on.or_else(|| row.class.map(|class| class.replace('\n', " and "))).unwrap_or_default(),
        reason: row.reason,
        owner: row.owner,
        from: row.from_on,
        until: row.until_on,
        status,
        released_on: row.released_on,
        released_by: row.released_by,
        note: row.note,
    }
}

/// Holds, ordered by id; only those that stand, where asked.
pub(crate) async fn holds(
    store: &Store,
    standing: bool,
    today: NaiveDate,
    limit: u32,
) -> Result<Vec<HoldLine>, Failure> {
    let mut tx = store.read().await?;
    let rows = holds::list(&mut tx, standing.then_some(today), "", i64::from(limit)).await?;
    Ok(rows.into_iter().map(|row| hold_line(row, today)).collect())
}

/// One hold.
pub(crate) async fn hold(store: &Store, id: &str, today: NaiveDate) -> Result<HoldLine, Failure> {
    let mut tx: Tx = store.read().await?;
    let found = holds::get(&mut tx, &[id.to_owned()]).await?.pop();
    found
        .map(|row| hold_line(row, today))
        .ok_or_else(|| Failure::not_found(format!("no hold `{id}`")).help("`recobro hold list` shows all"))
}

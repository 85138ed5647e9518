//! Everything a batch of decisions may know, in a fixed number of queries.

use crate::consents::ConsentRow;
use crate::contacts::ContactRow;
use crate::customers::{Aggregates, ContactPointRow, CustomerRow};
use crate::disputes::DisputeRow;
use crate::exceptions::ExceptionRow;
use crate::incentives::IncentiveRow;
use crate::invoices::InvoiceRow;
use crate::plans::PlanRow;
use crate::promises::PromiseRow;
use crate::waivers::WaiverRow;
use crate::{Result, Tx};
use crate::{
    consents, contacts, customers, disputes, exceptions, incentives, invoices, payments, plans, promises, waivers,
};
use chrono::NaiveDate;
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::time::Timestamp;
use std::collections::BTreeMap;

/// What to load.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Invoices.
    pub invoices: Vec<InvoiceId>,
    /// Their customers.
    pub customers: Vec<CustomerId>,
    /// Contacts made at or after this instant; none are loaded without it.
    pub contacts_since: Option<Timestamp>,
    /// Exceptions that last to this day or longer; none are loaded without it.
    pub exceptions_on: Option<NaiveDate>,
    /// Load the latest promise of each invoice.
    pub promises: bool,
    /// Load the latest dispute of each invoice.
    pub disputes: bool,
    /// Load the latest plan of each invoice.
    pub plans: bool,
}

/// What was found. Unknown ids are missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Invoices.
    pub invoices: BTreeMap<InvoiceId, InvoiceRow>,
    /// Customers.
    pub customers: BTreeMap<CustomerId, CustomerRow>,
    /// Contact points, ordered by id.
    pub points: BTreeMap<CustomerId, Vec<ContactPointRow>>,
    /// What they said about channels, the oldest first.
    pub consents: BTreeMap<CustomerId, Vec<ConsentRow>>,
    /// Aggregates, empty ones included.
    pub aggregates: BTreeMap<CustomerId, Aggregates>,
    /// Contacts made, oldest first.
    pub contacts: BTreeMap<CustomerId, Vec<ContactRow>>,
    /// Exceptions of the customers, and those of classes.
    pub exceptions: Vec<ExceptionRow>,
    /// Latest promise that covers the invoice.
    pub promises: BTreeMap<InvoiceId, PromiseRow>,
    /// Latest dispute.
    pub disputes: BTreeMap<InvoiceId, DisputeRow>,
    /// Latest plan.
    pub plans: BTreeMap<InvoiceId, PlanRow>,
    /// Money by day of booking, of invoices that had any and are not due as a whole.
    pub paid: BTreeMap<InvoiceId, Vec<(NaiveDate, i64)>>,
    /// Credit notes by day of booking.
    pub credited: BTreeMap<InvoiceId, Vec<(NaiveDate, i64)>>,
    /// Latest discount for paying early.
    pub incentives: BTreeMap<InvoiceId, IncentiveRow>,
    /// Charges that are not asked for.
    pub waivers: BTreeMap<InvoiceId, Vec<WaiverRow>>,
}
/// Loads the facts of a batch in at most fourteen queries, whatever its size.
///
/// # Errors
/// Those of the database; [`crate::Error::Corrupt`].
pub async fn load(tx: &mut Tx, wanted: &Wanted) -> Result<Loaded> {
    let mut loaded = Loaded::default();
    if !wanted.customers.is_empty() {
        loaded.customers = customers::get(tx, &wanted.customers).await?;
        loaded.points = customers::points(tx, &wanted.customers).await?;
        for row in consents::of_customers(tx, &wanted.customers).await? {
            loaded.consents.entry(row.customer.clone()).or_default().push(row);
        }
        loaded.aggregates = customers::aggregates_seen(tx, &wanted.customers).await?;
        if let Some(since) = wanted.contacts_since {
            loaded.contacts = contacts::since(tx, &wanted.customers, since).await?;
        }
        if let Some(on) = wanted.exceptions_on {
            loaded.exceptions = exceptions::standing(tx, &wanted.customers, on).await?;
        }
    }
    if wanted.invoices.is_empty() {
        return Ok(loaded);
    }
    loaded.invoices = invoices::get(tx, &wanted.invoices).await?;
    if wanted.promises {
        loaded.promises = promises::latest_of(tx, &wanted.invoices).await?;
    }
    if wanted.disputes {
        loaded.disputes = disputes::latest_of(tx, &wanted.invoices).await?;
    }
    if wanted.plans {
        loaded.plans = plans::latest_of(tx, &wanted.invoices).await?;
    }
    // In order of their days: the last one of an invoice stays.
    let incentives = incentives::of_invoices(tx, &wanted.invoices).await?;
    loaded.incentives = incentives.into_iter().map(|row| (row.invoice.clone(), row)).collect();
    for row in waivers::of_invoices(tx, &wanted.invoices).await? {
        loaded.waivers.entry(row.invoice.clone()).or_default().push(row);
    }
    let paid: Vec<InvoiceId> =
        loaded.invoices.values().filter(|row| had_money(row)).map(|row| row.id.clone()).collect();
    if !paid.is_empty() {
        for row in payments::settled(tx, &paid).await? {
            let of_kind = if row.is_credit() { &mut loaded.credited } else { &mut loaded.paid };
            of_kind.entry(row.invoice).or_default().push((row.booked_on, row.amount_minor));
        }
    }
    Ok(loaded)
}

/// Whether an invoice may have allocations: a payment that came back leaves a day, a credit note a difference.
fn had_money(row: &InvoiceRow) -> bool {
    row.last_payment_on.is_some() || row.balance_minor != row.amount_minor
}

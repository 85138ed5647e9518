//! News of plans: what a person, a file or an offer of the playbook says becomes a row, or a reason why it cannot.

use super::book::plans::instalment_row;
use super::book::{Bill, Book, Origin};
use super::{Parked, named, unknown};
use chrono::NaiveDate;
use recobro_connectors::source::record::{Mandate, Plan, PlanChange, PlanOffer, PlanTerms};
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::money::{Currency, Money};
use recobro_kernel::plan::{self, Instalment, Limits};
use recobro_kernel::schedule::end_of;
use recobro_kernel::time::{Span, Unit};
use recobro_store::plans::{CoveredRow, PlanRow};

/// Where nobody says the distance of instalments.
const EVERY: Span = Span { count: 1, unit: Unit::Months };

/// Where nobody says how many instalments an offer may have.
const OFFERED: i64 = 3;

/// Where nobody says how long an offer stands.
pub(crate) const OFFER_DAYS: i64 = 14;

/// Takes news of a plan.
pub(super) fn take(book: &mut Book, plan: &Plan, origin: &Origin<'_>) -> Result<(), Parked> {
    match &plan.change {
        PlanChange::Offered(offer) => offered(book, plan, offer, origin),
        PlanChange::Agreed(terms) => agreed(book, plan, terms, origin),
        PlanChange::Declined {} => {
            if book.decline_plan(&plan.id, plan.on, origin) {
                Ok(())
            } else {
                Err(no_open(book, &plan.id, "offer"))
            }
        }
        PlanChange::Mandated(mandate) => {
            if let Some(scheme) = book.scheme(&plan.id).filter(|scheme| scheme.row.currency != Currency::EUR) {
                return Err(format!("plan `{}` is in {}; direct debits are in euros", plan.id, scheme.row.currency));
            }
            signed_in_time(mandate, plan.on)?;
            let text = serde_json::to_string(mandate).expect("a mandate is plain data");
            if book.mandate_plan(&plan.id, text) { Ok(()) } else { Err(no_open(book, &plan.id, "plan")) }
        }
        PlanChange::Cancelled { reason } => {
            if book.cancel_plan(&plan.id, reason, plan.on, origin) {
                Ok(())
            } else {
                Err(no_open(book, &plan.id, "plan"))
            }
        }
    }
}

/// Nobody agrees by a mandate that is not signed yet.
fn signed_in_time(mandate: &Mandate, on: NaiveDate) -> Result<(), Parked> {
    if mandate.signed_on > on {
        return Err(format!("the mandate is signed on {}, after {on}", mandate.signed_on));
    }
    Ok(())
}

fn no_open(book: &Book, id: &str, what: &str) -> Parked {
    match book.scheme(id) {
        Some(scheme) => format!("plan `{id}` is {}", scheme.row.status),
        None => format!("no open {what} `{id}`"),
    }
}

/// What a plan would cover: invoices with what may be asked for, the oldest due first.
struct Cover {
    customer: CustomerId,
    currency: Currency,
    invoices: Vec<(InvoiceId, i64)>,
}

impl Cover {
    fn claimable(&self) -> i64 {
        self.invoices.iter().map(|(_, minor)| minor).sum()
    }

    /// The rows of an amount, spread from the oldest invoice on.
    fn rows(&self, book: &Book, amount_minor: i64) -> Vec<CoveredRow> {
        let mut left = amount_minor;
        let part = |(invoice, claimable): &(InvoiceId, i64)| {
            let amount_minor = left.min(*claimable);
            left -= amount_minor;
            CoveredRow { invoice: invoice.clone(), amount_minor, base_minor: book.bills[invoice].balance_minor }
        };
        self.invoices.iter().map(part).filter(|part| part.amount_minor > 0).collect()
    }
}

fn cover(book: &Book, customer: Option<&String>, names: &[String]) -> Result<Cover, Parked> {
    let mut ids = Vec::new();
    for name in names {
        let id = named(book, name)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    if ids.is_empty() {
        let Some(customer) = customer else {
            return Err("the plan names neither a customer nor an invoice".to_owned());
        };
        if !book.clients.contains_key(&CustomerId(customer.clone())) {
            return Err(unknown("customer", customer));
        }
        let open = |(_, bill): &(&InvoiceId, &Bill)| bill.record.customer == *customer && bill.is_open();
        ids.extend(book.bills.iter().filter(open).map(|(id, _)| id.clone()));
    }
    ids.sort_by_key(|id| (book.bills[id].record.due, id.clone()));
    let Some(first) = ids.first() else { return Err("nothing is open that a plan could cover".to_owned()) };
    let (owner, currency) = (book.bills[first].record.customer.clone(), book.bills[first].record.amount.currency);
    for id in &ids {
        let record = &book.bills[id].record;
        if record.customer != owner {
            return Err(format!(
                "the plan covers invoices of `{owner}` and of `{}`; make one for each",
                record.customer
            ));
        }
        if record.amount.currency != currency {
            return Err("the plan covers invoices in several currencies; split it".to_owned());
        }
        if let Some(other) = book.plan_of(id) {
            return Err(format!("invoice `{id}` is in plan `{}`, which is active; cancel it first", other.row.id));
        }
    }
    let invoices = ids.into_iter().map(|id| (id.clone(), book.bills[&id].claimable_minor())).collect();
    Ok(Cover { customer: CustomerId(owner), currency, invoices })
}

fn offered(book: &mut Book, plan: &Plan, offer: &PlanOffer, origin: &Origin<'_>) -> Result<(), Parked> {
    if let Some(known) = book.scheme(&plan.id) {
        return Err(format!("plan `{}` is {}; another offer needs an id of its own", plan.id, known.row.status));
    }
    let cover = cover(book, offer.customer.as_ref(), &offer.invoices)?;
    let amount_minor = cover.claimable();
    if amount_minor <= 0 {
        return Err("nothing may be asked for now that a plan could cover".to_owned());
    }
    let zone = book.zone_of(&cover.invoices[0].0);
    let on = plan.at.map_or(plan.on, |at| at.date_in(zone));
    let valid_until = offer.valid_until.unwrap_or_else(|| recobro_kernel::case::shift(on, OFFER_DAYS));
    if let Some(past) = [Some(valid_until), offer.ends_by].into_iter().flatten().find(|limit| *limit < on) {
        return Err(format!("{past} is before the day of the offer, {on}"));
    }
    let schedule = proposal(amount_minor, offer.max_instalments, offer.ends_by, valid_until)?;
    let row = PlanRow {
        status: "proposed".to_owned(),
        offered_on: Some(on),
        valid_until: Some(valid_until),
        max_instalments: offer.max_instalments,
        ends_by: offer.ends_by,
        method: offer.method.clone().unwrap_or_default(),
        watch_at: Some(end_of(valid_until, zone)),
        invoices: cover.rows(book, amount_minor),
        instalments: schedule.iter().map(instalment_row).collect(),
        ..blank(book, plan, &cover, (amount_minor, origin))
    };
    book.offer_plan(row, origin);
    Ok(())
}

/// The plan that an offer proposes: as many monthly instalments as its limits allow, the first on its last day.
pub(crate) fn proposal(
    amount_minor: i64,
    max_instalments: Option<i64>,
    ends_by: Option<NaiveDate>,
    valid_until: NaiveDate,
) -> Result<Vec<Instalment>, Parked> {
    let most = max_instalments.unwrap_or(OFFERED).min(amount_minor);
    let first = ends_by.map_or(valid_until, |end| valid_until.min(end));
    let mut schedule = plan::divide(amount_minor, most, first, EVERY)?;
    while ends_by.is_some_and(|end| schedule.last().is_some_and(|last| last.due > end)) {
        schedule = plan::divide(amount_minor, i64::try_from(schedule.len()).unwrap_or(1) - 1, first, EVERY)?;
    }
    Ok(schedule)
}

fn agreed(book: &mut Book, plan: &Plan, terms: &PlanTerms, origin: &Origin<'_>) -> Result<(), Parked> {
    let offer = book.scheme(&plan.id).map(|scheme| scheme.row.clone());
    if let Some(known) = offer.as_ref().filter(|row| row.status != "proposed") {
        return Err(format!("plan `{}` is {}; another plan needs an id of its own", plan.id, known.status));
    }
    let names: Vec<String> = match &offer {
        Some(row) if terms.invoices.is_empty() => row.invoices.iter().map(|part| part.invoice.0.clone()).collect(),
        Some(_) | None => terms.invoices.clone(),
    };
    let cover = cover(book, terms.customer.as_ref(), &names)?;
    if let Some(row) = offer.as_ref().filter(|row| row.customer != cover.customer) {
        return Err(format!("the offer was made to `{}`, the invoices are `{}`'s", row.customer, cover.customer));
    }
    let amount_minor = amount(&cover, terms)?;
    let schedule = schedule(Money::new(amount_minor, cover.currency), plan.on, terms, offer.as_ref())?;
    if let Some(row) = &offer {
        let limits =
            Limits { max_instalments: row.max_instalments, ends_by: row.ends_by, valid_until: row.valid_until };
        limits.admit(&schedule, plan.on)?;
    }
    let blank = blank(book, plan, &cover, (amount_minor, origin));
    let method = terms.method.clone().or_else(|| offer.as_ref().map(|row| row.method.clone())).unwrap_or_default();
    if method == "direct_debit" && terms.mandate.is_none() {
        return Err("a direct debit needs the customer's mandate: its id, the day it was signed, the IBAN".to_owned());
    }
    if let Some(mandate) = &terms.mandate {
        signed_in_time(mandate, plan.on)?;
    }
    let row = PlanRow {
        status: "active".to_owned(),
        offered_on: offer.as_ref().and_then(|row| row.offered_on),
        valid_until: offer.as_ref().and_then(|row| row.valid_until),
        max_instalments: offer.as_ref().and_then(|row| row.max_instalments),
        ends_by: offer.as_ref().and_then(|row| row.ends_by),
        agreed_on: Some(plan.on),
        method,
        by: terms.by.clone().unwrap_or_default(),
        default_after: terms.default_after.unwrap_or(blank.default_after),
        re_ages: terms.re_ages,
        mandate: terms.mandate.as_ref().map(|m| serde_json::to_string(m).expect("a mandate is plain data")),
        watch_at: Some(origin.at),
        invoices: cover.rows(book, amount_minor),
        instalments: schedule.iter().map(instalment_row).collect(),
        ..blank
    };
    book.agree_plan(row, origin);
    Ok(())
}

fn amount(cover: &Cover, terms: &PlanTerms) -> Result<i64, Parked> {
    let claimable = cover.claimable();
    let Some(amount) = terms.amount else {
        return if claimable > 0 {
            Ok(claimable)
        } else {
            Err("nothing may be asked for that a plan could cover".to_owned())
        };
    };
    if amount.currency != cover.currency {
        return Err(format!("the invoices are owed in {}, the plan is in {}", cover.currency, amount.currency));
    }
    if amount.minor <= 0 || amount.minor > claimable {
        let open = Money::new(claimable, cover.currency);
        return Err(format!("a plan over {amount} does not fit: {open} may be asked for"));
    }
    Ok(amount.minor)
}

fn schedule(
    amount: Money,
    on: NaiveDate,
    terms: &PlanTerms,
    offer: Option<&PlanRow>,
) -> Result<Vec<Instalment>, Parked> {
    let amount_minor = amount.minor;
    let is_silent = terms.schedule.is_empty() && terms.instalments.is_none() && terms.first_on.is_none();
    let schedule = match offer {
        _ if !terms.schedule.is_empty() => terms.schedule.clone(),
        // Whoever says nothing takes the offer as it stands.
        Some(row) if is_silent && row.amount_minor == amount_minor => {
            row.instalments.iter().map(|one| Instalment { due: one.due_on, amount_minor: one.amount_minor }).collect()
        }
        offer => {
            let count = terms
                .instalments
                .or_else(|| offer.map(|row| i64::try_from(row.instalments.len()).unwrap_or(1)))
                .ok_or("the plan says neither how many instalments it has nor its dates")?;
            let proposed = offer.and_then(|row| row.instalments.first()).map(|one| one.due_on);
            let first = terms.first_on.or(proposed).ok_or("the plan does not say when its first instalment is due")?;
            plan::divide(amount_minor, count, first, terms.every.unwrap_or(EVERY))?
        }
    };
    plan::check(&schedule, amount)?;
    match schedule.first().filter(|first| first.due < on) {
        Some(first) => Err(format!("the first instalment is due on {}, before the plan was agreed on {on}", first.due)),
        None => Ok(schedule),
    }
}

/// A row with what every plan has.
fn blank(book: &Book, plan: &Plan, cover: &Cover, (amount_minor, origin): (i64, &Origin<'_>)) -> PlanRow {
    PlanRow {
        id: plan.id.clone(),
        source: origin.source.to_owned(),
        customer: cover.customer.clone(),
        currency: cover.currency,
        amount_minor,
        status: String::new(),
        offered_on: None,
        valid_until: None,
        max_instalments: None,
        ends_by: None,
        agreed_on: None,
        ended_on: None,
        method: String::new(),
        by: String::new(),
        default_after: book.law.plan_patience().default_after,
        re_ages: false,
        mandate: None,
        reason: String::new(),
        watch_at: None,
        known_at: origin.at,
        invoices: Vec::new(),
        instalments: Vec::new(),
    }
}

#[cfg(test)]
mod tests;

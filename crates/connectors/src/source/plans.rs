//! The source `plans`: what happens to a payment plan, one event a row.

use super::SourceKind;
use super::mapping::{Mapping, PlanMap};
use super::record::{Mandate, Plan, PlanChange, PlanOffer, PlanTerms, Record};
use super::take::{Section, Take};
use recobro_kernel::money::{Currency, Money};
use recobro_kernel::plan::Instalment;
use std::str::FromStr;

pub(super) const KIND: SourceKind = SourceKind {
    name: "plans",
    doc: "what happens to a payment plan: offered, agreed, declined, cancelled, or given another mandate",
    columns: PlanMap::NAMES,
    by_name: |mapping, has| Mapping { plan: Some(PlanMap::by_name(has)), ..mapping },
    check: |plan| plan.need(&plan.agreement, &[&["id"], &["on"]]),
    records: |plan, take, _| read(take, &plan.agreement).map(Record::Plan).into_iter().collect(),
};

/// How plans are paid.
pub(super) const METHODS: &[&str] = &["transfer", "direct_debit", "card"];

fn read(take: &mut Take<'_>, fields: &Section) -> Option<Plan> {
    let id = take.need(fields, "id");
    let moment = take.needed(fields, "on", Take::moment);
    let change = match take.text(fields, "change").as_deref() {
        None | Some("agreed") => terms(take, fields).map(|terms| PlanChange::Agreed(Box::new(terms))),
        Some("offered") => Some(PlanChange::Offered(offer(take, fields))),
        Some("declined") => Some(PlanChange::Declined {}),
        Some("cancelled") => Some(PlanChange::Cancelled { reason: take.text(fields, "reason").unwrap_or_default() }),
        Some("mandated") => {
            take.need(fields, "mandate");
            mandate(take, fields).map(PlanChange::Mandated)
        }
        Some(other) => {
            take.wrong(
                fields,
                "change",
                format!("`{other}` is none of agreed, offered, declined, cancelled, mandated"),
            );
            None
        }
    };
    let (id, (on, at), change) = (id?, moment?, change?);
    Some(Plan { id, change, on, at })
}

fn offer(take: &mut Take<'_>, fields: &Section) -> PlanOffer {
    let (customer, invoices) = covered(take, fields, true);
    PlanOffer {
        customer,
        invoices,
        max_instalments: parsed(take, fields, "max_instalments", "a number"),
        ends_by: take.date(fields, "ends_by"),
        valid_until: take.date(fields, "valid_until"),
        method: method(take, fields),
    }
}

fn terms(take: &mut Take<'_>, fields: &Section) -> Option<PlanTerms> {
    let (customer, invoices) = covered(take, fields, false);
    let schedule = schedule(take, fields)?;
    let amount = if take.text(fields, "amount").is_some() { Some(take.money(fields)?) } else { None };
    let terms = PlanTerms {
        customer,
        invoices,
        amount,
        instalments: parsed(take, fields, "instalments", "a number"),
        first_on: take.date(fields, "first_on"),
        every: parsed(take, fields, "every", "a distance such as `1 month` or `14 days`"),
        schedule,
        method: method(take, fields),
        by: take.text(fields, "by"),
        default_after: parsed(take, fields, "default_after", "a number"),
        re_ages: take.flag(fields, "re_ages"),
        mandate: mandate(take, fields),
    };
    if !terms.schedule.is_empty() && (terms.instalments.is_some() || terms.first_on.is_some()) {
        take.wrong(fields, "schedule", "says the dates one by one; leave instalments and first_on empty");
    }
    if terms.default_after.is_some_and(|after| after < 1) {
        take.wrong(fields, "default_after", "is at least 1");
    }
    Some(terms)
}

fn covered(take: &mut Take<'_>, fields: &Section, must: bool) -> (Option<String>, Vec<String>) {
    let (customer, invoices) = (take.text(fields, "customer"), take.list(fields, "invoices"));
    if must && customer.is_none() && invoices.is_empty() {
        take.wrong(fields, "invoices", "neither invoices nor a customer are named");
    }
    (customer, invoices)
}

fn method(take: &mut Take<'_>, fields: &Section) -> Option<String> {
    let method = take.text(fields, "method")?;
    if !METHODS.contains(&method.as_str()) {
        take.wrong(fields, "method", format!("`{method}` is none of {}", METHODS.join(", ")));
    }
    Some(method)
}

fn parsed<T: FromStr>(take: &mut Take<'_>, fields: &Section, field: &'static str, what: &str) -> Option<T> {
    let text = take.text(fields, field)?;
    let value = text.parse().ok();
    if value.is_none() {
        take.wrong(fields, field, format!("`{text}` is not {what}"));
    }
    value
}

/// `2026-07-01=500.00;2026-08-01=500.00`; nothing where a part cannot be read.
fn schedule(take: &mut Take<'_>, fields: &Section) -> Option<Vec<Instalment>> {
    let parts = take.list(fields, "schedule");
    if parts.is_empty() {
        return Some(Vec::new());
    }
    let currency = take.needed(fields, "currency", |take, section, _| take.currency(section))?;
    let mut schedule = Vec::with_capacity(parts.len());
    for part in parts {
        let Some(one) = instalment(&part, currency) else {
            let why = format!("`{part}` is no date with its amount; write 2026-07-01=500.00");
            take.wrong(fields, "schedule", why);
            return None;
        };
        schedule.push(one);
    }
    Some(schedule)
}

fn instalment(part: &str, currency: Currency) -> Option<Instalment> {
    let (due, amount) = part.split_once('=')?;
    let amount_minor = Money::parse(amount.trim(), currency).ok()?.minor;
    Some(Instalment { due: due.trim().parse().ok()?, amount_minor })
}

fn mandate(take: &mut Take<'_>, fields: &Section) -> Option<Mandate> {
    let id = take.text(fields, "mandate")?;
    let signed_on = take.needed(fields, "mandate_signed_on", Take::date)?;
    let iban = take.need(fields, "iban")?;
    let iban: String = iban.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_uppercase();
    if let Some(problem) = crate::debit::iban_problem(&iban) {
        take.wrong(fields, "iban", problem);
        return None;
    }
    Some(Mandate { id, signed_on, iban, bic: take.text(fields, "bic"), holder: take.text(fields, "holder") })
}

//! The source `invoices`: one invoice a row.

use super::SourceKind;
use super::mapping::{InvoiceMap, Mapping};
use super::record::{Invoice, Record};
use super::take::{Section, Take};
use chrono::{Days, NaiveDate};

pub(super) const KIND: SourceKind = SourceKind {
    name: "invoices",
    doc: "one invoice a row",
    columns: InvoiceMap::NAMES,
    by_name: |mapping, has| Mapping { invoice: Some(InvoiceMap::by_name(has)), ..mapping },
    check: |plan| {
        plan.need(&plan.invoice, &[&["customer"]])?;
        plan.need(&plan.invoice, NEEDS)
    },
    records: |plan, take, _| invoice(take, &plan.invoice, None).map(Record::Invoice).into_iter().collect(),
};

/// What must be mapped, in a ledger too.
pub(super) const NEEDS: &[&[&str]] =
    &[&["number", "id"], &["issued"], &["due", "due_days"], &["amount"], &["currency"]];

/// An invoice of a customer; without one, the customer's id is a field.
pub(super) fn invoice(take: &mut Take<'_>, fields: &Section, customer: Option<&str>) -> Option<Invoice> {
    let number = take.text(fields, "number");
    let id = take.text(fields, "id").or_else(|| number.clone());
    if id.is_none() {
        take.wrong(fields, "number", "is empty");
    }
    let customer = customer.map(str::to_owned).or_else(|| take.need(fields, "customer"));
    let issued = take.needed(fields, "issued", Take::date);
    let due = due(take, fields, issued);
    let amount = take.money(fields);
    if let Some(amount) = amount.filter(|amount| amount.minor <= 0) {
        take.wrong(fields, "amount", format!("{amount} is not above zero; credit notes are no invoices"));
    }
    let product = take.text(fields, "product").unwrap_or_default();
    let reference = take.text(fields, "reference");
    let x = take.own(fields);
    let (id, customer, issued, due, amount) = (id?, customer?, issued?, due?, amount?);
    if due < issued {
        take.report.note("invoice due before its date of issue", take.line);
    }
    let number = number.unwrap_or_else(|| id.clone());
    let reference = reference.unwrap_or_else(|| number.clone());
    Some(Invoice { id, number, customer, issued, due, amount, product, reference, x, at: None })
}

fn due(take: &mut Take<'_>, fields: &Section, issued: Option<NaiveDate>) -> Option<NaiveDate> {
    if fields.has("due") || !fields.has("due_days") {
        return take.needed(fields, "due", Take::date);
    }
    let text = take.need(fields, "due_days")?;
    let due = text.parse::<u64>().ok().filter(|days| *days <= 3650);
    let Some(days) = due else {
        take.wrong(fields, "due_days", format!("`{text}` is not a number of days"));
        return None;
    };
    issued?.checked_add_days(Days::new(days))
}

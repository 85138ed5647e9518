//! The source `payments`: one payment a row, below zero where money was taken back; and the payment of a ledger row.

use super::SourceKind;
use super::mapping::{Mapping, PaymentMap};
use super::record::{Invoice, Payment, Record};
use super::take::{Section, Take};
use chrono_tz::Tz;
use recobro_kernel::time::Timestamp;

pub(super) const KIND: SourceKind = SourceKind {
    name: "payments",
    doc: "one payment a row; below zero where money was taken back",
    columns: PaymentMap::NAMES,
    by_name: |mapping, has| Mapping { payment: Some(PaymentMap::by_name(has)), ..mapping },
    check: |plan| plan.need(&plan.payment, NEEDS),
    records: |plan, take, _| payment(take, &plan.payment).map(Record::Payment).into_iter().collect(),
};

const NEEDS: &[&[&str]] = &[&["id"], &["invoice", "customer", "reference"], &["amount"], &["currency"], &["on"]];

/// A payment of its own.
pub(super) fn payment(take: &mut Take<'_>, fields: &Section) -> Option<Payment> {
    let id = take.need(fields, "id");
    let mut invoices = take.list(fields, "invoice");
    let invoice = if invoices.len() == 1 { invoices.pop() } else { None };
    let customer = take.text(fields, "customer");
    let reference = take.text(fields, "reference").unwrap_or_default();
    if invoice.is_none() && invoices.is_empty() && customer.is_none() && reference.is_empty() {
        take.wrong(fields, "invoice", "neither an invoice, a customer nor a reference is named");
    }
    let moment = take.needed(fields, "on", Take::moment);
    let amount = take.money(fields);
    if amount.is_some_and(|amount| amount.minor == 0) {
        take.wrong(fields, "amount", "is zero");
    }
    let (id, amount, (on, at)) = (id?, amount?, moment?);
    Some(Payment { id, invoice, invoices, customer, amount, on, at, reference })
}

/// The payment of a ledger row; nothing for an open item.
pub(super) fn of_ledger(take: &mut Take<'_>, fields: &Section, invoice: &Invoice, zone: Tz) -> Option<Payment> {
    if !fields.is_mapped() {
        return None;
    }
    let moment = take.moment(fields, "on");
    let currency = take.currency(fields).unwrap_or(invoice.amount.currency);
    let amount = take.amount(fields, currency);
    let Some((on, at)) = moment else {
        if amount.is_some_and(|amount| amount.minor != 0) {
            take.wrong(fields, "on", "is empty although an amount was paid");
        }
        return None;
    };
    let amount = amount.unwrap_or(invoice.amount);
    if amount.minor < 0 {
        take.wrong(fields, "amount", format!("{amount} is below zero"));
    }
    if amount.minor == 0 {
        return None;
    }
    if on < invoice.issued {
        take.report.note("paid before the date of issue: booked on the date of issue", take.line);
    }
    // Money cannot meet an invoice that is not there yet: booked when the invoice becomes news at the earliest.
    let at = at.unwrap_or_else(|| Timestamp::start_of(on, zone)).max(Timestamp::start_of(invoice.issued, zone));
    let id = take.text(fields, "id").unwrap_or_else(|| format!("{}/payment", invoice.id));
    let reference = take.text(fields, "reference").unwrap_or_default();
    let (invoice, invoices) = (Some(invoice.id.clone()), Vec::new());
    Some(Payment { id, invoice, invoices, customer: None, amount, on, at: Some(at), reference })
}

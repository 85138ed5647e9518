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

const NEEDS: &[&[&str]] = &[&["id"], &["invoice", "customer"], &["amount"], &["currency"], &["on"]];

/// A payment of its own.
pub(super) fn payment(take: &mut Take<'_>, fields: &Section) -> Option<Payment> {
    let id = take.need(fields, "id");
    let invoice = take.text(fields, "invoice");
    let customer = take.text(fields, "customer");
    if invoice.is_none() && customer.is_none() {
        take.wrong(fields, "invoice", "neither an invoice nor a customer is named");
    }
    let moment = take.needed(fields, "on", Take::moment);
    let amount = take.money(fields);
    if amount.is_some_and(|amount| amount.minor == 0) {
        take.wrong(fields, "amount", "is zero");
    }
    let reference = take.text(fields, "reference").unwrap_or_default();
    let (id, amount, (on, at)) = (id?, amount?, moment?);
    Some(Payment { id, invoice, customer, amount, on, at, reference })
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
    Some(Payment { id, invoice: Some(invoice.id.clone()), customer: None, amount, on, at: Some(at), reference })
}

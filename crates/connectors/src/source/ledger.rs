//! The source `ledger`: a wide file, one invoice a row with its customer, its payment and its dispute.

use super::mapping::Mapping;
use super::plan::{Plan, Seen};
use super::record::Record;
use super::take::Take;
use super::{SourceKind, consents, customers, disputes, invoices, payments};
use recobro_kernel::time::Timestamp;

pub(super) const KIND: SourceKind = SourceKind {
    name: "ledger",
    doc: "a wide file, one invoice a row with its customer, payment and dispute; needs a mapping file",
    columns: &[],
    by_name: |mapping: Mapping, _| mapping,
    check: |plan| {
        plan.need(&plan.customer, customers::NEEDS)?;
        plan.need(&plan.invoice, invoices::NEEDS)?;
        if plan.payment.is_mapped() { plan.need(&plan.payment, &[&["on"]]) } else { Ok(()) }
    },
    records: |plan, take, seen| row(plan, take, seen).unwrap_or_default(),
};

/// The records of a row; a customer once, on the first row that names them.
fn row(plan: &Plan, take: &mut Take<'_>, seen: &Seen) -> Option<Vec<Record>> {
    let customer = customers::customer(take, &plan.customer);
    let id = customer.as_ref().map_or("?", |customer| customer.id.as_str());
    let invoice = invoices::invoice(take, &plan.invoice, Some(id));
    let (customer, mut invoice) = (customer?, invoice?);
    let consents = consents::of_customer(take, &plan.customer, &customer.id);
    let zone = customer.time_zone;
    invoice.at = Some(Timestamp::start_of(invoice.issued, zone));
    let payment = payments::of_ledger(take, &plan.payment, &invoice, zone);
    let disputes = disputes::of_ledger(take, &plan.dispute, &plan.days, &invoice, payment.as_ref(), zone);
    if !take.problems.is_empty() {
        return None;
    }
    let mut records = Vec::with_capacity(4);
    let customer = Record::Customer(customer);
    if seen.other(&customer).is_some() {
        take.report.note("customer differs from its first row, which holds", take.line);
    } else if !seen.has(&customer) {
        records.push(customer);
        records.extend(consents);
    }
    records.push(Record::Invoice(invoice));
    records.extend(payment.map(Record::Payment));
    records.extend(disputes);
    Some(records)
}

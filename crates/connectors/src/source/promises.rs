//! The source `promises`: one promise to pay a row.

use super::SourceKind;
use super::mapping::{Mapping, PromiseMap};
use super::record::{Promise, Record};
use super::take::{Section, Take};

pub(super) const KIND: SourceKind = SourceKind {
    name: "promises",
    doc: "one promise to pay a row",
    columns: PromiseMap::NAMES,
    by_name: |mapping, has| Mapping { promise: Some(PromiseMap::by_name(has)), ..mapping },
    check: |plan| plan.need(&plan.promise, &[&["id"], &["invoices", "customer"], &["made_on"], &["date"]]),
    records: |plan, take, _| promise(take, &plan.promise).map(Record::Promise).into_iter().collect(),
};

/// A promise.
fn promise(take: &mut Take<'_>, fields: &Section) -> Option<Promise> {
    let id = take.need(fields, "id");
    let customer = take.text(fields, "customer");
    let invoices = take.list(fields, "invoices");
    if invoices.is_empty() && customer.is_none() {
        take.wrong(fields, "invoices", "neither invoices nor a customer are named");
    }
    let moment = take.needed(fields, "made_on", Take::moment);
    let date = take.needed(fields, "date", Take::date);
    let amount = if take.text(fields, "amount").is_some() { take.money(fields) } else { None };
    let (method, by) = (take.text(fields, "method"), take.text(fields, "by"));
    let (id, (made_on, at), date) = (id?, moment?, date?);
    if date < made_on {
        take.wrong(fields, "date", "is before the day the promise was made");
    }
    Some(Promise { id, customer, invoices, made_on, date, amount, method, by, at })
}

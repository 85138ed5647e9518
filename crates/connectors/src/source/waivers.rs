//! The source `waivers`: one waiver of interest or of a fixed sum a row.

use super::SourceKind;
use super::mapping::{Mapping, WaiverMap};
use super::record::{Record, Waiver};
use super::take::{Section, Take};
use recobro_kernel::interest::Waives;

pub(super) const KIND: SourceKind = SourceKind {
    name: "waivers",
    doc: "one waiver a row: interest or a fixed sum that is not asked for",
    columns: WaiverMap::NAMES,
    by_name: |mapping, has| Mapping { waiver: Some(WaiverMap::by_name(has)), ..mapping },
    check: |plan| plan.need(&plan.waiver, &[&["id"], &["invoice"], &["on"], &["reason"]]),
    records: |plan, take, _| waiver(take, &plan.waiver).map(Record::Waiver).into_iter().collect(),
};

/// A waiver.
fn waiver(take: &mut Take<'_>, fields: &Section) -> Option<Waiver> {
    let id = take.need(fields, "id");
    let invoice = take.need(fields, "invoice");
    let names: Vec<&str> = Waives::ALL.iter().map(|(name, _)| *name).collect();
    let kind = take.one_of(fields, "kind", &names, "all");
    let amount = if take.text(fields, "amount").is_some() { take.money(fields) } else { None };
    if amount.is_some_and(|amount| amount.minor <= 0) {
        take.wrong(fields, "amount", "is not above zero");
    }
    let moment = take.needed(fields, "on", Take::moment);
    let reason = take.need(fields, "reason");
    let (id, invoice, (on, at), reason) = (id?, invoice?, moment?, reason?);
    Some(Waiver { id, invoice, kind, amount, on, at, reason })
}

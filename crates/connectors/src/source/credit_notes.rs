//! The source `credit_notes`: one credit note a row.

use super::SourceKind;
use super::mapping::{CreditMap, Mapping};
use super::record::{Credit, Record};
use super::take::{Section, Take};

pub(super) const KIND: SourceKind = SourceKind {
    name: "credit_notes",
    doc: "one credit note a row: what was invoiced and is not owed after all",
    columns: CreditMap::NAMES,
    by_name: |mapping, has| Mapping { credit: Some(CreditMap::by_name(has)), ..mapping },
    check: |plan| plan.need(&plan.credit, &[&["id"], &["invoice"], &["amount"], &["currency"], &["on"]]),
    records: |plan, take, _| credit(take, &plan.credit).map(Record::Credit).into_iter().collect(),
};

/// A credit note, without a sign: with one it may as well be the reversal of another, which would count twice.
fn credit(take: &mut Take<'_>, fields: &Section) -> Option<Credit> {
    let id = take.need(fields, "id");
    let invoice = take.need(fields, "invoice");
    let moment = take.needed(fields, "on", Take::moment);
    let reason = take.text(fields, "reason").unwrap_or_default();
    let dispute = take.text(fields, "dispute");
    let amount = take.money(fields)?;
    if amount.minor <= 0 {
        let why = format!(
            "{amount} is not above zero; write what is credited without a sign, a reversal as the invoice's new amount"
        );
        take.wrong(fields, "amount", why);
    }
    let (id, invoice, (on, at)) = (id?, invoice?, moment?);
    Some(Credit { id, invoice, amount, on, at, reason, dispute })
}

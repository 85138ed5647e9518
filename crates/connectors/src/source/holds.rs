//! The source `holds`: one hold a row, placed or released.

use super::SourceKind;
use super::mapping::{HoldMap, Mapping};
use super::record::{Hold, HoldChange, Record};
use super::take::{Section, Take};

pub(super) const KIND: SourceKind = SourceKind {
    name: "holds",
    doc: "one hold a row, placed or released",
    columns: HoldMap::NAMES,
    by_name: |mapping, has| Mapping { hold: Some(HoldMap::by_name(has)), ..mapping },
    check: |plan| plan.need(&plan.hold, &[&["id"], &["on"], &["invoice", "customer", "class", "change"]]),
    records: |plan, take, _| hold(take, &plan.hold).map(Record::Hold).into_iter().collect(),
};

/// Longest reason code.
const REASON_MAX: usize = 40;

fn hold(take: &mut Take<'_>, fields: &Section) -> Option<Hold> {
    let id = take.need(fields, "id");
    let moment = take.needed(fields, "on", Take::moment);
    let change = match take.text(fields, "change").as_deref() {
        None | Some("placed") => placed(take, fields),
        Some("released") => Some(HoldChange::Released { by: take.text(fields, "by") }),
        Some(other) => {
            take.wrong(fields, "change", format!("`{other}` is none of placed, released"));
            None
        }
    };
    let (id, (on, at), change) = (id?, moment?, change?);
    if let HoldChange::Placed { until, .. } = &change
        && *until < on
    {
        take.wrong(fields, "until", "is before the day the hold begins");
    }
    Some(Hold { id, change, on, at })
}

fn placed(take: &mut Take<'_>, fields: &Section) -> Option<HoldChange> {
    let (invoice, customer) = (take.text(fields, "invoice"), take.text(fields, "customer"));
    let class = take.list(fields, "class");
    let named = usize::from(invoice.is_some()) + usize::from(customer.is_some()) + usize::from(!class.is_empty());
    if named != 1 {
        take.wrong(fields, "invoice", "a hold is on one of: an invoice, a customer, a class");
    }
    for test in &class {
        if !test.split_once('=').is_some_and(|(path, value)| path.contains('.') && !value.trim().is_empty()) {
            take.wrong(fields, "class", format!("`{test}` is no test; write for example customer.country=ES"));
        }
    }
    let reason = take.need(fields, "reason");
    if let Some(reason) = reason.as_deref().filter(|reason| !is_code(reason)) {
        // It stands in history, which holds nothing that people say about people.
        let why =
            format!("`{reason}` is no code of lower-case letters, digits and `_`; what else is to be said is a note");
        take.wrong(fields, "reason", why);
    }
    let owner = take.need(fields, "owner");
    let until = take.needed(fields, "until", Take::date);
    let note = take.text(fields, "note").unwrap_or_default();
    Some(HoldChange::Placed { invoice, customer, class, reason: reason?, owner: owner?, until: until?, note })
}

fn is_code(text: &str) -> bool {
    text.len() <= REASON_MAX && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

//! The source `events`: what agencies, lawyers, shops and other systems report, one event a row. Money, disputes,
//! promises and replies have sources of their own, because the ledger must learn of them.

use super::SourceKind;
use super::mapping::{EventMap, Mapping};
use super::record::{OutsideEvent, Record};
use super::take::{Section, Take};
use recobro_kernel::event::{self, EventKind, FieldType, Scope};
use recobro_kernel::money::Currency;
use std::collections::BTreeMap;

pub(super) const KIND: SourceKind = SourceKind {
    name: "events",
    doc: "one event a row that somebody else reports: placements, requests, plans, meetings, attorneys, insolvency",
    columns: EventMap::NAMES,
    by_name: |mapping, has| Mapping { event: Some(EventMap::by_name(has)), ..mapping },
    check: |plan| plan.need(&plan.event, &[&["id"], &["event"], &["invoice", "customer"], &["on"]]),
    records: |plan, take, _| outside(take, &plan.event).map(Record::Event).into_iter().collect(),
};

/// Events that others may report. What is not here the ledger or the worker raises itself.
pub const REPORTED: &[&str] = &[
    "attorney.named",
    "card.failed",
    "contact.cease_requested",
    "contact.delivered",
    "contact.unanswered",
    "customer.deceased",
    "customer.insolvent",
    "hardship.reported",
    "incentive.expired",
    "incentive.taken",
    "meeting.accepted",
    "payment.claimed",
    "placement.accepted",
    "placement.closed",
    "placement.returned",
    "promise.cancelled",
    "request.done",
    "request.failed",
];

/// Fields that the ledger knows better than a row.
const LEDGERS: &[(&str, &[&str])] = &[("promise.cancelled", &["date", "amount", "method", "by", "invoices"])];

/// An event.
fn outside(take: &mut Take<'_>, fields: &Section) -> Option<OutsideEvent> {
    let id = take.need(fields, "id");
    let name = take.need(fields, "event");
    let (customer, invoice) = (take.text(fields, "customer"), take.text(fields, "invoice"));
    let moment = take.needed(fields, "on", Take::moment);
    let kind = known(take, fields, name.as_deref()?)?;
    if kind.scope != Scope::Customer && invoice.is_none() {
        take.wrong(fields, "invoice", format!("is empty; `{}` is about one invoice", kind.name));
    } else if customer.is_none() && invoice.is_none() {
        take.wrong(fields, "customer", "neither a customer nor an invoice is named");
    }
    let fields = said(take, fields, kind);
    let (id, (on, at)) = (id?, moment?);
    Some(OutsideEvent { id, event: kind.name.to_owned(), customer, invoice, on, at, fields })
}

fn known(take: &mut Take<'_>, fields: &Section, name: &str) -> Option<&'static EventKind> {
    let kind = event::find(name).filter(|kind| REPORTED.contains(&kind.name));
    if kind.is_none() {
        let why = match event::find(name) {
            Some(_) => {
                format!(
                    "`{name}` is not reported: the ledger raises it from payments, disputes, promises, plans or replies"
                )
            }
            None => format!("`{name}` is none of {}", REPORTED.join(", ")),
        };
        take.wrong(fields, "event", why);
    }
    kind
}

/// The event's fields, as text that its kind can read back.
fn said(take: &mut Take<'_>, fields: &Section, kind: &EventKind) -> BTreeMap<String, String> {
    let mut said = BTreeMap::new();
    let ledgers = LEDGERS.iter().find(|(name, _)| *name == kind.name).map_or(&[][..], |(_, fields)| fields);
    for (field, of) in kind.fields {
        let (name, is_needed) = field.strip_suffix('?').map_or((*field, true), |name| (name, false));
        let Some(column) = EventMap::NAMES.iter().copied().find(|column| *column == name) else { continue };
        if ledgers.contains(&name) {
            continue;
        }
        let text = match of {
            FieldType::Date => take.date(fields, column).map(|date| date.to_string()),
            FieldType::Amount => {
                let currency = take.currency(fields).unwrap_or(Currency::EUR);
                take.amount(fields, currency).map(|money| money.to_decimal().to_string())
            }
            FieldType::Text | FieldType::Texts | FieldType::OneOf(_) => take.text(fields, column),
        };
        match text {
            Some(text) => {
                said.insert(name.to_owned(), text);
            }
            None if is_needed => take.wrong(fields, column, format!("is empty; `{}` needs it", kind.name)),
            None => {}
        }
    }
    let stray = EventMap::NAMES.iter().copied().filter(|column| {
        let asked = ["id", "event", "customer", "invoice", "on", "currency"].contains(column);
        !asked && !kind.fields.iter().any(|(field, _)| field.trim_end_matches('?') == *column)
    });
    for column in stray.collect::<Vec<_>>() {
        if take.text(fields, column).is_some() {
            take.wrong(fields, column, format!("`{}` has no such field", kind.name));
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reported_event_is_in_the_catalogue_with_a_column_for_each_field() {
        for name in REPORTED {
            let kind = event::find(name).unwrap_or_else(|| panic!("{name}"));
            let ledgers = LEDGERS.iter().find(|(of, _)| of == name).map_or(&[][..], |(_, fields)| fields);
            for (field, _) in kind.fields {
                let field = field.trim_end_matches('?');
                assert!(EventMap::NAMES.contains(&field) || ledgers.contains(&field), "{name}.{field}");
            }
        }
    }
}

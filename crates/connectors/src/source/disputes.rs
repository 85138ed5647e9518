//! The source `disputes`: one dispute a row with the days it opened and closed; and the dispute of a ledger row.

use super::mapping::day::{Day, DayBase};
use super::mapping::{DisputeMap, Mapping};
use super::record::{Dispute, DisputeChange, Invoice, Payment, Record};
use super::take::{Section, Take};
use super::{SourceKind, reasons};
use chrono::NaiveDate;
use chrono_tz::Tz;
use recobro_kernel::money::{Currency, Money};
use recobro_kernel::time::Timestamp;

pub(super) const KIND: SourceKind = SourceKind {
    name: "disputes",
    doc: "one dispute a row, with the days it opened and closed",
    columns: DisputeMap::NAMES,
    by_name: |mapping, has| Mapping { dispute: Some(DisputeMap::by_name(has)), ..mapping },
    check: |plan| {
        plan.need(&plan.dispute, &[&["id"], &["invoice"]])?;
        if plan.days.opens.is_some() { Ok(()) } else { plan.need(&plan.dispute, &[&["opened"]]) }
    },
    records: |plan, take, _| dispute(take, &plan.dispute, &plan.days).unwrap_or_default(),
};

const ENDS: &[&str] = &["accepted", "rejected", "withdrawn"];

/// Names under which the columns of `opens` and `closes` are compiled.
pub(super) const DAY_FIELDS: &[&str] = &["opens", "closes", "closes/2", "closes/3", "closes/4"];

/// A dispute's days, compiled.
#[derive(Debug, Default)]
pub(super) struct DisputeDays {
    pub(super) opens: Option<Day>,
    pub(super) closes: Vec<Day>,
    pub(super) drop_if_settled_by_open: bool,
}

/// The two ends of a dispute of its own.
pub(super) fn dispute(take: &mut Take<'_>, fields: &Section, days: &DisputeDays) -> Option<Vec<Record>> {
    let id = take.need(fields, "id");
    let invoice = take.need(fields, "invoice");
    let opened = match &days.opens {
        Some(_) => day(take, fields, days, 0, &Known::default()),
        None => take.needed(fields, "opened", Take::date),
    };
    let known = Known { opens: opened, ..Known::default() };
    let closed = if days.closes.is_empty() { take.date(fields, "closed") } else { closes(take, fields, days, &known) };
    let reason = reason(take, fields);
    let outcome = take.one_of(fields, "outcome", ENDS, "withdrawn");
    let amount = if take.text(fields, "amount").is_some() { take.money(fields) } else { None };
    let credit = credit(take, fields, amount.map(|amount| amount.currency), &outcome);
    let (owner, answer_by) = (take.text(fields, "owner"), take.date(fields, "answer_by"));
    let (id, invoice, opened) = (id?, invoice?, opened?);
    if answer_by.is_some_and(|day| day < opened) {
        take.wrong(fields, "answer_by", "is before the day it was opened");
    }
    if closed.is_some_and(|closed| closed < opened) {
        take.wrong(fields, "closed", "is before the day it was opened");
    }
    Some(ends(
        &id,
        &invoice,
        (opened, closed),
        (DisputeChange::Opened { reason, amount, owner, answer_by }, DisputeChange::Closed { outcome, credit }),
        None,
    ))
}

/// The two ends of the dispute of a ledger row; none where the flag says no or the settlement came first.
pub(super) fn of_ledger(
    take: &mut Take<'_>,
    fields: &Section,
    days: &DisputeDays,
    invoice: &Invoice,
    payment: Option<&Payment>,
    zone: Tz,
) -> Vec<Record> {
    if !fields.is_mapped() || (fields.has("flag") && !take.flag(fields, "flag")) {
        return Vec::new();
    }
    let settled = payment.filter(|payment| payment.amount.minor >= invoice.amount.minor).map(|payment| payment.on);
    let mut known = Known { issued: Some(invoice.issued), due: Some(invoice.due), settled, opens: None };
    let opens = match &days.opens {
        Some(_) => day(take, fields, days, 0, &known),
        None => take.date(fields, "opened"),
    };
    let Some(opens) = opens else {
        if fields.has("flag") {
            take.report.note("disputed without a day on which it opens: no dispute", take.line);
        }
        return Vec::new();
    };
    if days.drop_if_settled_by_open && settled.is_some_and(|settled| settled <= opens) {
        take.report.note("dispute dropped: settled on or before the day it would open", take.line);
        return Vec::new();
    }
    // A dispute before its invoice would be parked as news about nothing.
    let opens = opens.max(invoice.issued);
    known.opens = Some(opens);
    let closes = if days.closes.is_empty() { take.date(fields, "closed") } else { closes(take, fields, days, &known) };
    let reason = reason(take, fields);
    let outcome = take.one_of(fields, "outcome", ENDS, "withdrawn");
    let amount = take.amount(fields, invoice.amount.currency);
    let credit = credit(take, fields, Some(invoice.amount.currency), &outcome);
    let (owner, answer_by) = (take.text(fields, "owner"), take.date(fields, "answer_by"));
    let id = take.text(fields, "id").unwrap_or_else(|| format!("{}/dispute", invoice.id));
    let closes = closes.map(|closes| closes.max(opens));
    ends(
        &id,
        &invoice.id,
        (opens, closes),
        (DisputeChange::Opened { reason, amount, owner, answer_by }, DisputeChange::Closed { outcome, credit }),
        Some(zone),
    )
}

/// The reason's code. Files of other systems have words that no list knows: they are taken as `other`, and told.
fn reason(take: &mut Take<'_>, fields: &Section) -> String {
    let word = take.or_default(fields, "reason", "other");
    let code = reasons::code(&word).unwrap_or_else(|| {
        take.report.note("a dispute's reason is in no list: taken as `other`", take.line);
        "other"
    });
    code.to_owned()
}

/// What is credited with an accepted dispute.
fn credit(take: &mut Take<'_>, fields: &Section, currency: Option<Currency>, outcome: &str) -> Option<Money> {
    let text = take.text(fields, "credit")?;
    let currency = currency.or_else(|| take.needed(fields, "currency", |take, section, _| take.currency(section)))?;
    match take.cells.amounts.read(&text, currency) {
        Ok(amount) if amount.minor < 0 => take.wrong(fields, "credit", format!("{amount} is below zero")),
        Ok(_) if outcome != "accepted" => take.wrong(fields, "credit", "is for an accepted dispute"),
        Ok(amount) => return Some(amount),
        Err(reason) => take.wrong(fields, "credit", reason),
    }
    None
}

fn ends(
    id: &str,
    invoice: &str,
    (opened, closed): (NaiveDate, Option<NaiveDate>),
    (opens, closes): (DisputeChange, DisputeChange),
    zone: Option<Tz>,
) -> Vec<Record> {
    let end = |on: NaiveDate, change| {
        let at = zone.map(|zone| Timestamp::start_of(on, zone));
        Record::Dispute(Dispute { id: id.to_owned(), invoice: invoice.to_owned(), change, on, at })
    };
    let mut records = vec![end(opened, opens)];
    records.extend(closed.map(|on| end(on, closes)));
    records
}

/// The days a row knows.
#[derive(Default)]
struct Known {
    issued: Option<NaiveDate>,
    due: Option<NaiveDate>,
    settled: Option<NaiveDate>,
    opens: Option<NaiveDate>,
}

fn closes(take: &mut Take<'_>, fields: &Section, days: &DisputeDays, known: &Known) -> Option<NaiveDate> {
    (1..=days.closes.len()).find_map(|index| day(take, fields, days, index, known))
}

/// The day at an index: 0 is `opens`, the others are `closes`.
fn day(take: &mut Take<'_>, fields: &Section, days: &DisputeDays, index: usize, known: &Known) -> Option<NaiveDate> {
    let day = if index == 0 { days.opens.as_ref()? } else { &days.closes[index - 1] };
    let base = match &day.base {
        DayBase::Issued => known.issued,
        DayBase::Due => known.due,
        DayBase::Settled => known.settled,
        DayBase::Opens => known.opens,
        DayBase::Column(_) => take.date(fields, DAY_FIELDS.get(index)?),
    }?;
    base.checked_add_signed(chrono::Duration::days(day.plus))
}

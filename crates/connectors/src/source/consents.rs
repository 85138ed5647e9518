//! The source `consents`: one word of a customer about a channel, or about times, a row; and the same out of the columns
//! of a customer's row.

use super::SourceKind;
use super::mapping::{ConsentMap, Mapping};
use super::record::{Consent, Record, Said};
use super::take::{Moment, Section, Take};
use recobro_kernel::consent::{Purpose, Word, hours};
use recobro_kernel::facts::Channel;

pub(super) const KIND: SourceKind = SourceKind {
    name: "consents",
    doc: "one word of a customer a row: a channel granted or withdrawn, or times of the week",
    columns: ConsentMap::NAMES,
    by_name: |mapping, has| Mapping { consent: Some(ConsentMap::by_name(has)), ..mapping },
    check: |plan| {
        let what: &[&str] = &["channel", "preferred", "inconvenient"];
        plan.need(&plan.consent, &[&["id"], &["customer"], &["on"], what])
    },
    records: |plan, take, _| consent(take, &plan.consent).map(Record::Consent).into_iter().collect(),
};

/// What takes a time away that was said before.
const NONE: &str = "none";

fn consent(take: &mut Take<'_>, fields: &Section) -> Option<Consent> {
    let id = take.need(fields, "id");
    let customer = take.need(fields, "customer");
    let moment = take.needed(fields, "on", Take::moment);
    let said = match take.text(fields, "channel") {
        Some(channel) => of_channel(take, fields, &channel),
        None => of_times(take, fields),
    };
    let evidence = take.text(fields, "evidence").unwrap_or_default();
    let by = take.text(fields, "by");
    let (id, customer, (on, at), said) = (id?, customer?, moment?, said?);
    Some(Consent { id, customer, said, on: Some(on), at, evidence, by })
}

fn of_channel(take: &mut Take<'_>, fields: &Section, channel: &str) -> Option<Said> {
    let found = Channel::parse(channel);
    if found.is_none() {
        let known = Channel::ALL.map(Channel::name).join(", ");
        take.wrong(fields, "channel", format!("`{channel}` is none of {known}"));
    }
    let change = take.need(fields, "change");
    let word = change.as_deref().and_then(Word::parse);
    if let (Some(change), None) = (&change, word) {
        take.wrong(fields, "change", format!("`{change}` is none of {}", Word::ALL.map(Word::name).join(", ")));
    }
    // Who says no and not to what, says no to everything; who says yes, to what they owe.
    let usual = if word == Some(Word::Withdrawn) { "all" } else { "dunning" };
    let purpose = take.one_of(fields, "purpose", &Purpose::NAMES, usual);
    Some(Said::Channel { channel: found?, purpose, word: word? })
}

fn of_times(take: &mut Take<'_>, fields: &Section) -> Option<Said> {
    let before = take.problems.len();
    let (preferred, inconvenient) = (times(take, fields, "preferred"), times(take, fields, "inconvenient"));
    if preferred.is_none() && inconvenient.is_none() {
        // What cannot be read is told by itself; it is not as if nothing had been named.
        if take.problems.len() > before {
            return None;
        }
        take.wrong(fields, "channel", "neither a channel nor times are named");
        return None;
    }
    Some(Said::Times { preferred, inconvenient })
}

/// Times that can be read; empty where they are taken away.
fn times(take: &mut Take<'_>, fields: &Section, field: &str) -> Option<String> {
    let text = take.text(fields, field)?;
    if text == NONE {
        return Some(String::new());
    }
    match hours(&text) {
        Ok(_) => Some(text),
        Err(reason) => {
            take.wrong(fields, field, reason);
            None
        }
    }
}

/// Columns of a customer's row, and the channel that each is about.
const OPT_INS: &[(&str, Channel)] = &[
    ("email_opt_in", Channel::Email),
    ("phone_opt_in", Channel::Call),
    ("sms_opt_in", Channel::Sms),
    ("voice_opt_in", Channel::Voice),
    ("whatsapp_opt_in", Channel::Whatsapp),
];

/// What a customer's row says about channels and times. A ledger's `no` only ends its own `yes`: not to have asked for
/// something is no refusal of it.
pub(super) fn of_customer(take: &mut Take<'_>, fields: &Section, customer: &str) -> Vec<Record> {
    let mut records = Vec::new();
    let record = |what: &str, said, (on, at)| {
        let (id, customer) = (format!("{customer}#{what}"), customer.to_owned());
        Record::Consent(Consent { id, customer, said, on, at, evidence: String::new(), by: None })
    };
    for (field, channel) in OPT_INS {
        let Some((word, moment)) = opt_in(take, fields, field) else { continue };
        let said = Said::Channel { channel: *channel, purpose: "dunning".to_owned(), word };
        let moment = moment.map_or((None, None), |(on, at)| (Some(on), at));
        records.push(record(channel.name(), said, moment));
    }
    let (preferred, inconvenient) = (times(take, fields, "preferred_times"), times(take, fields, "inconvenient_times"));
    if preferred.is_some() || inconvenient.is_some() {
        records.push(record("times", Said::Times { preferred, inconvenient }, (None, None)));
    }
    records
}

/// Yes, no, or the day on which they said yes; an empty cell says nothing.
fn opt_in(take: &mut Take<'_>, fields: &Section, field: &str) -> Option<(Word, Option<Moment>)> {
    let text = take.text(fields, field)?;
    match take.cells.flag(&text) {
        Ok(true) => Some((Word::Granted, None)),
        Ok(false) => Some((Word::Lapsed, None)),
        Err(_) => take.moment(fields, field).map(|moment| (Word::Granted, Some(moment))),
    }
}

//! Words about channels and times: kept as they were said, told to the open cases without what is personal in them.

use super::{Book, Origin};
use chrono::NaiveDate;
use recobro_connectors::source::record::Consent;
use recobro_kernel::consent::{self, Purpose, Word};
use recobro_kernel::facts::Channel;
use recobro_kernel::ids::{CustomerId, Hash};
use recobro_kernel::time::Timestamp;
use recobro_kernel::value::Value;
use recobro_store::consents::ConsentRow;

impl Book {
    /// The customer wants nothing more by a channel; `on` is the day they said it, `evidence` where it can be read.
    pub(crate) fn opt_out(
        &mut self,
        customer: &CustomerId,
        channel: &str,
        (on, evidence): (NaiveDate, &str),
        origin: &Origin<'_>,
    ) {
        let row = ConsentRow {
            id: row_id(origin, channel, consent::ALL),
            customer: customer.clone(),
            channel: channel.to_owned(),
            purpose: consent::ALL.to_owned(),
            word: Word::Withdrawn,
            source: origin.source.to_owned(),
            booked_on: on,
            said_at: self.at_latest(customer, on, origin.at),
            dated: true,
            evidence: evidence.to_owned(),
            said_by: origin.actor(),
            known_at: origin.at,
        };
        self.said.push(row);
    }

    /// Takes a word about a channel. A refusal of what is owed is news of its own; the rest is a change of the customer.
    pub(crate) fn say(
        &mut self,
        customer: &CustomerId,
        (channel, purpose, word): (Channel, &str, Word),
        told: &Consent,
        origin: &Origin<'_>,
    ) {
        let channel = channel.name();
        let on = told.on.unwrap_or_else(|| origin.at.date_in(self.home_of(customer)));
        let said_at = match (told.at, word, told.on) {
            (Some(at), ..) => at,
            // Of two words of one day without an hour the refusal counts as the later one.
            (None, Word::Granted, Some(on)) => Timestamp::start_of(on, self.home_of(customer)),
            (None, _, Some(on)) => self.at_latest(customer, on, origin.at),
            (None, _, None) => origin.at,
        };
        self.said.push(ConsentRow {
            id: row_id(origin, channel, purpose),
            customer: customer.clone(),
            channel: channel.to_owned(),
            purpose: purpose.to_owned(),
            word,
            source: origin.source.to_owned(),
            booked_on: on,
            said_at,
            dated: told.on.is_some(),
            evidence: told.evidence.clone(),
            said_by: told.by.clone().unwrap_or_else(|| origin.actor()),
            known_at: origin.at,
        });
        if word == Word::Withdrawn && Purpose::named(purpose).contains(&Purpose::Dunning) {
            self.tell_customer(customer, "channel.opted_out", origin, &[("channel", Value::text(channel))]);
        } else {
            self.tell_change(customer, &format!("consent.{channel}.{purpose}"), word.name(), origin);
        }
    }

    /// Takes times of the week; what is not said stays, and an empty text takes away.
    pub(crate) fn take_times(
        &mut self,
        customer: &CustomerId,
        preferred: Option<&str>,
        inconvenient: Option<&str>,
        origin: &Origin<'_>,
    ) {
        let Some(client) = self.clients.get_mut(customer) else { return };
        let mut changed = false;
        for (said, known) in
            [(preferred, &mut client.tally.preferred_times), (inconvenient, &mut client.tally.inconvenient_times)]
        {
            let Some(text) = said else { continue };
            let new = Some(text.to_owned()).filter(|text| !text.is_empty());
            changed |= *known != new;
            *known = new;
        }
        client.tally_changed |= changed;
        if changed {
            // Which times they are is theirs: history says only that they changed.
            self.tell_change(customer, "contact_times", "", origin);
        }
    }

    fn tell_change(&mut self, customer: &CustomerId, field: &str, to: &str, origin: &Origin<'_>) {
        let fields = [("field", Value::text(field)), ("from", Value::text("")), ("to", Value::text(to))];
        self.tell_customer(customer, "customer.changed", origin, &fields);
    }

    fn home_of(&self, customer: &CustomerId) -> chrono_tz::Tz {
        self.clients.get(customer).map_or(chrono_tz::Tz::UTC, |client| client.record.time_zone)
    }

    /// The last instant at which something of a day was said, as far as we know: we heard of it by then.
    fn at_latest(&self, customer: &CustomerId, on: NaiveDate, known_at: Timestamp) -> Timestamp {
        let next = recobro_kernel::schedule::end_of(on, self.home_of(customer));
        next.plus_us(-1).min(known_at)
    }
}

/// Named by where it comes from, so that the same word again is the same row.
fn row_id(origin: &Origin<'_>, channel: &str, purpose: &str) -> String {
    let parts = [origin.source, origin.kind, origin.key, channel, purpose].join("\u{0}");
    format!("co-{}", Hash::of(parts.as_bytes()))
}

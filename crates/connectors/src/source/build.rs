//! Records out of a row: one function per kind. A ledger row makes customer, invoice, payment and dispute at once.

use super::mapping::{Day, DayBase};
use super::places;
use super::record::{ContactPoint, Customer, Dispute, DisputeChange, Invoice, Payment, Promise, Record, Reply};
use super::take::{Section, Take};
use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use recobro_kernel::facts::{Channel, SEGMENTS};
use recobro_kernel::money::Money;
use recobro_kernel::time::Timestamp;

const DISPUTE_ENDS: &[&str] = &["accepted", "rejected", "withdrawn"];

/// A dispute's days, compiled.
#[derive(Debug, Default)]
pub(super) struct DisputeDays {
    pub(super) opens: Option<Day>,
    pub(super) closes: Vec<Day>,
    pub(super) drop_if_settled_by_open: bool,
}

/// A customer.
pub(super) fn customer(take: &mut Take<'_>, fields: &Section) -> Option<Customer> {
    let id = take.need(fields, "id");
    let country = take.need(fields, "country").map(|text| text.to_uppercase());
    if let Some(code) =
        country.as_deref().filter(|code| code.len() != 2 || !code.bytes().all(|b| b.is_ascii_uppercase()))
    {
        take.wrong(fields, "country", format!("`{code}` is not an ISO country code of two letters"));
    }
    let (locale, zone) = places::of_country(country.as_deref().unwrap_or_default());
    let kind = take.one_of(fields, "kind", &["business", "person", "public"], "business");
    let segment = take.one_of(fields, "segment", SEGMENTS, "standard");
    let locale = take.or_default(fields, "locale", locale);
    let zone_name = take.or_default(fields, "time_zone", zone.name());
    let time_zone = zone_name.parse::<Tz>().unwrap_or_else(|_| {
        take.wrong(fields, "time_zone", format!("`{zone_name}` is no time zone such as Europe/Madrid"));
        Tz::UTC
    });
    let risk = take.text(fields, "risk");
    if let Some(risk) = risk.as_deref().filter(|risk| !["low", "medium", "high"].contains(risk)) {
        take.wrong(fields, "risk", format!("`{risk}` is none of low, medium, high"));
    }
    let mut tags = take.list(fields, "tags");
    tags.sort();
    tags.dedup();
    let name = take.text(fields, "name");
    let (id, country) = (id?, country?);
    Some(Customer {
        name: name.unwrap_or_else(|| id.clone()),
        id,
        kind,
        segment,
        country,
        subdivision: take.text(fields, "subdivision"),
        locale,
        time_zone,
        risk,
        account_manager: take.text(fields, "account_manager"),
        vulnerable: take.flag(fields, "vulnerable"),
        tags,
        contact_points: contact_points(take, fields),
    })
}

fn contact_points(take: &mut Take<'_>, fields: &Section) -> Vec<ContactPoint> {
    let name = take.text(fields, "contact_name");
    let mut points = Vec::new();
    for (field, channel) in [
        ("email", Channel::Email),
        ("phone", Channel::Call),
        ("sms", Channel::Sms),
        ("whatsapp", Channel::Whatsapp),
        ("letter", Channel::Letter),
    ] {
        if let Some(address) = take.text(fields, field) {
            points.push(ContactPoint { channel, address, role: "billing".to_owned(), name: name.clone() });
        }
    }
    points
}

/// An invoice of a customer; without one, the customer's id is a field.
pub(super) fn invoice(take: &mut Take<'_>, fields: &Section, customer: Option<&str>) -> Option<Invoice> {
    let number = take.text(fields, "number");
    let id = take.text(fields, "id").or_else(|| number.clone());
    if id.is_none() {
        take.wrong(fields, "number", "is empty");
    }
    let customer = customer.map(str::to_owned).or_else(|| take.need(fields, "customer"));
    let issued = take.needed(fields, "issued", Take::date);
    let due = due(take, fields, issued);
    let amount = currency_and_amount(take, fields);
    if let Some(amount) = amount.filter(|amount| amount.minor <= 0) {
        take.wrong(fields, "amount", format!("{amount} is not above zero; credit notes are no invoices"));
    }
    let product = take.text(fields, "product").unwrap_or_default();
    let reference = take.text(fields, "reference");
    let (id, customer, issued, due, amount) = (id?, customer?, issued?, due?, amount?);
    if due < issued {
        take.report.note("invoice due before its date of issue", take.line);
    }
    let number = number.unwrap_or_else(|| id.clone());
    let reference = reference.unwrap_or_else(|| number.clone());
    Some(Invoice { id, number, customer, issued, due, amount, product, reference, at: None })
}

fn due(take: &mut Take<'_>, fields: &Section, issued: Option<NaiveDate>) -> Option<NaiveDate> {
    if fields.has("due") || !fields.has("due_days") {
        return take.needed(fields, "due", Take::date);
    }
    let text = take.need(fields, "due_days")?;
    let due = text.parse::<u64>().ok().filter(|days| *days <= 3650);
    let Some(days) = due else {
        take.wrong(fields, "due_days", format!("`{text}` is not a number of days"));
        return None;
    };
    issued?.checked_add_days(Days::new(days))
}

fn currency_and_amount(take: &mut Take<'_>, fields: &Section) -> Option<Money> {
    let currency = take.needed(fields, "currency", |take, fields, _| take.currency(fields))?;
    take.needed(fields, "amount", |take, fields, _| take.amount(fields, currency))
}

/// A payment of its own.
pub(super) fn payment(take: &mut Take<'_>, fields: &Section) -> Option<Payment> {
    let id = take.need(fields, "id");
    let invoice = take.text(fields, "invoice");
    let customer = take.text(fields, "customer");
    if invoice.is_none() && customer.is_none() {
        take.wrong(fields, "invoice", "neither an invoice nor a customer is named");
    }
    let moment = take.needed(fields, "on", Take::moment);
    let amount = currency_and_amount(take, fields);
    if amount.is_some_and(|amount| amount.minor == 0) {
        take.wrong(fields, "amount", "is zero");
    }
    let reference = take.text(fields, "reference").unwrap_or_default();
    let (id, amount, (on, at)) = (id?, amount?, moment?);
    Some(Payment { id, invoice, customer, amount, on, at, reference })
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
    let reason = take.or_default(fields, "reason", "unspecified");
    let outcome = take.one_of(fields, "outcome", DISPUTE_ENDS, "withdrawn");
    let amount = if take.text(fields, "amount").is_some() { currency_and_amount(take, fields) } else { None };
    let (id, invoice, opened) = (id?, invoice?, opened?);
    if closed.is_some_and(|closed| closed < opened) {
        take.wrong(fields, "closed", "is before the day it was opened");
    }
    Some(ends(&id, &invoice, (opened, closed), (reason, amount, outcome), None))
}

/// A promise.
pub(super) fn promise(take: &mut Take<'_>, fields: &Section) -> Option<Promise> {
    let id = take.need(fields, "id");
    let customer = take.text(fields, "customer");
    let invoices = take.list(fields, "invoices");
    if invoices.is_empty() && customer.is_none() {
        take.wrong(fields, "invoices", "neither invoices nor a customer are named");
    }
    let moment = take.needed(fields, "made_on", Take::moment);
    let date = take.needed(fields, "date", Take::date);
    let amount = if take.text(fields, "amount").is_some() { currency_and_amount(take, fields) } else { None };
    let (method, by) = (take.text(fields, "method"), take.text(fields, "by"));
    let (id, (made_on, at), date) = (id?, moment?, date?);
    if date < made_on {
        take.wrong(fields, "date", "is before the day the promise was made");
    }
    Some(Promise { id, customer, invoices, made_on, date, amount, method, by, at })
}

/// A reply.
pub(super) fn reply(take: &mut Take<'_>, fields: &Section) -> Option<Reply> {
    let id = take.need(fields, "id");
    let customer = take.text(fields, "customer");
    let invoice = take.text(fields, "invoice");
    if invoice.is_none() && customer.is_none() {
        take.wrong(fields, "customer", "neither a customer nor an invoice is named");
    }
    let channels = Channel::ALL.map(Channel::name);
    let channel = take.one_of(fields, "channel", &channels, "email");
    let kind = take.one_of(fields, "kind", &["text", "auto", "opt_out", "paid_claim"], "text");
    let moment = take.needed(fields, "on", Take::moment);
    let text = take.text(fields, "text").unwrap_or_default();
    let (id, (on, at)) = (id?, moment?);
    Some(Reply { id, customer, invoice, channel, kind, on, at, text })
}

/// The payment of a ledger row; nothing for an open item.
pub(super) fn ledger_payment(take: &mut Take<'_>, fields: &Section, invoice: &Invoice, zone: Tz) -> Option<Payment> {
    let moment = take.moment(fields, "on");
    let currency = take.currency(fields).unwrap_or(invoice.amount.currency);
    let amount = take.amount(fields, currency);
    let Some((on, at)) = moment else {
        if amount.is_some_and(|amount| amount.minor != 0) && !fields.has("on") {
            take.wrong(fields, "on", "a payment has a day: map `payment.on`");
        } else if amount.is_some_and(|amount| amount.minor != 0) {
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

/// The two ends of the dispute of a ledger row; none where the flag says no or the settlement came first.
pub(super) fn ledger_dispute(
    take: &mut Take<'_>,
    fields: &Section,
    days: &DisputeDays,
    invoice: &Invoice,
    payment: Option<&Payment>,
    zone: Tz,
) -> Vec<Record> {
    if fields.has("flag") && !take.flag(fields, "flag") {
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
    let reason = take.or_default(fields, "reason", "unspecified");
    let outcome = take.one_of(fields, "outcome", DISPUTE_ENDS, "withdrawn");
    let amount = take.amount(fields, invoice.amount.currency);
    let id = take.text(fields, "id").unwrap_or_else(|| format!("{}/dispute", invoice.id));
    let closes = closes.map(|closes| closes.max(opens));
    ends(&id, &invoice.id, (opens, closes), (reason, amount, outcome), Some(zone))
}

fn ends(
    id: &str,
    invoice: &str,
    (opened, closed): (NaiveDate, Option<NaiveDate>),
    (reason, amount, outcome): (String, Option<Money>, String),
    zone: Option<Tz>,
) -> Vec<Record> {
    let end = |on: NaiveDate, change| {
        let at = zone.map(|zone| Timestamp::start_of(on, zone));
        Record::Dispute(Dispute { id: id.to_owned(), invoice: invoice.to_owned(), change, on, at })
    };
    let mut records = vec![end(opened, DisputeChange::Opened { reason, amount })];
    records.extend(closed.map(|on| end(on, DisputeChange::Closed { outcome })));
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
        DayBase::Column(_) => take.date(fields, super::DAY_FIELDS.get(index)?),
    }?;
    base.checked_add_signed(chrono::Duration::days(day.plus))
}

//! The source `customers`: one customer a row.

use super::mapping::{CustomerMap, Mapping};
use super::places;
use super::record::{ContactPoint, Customer, Record};
use super::take::{Section, Take};
use super::{SourceKind, consents};
use chrono_tz::Tz;
use recobro_kernel::facts::Channel;

pub(super) const KIND: SourceKind = SourceKind {
    name: "customers",
    doc: "one customer a row",
    columns: CustomerMap::NAMES,
    by_name: |mapping, has| Mapping { customer: Some(CustomerMap::by_name(has)), ..mapping },
    check: |plan| plan.need(&plan.customer, NEEDS),
    records: |plan, take, _| with_consents(take, &plan.customer).unwrap_or_default(),
};

/// What must be mapped.
pub(super) const NEEDS: &[&[&str]] = &[&["id"], &["country"]];

/// A customer with their own words about being contacted.
fn with_consents(take: &mut Take<'_>, fields: &Section) -> Option<Vec<Record>> {
    let customer = customer(take, fields)?;
    let consents = consents::of_customer(take, fields, &customer.id);
    Some(std::iter::once(Record::Customer(customer)).chain(consents).collect())
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
    let (locale, _) = places::of_country(country.as_deref().unwrap_or_default());
    let kind = take.one_of(fields, "kind", &["business", "person", "public"], "business");
    let segments = take.facts.segments();
    let segment = take.one_of(fields, "segment", &segments, "standard");
    let locale = take.or_default(fields, "locale", locale);
    let subdivision = take.text(fields, "subdivision");
    let place = country.as_deref().unwrap_or_default();
    let zone = places::zone(place, subdivision.as_deref(), &kind);
    if zone.is_none() && take.text(fields, "time_zone").is_none() {
        take.wrong(
            fields,
            "time_zone",
            format!("{place} has several time zones, and a person may not be woken: give it, or a subdivision such as {place}-XX"),
        );
    }
    let zone_name = take.or_default(fields, "time_zone", zone.unwrap_or(Tz::UTC).name());
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
        subdivision,
        locale,
        time_zone,
        risk,
        account_manager: take.text(fields, "account_manager"),
        vulnerable: take.flag(fields, "vulnerable"),
        tags,
        contact_points: contact_points(take, fields),
        x: take.own(fields),
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

//! The sample portfolio as the records that any source would bring, each at its own time.

use super::portfolio::{Customer, Disputed, Invoice, Portfolio, first_day};
use super::random::Random;
use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use recobro_connectors::source::record::{self, DisputeChange, Record};
use recobro_kernel::facts::Channel;
use recobro_kernel::money::{Currency, Money};
use recobro_kernel::time::Timestamp;

/// The source's name: part of every id.
pub(crate) const SOURCE: &str = "demo";

/// Every record, customers first, then invoices with their future, in order of issue.
pub(crate) fn records(portfolio: &Portfolio) -> Vec<Record> {
    let mut all: Vec<Record> = portfolio.customers.iter().map(|one| Record::Customer(customer(one))).collect();
    for invoice in &portfolio.invoices {
        let owner = &portfolio.customers[invoice.customer];
        all.extend(of_invoice(portfolio.seed, invoice, owner));
    }
    all
}

fn zone(customer: &Customer) -> Tz {
    customer.home.zone.parse().unwrap_or(Tz::UTC)
}

fn point(channel: Channel, address: &str, name: &str) -> record::ContactPoint {
    record::ContactPoint {
        channel,
        address: address.to_owned(),
        role: "billing".to_owned(),
        name: Some(name.to_owned()),
    }
}

fn customer(customer: &Customer) -> record::Customer {
    let mut contact_points = Vec::new();
    if let Some(email) = &customer.email {
        contact_points.push(point(Channel::Email, email, &customer.name));
    }
    contact_points.push(point(Channel::Letter, &customer.address, &customer.name));
    if let Some(mobile) = &customer.mobile {
        contact_points.push(point(Channel::Call, mobile, &customer.name));
        contact_points.push(point(Channel::Sms, mobile, &customer.name));
        if customer.whatsapp {
            contact_points.push(point(Channel::Whatsapp, mobile, &customer.name));
        }
    }
    record::Customer {
        id: customer.id.clone(),
        name: customer.name.clone(),
        kind: customer.segment.kind.to_owned(),
        segment: customer.segment.grade.to_owned(),
        country: customer.home.country.to_owned(),
        subdivision: None,
        locale: customer.home.locale.to_owned(),
        time_zone: zone(customer),
        risk: Some(customer.risk.to_owned()),
        account_manager: customer.manager.map(str::to_owned),
        vulnerable: customer.vulnerable,
        tags: vec![customer.segment.name.to_owned()],
        contact_points,
        x: std::collections::BTreeMap::new(),
    }
}

fn of_invoice(seed: u64, invoice: &Invoice, owner: &Customer) -> Vec<Record> {
    let (zone, number) = (zone(owner), &invoice.number);
    let currency: Currency = owner.home.currency.parse().unwrap_or(Currency::EUR);
    let money = |minor| Money::new(minor, currency);
    let mut random = Random::of(seed, &format!("{number}/times"));
    let mut daytime = |on: NaiveDate| Some(daytime(&mut random, on, zone));
    // What was open before the first day becomes known on it.
    let known = (invoice.issued < first_day()).then(|| Timestamp::start_of(first_day(), zone));
    let mut all = vec![Record::Invoice(record::Invoice {
        id: number.clone(),
        number: number.clone(),
        customer: owner.id.clone(),
        issued: invoice.issued,
        due: invoice.due,
        amount: money(invoice.minor),
        product: invoice.product.to_owned(),
        reference: format!("RF-{number}"),
        x: std::collections::BTreeMap::new(),
        at: known,
    })];
    for (n, paid) in invoice.payments.iter().enumerate() {
        all.push(Record::Payment(record::Payment {
            id: format!("{number}-P{}", n + 1),
            invoice: Some(number.clone()),
            invoices: Vec::new(),
            customer: None,
            amount: money(paid.minor),
            on: paid.on,
            at: None,
            reference: format!("RF-{number}"),
        }));
    }
    if let Some(promise) = invoice.promise {
        all.push(Record::Promise(record::Promise {
            id: format!("{number}-T1"),
            customer: Some(owner.id.clone()),
            invoices: vec![number.clone()],
            made_on: promise.made_on,
            date: promise.date,
            amount: Some(money(promise.minor)),
            method: Some("transfer".to_owned()),
            by: None,
            at: daytime(promise.made_on),
        }));
    }
    all.extend(invoice.dispute.iter().flat_map(|dispute| of_dispute(number, dispute, money, &mut daytime)));
    if let Some(on) = invoice.reply_on {
        let at = daytime(on);
        let kind = ["text", "auto", "paid_claim", "opt_out"][random.weighted(&[780, 120, 60, 40])];
        all.push(Record::Reply(record::Reply {
            id: format!("{number}-R1"),
            customer: Some(owner.id.clone()),
            invoice: Some(number.clone()),
            channel: "email".to_owned(),
            kind: kind.to_owned(),
            on,
            at,
            text: String::new(),
        }));
    }
    all
}

/// Both ends of a dispute; what was accepted is credited with it.
fn of_dispute(
    number: &str,
    dispute: &Disputed,
    money: impl Fn(i64) -> Money,
    daytime: &mut impl FnMut(NaiveDate) -> Option<Timestamp>,
) -> [Record; 2] {
    let opened = DisputeChange::Opened {
        reason: dispute.reason.to_owned(),
        amount: Some(money(dispute.minor)),
        owner: None,
        answer_by: None,
    };
    let credit = (dispute.outcome == "accepted").then(|| money(dispute.minor));
    let closed = DisputeChange::Closed { outcome: dispute.outcome.to_owned(), credit };
    [(opened, dispute.opened_on), (closed, dispute.closed_on)].map(|(change, on)| {
        let id = format!("{number}-D1");
        Record::Dispute(record::Dispute { id, invoice: number.to_owned(), change, on, at: daytime(on) })
    })
}

/// Some minute between 09:05 and 17:55.
fn daytime(random: &mut Random, on: NaiveDate, zone: Tz) -> Timestamp {
    let minutes = random.between(9 * 60 + 5, 17 * 60 + 55);
    let seconds = u32::try_from(minutes * 60).unwrap_or(0);
    let time = NaiveTime::from_num_seconds_from_midnight_opt(seconds, 0).unwrap_or(NaiveTime::MIN);
    Timestamp::at_local(on, time, zone)
}

#[cfg(test)]
mod tests {
    use super::super::portfolio;
    use super::*;

    #[test]
    fn nothing_is_news_before_the_first_day_and_ids_are_unique() {
        let portfolio = portfolio::make(42, 500);
        let records = records(&portfolio);
        let mut ids: Vec<_> = records.iter().map(|record| (record.kind(), record.external_id())).collect();
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
        let early = Timestamp::start_of(first_day(), Tz::Europe__Lisbon).plus_us(-7_200_000_000);
        let first = records.iter().filter_map(|record| record.at_in(Tz::Europe__Madrid)).min().unwrap();
        assert!(first >= early, "{first}");
    }
}

//! Random customers, debts and news.

use super::dates::{At, instant, plus};
use super::judge::{Customer, Debt, News};
use super::random::Random;
use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use recobro_connectors::source::record::{
    self, Consent, ContactPoint, Dispute, DisputeChange, Hold, HoldChange, Invoice, OutsideEvent, Payment, Promise,
    Record, Reply, Said,
};
use recobro_kernel::facts::Channel;
use recobro_kernel::money::{Currency, Money};
use recobro_kernel::time::Timestamp;
use std::collections::BTreeMap;

/// One piece of news: the row for the engine, and what the checker is told.
pub(crate) struct Item {
    pub(crate) at: At,
    pub(crate) record: Record,
    pub(crate) news: Vec<News>,
}

/// Who there is, what they owe, what happens.
#[derive(Default)]
pub(crate) struct Portfolio {
    pub(crate) customers: Vec<Customer>,
    pub(crate) debts: Vec<Debt>,
    /// In order of time.
    pub(crate) items: Vec<Item>,
}

/// Countries with zones that their people live in.
const PLACES: &[(&str, &[Tz])] = &[
    ("ES", &[Tz::Europe__Madrid, Tz::Atlantic__Canary]),
    ("FR", &[Tz::Europe__Paris, Tz::Indian__Reunion, Tz::America__Cayenne]),
    ("DE", &[Tz::Europe__Berlin]),
    ("GB", &[Tz::Europe__London]),
    ("US", &[Tz::America__New_York, Tz::America__Denver, Tz::America__Los_Angeles, Tz::Pacific__Honolulu]),
    ("IT", &[Tz::Europe__Rome]),
    ("PT", &[Tz::Europe__Lisbon, Tz::Atlantic__Azores]),
    ("CL", &[Tz::America__Santiago, Tz::Pacific__Easter]),
    ("CO", &[Tz::America__Bogota]),
];

/// Where somebody lives who moved away: clocks that jump by half an hour, or at other times.
const ELSEWHERE: &[Tz] =
    &[Tz::Australia__Lord_Howe, Tz::Asia__Kathmandu, Tz::America__St_Johns, Tz::Pacific__Auckland, Tz::Asia__Tokyo];

const CHANNELS: &[Channel] =
    &[Channel::Email, Channel::Sms, Channel::Whatsapp, Channel::Voice, Channel::Letter, Channel::Call];

pub(crate) fn stamp(at: At) -> Timestamp {
    Timestamp::from_us(at.timestamp_micros())
}

fn euro(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

/// A random moment of a local day, often one at which something opens or closes.
fn moment(random: &mut Random, on: NaiveDate, zone: Tz) -> At {
    let minute = match random.between(0, 3) {
        0 => random.between(0, 24 * 60 - 1),
        1 => *random.pick(&[8 * 60, 9 * 60, 10 * 60]) + random.between(-12, 12),
        2 => *random.pick(&[0, 1, 20 * 60, 21 * 60, 18 * 60]),
        _ => random.between(8 * 60, 20 * 60),
    };
    let minute = u32::try_from(minute.max(0)).unwrap();
    let time = NaiveTime::from_hms_opt(minute / 60, minute % 60, 0).unwrap();
    instant(zone, on.and_time(time))
}

/// A portfolio that begins on a day.
pub(crate) fn portfolio(random: &mut Random, start: NaiveDate, customers: usize, books: usize) -> Portfolio {
    let mut all = Portfolio::default();
    for n in 0..customers {
        one(random, &mut all, start, &format!("C{n}"), books);
    }
    all.items.sort_by_key(|item| item.at);
    all
}

fn one(random: &mut Random, all: &mut Portfolio, start: NaiveDate, id: &str, books: usize) {
    let (country, zones) = random.pick(PLACES);
    let zone = if random.chance(100) { *random.pick(ELSEWHERE) } else { *random.pick(zones) };
    let kind = random.word(&["person", "person", "person", "business", "business", "public"]);
    let channels = CHANNELS.iter().filter(|_| random.chance(850)).map(|channel| channel.name().to_owned()).collect();
    let customer = Customer { id: id.to_owned(), country, kind, zone, vulnerable: random.chance(250), channels };
    let begin = instant(zone, start.and_hms_opt(0, 0, 0).unwrap());
    all.items.push(Item { at: begin, record: customer_record(&customer), news: Vec::new() });
    let product = if kind == "person" { random.word(&["electricity", "gas", "", "books"]) } else { "" };
    for i in 0..random.between(1, 4) {
        let debt = Debt {
            id: format!("{id}-I{i}"),
            customer: id.to_owned(),
            product,
            residence: random.word(&["main", "second", ""]),
            amount: random.between(100, 2_000) * 100,
            book: usize::try_from(random.next() % books as u64).unwrap(),
        };
        // Several fall due together now and then.
        let issued = if random.chance(400) { start } else { plus(start, random.between(0, 12)) };
        let due = plus(issued, *random.pick(&[5, 8, 14]));
        let begin = instant(zone, issued.and_hms_opt(0, 0, 0).unwrap());
        all.items.push(Item { at: begin, record: invoice_record(&debt, issued, due), news: Vec::new() });
        events(random, all, &debt, due, zone);
        all.debts.push(debt);
    }
    about_the_person(random, all, start, &customer);
    all.customers.push(customer);
}

fn customer_record(customer: &Customer) -> Record {
    let mut points: Vec<ContactPoint> = Vec::new();
    for channel in CHANNELS {
        if customer.channels.iter().any(|name| name == channel.name()) {
            let address = format!("{}-{}", customer.id.to_lowercase(), channel.name());
            let address = if *channel == Channel::Email { format!("{address}@example.com") } else { address };
            points.push(ContactPoint { channel: *channel, address, role: "billing".to_owned(), name: None });
        }
    }
    Record::Customer(record::Customer {
        id: customer.id.clone(),
        name: format!("Customer {}", customer.id),
        kind: customer.kind.to_owned(),
        segment: "standard".to_owned(),
        country: customer.country.to_owned(),
        subdivision: None,
        locale: "en".to_owned(),
        time_zone: customer.zone,
        risk: None,
        account_manager: None,
        vulnerable: customer.vulnerable,
        tags: Vec::new(),
        contact_points: points,
        x: BTreeMap::new(),
    })
}

fn invoice_record(debt: &Debt, issued: NaiveDate, due: NaiveDate) -> Record {
    let mut x = BTreeMap::from([("book".to_owned(), format!("b{}", debt.book))]);
    if !debt.residence.is_empty() {
        x.insert("residence".to_owned(), debt.residence.to_owned());
    }
    Record::Invoice(Invoice {
        id: debt.id.clone(),
        number: format!("N-{};", debt.id),
        customer: debt.customer.clone(),
        issued,
        due,
        amount: euro(debt.amount),
        product: debt.product.to_owned(),
        reference: String::new(),
        x,
        at: None,
    })
}

/// What happens to a debt: a promise, a dispute, money.
fn events(random: &mut Random, all: &mut Portfolio, debt: &Debt, due: NaiveDate, zone: Tz) {
    let id = debt.id.clone();
    let paid_on = random.chance(350).then(|| plus(due, random.between(-3, 50)));
    let lives = |on: NaiveDate| paid_on.is_none_or(|paid| on < paid);
    let promised = plus(due, random.between(1, 25));
    if random.chance(200) && lives(promised) {
        let date = plus(promised, random.between(1, 12));
        let at = moment(random, promised, zone);
        let row = Promise {
            id: format!("PR-{id}"),
            customer: None,
            invoices: vec![id.clone()],
            made_on: promised,
            date,
            amount: None,
            method: None,
            by: None,
            at: Some(stamp(at)),
        };
        let news = vec![News::Promised { debt: id.clone(), date }];
        all.items.push(Item { at, record: Record::Promise(row), news });
    } else if random.chance(180) && lives(promised) {
        quarrel(random, all, debt, promised, zone);
    }
    if let Some(on) = paid_on {
        let first = if random.chance(300) { debt.amount / 3 } else { 0 };
        let parts = [(first, plus(on, -2)), (debt.amount - first, on)];
        for (n, (minor, on)) in parts.into_iter().filter(|(minor, _)| *minor > 0).enumerate() {
            let at = moment(random, on, zone);
            let row = Payment {
                id: format!("P-{id}-{n}"),
                invoice: Some(id.clone()),
                invoices: Vec::new(),
                customer: None,
                amount: euro(minor),
                on,
                at: Some(stamp(at)),
                reference: String::new(),
            };
            let news = vec![News::Paid { debt: id.clone(), minor }];
            all.items.push(Item { at, record: Record::Payment(row), news });
        }
    }
}

fn quarrel(random: &mut Random, all: &mut Portfolio, debt: &Debt, opened: NaiveDate, zone: Tz) {
    let id = debt.id.clone();
    let minor = random.chance(300).then_some(debt.amount / 2);
    let closed = plus(opened, random.between(1, 20));
    let ends = random.chance(800);
    let opens =
        DisputeChange::Opened { reason: "quality".to_owned(), amount: minor.map(euro), owner: None, answer_by: None };
    let outcome = random.word(&["rejected", "withdrawn"]).to_owned();
    let closes = DisputeChange::Closed { outcome, credit: None };
    let steps = [
        (opened, opens, News::Disputed { debt: id.clone(), minor }, true),
        (closed, closes, News::Agreed { debt: id.clone() }, ends),
    ];
    for (on, change, news, _) in steps.into_iter().filter(|(_, _, _, happens)| *happens) {
        let at = moment(random, on, zone);
        let row = Dispute { id: format!("D-{id}"), invoice: id.clone(), change, on, at: Some(stamp(at)) };
        all.items.push(Item { at, record: Record::Dispute(row), news: vec![news] });
    }
}

/// What happens to a customer: replies, a closed channel, holds, an attorney, death.
fn about_the_person(random: &mut Random, all: &mut Portfolio, start: NaiveDate, customer: &Customer) {
    let (id, zone) = (customer.id.clone(), customer.zone);
    for n in 0..random.between(0, 2) {
        let on = plus(start, random.between(15, 70));
        let at = moment(random, on, zone);
        let opts_out = random.chance(350);
        let channel = random.word(&["email", "sms", "whatsapp", "voice"]).to_owned();
        let row = Reply {
            id: format!("R-{id}-{n}"),
            customer: Some(id.clone()),
            invoice: None,
            channel: channel.clone(),
            kind: if opts_out { "opt_out" } else { "text" }.to_owned(),
            on,
            at: Some(stamp(at)),
            text: String::new(),
        };
        let news = if opts_out { vec![News::OptedOut { customer: id.clone(), channel }] } else { Vec::new() };
        all.items.push(Item { at, record: Record::Reply(row), news });
    }
    if random.chance(120) {
        let on = plus(start, random.between(15, 60));
        let until = plus(on, random.between(1, 15));
        let at = moment(random, on, zone);
        let change = HoldChange::Placed {
            invoice: None,
            customer: Some(id.clone()),
            class: Vec::new(),
            reason: "goodwill".to_owned(),
            owner: "ana".to_owned(),
            until,
            note: String::new(),
        };
        let record = Record::Hold(Hold { id: format!("H-{id}"), change, on, at: Some(stamp(at)) });
        all.items.push(Item { at, record, news: vec![News::Held { customer: id.clone(), until }] });
    }
    if random.chance(120) {
        stops(random, all, start, &id, zone);
    }
    if random.chance(350) {
        wants_none_at(random, all, start, &id, zone);
    }
}

/// Times of the week at which a customer wants nothing.
const INCONVENIENT: &[(&str, &[u32], u32, u32)] = &[
    ("mon-fri 08:00-12:00", &[0, 1, 2, 3, 4], 8 * 60, 12 * 60),
    ("mon-fri 13:30-21:00", &[0, 1, 2, 3, 4], 13 * 60 + 30, 21 * 60),
    ("mon 07:00-21:00", &[0], 7 * 60, 21 * 60),
    ("tue-thu 09:00-17:00", &[1, 2, 3], 9 * 60, 17 * 60),
];

fn wants_none_at(random: &mut Random, all: &mut Portfolio, start: NaiveDate, id: &str, zone: Tz) {
    let on = plus(start, random.between(0, 50));
    let at = moment(random, on, zone);
    let (text, days, from, to) = *random.pick(INCONVENIENT);
    let record = Record::Consent(Consent {
        id: format!("T-{id}"),
        customer: id.to_owned(),
        said: Said::Times { preferred: None, inconvenient: Some(text.to_owned()) },
        on: Some(on),
        at: Some(stamp(at)),
        evidence: String::new(),
        by: None,
    });
    let news = vec![News::Inconvenient { customer: id.to_owned(), days, from, to }];
    all.items.push(Item { at, record, news });
}

fn stops(random: &mut Random, all: &mut Portfolio, start: NaiveDate, id: &str, zone: Tz) {
    let on = plus(start, random.between(20, 70));
    let at = moment(random, on, zone);
    let event = random.word(&["attorney.named", "contact.cease_requested", "customer.deceased"]);
    let mut fields = BTreeMap::new();
    let news = if event == "attorney.named" {
        fields.insert("name".to_owned(), "Dr. Counsel".to_owned());
        fields.insert("email".to_owned(), format!("attorney-of-{}@example.com", id.to_lowercase()));
        News::Represented { customer: id.to_owned() }
    } else {
        News::Silenced { customer: id.to_owned() }
    };
    let record = Record::Event(OutsideEvent {
        id: format!("E-{id}"),
        event: event.to_owned(),
        customer: Some(id.to_owned()),
        invoice: None,
        on,
        at: Some(stamp(at)),
        fields,
    });
    all.items.push(Item { at, record, news: vec![news] });
}

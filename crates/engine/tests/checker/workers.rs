//! Four workers on one PostgreSQL and one customer with many invoices: never more than a cap allows, and no less.

use super::books::class_of;
use super::dates::At;
use super::judge::{Contact, Customer, Debt, Facts, Own, What};
use crate::world::{World, customer, invoice, library_of};
use recobro_engine::Engine;
use recobro_engine::faults::Faults;
use recobro_kernel::time::{HOUR_US, Timestamp};
use recobro_store::CaseNo;
use recobro_store::cases::{self, Filter};
use std::collections::BTreeSet;

/// Invoices of the one customer.
const INVOICES: usize = 500;

/// Every invoice wants a message of its own.
const PLAYBOOK: &str = "
playbook: capped
version: 1
title: Two messages a week
owner: credit-control
currency: EUR
calendar: es-business
applies_to: {customer.kind: business}
contact: {locales: [en], hours: 09:00-18:00, caps: [2 per 7 days], min_gap: 2 days}
stages:
  - stage: only
    steps:
      - {send: overdue-first, day: 3, via: [email]}
      - {finish: needs_review, day: 90}
whenever:
  - {event: invoice.paid, then: {finish: paid}}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_workers_on_one_customer_never_exceed_a_cap() {
    let mut world = World::shared().await;
    world.slice = Some(4);
    let library = library_of(&[("workflows/capped.yaml", PLAYBOOK)]);
    let mut engines: Vec<Engine> = Vec::new();
    for n in 0..4 {
        engines.push(world.worker_of(&format!("w{n}"), Faults::none(), &library).await.unwrap());
    }
    let begin: Timestamp = "2026-04-07T06:00:00Z".parse().unwrap();
    let mut rows = vec![customer("C")];
    rows.extend((0..INVOICES).map(|n| invoice(&format!("I{n}"), "C", "2026-03-02", "2026-04-06")));
    for engine in &engines {
        engine.clock().move_to(begin);
    }
    engines[0].receive("test", &mut rows.into_iter()).await.unwrap();
    // Ten days from the opening to the evening, four hours at a time.
    for hours in (0..24 * 10).step_by(4) {
        let now = begin.plus_us((hours + 1) * HOUR_US);
        for engine in &engines {
            engine.clock().move_to(now);
        }
        let [a, b, c, d] = &engines[..] else { unreachable!("four workers") };
        tokio::join!(drain(a), drain(b), drain(c), drain(d));
    }
    let mut tx = engines[0].store().read().await.unwrap();
    let rows = cases::list(&mut tx, &Filter::default(), CaseNo(0), 1_000).await.unwrap();
    drop(tx);
    let waiting = rows.iter().filter(|row| row.step == "overdue-first" && row.next_at.is_some());
    assert_eq!(waiting.count(), INVOICES - 3, "all the others wait for room");
    let facts = seen(&world);
    let complaints = facts.complaints();
    assert!(complaints.is_empty(), "{}", complaints.iter().map(|one| facts.report(one)).collect::<Vec<_>>().join("\n"));
    // Thursday the 9th and Monday the 13th; then Thursday the 16th.
    let days: Vec<_> = facts.contacts.iter().map(|one| one.at.date_naive().to_string()).collect();
    assert_eq!(days, ["2026-04-09", "2026-04-13", "2026-04-16"], "no slot is left unused");
}

/// Rounds until nothing is due.
async fn drain(engine: &Engine) {
    while engine.round_once().await.unwrap() {}
}

/// What left, as the checker wants it.
fn seen(world: &World) -> Facts {
    let mut keys = BTreeSet::new();
    let items = world.email.lock().unwrap();
    let once: Vec<_> = items.iter().filter(|item| keys.insert(item.key.clone())).collect();
    let contact = |(seq, item): (usize, &&recobro_connectors::channel::Outgoing)| {
        let at: At = item.at.to_utc();
        Contact {
            at,
            seq,
            what: What::Message,
            channel: "email".to_owned(),
            class: class_of(&item.meta["subject"]),
            customer: "C".to_owned(),
            debts: vec![item.meta["invoice"].clone()],
            role: "billing".to_owned(),
            step: item.meta["step"].clone(),
            run: item.key.clone(),
        }
    };
    let contacts = once.iter().enumerate().map(contact).collect();
    let debts = (0..INVOICES).map(|n| Debt {
        id: format!("I{n}"),
        customer: "C".to_owned(),
        product: "",
        residence: "",
        amount: 100_000,
        book: 0,
    });
    let own = Own { hours: (9 * 60, 18 * 60), caps: vec![(2, 7, None)], gap: Some(2), house: false, window: None };
    let who = Customer {
        id: "C".to_owned(),
        country: "FR",
        kind: "business",
        zone: chrono_tz::Europe::Paris,
        vulnerable: false,
        channels: vec!["email".to_owned()],
    };
    Facts { customers: vec![who], debts: debts.collect(), own: vec![own], contacts, ..Facts::default() }
}

//! After an outage: few late contacts leave by themselves, many wait for a person and leave in tranches.

use crate::world::{World, customer, invoice, library_of, payment, run};
use recobro_connectors::source::record::Record;
use recobro_engine::faults::Faults;
use recobro_engine::{Engine, Error, Nobody, Who};
use recobro_store::catch_up;
use recobro_store::history;
use recobro_store::outbox::{self, OutboxRow, State};
use std::sync::Arc;

const DAILY: &str = "
playbook: probe
version: 1
title: Two reminders
owner: credit-control
currency: EUR
calendar: fr-energy
policy: [eu-b2b]
applies_to: {customer.kind: business, priority: 90}
contact: {locales: [= customer.locale, en], hours: 09:00-18:00}
stages:
  - stage: only
    steps:
      - {send: overdue-first, day: 2}
      - {send: overdue-second, day: 4, with: {tone: neutral}}
      - {wait: 30 days, id: a-month}
      - {finish: uncollected}
whenever:
  - event: invoice.paid
    then: {finish: paid}
";

fn who() -> Who {
    Who { name: "person:ana".to_owned(), why: "looked through".to_owned() }
}

/// Invoices of as many customers, due on Monday 11 May 2026, opened before it.
fn rows(count: usize) -> Vec<Record> {
    let one = |n: usize| {
        [customer(&format!("C{n}")), invoice(&format!("I{n}"), &format!("C{n}"), "2026-04-10", "2026-05-11")]
    };
    (0..count).flat_map(one).collect()
}

/// A worker that stood still from Tuesday 12 May until an instant, and then worked.
async fn after_the_outage(world: &World, count: usize, at: &str) -> Engine {
    let engine = world.try_engine_with(&library_of(&[("workflows/probe.yaml", DAILY)])).await.unwrap();
    engine.receive("test", &mut rows(count).into_iter()).await.unwrap();
    run(&engine, Some("2026-05-12"), &Nobody).await.unwrap();
    go_on(&engine, at).await;
    engine
}

async fn go_on(engine: &Engine, at: &str) {
    engine.clock().move_to(at.parse().unwrap());
    while engine.round_once().await.unwrap() {}
}

async fn held(engine: &Engine) -> Vec<OutboxRow> {
    let mut tx = engine.store().read().await.unwrap();
    outbox::list(&mut tx, Some(State::Held), "", 1_000).await.unwrap()
}

fn sent(world: &World) -> usize {
    world.email.lock().unwrap().len()
}

#[tokio::test]
async fn many_late_contacts_wait_and_leave_in_tranches_and_late_steps_give_way() {
    let world = World::holding_above(3);
    let engine = after_the_outage(&world, 8, "2026-05-20T10:00:00Z").await;
    assert_eq!((sent(&world), held(&engine).await.len()), (0, 8));
    let forecast = engine.forecast(None).await.unwrap();
    assert_eq!((forecast.late, forecast.superseded, forecast.held), (8, 8, 8));
    assert_eq!(forecast.leaves.get("email"), Some(&8), "{forecast:?}");
    assert_eq!(forecast.amounts.iter().map(ToString::to_string).collect::<Vec<_>>(), ["8,000.00 EUR"]);
    // One is paid meanwhile: nothing of it is held any more.
    engine.receive("test", &mut vec![payment("P", "I3", 100_000, "2026-05-20")].into_iter()).await.unwrap();
    while engine.round_once().await.unwrap() {}
    assert_eq!(held(&engine).await.len(), 7);

    assert_eq!(engine.release(Some(3), &who()).await.unwrap(), 3);
    while engine.round_once().await.unwrap() {}
    assert_eq!((sent(&world), held(&engine).await.len()), (3, 4));
    let contacts = world.contacts();
    assert!(contacts.iter().all(|act| act.contains(" overdue-second ")), "{contacts:?}");
    assert_eq!(engine.release(None, &who()).await.unwrap(), 4);
    while engine.round_once().await.unwrap() {}
    assert_eq!((sent(&world), held(&engine).await.len()), (7, 0));
    let mut tx = engine.store().read().await.unwrap();
    assert_eq!(catch_up::since(&mut tx).await.unwrap(), None);
    let cases = crate::world::cases(&engine).await;
    let told = history::of_case(&mut tx, cases[0].no, 0, 100).await.unwrap();
    assert!(told.iter().any(|row| row.body.contains("released by person:ana: looked through")), "{told:?}");
}

#[tokio::test]
async fn all_of_them_wait_where_a_batch_takes_more_than_the_threshold() {
    let mut world = World::holding_above(3);
    world.batch = 5;
    let engine = after_the_outage(&world, 12, "2026-05-20T10:00:00Z").await;
    assert_eq!((sent(&world), held(&engine).await.len()), (0, 12));
}

/// Eight reminders that were ordered on time, and a worker that died before it claimed them.
async fn ordered_before_the_outage(world: &World, at: &str) -> Engine {
    let library = library_of(&[("workflows/probe.yaml", DAILY)]);
    let engine = world.try_engine_with(&library).await.unwrap();
    engine.receive("test", &mut rows(8).into_iter()).await.unwrap();
    run(&engine, Some("2026-05-12"), &Nobody).await.unwrap();
    engine.store().clone().close().await;
    drop(engine);
    let dying = Faults::watched(Arc::new(|point| point != "deliver.before_claim"));
    let engine = world.worker_of("a", dying, &library).await.unwrap();
    engine.clock().move_to("2026-05-13T10:00:00Z".parse().unwrap());
    assert!(matches!(engine.round_once().await, Err(Error::Fault("deliver.before_claim"))));
    engine.store().clone().close().await;
    drop(engine);
    let engine = world.worker_of("b", Faults::none(), &library).await.unwrap();
    go_on(&engine, at).await;
    engine
}

#[tokio::test]
async fn what_was_ready_long_before_waits_as_well() {
    let mut world = World::holding_above(3);
    world.slice = Some(2);
    let engine = ordered_before_the_outage(&world, "2026-05-18T10:00:00Z").await;
    assert_eq!((sent(&world), held(&engine).await.len()), (0, 8), "{:?}", world.contacts());
    assert_eq!(engine.release(None, &who()).await.unwrap(), 8);
    while engine.round_once().await.unwrap() {}
    assert_eq!((sent(&world), held(&engine).await.len()), (8, 0));

    let world = World::holding_above(8);
    let engine = ordered_before_the_outage(&world, "2026-05-18T10:00:00Z").await;
    assert_eq!((sent(&world), held(&engine).await.len()), (8, 0), "few leave by themselves");
    let world = World::holding_above(3);
    let engine = ordered_before_the_outage(&world, "2026-05-13T15:00:00Z").await;
    assert_eq!((sent(&world), held(&engine).await.len()), (8, 0), "nobody is a day late");
}

#[tokio::test]
async fn few_late_contacts_leave_by_themselves_as_does_what_is_on_time() {
    let world = World::holding_above(8);
    let engine = after_the_outage(&world, 8, "2026-05-20T10:00:00Z").await;
    assert_eq!((sent(&world), held(&engine).await.len()), (8, 0));

    let world = World::holding_above(3);
    let engine = after_the_outage(&world, 8, "2026-05-13T10:00:00Z").await;
    assert_eq!((sent(&world), held(&engine).await.len()), (8, 0), "nobody is a day late");
}

#[tokio::test]
async fn what_the_hours_keep_until_the_morning_waits_then_too() {
    let world = World::holding_above(3);
    let engine = after_the_outage(&world, 8, "2026-05-20T20:00:00Z").await;
    assert_eq!((sent(&world), held(&engine).await.len()), (0, 0));
    assert_eq!(engine.forecast(None).await.unwrap().to_come, 8);
    go_on(&engine, "2026-05-21T09:00:00Z").await;
    assert_eq!((sent(&world), held(&engine).await.len()), (0, 8));
    // Those that were never late leave meanwhile.
    let fresh = vec![customer("D"), invoice("J", "D", "2026-04-10", "2026-05-19")];
    engine.receive("test", &mut fresh.into_iter()).await.unwrap();
    go_on(&engine, "2026-05-21T11:00:00Z").await;
    go_on(&engine, "2026-05-22T11:00:00Z").await;
    assert_eq!((sent(&world), held(&engine).await.len()), (1, 8));
}

//! One message for a customer in real time, however its cases come to be decided.

use crate::world::{World, cases, customer, invoice, library_of};
use recobro_engine::Engine;
use recobro_kernel::time::Timestamp;
use recobro_store::contacts;
use recobro_store::wake::{self, Priority, WakeAt};

const PLAYBOOK: &str = "
playbook: together
version: 1
title: One message a week
owner: credit-control
currency: EUR
calendar: es-business
applies_to: {customer.kind: business}
contact: {locales: [en], hours: 09:00-18:00, min_gap: 5 days, bundle: customer}
stages:
  - stage: only
    steps:
      - {send: overdue-first, day: 5, via: [email]}
      - {finish: needs_review, day: 60}
whenever:
  - {event: invoice.paid, then: {finish: paid}}
";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

async fn drain(engine: &Engine, until: &str) {
    engine.clock().move_to(at(until));
    while engine.round_once().await.unwrap() {}
}

/// A worker that knows of so many invoices of each of two customers, all to be reminded of on 7 April at nine.
async fn asleep(world: &World, invoices: usize) -> Engine {
    let engine = world.try_engine_with(&library_of(&[("workflows/together.yaml", PLAYBOOK)])).await.unwrap();
    engine.clock().move_to(at("2026-04-03T06:00:00Z"));
    let mut rows = vec![customer("C"), customer("D")];
    let of = |n: usize| ["C", "D"].map(|id| invoice(&format!("{id}{n}"), id, "2026-03-02", "2026-04-02"));
    rows.extend((0..invoices).flat_map(of));
    engine.receive("test", &mut rows.into_iter()).await.unwrap();
    drain(&engine, "2026-04-03T06:00:00Z").await;
    engine
}

/// Messages, and the invoices that they were about.
async fn said(world: &World, engine: &Engine) -> (usize, usize) {
    let mut tx = engine.store().read().await.unwrap();
    let rows = contacts::list(&mut tx, (Timestamp::from_us(0), ""), 1_000).await.unwrap();
    (world.email.lock().unwrap().len(), rows.iter().filter(|row| row.state == "sent").count())
}

#[tokio::test]
async fn more_invoices_than_a_batch_takes_leave_in_one_message() {
    let mut world = World::new();
    world.batch = 3;
    let engine = asleep(&world, 5).await;
    drain(&engine, "2026-04-07T10:00:00Z").await;
    assert_eq!(said(&world, &engine).await, (2, 10), "{:?}", world.acts());
}

#[tokio::test]
async fn a_message_waits_for_the_case_of_its_customer_that_is_due_and_not_decided() {
    let world = World::new();
    let engine = asleep(&world, 3).await;
    // One of them was told to wake half an hour after the others, and all are late.
    let last = cases(&engine).await.into_iter().find(|case| case.invoice.as_str() == "C2").unwrap();
    let mut tx = engine.store().begin().await.unwrap();
    let due_at = at("2026-04-07T08:00:00Z");
    wake::put(&mut tx, &[(last.no, Some(WakeAt { due_at, priority: Priority::Timer }))]).await.unwrap();
    tx.commit().await.unwrap();
    drain(&engine, "2026-04-07T10:00:00Z").await;
    assert_eq!(said(&world, &engine).await, (2, 6), "{:?}", world.acts());
}

//! A changed calendar or policy reaches the cases that sleep, each once, and nobody whom it cannot touch.

use crate::world::{World, cases, customer, invoice, library_of};
use recobro_connectors::source::record::Record;
use recobro_engine::faults::Faults;
use recobro_engine::{Engine, Error};
use recobro_kernel::time::Timestamp;
use recobro_store::history;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Customers of the world are French companies.
const PLAYBOOK: &str = "
playbook: probe
version: 1
title: Two reminders
owner: credit-control
currency: EUR
calendar: fr-energy
policy: [mine]
applies_to: {customer.kind: business, priority: 90}
contact: {locales: [en], hours: 09:00-18:00}
stages:
  - stage: only
    steps:
      - {send: overdue-first, day: 2, via: [email]}
      - {send: overdue-second, day: 3, via: [email], with: {tone: neutral}}
      - {finish: uncollected, day: 60}
whenever:
  - {event: invoice.paid, then: {finish: paid}}
";

fn policy(places: &str, gap: u8) -> String {
    format!(
        "policy: mine\nversion: 1\ntitle: Mine\nowner: compliance\njurisdiction: {places}\nrules:\n  \
         - {{rule: apart, kind: gap_after_contact, params: {{gap: {gap} days}}, source: house rule}}\n"
    )
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A worker over the shipped library with the probe and its policy.
async fn worker(world: &World, places: &str, gap: u8, faults: Faults) -> Engine {
    let files = [("workflows/probe.yaml", PLAYBOOK), ("workflows/policies/mine.yaml", &policy(places, gap))];
    world.worker_of("worker", faults, &library_of(&files)).await.unwrap()
}

async fn drain(engine: &Engine, until: &str) -> Result<(), Error> {
    engine.clock().move_to(at(until));
    while engine.round_once().await? {}
    Ok(())
}

/// Invoices due on Monday 11 May 2026: a first reminder on Wednesday, a second that waits for its distance.
async fn reminded(world: &World, customers: usize) -> Engine {
    let engine = worker(world, "FR", 10, Faults::none()).await;
    engine.clock().move_to(at("2026-05-11T06:00:00Z"));
    let one = |n: usize| {
        let (id, of) = (format!("I{n}"), format!("C{n:04}"));
        [customer(&of), invoice(&id, &of, "2026-04-10", "2026-05-11")]
    };
    let rows: Vec<Record> = (0..customers).flat_map(one).collect();
    engine.receive("test", &mut rows.into_iter()).await.unwrap();
    for hour in ["2026-05-11T06:00:00Z", "2026-05-13T15:00:00Z", "2026-05-14T12:00:00Z"] {
        drain(&engine, hour).await.unwrap();
    }
    assert_eq!(world.email.lock().unwrap().len(), customers, "the first reminder has left");
    engine
}

/// How often each case was told of a changed law.
async fn told(engine: &Engine) -> Vec<usize> {
    let mut counts = Vec::new();
    for case in cases(engine).await {
        let mut tx = engine.store().read().await.unwrap();
        let rows = history::of_case(&mut tx, case.no, 0, 100).await.unwrap();
        counts.push(rows.iter().filter(|row| row.body.contains("law.changed")).count());
    }
    counts
}

#[tokio::test]
async fn a_shorter_distance_moves_what_waits_for_it() {
    let world = World::new();
    drop(reminded(&world, 2).await);
    let engine = worker(&world, "FR", 3, Faults::none()).await;
    drain(&engine, "2026-05-16T12:00:00Z").await.unwrap();
    assert_eq!(told(&engine).await, [1, 1]);
    // Monday: three days after Wednesday is a Saturday.
    drain(&engine, "2026-05-18T12:00:00Z").await.unwrap();
    assert_eq!(world.email.lock().unwrap().len(), 4, "{:?}", world.acts());
    let rows = cases(&engine).await;
    let mut tx = engine.store().read().await.unwrap();
    let story = history::of_case(&mut tx, rows[0].no, 0, 100).await.unwrap();
    assert!(story.iter().any(|row| row.body.contains("policy mine ")), "the history names what changed");
}

#[tokio::test]
async fn the_same_law_tells_nobody_and_another_country_is_not_woken() {
    let world = World::new();
    drop(reminded(&world, 2).await);
    let engine = worker(&world, "FR", 10, Faults::none()).await;
    drain(&engine, "2026-05-15T12:00:00Z").await.unwrap();
    assert_eq!(told(&engine).await, [0, 0]);
    drop(engine);
    // A policy of elsewhere is not ours, neither before nor after its change.
    for (places, gap) in [("IS", 10), ("IS", 4)] {
        let engine = worker(&world, places, gap, Faults::none()).await;
        drain(&engine, "2026-05-15T12:00:00Z").await.unwrap();
        // It had been French before: those whom it no longer binds are told of that, and of nothing more.
        assert_eq!(told(&engine).await, [1, 1]);
    }
}

#[tokio::test]
async fn a_kill_between_two_pages_tells_each_case_once() {
    let world = World::new();
    let many = 600;
    drop(reminded(&world, many).await);
    let pages = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&pages);
    // The second page is not committed.
    let faults =
        Faults::watched(Arc::new(move |point| point != "replan.page" || seen.fetch_add(1, Ordering::SeqCst) != 1));
    let engine = worker(&world, "FR", 3, faults).await;
    drain(&engine, "2026-05-14T13:00:00Z").await.unwrap_err();
    drop(engine);
    let engine = worker(&world, "FR", 3, Faults::none()).await;
    drain(&engine, "2026-05-14T14:00:00Z").await.unwrap();
    assert_eq!(told(&engine).await, vec![1; many]);
    drop(engine);
    let engine = worker(&world, "FR", 3, Faults::none()).await;
    drain(&engine, "2026-05-14T15:00:00Z").await.unwrap();
    assert_eq!(told(&engine).await, vec![1; many], "once told, nobody is told again");
}

/// A step two working days after the one before it sleeps to that day.
#[tokio::test]
async fn a_new_holiday_moves_a_step_that_sleeps_to_its_day() {
    let world = World::new();
    let probe = PLAYBOOK
        .replace("policy: [mine]\n", "")
        .replace("{send: overdue-second, day: 3,", "{send: overdue-second, after: 2 working days,");
    let calendar =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../workflows/calendars/fr-energy.yaml"));
    let before = calendar.unwrap();
    let after = before.replacen("holidays:\n", "holidays:\n  - {name: Probe, on: 05-15}\n", 1);
    let worker = async |calendar: &str| {
        let files = [("workflows/probe.yaml", probe.as_str()), ("workflows/calendars/fr-energy.yaml", calendar)];
        world.worker_of("worker", Faults::none(), &library_of(&files)).await.unwrap()
    };
    let engine = worker(&before).await;
    engine.clock().move_to(at("2026-05-11T06:00:00Z"));
    let rows = vec![customer("C"), invoice("I", "C", "2026-04-10", "2026-05-11")];
    engine.receive("test", &mut rows.into_iter()).await.unwrap();
    drain(&engine, "2026-05-11T06:00:00Z").await.unwrap();
    drain(&engine, "2026-05-13T15:00:00Z").await.unwrap();
    let day = |next: Option<Timestamp>| next.unwrap().to_utc().date_naive().to_string();
    assert_eq!(day(cases(&engine).await[0].next_at), "2026-05-18", "Thursday is Ascension");
    drop(engine);
    let engine = worker(&after).await;
    drain(&engine, "2026-05-13T16:00:00Z").await.unwrap();
    assert_eq!(told(&engine).await, [1]);
    assert_eq!(day(cases(&engine).await[0].next_at), "2026-05-19");
}

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

/// A shell beside the worker, whose settings name another collector or whose folder is older, only lists or answers work.
#[tokio::test]
async fn who_carries_no_case_on_plans_none_again() {
    let world = World::new();
    drop(reminded(&world, 2).await);
    drop(worker(&world, "FR", 3, Faults::none()).await);
    let engine = worker(&world, "FR", 10, Faults::none()).await;
    drain(&engine, "2026-05-15T12:00:00Z").await.unwrap();
    assert_eq!(told(&engine).await, [0, 0]);
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

/// Shipped calendars with one more free day.
fn with_a_free_day(name: &str, before: &str, after: &str) -> (String, String) {
    let path = format!("{}/../../workflows/calendars/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(before), "{text}");
    (format!("workflows/calendars/{name}.yaml"), text.replacen(before, after, 1))
}

#[tokio::test]
async fn a_calendar_reaches_the_cases_whose_playbook_names_it_and_one_without_a_place_nobody_else() {
    let world = World::new();
    let probe = PLAYBOOK.replace("calendar: fr-energy", "calendar: es-business");
    let policy = policy("FR", 10);
    let worker = async |calendar: Option<(String, String)>| {
        let mut files = vec![("workflows/probe.yaml", probe.as_str()), ("workflows/policies/mine.yaml", &policy)];
        files.extend(calendar.as_ref().map(|(file, text)| (file.as_str(), text.as_str())));
        world.worker_of("worker", Faults::none(), &library_of(&files)).await.unwrap()
    };
    let engine = worker(None).await;
    engine.clock().move_to(at("2026-05-11T06:00:00Z"));
    let rows = vec![customer("C"), invoice("I", "C", "2026-04-10", "2026-05-11")];
    engine.receive("test", &mut rows.into_iter()).await.unwrap();
    drain(&engine, "2026-05-11T06:00:00Z").await.unwrap();
    drop(engine);
    let engine = worker(Some(with_a_free_day("house", "\"01-01\"", "\"01-01\", \"05-15\""))).await;
    drain(&engine, "2026-05-11T07:00:00Z").await.unwrap();
    assert_eq!(told(&engine).await, [0], "no playbook names it");
    drop(engine);
    let es = with_a_free_day("es-business", "  - {name: Viernes", "  - {name: Probe, on: 05-15}\n  - {name: Viernes");
    let engine = worker(Some(es)).await;
    drain(&engine, "2026-05-11T08:00:00Z").await.unwrap();
    assert_eq!(told(&engine).await, [1], "a French customer, whose playbook counts the creditor's days");
}

#[tokio::test]
async fn a_new_deadline_reaches_a_paused_case_and_a_new_distance_does_not() {
    let world = World::new();
    let engine = reminded(&world, 1).await;
    let id = cases(&engine).await[0].id;
    engine.pause(id, &recobro_engine::Who { name: "ana".to_owned(), why: "a call".to_owned() }).await.unwrap();
    drain(&engine, "2026-05-14T13:00:00Z").await.unwrap();
    drop(engine);
    let engine = worker(&world, "FR", 3, Faults::none()).await;
    drain(&engine, "2026-05-14T14:00:00Z").await.unwrap();
    assert_eq!(told(&engine).await, [0], "a paused case waits for no day");
    drop(engine);
    let deadline = "  - {rule: told, kind: deadline, source: house rule, \
                    params: {notice: told, within: 20 days, after: due, alert: 3 days}}\n";
    let policy = format!("{}{deadline}", policy("FR", 3));
    let files = [("workflows/probe.yaml", PLAYBOOK), ("workflows/policies/mine.yaml", policy.as_str())];
    let engine = world.worker_of("worker", Faults::none(), &library_of(&files)).await.unwrap();
    drain(&engine, "2026-05-14T15:00:00Z").await.unwrap();
    assert_eq!(told(&engine).await, [1]);
    let next = cases(&engine).await[0].next_at.unwrap().to_utc().date_naive().to_string();
    assert!(next.as_str() >= "2026-05-27" && next.as_str() < "2026-06-01", "woken before 31 May: {next}");
}

#[tokio::test]
async fn a_looser_cap_moves_what_waits_for_it_to_an_earlier_day() {
    let world = World::new();
    let cap = |most: u8| {
        policy("FR", 10).replace(
            "kind: gap_after_contact, params: {gap: 10 days}",
            &format!("kind: frequency, params: {{most: {most}, per: 30 days, of: customer}}"),
        )
    };
    let worker = async |most: u8| {
        let files = [("workflows/probe.yaml", PLAYBOOK.to_owned()), ("workflows/policies/mine.yaml", cap(most))];
        let files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (*file, text.as_str())).collect();
        world.worker_of("worker", Faults::none(), &library_of(&files)).await.unwrap()
    };
    let engine = worker(1).await;
    engine.clock().move_to(at("2026-05-11T06:00:00Z"));
    let rows = vec![customer("C"), invoice("I", "C", "2026-04-10", "2026-05-11")];
    engine.receive("test", &mut rows.into_iter()).await.unwrap();
    for hour in ["2026-05-11T06:00:00Z", "2026-05-13T15:00:00Z", "2026-05-14T12:00:00Z", "2026-05-15T12:00:00Z"] {
        drain(&engine, hour).await.unwrap();
    }
    assert_eq!(world.email.lock().unwrap().len(), 1);
    drop(engine);
    let engine = worker(2).await;
    drain(&engine, "2026-05-18T12:00:00Z").await.unwrap();
    assert_eq!((told(&engine).await, world.email.lock().unwrap().len()), (vec![1], 2));
}

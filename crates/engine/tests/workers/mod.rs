//! Several workers on one PostgreSQL, and a worker that died between a hand-over and its record: nothing leaves twice,
//! no payment is lost, and what left is never recorded as held back.

use crate::world::{World, cases, customer, invoice, library_of, outcomes, payment, state};
use recobro_connectors::channel::Delivery;
use recobro_connectors::source::record::Record;
use recobro_engine::faults::Faults;
use recobro_engine::{Engine, Error};
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::time::{HOUR_US, Timestamp};
use recobro_store::contacts::{self, ContactRow};
use recobro_store::{invoices, outbox};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Rounds until nothing is due.
async fn drain(engine: &Engine) {
    while engine.round_once().await.unwrap() {}
}

/// Steps an hour at a time until something left by e-mail or the worker died.
async fn until_sent(world: &World, engine: &Engine) -> Result<(), Error> {
    for _ in 0..60 * 24 {
        while engine.round_once().await? {}
        if !world.email.lock().unwrap().is_empty() {
            return Ok(());
        }
        engine.clock().move_to(engine.clock().now().plus_us(HOUR_US));
    }
    panic!("nothing left in two months: {:?}", world.acts());
}

async fn ledger(engine: &Engine) -> Vec<ContactRow> {
    let mut tx = engine.store().read().await.unwrap();
    contacts::list(&mut tx, (Timestamp::from_us(0), ""), 1_000).await.unwrap()
}

async fn balance(engine: &Engine, invoice: &str) -> i64 {
    let mut tx = engine.store().read().await.unwrap();
    let id = InvoiceId::from(invoice);
    invoices::get(&mut tx, std::slice::from_ref(&id)).await.unwrap()[&id].balance_minor
}

fn keys(world: &World) -> Vec<String> {
    world.email.lock().unwrap().iter().map(|item| item.key.clone()).collect()
}

fn one_invoice() -> Vec<Record> {
    vec![customer("C"), invoice("I", "C", "2026-03-02", "2026-04-01")]
}

async fn receive(engine: &Engine, rows: Vec<Record>) {
    engine.receive("test", &mut rows.into_iter()).await.unwrap();
}

/// A watcher that lets `act` happen once, when `point` is passed.
fn once(point: &'static str, act: impl Fn() + Send + Sync + 'static) -> Faults {
    let done = AtomicBool::new(false);
    Faults::watched(Arc::new(move |passed| {
        if passed == point && !done.swap(true, Ordering::SeqCst) {
            act();
        }
        true
    }))
}

/// Dies the first time that `point` is passed.
fn dying(point: &'static str) -> Faults {
    Faults::watched(Arc::new(move |passed| passed != point))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_lost_its_lease_hands_nothing_over() {
    let world = World::shared().await;
    let other = Arc::new(world.worker("b", Faults::none()).await.unwrap());
    let slow: Arc<Mutex<Option<Timestamp>>> = Arc::default();
    let (taking, begun) = (Arc::clone(&other), Arc::clone(&slow));
    let faults = once("deliver.claim_committed", move || {
        let now = begun.lock().unwrap().unwrap();
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                taking.clock().move_to(now.plus_us(HOUR_US));
                drain(&taking).await;
            });
        });
    });
    let first = world.worker("a", faults).await.unwrap();
    first.clock().move_to(at("2026-03-02T07:00:00Z"));
    receive(&first, one_invoice()).await;
    for _ in 0..60 * 24 {
        *slow.lock().unwrap() = Some(first.clock().now());
        drain(&first).await;
        if !keys(&world).is_empty() {
            break;
        }
        first.clock().move_to(first.clock().now().plus_us(HOUR_US));
    }
    assert_eq!(keys(&world).len(), 1, "handed over once: {:?}", world.acts());
    let rows = ledger(&first).await;
    let states: Vec<_> = rows.iter().map(|row| (row.id.clone(), row.state.as_str())).collect();
    assert_eq!(states, [(keys(&world)[0].clone(), "sent")], "the row of the worker that sent it stays as it is");
    drain(&other).await;
    assert_eq!(keys(&world).len(), 1);
}

/// Another worker routes a promise after this one has claimed the reminder and before it leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promise_that_the_case_has_not_read_yet_stops_what_it_ordered_before() {
    let mut world = World::new();
    let mine: Arc<Mutex<Option<Arc<Engine>>>> = Arc::default();
    let told = Arc::clone(&mine);
    let faults = once("deliver.claim_committed", move || {
        let engine = told.lock().unwrap().clone().unwrap();
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                let mut tx = engine.store().begin().await.unwrap();
                let case = cases(&engine).await.remove(0);
                let now = engine.clock().now();
                let body = serde_json::json!({
                    "id": recobro_kernel::ids::EventId::derive(&["promise"]), "name": "promise.made", "at": now,
                    "actor": "test", "fields": {},
                });
                let id = recobro_kernel::ids::EventId::derive(&["promise"]);
                let news = recobro_store::events::NewEvent { no: case.no, id, at: now, body: body.to_string() };
                recobro_store::events::insert(&mut tx, &[news]).await.unwrap();
                tx.commit().await.unwrap();
            });
        });
    });
    world.slice = Some(2);
    let engine = Arc::new(world.worker("a", faults).await.unwrap());
    *mine.lock().unwrap() = Some(Arc::clone(&engine));
    engine.clock().move_to(at("2026-04-03T07:00:00Z"));
    receive(&engine, one_invoice()).await;
    for _ in 0..24 * 6 {
        drain(&engine).await;
        engine.clock().move_to(engine.clock().now().plus_us(HOUR_US));
    }
    let asked = world.contacts().iter().filter(|act| act.contains("overdue")).count();
    assert_eq!(asked, 0, "{:?}", world.acts());
    let mut tx = engine.store().read().await.unwrap();
    let all = (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
    let log = recobro_store::verdicts::of_customer(&mut tx, &CustomerId("C".to_owned()), all, 100).await.unwrap();
    let said: Vec<_> = log.iter().map(|row| (row.at, row.verdict.as_str(), row.rule.as_str())).collect();
    assert!(
        said.iter().any(|(_, verdict, rule)| (*verdict, *rule) == ("defer", "news of the case is being read")),
        "{said:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_payments_of_one_invoice_booked_at_once_both_count() {
    let world = World::shared().await;
    let worker = world.worker("a", Faults::none()).await.unwrap();
    worker.clock().move_to(at("2026-03-03T07:00:00Z"));
    receive(&worker, one_invoice()).await;
    drain(&worker).await;
    // Another worker has read the balance and is about to write it less 400.00.
    let store = world.store().await;
    let mut tx = store.begin().await.unwrap();
    contacts::lock_budget(&mut tx, &[CustomerId::from("C")]).await.unwrap();
    let id = InvoiceId::from("I");
    let mut row = invoices::get(&mut tx, std::slice::from_ref(&id)).await.unwrap().remove(&id).unwrap();
    row.balance_minor -= 40_000;
    invoices::upsert(&mut tx, &[row]).await.unwrap();
    receive(&worker, vec![payment("P", "I", 60_000, "2026-03-02")]).await;
    let mut booked = std::pin::pin!(drain(&worker));
    let early = tokio::time::timeout(Duration::from_millis(400), &mut booked).await;
    assert!(early.is_err(), "it waits for the other worker's commit");
    tx.commit().await.unwrap();
    booked.await;
    assert_eq!(balance(&worker, "I").await, 0);
}

#[tokio::test]
async fn what_left_before_a_kill_is_never_recorded_as_held_back() {
    for (idempotent, pays) in [(true, false), (true, true), (false, false), (false, true)] {
        let mut world = World::new();
        world.idempotent = idempotent;
        let died = world.worker("a", dying("deliver.delivered")).await.unwrap();
        died.clock().move_to(at("2026-03-02T07:00:00Z"));
        receive(&died, one_invoice()).await;
        assert!(matches!(until_sent(&world, &died).await, Err(Error::Fault("deliver.delivered"))));
        let now = died.clock().now();
        let key = keys(&world)[0].clone();
        died.store().clone().close().await;
        drop(died);
        let next = world.worker("a", Faults::none()).await.unwrap();
        next.clock().move_to(now.plus_us(HOUR_US));
        if pays {
            // The customer paid between the kill and the restart.
            receive(&next, vec![payment("P", "I", 100_000, "2026-03-02")]).await;
        }
        drain(&next).await;
        let row = ledger(&next).await.into_iter().find(|row| row.id == key).expect("what left stays in the ledger");
        let again = idempotent && !pays;
        assert_eq!(row.state, if again { "sent" } else { "unknown" }, "idempotent: {idempotent}, pays: {pays}");
        let times = keys(&world).iter().filter(|sent| **sent == key).count();
        assert_eq!(times, if again { 2 } else { 1 }, "the same key again where it may go, or not at all");
        let outcome = pays.then(|| "paid".to_owned());
        assert_eq!(outcomes(&next).await, [("I".to_owned(), outcome)]);
        let mut tx = next.store().read().await.unwrap();
        let left = outbox::list(&mut tx, Some(outbox::State::Unknown), "", 10).await.unwrap();
        assert_eq!(left.len(), usize::from(!again), "what is unknown is kept for a person");
        // Going again is asked about and noted like the first time, and so is not going again.
        let all = (now.plus_us(1), at("2027-01-01T00:00:00Z"));
        let log = recobro_store::verdicts::of_customer(&mut tx, &CustomerId("C".to_owned()), all, 100).await.unwrap();
        let said: Vec<_> = log.iter().filter(|row| row.effect == key).map(|row| (&*row.verdict, &*row.rule)).collect();
        let doubted = |(verdict, rule): &(&str, &str)| *verdict != "allow" && rule.contains("it may have left before");
        let fits = if again { said == [("allow", "")] } else { said.len() == 1 && said.iter().all(doubted) };
        assert!(fits, "idempotent: {idempotent}, pays: {pays}: {said:?}");
    }
}

/// A paused case reads no reply before it goes on, so its effect must not wait for that.
#[tokio::test]
async fn what_a_paused_case_was_handing_over_comes_to_an_end() {
    let world = World::new();
    let died = world.worker("a", dying("deliver.delivered")).await.unwrap();
    died.clock().move_to(at("2026-03-02T07:00:00Z"));
    receive(&died, one_invoice()).await;
    assert!(matches!(until_sent(&world, &died).await, Err(Error::Fault("deliver.delivered"))));
    let now = died.clock().now();
    died.store().clone().close().await;
    drop(died);
    let next = world.worker("a", Faults::none()).await.unwrap();
    next.clock().move_to(now.plus_us(HOUR_US));
    let case = cases(&next).await.remove(0);
    next.pause(case.id, &recobro_engine::Who { name: "ana".to_owned(), why: "a call".to_owned() }).await.unwrap();
    let reply = recobro_kernel::ids::EventId::derive(&["reply"]);
    let at = next.clock().now();
    let body = serde_json::json!({"id": reply, "name": "reply.received", "at": at, "actor": "customer", "fields": {}});
    let news = recobro_store::events::NewEvent { no: case.no, id: reply, at, body: body.to_string() };
    let mut tx = next.store().begin().await.unwrap();
    recobro_store::events::insert(&mut tx, &[news]).await.unwrap();
    tx.commit().await.unwrap();
    for hours in 2..6 {
        drain(&next).await;
        next.clock().move_to(now.plus_us(hours * HOUR_US));
    }
    let mut tx = next.store().read().await.unwrap();
    let left = outbox::list(&mut tx, None, "", 10).await.unwrap();
    let states: Vec<_> = left.iter().map(|row| row.state).collect();
    assert_eq!(states, [outbox::State::Unknown], "a person is asked, and nothing is looked at again for ever");
}

/// Customers with an invoice each: paid in parts, early, late, or never.
fn portfolio() -> Vec<Record> {
    let mut rows = Vec::new();
    for n in 0..40 {
        let (c, i) = (format!("C{n}"), format!("I{n}"));
        rows.push(customer(&c));
        rows.push(invoice(&i, &c, &format!("2026-03-{:02}", 2 + n % 5), &format!("2026-03-{:02}", 16 + n % 5)));
        match n % 4 {
            0 => {}
            1 => rows.push(payment(&format!("P{n}"), &i, 100_000, "2026-03-12")),
            2 => rows.extend(
                (0..5).map(|part| payment(&format!("P{n}-{part}"), &i, 20_000, &format!("2026-03-{}", 23 + part / 4))),
            ),
            _ => rows.push(payment(&format!("P{n}"), &i, 30_000, "2026-03-25")),
        }
    }
    rows
}

/// Four weeks in real rounds, a step of time after the other, by this many workers at once.
async fn work(workers: usize) -> (BTreeMap<String, String>, Vec<String>) {
    let world = World::shared().await;
    let mut engines = Vec::new();
    for n in 0..workers {
        engines.push(world.worker(&format!("w{n}"), Faults::none()).await.unwrap());
    }
    let mut now = at("2026-03-02T00:00:00Z");
    for engine in &engines {
        engine.clock().move_to(now);
    }
    receive(&engines[0], portfolio()).await;
    while now < at("2026-03-31T00:00:00Z") {
        now = now.plus_us(3 * HOUR_US);
        for engine in &engines {
            engine.clock().move_to(now);
        }
        match &engines[..] {
            [a, b] => {
                tokio::join!(drain(a), drain(b));
            }
            all => drain(&all[0]).await,
        }
        // What one worker left for the other is taken before time goes on.
        drain(&engines[0]).await;
    }
    let mut sent = keys(&world);
    sent.sort();
    let mut state = state(&engines[0]).await;
    // How many turns a case took may differ: news of two workers arrive together or one by one.
    for row in cases(&engines[0]).await {
        let value = format!("{} {:?} {} {:?}", row.status.name(), row.outcome, row.step, row.next_at);
        state.insert(format!("case {}", row.id), value);
    }
    (state, sent)
}

#[tokio::test]
async fn two_workers_end_every_case_as_one_does() {
    let (alone, sent_alone) = work(1).await;
    let (together, sent_together) = work(2).await;
    assert!(sent_alone.len() > 30, "there was something to send: {}", sent_alone.len());
    let unique: BTreeSet<_> = sent_together.iter().collect();
    assert_eq!(unique.len(), sent_together.len(), "nothing is handed over twice");
    assert_eq!(sent_together, sent_alone);
    for (key, value) in &alone {
        assert_eq!(together.get(key), Some(value), "{key}");
    }
    assert_eq!(together.len(), alone.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_between_two_slices_stops_the_second() {
    let mut world = World::new();
    world.slice = Some(2);
    let paying: Arc<Mutex<Option<Arc<Engine>>>> = Arc::default();
    let payer = Arc::clone(&paying);
    // When the first slice has left, everybody pays: what was not begun must not leave.
    let faults = once("deliver.delivered", move || {
        let engine = payer.lock().unwrap().clone().unwrap();
        let rows = (0..5).map(|n| payment(&format!("P{n}"), &format!("I{n}"), 100_000, "2026-04-01")).collect();
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(receive(&engine, rows)));
    });
    let engine = Arc::new(world.worker("a", faults).await.unwrap());
    *paying.lock().unwrap() = Some(Arc::clone(&engine));
    engine.clock().move_to(at("2026-04-02T07:00:00Z"));
    let mut rows = Vec::new();
    for n in 0..5 {
        rows.push(customer(&format!("C{n}")));
        rows.push(invoice(&format!("I{n}"), &format!("C{n}"), "2026-03-02", "2026-04-01"));
    }
    receive(&engine, rows).await;
    until_sent(&world, &engine).await.unwrap();
    let asked = world.contacts().iter().filter(|act| act.contains("overdue-first")).count();
    assert_eq!(asked, 2, "{:?}", world.contacts());
}

/// The check is asked twice in real time: what the first one noted of the same message does not hold the second back.
#[tokio::test]
async fn invoices_of_a_customer_leave_in_one_message_in_real_time_too() {
    let mut world = World::new();
    world.slice = Some(1);
    let engine = world.worker("a", Faults::none()).await.unwrap();
    engine.clock().move_to(at("2026-04-02T07:00:00Z"));
    let mut rows = vec![customer("C")];
    rows.extend((0..3).map(|n| invoice(&format!("I{n}"), "C", "2026-03-02", "2026-04-01")));
    receive(&engine, rows).await;
    until_sent(&world, &engine).await.unwrap();
    let asked = world.contacts().iter().filter(|act| act.contains("overdue-first")).count();
    assert_eq!(asked, 1, "{:?}", world.acts());
    let rows = ledger(&engine).await;
    let sent = rows.iter().filter(|row| row.step == "overdue-first" && row.state == "sent").count();
    assert_eq!(sent, 3, "each case has left in it: {rows:?}");
}

const TOGETHER: &str = "
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

/// The relay refuses the first message for an hour; meanwhile another invoice falls due. Both are claimed at once.
#[tokio::test]
async fn a_message_that_is_tried_again_takes_nobody_along_and_nobody_leaves_beside_it() {
    let world = World::new();
    let library = library_of(&[("workflows/together.yaml", TOGETHER)]);
    let engine = world.try_engine_with(&library).await.unwrap();
    world.answers.lock().unwrap().push_back(Delivery::Retry { reason: "greylisted".to_owned() });
    engine.clock().move_to(at("2026-04-07T07:00:00Z"));
    receive(&engine, vec![customer("C"), invoice("I", "C", "2026-03-02", "2026-04-02")]).await;
    drain(&engine).await;
    assert_eq!(keys(&world).len(), 0);
    receive(&engine, vec![invoice("J", "C", "2026-03-02", "2026-04-02")]).await;
    engine.clock().move_to(at("2026-04-07T07:15:00Z"));
    drain(&engine).await;
    assert_eq!(keys(&world).len(), 1, "five days lie between two messages: {:?}", world.acts());
    engine.clock().move_to(at("2026-04-13T07:15:00Z"));
    drain(&engine).await;
    assert_eq!(keys(&world).len(), 2, "{:?}", world.acts());
}

#[tokio::test]
async fn what_was_never_tried_counts_as_no_try_and_its_lane_rests() {
    let world = World::new();
    let away = || Delivery::NotTried { reason: "the relay is away".to_owned() };
    world.answers.lock().unwrap().extend((0..9).map(|_| away()));
    let engine = world.worker("a", Faults::none()).await.unwrap();
    engine.clock().move_to(at("2026-03-02T07:00:00Z"));
    receive(&engine, one_invoice()).await;
    until_sent(&world, &engine).await.unwrap();
    assert!(world.answers.lock().unwrap().is_empty(), "it was asked again and again");
    let states: Vec<_> = ledger(&engine).await.into_iter().map(|row| row.state).collect();
    assert_eq!(states, ["sent"], "{:?}", world.acts());
}

/// A round looks at its beginning for what is due, and what it routes is news of a moment later: the turn that it takes
/// for something else must not sleep past that news.
#[tokio::test]
async fn a_turn_does_not_sleep_past_news_of_a_moment_later() {
    let world = World::new();
    let engine = world.worker("a", Faults::none()).await.unwrap();
    engine.clock().move_to(at("2026-04-02T05:00:00Z"));
    receive(&engine, one_invoice()).await;
    drain(&engine).await;
    let case = cases(&engine).await.remove(0);
    let event = |n: u8, name: &str, instant: &str| recobro_store::events::NewEvent {
        no: case.no,
        id: recobro_kernel::ids::EventId::derive(&["test", &n.to_string()]),
        at: at(instant),
        body: format!(
            "{{\"id\":\"{}\",\"name\":\"{name}\",\"at\":\"{instant}\",\"actor\":\"test\",\"fields\":\
             {{\"who\":{{\"text\":\"ana\"}},\"why\":{{\"text\":\"\"}}}}}}",
            recobro_kernel::ids::EventId::derive(&["test", &n.to_string()])
        ),
    };
    let both = [
        event(1, "operator.resume", "2026-04-02T05:00:00.000000Z"),
        event(2, "operator.cancel", "2026-04-02T05:00:01.000000Z"),
    ];
    let mut tx = engine.store().begin().await.unwrap();
    recobro_store::events::insert(&mut tx, &both).await.unwrap();
    tx.commit().await.unwrap();
    drain(&engine).await;
    assert_eq!(cases(&engine).await[0].outcome, None, "not yet");
    engine.clock().move_to(at("2026-04-02T05:00:02Z"));
    drain(&engine).await;
    assert_eq!(cases(&engine).await[0].outcome.as_deref(), Some("cancelled"));
}

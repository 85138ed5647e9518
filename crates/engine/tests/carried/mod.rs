//! Effects that a worker carries: handed over after their own commit, settled with the next turn. Wherever it dies, every
//! request is asked for under one key, in order, and the case comes to its end.

use crate::world::{World, cases, customer, invoice, library_of, outcomes};
use recobro_engine::faults::Faults;
use recobro_engine::{Engine, Error};
use recobro_kernel::record::{Record as Written, TurnBody};
use recobro_kernel::time::{HOUR_US, Timestamp};
use recobro_playbook::Library;
use recobro_store::{history, outbox};
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

const CHAIN: &str = "
playbook: chain
version: 1
title: Requests one behind the other
owner: credit-control
currency: any
calendar: es-business
policy: [eu-b2b]
applies_to: {priority: 1}
contact: {locales: [en], hours: 09:00-18:00}
stages:
  - stage: only
    steps:
      - {request: card.retry, id: first}
      - {request: card.retry, id: second}
      - {request: card.retry, id: third}
      - {finish: uncollected}
whenever:
  - event: invoice.paid
    then: {finish: paid}
";

fn chain() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| library_of(&[("workflows/chain.yaml", CHAIN)]))
}

fn begin() -> Timestamp {
    "2026-04-01T08:00:00Z".parse().unwrap()
}

async fn worker(world: &World, name: &str, faults: Faults) -> Engine {
    let engine = world.worker_of(name, faults, chain()).await.unwrap();
    engine.clock().move_to(begin());
    engine
}

async fn receive(engine: &Engine) -> Result<(), Error> {
    let rows = vec![customer("C"), invoice("I", "C", "2026-04-01", "2026-04-01")];
    engine.receive("test", &mut rows.into_iter()).await.map(drop)
}

async fn drain(engine: &Engine) -> Result<(), Error> {
    while engine.round_once().await? {}
    Ok(())
}

/// The steps asked for, in order, each with its key.
fn asked(world: &World) -> Vec<(String, String)> {
    let out = world.requests.lock().unwrap();
    out.iter().map(|item| (item.meta["step"].clone(), item.key.clone())).collect()
}

async fn turns(engine: &Engine) -> Vec<TurnBody> {
    let mut tx = engine.store().read().await.unwrap();
    let case = cases(engine).await.remove(0);
    let rows = history::of_case(&mut tx, case.no, 0, 1_000).await.unwrap();
    rows.iter().map(|row| serde_json::from_str(&row.body).unwrap()).collect()
}

fn uncollected() -> Vec<(String, Option<String>)> {
    vec![("I".to_owned(), Some("uncollected".to_owned()))]
}

#[tokio::test]
async fn each_outcome_is_one_commit_with_the_turn_behind_it() {
    let world = World::new();
    let engine = worker(&world, "a", Faults::none()).await;
    receive(&engine).await.unwrap();
    drain(&engine).await.unwrap();
    assert_eq!(outcomes(&engine).await, uncollected());
    let steps: Vec<String> = asked(&world).into_iter().map(|(step, _)| step).collect();
    assert_eq!(steps, ["first", "second", "third"]);
    // Entered, and one turn per outcome.
    assert_eq!(turns(&engine).await.len(), 4);
    let mut tx = engine.store().read().await.unwrap();
    let case = cases(&engine).await.remove(0);
    assert!(outbox::of_case(&mut tx, case.no).await.unwrap().is_empty(), "settled");
    let kept = outbox::communications_of(&mut tx, case.no, 10).await.unwrap();
    assert_eq!(kept.iter().filter(|one| one.state == "accepted").count(), 3);
}

#[tokio::test]
async fn wherever_a_worker_dies_the_next_one_asks_under_the_same_keys() {
    let mut whole = BTreeSet::new();
    for n in 0..1_000 {
        let world = World::new();
        let faults = if n == 0 { Faults::none() } else { Faults::at(n) };
        let engine = worker(&world, "a", faults).await;
        let died = match receive(&engine).await {
            Ok(()) => drain(&engine).await,
            died => died,
        };
        engine.store().clone().close().await;
        drop(engine);
        if let Err(error) = &died {
            assert!(matches!(error, Error::Fault(_)), "{error}");
            let next = worker(&world, "b", Faults::none()).await;
            next.clock().move_to(begin().plus_us(HOUR_US));
            receive(&next).await.unwrap();
            drain(&next).await.unwrap();
            assert_eq!(outcomes(&next).await, uncollected(), "died at {n}: {died:?}");
            let ended = turns(&next).await;
            let ends = ended.iter().flat_map(|turn| &turn.records).filter(|r| matches!(r, Written::Finished { .. }));
            assert_eq!(ends.count(), 1, "died at {n}");
            next.store().clone().close().await;
        }
        let all = asked(&world);
        let keys: BTreeSet<(String, String)> = all.iter().cloned().collect();
        assert_eq!(keys.len(), 3, "one key for each step; died at {n}: {all:?}");
        assert!(all.len() <= 4, "only what was on its way goes again; died at {n}: {all:?}");
        if n == 0 {
            whole = keys;
            continue;
        }
        assert_eq!(keys, whole, "died at {n}");
        if died.is_ok() {
            assert!(n > 8, "the run passes more than {n} points");
            return;
        }
    }
    panic!("no end of fault points");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_lost_its_lease_does_not_move_the_case() {
    let world = World::shared().await;
    let other = Arc::new(worker(&world, "b", Faults::none()).await);
    let taking = Arc::clone(&other);
    let once = std::sync::atomic::AtomicBool::new(false);
    let faults = Faults::watched(Arc::new(move |point| {
        if point == "deliver.delivered" && !once.swap(true, std::sync::atomic::Ordering::SeqCst) {
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(async {
                    taking.clock().move_to(begin().plus_us(HOUR_US));
                    drain(&taking).await.unwrap();
                });
            });
        }
        true
    }));
    let slow = worker(&world, "a", faults).await;
    receive(&slow).await.unwrap();
    drain(&slow).await.unwrap();
    drain(&other).await.unwrap();
    assert_eq!(outcomes(&slow).await, uncollected());
    let keys: BTreeSet<String> = asked(&world).into_iter().map(|(_, key)| key).collect();
    assert_eq!(keys.len(), 3);
    assert_eq!(turns(&slow).await.len(), 4, "every outcome is taken once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_is_read_with_the_outcome_of_what_is_carried() {
    let world = World::new();
    let mine: Arc<std::sync::Mutex<Option<Arc<Engine>>>> = Arc::default();
    let told = Arc::clone(&mine);
    let once = std::sync::atomic::AtomicBool::new(false);
    let faults = Faults::watched(Arc::new(move |point| {
        if point == "deliver.delivered" && !once.swap(true, std::sync::atomic::Ordering::SeqCst) {
            let engine = told.lock().unwrap().clone().unwrap();
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(async {
                    let case = cases(&engine).await.remove(0);
                    let id = recobro_kernel::ids::EventId::derive(&["pause"]);
                    let now = engine.clock().now();
                    let body = serde_json::json!({
                        "id": id, "name": "operator.pause", "at": now, "actor": "person:ana",
                        "fields": {},
                    });
                    let news = recobro_store::events::NewEvent { no: case.no, id, at: now, body: body.to_string() };
                    let mut tx = engine.store().begin().await.unwrap();
                    recobro_store::events::insert(&mut tx, &[news]).await.unwrap();
                    tx.commit().await.unwrap();
                });
            });
        }
        true
    }));
    let engine = Arc::new(worker(&world, "a", faults).await);
    *mine.lock().unwrap() = Some(Arc::clone(&engine));
    receive(&engine).await.unwrap();
    drain(&engine).await.unwrap();
    assert_eq!(asked(&world).len(), 1, "nothing is asked for behind the pause: {:?}", asked(&world));
}

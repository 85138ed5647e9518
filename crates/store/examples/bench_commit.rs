//! Turns per second through `commit_turns`, and rows per second through `inbound`.
//!
//! `cargo run --release -p recobro-store --example bench_commit -- URL [CASES] [SLEEPERS] [INBOUND]`
//!
//! Two runs of each case's life: claimed (each turn is woken by its time, one ready effect, history, wake), and carried
//! (each turn settles the effect of the one before and orders the next, as idempotent lanes do).

use recobro_kernel::case::Status;
use recobro_kernel::ids::{CaseId, CustomerId, EffectId, Hash, InvoiceId};
use recobro_kernel::time::Timestamp;
use recobro_store::commit::{Snapshot, TurnCommit, commit_turns};
use recobro_store::history::HistoryRow;
use recobro_store::inbound::{self, NewInbound};
use recobro_store::outbox::{Birth, LedgerMark, NewEffect, Settled};
use recobro_store::wake::{Priority, WakeAt, Waking};
use recobro_store::{CaseNo, Options, Result, Store, cases};
use std::time::Instant;

const BATCH: i64 = 200;
const TURNS: u64 = 10;

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let number = |i: usize, otherwise: i64| words.get(i).and_then(|word| word.parse().ok()).unwrap_or(otherwise);
    let url = words.get(1).map_or("sqlite://bench.db", String::as_str);
    let (count, sleepers, rows) = (number(2, 10_000), number(3, 0), number(4, 0));
    let store = Store::open(url, Options::default()).await?;
    if sleepers > 0 {
        let watch = Instant::now();
        open(&store, "sleeper", sleepers, 1_000_000_000).await?;
        report("sleepers opened", sleepers, watch);
    }
    for name in ["warm", "claimed"] {
        let watch = Instant::now();
        open(&store, name, count, 1).await?;
        report(&format!("{name}: cases opened"), count, watch);
        let watch = Instant::now();
        let turns = claimed(&store).await?;
        report(&format!("{name}: turns claimed and committed"), turns, watch);
    }
    let nos = open(&store, "carried", count, 2_000_000_000).await?;
    let watch = Instant::now();
    report("carried: turns committed", carried(&store, &nos).await?, watch);
    if rows > 0 {
        let watch = Instant::now();
        receive(&store, rows).await?;
        report("inbound rows received", rows, watch);
        let watch = Instant::now();
        receive(&store, rows).await?;
        report("inbound rows found unchanged", rows, watch);
    }
    store.close().await;
    Ok(())
}

fn report(what: &str, count: i64, watch: Instant) {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = count as f64 / watch.elapsed().as_secs_f64();
    eprintln!("{what}: {count} in {:.2} s, {rate:.0}/s", watch.elapsed().as_secs_f64());
}

/// Opens cases in batches; they sleep to second `due`.
async fn open(store: &Store, name: &str, count: i64, due: i64) -> Result<Vec<(CaseNo, Hash)>> {
    let mut nos = Vec::new();
    for start in (0..count).step_by(200) {
        let turns: Vec<_> = (start..(start + BATCH).min(count))
            .map(|n| turn(&format!("{name}-{n}"), None, 0, Hash::default(), Some(due)))
            .collect();
        let mut tx = store.begin().await?;
        let done = commit_turns(&mut tx, &turns, &[]).await?;
        tx.commit().await?;
        nos.extend(done.cases.into_iter().flatten().zip(turns.iter().map(|turn| turn.history.hash)));
    }
    Ok(nos)
}

async fn claimed(store: &Store) -> Result<i64> {
    let mut turns = 0;
    loop {
        let mut tx = store.begin().await?;
        let claimed = cases::claim_due(&mut tx, second(1_000), BATCH).await?;
        if claimed.is_empty() {
            return Ok(turns);
        }
        let commits: Vec<_> = claimed
            .iter()
            .map(|case| {
                let next = (case.rev < TURNS).then(|| i64::try_from(case.rev).unwrap_or(0) + 1);
                let mut turn = turn(case.invoice.as_str(), Some(case.no), case.rev, case.head, next);
                if case.rev % 3 == 0 {
                    turn.effects.push(effect(&turn, Birth::Ready { due_at: second(5_000_000_000) }));
                }
                turn
            })
            .collect();
        turns += i64::try_from(commit_turns(&mut tx, &commits, &[]).await?.cases.len()).unwrap_or(0);
        tx.commit().await?;
    }
}

async fn carried(store: &Store, nos: &[(CaseNo, Hash)]) -> Result<i64> {
    let mut turns = 0;
    for (start, batch) in (0..).step_by(200).zip(nos.chunks(200)) {
        let mut heads = batch.to_vec();
        let mut before: Vec<Settled> = Vec::new();
        for rev in 1..=TURNS {
            let commits: Vec<_> = heads
                .iter()
                .zip(start..)
                .map(|((no, head), n)| {
                    let mut turn = turn(&format!("carried-{n}"), Some(*no), rev, *head, None);
                    let birth =
                        Birth::Carried { due_at: second(0), owner: "bench".to_owned(), lease_until: second(60) };
                    turn.effects.push(effect(&turn, birth));
                    turn
                })
                .collect();
            let mut tx = store.begin().await?;
            let done = commit_turns(&mut tx, &commits, &before).await?;
            tx.commit().await?;
            assert_eq!(done.losers().count() + done.stale.len(), 0);
            turns += i64::try_from(commits.len()).unwrap_or(0);
            before = commits.iter().map(settled).collect();
            heads = commits.iter().filter_map(|turn| Some((turn.no?, turn.history.hash))).collect();
        }
    }
    Ok(turns)
}

async fn receive(store: &Store, count: i64) -> Result<()> {
    for start in (0..count).step_by(2_000) {
        let rows: Vec<_> = (start..(start + 2_000).min(count))
            .map(|n| NewInbound {
                source: "csv".to_owned(),
                kind: "invoice".to_owned(),
                external_id: format!("INV-{n:08}"),
                body: format!("{{\"number\":\"{n}\",\"amount\":\"120.50\",\"note\":\"{}\"}}", "x".repeat(200)),
                at: second(n % 1_000),
                rank: 2,
                hash: Hash::of(&n.to_be_bytes()),
            })
            .collect();
        let mut tx = store.begin().await?;
        inbound::insert(&mut tx, &rows, second(0)).await?;
        tx.commit().await?;
    }
    Ok(())
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_us(second * 1_000_000)
}

fn settled(turn: &TurnCommit) -> Settled {
    let no = turn.no.unwrap_or(CaseNo(0));
    let effect = turn.effects[0].id;
    Settled { effect, no, fence: 1, mark: LedgerMark::Counts, communication: None, news: None }
}

fn effect(turn: &TurnCommit, birth: Birth) -> NewEffect {
    NewEffect {
        id: EffectId::derive(&[turn.case.invoice.as_str(), &turn.expected.to_string()]),
        customer: turn.case.customer.clone(),
        invoice: turn.case.invoice.clone(),
        lane: "request".to_owned(),
        payload: "p".repeat(208),
        birth,
    }
}

fn turn(name: &str, no: Option<CaseNo>, expected: u64, prev: Hash, wake: Option<i64>) -> TurnCommit {
    let body = format!("{{\"rev\":{},\"records\":\"{}\"}}", expected + 1, "r".repeat(400));
    TurnCommit {
        no,
        expected,
        follows: None,
        case: Snapshot {
            id: CaseId::derive(&[name]),
            invoice: InvoiceId::from(name),
            customer: CustomerId::from(name),
            playbook: "b2b-standard".to_owned(),
            version: 1,
            bundle: Hash::of(b"bundle"),
            content: Hash::of(b"content"),
            generation: 1,
            status: Status::WaitingTime,
            outcome: None,
            stage: "friendly".to_owned(),
            step: "overdue-first".to_owned(),
            next_at: wake.map(second),
            next_reason: "send overdue-first, day 15".to_owned(),
            entered_at: second(0),
            state: "s".repeat(900),
        },
        history: HistoryRow {
            seq: expected * 3 + 1,
            rev: expected + 1,
            at: second(1),
            actor: "worker".to_owned(),
            cause: None,
            hash: Hash::of(body.as_bytes()),
            body,
            prev,
        },
        wake: Waking::Set(wake.map(|due| WakeAt { due_at: second(due), priority: Priority::Timer })),
        effects: Vec::new(),
        recalls: Vec::new(),
        resolved: Vec::new(),
        opened: Vec::new(),
        closed: Vec::new(),
        consumed: Vec::new(),
        news: Vec::new(),
    }
}

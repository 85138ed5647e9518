//! Random operations, the same on both databases, end in equal rows.

use super::world::{
    at, case_id, contact, customer, customer_id, effect, effect_id, event, first, invoice, on, point, postgres, sqlite,
    task, turn,
};
use crate::commit::{TurnCommit, commit_turns};
use crate::consents;
use crate::outbox::{self, Later, Lease, LedgerMark, Settled, State};
use crate::{CaseNo, Store, Tx, cases, contacts, customers, events, inbound, invoices, tasks, wake};
use recobro_kernel::case::Status;
use recobro_kernel::consent::Word;
use recobro_kernel::ids::{Hash, TaskId};

/// Numbers from a seed (xorshift): the same on any machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }

    fn second(&mut self, seconds: usize) -> i64 {
        i64::try_from(self.roll(seconds)).unwrap()
    }
}

const CASES: usize = 40;
const ROUNDS: usize = 150;

/// One round of one kind; answers what it saw, so that answers are compared and not only rows.
async fn round(store: &Store, dice: &mut Dice, number: usize) -> String {
    let mut tx = store.begin().await.unwrap();
    let saw = match dice.roll(9) {
        0 => ledger(&mut tx, dice).await,
        1 => receive(&mut tx, dice, number).await,
        2..=4 => advance(&mut tx, dice, number).await,
        5 => bring_news(&mut tx, dice).await,
        6 | 7 => deliver(&mut tx, dice, number).await,
        _ => work(&mut tx, dice).await,
    };
    if dice.roll(10) == 0 {
        tx.rollback().await.unwrap();
    } else {
        tx.commit().await.unwrap();
    }
    saw
}

async fn ledger(tx: &mut Tx, dice: &mut Dice) -> String {
    let picked: Vec<usize> = (0..dice.roll(30)).map(|_| dice.roll(CASES)).collect();
    customers::upsert(tx, &picked.iter().map(|n| customer(*n)).collect::<Vec<_>>()).await.unwrap();
    let rows: Vec<_> = picked
        .iter()
        .map(|n| invoices::InvoiceRow {
            balance_minor: dice.second(3) * 1_000,
            due_on: on("2026-05-05"),
            ..invoice(*n)
        })
        .collect();
    invoices::upsert(tx, &rows).await.unwrap();
    let points: Vec<_> = picked.iter().map(|n| point(&format!("p{}", n % 7), *n)).collect();
    customers::upsert_points(tx, &points).await.unwrap();
    let ids: Vec<_> = picked.iter().map(|n| customer_id(*n)).collect();
    let words = ids.iter().zip(&points).take(3).map(|(customer, point)| consents::ConsentRow {
        id: format!("{}/{}", point.id, dice.roll(4)),
        customer: customer.clone(),
        channel: point.channel.clone(),
        purpose: "all".to_owned(),
        word: Word::ALL[dice.roll(3)],
        source: "test".to_owned(),
        booked_on: on("2026-05-05"),
        said_at: at(dice.second(9)),
        dated: dice.roll(2) == 0,
        evidence: String::new(),
        said_by: "test".to_owned(),
        known_at: at(1),
    });
    consents::put(tx, &words.collect::<Vec<_>>()).await.unwrap();
    let said = consents::of_customers(tx, &ids).await.unwrap();
    customers::replace_points(tx, &points[..points.len().min(1)]).await.unwrap();
    let points = customers::points(tx, &ids).await.unwrap();
    format!("{:?} {points:?} {said:?}", invoices::open_of(tx, &ids).await.unwrap())
}

async fn receive(tx: &mut Tx, dice: &mut Dice, number: usize) -> String {
    let rows: Vec<_> = (0..dice.roll(60))
        .map(|_| {
            let body = format!("{}", dice.roll(3));
            inbound::NewInbound {
                source: "csv".to_owned(),
                kind: "invoice".to_owned(),
                external_id: format!("{}", dice.roll(50)),
                at: at(dice.second(500)),
                rank: dice.second(3),
                hash: Hash::of(body.as_bytes()),
                body,
            }
        })
        .collect();
    let receipts = inbound::insert(tx, &rows, at(0)).await.unwrap();
    let due = inbound::unrouted(tx, at(i64::try_from(number).unwrap() * 4), 25).await.unwrap();
    inbound::mark_routed(tx, &due.iter().map(|row| row.id).collect::<Vec<_>>(), at(1)).await.unwrap();
    let keys: Vec<_> = due.into_iter().map(|row| (row.external_id, row.version, row.body)).collect();
    format!("{receipts:?} {keys:?}")
}

/// Claims what is due and opens new cases; some turns start from a wrong revision.
async fn advance(tx: &mut Tx, dice: &mut Dice, number: usize) -> String {
    let claimed = cases::claim_due(tx, at(dice.second(400)), 12).await.unwrap();
    let nos: Vec<CaseNo> = claimed.iter().map(|case| case.no).collect();
    let unread = events::unread(tx, &nos, at(400)).await.unwrap();
    let mut turns: Vec<TurnCommit> = Vec::new();
    for case in &claimed {
        let n = (0..CASES).find(|n| case_id(*n) == case.id).unwrap();
        let wrong = u64::from(dice.roll(8) == 0);
        let mut next = turn(n, Some(case.no), case.rev + wrong, case.head);
        next.consumed = unread.get(&case.no).into_iter().flatten().map(|event| event.id).collect();
        next.effects = (0..dice.roll(3)).map(|k| effect(number * 100 + n * 2 + k, n)).collect();
        next.opened = (0..dice.roll(2)).map(|_| task(number * 100 + n)).collect();
        let timer =
            (dice.roll(4) > 0).then(|| wake::WakeAt { due_at: at(dice.second(400)), priority: wake::Priority::Timer });
        next.wake = match dice.roll(3) {
            0 => wake::Waking::Timer(timer),
            1 => wake::Waking::Keep,
            _ => wake::Waking::Set(timer),
        };
        if dice.roll(12) == 0 {
            next.case.status = Status::Finished;
            next.case.outcome = Some("paid".to_owned());
        }
        turns.push(next);
    }
    turns.extend((0..dice.roll(4)).map(|_| first(dice.roll(CASES))));
    turns.sort_by_key(|turn| (turn.case.id, turn.no.is_none()));
    turns.dedup_by_key(|turn| turn.case.id);
    let done = commit_turns(tx, &turns, &[]).await.unwrap();
    let loads = cases::load(tx, &nos).await.unwrap();
    format!("{claimed:?} {done:?} {loads:?}")
}

async fn bring_news(tx: &mut Tx, dice: &mut Dice) -> String {
    let rows = cases::list(tx, &cases::Filter::default(), CaseNo(0), 100).await.unwrap();
    let mut news = Vec::new();
    for case in &rows {
        if dice.roll(5) == 0 {
            let (key, second) = (dice.roll(200).to_string(), dice.second(400));
            news.push(event(&key, case.no, second));
        }
    }
    format!("{:?} {:?}", events::insert(tx, &news).await.unwrap(), wake::next_at(tx).await.unwrap())
}

async fn deliver(tx: &mut Tx, dice: &mut Dice, number: usize) -> String {
    let now = at(i64::try_from(number).unwrap());
    let lease = Lease { owner: format!("w{}", dice.roll(2)), until: at(i64::try_from(number + dice.roll(9)).unwrap()) };
    let lanes = if dice.roll(2) == 0 { vec!["email".to_owned()] } else { Vec::new() };
    let swept = outbox::sweep(tx, now, &lanes, &lease, 5).await.unwrap();
    let rows = outbox::claim(tx, now, &[], 6, &lease).await.unwrap();
    let (mut settled, mut later, mut sending, mut made) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in &rows {
        made.push(contacts::ContactRow { id: row.id.to_string(), no: row.no, ..contact(0, 1, 5) });
        match dice.roll(4) {
            0 => later.push(Later {
                effect: row.id,
                fence: row.fence,
                due_at: at(300),
                tries: 1,
                reason: "busy".to_owned(),
            }),
            1 => sending.push((row.id, row.fence, Some(row.id))),
            kind => settled.push(Settled {
                effect: row.id,
                no: row.no,
                fence: row.fence + i64::from(dice.roll(6) == 0),
                mark: if kind == 2 { LedgerMark::Counts } else { LedgerMark::Goes },
                communication: None,
                news: Some(event(&format!("o{}", row.id), row.no, 50)),
            }),
        }
    }
    contacts::put(tx, &made).await.unwrap();
    let sent = outbox::mark_sending(tx, &sending, lease.until).await.unwrap();
    let later = outbox::retry_later(tx, &later).await.unwrap();
    let settled = outbox::settle(tx, &settled).await.unwrap();
    let unknown: Vec<_> = outbox::list(tx, Some(State::Sending), "", 2).await.unwrap();
    let none = |row: &outbox::OutboxRow| Settled {
        effect: row.id,
        no: row.no,
        fence: row.fence,
        mark: LedgerMark::Counts,
        communication: None,
        news: None,
    };
    let lost = outbox::mark_unknown(tx, &unknown.iter().map(none).collect::<Vec<_>>(), "lost").await.unwrap();
    format!("{swept:?} {rows:?} {sent:?} {later:?} {settled:?} {lost:?} {:?}", effect_id(number))
}

async fn work(tx: &mut Tx, dice: &mut Dice) -> String {
    let open = tasks::Filter { open: true, ..tasks::Filter::default() };
    let rows = tasks::list(tx, &open, None, 20).await.unwrap();
    let answers: Vec<_> = rows
        .iter()
        .filter(|_| dice.roll(3) == 0)
        .map(|row| tasks::Answer { id: row.task.id, outcome: "promise".to_owned(), by: "ana".to_owned(), at: at(9) })
        .collect();
    let ids: Vec<TaskId> = rows.iter().map(|row| row.task.id).collect();
    format!("{ids:?} {:?}", tasks::answer(tx, &answers).await.unwrap())
}

/// Every table but the locks, and every column but the arrival numbers that PostgreSQL may leave gaps in.
async fn dump(store: &Store, tables: &[(String, Vec<String>)]) -> String {
    let mut tx = store.read().await.unwrap();
    let mut text = String::new();
    for (table, columns) in tables {
        let rows = tx.dump(table, columns).await;
        text.extend([table.as_str(), ": ", &rows.len().to_string(), "\n"]);
        for row in rows {
            text.push_str(&row);
            text.push('\n');
        }
    }
    text
}

async fn check(seed: u64) {
    let (_folder, one) = sqlite().await;
    let two = postgres().await;
    let (mut dice_one, mut dice_two) = (Dice(seed), Dice(seed));
    for number in 0..ROUNDS {
        let saw = (round(&one, &mut dice_one, number).await, round(&two, &mut dice_two, number).await);
        // Case numbers are compared through the ids that come with them.
        assert_eq!(without_numbers(&saw.0), without_numbers(&saw.1), "seed {seed}, round {number}");
    }
    let tables = one.read().await.unwrap().tables().await;
    let (left, right) = (dump(&one, &tables).await, dump(&two, &tables).await);
    assert!(left.contains("history: ") && !left.contains("history: 0"), "the run did something");
    assert_eq!(left, right, "seed {seed}");
}

/// PostgreSQL leaves gaps in numbers (a rollback, an insert that found its key): the rest must be the same.
fn without_numbers(text: &str) -> String {
    let mut parts = text.split("CaseNo(");
    let mut rest = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        rest.push_str(part.split_once(')').map_or("", |(_, after)| after));
    }
    rest
}

#[tokio::test]
async fn random_operations_leave_equal_rows_in_both_databases() {
    for seed in [1, 7, 2026] {
        check(seed).await;
    }
}

//! What a worker carries: nobody has claimed the case, so news may come while its turn is taken.

use super::contract::commit;
use super::world::{at, effect, effect_id, event, first, turn};
use crate::commit::{TurnCommit, commit_turns};
use crate::wake::{self, Priority, WakeAt, Waking};
use crate::{CaseNo, Store, Tx, cases, events, outbox};

fn timer(second: i64) -> WakeAt {
    WakeAt { due_at: at(second), priority: Priority::Timer }
}

/// Which case is due by then, at what instant.
async fn due(tx: &mut Tx, until: i64) -> Vec<(CaseNo, i64)> {
    let claimed = cases::claim_due(tx, at(until), 10).await.unwrap();
    claimed.iter().map(|case| (case.no, case.due_at.unwrap().as_us() / 1_000_000)).collect()
}

pub(super) async fn news_of_a_carried_case_stays_awake(store: &Store) {
    let mut opening = first(1);
    opening.wake = Waking::Set(None);
    let no = commit(store, std::slice::from_ref(&opening)).await[0];
    let next = |before: &TurnCommit, how: Waking| {
        let rev = before.history.rev;
        TurnCommit { wake: how, ..turn(1, Some(no), rev, before.history.hash) }
    };
    let base = at(0).as_us() / 1_000_000;
    let mut tx = store.begin().await.unwrap();
    let mut last = opening;
    // What the turn does while news for second 50 waits, and when the case is woken then.
    let tries = [
        (Waking::Keep, 50),
        (Waking::Timer(None), 50),
        (Waking::Timer(Some(timer(90))), 50),
        (Waking::Timer(Some(timer(20))), 20),
        (Waking::Set(Some(timer(90))), 90),
    ];
    for (n, (how, woken)) in tries.into_iter().enumerate() {
        wake::put(&mut tx, &[(no, None)]).await.unwrap();
        events::insert(&mut tx, &[event(&format!("news-{n}"), no, 50)]).await.unwrap();
        let turn = next(&last, how);
        assert_eq!(commit_turns(&mut tx, std::slice::from_ref(&turn), &[]).await.unwrap().losers().count(), 0);
        assert_eq!(due(&mut tx, 1_000).await, [(no, base + woken)], "{how:?}");
        last = turn;
    }
    // A timer of its own goes, and is moved.
    for (how, woken) in [(Waking::Timer(Some(timer(30))), vec![(no, base + 30)]), (Waking::Timer(None), Vec::new())] {
        let turn = next(&last, how);
        commit_turns(&mut tx, std::slice::from_ref(&turn), &[]).await.unwrap();
        assert_eq!(due(&mut tx, 1_000).await, woken, "{how:?}");
        last = turn;
    }
    what_a_person_resolved_goes(&mut tx, no, &last).await;
}

async fn what_a_person_resolved_goes(tx: &mut Tx, no: CaseNo, last: &TurnCommit) {
    let next = |before: &TurnCommit| turn(1, Some(no), before.history.rev, before.history.hash);
    let orders = TurnCommit { effects: vec![effect(50, 1), effect(51, 1)], ..next(last) };
    commit_turns(tx, std::slice::from_ref(&orders), &[]).await.unwrap();
    let answers = TurnCommit { resolved: vec![(effect_id(50), true)], ..next(&orders) };
    commit_turns(tx, std::slice::from_ref(&answers), &[]).await.unwrap();
    let left = outbox::of_case(tx, no).await.unwrap();
    assert_eq!(left.iter().map(|row| row.id).collect::<Vec<_>>(), [effect_id(51)]);
}

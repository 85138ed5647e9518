//! What the guard answered, and what leaves together.

use super::contract::{commit, lease};
use super::world::{at, customer_id, effect, effect_id, first, invoice_id, on};
use crate::exceptions::{self, ActRow, ExceptionRow};
use crate::outbox::{self, State};
use crate::wake::{self, Priority, WakeAt, Waking};
use crate::{CaseNo, Store, cases, catch_up, meta, verdicts};
use recobro_kernel::ids::Hash;

pub(super) async fn what_the_guard_answered_and_whom_people_except(store: &Store) {
    what_the_guard_answered_is_found_by_customer_and_time(store).await;
    exceptions_stand_for_whom_two_people_said(store).await;
}

async fn what_the_guard_answered_is_found_by_customer_and_time(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let allow = verdicts::VerdictRow {
        effect: effect_id(1).to_string(),
        at: at(10),
        customer: customer_id(1),
        invoice: invoice_id(1),
        channel: "email".to_owned(),
        class: "dunning".to_owned(),
        verdict: "allow".to_owned(),
        rule: String::new(),
        until_at: None,
        findings: "[]".to_owned(),
        policy: Hash::of(b"law").to_string(),
        step: "before/note".to_owned(),
    };
    let defer = verdicts::VerdictRow {
        at: at(9),
        verdict: "defer".to_owned(),
        rule: "cap x/one".to_owned(),
        until_at: Some(at(10)),
        ..allow.clone()
    };
    let rows = [defer.clone(), allow.clone(), verdicts::VerdictRow { rule: "asked twice".to_owned(), ..defer.clone() }];
    verdicts::put(&mut tx, &rows).await.unwrap();
    verdicts::put(&mut tx, std::slice::from_ref(&defer)).await.unwrap();
    let found = verdicts::of_customer(&mut tx, &customer_id(1), (at(0), at(11)), 10).await.unwrap();
    assert_eq!(found, [allow.clone(), defer]);
    assert_eq!(verdicts::of_customer(&mut tx, &customer_id(1), (at(10), at(11)), 1).await.unwrap(), [allow]);
    assert_eq!(verdicts::of_customer(&mut tx, &customer_id(2), (at(0), at(11)), 10).await.unwrap(), []);
}

pub(super) async fn what_leaves_together_is_claimed_together(store: &Store) {
    let mut opening = first(1);
    opening.effects = vec![effect(20, 1), effect(21, 2), effect(22, 1), effect(23, 1)];
    opening.effects[2].lane = "sms".to_owned();
    opening.effects[3].birth = outbox::Birth::Ready { due_at: at(90) };
    opening.wake = Waking::Set(None);
    commit(store, std::slice::from_ref(&opening)).await;
    let mut tx = store.begin().await.unwrap();
    let one = [customer_id(1)];
    let claimed = outbox::claim_of(&mut tx, at(10), ("email", &one), 10, &lease("w", 60)).await.unwrap();
    assert_eq!(claimed.iter().map(|row| (row.id, row.state)).collect::<Vec<_>>(), [(effect_id(20), State::Leased)]);
    assert!(outbox::claim_of(&mut tx, at(10), ("email", &one), 10, &lease("w", 60)).await.unwrap().is_empty());
    let later = outbox::claim_of(&mut tx, at(90), ("email", &one), 10, &lease("w", 60)).await.unwrap();
    assert_eq!(later.len(), 1);
    outbox::put_back(&mut tx, &[effect_id(20), effect_id(22)]).await.unwrap();
    let again = outbox::claim_of(&mut tx, at(10), ("email", &one), 10, &lease("w", 60)).await.unwrap();
    assert_eq!(again.iter().map(|row| (row.id, row.state)).collect::<Vec<_>>(), [(effect_id(20), State::Leased)]);
    tx.commit().await.unwrap();
    what_is_due_of_a_customer_is_claimed_with_it(store).await;
}

async fn what_is_due_of_a_customer_is_claimed_with_it(store: &Store) {
    let mut openings = [first(2), first(3)];
    for (opening, due) in openings.iter_mut().zip([5, 50]) {
        opening.wake = Waking::Set(Some(WakeAt { due_at: at(due), priority: Priority::Timer }));
    }
    let nos = commit(store, &openings).await;
    let customers = [customer_id(2), customer_id(3)];
    let mut tx = store.begin().await.unwrap();
    let undecided = wake::undecided(&mut tx, &customers, at(10)).await.unwrap();
    assert_eq!(undecided, std::collections::BTreeSet::from([customers[0].clone()]));
    let due = cases::claim_due_of(&mut tx, &customers, at(10), 10).await.unwrap();
    assert_eq!(due.iter().map(|case| (case.no, case.due_at)).collect::<Vec<_>>(), [(nos[0], Some(at(5)))]);
    assert_eq!(cases::claim_due_of(&mut tx, &customers, at(60), 1).await.unwrap().len(), 1);
    assert_eq!(cases::claim_due_of(&mut tx, &customers, at(60), 9).await.unwrap().len(), 2);
    tx.commit().await.unwrap();
}

pub(super) async fn what_an_outage_made_late_is_held_until_it_is_released(store: &Store) {
    let mut opening = first(1);
    opening.effects = vec![effect(30, 1), effect(31, 1)];
    opening.effects[0].birth = outbox::Birth::Held { due_at: at(5) };
    opening.wake = Waking::Set(Some(WakeAt { due_at: at(5), priority: Priority::Timer }));
    let no = commit(store, std::slice::from_ref(&opening)).await[0];
    let mut tx = store.begin().await.unwrap();
    assert_eq!(catch_up::late(&mut tx, at(5), 10).await.unwrap(), 0);
    assert_eq!(catch_up::late(&mut tx, at(6), 10).await.unwrap(), 1);
    assert_eq!(catch_up::since(&mut tx).await.unwrap(), None);
    catch_up::begin(&mut tx, at(6)).await.unwrap();
    catch_up::count(&mut tx, catch_up::Totals { late: 2, superseded: 1 }).await.unwrap();
    catch_up::count(&mut tx, catch_up::Totals { late: 1, superseded: 0 }).await.unwrap();
    assert_eq!(catch_up::totals(&mut tx).await.unwrap(), catch_up::Totals { late: 3, superseded: 1 });
    catch_up::hold(&mut tx, &[no, no], at(6)).await.unwrap();
    catch_up::hold(&mut tx, &[no, CaseNo(no.0 + 1)], at(7)).await.unwrap();
    assert_eq!(catch_up::held(&mut tx, &[no], at(6)).await.unwrap().len(), 1);
    assert_eq!(catch_up::held(&mut tx, &[no], at(8)).await.unwrap().len(), 0, "long ago");
    assert_eq!(catch_up::cases(&mut tx).await.unwrap(), 2);
    catch_up::release(&mut tx, &[no]).await.unwrap();
    assert_eq!(catch_up::held(&mut tx, &[no], at(6)).await.unwrap().len(), 0);
    let outbox::Birth::Ready { due_at: ready_at } = opening.effects[1].birth else { panic!("born ready") };
    assert_eq!(catch_up::late_effects(&mut tx, ready_at, 9).await.unwrap(), 1, "what is held");
    assert_eq!(catch_up::late_effects(&mut tx, ready_at.plus_us(1), 9).await.unwrap(), 2);
    let claimed = outbox::claim(&mut tx, at(90), &[], 10, &lease("w", 60)).await.unwrap();
    assert_eq!(claimed.iter().map(|row| row.id).collect::<Vec<_>>(), [effect_id(31)], "what is held is not claimed");
    outbox::keep_back(&mut tx, &[effect_id(31)]).await.unwrap();
    assert_eq!(outbox::list(&mut tx, Some(State::Held), "", 9).await.unwrap().len(), 2);
    outbox::take_held(&mut tx, &[effect_id(31)]).await.unwrap();
    let taken = outbox::take_held(&mut tx, &[effect_id(30), effect_id(31)]).await.unwrap();
    assert_eq!(taken.iter().map(|row| (row.id, row.fence)).collect::<Vec<_>>(), [(effect_id(30), 1)]);
    catch_up::release_all(&mut tx).await.unwrap();
    assert_eq!(catch_up::cases(&mut tx).await.unwrap(), 0);
    meta::forget(&mut tx, "catch_up.late").await.unwrap();
    assert_eq!(catch_up::totals(&mut tx).await.unwrap().late, 0);
    tx.commit().await.unwrap();
}

fn exception(id: &str, status: &str, customer: Option<usize>, until: &str) -> ExceptionRow {
    ExceptionRow {
        id: id.to_owned(),
        rule: "house/hours".to_owned(),
        customer: customer.map(customer_id),
        class: customer.is_none().then(|| "customer.segment=key".to_owned()),
        reason: "agreed".to_owned(),
        note: String::new(),
        from_on: on("2026-01-02"),
        until_on: on(until),
        status: status.to_owned(),
        asked_by: "person:ana".to_owned(),
        asked_at: at(1),
        decided_by: (status != "asked").then(|| "person:bo".to_owned()),
        decided_at: (status != "asked").then(|| at(2)),
        ended_by: (status == "ended").then(|| "person:ana".to_owned()),
        ended_at: (status == "ended").then(|| at(3)),
        tell_at: (status == "approved").then(|| at(20)),
    }
}

async fn exceptions_stand_for_whom_two_people_said(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let rows = [
        exception("a", "approved", Some(1), "2026-03-01"),
        exception("b", "asked", Some(1), "2026-03-01"),
        exception("c", "ended", Some(2), "2026-03-01"),
        exception("d", "approved", None, "2026-02-01"),
    ];
    exceptions::upsert(&mut tx, &rows).await.unwrap();
    assert_eq!(exceptions::get(&mut tx, "b").await.unwrap().as_ref(), Some(&rows[1]));
    assert_eq!(exceptions::get(&mut tx, "e").await.unwrap(), None);
    let named = |rows: Vec<ExceptionRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
    let one = [customer_id(1)];
    assert_eq!(named(exceptions::standing(&mut tx, &one, on("2026-02-01")).await.unwrap()), ["a", "d"]);
    assert_eq!(named(exceptions::standing(&mut tx, &one, on("2026-02-02")).await.unwrap()), ["a"]);
    let two = [customer_id(2)];
    assert_eq!(named(exceptions::standing(&mut tx, &two, on("2026-02-01")).await.unwrap()), ["c", "d"]);
    assert_eq!(named(exceptions::list(&mut tx, ("asked", None), "", 10).await.unwrap()), ["b"]);
    let lasting = ("", Some(on("2026-02-02")));
    assert_eq!(named(exceptions::list(&mut tx, lasting, "", 10).await.unwrap()), ["a"]);
    assert_eq!(named(exceptions::list(&mut tx, ("", None), "b", 10).await.unwrap()), ["c", "d"]);
    assert_eq!(exceptions::next_at(&mut tx).await.unwrap(), Some(at(20)));
    assert_eq!(named(exceptions::untold(&mut tx, at(19), 10).await.unwrap()), [""; 0]);
    assert_eq!(named(exceptions::untold(&mut tx, at(20), 10).await.unwrap()), ["a", "d"]);
    let told = rows.clone().map(|row| ExceptionRow { tell_at: None, ..row });
    exceptions::upsert(&mut tx, &told).await.unwrap();
    assert_eq!(exceptions::next_at(&mut tx).await.unwrap(), None);
    let act = |ordinal: i64, act: &str| ActRow {
        exception: "a".to_owned(),
        ordinal,
        at: at(ordinal),
        who: "person:ana".to_owned(),
        act: act.to_owned(),
        why: String::new(),
    };
    let acts = [act(1, "asked"), act(2, "approved")];
    exceptions::note(&mut tx, &acts).await.unwrap();
    assert_eq!(exceptions::acts(&mut tx, &["a".to_owned(), "b".to_owned()]).await.unwrap(), acts);
    assert!(exceptions::note(&mut tx, &acts[..1]).await.is_err(), "what was done stays as it was");
    drop(tx);
    commit(store, &[first(1)]).await;
    let mut tx = store.begin().await.unwrap();
    let lives = cases::lives(&mut tx, &[customer_id(1)]).await.unwrap();
    assert_eq!(
        lives.iter().map(|life| (life.invoice.clone(), life.finished)).collect::<Vec<_>>(),
        [(invoice_id(1), false)]
    );
    assert_eq!(lives[0].moved_at, at(0));
}

//! One scenario per aggregate; together they run every statement.
//!
//! size: the list of scenarios and those of the spine; every later aggregate has a file beside it.

use super::world::{
    at, case_id, contact, customer, customer_id, each, effect, effect_id, event, first, invoice, invoice_id, on, point,
    postgres, sqlite, task, turn,
};
use crate::cases::{self, Filter};
use crate::commit::{TurnCommit, commit_turns};
use crate::customers::{self, Aggregates};
use crate::facts::{self, Wanted};
use crate::inbound::{self, NewInbound, Receipt};
use crate::outbox::{self, Communication, Later, Lease, LedgerMark, Settled, State};
use crate::payments::{self, AllocationRow, PaymentRow};
use crate::promises::{self, PromiseRow};
use crate::wake::{self, Priority, WakeAt, Waking};
use crate::{
    CaseNo, Error, Options, Store, Tx, artefacts, contacts, disputes, events, history, invoices, meta, playbooks,
    report, tasks, unmatched,
};
use recobro_kernel::case::Status;
use recobro_kernel::ids::{CaseId, EventId, Hash, TaskId};
use recobro_kernel::money::Currency;
use std::collections::{BTreeMap, BTreeSet};

/// Runs every scenario on a database of its own, and asks whether all statements were run.
#[tokio::test]
async fn every_statement_keeps_its_contract_on_both_databases() {
    each(single_values).await;
    each(received_news_is_deduplicated_by_its_newest_version_and_routed_in_order).await;
    each(parked_news_is_put_aside_once_and_stays_so).await;
    each(the_ledger_is_written_and_read_in_batches).await;
    each(promises_are_found_by_their_invoices).await;
    each(super::agreements::plans_are_found_by_their_invoices_and_days).await;
    each(super::agreements::holds_stand_until_they_end_or_are_released).await;
    each(a_batch_of_turns_moves_its_cases_and_leaves_out_only_the_losers).await;
    each(a_turn_carries_effects_work_and_news).await;
    each(news_wakes_its_case_ahead_of_timers_and_only_once).await;
    each(effects_are_claimed_with_a_fence_and_settled_once).await;
    each(super::carried::news_of_a_carried_case_stays_awake).await;
    each(super::guard::what_leaves_together_is_claimed_together).await;
    each(super::guard::what_an_outage_made_late_is_held_until_it_is_released).await;
    each(a_lost_lease_is_freed_or_reported_as_unsure).await;
    each(the_contact_ledger_counts).await;
    each(super::guard::what_the_guard_answered_and_whom_people_except).await;
    each(super::consents::words_are_kept_in_the_order_they_were_said).await;
    each(work_is_answered_once).await;
    each(playbooks_and_artefacts_are_addressed_by_content).await;
    each(sums_add_up).await;
    let ran = super::RAN.lock().unwrap();
    let missing: Vec<_> = super::prepare::names().into_iter().filter(|name| !ran.contains(name)).collect();
    assert!(missing.is_empty(), "no scenario runs {missing:?}");
}

async fn single_values(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    assert_eq!(meta::get(&mut tx, "a").await.unwrap(), None);
    meta::put(&mut tx, "a", "1").await.unwrap();
    meta::put(&mut tx, "a", "2").await.unwrap();
    meta::put_virtual_now(&mut tx, at(7)).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.read().await.unwrap();
    assert_eq!(meta::get(&mut tx, "a").await.unwrap().as_deref(), Some("2"));
    assert_eq!(meta::virtual_now(&mut tx).await.unwrap(), Some(at(7)));
    drop(tx);
    let mut tx = store.begin().await.unwrap();
    for (before, after, swapped) in [
        (None, None, true),
        (None, Some("p1"), true),
        (None, Some("p2"), false),
        (Some("p0"), Some("p2"), false),
        (Some("p1"), Some("p2"), true),
        (Some("p1"), None, false),
        (None, None, false),
        (Some("p2"), None, true),
    ] {
        let told = meta::swap(&mut tx, "place", before, after).await.unwrap();
        assert_eq!(told, swapped, "{before:?} -> {after:?}");
    }
    assert_eq!(meta::get(&mut tx, "place").await.unwrap(), None);
    meta::forget_virtual(&mut tx).await.unwrap();
    assert_eq!(meta::virtual_now(&mut tx).await.unwrap(), None);
    tx.commit().await.unwrap();
    let tx = store.read().await.unwrap();
    tx.rollback().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    meta::put(&mut tx, "a", "3").await.unwrap();
    drop(tx);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(meta::get(&mut tx, "a").await.unwrap().as_deref(), Some("2"), "a dropped transaction is taken back");
}

fn news(key: &str, body: &str, second: i64, rank: i64) -> NewInbound {
    NewInbound {
        source: "csv".to_owned(),
        kind: "invoice".to_owned(),
        external_id: key.to_owned(),
        body: body.to_owned(),
        at: at(second),
        rank,
        hash: Hash::of(body.as_bytes()),
    }
}

async fn received_news_is_deduplicated_by_its_newest_version_and_routed_in_order(store: &Store) {
    use Receipt::{Accepted, Unchanged};
    let mut tx = store.begin().await.unwrap();
    let rows = [news("1", "a", 5, 2), news("2", "b", 5, 1), news("1", "a", 5, 2), news("3", "c", 900, 1)];
    let receipts = inbound::insert(&mut tx, &rows, at(1)).await.unwrap();
    assert_eq!(receipts, [Accepted, Accepted, Unchanged, Accepted]);
    let rows = [news("1", "A", 6, 2), news("2", "b", 6, 1)];
    assert_eq!(inbound::insert(&mut tx, &rows, at(2)).await.unwrap(), [Accepted, Unchanged]);
    let again = inbound::insert(&mut tx, &[news("1", "a", 7, 2)], at(3)).await.unwrap();
    assert_eq!(again, [Accepted], "what was true before is news again");
    tx.commit().await.unwrap();

    let mut tx = store.begin().await.unwrap();
    assert_eq!(inbound::next_at(&mut tx).await.unwrap(), Some(at(5)));
    let due = inbound::unrouted(&mut tx, at(10), 100).await.unwrap();
    let keys: Vec<_> = due.iter().map(|row| (row.external_id.as_str(), row.body.as_str(), row.version)).collect();
    assert_eq!(keys, [("2", "b", 1), ("1", "a", 1), ("1", "A", 2), ("1", "a", 3)]);
    inbound::mark_routed(&mut tx, &[due[0].id, due[1].id], at(10)).await.unwrap();
    inbound::park(&mut tx, &[(due[2].id, "no customer".to_owned())], at(10)).await.unwrap();
    let parked = inbound::parked(&mut tx, 0, 10).await.unwrap();
    assert_eq!((parked.len(), parked[0].reason.as_str()), (1, "no customer"));
    assert_eq!(inbound::parked_since(&mut tx, at(10)).await.unwrap(), 1);
    assert_eq!(inbound::parked_since(&mut tx, at(11)).await.unwrap(), 0);
    assert_eq!(
        (inbound::waiting(&mut tx, at(10), 9).await.unwrap(), inbound::waiting(&mut tx, at(900), 1).await.unwrap()),
        (1, 1)
    );
    let ahead = inbound::ahead(&mut tx, "invoice", 9).await.unwrap();
    assert_eq!(ahead.iter().map(|row| row.external_id.as_str()).collect::<Vec<_>>(), ["1", "3"]);
    let said = inbound::versions(&mut tx, "invoice", &["1".to_owned()]).await.unwrap();
    assert_eq!(said.iter().map(|row| row.body.as_str()).collect::<Vec<_>>(), ["a", "A", "a"]);
    inbound::unpark(&mut tx, &["no customer `X`".to_owned()]).await.unwrap();
    assert_eq!(inbound::parked(&mut tx, 0, 10).await.unwrap().len(), 1, "another reason");
    inbound::unpark(&mut tx, &["no customer".to_owned()]).await.unwrap();
    let due = inbound::unrouted(&mut tx, at(10), 100).await.unwrap();
    assert_eq!(due.iter().map(|row| row.version).collect::<Vec<_>>(), [2, 3]);
    inbound::mark_routed(&mut tx, &[due[0].id, due[1].id], at(10)).await.unwrap();
    assert_eq!(inbound::next_at(&mut tx).await.unwrap(), Some(at(900)));
}

async fn parked_news_is_put_aside_once_and_stays_so(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    inbound::insert(&mut tx, &[news("aside", "a", 5, 2)], at(1)).await.unwrap();
    let row = inbound::versions(&mut tx, "invoice", &["aside".to_owned()]).await.unwrap().remove(0);
    assert!(!inbound::dismiss(&mut tx, row.id, "ana", "ours", at(6)).await.unwrap(), "it is not parked");
    inbound::park(&mut tx, &[(row.id, "no payer".to_owned())], at(6)).await.unwrap();
    assert!(inbound::dismiss(&mut tx, row.id, "ana", "not ours", at(7)).await.unwrap());
    assert!(!inbound::dismiss(&mut tx, row.id, "luis", "again", at(8)).await.unwrap());
    inbound::unpark(&mut tx, &["no payer".to_owned()]).await.unwrap();
    let found = inbound::dismissed(&mut tx, row.id - 1, 1).await.unwrap().remove(0);
    assert_eq!(
        (found.by.as_str(), found.why.as_str(), found.at, found.parked.reason.as_str()),
        ("ana", "not ours", at(7), "no payer")
    );
    tx.rollback().await.unwrap();
}

fn payment_with(row: PaymentRow, unallocated_minor: i64) -> PaymentRow {
    PaymentRow { unallocated_minor, ..row }
}

fn said((id, usable): (&str, bool)) -> (String, bool) {
    (id.to_owned(), usable)
}

async fn usable_points(tx: &mut Tx) -> Vec<(String, bool)> {
    let points = customers::points(tx, &[customer_id(1), customer_id(2)]).await.unwrap();
    let mut points: Vec<_> = points.into_values().flatten().map(|p| (p.id, p.usable)).collect();
    points.sort();
    points
}

/// Returns the aggregates that customer 1 has now.
async fn customers_come_back(tx: &mut Tx) -> Aggregates {
    let many: Vec<_> = (0..450).map(customer).collect();
    customers::upsert(tx, &many).await.unwrap();
    customers::upsert(tx, &[customer(1), customers::CustomerRow { name: "New".to_owned(), ..customer(1) }])
        .await
        .unwrap();
    let found = customers::get(tx, &[customer_id(1), customer_id(449), customer_id(999)]).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!((found[&customer_id(1)].name.as_str(), &found[&customer_id(449)]), ("New", &customer(449)));
    assert_eq!(customers::list(tx, "C0447", 10).await.unwrap().len(), 2);

    customers::upsert_points(tx, &[point("p1", 1), point("p2", 1), point("p3", 2)]).await.unwrap();
    customers::replace_points(tx, &[point("p4", 1), point("p5", 1)]).await.unwrap();
    assert_eq!(usable_points(tx).await, [("p3", true), ("p4", true), ("p5", true)].map(said), "others take the place");
    // An address that bounced stays closed when it comes again.
    let shut = customers::ContactPointRow { usable: false, ..point("p4", 1) };
    customers::upsert_points(tx, &[shut]).await.unwrap();
    customers::replace_points(tx, &[point("p4", 1), point("p6", 1)]).await.unwrap();
    assert_eq!(usable_points(tx).await, [("p3", true), ("p4", false), ("p6", true)].map(said));

    let counted = Aggregates { open_invoices: 3, ..Aggregates::default() };
    customers::put_aggregates(tx, &BTreeMap::from([(customer_id(1), counted.clone())])).await.unwrap();
    let aggregates = customers::aggregates(tx, &[customer_id(1), customer_id(2)]).await.unwrap();
    assert_eq!((&aggregates[&customer_id(1)], &aggregates[&customer_id(2)]), (&counted, &Aggregates::default()));
    counted
}

async fn payments_come_back(tx: &mut Tx) {
    let payment = |id: &str| PaymentRow {
        id: id.to_owned(),
        source: "csv".to_owned(),
        external_id: id.to_owned(),
        kind: "payment".to_owned(),
        customer: Some(customer_id(1)),
        invoice: None,
        currency: Currency::EUR,
        amount_minor: 500,
        unallocated_minor: 0,
        reference: String::new(),
        booked_on: on("2026-02-03"),
        known_at: at(1),
    };
    let answers = payments::insert(tx, &[payment("a"), payment("b"), payment("a")]).await.unwrap();
    assert_eq!(answers, [true, true, false]);
    assert_eq!(payments::insert(tx, &[payment("b"), payment("c")]).await.unwrap(), [false, true]);
    let open = payment_with(payment("u"), 300);
    payments::insert(tx, std::slice::from_ref(&open)).await.unwrap();
    assert_eq!(payments::unallocated(tx, (chrono::NaiveDate::MIN, ""), 10).await.unwrap(), std::slice::from_ref(&open));
    assert_eq!(payments::unallocated(tx, (open.booked_on, &open.id), 10).await.unwrap(), []);
    assert_eq!(payments::unallocated_named(tx, "u").await.unwrap(), std::slice::from_ref(&open));
    assert!(payments::of_customers(tx, &[customer_id(1)]).await.unwrap().contains(&open));
    let whose = open.customer.clone();
    payments::left(tx, &[(open.id.clone(), whose, 0)]).await.unwrap();
    assert_eq!(payments::get(tx, std::slice::from_ref(&open.id)).await.unwrap()[0].unallocated_minor, 0);
    let allocation = |ordinal, day: &str| AllocationRow {
        payment: "a".to_owned(),
        ordinal,
        invoice: invoice_id(1),
        amount_minor: 250,
        booked_on: on(day),
        known_at: at(1),
    };
    payments::allocate(tx, &[allocation(2, "2026-02-05"), allocation(1, "2026-02-03")]).await.unwrap();
    let since = payments::allocations(tx, &[invoice_id(1)], on("2026-02-04")).await.unwrap();
    assert_eq!(since, [allocation(2, "2026-02-05")]);
    let settled = payments::settled(tx, &[invoice_id(1)]).await.unwrap();
    assert_eq!(
        settled.iter().map(|part| (part.kind.as_str(), part.amount_minor)).collect::<Vec<_>>(),
        [("payment", 250); 2]
    );
    assert!(payments::forgiven(tx, &[invoice_id(1)]).await.unwrap().is_empty(), "money is no gift");
    assert_eq!(payments::parts(tx, &["a".to_owned(), "b".to_owned()]).await.unwrap(), [("a".to_owned(), 2)].into());
}

async fn the_ledger_is_written_and_read_in_batches(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let counted = customers_come_back(&mut tx).await;
    let paid = invoices::InvoiceRow { balance_minor: 0, ..invoice(3) };
    let due_first = invoices::InvoiceRow { customer: customer_id(1), due_on: on("2026-01-15"), ..invoice(2) };
    invoices::upsert(&mut tx, &[invoice(1), due_first, paid]).await.unwrap();
    assert_eq!(invoices::get(&mut tx, &[invoice_id(1)]).await.unwrap()[&invoice_id(1)], invoice(1));
    assert_eq!(invoices::by_name(&mut tx, &["2026/3".to_owned()]).await.unwrap().len(), 1);
    assert_eq!(invoices::names_between(&mut tx, "2026/2", "I0002", 9).await.unwrap(), ["I0001", "2026/3"]);
    let of_one: Vec<_> = invoices::of_customers(&mut tx, &[customer_id(3)]).await.unwrap();
    assert_eq!(of_one.iter().map(|i| (i.id.as_str(), i.balance_minor)).collect::<Vec<_>>(), [("I0003", 0)]);
    let open = invoices::open_of(&mut tx, &[customer_id(1), customer_id(3)]).await.unwrap();
    assert_eq!(open.iter().map(|i| i.id.as_str()).collect::<Vec<_>>(), ["I0002", "I0001"]);

    payments_come_back(&mut tx).await;
    let dispute = |id: &str, day: &str| disputes::DisputeRow {
        id: id.to_owned(),
        source: "csv".to_owned(),
        invoice: invoice_id(1),
        customer: customer_id(1),
        reason: "quality".to_owned(),
        amount_minor: 100,
        opened_on: on(day),
        closed_on: None,
        outcome: None,
        known_at: at(1),
        owner: Some("ana".to_owned()),
        answer_by: Some(on("2026-03-01")),
        credited_minor: 0,
        awaits_credit: false,
        overdue_at: None,
    };
    let closed = disputes::DisputeRow { closed_on: Some(on("2026-02-09")), ..dispute("d1", "2026-02-02") };
    disputes::upsert(&mut tx, &[dispute("d1", "2026-02-02"), dispute("d2", "2026-02-08")]).await.unwrap();
    disputes::upsert(&mut tx, std::slice::from_ref(&closed)).await.unwrap();
    assert_eq!(disputes::get(&mut tx, &["d1".to_owned()]).await.unwrap(), [closed]);
    assert_eq!(disputes::of_invoices(&mut tx, &[invoice_id(1)]).await.unwrap().len(), 2);
    super::charges::come_back(&mut tx).await;
    let late = disputes::DisputeRow { id: "csv:7".to_owned(), overdue_at: Some(at(50)), ..dispute("d3", "2026-01-08") };
    disputes::upsert(&mut tx, std::slice::from_ref(&late)).await.unwrap();
    assert_eq!(disputes::next_at(&mut tx).await.unwrap(), Some(at(50)));
    assert!(disputes::overdue(&mut tx, at(49), 10).await.unwrap().is_empty());
    assert_eq!(disputes::overdue(&mut tx, at(50), 10).await.unwrap(), std::slice::from_ref(&late));
    for name in ["7", "csv:7"] {
        assert_eq!(disputes::named(&mut tx, name).await.unwrap(), std::slice::from_ref(&late));
    }
    disputes::upsert(&mut tx, &[disputes::DisputeRow { overdue_at: None, closed_on: Some(on("2026-02-01")), ..late }])
        .await
        .unwrap();
    assert_eq!(disputes::list(&mut tx, true, "", 10).await.unwrap()[0].id, "d2");
    let wanted = Wanted {
        invoices: vec![invoice_id(1), invoice_id(2)],
        customers: vec![customer_id(1)],
        contacts_since: Some(at(0)),
        exceptions_on: Some(on("2026-02-01")),
        promises: true,
        disputes: true,
        plans: true,
    };
    contacts::put(&mut tx, &[contact(1, 1, 5)]).await.unwrap();
    let loaded = facts::load(&mut tx, &wanted).await.unwrap();
    assert_eq!((loaded.invoices.len(), loaded.customers.len(), loaded.points[&customer_id(1)].len()), (2, 1, 2));
    assert_eq!(loaded.aggregates[&customer_id(1)], counted);
    assert_eq!(loaded.disputes[&invoice_id(1)].id, "d2", "the latest");
    assert_eq!(loaded.contacts[&customer_id(1)], [contact(1, 1, 5)]);
    assert!(loaded.promises.is_empty() && loaded.plans.is_empty());

    let row = |reason: &str, second| unmatched::UnmatchedRow {
        invoice: invoice_id(9),
        customer: customer_id(9),
        reason: reason.to_owned(),
        since: at(second),
    };
    unmatched::put(&mut tx, &[row("none applies", 1)]).await.unwrap();
    unmatched::put(&mut tx, &[row("still none", 2)]).await.unwrap();
    assert_eq!(unmatched::list(&mut tx, "", 10).await.unwrap(), [row("still none", 1)]);
    unmatched::delete(&mut tx, &[invoice_id(9)]).await.unwrap();
    assert!(unmatched::list(&mut tx, "", 10).await.unwrap().is_empty());
    tx.commit().await.unwrap();
}

fn promise(id: &str, made: &str, covered: &[usize]) -> PromiseRow {
    PromiseRow {
        id: id.to_owned(),
        source: "csv".to_owned(),
        customer: customer_id(1),
        invoices: covered.iter().map(|n| invoice_id(*n)).collect(),
        made_on: on(made),
        due_on: on("2026-03-01"),
        limit_on: on("2026-03-03"),
        limit_at: at(1_000),
        amount_minor: 700,
        paid_minor: 0,
        method: String::new(),
        by: String::new(),
        status: "open".to_owned(),
        judged_on: None,
        known_at: at(1),
    }
}

async fn promises_are_found_by_their_invoices(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let (old, new) = (promise("a", "2026-02-01", &[2, 1]), promise("b", "2026-02-05", &[1]));
    promises::upsert(&mut tx, &[new.clone(), old.clone()]).await.unwrap();
    let latest = promises::latest_of(&mut tx, &[invoice_id(1), invoice_id(2), invoice_id(3)]).await.unwrap();
    assert_eq!(latest, BTreeMap::from([(invoice_id(1), new.clone()), (invoice_id(2), old.clone())]));
    assert_eq!(promises::open_of(&mut tx, &[invoice_id(1)]).await.unwrap(), [old.clone(), new.clone()]);
    assert_eq!(promises::next_at(&mut tx).await.unwrap(), Some(at(1_000)));
    assert!(promises::due(&mut tx, at(999), 10).await.unwrap().is_empty());
    assert_eq!(promises::due(&mut tx, at(1_000), 10).await.unwrap().len(), 2);
    let judged = PromiseRow { status: "broken".to_owned(), judged_on: Some(on("2026-03-04")), ..old };
    promises::upsert(&mut tx, std::slice::from_ref(&judged)).await.unwrap();
    assert_eq!(promises::due(&mut tx, at(1_000), 10).await.unwrap(), [new]);
    assert_eq!(promises::get(&mut tx, &["a".to_owned()]).await.unwrap(), [judged]);
    let ids = |rows: Vec<PromiseRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(ids(promises::list(&mut tx, false, "", 10).await.unwrap()), ["a", "b"]);
    assert_eq!(ids(promises::list(&mut tx, true, "", 10).await.unwrap()), ["b"]);
    assert_eq!(ids(promises::list(&mut tx, false, "a", 10).await.unwrap()), ["b"]);
    promises::uncover(&mut tx, &[("b".to_owned(), invoice_id(1))]).await.unwrap();
    assert!(promises::open_of(&mut tx, &[invoice_id(1)]).await.unwrap().is_empty());
}

/// Commits turns that must all win.
pub(super) async fn commit(store: &Store, turns: &[TurnCommit]) -> Vec<CaseNo> {
    let mut tx = store.begin().await.unwrap();
    let done = commit_turns(&mut tx, turns, &[]).await.unwrap();
    tx.commit().await.unwrap();
    done.cases.into_iter().map(|no| no.expect("no turn loses")).collect()
}

async fn a_batch_of_turns_moves_its_cases_and_leaves_out_only_the_losers(store: &Store) {
    let firsts: Vec<_> = (0..230).map(first).collect();
    let nos = commit(store, &firsts).await;
    assert_eq!(nos.iter().collect::<BTreeSet<_>>().len(), 230);

    let mut tx = store.begin().await.unwrap();
    let mut turns: Vec<_> = (0..230).map(|n| turn(n, Some(nos[n]), 1, firsts[n].history.hash)).collect();
    turns[7].expected = 4;
    turns[7].history.rev = 5;
    // A second case of an invoice with an open one, and one that follows a loser.
    turns.push(TurnCommit { case: crate::commit::Snapshot { id: case_id(900), ..first(3).case }, ..first(3) });
    turns.push(TurnCommit { follows: Some(case_id(7)), ..first(901) });
    // A linked case opens in the commit that finishes the one before.
    turns[9].case.status = Status::Finished;
    turns[9].case.outcome = Some("handed_over".to_owned());
    turns[9].wake = Waking::Set(None);
    let linked = crate::commit::Snapshot { id: case_id(902), invoice: invoice_id(9), ..first(9).case };
    turns.push(TurnCommit { follows: Some(case_id(9)), case: linked, ..first(9) });
    let done = commit_turns(&mut tx, &turns, &[]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(done.losers().collect::<Vec<_>>(), [7, 230, 231]);

    let mut tx = store.read().await.unwrap();
    let loaded = cases::load(&mut tx, &[nos[6], nos[7]]).await.unwrap();
    assert_eq!(loaded.iter().map(|case| case.rev).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(loaded[0].head, turns[6].history.hash);
    assert_eq!(loaded[0].state, turns[6].case.state);
    let rows = history::of_case(&mut tx, nos[6], 0, 100).await.unwrap();
    assert_eq!(rows, [firsts[6].history.clone(), turns[6].history.clone()]);
    assert_eq!(history::of_case(&mut tx, nos[7], 0, 100).await.unwrap().len(), 1, "nothing of a loser is written");
    assert_eq!(history::of_case(&mut tx, nos[6], 1, 100).await.unwrap().len(), 1);
    assert_eq!(cases::by_id(&mut tx, case_id(6)).await.unwrap().unwrap().no, nos[6]);
    assert_eq!(cases::by_id(&mut tx, case_id(900)).await.unwrap(), None);

    let both = [invoice_id(9), invoice_id(8)];
    let open = cases::open_of(&mut tx, &both).await.unwrap();
    assert_eq!((open[&invoice_id(9)].1, open[&invoice_id(8)].1), (case_id(902), case_id(8)));
    assert_eq!(cases::latest_of(&mut tx, &both).await.unwrap()[&invoice_id(9)].1, case_id(902));
    assert_eq!(
        cases::count_of(&mut tx, &both).await.unwrap(),
        BTreeMap::from([(invoice_id(8), 1), (invoice_id(9), 2)])
    );
    let of_customer = cases::open_of_customers(&mut tx, &[customer_id(9)]).await.unwrap();
    assert_eq!(of_customer.iter().map(|row| row.2).collect::<Vec<_>>(), [case_id(902)]);
    assert_eq!(cases::count_open(&mut tx).await.unwrap(), 230);

    let list = async |tx: &mut crate::Tx, filter: Filter| -> Vec<CaseId> {
        cases::list(tx, &filter, CaseNo(0), 3).await.unwrap().into_iter().map(|case| case.id).collect()
    };
    let none = Filter::default();
    assert_eq!(list(&mut tx, none).await, [case_id(0), case_id(1), case_id(2)]);
    assert_eq!(list(&mut tx, Filter { status: Some(Status::Finished), ..Filter::default() }).await, [case_id(9)]);
    let of = Filter { customer: Some(customer_id(9)), playbook: Some("b2b-standard".to_owned()), ..Filter::default() };
    assert_eq!(list(&mut tx, of).await, [case_id(9), case_id(902)]);
    let of = Filter { invoice: Some(invoice_id(9)), outcome: Some("handed_over".to_owned()), ..Filter::default() };
    assert_eq!(list(&mut tx, of).await, [case_id(9)]);
    let (mut seen, mut after) = (Vec::new(), Some(cases::Turn::first()));
    while let Some(turn) = after {
        let (page, next) = cases::in_turn(&mut tx, &Filter::default(), &turn, 50).await.unwrap();
        seen.extend(page.into_iter().map(|case| (case.no, case.status)));
        after = next;
    }
    assert_eq!(seen.iter().map(|(no, _)| no).collect::<std::collections::BTreeSet<_>>().len(), seen.len());
    let open = seen.iter().take_while(|(_, status)| *status != Status::Finished).count();
    assert_eq!((open, seen[open..].iter().all(|(_, status)| *status == Status::Finished)), (230, true));
    let row = &cases::list(&mut tx, &Filter::default(), nos[4], 1).await.unwrap()[0];
    assert_eq!((row.id, row.rev, row.status, row.next_at), (case_id(5), 2, Status::WaitingTime, Some(at(100))));
}

async fn a_turn_carries_effects_work_and_news(store: &Store) {
    let mut opening = first(1);
    opening.effects = vec![effect(1, 1), effect(2, 1)];
    opening.opened = vec![task(1), task(2)];
    let nos = commit(store, &[opening.clone(), first(2)]).await;
    let mut tx = store.begin().await.unwrap();
    events::insert(&mut tx, &[event("e1", nos[0], 3), event("e2", nos[0], 4)]).await.unwrap();
    contacts::put(&mut tx, &[contact(2, 1, 5)]).await.unwrap();
    tx.commit().await.unwrap();

    let mut next = turn(1, Some(nos[0]), 1, opening.history.hash);
    next.recalls = vec![effect_id(2)];
    next.closed = vec![tasks::CloseTask { id: task(1).id, outcome: "paid".to_owned(), at: at(6) }];
    next.consumed = vec![EventId::derive(&["e1"])];
    next.news = vec![event("to-other", nos[1], 6)];
    next.wake = Waking::Set(None);
    commit(store, &[next]).await;

    let mut tx = store.read().await.unwrap();
    let left = outbox::of_case(&mut tx, nos[0]).await.unwrap();
    assert_eq!(left.iter().map(|row| row.id).collect::<Vec<_>>(), [effect_id(1)]);
    assert!(contacts::list(&mut tx, (at(0), ""), 10).await.unwrap().is_empty(), "a recalled contact was not made");
    let unread = events::unread(&mut tx, &nos, at(100)).await.unwrap();
    assert_eq!(unread[&nos[0]], [event("e2", nos[0], 4)]);
    assert_eq!(unread[&nos[1]], [event("to-other", nos[1], 6)]);
    assert!(events::unread(&mut tx, &nos, at(2)).await.unwrap().is_empty(), "later news waits");
    assert_eq!(events::next_of(&mut tx, &nos).await.unwrap(), BTreeMap::from([(nos[0], at(4)), (nos[1], at(6))]));
    assert_eq!(wake::next_at(&mut tx).await.unwrap(), Some(at(6)));
    let open = tasks::list(&mut tx, &tasks::Filter { open: true, ..tasks::Filter::default() }, None, 10).await.unwrap();
    assert_eq!(open.iter().map(|row| row.task.id).collect::<Vec<_>>(), [task(2).id]);
}

async fn news_wakes_its_case_ahead_of_timers_and_only_once(store: &Store) {
    let nos = commit(store, &[first(1), first(2), first(3)]).await;
    let mut tx = store.begin().await.unwrap();
    assert!(cases::claim_due(&mut tx, at(99), 10).await.unwrap().is_empty());
    let rows = [event("a", nos[2], 90), event("a", nos[2], 90), event("b", nos[1], 200), event("c", nos[2], 80)];
    assert_eq!(events::insert(&mut tx, &rows).await.unwrap(), [true, false, true, true]);
    assert_eq!(events::insert(&mut tx, &[event("a", nos[2], 1)]).await.unwrap(), [false]);
    tx.commit().await.unwrap();

    let mut tx = store.begin().await.unwrap();
    assert_eq!(wake::next_at(&mut tx).await.unwrap(), Some(at(80)));
    let claimed = cases::claim_due(&mut tx, at(150), 10).await.unwrap();
    let order: Vec<_> = claimed.iter().map(|case| (case.no, case.due_at)).collect();
    assert_eq!(order, [(nos[2], Some(at(80))), (nos[1], Some(at(100))), (nos[0], Some(at(100)))]);
    assert_eq!(cases::claim_due(&mut tx, at(150), 1).await.unwrap().len(), 1);
    let unread = events::unread(&mut tx, &nos, at(150)).await.unwrap();
    let arrived: Vec<_> = unread[&nos[2]].iter().map(|event| event.body.as_str()).collect();
    assert_eq!(arrived, ["{\"key\":\"a\"}", "{\"key\":\"c\"}"], "in order of arrival");
    let later = WakeAt { due_at: at(300), priority: Priority::Timer };
    wake::put(&mut tx, &[(nos[0], None), (nos[1], Some(later)), (nos[2], Some(later))]).await.unwrap();
    assert_eq!(wake::next_at(&mut tx).await.unwrap(), Some(at(300)));
}

fn settled(n: usize, no: CaseNo, fence: i64) -> Settled {
    let communication = Communication {
        effect: effect_id(n),
        no,
        customer: customer_id(1),
        invoice: invoice_id(1),
        lane: "email".to_owned(),
        step: "first".to_owned(),
        to: Some("p1".to_owned()),
        state: "accepted".to_owned(),
        reference: Some(format!("ref-{n}")),
        bytes: Some(b"From: x\0\xff".to_vec()),
        at: at(20),
    };
    Settled {
        effect: effect_id(n),
        no,
        fence,
        mark: LedgerMark::Counts,
        communication: Some(communication),
        news: Some(event(&format!("outcome-{n}"), no, 20)),
    }
}

pub(super) fn lease(owner: &str, second: i64) -> Lease {
    Lease { owner: owner.to_owned(), until: at(second) }
}

async fn effects_are_claimed_with_a_fence_and_settled_once(store: &Store) {
    let mut opening = first(1);
    opening.effects = (0..4).map(|n| effect(n, 1)).collect();
    opening.effects[3].lane = "sms".to_owned();
    opening.wake = Waking::Set(None);
    let no = commit(store, std::slice::from_ref(&opening)).await[0];
    let mut tx = store.begin().await.unwrap();
    assert_eq!(outbox::next_due(&mut tx).await.unwrap(), Some(at(10)));
    assert!(outbox::claim(&mut tx, at(9), &[], 10, &lease("w", 60)).await.unwrap().is_empty());
    let sms = outbox::claim(&mut tx, at(10), &["sms".to_owned()], 10, &lease("w", 60)).await.unwrap();
    assert_eq!((sms.len(), sms[0].id, sms[0].fence, sms[0].state), (1, effect_id(3), 1, State::Leased));
    let claimed = outbox::claim(&mut tx, at(10), &[], 10, &lease("w", 60)).await.unwrap();
    assert_eq!(claimed.len(), 3);
    assert_eq!(outbox::next_due(&mut tx).await.unwrap(), None);
    contacts::put(&mut tx, &[contact(0, 1, 10), contact(1, 1, 10)]).await.unwrap();
    let key = Some(effect_id(0));
    let rows = [(effect_id(0), 1, key), (effect_id(1), 9, None), (effect_id(2), 1, None)];
    assert_eq!(outbox::mark_sending(&mut tx, &rows, at(60)).await.unwrap(), [true, false, true]);
    tx.commit().await.unwrap();

    let mut tx = store.begin().await.unwrap();
    let stale = Settled { fence: 7, ..settled(1, no, 7) };
    assert_eq!(outbox::settle(&mut tx, &[settled(0, no, 1), stale]).await.unwrap(), [true, false]);
    assert_eq!(outbox::settle(&mut tx, &[settled(0, no, 1)]).await.unwrap(), [false], "settled once");
    let later =
        |n, fence| Later { effect: effect_id(n), fence, due_at: at(700), tries: 1, reason: "greylisted".to_owned() };
    assert_eq!(outbox::retry_later(&mut tx, &[later(2, 1), later(1, 7)]).await.unwrap(), [true, false]);
    let row = &outbox::get(&mut tx, &[effect_id(2)]).await.unwrap()[0];
    assert_eq!((row.state, row.due_at, row.fence, row.tries), (State::Ready, at(700), 1, 1));
    assert_eq!(outbox::list(&mut tx, Some(State::Leased), "", 10).await.unwrap().len(), 2);
    let kept = outbox::communications_of(&mut tx, no, 10).await.unwrap();
    assert_eq!((kept.len(), kept[0].bytes.as_ref()), (1, None));
    let whole = outbox::communication(&mut tx, effect_id(0)).await.unwrap();
    assert_eq!(whole, settled(0, no, 1).communication);
    assert_eq!(events::unread(&mut tx, &[no], at(20)).await.unwrap()[&no].len(), 1);
    assert_eq!(wake::next_at(&mut tx).await.unwrap(), Some(at(20)), "the outcome wakes the case");
    let made = contacts::list(&mut tx, (at(0), ""), 10).await.unwrap();
    assert_eq!(made.iter().filter(|row| row.state == "sent").count(), 1);
    tx.commit().await.unwrap();

    // Settled together with the case's next turn: a stale fence takes back all, a good one goes with the turn.
    let mut tx = store.begin().await.unwrap();
    let next = turn(1, Some(no), 1, opening.history.hash);
    let goes = |fence| Settled { mark: LedgerMark::Goes, communication: None, news: None, ..settled(1, no, fence) };
    let stale = commit_turns(&mut tx, std::slice::from_ref(&next), &[goes(8)]).await.unwrap_err();
    assert!(stale.may_retry(), "{stale}");
    drop(tx);
    let mut tx = store.begin().await.unwrap();
    let done = commit_turns(&mut tx, std::slice::from_ref(&next), &[goes(1)]).await.unwrap();
    assert_eq!((done.losers().count(), done.stale.len()), (0, 0));
    assert!(outbox::get(&mut tx, &[effect_id(1)]).await.unwrap().is_empty());
    // The turn loses: its effect stays.
    let done = commit_turns(&mut tx, &[next], &[Settled { news: None, ..settled(3, no, 1) }]).await.unwrap();
    assert_eq!(done.losers().count(), 1);
    assert_eq!(outbox::get(&mut tx, &[effect_id(3)]).await.unwrap().len(), 1);
    assert_eq!(contacts::list(&mut tx, (at(0), ""), 10).await.unwrap().len(), 1, "what did not leave does not count");
}

async fn a_lost_lease_is_freed_or_reported_as_unsure(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    assert_eq!(outbox::database_now(&mut tx).await.unwrap().is_some(), store.is_shared(), "one clock for all workers");
    assert!(crate::inbound::route_alone(&mut tx).await.unwrap());
    if store.is_shared() {
        let mut other = store.begin().await.unwrap();
        assert!(!crate::inbound::route_alone(&mut other).await.unwrap(), "one worker routes at a time");
    }
    drop(tx);
    let mut opening = first(1);
    opening.effects = (0..3).map(|n| effect(n, 1)).collect();
    opening.effects[2].birth = outbox::Birth::Carried { due_at: at(10), owner: "w".to_owned(), lease_until: at(50) };
    let no = commit(store, &[opening]).await[0];
    let mut tx = store.begin().await.unwrap();
    assert_eq!(crate::cases::seen(&mut tx, &[no]).await.unwrap().len(), 1);
    outbox::claim(&mut tx, at(10), &[], 10, &lease("w", 50)).await.unwrap();
    let sending = [(effect_id(0), 1), (effect_id(1), 1)];
    assert_eq!(outbox::hold(&mut tx, &sending).await.unwrap().len(), 2);
    outbox::mark_sending(&mut tx, &[(effect_id(0), 1, None)], at(50)).await.unwrap();
    assert_eq!(
        outbox::hold(&mut tx, &sending).await.unwrap(),
        [effect_id(1)].into(),
        "what is being sent is not held again"
    );
    contacts::put(&mut tx, &[contact(0, 1, 10)]).await.unwrap();
    let next = lease("v", 90);
    assert_eq!(outbox::sweep(&mut tx, at(50), &[], &next, 10).await.unwrap(), outbox::Swept::default());
    assert_eq!(outbox::end_leases(&mut tx, "w", at(20)).await.unwrap(), 0);
    assert_eq!(outbox::end_leases(&mut tx, "v", at(20)).await.unwrap(), 3);
    let unsure = outbox::sweep(&mut tx, at(20), &[], &next, 10).await.unwrap().unsure;
    let ids: Vec<_> = unsure.iter().map(|row| row.id).collect();
    assert_eq!(ids, [effect_id(0), effect_id(2)], "what was carried may have left");
    let ready = outbox::list(&mut tx, Some(State::Ready), "", 10).await.unwrap();
    assert_eq!(ready.iter().map(|row| row.fence).collect::<Vec<_>>(), [2], "the dead worker's fence is over");
    let unknown = settled(0, no, unsure[0].fence);
    assert_eq!(outbox::mark_unknown(&mut tx, std::slice::from_ref(&unknown), "no answer").await.unwrap(), [true]);
    assert_eq!(outbox::mark_unknown(&mut tx, &[unknown], "no answer").await.unwrap(), [false]);
    let row = &outbox::list(&mut tx, Some(State::Unknown), "", 10).await.unwrap()[0];
    assert_eq!((row.reason.as_deref(), row.owner.as_deref()), (Some("no answer"), None));
    assert_eq!(contacts::list(&mut tx, (at(0), ""), 10).await.unwrap()[0].state, "unknown");
    // A person resolves it.
    let resolved = Settled { news: Some(event("resolved", no, 30)), ..settled(0, no, unsure[0].fence) };
    assert_eq!(outbox::settle(&mut tx, &[resolved]).await.unwrap(), [true]);
}

async fn the_contact_ledger_counts(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    contacts::lock_budget(&mut tx, &[customer_id(2), customer_id(1), customer_id(2)]).await.unwrap();
    contacts::put(&mut tx, &[contact(1, 1, 10), contact(2, 1, 20), contact(3, 2, 30)]).await.unwrap();
    contacts::put(&mut tx, &[contact(1, 1, 15)]).await.unwrap();
    let since = contacts::since(&mut tx, &[customer_id(1)], at(15)).await.unwrap();
    assert_eq!(since[&customer_id(1)].iter().map(|row| row.at).collect::<Vec<_>>(), [at(15), at(20)]);
    contacts::mark(&mut tx, &[effect_id(2).to_string()], "unknown").await.unwrap();
    contacts::delete(&mut tx, &[effect_id(1).to_string()]).await.unwrap();
    let left = contacts::list(&mut tx, (at(0), ""), 10).await.unwrap();
    assert_eq!(left.iter().map(|row| row.state.as_str()).collect::<Vec<_>>(), ["unknown", "claimed"]);
    let rest = contacts::list(&mut tx, (left[0].at, &left[0].id), 10).await.unwrap();
    assert_eq!(rest, left[1..]);
    tx.commit().await.unwrap();
}

async fn work_is_answered_once(store: &Store) {
    let mut opening = first(1);
    opening.opened = vec![task(1), tasks::OpenTask { kind: "approve".to_owned(), ..task(2) }];
    let no = commit(store, &[opening]).await[0];
    let mut tx = store.begin().await.unwrap();
    let filter = tasks::Filter { no: Some(no), ..tasks::Filter::default() };
    let all = tasks::list(&mut tx, &filter, None, 10).await.unwrap();
    assert_eq!(all.len(), 2);
    let after = Some((all[0].task.opened_at, all[0].task.id));
    assert_eq!(tasks::list(&mut tx, &tasks::Filter::default(), after, 10).await.unwrap(), all[1..]);
    let kind = tasks::Filter { kind: Some("approve".to_owned()), customer: Some(customer_id(1)), ..filter.clone() };
    assert_eq!(tasks::list(&mut tx, &kind, None, 10).await.unwrap().len(), 1);
    let nobody = tasks::Filter { assignee: Some("nobody".to_owned()), open: true, ..tasks::Filter::default() };
    assert!(tasks::list(&mut tx, &nobody, None, 10).await.unwrap().is_empty());
    assert_eq!(tasks::count_open(&mut tx).await.unwrap(), [("approve".to_owned(), 1), ("call".to_owned(), 1)]);

    let together = tasks::open_together(&mut tx, task(1).together.unwrap()).await.unwrap();
    assert_eq!(together, all);
    let answer =
        tasks::Answer { id: task(1).id, outcome: "promise".to_owned(), by: "person:ana".to_owned(), at: at(9) };
    assert_eq!(tasks::answer(&mut tx, std::slice::from_ref(&answer)).await.unwrap(), [true]);
    assert_eq!(tasks::answer(&mut tx, &[answer]).await.unwrap(), [false]);
    let row = tasks::get(&mut tx, task(1).id).await.unwrap().unwrap();
    assert_eq!((row.task, row.closed_by.as_deref(), row.case), (task(1), Some("person:ana"), case_id(1)));
    assert_eq!(tasks::get(&mut tx, TaskId::derive(&["none"])).await.unwrap(), None);

    let word = |person: &str| tasks::ApprovalRow {
        task: task(2).id,
        person: person.to_owned(),
        seen: Hash::of(b"seen"),
        decision: "approved".to_owned(),
        at: at(9),
    };
    assert!(tasks::approve(&mut tx, &word("person:bo")).await.unwrap());
    assert!(tasks::approve(&mut tx, &word("person:ana")).await.unwrap());
    assert!(!tasks::approve(&mut tx, &word("person:bo")).await.unwrap());
    assert_eq!(tasks::approvals(&mut tx, task(2).id).await.unwrap(), [word("person:ana"), word("person:bo")]);
}

async fn playbooks_and_artefacts_are_addressed_by_content(store: &Store) {
    let version = |name: &str, text: &str| playbooks::VersionRow {
        bundle: Hash::of(text.as_bytes()),
        content: Hash::of(b"templates"),
        name: name.to_owned(),
        version: 1,
        sources: format!("{{\"a.yaml\":\"{text}\"}}"),
        author: "ana".to_owned(),
        published_at: at(1),
    };
    let mut tx = store.begin().await.unwrap();
    playbooks::publish(&mut tx, &[version("a", "one"), version("b", "two")]).await.unwrap();
    playbooks::publish(&mut tx, &[version("a", "three")]).await.unwrap();
    assert_eq!(playbooks::current(&mut tx).await.unwrap(), [version("a", "three"), version("b", "two")]);
    playbooks::publish(&mut tx, &[version("a", "one")]).await.unwrap();
    assert_eq!(playbooks::current(&mut tx).await.unwrap()[0], version("a", "one"), "an old one comes back");
    let found = playbooks::get(&mut tx, Hash::of(b"three"), Hash::of(b"templates")).await.unwrap();
    assert_eq!(found, Some(version("a", "three")));
    let file = artefacts::ArtefactRow {
        hash: Hash::of(b"x"),
        kind: "calendar".to_owned(),
        name: "es.yaml".to_owned(),
        body: b"x".to_vec(),
        at: at(1),
    };
    artefacts::put(&mut tx, &[file.clone(), file.clone()]).await.unwrap();
    artefacts::put(&mut tx, std::slice::from_ref(&file)).await.unwrap();
    assert_eq!(artefacts::get(&mut tx, Hash::of(b"x")).await.unwrap(), Some(file));
    assert_eq!(artefacts::get(&mut tx, Hash::of(b"y")).await.unwrap(), None);
}

async fn sums_add_up(store: &Store) {
    let mut opening = first(1);
    opening.opened = vec![task(1)];
    let mut over = first(2);
    over.case.status = Status::Finished;
    over.case.outcome = Some("paid".to_owned());
    commit(store, &[opening, over]).await;
    let mut tx = store.begin().await.unwrap();
    let due = |n: usize, day: &str| invoices::InvoiceRow { due_on: on(day), ..invoice(n) };
    let rows =
        [due(1, "2026-06-01"), due(2, "2026-05-31"), due(3, "2026-05-02"), due(4, "2026-05-01"), due(5, "2026-01-01")];
    invoices::upsert(&mut tx, &rows).await.unwrap();
    contacts::put(&mut tx, &[contact(1, 1, 10), contact(2, 1, 20)]).await.unwrap();
    let ageing = report::ageing(&mut tx, on("2026-06-01")).await.unwrap();
    let buckets: Vec<_> = ageing.iter().map(|row| (row.bucket.as_str(), row.invoices, row.balance_minor)).collect();
    assert_eq!(buckets, [("not_due", 1, 10_000), ("1-30", 2, 20_000), ("31-60", 1, 10_000), ("over_90", 1, 10_000)]);
    let counted = |rows: Vec<report::CountRow>| -> Vec<(String, String, i64)> {
        rows.into_iter().map(|row| (row.group, row.name, row.count)).collect()
    };
    let row = |group: &str, name: &str, count| (group.to_owned(), name.to_owned(), count);
    assert_eq!(counted(report::contacts(&mut tx).await.unwrap()), [row("email", "first", 2)]);
    let outcomes = counted(report::outcomes(&mut tx).await.unwrap());
    assert_eq!(outcomes, [row("b2b-standard", "", 1), row("b2b-standard", "paid", 1)]);
    let statuses = counted(report::statuses(&mut tx).await.unwrap());
    assert_eq!(statuses, [row("finished", "", 1), row("waiting_time", "", 1)]);
    assert_eq!(counted(report::tasks(&mut tx).await.unwrap()), [row("call", "", 1)]);
    assert_eq!(report::turns(&mut tx).await.unwrap(), 2);
    let sums = &report::amounts(&mut tx).await.unwrap()[0];
    assert_eq!((sums.currency.as_str(), sums.invoices, sums.amount_minor), ("EUR", 5, 50_000));
}

#[tokio::test]
async fn a_second_process_is_refused_and_the_file_is_its_users_own() {
    let (folder, store) = sqlite().await;
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    let refused = Store::open(&url, Options::default()).await.err().expect("the file is taken");
    assert!(matches!(refused, Error::InUse { .. }), "{refused}");
    assert!(refused.to_string().contains("in use by another recobro process"), "{refused}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.path().join("test.db")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    store.close().await;
    let again = Store::open(&url, Options { durable: true, create: false }).await.unwrap();
    again.close().await;
    let missing = Store::open("sqlite:///nowhere/x.db", Options { durable: true, create: false }).await;
    assert!(matches!(missing.err(), Some(Error::File { .. })));
    let unknown = Store::open("mysql://u:secret@h/x", Options::default()).await.err().unwrap().to_string();
    assert!(!unknown.contains("secret"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queued_writers_share_a_commit_and_a_failed_one_takes_back_only_its_own() {
    let (_folder, store) = sqlite().await;
    let mut writers = tokio::task::JoinSet::new();
    for i in 0..60 {
        let store = store.clone();
        writers.spawn(async move {
            let mut tx = store.begin().await.unwrap();
            meta::put(&mut tx, &format!("k{i:02}"), "v").await.unwrap();
            match i % 3 {
                0 => tx.commit().await.unwrap(),
                1 => tx.rollback().await.unwrap(),
                _ => drop(tx),
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let mut tx = store.read().await.unwrap();
    for i in 0..60 {
        let found = meta::get(&mut tx, &format!("k{i:02}")).await.unwrap();
        assert_eq!(found.is_some(), i % 3 == 0, "k{i:02}");
    }
}

#[tokio::test]
async fn two_claimers_on_postgres_never_get_the_same_case() {
    let store = postgres().await;
    let nos = commit(&store, &(0..20).map(first).collect::<Vec<_>>()).await;
    let (mut one, mut two) = (store.begin().await.unwrap(), store.begin().await.unwrap());
    let mine = cases::claim_due(&mut one, at(100), 12).await.unwrap();
    let yours = cases::claim_due(&mut two, at(100), 12).await.unwrap();
    assert_eq!((mine.len(), yours.len()), (12, 8));
    let all: BTreeSet<_> = mine.iter().chain(&yours).map(|case| case.no).collect();
    assert_eq!(all, nos.into_iter().collect());
}

//! The engine over a real database: what reaches customers, what is held, and what a kill may not change.

mod calls;
mod carried;
mod catch_up;
mod checker;
mod replan;
mod stated;
mod together;
mod workers;
mod world;

use recobro_connectors::channel::Delivery;
use recobro_connectors::source::record::{Customer, Invoice, Record};

use recobro_engine::faults::Faults;
use recobro_engine::{Answer, Engine, Error, Nobody, OpenTask, People, Who};
use recobro_kernel::record::{Record as Written, TurnBody};
use recobro_kernel::time::Timestamp;
use std::collections::BTreeMap;
use world::{Agents, World, cases, customer, dispute, invoice, outcomes, outside, payment, promise, reply, run, state};

fn paid(invoice: &str) -> (String, Option<String>) {
    (invoice.to_owned(), Some("paid".to_owned()))
}

#[tokio::test]
async fn payment_before_due_closes_without_a_reminder() {
    let world = World::new();
    let rows =
        vec![customer("C"), invoice("I", "C", "2026-03-02", "2026-04-01"), payment("P", "I", 100_000, "2026-03-20")];
    let engine = world.play(rows, None).await;
    assert_eq!(outcomes(&engine).await, [paid("I")]);
    let reminders: Vec<_> = world.contacts().into_iter().filter(|act| act.contains("overdue")).collect();
    assert!(reminders.is_empty(), "{reminders:?}");
}

#[tokio::test]
async fn an_unpaid_invoice_is_reminded_in_working_hours_until_it_is_paid() {
    let world = World::new();
    let rows =
        vec![customer("C"), invoice("I", "C", "2026-03-02", "2026-04-01"), payment("P", "I", 100_000, "2026-04-20")];
    let engine = world.play(rows, None).await;
    assert_eq!(outcomes(&engine).await, [paid("I")]);
    let contacts = world.contacts();
    // Day 3 is Good Friday and no holiday in France; day 12 a Monday.
    assert!(contacts.iter().any(|act| act.ends_with("overdue-first email accepted")), "{contacts:?}");
    assert!(contacts.iter().any(|act| act.ends_with("overdue-second email accepted")), "{contacts:?}");
    for item in world.email.lock().unwrap().iter() {
        let local = item.at.local(chrono_tz::Europe::Paris).time();
        assert!(chrono::Timelike::hour(&local) >= 9 && chrono::Timelike::hour(&local) < 18, "{local}");
    }
}

#[tokio::test]
async fn nothing_is_asked_for_while_disputed() {
    let world = World::new();
    let rows = vec![
        customer("C"),
        invoice("I", "C", "2026-03-02", "2026-04-01"),
        dispute("D", "I", "2026-04-02", None),
        dispute("D", "I", "2026-04-25", Some("rejected")),
        payment("P", "I", 100_000, "2026-05-20"),
    ];
    let engine = world.play(rows, None).await;
    assert_eq!(outcomes(&engine).await, [paid("I")]);
    let during: Vec<_> = world
        .contacts()
        .into_iter()
        .filter(|act| act.as_str() >= "2026-04-02" && act.as_str() < "2026-04-25" && act.contains("overdue"))
        .collect();
    assert!(during.is_empty(), "{during:?}");
    assert!(world.contacts().iter().any(|act| act.contains("overdue-first")), "{:?}", world.acts());
}

#[tokio::test]
async fn a_promise_holds_and_is_judged_kept_or_broken() {
    for (paid_on, broken) in [("2026-04-10", false), ("2026-05-20", true)] {
        let world = World::new();
        let rows = vec![
            customer("C"),
            invoice("I", "C", "2026-03-02", "2026-04-01"),
            promise("PR", "I", "2026-04-02", "2026-04-10"),
            payment("P", "I", 100_000, paid_on),
        ];
        let engine = world.play(rows, None).await;
        assert_eq!(outcomes(&engine).await, [paid("I")]);
        let acts = world.acts();
        assert_eq!(acts.iter().any(|act| act.contains("promise-broken")), broken, "{acts:?}");
        let held = acts.iter().any(|act| act.contains("overdue") && act.as_str() < "2026-04-14");
        assert!(!held, "{acts:?}");
    }
}

#[tokio::test]
async fn a_transient_failure_is_tried_again_after_its_pause() {
    let world = World::new();
    let retry = || Delivery::Retry { reason: "greylisted".to_owned() };
    world.answers.lock().unwrap().extend([retry(), retry()]);
    let rows = vec![customer("C"), invoice("I", "C", "2026-03-02", "2026-04-01")];
    let engine = world.play(rows, Some("2026-03-31")).await;
    let email = world.email.lock().unwrap().clone();
    assert_eq!(email.len(), 1, "{:?}", world.acts());
    assert_eq!(cases(&engine).await[0].outcome, None);
    let contacts = world.contacts();
    assert_eq!(contacts.len(), 1, "two pauses leave one contact: {contacts:?}");
}

#[tokio::test]
async fn a_refusal_tries_the_next_channel_and_an_unknown_outcome_asks_a_person() {
    let world = World::new();
    world.answers.lock().unwrap().push_back(Delivery::Unknown { reason: "connection lost after the end".to_owned() });
    let rows = vec![customer("C"), invoice("I", "C", "2026-03-02", "2026-04-01")];
    let engine = world.play(rows, Some("2026-04-30")).await;
    let acts = world.acts();
    let first: Vec<_> = acts.iter().filter(|act| act.contains("upcoming-invoice")).collect();
    assert!(first.iter().any(|act| act.ends_with("email unknown")), "{acts:?}");
    assert!(acts.iter().any(|act| act.contains(" task ") && act.contains(" fix ")), "{acts:?}");
    assert_eq!(first.iter().filter(|act| act.contains(" contact ")).count(), 1, "never tried again blindly: {acts:?}");
    drop(engine);

    let world = World::new();
    world.answers.lock().unwrap().push_back(Delivery::Refused { reason: "no such user".to_owned() });
    let rows = vec![customer("C"), invoice("I", "C", "2026-03-02", "2026-04-01")];
    world.play(rows, Some("2026-04-10")).await;
    let acts = world.acts();
    assert!(acts.iter().any(|act| act.ends_with("upcoming-invoice email refused")), "{acts:?}");
}

/// Who looked says whether the message left; the case goes on as if the channel had said it, also after a payment.
#[tokio::test]
async fn a_person_resolves_what_nobody_knew() {
    for (word, pays) in [("sent", false), ("not_sent", false), ("sent", true), ("not_sent", true)] {
        let world = World::new();
        let unknown = Delivery::Unknown { reason: "connection lost after the end".to_owned() };
        world.answers.lock().unwrap().push_back(unknown);
        let mut rows = vec![customer("C"), invoice("I", "C", "2026-03-02", "2026-04-01")];
        if pays {
            rows.push(payment("P", "I", 100_000, "2026-03-30"));
        }
        let engine = world.play(rows, Some("2026-03-31")).await;
        let mut tx = engine.store().read().await.unwrap();
        let open = recobro_store::tasks::Filter { open: true, ..recobro_store::tasks::Filter::default() };
        let tasks = recobro_store::tasks::list(&mut tx, &open, None, 10).await.unwrap();
        drop(tx);
        let task = tasks.iter().find(|row| row.task.subject == "resolve-unknown-outcome").expect("somebody is asked");
        assert_eq!(task.task.outcomes, ["sent", "not_sent"]);
        let who = Who { name: "person:ana".to_owned(), why: String::new() };
        let answer = Answer { outcome: word.to_owned(), ..Answer::default() };
        engine.task_done(task.task.id, &answer, &who).await.unwrap();
        run(&engine, Some("2026-04-15"), &Nobody).await.unwrap();
        let mut tx = engine.store().read().await.unwrap();
        let left = recobro_store::outbox::list(&mut tx, Some(recobro_store::outbox::State::Unknown), "", 10).await;
        assert!(left.unwrap().is_empty(), "{word} {pays}");
        let rows = recobro_store::contacts::list(&mut tx, (Timestamp::from_us(0), ""), 100).await.unwrap();
        let first: Vec<_> = rows.iter().filter(|row| row.step == "upcoming-invoice").collect();
        let states: Vec<&str> = first.iter().map(|row| row.state.as_str()).collect();
        assert_eq!(states, if word == "sent" { vec!["sent"] } else { vec![] }, "{word} {pays}");
        let reminded = world.contacts().iter().any(|act| act.contains("overdue-first email accepted"));
        assert_eq!(reminded, !pays, "{word} {pays}: {:?}", world.acts());
    }
}

#[tokio::test]
async fn two_invoices_of_one_customer_leave_together_or_keep_the_gap() {
    let world = World::new();
    let rows = vec![
        customer("C"),
        invoice("I", "C", "2026-03-02", "2026-04-01"),
        invoice("J", "C", "2026-03-02", "2026-04-01"),
        invoice("K", "C", "2026-03-02", "2026-04-06"),
    ];
    world.play(rows, Some("2026-04-20")).await;
    // I and J in one message on the 7th; K, whose own word would come on the 9th, goes with their next one.
    let sent: Vec<String> = world.contacts().into_iter().filter(|act| act.contains("contact overdue-")).collect();
    assert_eq!(sent.len(), 3, "{sent:?}");
    let days: Vec<chrono::NaiveDate> = sent.iter().map(|act| act[..10].parse().unwrap()).collect();
    assert!(days.windows(2).all(|pair| (pair[1] - pair[0]).num_days() >= 4), "{sent:?}");
}

#[tokio::test]
async fn what_cannot_be_placed_is_parked_and_read_again_when_its_invoice_comes() {
    let world = World::new();
    let engine = world.play(vec![payment("P", "I", 100_000, "2026-04-20")], Some("2026-04-21")).await;
    let mut tx = engine.store().read().await.unwrap();
    let parked = recobro_store::inbound::parked(&mut tx, 0, 10).await.unwrap();
    drop(tx);
    assert!(parked[0].reason.starts_with("no invoice `I`"), "{}", parked[0].reason);
    let rows = vec![customer("C"), invoice("I", "C", "2026-03-02", "2026-04-01")];
    let received = engine.receive("test", &mut rows.clone().into_iter()).await.unwrap();
    assert_eq!((received.accepted, received.unchanged), (2, 0));
    let again = engine.receive("test", &mut rows.into_iter()).await.unwrap();
    assert_eq!((again.accepted, again.unchanged), (0, 2));
    run(&engine, Some("2026-04-22"), &Nobody).await.unwrap();
    let mut tx = engine.store().read().await.unwrap();
    assert!(recobro_store::inbound::parked(&mut tx, 0, 10).await.unwrap().is_empty());
    let id = recobro_kernel::ids::InvoiceId::from("I");
    let invoices = recobro_store::invoices::get(&mut tx, std::slice::from_ref(&id)).await.unwrap();
    assert_eq!(invoices[&id].balance_minor, 0);
}

#[tokio::test]
async fn a_payment_returned_after_the_end_opens_a_linked_case() {
    let world = World::new();
    let rows = vec![
        customer("C"),
        invoice("I", "C", "2026-03-02", "2026-04-01"),
        payment("P", "I", 100_000, "2026-04-20"),
        payment("R", "I", -100_000, "2026-04-28"),
        payment("Q", "I", 100_000, "2026-05-12"),
    ];
    let engine = world.play(rows, None).await;
    assert_eq!(outcomes(&engine).await, [paid("I"), paid("I")]);
}

/// Promises on the first call, approves everything.
struct Promising;

impl People for Promising {
    fn answer(&self, open: &OpenTask<'_>) -> Option<(Timestamp, Answer)> {
        let (at, mut answer) = Agents.answer(open)?;
        if open.task.kind == "call" {
            "promised".clone_into(&mut answer.outcome);
            answer.date = Some("2026-05-08".parse().unwrap());
        }
        Some((at, answer))
    }
}

#[tokio::test]
async fn a_promise_given_on_the_telephone_enters_the_ledger_and_holds_the_case() {
    let world = World::new();
    let rows = vec![customer("C"), invoice("I", "C", "2026-03-02", "2026-04-01")];
    let engine = world.play_with(rows, Some("2026-05-06"), &Promising).await;
    let case = &cases(&engine).await[0];
    assert_eq!(case.status.name(), "held", "{:?} {case:?}", world.acts());
    let mut tx = engine.store().read().await.unwrap();
    let id = recobro_kernel::ids::InvoiceId::from("I");
    let open = recobro_store::promises::open_of(&mut tx, &[id]).await.unwrap();
    assert_eq!(open[0].due_on, "2026-05-08".parse().unwrap());
}

#[tokio::test]
async fn operators_are_heard_once_and_told_when_it_is_too_late() {
    let world = World::new();
    let rows = vec![customer("C"), invoice("I", "C", "2026-03-02", "2026-04-01")];
    let engine = world.play(rows, Some("2026-04-22")).await;
    let case = cases(&engine).await.remove(0);
    let who = Who { name: "cli:ana".to_owned(), why: "customer asked".to_owned() };
    engine.pause(case.id, &who).await.unwrap();
    engine.pause(case.id, &who).await.unwrap();
    run(&engine, Some("2026-04-23"), &Nobody).await.unwrap();
    assert_eq!(cases(&engine).await[0].status.name(), "paused");
    engine.resume(case.id, &who).await.unwrap();
    run(&engine, Some("2026-04-23"), &Nobody).await.unwrap();
    let mut tx = engine.store().read().await.unwrap();
    let open = recobro_store::tasks::Filter { open: true, ..recobro_store::tasks::Filter::default() };
    let task = recobro_store::tasks::list(&mut tx, &open, None, 10).await.unwrap().remove(0).task;
    drop(tx);
    let wrong = Answer { outcome: "nonsense".to_owned(), ..Answer::default() };
    assert!(matches!(engine.task_done(task.id, &wrong, &who).await, Err(Error::Refused(_))));
    let past = Some("2025-04-30".parse().unwrap());
    let slip = Answer { outcome: "promised".to_owned(), date: past, ..Answer::default() };
    assert!(matches!(engine.task_done(task.id, &slip, &who).await, Err(Error::Refused(_))), "a year ago is no promise");
    let answer = Answer { outcome: "no_answer".to_owned(), ..Answer::default() };
    engine.task_done(task.id, &answer, &who).await.unwrap();
    assert!(matches!(engine.task_done(task.id, &answer, &who).await, Err(Error::Closed { .. })));
    run(&engine, Some("2026-04-23"), &Nobody).await.unwrap();
    assert!(matches!(engine.goto(case.id, "nowhere", &who).await, Err(Error::Refused(_))), "no such stage");
    engine.cancel(case.id, &who).await.unwrap();
    run(&engine, Some("2026-04-23"), &Nobody).await.unwrap();
    assert_eq!(outcomes(&engine).await, [("I".to_owned(), Some("cancelled".to_owned()))]);
    assert!(matches!(engine.pause(case.id, &who).await, Err(Error::Refused(_))));
}

fn portfolio() -> Vec<recobro_connectors::source::record::Record> {
    vec![
        customer("C"),
        customer("D"),
        invoice("I", "C", "2026-03-02", "2026-04-01"),
        invoice("J", "C", "2026-03-03", "2026-04-02"),
        invoice("K", "D", "2026-03-02", "2026-04-01"),
        dispute("DI", "J", "2026-04-14", None),
        dispute("DI", "J", "2026-04-20", Some("withdrawn")),
        promise("PR", "K", "2026-04-13", "2026-04-15"),
        reply("RE", "C", "text", "2026-04-22T10:07:00Z"),
        payment("P1", "I", 40_000, "2026-04-08"),
        payment("P2", "K", 100_000, "2026-05-11"),
    ]
}

#[tokio::test]
async fn a_run_killed_at_any_point_and_begun_again_ends_the_same() {
    let calm = World::dying_at(0);
    let engine = calm.play_with(portfolio(), Some("2026-07-31"), &Agents).await;
    let expected = state(&engine).await;
    let points = calm.faults.passed();
    let sent: Vec<String> = calm.email.lock().unwrap().iter().map(|item| item.key.clone()).collect();
    drop(engine);
    assert!(points > 50, "{points} points");
    // A prime step visits every kind of point; each n is a database of its own.
    for n in (1..=points).step_by(11) {
        let mut world = World::dying_at(n);
        let died = match world.try_engine().await {
            Ok(engine) => {
                let received = engine.receive("test", &mut portfolio().into_iter()).await;
                match received {
                    Ok(_) => run(&engine, Some("2026-07-31"), &Agents).await,
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        };
        assert!(matches!(died, Err(Error::Fault(_))), "point {n}: {died:?}");
        world.faults = Faults::none();
        let engine = world.play_with(portfolio(), Some("2026-07-31"), &Agents).await;
        assert_eq!(state(&engine).await, expected, "killed at point {n}: {died:?}");
        let mut again: Vec<String> = world.email.lock().unwrap().iter().map(|item| item.key.clone()).collect();
        again.sort();
        again.dedup();
        let mut sent = sent.clone();
        sent.sort();
        assert_eq!(again, sent, "the same keys, whatever was tried twice");
    }
}

/// An attorney was named: everything to the debtor stops, what must still be sent goes to the attorney, and the history
/// has no name.
#[tokio::test]
async fn what_others_report_reaches_the_cases_of_the_customer() {
    let world = World::new();
    let attorney = [("name", "Me Dupont"), ("email", "dupont@avocats.example"), ("address", "1 rue A, Lyon")];
    let rows = vec![
        customer("C"),
        invoice("I", "C", "2026-03-02", "2026-04-01"),
        invoice("J", "C", "2026-03-02", "2026-04-01"),
        outside("E", "attorney.named", "I", "2026-04-02T10:00:00Z", &attorney),
        outside("F", "promise.cancelled", "J", "2026-04-02T11:00:00Z", &[]),
    ];
    let engine = world.play(rows, Some("2026-05-30")).await;
    let after: Vec<_> = world.contacts().into_iter().filter(|act| act.as_str() > "2026-04-02").collect();
    assert!(after.is_empty(), "{after:?}");
    let mut tx = engine.store().read().await.unwrap();
    let points = recobro_store::customers::points(&mut tx, &["C".into()]).await.unwrap();
    assert_eq!(points.values().flatten().filter(|point| point.role == "attorney").count(), 2);
    let parked = recobro_store::inbound::parked(&mut tx, 0, 10).await.unwrap();
    assert_eq!(parked.iter().map(|row| row.reason.as_str()).collect::<Vec<_>>(), ["no promise is open on the invoice"]);
    let all = cases(&engine).await;
    assert_eq!(all.len(), 2);
    for case in all {
        let history = recobro_store::history::of_case(&mut tx, case.no, 0, 100).await.unwrap();
        let text: String = history.iter().map(|row| row.body.as_str()).collect();
        assert!(text.contains("attorney.named") && !text.contains("upont"), "{text}");
    }
}

/// A death is reported before the next invoice is: its case hears of it as it opens.
#[tokio::test]
async fn what_stops_a_customer_stops_the_invoices_that_come_later() {
    let world = World::new();
    let rows = vec![
        customer("C"),
        invoice("I", "C", "2026-03-02", "2026-04-01"),
        outside("E", "customer.deceased", "I", "2026-03-10T10:00:00Z", &[]),
        invoice("J", "C", "2026-03-20", "2026-04-20"),
    ];
    let engine = world.play(rows, Some("2026-06-30")).await;
    assert_eq!(world.contacts(), Vec::<String>::new(), "{:?}", world.acts());
    assert_eq!(cases(&engine).await.len(), 2);
}

/// Money that comes and goes on one day leaves the invoice open, whatever its case heard first.
#[tokio::test]
async fn a_payment_returned_on_its_own_day_does_not_end_the_dunning() {
    let world = World::new();
    let rows = vec![
        customer("C"),
        invoice("I", "C", "2026-03-02", "2026-04-01"),
        payment("P", "I", 100_000, "2026-04-20"),
        payment("R", "I", -100_000, "2026-04-20"),
    ];
    let engine = world.play(rows, Some("2026-05-05")).await;
    let open: Vec<_> = cases(&engine).await.into_iter().filter(|case| case.outcome.is_none()).collect();
    assert_eq!(open.len(), 1, "{:?} {:?}", outcomes(&engine).await, world.acts());
}

/// A credit note's reversal, months after the end.
#[tokio::test]
async fn an_amount_raised_after_the_end_opens_a_linked_case() {
    let world = World::new();
    let rows =
        vec![customer("C"), invoice("I", "C", "2026-03-02", "2026-04-01"), payment("P", "I", 100_000, "2026-04-20")];
    let engine = world.play(rows, Some("2026-05-01")).await;
    let Record::Invoice(mut raised) = invoice("I", "C", "2026-03-02", "2026-04-01") else { unreachable!() };
    raised.amount.minor = 150_000;
    raised.at = Some("2026-05-04T08:00:00Z".parse().unwrap());
    engine.receive("test", &mut std::iter::once(Record::Invoice(raised))).await.unwrap();
    run(&engine, Some("2026-05-10"), &Nobody).await.unwrap();
    let all = outcomes(&engine).await;
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(all.contains(&("I".to_owned(), None)), "{all:?}");
}

/// The day the product is switched on: invoices long due, with the promises and disputes that stand, in one import.
#[tokio::test]
async fn a_first_import_with_what_was_agreed_before_sends_nothing_against_it() {
    let world = World::new();
    let others = vec![customer("A"), reply("R", "A", "text", "2026-06-01T10:00:00Z")];
    let engine = world.play(others, Some("2026-06-01")).await;
    let rows = vec![
        customer("C"),
        customer("D"),
        invoice("I", "C", "2026-03-02", "2026-04-01"),
        invoice("J", "D", "2026-03-02", "2026-04-01"),
        promise("PR", "I", "2026-05-20", "2026-06-12"),
        dispute("Q", "J", "2026-05-20", None),
    ];
    engine.receive("test", &mut rows.into_iter()).await.unwrap();
    run(&engine, Some("2026-06-12"), &Nobody).await.unwrap();
    assert_eq!(world.contacts().iter().filter(|act| act.contains("overdue")).count(), 0, "{:?}", world.contacts());
    let mut tx = engine.store().read().await.unwrap();
    let held = cases(&engine).await;
    assert_eq!(held.len(), 2);
    for case in held {
        let history = recobro_store::history::of_case(&mut tx, case.no, 0, 100).await.unwrap();
        let text: String = history.iter().map(|row| row.body.as_str()).collect();
        let news = if case.invoice.as_str() == "I" { "promise.made" } else { "dispute.opened" };
        assert!(text.contains(news), "{text}");
    }
}

#[tokio::test]
async fn a_hand_over_to_a_playbook_that_is_not_published_waits_for_it() {
    // Due on 1 April it is handed over on the 11th; due on 1 March already as it enters.
    let on = ["2026-02-01", "2026-03-19"];
    for (due, known, parked) in [("2026-04-01", on[0], "2026-04-12"), ("2026-03-01", on[1], "2026-03-20")] {
        let world = World::new();
        let (all, without) = world::handing_over();
        let engine = world.try_engine_with(&without).await.unwrap();
        run(&engine, Some(known), &Nobody).await.unwrap();
        let rows = vec![customer("C"), invoice("I", "C", "2026-02-02", due)];
        engine.receive("test", &mut rows.into_iter()).await.unwrap();
        run(&engine, Some(parked), &Nobody).await.unwrap();
        let row = cases(&engine).await.remove(0);
        assert_eq!((row.status.name(), row.outcome), ("attention", None), "due {due}");
        assert!(world.acts().iter().any(|act| act.contains(" task ")), "{:?}", world.acts());
        let ana = Who { name: "ana".to_owned(), why: "try again".to_owned() };
        for day in ["2026-04-13", "2026-04-14"] {
            let before = cases(&engine).await[0].rev;
            engine.retry(row.id, &ana).await.unwrap();
            run(&engine, Some(day), &Nobody).await.unwrap();
            let again = cases(&engine).await.remove(0);
            assert_eq!((again.status.name(), again.outcome), ("attention", None));
            assert!(again.rev > before, "the retry was heard, so that the next one is another");
        }
        drop(engine);

        let engine = world.try_engine_with(&all).await.unwrap();
        engine.retry(row.id, &ana).await.unwrap();
        run(&engine, Some("2026-04-16"), &Nobody).await.unwrap();
        let states: Vec<_> = cases(&engine).await.into_iter().map(|case| case.outcome).collect();
        assert_eq!(states, [Some("handed_over".to_owned()), None], "due {due}");
    }
}

const OWN: &str = "
facts:
  customer.x.arr: {type: decimal, default: 0}
  invoice.x.channel: {type: text, values: [shop, web]}
";

const OWN_PROBE: &str = "
playbook: probe
version: 1
title: Facts of one's own
owner: credit-control
currency: EUR
calendar: es-business
policy: [eu-b2b]
applies_to: {customer.x.arr: '>= 1000'}
contact: {locales: [en], hours: 09:00-18:00}
stages:
  - stage: only
    steps:
      - {send: overdue-first, via: [email], day: 5, when: '(invoice.x.channel ?? \"shop\") == \"web\"'}
      - {id: big, send: overdue-second, with: {tone: neutral}, via: [email], day: 15, when: customer.x.arr > 5000}
      - {finish: needs_review, day: 60}
whenever:
  - {event: invoice.paid, then: {finish: paid}}
  - {event: customer.changed, when: event.field == \"x.arr\" and event.to == \"9000\", do: [{task: arr, within: 5 days}]}
  - {event: invoice.changed, when: event.field == \"x.channel\", do: [{task: channel, within: 5 days}]}
";

fn with_x(record: Record, name: &str, text: &str) -> Record {
    let x = [(name.to_owned(), text.to_owned())].into();
    match record {
        Record::Customer(customer) => Record::Customer(Customer { x, ..customer }),
        Record::Invoice(invoice) => Record::Invoice(Invoice { x, ..invoice }),
        other => other,
    }
}

#[tokio::test]
async fn own_facts_select_and_decide_and_their_changes_are_told() {
    let world = World::new();
    let library = world::library_of(&[("workflows/facts.yaml", OWN), ("workflows/probe.yaml", OWN_PROBE)]);
    let engine = world.try_engine_with(&library).await.unwrap();
    let i = || invoice("I", "C", "2026-04-01", "2026-05-01");
    let rows = vec![
        with_x(customer("C"), "arr", "1000"),
        with_x(i(), "channel", "web"),
        customer("D"),
        invoice("J", "D", "2026-04-01", "2026-05-01"),
    ];
    engine.receive("test", &mut rows.into_iter()).await.unwrap();
    run(&engine, Some("2026-05-08"), &Nobody).await.unwrap();
    assert_eq!(outcomes(&engine).await, [("I".to_owned(), None)], "J has no playbook: its customer's arr is 0");
    assert_eq!(world.contacts().len(), 1, "{:?}", world.contacts());
    drop(engine);

    // The declaration is gone from the project: what runs goes on with the one it was published with.
    let other = world::library_of(&[]);
    let engine = world.try_engine_with(&other).await.unwrap();
    let rows = vec![with_x(customer("C"), "arr", "9000"), with_x(i(), "channel", "shop")];
    engine.receive("test", &mut rows.into_iter()).await.unwrap();
    run(&engine, Some("2026-05-25"), &Nobody).await.unwrap();
    assert_eq!(world.contacts().len(), 2, "{:?}", world.contacts());
    let tasks = world.acts().into_iter().filter(|act| act.contains(" task ")).count();
    assert_eq!(tasks, 2, "{:?}", world.acts());
}

const REST: &str = "
playbook: NAME
version: 1
title: One reminder
owner: credit-control
currency: CURRENCY
calendar: es-business
applies_to: {APPLIES}
contact: {locales: [en], hours: 09:00-18:00}
stages:
  - stage: only
    steps:
      - {send: overdue-first, via: [email], day: 5}
      - {finish: needs_review, day: 60}
whenever:
  - {event: invoice.paid, then: {finish: paid}}
";

fn one_reminder(name: &str, currency: &str, applies: &str) -> String {
    REST.replace("NAME", name).replace("CURRENCY", currency).replace("APPLIES", applies)
}

/// Why each case has its playbook.
async fn picked(engine: &Engine) -> Vec<String> {
    let mut found = Vec::new();
    for case in cases(engine).await {
        let mut tx = engine.store().read().await.unwrap();
        let rows = recobro_store::history::of_case(&mut tx, case.no, 0, 1).await.unwrap();
        let body: TurnBody = serde_json::from_str(&rows[0].body).unwrap();
        let Written::Entered { chosen, playbook, .. } = &body.records[0] else { panic!("no beginning") };
        found.push(format!("{}: {} -> {playbook}", case.invoice, chosen.as_ref().unwrap().sentence()));
    }
    found.sort();
    found
}

async fn unmatched(engine: &Engine) -> Vec<String> {
    let mut tx = engine.store().read().await.unwrap();
    let rows = recobro_store::unmatched::list(&mut tx, "", 100).await.unwrap();
    rows.into_iter().map(|row| format!("{}: {}", row.invoice, row.reason)).collect()
}

#[tokio::test]
async fn a_table_picks_the_playbook_and_says_by_which_row() {
    let table = "
segments:
  inputs: [customer.kind, customer.country, invoice.product]
  rows:
    - [business, [ES, PT], _, b2b]
    - {when: [person, _, [electricity, gas]], playbook: none, note: the supplier asks}
    - [_, _, _, general]
";
    let (b2b, general) = (one_reminder("b2b", "USD", ""), one_reminder("general", "any", ""));
    let files =
        [("workflows/segments.yaml", table), ("workflows/b2b.yaml", &b2b), ("workflows/general.yaml", &general)];
    let (world, library) = (World::new(), world::library_of(&files));
    let engine = world.try_engine_with(&library).await.unwrap();
    let of = |id: &str, kind: &str, country: &str| match customer(id) {
        Record::Customer(c) => Record::Customer(Customer { kind: kind.to_owned(), country: country.to_owned(), ..c }),
        other => other,
    };
    let rows = vec![
        of("A", "business", "ES"),
        invoice("I1", "A", "2026-04-01", "2026-05-01"),
        of("B", "person", "FR"),
        match invoice("I2", "B", "2026-04-01", "2026-05-01") {
            Record::Invoice(i) => Record::Invoice(Invoice { product: "gas".to_owned(), ..i }),
            other => other,
        },
        of("C", "public", "DE"),
        invoice("I3", "C", "2026-04-01", "2026-05-01"),
    ];
    engine.receive("test", &mut rows.into_iter()).await.unwrap();
    run(&engine, Some("2026-04-02"), &Nobody).await.unwrap();
    assert_eq!(picked(&engine).await, ["I3: segments.yaml row 3 -> general"]);
    let refused = "I1: segments.yaml row 1: customer.kind = business, customer.country = ES -> b2b, \
        which refuses it: currency is EUR, it takes USD";
    let none = "I2: segments.yaml row 2: customer.kind = person, invoice.product = gas (the supplier asks) -> none";
    assert_eq!(unmatched(&engine).await, [refused, none]);
    // The customer changes, and the invoice that nobody took is offered to the table again.
    engine.receive("test", &mut vec![of("A", "public", "ES")].into_iter()).await.unwrap();
    run(&engine, Some("2026-04-03"), &Nobody).await.unwrap();
    assert_eq!(unmatched(&engine).await, [none], "{:?}", picked(&engine).await);
}

#[tokio::test]
async fn without_a_table_priority_picks_and_says_so() {
    let b2b = one_reminder("b2b", "EUR", "customer.kind: business, priority: 20");
    let general = one_reminder("general", "any", "priority: 0");
    let library = world::library_of(&[("workflows/b2b.yaml", &b2b), ("workflows/general.yaml", &general)]);
    let world = World::new();
    let engine = world.try_engine_with(&library).await.unwrap();
    let rows = vec![customer("A"), invoice("I1", "A", "2026-04-01", "2026-05-01")];
    engine.receive("test", &mut rows.into_iter()).await.unwrap();
    run(&engine, Some("2026-04-02"), &Nobody).await.unwrap();
    assert_eq!(picked(&engine).await, ["I1: applies_to, priority 20: customer.kind = business -> b2b"]);
}

/// Two hundred invoices of eighty customers, 90 to 300 days late, imported on one day.
fn late_import() -> Vec<Record> {
    let mut rows: Vec<Record> = (0..80).map(|n| customer(&format!("C{n:02}"))).collect();
    for n in 0..200_u64 {
        let due = date("2026-05-04") - chrono::Days::new(90 + n * 210 / 199);
        let issued = due - chrono::Days::new(30);
        let record = invoice(&format!("I{n:03}"), &format!("C{:02}", n % 80), &issued.to_string(), &due.to_string());
        rows.push(record);
    }
    rows
}

fn date(text: &str) -> chrono::NaiveDate {
    text.parse().unwrap()
}

/// Contacts as `(date, customer)`, in order.
async fn contacts_of(engine: &Engine) -> Vec<(chrono::NaiveDate, String)> {
    let mut tx = engine.store().read().await.unwrap();
    let rows = recobro_store::contacts::list(&mut tx, (Timestamp::from_us(0), ""), 10_000).await.unwrap();
    rows.into_iter().map(|row| (row.local_on, row.customer.0)).collect()
}

#[tokio::test]
async fn a_backlog_is_spread_by_customer_and_the_same_everywhere() {
    let playbook = one_reminder("late", "EUR", "customer.kind: business")
        .replace("contact: {", "contact: {min_gap: 5 days, ")
        .replace("stages:", "backlog: {over: 60 days, start_at: firm, spread: 10 working days}\nstages:")
        .replace("      - {finish: needs_review, day: 60}\n", "  - stage: firm\n    steps:\n      - {send: statement-of-account, via: [email], day: 30}\n      - {finish: needs_review, day: 60}\n");
    let library = world::library_of(&[("workflows/late.yaml", &playbook)]);
    let mut played = Vec::new();
    for _ in 0..2 {
        let world = World::new();
        let engine = world.try_engine_with(&library).await.unwrap();
        run(&engine, Some("2026-05-04"), &Nobody).await.unwrap();
        engine.receive("test", &mut late_import().into_iter()).await.unwrap();
        run(&engine, Some("2026-06-15"), &Nobody).await.unwrap();
        let contacts = contacts_of(&engine).await;
        assert_eq!(contacts.len(), 200, "every invoice is asked for once");
        let mut first: BTreeMap<&String, chrono::NaiveDate> = BTreeMap::new();
        let mut last: BTreeMap<&String, chrono::NaiveDate> = BTreeMap::new();
        for (on, customer) in &contacts {
            first.entry(customer).or_insert(*on);
            let before = last.insert(customer, *on);
            assert!(before.is_none_or(|before| (*on - before).num_days() >= 5), "{customer} on {on} after {before:?}");
        }
        let mut days: BTreeMap<chrono::NaiveDate, usize> = BTreeMap::new();
        for on in first.values() {
            *days.entry(*on).or_default() += 1;
        }
        let shown: Vec<String> = days.keys().map(|on| on.format("%d").to_string()).collect();
        // Ten working days in France: the 8th and the 14th of May are holidays.
        assert_eq!(shown.join(" "), "05 06 07 11 12 13 15 18 19 20", "{days:?}");
        assert!(days.values().all(|count| (2..=20).contains(count)), "{days:?}");
        let deferred = deferrals(&engine, "backlog.spread").await;
        assert!(deferred > 150, "{deferred} cases say why they wait");
        played.push((contacts, state(&engine).await));
    }
    assert_eq!(played[0], played[1]);
}

/// Cases whose first turn waits because of a rule.
async fn deferrals(engine: &Engine, rule: &str) -> usize {
    let mut count = 0;
    for case in cases(engine).await {
        let mut tx = engine.store().read().await.unwrap();
        let rows = recobro_store::history::of_case(&mut tx, case.no, 0, 1).await.unwrap();
        let body: TurnBody = serde_json::from_str(&rows[0].body).unwrap();
        let is_due = |record: &Written| matches!(record, Written::Deferred { moved, .. } if moved[0].rule == rule);
        count += usize::from(body.records.iter().any(is_due));
    }
    count
}

#[tokio::test]
async fn staff_hears_once_that_a_customer_entered_a_segment() {
    let handler = "
  - event: customer.changed
    when: event.field == \"segment\" and event.to == \"key\"
    do: [{notify: became-key, bundle: customer}, {id: each, notify: every-case, to: desk}]
";
    let playbook = one_reminder("one", "EUR", "customer.kind: business") + handler.trim_start_matches('\n');
    let library = world::library_of(&[("workflows/one.yaml", &playbook)]);
    let world = World::new();
    let engine = world.try_engine_with(&library).await.unwrap();
    let rows = vec![
        customer("A"),
        invoice("I1", "A", "2026-04-01", "2026-05-01"),
        invoice("I2", "A", "2026-04-02", "2026-05-02"),
        invoice("I3", "A", "2026-04-03", "2026-05-03"),
    ];
    engine.receive("test", &mut rows.into_iter()).await.unwrap();
    run(&engine, Some("2026-04-10"), &Nobody).await.unwrap();
    let segment = |name: &str| match customer("A") {
        Record::Customer(c) => Record::Customer(Customer { segment: name.to_owned(), ..c }),
        other => other,
    };
    let heard = || {
        let staff = world.staff.lock().unwrap();
        // A lane takes one key once, so as many messages left as there are keys.
        let mut keys: Vec<(String, String, String)> =
            staff.iter().map(|item| (item.subject_line.clone(), item.meta["to"].clone(), item.key.clone())).collect();
        keys.sort();
        keys.dedup();
        keys.into_iter().map(|(subject, to, _)| format!("{subject} to {to}")).collect::<Vec<_>>()
    };
    for (day, name, times) in [("2026-04-11", "key", 1), ("2026-04-12", "sme", 1), ("2026-04-13", "key", 2)] {
        engine.receive("test", &mut vec![segment(name)].into_iter()).await.unwrap();
        run(&engine, Some(day), &Nobody).await.unwrap();
        let all = heard();
        let of = |text: &str| all.iter().filter(|one| *one == text).count();
        assert_eq!(
            (of("became-key to credit-control"), of("every-case to desk")),
            (times, times * 3),
            "{day}: {all:?}"
        );
    }
}

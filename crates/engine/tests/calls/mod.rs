//! Calls by people: the number of a task is shown only when the guard allows the call at that very moment.

use crate::world::{World, customer, dispute, invoice, library_of, payment, run};
use recobro_connectors::source::record::{ContactPoint, Record};
use recobro_engine::call::Number;
use recobro_engine::explain::parts;
use recobro_engine::{Answer, Engine, Error, Nobody, Who};
use recobro_kernel::facts::Channel;
use recobro_kernel::ids::InvoiceId;
use recobro_kernel::time::Timestamp;
use recobro_store::contacts::{self, ContactRow};
use recobro_store::tasks::{self, Filter, TaskRow};

const CALLING: &str = "
playbook: probe
version: 1
title: A call a week
owner: credit-control
currency: EUR
calendar: fr-energy
policy: [eu-b2b]
applies_to: {customer.kind: business, priority: 90}
contact: {locales: [= customer.locale, en], hours: 09:00-18:00, caps: [2 per week], min_gap: 2 days}
stages:
  - stage: only
    steps:
      - {call: ask, day: 5, within: 10 working days, outcomes: {promised: {do: []}}}
      - {finish: uncollected}
whenever:
  - event: invoice.paid
    then: {finish: paid}
  - event: dispute.opened
    do: [{hold: dispute, until: dispute.closed, at_most: 30 days, on_timeout: {remind: credit-control}}]
    then: resume
  - event: promise.made
    do: [{hold: promise, until: = promise.date}]
    then: resume
";

fn with_phone(id: &str) -> Record {
    let Record::Customer(mut customer) = customer(id) else { unreachable!() };
    customer.contact_points.push(ContactPoint {
        channel: Channel::Call,
        address: "+33 1 23 45 67 89".to_owned(),
        role: "billing".to_owned(),
        name: Some("Marie".to_owned()),
    });
    Record::Customer(customer)
}

/// A Monday on which the calls of these invoices were opened at nine.
async fn opened(world: &World, invoices: &[&str]) -> Engine {
    let engine = world.try_engine_with(&library_of(&[("workflows/probe.yaml", CALLING)])).await.unwrap();
    let mut rows = vec![with_phone("C")];
    rows.extend(invoices.iter().map(|id| invoice(id, "C", "2026-03-02", "2026-04-08")));
    engine.receive("test", &mut rows.into_iter()).await.unwrap();
    run(&engine, Some("2026-04-12"), &Nobody).await.unwrap();
    move_to(&engine, "2026-04-13T08:00:00Z");
    while engine.round_once().await.unwrap() {}
    engine
}

fn move_to(engine: &Engine, at: &str) {
    engine.clock().move_to(at.parse().unwrap());
}

async fn calls(engine: &Engine) -> Vec<TaskRow> {
    let mut tx = engine.store().read().await.unwrap();
    let filter = Filter { open: true, kind: Some("call".to_owned()), ..Filter::default() };
    tasks::list(&mut tx, &filter, None, 100).await.unwrap()
}

async fn attempts(engine: &Engine) -> Vec<ContactRow> {
    let mut tx = engine.store().read().await.unwrap();
    contacts::list(&mut tx, (Timestamp::from_us(0), ""), 100).await.unwrap()
}

async fn open(engine: &Engine, task: &TaskRow) -> Result<Number, Error> {
    let who = Who { name: "person:ana".to_owned(), why: String::new() };
    engine.open_number(task.task.id, &who).await
}

fn said(number: &Number) -> (&str, &str) {
    let (verdict, rule, _) = parts(&number.verdict);
    (verdict, rule)
}

#[tokio::test]
async fn the_number_is_shown_within_hours_and_counts_as_an_attempt() {
    let world = World::new();
    let engine = opened(&world, &["I"]).await;
    let task = calls(&engine).await.remove(0);
    let number = open(&engine, &task).await.unwrap();
    assert_eq!(said(&number), ("allow", ""));
    assert_eq!((number.number.as_deref(), number.name.as_str()), (Some("+33 1 23 45 67 89"), "Marie"));
    assert_eq!(number.local, "2026-04-13 10:00");
    assert_eq!(attempts(&engine).await.len(), 1);
    // Looked at again: the same call. An hour later: another one, and the week has room for two.
    move_to(&engine, "2026-04-13T08:05:00Z");
    open(&engine, &task).await.unwrap();
    assert_eq!(attempts(&engine).await.len(), 1);
    // Looked at every ten minutes it does not stay the same call.
    move_to(&engine, "2026-04-13T08:14:00Z");
    open(&engine, &task).await.unwrap();
    assert_eq!(attempts(&engine).await.len(), 1);
    move_to(&engine, "2026-04-13T08:24:00Z");
    open(&engine, &task).await.unwrap();
    assert_eq!(attempts(&engine).await.len(), 2);
    move_to(&engine, "2026-04-13T08:30:00Z");
    assert_eq!(said(&open(&engine, &task).await.unwrap()), ("allow", ""), "tries of one call keep no gap");
    assert_eq!(attempts(&engine).await.len(), 2);
    move_to(&engine, "2026-04-15T08:00:00Z");
    let third = open(&engine, &task).await.unwrap();
    assert_eq!((said(&third).0, third.number.as_deref()), ("defer", None));
    assert_eq!(third.moved[0].rule, "cap 2 per 1 week");
    assert_eq!(attempts(&engine).await.len(), 2, "what was not allowed is no attempt");
}

#[tokio::test]
async fn at_night_the_number_stays_closed_and_the_log_says_why() {
    let world = World::new();
    let engine = opened(&world, &["I"]).await;
    let task = calls(&engine).await.remove(0);
    move_to(&engine, "2026-04-13T18:30:00Z");
    let number = open(&engine, &task).await.unwrap();
    let (verdict, rule, until) = parts(&number.verdict);
    assert_eq!((verdict, number.number.as_deref()), ("defer", None));
    assert!(rule.starts_with("hours"), "{rule}");
    assert_eq!(until.unwrap().to_string(), "2026-04-14T07:00:00.000000Z");
    let mut tx = engine.store().read().await.unwrap();
    let (from, to) = ("2026-04-13T00:00:00Z".parse().unwrap(), "2026-04-14T00:00:00Z".parse().unwrap());
    let log = recobro_store::verdicts::of_customer(&mut tx, &task.customer, (from, to), 10).await.unwrap();
    assert_eq!((log[0].effect.clone(), log[0].verdict.as_str()), (task.task.id.to_string(), "defer"));
}

#[tokio::test]
async fn what_came_after_the_call_was_ordered_keeps_the_number_closed() {
    let world = World::new();
    let engine = opened(&world, &["I"]).await;
    let task = calls(&engine).await.remove(0);
    engine.receive("test", &mut vec![dispute("D", "I", "2026-04-13", None)].into_iter()).await.unwrap();
    let refused = open(&engine, &task).await.unwrap_err();
    assert!(refused.to_string().contains("news waits"), "{refused}");
    while engine.round_once().await.unwrap() {}
    let number = open(&engine, &task).await.unwrap();
    assert_eq!(said(&number), ("forbid", "nothing claimable"));

    let world = World::new();
    let engine = opened(&world, &["I"]).await;
    let task = calls(&engine).await.remove(0);
    engine.receive("test", &mut vec![payment("P", "I", 100_000, "2026-04-13")].into_iter()).await.unwrap();
    while engine.round_once().await.unwrap() {}
    let closed = open(&engine, &task).await.unwrap_err();
    assert!(matches!(closed, Error::Closed { .. }), "{closed}");
    assert!(attempts(&engine).await.is_empty());
}

/// Three invoices of one customer under two playbooks that bundle.
async fn opened_in_one_go(world: &World) -> Engine {
    let bundling = CALLING.replace("min_gap: 2 days}", "min_gap: 2 days, bundle: customer}");
    let other = bundling.replace("playbook: probe", "playbook: other").replace(
        "applies_to: {customer.kind: business, priority: 90}",
        "applies_to: {customer.kind: business, invoice.balance: \">= 2000\", priority: 95}",
    );
    let files = [("workflows/probe.yaml", bundling.as_str()), ("workflows/other.yaml", &other)];
    let engine = world.try_engine_with(&library_of(&files)).await.unwrap();
    let Record::Invoice(mut large) = invoice("L", "C", "2026-03-02", "2026-04-08") else { unreachable!() };
    large.amount.minor = 300_000;
    let rows = ["I", "J"].map(|id| invoice(id, "C", "2026-03-02", "2026-04-08"));
    let rows: Vec<Record> = [with_phone("C"), Record::Invoice(large)].into_iter().chain(rows).collect();
    engine.receive("test", &mut rows.into_iter()).await.unwrap();
    run(&engine, Some("2026-04-12"), &Nobody).await.unwrap();
    move_to(&engine, "2026-04-13T08:00:00Z");
    while engine.round_once().await.unwrap() {}
    let playbooks: Vec<_> = crate::world::cases(&engine).await.into_iter().map(|case| case.playbook).collect();
    assert!(playbooks.contains(&"other".to_owned()) && playbooks.contains(&"probe".to_owned()), "{playbooks:?}");
    engine
}

fn answer(outcome: &str, amount: Option<&str>) -> Answer {
    let date = amount.map(|_| "2026-04-20".parse().unwrap());
    Answer { outcome: outcome.to_owned(), date, amount: amount.map(str::to_owned), reason: None, seen: None }
}

#[tokio::test]
async fn one_call_is_opened_and_answered_once_for_all_invoices_of_a_customer() {
    let world = World::new();
    let engine = opened_in_one_go(&world).await;
    let open_calls = calls(&engine).await;
    assert_eq!(open_calls.len(), 3);
    let number = open(&engine, &open_calls[0]).await.unwrap();
    assert_eq!(number.invoices.len(), 3);
    let who = Who { name: "person:ana".to_owned(), why: String::new() };
    let done = engine.task_done_together(open_calls[0].task.id, &answer("no_answer", None), &who).await.unwrap();
    assert_eq!((done.with.len(), done.outcome.as_str(), done.left.len()), (2, "no_answer", 0));
    while engine.round_once().await.unwrap() {}
    assert!(calls(&engine).await.is_empty());
    let made = attempts(&engine).await;
    let calls: std::collections::BTreeSet<_> = made.iter().map(|row| (row.group, row.at)).collect();
    assert_eq!((made.len(), calls.len()), (3, 1), "one call to the customer, about each of three invoices");
    for case in crate::world::cases(&engine).await {
        let mut tx = engine.store().read().await.unwrap();
        let story = recobro_store::history::of_case(&mut tx, case.no, 0, 100).await.unwrap();
        assert!(story.iter().any(|row| row.body.contains("no_answer")), "{}", case.invoice);
    }
}

/// Whoever looks at it next, from whichever invoice: it stays a try of the task that began it.
#[tokio::test]
async fn one_call_is_a_try_of_the_task_it_was_begun_from() {
    let world = World::new();
    let engine = opened_in_one_go(&world).await;
    let open_calls = calls(&engine).await;
    open(&engine, &open_calls[0]).await.unwrap();
    let begun = attempts(&engine).await;
    move_to(&engine, "2026-04-13T08:05:00Z");
    assert_eq!(said(&open(&engine, &open_calls[1]).await.unwrap()).0, "allow");
    assert_eq!(attempts(&engine).await, begun);
}

#[tokio::test]
async fn what_is_said_of_one_invoice_closes_the_other_calls_as_reached_or_only_its_own() {
    let world = World::new();
    let engine = opened_in_one_go(&world).await;
    let open_calls = calls(&engine).await;
    let who = Who { name: "person:ana".to_owned(), why: String::new() };
    engine.task_done(open_calls[0].task.id, &answer("no_answer", None), &who).await.unwrap();
    assert_eq!(calls(&engine).await.len(), 2, "alone");
    let told = answer("promised", Some("100.00"));
    let done = engine.task_done_together(open_calls[1].task.id, &told, &who).await.unwrap();
    assert_eq!((done.with.len(), done.outcome.as_str()), (1, "reached"));
    while engine.round_once().await.unwrap() {}
    let talks = attempts(&engine).await;
    let talks: Vec<_> = talks.iter().filter(|row| row.talk).map(|row| (row.group, row.at)).collect();
    assert!(talks.len() == 2 && talks[0] == talks[1], "one talk about two invoices: {talks:?}");
    let mut tx = engine.store().read().await.unwrap();
    let invoice = open_calls[1].invoice.clone();
    let promises =
        recobro_store::promises::latest_of(&mut tx, &[invoice, open_calls[2].invoice.clone()]).await.unwrap();
    assert_eq!(promises.len(), 1);
}

#[tokio::test]
async fn a_call_takes_no_invoice_along_that_may_not_be_asked_for() {
    let world = World::new();
    let engine = opened_in_one_go(&world).await;
    engine.receive("test", &mut vec![dispute("D", "I", "2026-04-13", None)].into_iter()).await.unwrap();
    while engine.round_once().await.unwrap() {}
    let open_calls = calls(&engine).await;
    assert_eq!(open_calls.len(), 3, "the work stays open while the dispute lasts");
    let large = open_calls.iter().find(|row| row.invoice.as_str() == "L").unwrap();
    let number = open(&engine, large).await.unwrap();
    assert_eq!((said(&number).0, &number.invoices[..]), ("allow", &["L".to_owned(), "J".to_owned()][..]));
    let about: Vec<_> = attempts(&engine).await.iter().map(|row| row.invoice.to_string()).collect();
    assert!(about.len() == 2 && !about.contains(&"I".to_owned()), "{about:?}");
    let who = Who { name: "person:ana".to_owned(), why: String::new() };
    let done = engine.task_done_together(large.task.id, &answer("reached", None), &who).await.unwrap();
    let names = |list: &[InvoiceId]| list.iter().map(InvoiceId::to_string).collect::<Vec<_>>();
    assert_eq!((names(&done.with), names(&done.left)), (vec!["J".to_owned()], vec!["I".to_owned()]));
}

/// A promise breaks after the customer asked for peace: the call that the playbook orders then is not made meanwhile.
#[tokio::test]
async fn a_call_ordered_under_a_hold_is_not_made_while_it_stands() {
    let world = World::new();
    let playbook = CALLING.replace(
        "  - event: promise.made\n",
        "  - event: promise.broken\n    do: [{call: broken, within: 15 working days}]\n    then: resume\n  \
         - event: contact.cease_requested\n    do:\n      \
         - {task: review, assign: legal-desk, within: 60 working days, hold_while_open: true}\n    then: resume\n  \
         - event: promise.made\n",
    );
    let engine = world.try_engine_with(&library_of(&[("workflows/probe.yaml", &playbook)])).await.unwrap();
    let rows = vec![
        with_phone("C"),
        invoice("I", "C", "2026-03-02", "2026-04-08"),
        crate::world::promise("P", "I", "2026-03-20", "2026-04-09"),
        crate::world::outside("X", "contact.cease_requested", "I", "2026-04-07T08:00:00Z", &[]),
    ];
    engine.receive("test", &mut rows.into_iter()).await.unwrap();
    run(&engine, Some("2026-04-19"), &Nobody).await.unwrap();
    move_to(&engine, "2026-04-20T08:00:00Z");
    while engine.round_once().await.unwrap() {}
    let task = calls(&engine).await.into_iter().find(|row| row.task.subject == "broken").unwrap();
    let number = open(&engine, &task).await.unwrap();
    let (verdict, rule) = said(&number);
    assert_eq!((verdict, number.number.as_deref()), ("forbid", None));
    assert!(rule.starts_with("held by"), "{rule}");
}

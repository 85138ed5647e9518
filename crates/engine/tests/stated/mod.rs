//! What the law of the reader's place wants a text to state, whatever the playbook was checked for.

use crate::world::{World, cases, customer, invoice, library_of, run};
use recobro_connectors::source::record::{Customer, Record};
use recobro_engine::{Engine, Nobody};

/// A playbook that names no country, with a way out by a second text.
const PLAYBOOK: &str = "
playbook: anywhere
version: 1
title: One reminder for anybody
owner: credit-control
currency: any
calendar: house
applies_to: {priority: 1}
contact: {locales: [= customer.locale, en], hours: 09:00-18:00}
stages:
  - stage: only
    steps:
      - {send: TEXT, day: 5, via: [email], on_error: {task: look-at-it, within: 5 working days}}
      - {finish: needs_review, day: 60}
whenever:
  - {event: invoice.paid, then: {finish: paid}}
";

const SILENT: &str = "---\nclass: dunning\nlevel: 1\nsubject: \"Invoice\"\n---\n\
    {{ creditor.name }}: {{ invoice.number }}, {{ invoice.claimable | money }}.\n";

const POLICY: &str = "
policy: probe
version: 1
title: Probe
owner: compliance
jurisdiction: FR
rules:
  - {rule: say-how, kind: content, classes: [dunning], params: {require: [how_to_object]}, source: a statute, confidence: known}
";

async fn play(world: &World, text: &str, rows: Vec<Record>) -> Engine {
    let playbook = PLAYBOOK.replace("TEXT", text);
    let library = library_of(&[
        ("workflows/anywhere.yaml", &playbook),
        ("workflows/templates/silent/email.en.j2", SILENT),
        ("workflows/policies/probe.yaml", POLICY),
    ]);
    let engine = world.try_engine_with(&library).await.unwrap();
    engine.receive("test", &mut rows.into_iter()).await.unwrap();
    run(&engine, Some("2026-04-20"), &Nobody).await.unwrap();
    engine
}

#[tokio::test]
async fn a_person_in_the_united_states_is_told_how_to_stop_whatever_the_playbook_names() {
    let world = World::new();
    let american = match customer("A") {
        Record::Customer(c) => Record::Customer(Customer {
            kind: "person".to_owned(),
            country: "US".to_owned(),
            subdivision: Some("US-NY".to_owned()),
            time_zone: chrono_tz::America::New_York,
            locale: "es-MX".to_owned(),
            ..c
        }),
        other => other,
    };
    let rows = vec![american, invoice("I1", "A", "2026-03-02", "2026-04-02")];
    play(&world, "overdue-first", rows).await;
    let sent = world.email.lock().unwrap();
    assert_eq!(sent.len(), 1, "{:?}", world.acts());
    assert!(sent[0].text.ends_with("\n\nPara no recibir más mensajes: responda BAJA\n"), "{}", sent[0].text);
    assert!(sent[0].html.as_ref().unwrap().contains("responda BAJA"));
}

#[tokio::test]
async fn a_text_that_lacks_what_a_statute_demands_does_not_leave_and_a_person_hears_why() {
    let world = World::new();
    let rows = vec![customer("C"), invoice("I1", "C", "2026-03-02", "2026-04-02")];
    let engine = play(&world, "silent", rows).await;
    assert_eq!(world.email.lock().unwrap().len(), 0, "{:?}", world.acts());
    let no = cases(&engine).await[0].no;
    let mut tx = engine.store().read().await.unwrap();
    let told = recobro_store::history::of_case(&mut tx, no, 0, 50).await.unwrap();
    let rule = "probe/say-how: template silent/email.en.j2 does not state `how_to_object`";
    assert!(told.iter().any(|turn| turn.body.contains(rule)), "{:?}", told.iter().map(|t| &t.body).collect::<Vec<_>>());
    assert!(world.acts().iter().any(|act| act.contains("look-at-it") || act.contains("task")), "{:?}", world.acts());
}

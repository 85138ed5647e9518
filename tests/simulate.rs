//! The table that the authoring guide prints for `simulate`: to the day and to the word, the `why` column included.

use crate::program::{Home, text};
use crate::world::{World, before, invoice, points, zone_of};
use expect_test::expect;
use recobro_connectors::source::record::{Customer, Promise, Record};
use recobro_engine::{Answer, Until};
use recobro_kernel::money::Money;

pub(crate) fn customer(segment: &str, country: &str, risk: &str) -> Customer {
    Customer {
        id: "C-1".to_owned(),
        name: "Textil Alba".to_owned(),
        kind: "business".to_owned(),
        segment: segment.to_owned(),
        country: country.to_owned(),
        subdivision: None,
        locale: "es".to_owned(),
        time_zone: zone_of(country),
        risk: Some(risk.to_owned()),
        account_manager: None,
        vulnerable: false,
        tags: Vec::new(),
        contact_points: points(None),
        x: std::collections::BTreeMap::new(),
    }
}

#[tokio::test]
async fn promise_broken_once_then_agency_reads_as_printed() {
    let due = "2026-05-04".parse().unwrap();
    let amount = Money::parse("7200", recobro_kernel::money::Currency::EUR).unwrap();
    let invoice = invoice(amount, before(due, 30), due, "goods");
    let world = World::open(None, customer("standard", "ES", "medium"), invoice).await.unwrap();
    let at = |text: &str| world.local(text).unwrap();
    let promise = Promise {
        id: "T-1".to_owned(),
        customer: Some("C-1".to_owned()),
        invoices: vec!["INV-1042".to_owned()],
        made_on: "2026-05-20".parse().unwrap(),
        date: "2026-05-29".parse().unwrap(),
        amount: Some(amount),
        method: None,
        by: None,
        at: Some(at("2026-05-20 14:20")),
    };
    let news = vec![Record::Customer(world.customer.clone()), world.invoice_record(), Record::Promise(promise)];
    world.receive(news).await.unwrap();
    world.just_before(at("2026-06-23 11:00")).await.unwrap();
    let no_answer = Answer { outcome: "no_answer".to_owned(), ..Answer::default() };
    world.answer("last-friendly-call", no_answer, "luis").await.unwrap();
    world.just_before(at("2026-07-02 10:00")).await.unwrap();
    let approved = Answer { outcome: "approved".to_owned(), ..Answer::default() };
    world.answer("final-notice", approved, "ana").await.unwrap();
    world.until(Until::At(at("2026-07-17 00:00"))).await.unwrap();
    let db = format!("sqlite://{}", world.db().display());
    let World { engine, folder, .. } = world;
    engine.store().clone().close().await;
    drop(engine);

    let home = Home::new();
    let output = home.run(&["case", "show", "INV-1042", "--db", &db]);
    drop(folder);
    let shown = text(&output.stdout);
    let table = shown.split("\n\n").next().unwrap_or_default();
    expect![[r#"
        b2b-standard v7   INV-1042  7,200.00 EUR  due Mon 2026-05-04   segment standard, risk medium, ES
        date              clock  what                                          why
        Wed 2026-04-29      -5   send upcoming-invoice      email              risk != "low" -> true
        Tue 2026-05-05       1   send overdue-first         email
        Mon 2026-05-11       7   skip find-the-reason                          approach row 4: opening = email
        Tue 2026-05-19      15   send overdue-second        email              tone = friendly
        Wed 2026-05-20      16   promise 7,200.00 by 05-29; hold until 06-02; send promise-confirmation  email
                                 fallback of overdue-second ended              customer answered
        Wed 2026-06-03      17   promise broken (1st); send promise-broken  sms; call broken-promise until 06-04
        Mon 2026-06-08      22   skip instalments                              can_keep_plan: broken_promises = 1
        Tue 2026-06-16      30   send statement-of-account  email
        Mon 2026-06-22      36   call last-friendly-call                       until 06-24; outcome no_answer on 06-23
        Wed 2026-07-01      45   approve final-notice                          until 07-06; approved 07-02 by ana
        Thu 2026-07-02      46   send formal-notice         letter
        Thu 2026-07-16      60   choose agency                                 neither small nor large
                                 outsource agency-iberia; held while placed
        held 14 days · 6 messages · 1 letter · 2 calls · 1 approval · steps covered 9 of 15"#]]
    .assert_eq(table);
}

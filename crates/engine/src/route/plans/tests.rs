//! Plans meet money: by examples, and by thousands of random histories.

use super::super::book::Quarrel;
use super::super::book::plans::parts;
use super::*;
use proptest::prelude::*;
use recobro_connectors::source::record::{Customer, Invoice};
use recobro_kernel::ids::CaseId;
use recobro_kernel::money::Money;
use recobro_kernel::plan::{Part, Patience};
use recobro_kernel::time::Timestamp;

fn on(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn at(date: NaiveDate) -> Timestamp {
    Timestamp::start_of(date, chrono_tz::Tz::UTC)
}

fn origin(key: &str, date: NaiveDate) -> Origin<'_> {
    Origin { source: "test", kind: "row", key, at: at(date) }
}

fn start() -> NaiveDate {
    on("2026-05-20")
}

fn name(n: usize) -> InvoiceId {
    InvoiceId(format!("I{n}"))
}

/// Customer C with open invoices, each with its case.
fn book(amounts: &[i64]) -> Book {
    let mut book = Book::default();
    let customer = serde_json::json!({
        "id": "C", "name": "", "kind": "business", "segment": "standard", "country": "ES", "locale": "es", "time_zone": "UTC",
    });
    let customer: Customer = serde_json::from_value(customer).unwrap();
    book.take_customer(customer, Vec::new(), &origin("customer", start()));
    for (n, minor) in amounts.iter().enumerate() {
        let invoice = serde_json::json!({
            "id": name(n), "number": format!("N{n}"), "customer": "C", "issued": "2026-04-04",
            "due": format!("2026-05-{:02}", n + 1), "amount": {"minor": minor, "currency": "EUR"},
        });
        let invoice: Invoice = serde_json::from_value(invoice).unwrap();
        book.take_invoice(invoice, &origin("invoice", start()));
        book.bills.get_mut(&name(n)).unwrap().case = Some(CaseId::derive(&[&name(n).0]));
    }
    book.settle_plans(&origin("start", start()));
    book.events.clear();
    book
}

fn terms(instalments: i64) -> PlanTerms {
    PlanTerms {
        customer: Some("C".to_owned()),
        instalments: Some(instalments),
        first_on: Some(on("2026-06-01")),
        ..PlanTerms::default()
    }
}

fn agree(book: &mut Book, id: &str, terms: PlanTerms) -> Result<(), Parked> {
    let change = PlanChange::Agreed(Box::new(terms));
    let plan = Plan { id: id.to_owned(), change, on: start(), at: None };
    take(book, &plan, &origin(id, start()))
}

fn names(book: &Book) -> Vec<&str> {
    book.events.iter().map(|(_, event)| event.name.as_str()).collect()
}

fn look(book: &mut Book, id: &str, today: NaiveDate) {
    let patience = Patience { reminder: Span::days(3), grace: Span::days(5), default_after: 2 };
    let key = format!("look/{today}");
    book.look_at_plan(id, patience, &origin(&key, today));
}

#[test]
fn a_plan_over_all_invoices_holds_each_and_one_of_them_writes() {
    let mut book = book(&[600, 300]);
    agree(&mut book, "P", terms(3)).unwrap();
    assert_eq!(names(&book), ["plan.accepted", "plan.accepted"]);
    let leads: Vec<_> = book.events.iter().map(|(_, event)| event.text("lead")).collect();
    assert_eq!(leads, ["yes", "no"]);
    assert_eq!((book.bills[&name(0)].claimable_minor(), book.bills[&name(1)].claimable_minor()), (0, 0));
    let said = agree(&mut book, "Q", terms(2)).unwrap_err();
    assert!(said.contains("is in plan `P`"), "{said}");
}

#[test]
fn what_is_missed_is_asked_from_the_oldest_invoice_and_the_end_of_the_plan_asks_for_all() {
    let mut book = book(&[200, 400]);
    agree(&mut book, "P", terms(2)).unwrap();
    look(&mut book, "P", on("2026-06-07"));
    // 300 were due on 1 June: the older invoice whole, a part of the other one.
    assert_eq!((book.bills[&name(0)].claimable_minor(), book.bills[&name(1)].claimable_minor()), (200, 100));
    look(&mut book, "P", on("2026-07-07"));
    assert_eq!((book.bills[&name(0)].claimable_minor(), book.bills[&name(1)].claimable_minor()), (200, 400));
    assert_eq!(book.scheme("P").unwrap().row.status, "defaulted");
    assert!(names(&book).contains(&"plan.defaulted"));
}

#[test]
fn a_credit_note_takes_first_what_the_plan_does_not_cover() {
    let mut book = book(&[1_000]);
    let covered = PlanTerms { amount: Some(Money::parse("7.00", Currency::EUR).unwrap()), ..terms(2) };
    agree(&mut book, "P", covered).unwrap();
    assert_eq!(book.bills[&name(0)].claimable_minor(), 300);
    book.receive_credit(&name(0), 300, start(), &origin("credit", start()));
    book.settle_plans(&origin("credit", start()));
    let paid: i64 = book.scheme("P").unwrap().row.instalments.iter().map(|one| one.paid_minor).sum();
    assert_eq!((book.bills[&name(0)].claimable_minor(), paid), (0, 0));
}

#[test]
fn an_offer_binds_and_says_so() {
    let mut book = book(&[900]);
    let offer = PlanOffer { customer: Some("C".to_owned()), max_instalments: Some(2), ..PlanOffer::default() };
    let offered = Plan { id: "O".to_owned(), change: PlanChange::Offered(offer), on: start(), at: None };
    take(&mut book, &offered, &origin("O", start())).unwrap();
    assert_eq!(book.bills[&name(0)].claimable_minor(), 900, "an offer holds nothing");
    let said = agree(&mut book, "O", PlanTerms { customer: None, ..terms(3) }).unwrap_err();
    assert!(said.contains("at most 2"), "{said}");
    agree(&mut book, "O", PlanTerms::default()).unwrap();
    assert_eq!(book.scheme("O").unwrap().row.instalments.len(), 2);
}

/// Something that happens to invoices under a plan.
#[derive(Clone, Debug)]
enum Deed {
    Pay(usize, i64),
    Return(usize, i64),
    Credit(usize, i64),
    Dispute(usize, i64),
    Resolve,
    Look,
}

fn deeds() -> impl Strategy<Value = Vec<(i64, Deed)>> {
    let deed = prop_oneof![
        3 => (0..3_usize, 1..500_i64).prop_map(|(n, minor)| Deed::Pay(n, minor)),
        1 => (0..3_usize, 1..300_i64).prop_map(|(n, minor)| Deed::Return(n, minor)),
        1 => (0..3_usize, 1..200_i64).prop_map(|(n, minor)| Deed::Credit(n, minor)),
        1 => (0..3_usize, 1..400_i64).prop_map(|(n, minor)| Deed::Dispute(n, minor)),
        1 => Just(Deed::Resolve),
        3 => Just(Deed::Look),
    ];
    prop::collection::vec((0..12_i64, deed), 1..25)
}

fn quarrel(id: &str, invoice: InvoiceId, amount_minor: i64, opened_on: NaiveDate) -> Quarrel {
    Quarrel::new(id.to_owned(), invoice, ("quality", amount_minor), (opened_on, "test"))
}

fn play(book: &mut Book, deed: &Deed, (key, today): (&str, NaiveDate)) {
    let origin = origin(key, today);
    match deed {
        Deed::Pay(n, minor) => drop(book.receive_money(&name(*n), *minor, today, &origin)),
        Deed::Return(n, minor) => {
            let bill = &book.bills[&name(*n)];
            let back = (*minor).min(bill.record.amount.minor - bill.balance_minor);
            if back > 0 {
                book.return_money(&name(*n), back, today, "MD01", &origin);
            }
        }
        Deed::Credit(n, minor) => drop(book.receive_credit(&name(*n), *minor, today, &origin)),
        Deed::Dispute(n, minor) => book.open_dispute(quarrel(key, name(*n), *minor, today), &origin),
        Deed::Resolve => {
            let open = book.quarrels.iter().find(|one| one.closed_on.is_none()).map(|one| one.id.clone());
            if let Some(id) = open {
                let end = super::super::book::Ending { outcome: "withdrawn", credit: None, on: today };
                book.close_dispute(&id, end, &origin);
            }
        }
        Deed::Look => {}
    }
    book.settle_plans(&origin);
    // The worker looks at a plan whenever its instant has come.
    while book.scheme("P").is_some_and(|plan| plan.row.watch_at.is_some_and(|watch| watch <= at(today))) {
        let before = book.scheme("P").unwrap().row.watch_at;
        look(book, "P", today);
        assert!(book.scheme("P").unwrap().row.watch_at != before, "a look moves the watch on");
    }
}

/// What must hold at any moment of any history.
fn holds(book: &Book) {
    let plan = &book.scheme("P").unwrap().row;
    let instalments = parts(&plan.instalments);
    let paid: i64 = instalments.iter().map(|part| part.paid_minor).sum();
    assert!(paid <= plan.amount_minor);
    for part in &plan.invoices {
        let bill = &book.bills[&part.invoice];
        assert!(bill.balance_minor >= 0 && bill.claimable_minor() >= 0);
        assert!(bill.claimable_minor() <= bill.balance_minor);
        if plan.status != "active" {
            assert_eq!(bill.not_due_minor, 0, "a plan that is over makes nothing due later");
        }
    }
    if plan.status == "active" {
        let not_due: i64 = plan.invoices.iter().map(|part| book.bills[&part.invoice].not_due_minor).sum();
        let missed: i64 = instalments.iter().filter(|part| part.is_missed()).map(Part::rest_minor).sum();
        assert_eq!(not_due + missed, plan.amount_minor - paid, "the plan's rest is due later or missed, to the cent");
        let is_disputed = plan.invoices.iter().any(|part| book.is_disputed(&part.invoice));
        assert_eq!(plan.watch_at.is_none(), is_disputed, "a plan is watched unless a dispute keeps it");
    }
    let total: i64 = book.bills.values().filter(|bill| bill.is_open()).map(|bill| bill.balance_minor).sum();
    let tally = &book.clients.values().next().unwrap().tally;
    assert_eq!(
        tally.total_minor.get("EUR").copied().unwrap_or(0),
        total,
        "the customer's account is the sum of invoices"
    );
    assert_eq!(tally.open_plans, i64::from(plan.status == "active"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_adds_up_through_any_history(amounts in prop::collection::vec(50..900_i64, 3), n in 1..6_i64, deeds in deeds()) {
        let mut book = book(&amounts);
        agree(&mut book, "P", terms(n)).unwrap();
        holds(&book);
        let mut today = start();
        for (index, (days, deed)) in deeds.iter().enumerate() {
            today = recobro_kernel::case::shift(today, *days);
            play(&mut book, deed, (&format!("{index}"), today));
            holds(&book);
        }
        let ids: std::collections::BTreeSet<_> = book.events.iter().map(|(_, event)| event.id).collect();
        prop_assert_eq!(ids.len(), book.events.len(), "no event swallows another");
    }

    #[test]
    fn the_order_of_the_same_payments_does_not_matter(
        amounts in prop::collection::vec(50..900_i64, 3),
        paid in prop::collection::vec((0..3_usize, 1..400_i64), 1..8),
        seed in any::<prop::sample::Index>(),
    ) {
        let run = |paid: &[(usize, i64)]| {
            let mut book = book(&amounts);
            agree(&mut book, "P", terms(3)).unwrap();
            for (index, (n, minor)) in paid.iter().enumerate() {
                // What one invoice does not take stays with the customer: only what fits is order-free.
                let fits = (*minor).min(amounts[*n] / 8);
                play(&mut book, &Deed::Pay(*n, fits), (&format!("{index}"), start()));
            }
            let row = book.scheme("P").unwrap().row.clone();
            let bills: Vec<_> = book.bills.values().map(|bill| (bill.balance_minor, bill.not_due_minor)).collect();
            (row.status, row.instalments, bills)
        };
        let mut other = paid.clone();
        let by = seed.index(other.len());
        other.rotate_left(by);
        other.reverse();
        prop_assert_eq!(run(&paid), run(&other));
    }
}

fn pay(book: &mut Book, n: usize, minor: i64, key: &str, date: NaiveDate) {
    book.receive_money(&name(n), minor, date, &origin(key, date));
    book.settle_plans(&origin(key, date));
}

/// What waits until something may be asked for again goes on when a plan ends: no hold of the playbook outlives it.
#[test]
fn the_end_of_a_plan_says_that_money_may_be_asked_for() {
    let mut book = book(&[100]);
    agree(&mut book, "P", terms(2)).unwrap();
    pay(&mut book, 0, 50, "pay", on("2026-06-01"));
    look(&mut book, "P", on("2026-07-07"));
    let said = names(&book);
    assert!(!said.contains(&"claimable.zero"), "{said:?}");
    assert!(said.ends_with(&["claimable.positive", "plan.defaulted"]), "{said:?}");
    // A plan over a part, paid at once: the rest is asked for.
    let mut book = self::book(&[100]);
    let part = PlanTerms { amount: Some(Money::parse("0.60", Currency::EUR).unwrap()), ..terms(2) };
    agree(&mut book, "P", part).unwrap();
    pay(&mut book, 0, 60, "pay", on("2026-06-01"));
    assert_eq!(book.bills[&name(0)].claimable_minor(), 40);
    assert!(names(&book).ends_with(&["claimable.positive", "plan.completed"]), "{:?}", names(&book));
}

#[test]
fn an_amount_lowered_and_raised_again_is_no_money() {
    for order in [[-50, 50], [50, -50]] {
        let mut book = book(&[100]);
        agree(&mut book, "P", terms(2)).unwrap();
        for (n, difference) in order.into_iter().enumerate() {
            let mut record = book.bills[&name(0)].record.clone();
            record.amount.minor += difference;
            let key = format!("amount {n}");
            book.take_invoice(record, &origin(&key, start()));
            book.settle_plans(&origin(&key, start()));
        }
        let paid: i64 = book.scheme("P").unwrap().row.instalments.iter().map(|one| one.paid_minor).sum();
        assert_eq!((paid, book.bills[&name(0)].claimable_minor()), (0, 0), "{order:?}");
    }
}

#[test]
fn a_plan_takes_over_its_own_part_of_a_promise() {
    let mut book = book(&[100, 200]);
    let pledge = super::super::book::Pledge {
        id: "T".to_owned(),
        customer: CustomerId("C".to_owned()),
        invoices: vec![name(0), name(1)],
        made_on: start(),
        date: on("2026-06-30"),
        amount: Money::new(300, Currency::EUR),
        paid_minor: 0,
        limit_on: on("2026-07-02"),
        limit_at: at(on("2026-07-03")),
        source: "test".to_owned(),
        status: "open".to_owned(),
        method: None,
        by: None,
        changed: true,
    };
    book.make_promise(pledge, &origin("T", start()));
    book.events.clear();
    agree(&mut book, "P", PlanTerms { customer: None, invoices: vec!["I0".to_owned()], ..terms(2) }).unwrap();
    assert_eq!(names(&book), ["promise.cancelled", "plan.accepted"], "only the case of the plan hears of it");
    let pledge = &book.pledges[0];
    assert_eq!((pledge.status.as_str(), &pledge.invoices, pledge.amount.minor), ("open", &vec![name(1)], 200));
}

#[test]
fn an_offer_that_is_still_good_where_the_customer_lives_is_looked_at_the_next_day() {
    let mut book = book(&[900]);
    let offer =
        PlanOffer { customer: Some("C".to_owned()), valid_until: Some(on("2026-06-01")), ..PlanOffer::default() };
    let offered = Plan { id: "O".to_owned(), change: PlanChange::Offered(offer), on: start(), at: None };
    take(&mut book, &offered, &origin("O", start())).unwrap();
    look(&mut book, "O", on("2026-06-01"));
    assert_eq!(book.scheme("O").unwrap().row.watch_at, Some(at(on("2026-06-02"))));
    look(&mut book, "O", on("2026-06-02"));
    assert_eq!(book.scheme("O").unwrap().row.status, "expired");
    assert_eq!(names(&book), ["plan.offered", "plan.expired"]);
}

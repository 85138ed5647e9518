//! The ledger's rules, row by row.

use super::*;
use recobro_connectors::source::record::{Customer, Invoice};

fn on(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn origin(key: &str) -> Origin<'_> {
    Origin { source: "test", kind: "row", key, at: at("2026-05-20T10:00:00Z") }
}

/// Customer C with invoice I over 100.00 EUR, due on 4 May, its case open.
fn book() -> Book {
    let mut book = Book::default();
    let customer = serde_json::json!({
        "id": "C", "name": "", "kind": "business", "segment": "standard", "country": "ES", "locale": "es",
        "time_zone": "Europe/Madrid",
    });
    let customer: Customer = serde_json::from_value(customer).unwrap();
    book.take_customer(customer, Vec::new(), &origin("customer"));
    let invoice = serde_json::json!({
        "id": "I", "number": "N-1", "customer": "C", "issued": "2026-04-04", "due": "2026-05-04",
        "amount": {"minor": 10_000, "currency": "EUR"},
    });
    let invoice: Invoice = serde_json::from_value(invoice).unwrap();
    book.take_invoice(invoice, &origin("invoice"));
    book.bills.get_mut(&id()).unwrap().case = Some(CaseId::derive(&["I"]));
    book.entering.clear();
    book
}

fn id() -> InvoiceId {
    InvoiceId("I".to_owned())
}

fn names(book: &Book) -> Vec<&str> {
    book.events.iter().map(|(_, event)| event.name.as_str()).collect()
}

fn pledge(amount: i64) -> Pledge {
    Pledge {
        id: "P".to_owned(),
        customer: CustomerId("C".to_owned()),
        invoices: vec![id()],
        made_on: on("2026-05-20"),
        date: on("2026-05-29"),
        amount: Money::new(amount, Currency::EUR),
        paid_minor: 0,
        limit_on: on("2026-06-02"),
        limit_at: at("2026-06-02T22:00:00Z"),
        source: "test".to_owned(),
        status: "open".to_owned(),
        method: None,
        by: None,
        changed: true,
    }
}

fn quarrel(id: &str, amount_minor: i64) -> Quarrel {
    Quarrel::new(id.to_owned(), self::id(), ("quality", amount_minor), (on("2026-05-21"), "test"))
}

/// Paid and taken back, or one of two disputes over: what is still contested is not asked for.
#[test]
fn what_is_contested_stays_contested_whatever_money_does() {
    let mut book = book();
    book.open_dispute(quarrel("D", 10_000), &origin("d"));
    book.receive_money(&id(), 10_000, on("2026-05-22"), &origin("a"));
    book.return_money(&id(), 10_000, on("2026-05-25"), "R02", &origin("b"));
    assert_eq!(book.bills[&id()].claimable_minor(), 0);
    let mut book = self::book();
    book.open_dispute(quarrel("D", 6_000), &origin("d"));
    book.open_dispute(quarrel("E", 4_000), &origin("e"));
    book.receive_money(&id(), 5_000, on("2026-05-22"), &origin("a"));
    book.close_dispute("D", Ending { outcome: "rejected", credit: None, on: on("2026-05-30") }, &origin("f"));
    assert_eq!(book.bills[&id()].claimable_minor(), 1_000);
}

/// What a bank writes may name a person: only a code reaches an event; who promised reaches none.
#[test]
fn no_name_enters_an_event() {
    let mut book = book();
    book.receive_money(&id(), 2_000, on("2026-05-22"), &origin("a"));
    book.return_money(&id(), 1_000, on("2026-05-25"), "Juan Perez", &origin("b"));
    book.return_money(&id(), 1_000, on("2026-05-25"), "R02", &origin("c"));
    book.make_promise(Pledge { by: Some("Juan Perez".to_owned()), ..pledge(5_000) }, &origin("p"));
    let text = serde_json::to_string(&book.events.iter().map(|(_, event)| event).collect::<Vec<_>>()).unwrap();
    assert!(text.contains("R02") && !text.contains("Perez"), "{text}");
}

/// A promise that comes again says what holds now; one whose invoice was paid in full is kept when another takes the rest.
#[test]
fn a_promise_is_amended_and_what_was_paid_of_it_is_not_forgotten() {
    let mut book = book();
    book.make_promise(pledge(5_000), &origin("p"));
    book.receive_money(&id(), 1_000, on("2026-05-22"), &origin("a"));
    book.make_promise(Pledge { date: on("2026-06-20"), ..pledge(6_000) }, &origin("p2"));
    let one = &book.pledges[0];
    assert_eq!((book.pledges.len(), one.date, one.paid_minor), (1, on("2026-06-20"), 1_000));
    let mut book = self::book();
    let other = second(&mut book);
    book.make_promise(Pledge { invoices: vec![id(), other.clone()], ..pledge(15_000) }, &origin("p"));
    book.receive_money(&id(), 10_000, on("2026-05-22"), &origin("a"));
    book.make_promise(Pledge { id: "Q".to_owned(), invoices: vec![other], ..pledge(5_000) }, &origin("q"));
    assert_eq!(book.pledges[0].status, "kept");
}

#[test]
fn the_last_payment_ends_the_invoice_and_counts_as_late() {
    let mut book = book();
    assert_eq!(book.receive_money(&id(), 4_000, on("2026-05-05"), &origin("a")), 0);
    assert_eq!(book.receive_money(&id(), 7_000, on("2026-05-20"), &origin("b")), 1_000, "the rest is left over");
    assert_eq!(names(&book), ["payment.received", "payment.received", "invoice.paid"]);
    let tally = &book.clients[&CustomerId("C".to_owned())].tally;
    assert_eq!((tally.open_invoices, tally.total_minor.len()), (0, 0));
    assert_eq!(late_12m(tally, on("2027-05-01")), 1);
    assert_eq!(late_12m(tally, on("2027-06-01")), 0);
}

#[test]
fn a_promise_is_kept_as_soon_as_its_amount_is_reached_and_money_after_the_limit_does_not_count() {
    let mut book = book();
    book.make_promise(pledge(5_000), &origin("p"));
    book.receive_money(&id(), 5_000, on("2026-06-03"), &origin("late"));
    assert_eq!(book.pledges[0].status, "open");
    book.judge(0, &origin("judge"));
    assert_eq!(book.pledges[0].status, "broken");
    let mut book = self::book();
    book.make_promise(pledge(5_000), &origin("p"));
    book.receive_money(&id(), 5_000, on("2026-05-29"), &origin("money"));
    assert_eq!(book.pledges[0].status, "kept");
    assert_eq!(names(&book), ["promise.made", "payment.received", "promise.kept"]);
}

#[test]
fn a_part_of_a_promise_is_broken_with_what_was_paid() {
    let mut book = book();
    book.make_promise(pledge(5_000), &origin("p"));
    book.receive_money(&id(), 2_000, on("2026-05-29"), &origin("money"));
    book.judge(0, &origin("judge"));
    let (_, broken) = book.events.last().unwrap();
    assert_eq!((broken.name.as_str(), broken.field("paid").to_string()), ("promise.broken", "20.00".to_owned()));
    assert_eq!(book.clients[&CustomerId("C".to_owned())].tally.broken_promises, 1);
}

#[test]
fn matured_promises_count_by_number_and_by_money() {
    let mut book = book();
    book.make_promise(pledge(5_000), &origin("p"));
    book.receive_money(&id(), 2_000, on("2026-05-29"), &origin("a"));
    book.judge(0, &origin("judge"));
    // Partly kept: 20 of 50. Then 30 promised, 40 paid: more than promised counts as promised.
    book.make_promise(Pledge { id: "Q".to_owned(), ..pledge(3_000) }, &origin("q"));
    book.receive_money(&id(), 4_000, on("2026-05-30"), &origin("b"));
    // A superseded one never matured.
    book.make_promise(Pledge { id: "R".to_owned(), ..pledge(1_000) }, &origin("r"));
    book.make_promise(Pledge { id: "S".to_owned(), ..pledge(2_000) }, &origin("s"));
    let client = &book.clients[&CustomerId("C".to_owned())];
    assert_eq!((client.tally.promised_minor["EUR"], client.tally.honoured_minor["EUR"]), (8_000, 5_000));
    let facts = crate::facts::customer_facts(client, on("2026-06-03"));
    assert_eq!((facts.kept_promises, facts.broken_promises), (1, 1));
    assert_eq!(facts.matured_minor[&Currency::EUR], (8_000, 5_000));
}

#[test]
fn counts_of_before_the_sums_still_read() {
    let old: Aggregates = serde_json::from_str(r#"{"kept_promises":2,"broken_promises":1}"#).unwrap();
    assert_eq!((old.kept_promises, old.promised_minor.len(), old.late_reason), (2, 0, None));
}

#[test]
fn the_reason_said_last_counts_whatever_order_it_comes_in() {
    let mut book = book();
    let customer = CustomerId("C".to_owned());
    book.note_reason(&customer, "unable", on("2026-05-20"));
    book.note_reason(&customer, "unaware", on("2026-05-11"));
    let late = book.clients[&customer].tally.late_reason.clone().unwrap();
    assert_eq!((late.reason.as_str(), late.on), ("unable", on("2026-05-20")));
    book.take_hardship(&customer, None, on("2026-05-21"), &origin("h"));
    assert_eq!(book.clients[&customer].tally.late_reason.as_ref().unwrap().reason, "hardship");
    assert!(!book.clients[&customer].record.vulnerable);
}

#[test]
fn who_is_reported_vulnerable_stays_protected_whatever_the_next_import_says() {
    let mut book = book();
    let customer = CustomerId("C".to_owned());
    let case = book.bills[&id()].case.unwrap();
    book.cases_of.insert(customer.clone(), vec![case]);
    book.take_hardship(&customer, Some(VULNERABLE), on("2026-05-21"), &origin("h"));
    assert_eq!(names(&book), ["customer.changed", "hardship.reported"]);
    assert!(book.clients[&customer].record.vulnerable && book.clients[&customer].changed);
    let mut record = book.clients[&customer].record.clone();
    record.vulnerable = false;
    book.take_customer(record, Vec::new(), &origin("import"));
    book.take_hardship(&customer, Some(VULNERABLE), on("2026-05-22"), &origin("again"));
    assert!(book.clients[&customer].record.vulnerable);
    assert_eq!(names(&book)[2..], ["hardship.reported"], "said once");
}

#[test]
fn a_promise_waits_for_the_end_of_a_dispute_and_a_new_one_supersedes_it() {
    let mut book = book();
    book.make_promise(pledge(5_000), &origin("p"));
    book.open_dispute(quarrel("D", 10_000), &origin("d"));
    assert_eq!(book.pledges[0].limit_at, Timestamp::MAX);
    assert_eq!(book.bills[&id()].claimable_minor(), 0);
    assert!(book.close_dispute("D", Ending { outcome: "rejected", credit: None, on: on("2026-05-30") }, &origin("e")));
    assert!(
        !book.close_dispute("D", Ending { outcome: "rejected", credit: None, on: on("2026-05-30") }, &origin("e")),
        "closed once"
    );
    assert_eq!(book.pledges[0].limit_at, at("2026-06-02T22:00:00Z"));
    assert_eq!(names(&book), ["promise.made", "dispute.opened", "dispute.closed", "claimable.positive"]);
    book.make_promise(Pledge { id: "Q".to_owned(), ..pledge(10_000) }, &origin("q"));
    assert_eq!(book.pledges[0].status, "superseded");
}

#[test]
fn the_undisputed_part_paid_leaves_nothing_to_claim() {
    let mut book = book();
    book.open_dispute(quarrel("D", 3_000), &origin("d"));
    book.events.clear();
    book.receive_money(&id(), 7_000, on("2026-05-20"), &origin("a"));
    assert_eq!(names(&book), ["payment.received", "claimable.zero"]);
    book.return_money(&id(), 7_000, on("2026-05-25"), "R01", &origin("b"));
    assert_eq!(names(&book)[2..], ["payment.returned", "claimable.positive"]);
}

#[test]
fn money_taken_back_after_the_end_wants_a_linked_case() {
    let mut book = book();
    book.receive_money(&id(), 10_000, on("2026-05-20"), &origin("a"));
    let bill = book.bills.get_mut(&id()).unwrap();
    (bill.case, bill.cases) = (None, 1);
    book.return_money(&id(), 10_000, on("2026-05-25"), "", &origin("b"));
    assert!(book.reopening.contains_key(&id()) && book.entering.is_empty());
}

#[test]
fn a_changed_customer_tells_every_field_and_is_offered_again() {
    let mut book = book();
    let case = book.bills[&id()].case.unwrap();
    book.cases_of.insert(CustomerId("C".to_owned()), vec![case]);
    let mut changed = book.clients[&CustomerId("C".to_owned())].record.clone();
    (changed.segment, changed.vulnerable) = ("key".to_owned(), true);
    book.take_customer(changed, Vec::new(), &origin("again"));
    let fields: Vec<&str> = book.events.iter().map(|(_, event)| event.text("field")).collect();
    assert_eq!(fields, ["segment", "vulnerable"]);
}

#[test]
fn the_same_row_makes_the_same_event() {
    let (mut one, mut two) = (book(), book());
    one.receive_money(&id(), 1_000, on("2026-05-05"), &origin("a"));
    two.receive_money(&id(), 1_000, on("2026-05-05"), &origin("a"));
    assert_eq!(one.events, two.events);
}

/// A second invoice of the customer, over 50.00.
fn second(book: &mut Book) -> InvoiceId {
    let invoice = serde_json::json!({
        "id": "J", "number": "N-2", "customer": "C", "issued": "2026-04-04", "due": "2026-05-04",
        "amount": {"minor": 5_000, "currency": "EUR"}, "reference": "RF18",
    });
    let invoice: Invoice = serde_json::from_value(invoice).unwrap();
    book.take_invoice(invoice, &origin("second"));
    let id = InvoiceId("J".to_owned());
    book.bills.get_mut(&id).unwrap().case = Some(CaseId::derive(&["J"]));
    id
}

#[test]
fn a_new_promise_takes_only_its_own_invoice_out_of_a_wider_one() {
    let mut book = book();
    let other = second(&mut book);
    book.make_promise(Pledge { invoices: vec![id(), other.clone()], ..pledge(15_000) }, &origin("p"));
    book.make_promise(Pledge { id: "Q".to_owned(), ..pledge(10_000) }, &origin("q"));
    let old = &book.pledges[0];
    assert_eq!((old.status.as_str(), &old.invoices, old.amount.minor), ("open", &vec![other.clone()], 5_000));
    assert_eq!(book.uncovered, [("P".to_owned(), id())]);
    book.receive_money(&other, 5_000, on("2026-05-25"), &origin("money"));
    assert_eq!(book.pledges[0].status, "kept");
    let (case, last) = book.events.last().unwrap();
    assert_eq!((case, last.name.as_str()), (&CaseId::derive(&["J"]), "promise.kept"));
}

#[test]
fn money_taken_back_counts_no_more_towards_a_promise() {
    let mut book = book();
    book.make_promise(pledge(10_000), &origin("p"));
    book.receive_money(&id(), 6_000, on("2026-05-22"), &origin("a"));
    book.return_money(&id(), 6_000, on("2026-05-25"), "", &origin("b"));
    book.receive_money(&id(), 4_000, on("2026-05-29"), &origin("c"));
    assert_eq!((book.pledges[0].status.as_str(), book.pledges[0].paid_minor), ("open", 4_000));
}

#[test]
fn a_reference_names_one_invoice_or_none() {
    let mut book = book();
    let other = second(&mut book);
    assert_eq!(book.find("RF18"), Some(other));
    assert!(!book.is_ambiguous("RF18"));
    book.name("RF18", &id());
    assert_eq!(book.find("RF18"), None);
    assert!(book.is_ambiguous("RF18") && !book.is_ambiguous("I") && !book.is_ambiguous("nothing"));
}

#[test]
fn a_new_case_hears_of_the_promise_and_the_dispute_that_stand() {
    let mut book = book();
    book.bills.get_mut(&id()).unwrap().case = None;
    book.make_promise(pledge(5_000), &origin("p"));
    assert!(book.events.is_empty(), "nobody to tell yet");
    let case = CaseId::derive(&["new"]);
    book.tell_standing(&id(), case, at("2026-05-21T10:00:00Z"));
    assert_eq!(names(&book), ["promise.made"]);
    assert_eq!(book.events[0].1.field("limit"), &Value::Date(on("2026-06-02")));
}

fn note(key: &str, minor: i64) -> Note {
    Note { external_id: key.to_owned(), minor, on: on("2026-06-02"), reason: "quality".to_owned() }
}

fn accept(book: &mut Book, credit: Option<i64>) -> bool {
    book.close_dispute("D", Ending { outcome: "accepted", credit, on: on("2026-06-01") }, &origin("close"))
}

/// An accepted dispute is not asked for until its credit note is there, or somebody says that none will come.
#[test]
fn an_accepted_dispute_waits_for_its_credit_note() {
    let mut book = book();
    book.open_dispute(quarrel("D", 3_000), &origin("d"));
    assert!(accept(&mut book, None));
    assert_eq!(book.bills[&id()].claimable_minor(), 7_000);
    book.credit(&id(), note("N1", 1_000), None, &origin("n1"));
    assert_eq!((book.bills[&id()].balance_minor, book.bills[&id()].claimable_minor()), (9_000, 7_000));
    assert!(accept(&mut book, Some(0)), "no more will be credited");
    assert_eq!(book.bills[&id()].claimable_minor(), 9_000);
    assert!(!accept(&mut book, Some(0)), "said once");
    let mut book = self::book();
    book.open_dispute(quarrel("D", 3_000), &origin("d"));
    assert!(accept(&mut book, Some(3_000)));
    assert_eq!((book.bills[&id()].balance_minor, book.bills[&id()].claimable_minor()), (7_000, 7_000));
    assert_eq!(names(&book), ["dispute.opened", "dispute.closed", "invoice.changed"]);
    assert_eq!(book.booked[0].parts, [(id(), 3_000)]);
}

/// All of it disputed, accepted and credited: it is closed, and never asked for in between.
#[test]
fn what_is_credited_whole_is_never_asked_for_again() {
    let mut book = book();
    book.open_dispute(quarrel("D", 10_000), &origin("d"));
    accept(&mut book, None);
    assert_eq!(names(&book), ["dispute.opened", "dispute.closed", "claimable.zero"]);
    book.make_promise(pledge(10_000), &origin("p"));
    book.credit(&id(), note("N1", 12_000), Some("D"), &origin("n1"));
    let told = names(&book);
    assert_eq!(told[3..], ["promise.made", "invoice.closed", "promise.cancelled"]);
    assert_eq!((book.booked[0].amount.minor, &book.booked[0].parts), (12_000, &vec![(id(), 10_000)]));
    assert!(!book.quarrels[0].awaits_credit);
}

#[test]
fn a_dispute_is_overdue_once_and_found_by_its_short_id() {
    let mut book = book();
    book.open_dispute(Quarrel { id: "csv:7".to_owned(), source: "csv".to_owned(), ..quarrel("", 3_000) }, &origin("d"));
    assert_eq!(book.quarrels[0].answer_by, Some(on("2026-06-20")), "thirty days where no law says");
    for (source, name) in [("csv", "7"), ("person:ana", "csv:7"), ("person:ana", "7")] {
        assert_eq!(book.find_dispute(&id(), source, name).as_deref(), Some("csv:7"));
    }
    assert!(book.assign_dispute("csv:7", "ana", Some(on("2026-06-05"))));
    assert_eq!(book.quarrels[0].overdue_at, Some(at("2026-06-05T22:00:00Z")));
    book.tell_overdue("csv:7", at("2026-06-05T22:00:00Z"));
    book.tell_overdue("csv:7", at("2026-06-05T23:00:00Z"));
    assert_eq!(names(&book), ["dispute.opened", "dispute.overdue"]);
    book.open_dispute(Quarrel { id: "other:7".to_owned(), source: "other".to_owned(), ..quarrel("", 1) }, &origin("e"));
    assert_eq!(book.find_dispute(&id(), "person:ana", "7"), None, "two disputes of that id");
}

fn offer(until: &str, amount_minor: i64) -> recobro_store::incentives::IncentiveRow {
    recobro_store::incentives::IncentiveRow {
        id: format!("test:{until}"),
        source: "test".to_owned(),
        invoice: id(),
        customer: CustomerId("C".to_owned()),
        percent: None,
        amount_minor,
        opened_on: on("2026-05-20"),
        until_on: on(until),
        expires_at: None,
        reason: String::new(),
        status: "open".to_owned(),
        taken_on: None,
        known_at: at("2026-05-20T10:00:00Z"),
    }
}

/// Paid in time less the discount, it is paid; the day of the money counts, not the day we hear of it.
#[test]
fn a_payment_in_time_takes_the_discount() {
    let mut book = book();
    book.open_incentive(offer("2026-05-29", 200));
    book.make_promise(pledge(10_000), &origin("p"));
    assert_eq!(book.receive_money(&id(), 9_799, on("2026-05-25"), &origin("a")), 0);
    assert_eq!(book.bills[&id()].balance_minor, 201, "a cent too little");
    book.expire_incentive("test:2026-05-29", at("2026-05-29T22:00:00Z"));
    book.expire_incentive("test:2026-05-29", at("2026-05-29T22:00:00Z"));
    book.receive_money(&id(), 1, on("2026-05-29"), &origin("b"));
    let told = ["promise.made", "payment.received", "incentive.expired"];
    assert_eq!(names(&book)[..3], told);
    assert_eq!(names(&book)[3..], ["payment.received", "incentive.taken", "invoice.paid", "promise.kept"]);
    assert_eq!((book.booked[0].kind, &book.booked[0].parts), ("discount", &vec![(id(), 200)]));
    assert_eq!((book.bills[&id()].balance_minor, book.forgiven_now(&id())), (0, 200));
    let mut book = self::book();
    book.open_incentive(offer("2026-05-29", 200));
    book.receive_money(&id(), 9_800, on("2026-05-30"), &origin("a"));
    assert_eq!(book.bills[&id()].balance_minor, 200, "a day late");
}

/// Money that comes back takes its discount with it; paid again in time it is given again, later it is not.
#[test]
fn a_returned_payment_loses_its_discount() {
    let paid_again = |day: &str| {
        let mut book = book();
        book.open_incentive(offer("2026-05-29", 200));
        book.receive_money(&id(), 9_800, on("2026-05-25"), &origin("a"));
        assert_eq!(book.bills[&id()].balance_minor, 0);
        book.return_money(&id(), 9_800, on("2026-05-27"), "MD01", &origin("b"));
        assert_eq!((book.bills[&id()].balance_minor, book.forgiven_now(&id())), (10_000, 0));
        book.receive_money(&id(), 9_800, on(day), &origin("c"));
        book.bills[&id()].balance_minor
    };
    assert_eq!((paid_again("2026-05-29"), paid_again("2026-05-30")), (0, 200));
}

fn class_hold(class: &str) -> holds::Standing {
    let row = recobro_store::holds::HoldRow {
        id: "H".to_owned(),
        source: "ana".to_owned(),
        scope: "class".to_owned(),
        invoice: None,
        customer: None,
        class: Some(class.to_owned()),
        reason: "recall".to_owned(),
        note: String::new(),
        owner: "ana".to_owned(),
        from_on: on("2026-05-01"),
        until_on: on("2026-12-31"),
        released_on: None,
        released_by: None,
        known_at: at("2026-05-01T10:00:00Z"),
    };
    holds::Standing { row, changed: false }
}

/// An import that gives an invoice another product moves it into the class that is held, and out again.
#[test]
fn an_invoice_that_enters_or_leaves_a_class_hears_of_its_hold() {
    let mut book = book();
    book.holds.push(class_hold("invoice.product=gas"));
    let mut record = book.bills[&id()].record.clone();
    record.product = "gas".to_owned();
    book.take_invoice(record.clone(), &origin("in"));
    assert_eq!(names(&book), ["hold.placed"]);
    book.take_invoice(record.clone(), &origin("same"));
    record.product = "power".to_owned();
    book.take_invoice(record, &origin("out"));
    assert_eq!(names(&book), ["hold.placed", "hold.released"]);
}

//! Where money goes, and that no cent appears or disappears on the way.

use super::super::book::Bill;
use super::*;
use chrono::NaiveDate;
use proptest::prelude::*;
use recobro_kernel::money::Currency;
use recobro_kernel::time::Timestamp;

fn at() -> Timestamp {
    "2026-05-20T10:00:00Z".parse().unwrap()
}

fn on() -> NaiveDate {
    "2026-05-20".parse().unwrap()
}

fn origin(key: &str) -> Origin<'_> {
    Origin { source: "test", kind: "payment", key, at: at() }
}

fn row(id: &str) -> Inbound {
    Inbound {
        id: 1,
        source: "test".to_owned(),
        kind: "payment".to_owned(),
        external_id: id.to_owned(),
        version: 1,
        body: String::new(),
        at: at(),
        rank: 2,
        received_at: at(),
    }
}

/// Customer C with invoices of these amounts in euros, `I1` due first; each is also known by its number `2026/1`.
fn book(amounts: &[i64]) -> Book {
    let mut book = Book::default();
    let customer = serde_json::json!({
        "id": "C", "name": "", "kind": "business", "segment": "standard", "country": "ES", "locale": "es",
        "time_zone": "Europe/Madrid",
    });
    book.take_customer(serde_json::from_value(customer).unwrap(), Vec::new(), &origin("customer"));
    for (minor, n) in amounts.iter().zip(1..) {
        let invoice = serde_json::json!({
            "id": format!("I{n}"), "number": format!("2026/{n}"), "customer": "C", "issued": "2026-04-01",
            "due": format!("2026-05-{n:02}"), "amount": {"minor": minor, "currency": "EUR"},
        });
        book.take_invoice(serde_json::from_value(invoice).unwrap(), &origin(&format!("invoice {n}")));
    }
    book
}

fn payment(id: &str, minor: i64, invoices: &[&str]) -> Payment {
    Payment {
        id: id.to_owned(),
        invoice: None,
        invoices: invoices.iter().map(|name| (*name).to_owned()).collect(),
        customer: Some("C".to_owned()),
        amount: Money::new(minor, Currency::EUR),
        on: on(),
        at: None,
        reference: String::new(),
    }
}

fn pay(book: &mut Book, payment: &Payment, rule: Rule) -> Result<(), Parked> {
    take(book, &row(&payment.id), payment, &origin(&payment.id), rule)
}

fn parts(book: &Book) -> Vec<(&str, i64)> {
    book.booked.last().unwrap().parts.iter().map(|(id, minor)| (id.as_str(), *minor)).collect()
}

#[test]
fn one_payment_settles_the_invoices_it_names_in_order_and_the_rest_stays_with_the_customer() {
    let mut book = book(&[10_000, 5_000]);
    pay(&mut book, &payment("P", 17_000, &["2026/2", "I1", "I2"]), Rule::Exact).unwrap();
    assert_eq!(parts(&book), [("I2", 5_000), ("I1", 10_000)]);
    let booked = &book.booked[0];
    assert_eq!((booked.amount.minor, booked.customer.as_ref().map(CustomerId::as_str)), (17_000, Some("C")));
}

#[test]
fn money_without_names_goes_where_it_fits_and_nowhere_by_guess() {
    let amounts = [10_000, 5_000, 5_000, 700];
    let of = |payment: &Payment, rule| {
        let mut book = book(&amounts);
        pay(&mut book, payment, rule).unwrap();
        parts(&book).into_iter().map(|(id, minor)| (id.to_owned(), minor)).collect::<Vec<_>>()
    };
    let named = |list: &[(&str, i64)]| list.iter().map(|(id, minor)| ((*id).to_owned(), *minor)).collect::<Vec<_>>();
    assert_eq!(of(&payment("P", 700, &[]), Rule::Exact), named(&[("I4", 700)]), "one invoice of this amount");
    assert_eq!(of(&payment("P", 5_000, &[]), Rule::Exact), named(&[]), "two invoices of this amount");
    assert_eq!(of(&payment("P", 9_999, &[]), Rule::Exact), named(&[]), "no invoice of this amount");
    let all = named(&[("I1", 10_000), ("I2", 5_000), ("I3", 5_000), ("I4", 700)]);
    assert_eq!(of(&payment("P", 20_700, &[]), Rule::Exact), all, "all together");
    assert_eq!(of(&payment("P", 12_000, &[]), Rule::OldestFirst), named(&[("I1", 10_000), ("I2", 2_000)]));
    let told = Payment { reference: "Fra. (2026/3), gracias".to_owned(), ..payment("P", 5_000, &[]) };
    assert_eq!(of(&told, Rule::Exact), named(&[("I3", 5_000)]), "the reference names it");
}

#[test]
fn what_cannot_be_booked_says_why() {
    let mut book = book(&[10_000]);
    let error = |book: &mut Book, payment: Payment| pay(book, &payment, Rule::Exact).unwrap_err();
    assert!(error(&mut book, payment("P", 5, &["I9"])).contains("no invoice `I9`"));
    let dollars = Payment { amount: Money::new(5, "USD".parse().unwrap()), ..payment("P", 5, &["I1"]) };
    assert!(error(&mut book, dollars).contains("owed in EUR, the payment is in USD"));
    assert!(error(&mut book, payment("P", -5, &[])).contains("must name the one invoice"));
    assert!(error(&mut book, payment("P", -5, &["I1"])).contains("nothing was paid"));
    unapplied(&mut book, 5);
    assert!(error(&mut book, payment("P", 5, &["I1"])).contains("booked before"), "it stands in the ledger");
    assert!(book.booked.is_empty() && book.bills.values().all(|bill| bill.balance_minor == 10_000));
}

#[test]
fn a_rest_within_the_tolerance_is_written_off_with_its_record() {
    let mut book = book(&[10_000]);
    let id = InvoiceId::from("I1");
    book.bills.get_mut(&id).unwrap().tolerance_minor = 5;
    pay(&mut book, &payment("P", 9_996, &["I1"]), Rule::Exact).unwrap();
    assert_eq!(book.bills[&id].balance_minor, 0);
    let kinds: Vec<_> = book.booked.iter().map(|booked| (booked.kind, booked.amount.minor)).collect();
    assert_eq!(kinds, [("write_off", 4), ("payment", 9_996)]);
}

/// A cent short of one invoice, or of all of them, is no money of nobody.
#[test]
fn a_payment_some_cents_short_is_matched_where_the_rule_takes_the_rest() {
    let all = |minor: i64| {
        let mut book = book(&[10_000, 5_000]);
        book.bills.values_mut().for_each(|bill| bill.tolerance_minor = 5);
        pay(&mut book, &payment("P", minor, &[]), Rule::Exact).unwrap();
        book.bills.values().map(|bill| bill.balance_minor).collect::<Vec<_>>()
    };
    assert_eq!(all(14_999), [0, 0]);
    assert_eq!(all(4_996), [10_000, 0]);
    assert_eq!(all(4_994), [10_000, 5_000], "more than the rule writes off");
}

/// A first version that named a wrong invoice was parked: it booked nothing, and the corrected one counts.
#[test]
fn a_corrected_payment_is_booked() {
    let mut book = book(&[10_000]);
    assert!(pay(&mut book, &payment("P", 5_000, &["I9"]), Rule::Exact).is_err());
    let again = Inbound { version: 2, ..row("P") };
    take(&mut book, &again, &payment("P", 5_000, &["I1"]), &origin("P"), Rule::Exact).unwrap();
    assert_eq!(book.bills[&InvoiceId::from("I1")].balance_minor, 5_000);
}

#[test]
fn no_more_is_taken_back_than_was_settled() {
    let mut book = book(&[10_000]);
    pay(&mut book, &payment("P", 15_000, &["I1"]), Rule::Exact).unwrap();
    pay(&mut book, &payment("R", -15_000, &["I1"]), Rule::Exact).unwrap();
    assert_eq!(book.bills[&InvoiceId::from("I1")].balance_minor, 10_000);
    let unapplied = |b: &Booked| b.amount.minor - b.parts.iter().map(|(_, minor)| minor).sum::<i64>();
    assert_eq!(book.booked.iter().map(unapplied).collect::<Vec<_>>(), [5_000, -5_000], "and nothing is left over");
}

/// A word of the reference is the number of a stranger's invoice by chance.
#[test]
fn a_reference_that_points_to_two_customers_points_nowhere() {
    let mut book = book(&[10_000]);
    let other = serde_json::json!({
        "id": "D", "name": "", "kind": "business", "segment": "standard", "country": "ES", "locale": "es",
        "time_zone": "Europe/Madrid",
    });
    book.take_customer(serde_json::from_value(other).unwrap(), Vec::new(), &origin("other"));
    let invoice = serde_json::json!({
        "id": "500", "number": "500", "customer": "D", "issued": "2026-04-01", "due": "2026-05-01",
        "amount": {"minor": 10_000, "currency": "EUR"},
    });
    book.take_invoice(serde_json::from_value(invoice).unwrap(), &origin("500"));
    let reference = "500 EUR factura 2026/1".to_owned();
    let stranger = Payment { customer: None, reference, ..payment("P", 50_000, &[]) };
    pay(&mut book, &stranger, Rule::Exact).unwrap();
    assert!(parts(&book).is_empty() && book.booked[0].customer.is_none(), "it waits for a person");
}

fn matching(payment: &str, invoice: &str, minor: Option<i64>) -> Match {
    let amount = minor.map(|minor| Money::new(minor, Currency::EUR));
    Match { id: "M".to_owned(), payment: payment.to_owned(), invoice: invoice.to_owned(), amount, at: at() }
}

fn unapplied(book: &mut Book, minor: i64) {
    let row = recobro_store::payments::PaymentRow {
        id: "test:P".to_owned(),
        source: "test".to_owned(),
        external_id: "P".to_owned(),
        kind: "payment".to_owned(),
        customer: None,
        invoice: None,
        currency: Currency::EUR,
        amount_minor: minor,
        unallocated_minor: minor,
        reference: String::new(),
        booked_on: on(),
        known_at: at(),
    };
    book.unapplied.insert(row.id.clone(), row);
}

#[test]
fn a_person_says_what_unapplied_money_settles_and_never_more_than_there_is() {
    let mut book = book(&[10_000, 5_000]);
    unapplied(&mut book, 12_000);
    take_match(&mut book, &matching("test:P", "2026/2", None), &origin("M")).unwrap();
    assert_eq!(book.unapplied["test:P"].unallocated_minor, 7_000, "an invoice takes what it asks for");
    take_match(&mut book, &matching("test:P", "I1", Some(3_000)), &origin("N")).unwrap();
    assert_eq!(book.bills[&InvoiceId::from("I1")].balance_minor, 7_000);
    let refused = |book: &mut Book, matching: Match| take_match(book, &matching, &origin("X")).unwrap_err();
    assert!(refused(&mut book, matching("test:P", "I1", Some(4_001))).contains("40.00 EUR of the payment"));
    assert!(refused(&mut book, matching("test:P", "I2", Some(1))).contains("nothing is owed"));
    assert!(refused(&mut book, matching("test:Q", "I1", None)).contains("no payment"));
    assert_eq!(book.matched.len(), 2);
}

#[derive(Clone, Debug)]
enum Move {
    Pay(i64, Vec<usize>),
    Back(i64, usize),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let pay = (1_i64..20_000, prop::collection::vec(0_usize..3, 0..3)).prop_map(|(minor, to)| Move::Pay(minor, to));
    let back = (1_i64..9_000, 0_usize..3).prop_map(|(minor, of)| Move::Back(minor, of));
    prop::collection::vec(prop_oneof![3 => pay, 1 => back], 0..12)
}

proptest! {
    /// For every invoice: its amount less what was allocated is what is owed. For every payment: its parts never exceed it.
    #[test]
    fn the_ledger_balances_whatever_comes(moves in moves(), oldest in any::<bool>()) {
        let mut book = book(&[10_000, 5_000, 700]);
        let names = ["I1", "I2", "I3"];
        let rule = if oldest { Rule::OldestFirst } else { Rule::Exact };
        for (n, one) in moves.iter().enumerate() {
            let id = format!("P{n}");
            let _ = match one {
                Move::Pay(minor, to) => {
                    let to: Vec<&str> = to.iter().map(|i| names[*i]).collect();
                    pay(&mut book, &payment(&id, *minor, &to), rule)
                }
                Move::Back(minor, of) => pay(&mut book, &payment(&id, -minor, &[names[*of]]), rule),
            };
        }
        for (id, bill) in &book.bills {
            let parts = book.booked.iter().flat_map(|booked| &booked.parts).filter(|(to, _)| to == id);
            let settled: i64 = parts.map(|(_, minor)| minor).sum();
            prop_assert_eq!(bill.balance_minor, bill.record.amount.minor - settled);
        }
        for booked in book.booked.iter().filter(|booked| booked.amount.minor > 0) {
            let settled: i64 = booked.parts.iter().map(|(_, minor)| minor).sum();
            prop_assert!(settled <= booked.amount.minor && booked.parts.iter().all(|(_, minor)| *minor > 0));
        }
        let client = &book.clients[&CustomerId::from("C")];
        let owed: i64 = book.bills.values().filter(|bill| bill.is_open()).map(|bill: &Bill| bill.balance_minor).sum();
        prop_assert_eq!(client.tally.total_minor.get("EUR").copied().unwrap_or(0), owed);
    }

    /// Payments that name their one invoice end in the same balances whatever their order.
    #[test]
    fn the_order_of_payments_does_not_matter(paid in prop::collection::vec((1_i64..4_000, 0_usize..2), 0..8)) {
        let run = |paid: &[(i64, usize)]| {
            let mut book = book(&[10_000, 5_000]);
            for (n, (minor, to)) in paid.iter().enumerate() {
                pay(&mut book, &payment(&format!("P{n}"), *minor, &[["I1", "I2"][*to]]), Rule::Exact).unwrap();
            }
            let balances: Vec<i64> = book.bills.values().map(|bill| bill.balance_minor).collect();
            let unapplied: i64 = book.booked.iter().map(|b| b.amount.minor - b.parts.iter().map(|p| p.1).sum::<i64>()).sum();
            (balances, unapplied)
        };
        let mut backwards = paid.clone();
        backwards.reverse();
        prop_assert_eq!(run(&paid), run(&backwards));
    }
}

//! What commands say about money.

use crate::program::Home;
use expect_test::expect;

fn book() -> Home {
    let home = Home::new();
    let put = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    put("customers.csv", "id,name,country,email\nC1,Acme SL,ES,a@example.com\nC2,Ana,ES,ana@example.com\n");
    put(
        "invoices.csv",
        "id,number,customer,issued,due,amount,currency,reference\n\
         I1,2026/1,C1,2025-10-02,2025-11-01,7200.00,EUR,RF18\nI2,2026/2,C1,2025-10-02,2025-11-01,10.00,EUR,RF18\n\
         I3,2026/3,C1,2025-10-02,2025-11-01,10.00,USD,\n",
    );
    put("payments.csv", "id,invoice,amount,currency,on\nP1,2026/1,1200,EUR,2026-01-15\nP2,RF18,5,EUR,2026-01-15\n");
    for source in ["customers", "invoices", "payments"] {
        home.data(&["import", source, &format!("{source}.csv")]);
    }
    home.data(&["run", "--virtual", "--until", "2026-01-20"]);
    home
}

#[test]
fn interest_is_shown_line_by_line_and_stops_where_no_rate_is_known() {
    let home = book();
    expect![[r"
        2026/1  C1  due 2025-11-01  6,000.00 EUR open as of 2026-07-20

              from          to  days  principal     rate  interest
        2025-11-02  2026-01-15    75    7200.00  10.15 %    150.16
        2026-01-16  2026-06-30   166    6000.00  10.15 %    276.97

        interest 427.13 EUR, fixed sum 40.00 EUR, with the principal 6,467.13 EUR
        table es-late-payment: simple interest, piecewise_by_semester
        the rate from 2026-07-01 on is not loaded: these days are not counted; add it to workflows/rates/es-late-payment.yaml
    "]].assert_eq(&home.data(&["interest", "2026/1", "--as-of", "2026-07-20"]));
    let json: serde_json::Value =
        serde_json::from_str(&home.data(&["interest", "I1", "--as-of", "2026-01-15", "--json"])).unwrap();
    assert_eq!((json["interest"].as_str(), json["fixed"].as_str()), (Some("150.16"), Some("40.00")));
    let today = home.data(&["interest", "I1"]);
    assert!(today.contains("as of 2026-01-20"), "the time that was played: {today}");
    for (args, code) in [(["interest", "I9"], 3), (["interest", "RF18"], 4), (["interest", "I3"], 3)] {
        assert_eq!(home.run(&args).status.code(), Some(code), "{args:?}");
    }
}

#[test]
fn a_payment_whose_reference_names_two_invoices_waits_in_sight() {
    let waiting = book().data(&["unmatched"]);
    assert!(waiting.contains("several invoices carry the number or reference `RF18`"), "{waiting}");
}

/// A payment for two invoices and more, matched by a person; the account on any day, and as it was known.
#[test]
fn money_is_entered_matched_and_accounted_for() {
    let home = Home::new();
    let put = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    put("customers.csv", "id,name,country,email\nC1,Acme SL,ES,a@example.com\n");
    put(
        "invoices.csv",
        "id,number,customer,issued,due,amount,currency\nI1,2026/1,C1,2026-01-02,2026-02-01,100.00,EUR\n\
         I2,2026/2,C1,2026-01-02,2026-02-01,50.00,EUR\nI3,2026/3,C1,2026-01-02,2026-02-20,30.00,EUR\n",
    );
    home.data(&["import", "customers", "customers.csv"]);
    home.data(&["import", "invoices", "invoices.csv"]);
    home.data(&["run", "--virtual", "--until", "2026-02-05"]);
    let add = ["payment", "add", "165", "--invoice", "2026/1", "--invoice", "I2", "--on", "2026-02-05"];
    let noted = home.data(&add);
    assert!(noted.starts_with("noted as "), "{noted}");
    assert!(home.data(&add).contains("was noted before"), "said twice is said once");
    home.data(&["run", "--virtual", "--until", "2026-02-06"]);
    let list: serde_json::Value = serde_json::from_str(home.data(&["match", "list", "--json"]).trim()).unwrap();
    assert_eq!(
        (list["unapplied"].as_str(), list["candidates"][0]["invoice"].as_str()),
        (Some("15.00 EUR"), Some("2026/3"))
    );
    let id = list["payment"].as_str().unwrap().to_owned();
    assert_eq!(home.run(&["match", "accept", &id, "2026/3", "--amount", "15.01"]).status.code(), Some(4));
    home.data(&["match", "accept", &id, "2026/3"]);
    home.data(&["run", "--virtual", "--until", "2026-02-10"]);
    assert_eq!(home.data(&["match", "list"]), "");
    let parts: serde_json::Value =
        serde_json::from_str(home.data(&["payment", "list", "C1", "--json"]).trim()).unwrap();
    let settles: Vec<_> = parts["settles"].as_array().unwrap().iter().map(|part| part["amount"].as_str()).collect();
    assert_eq!(settles, [Some("100.00"), Some("50.00"), Some("15.00")]);
    let open = |day: &str| -> serde_json::Value {
        serde_json::from_str(&home.data(&["ledger", "show", "C1", "--as-of", day, "--json"])).unwrap()
    };
    assert_eq!(open("2026-02-04")["totals"]["EUR"]["balance"], "180.00");
    // Imported by the machine's clock, played in virtual time: known since the day it was issued, the money not yet.
    let known: serde_json::Value = serde_json::from_str(&home.data(&[
        "ledger",
        "show",
        "C1",
        "--as-of",
        "2026-02-10",
        "--known-at",
        "2026-02-03",
        "--json",
    ]))
    .unwrap();
    assert_eq!(known["totals"]["EUR"]["balance"], "180.00");
    assert_eq!(open("2026-02-10")["totals"]["EUR"]["balance"], "15.00");
    expect![[r"
        C1  Acme SL  ES, as of 2026-02-10

        invoice         due  days late       amount    paid   open  disputed  interest + fixed
        2026/1   2026-02-01          9  EUR  100.00  100.00   0.00      0.00             40.11
        2026/2   2026-02-01          9  EUR   50.00   50.00   0.00      0.00             40.06
        2026/3   2026-02-20          0  EUR   30.00   15.00  15.00      0.00              0.00

        15.00 EUR open, 80.17 EUR interest and fixed sums: 95.17 EUR owed
    "]]
    .assert_eq(&home.data(&["ledger", "show", "C1", "--as-of", "2026-02-10"]));
}

/// A credit note lowers the invoice from the beginning, once, and the rest of it waits in sight.
#[test]
fn a_credit_note_is_no_payment() {
    let home = book();
    std::fs::write(
        home.path().join("credits.csv"),
        "id,invoice,amount,currency,on,reason\nP1,2026/1,2000,EUR,2026-01-16,price\nN2,I2,7,EUR,2026-01-16,quality\n\
         N3,I3,1,EUR,2026-01-16,price\nN4,I7,1,EUR,2026-01-16,price\n",
    )
    .unwrap();
    home.data(&["import", "credit_notes", "credits.csv"]);
    home.data(&["run", "--virtual", "--until", "2026-01-21"]);
    home.data(&["import", "credit_notes", "credits.csv"]);
    home.data(&["run", "--virtual", "--until", "2026-01-22"]);
    let parked = home.data(&["unmatched"]);
    assert!(parked.contains("the invoice is owed in USD, the credit note is in EUR"), "{parked}");
    assert!(parked.contains("no invoice `I7`; it is taken again"), "{parked}");
    // As if 5200 had been invoiced: 75 days before the payment of 1200.
    let json: serde_json::Value =
        serde_json::from_str(&home.data(&["interest", "I1", "--as-of", "2026-01-16", "--json"])).unwrap();
    assert_eq!(
        (json["lines"][0]["principal"].as_str(), json["balance"].as_str(), json["interest"].as_str()),
        (Some("5200.00"), Some("4000.00"), Some("109.56"))
    );
    let before: serde_json::Value =
        serde_json::from_str(&home.data(&["interest", "I1", "--as-of", "2026-01-15", "--json"])).unwrap();
    assert_eq!(before["lines"][0]["principal"], "7200.00", "nobody knew of the credit note on that day");
    let account = home.data(&["ledger", "show", "C1", "--as-of", "2026-01-21"]);
    assert!(account.contains("credited"), "{account}");
    let json: serde_json::Value =
        serde_json::from_str(&home.data(&["ledger", "show", "C1", "--as-of", "2026-01-21", "--json"])).unwrap();
    let one = &json["invoices"][0];
    assert_eq!(
        (one["paid"].as_str(), one["credited"].as_str(), one["balance"].as_str()),
        (Some("1200.00"), Some("2000.00"), Some("4000.00"))
    );
    home.data(&["payment", "credit", "I1", "4500", "--reason", "price"]);
    home.data(&["run", "--virtual", "--until", "2026-01-23"]);
    let waits: serde_json::Value = serde_json::from_str(home.data(&["match", "list", "--json"]).trim()).unwrap();
    assert_eq!((waits["kind"].as_str(), waits["unapplied"].as_str()), (Some("credit"), Some("500.00 EUR")));
    home.data(&["payment", "add", "-1200", "--invoice", "I1", "--reference", "R02"]);
    home.data(&["run", "--virtual", "--until", "2026-01-24"]);
    let json: serde_json::Value = serde_json::from_str(&home.data(&["ledger", "show", "C1", "--json"])).unwrap();
    assert_eq!(json["invoices"][0]["balance"], "1200.00", "what was credited does not come back");
    assert_eq!(home.run(&["payment", "credit", "I9", "1", "--reason", "price"]).status.code(), Some(3));
}

/// Who answers a dispute and by when; accepted without a word on the credit, it waits for the credit note.
#[test]
fn disputes_have_a_person_a_day_and_a_credit() {
    let home = late_in("FR");
    let wrong = home.run(&["dispute", "open", "I1", "--reason", "qualty"]);
    assert!(crate::program::text(&wrong.stderr).contains("did you mean `quality`?"));
    home.data(&["dispute", "open", "I1", "--reason", "duplicate", "--amount", "1000", "--id", "7", "--owner", "ana"]);
    home.data(&["run", "--virtual", "--until", "2026-01-21"]);
    let show = || -> serde_json::Value {
        serde_json::from_str(home.data(&["dispute", "show", "7", "--json"]).trim()).unwrap()
    };
    let one = show();
    assert_eq!(
        (one["reason"].as_str(), one["owner"].as_str(), one["answer_by"].as_str(), one["overdue"].as_bool()),
        (Some("not_recognised"), Some("ana"), Some("2026-02-19"), Some(false))
    );
    home.data(&["dispute", "assign", "7", "--owner", "luis", "--answer-by", "2026-01-23"]);
    home.data(&["run", "--virtual", "--until", "2026-01-26"]);
    let one = show();
    assert_eq!((one["owner"].as_str(), one["overdue"].as_bool()), (Some("luis"), Some(true)));
    let tasks = home.data(&["task", "list"]);
    assert_eq!(tasks.matches("overdue-dispute").count(), 1, "{tasks}");
    // The rest of the invoice is not contested: what is credited there is another matter.
    let most = home.run(&["dispute", "close", "7", "--outcome", "accepted", "--credit", "1000.01"]);
    assert_eq!(most.status.code(), Some(5));
    let said = crate::program::text(&most.stderr);
    assert!(said.contains("1,000.00 EUR of it may still be credited"), "{said}");
    home.data(&["dispute", "close", "7", "--outcome", "accepted"]);
    home.data(&["run", "--virtual", "--until", "2026-01-27"]);
    let account = |day: &str| -> serde_json::Value {
        let all: serde_json::Value =
            serde_json::from_str(&home.data(&["ledger", "show", "C1", "--as-of", day, "--json"])).unwrap();
        all["invoices"][0].clone()
    };
    assert_eq!(account("2026-01-27")["claimable"], "5000.00", "its credit note is to come");
    home.data(&["payment", "credit", "I1", "400", "--reason", "price", "--dispute", "7"]);
    home.data(&["run", "--virtual", "--until", "2026-01-29"]);
    assert_eq!(
        (&account("2026-01-29")["balance"], &account("2026-01-29")["claimable"]),
        (&"5600.00".into(), &"5000.00".into())
    );
    home.data(&["dispute", "close", "7", "--outcome", "accepted", "--credit", "0"]);
    home.data(&["run", "--virtual", "--until", "2026-01-30"]);
    assert_eq!(account("2026-01-30")["claimable"], "5600.00", "no more will be credited");
    assert_eq!(home.run(&["dispute", "close", "7", "--outcome", "accepted", "--credit", "1"]).status.code(), Some(4));
}

/// Waived once, from its day on, shown with its reason; re-said it is the same waiver.
#[test]
fn charges_are_waived_with_a_reason() {
    let home = late();
    let waive = ["interest", "waive", "I1", "--reason", "goodwill", "--kind", "interest", "--on", "2026-01-15"];
    home.data(&waive);
    assert!(home.data(&waive).contains("was noted before"));
    home.data(&["run", "--virtual", "--until", "2026-01-21"]);
    let of = |day: &str| -> serde_json::Value {
        serde_json::from_str(&home.data(&["interest", "I1", "--as-of", day, "--json"])).unwrap()
    };
    // 6000 at 10.15 percent: 5 days to the 15th are 8.34, 10 days to the 20th 16.68.
    assert_eq!((&of("2026-01-14")["waived"], &of("2026-01-14")["charges"]), (&"0.00".into(), &"46.67".into()));
    let one = of("2026-01-20");
    assert_eq!((&one["interest"], &one["waived"], &one["charges"]), (&"16.68".into(), &"8.34".into(), &"48.34".into()));
    assert_eq!(one["waivers"][0]["reason"], "goodwill");
    assert!(
        home.data(&["interest", "I1", "--as-of", "2026-01-20"])
            .contains("waived from 2026-01-15 on: 8.34 EUR, goodwill")
    );
    let account: serde_json::Value =
        serde_json::from_str(&home.data(&["ledger", "show", "C1", "--as-of", "2026-01-20", "--json"])).unwrap();
    assert_eq!(
        (&account["invoices"][0]["waived"], &account["invoices"][0]["charges"]),
        (&"8.34".into(), &"48.34".into())
    );
    assert_eq!(home.run(&["interest"]).status.code(), Some(2));
    assert_eq!(home.run(&["interest", "waive", "I1", "--reason", "x", "--amount", "-5"]).status.code(), Some(2));
}

/// Two percent for paying by a day: 98 settle 100, and the account says what became of the rest.
#[test]
fn an_early_payment_takes_its_discount() {
    let home = late();
    for wrong in [["--percent", "200"], ["--percent", "two"], ["--amount", "0"]] {
        let args = ["incentive", "add", "I1", "--until", "2026-01-30", wrong[0], wrong[1]];
        assert_eq!(home.run(&args).status.code(), Some(2), "{wrong:?}");
    }
    assert_eq!(home.run(&["incentive", "add", "I1", "--percent", "2", "--until", "2025-01-30"]).status.code(), Some(2));
    home.data(&["incentive", "add", "I1", "--percent", "2", "--until", "2026-01-22"]);
    home.data(&["run", "--virtual", "--until", "2026-01-21"]);
    let list =
        || -> serde_json::Value { serde_json::from_str(home.data(&["incentive", "list", "--json"]).trim()).unwrap() };
    assert_eq!((&list()["amount"], &list()["status"]), (&"120.00 EUR".into(), &"open".into()));
    home.data(&["run", "--virtual", "--until", "2026-01-24"]);
    assert_eq!(list()["status"], "expired");
    home.data(&["payment", "add", "5880", "--invoice", "I1", "--on", "2026-01-22"]);
    home.data(&["run", "--virtual", "--until", "2026-01-25"]);
    assert_eq!((&list()["status"], &list()["taken_on"]), (&"taken".into(), &"2026-01-22".into()));
    let account: serde_json::Value = serde_json::from_str(&home.data(&["ledger", "show", "C1", "--json"])).unwrap();
    let one = &account["invoices"][0];
    assert_eq!(
        (&one["paid"], &one["discounted"], &one["balance"]),
        (&"5880.00".into(), &"120.00".into(), &"0.00".into())
    );
    assert!(home.data(&["case", "show", "I1"]).contains("paid"));
}

/// An invoice ten days late.
fn late() -> Home {
    late_in("ES")
}

/// The same elsewhere, where another playbook takes it.
fn late_in(country: &str) -> Home {
    let home = Home::new();
    let put = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    put("customers.csv", &format!("id,name,country,email\nC1,Acme SL,{country},a@example.com\n"));
    put(
        "invoices.csv",
        "id,number,customer,issued,due,amount,currency\nI1,2026/1,C1,2025-12-02,2026-01-10,6000.00,EUR\n",
    );
    home.data(&["import", "customers", "customers.csv"]);
    home.data(&["import", "invoices", "invoices.csv"]);
    home.data(&["run", "--virtual", "--until", "2026-01-20"]);
    home
}

#[test]
fn promises_and_disputes_are_entered_listed_and_ended() {
    let home = late();
    assert_eq!(home.run(&["promise", "add", "2026-01-01", "--invoice", "I1"]).status.code(), Some(2), "in the past");
    home.data(&["promise", "add", "2026-02-10", "--invoice", "I1"]);
    home.data(&["run", "--virtual", "--until", "2026-01-21"]);
    let promise: serde_json::Value = serde_json::from_str(home.data(&["promise", "list", "--json"]).trim()).unwrap();
    assert_eq!((promise["status"].as_str(), promise["amount"].as_str()), (Some("open"), Some("6,000.00 EUR")));
    assert!(home.data(&["case", "show", "I1"]).contains("held    promise since 2026-01-"), "the case is held");
    home.data(&["promise", "cancel", "I1"]);
    home.data(&["dispute", "open", "I1", "--reason", "quality", "--amount", "100"]);
    home.data(&["run", "--virtual", "--until", "2026-01-22"]);
    assert_eq!(home.data(&["promise", "list", "--open"]), "");
    let dispute: serde_json::Value =
        serde_json::from_str(home.data(&["dispute", "list", "--open", "--json"]).trim()).unwrap();
    assert_eq!((dispute["reason"].as_str(), dispute["amount"].as_str()), (Some("quality"), Some("100.00 EUR")));
    let id = dispute["dispute"].as_str().unwrap();
    home.data(&["dispute", "close", id, "--outcome", "withdrawn"]);
    home.data(&["run", "--virtual", "--until", "2026-01-23"]);
    assert_eq!(home.data(&["dispute", "list", "--open"]), "");
    assert_eq!(home.run(&["dispute", "close", id, "--outcome", "rejected"]).status.code(), Some(4));
}

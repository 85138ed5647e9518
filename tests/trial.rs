//! What a trial by people found, kept found: one amount everywhere, one word however it is spelt, no stranger's money.

use crate::program::{Home, text};

fn home() -> Home {
    let home = Home::new();
    let put = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    put("customers.csv", "id,name,country,email\nC1,Acme SL,ES,a@example.com\nC2,Beta SARL,FR,b@example.com\n");
    put(
        "invoices.csv",
        "id,number,customer,issued,due,amount,currency\n1001,INV-1,C1,2026-03-02,2026-04-01,1000.00,EUR\n\
         1003,INV-3,C2,2026-03-02,2026-04-01,2500.10,EUR\n",
    );
    home.data(&["import", "customers", "customers.csv"]);
    home.data(&["import", "invoices", "invoices.csv"]);
    play(&home, "2026-04-02");
    home
}

fn play(home: &Home, until: &str) {
    home.data(&["run", "--virtual", "--until", until]);
}

fn ledger(home: &Home, customer: &str, as_of: &str) -> serde_json::Value {
    serde_json::from_str(&home.data(&["ledger", "show", customer, "--as-of", as_of, "--json"])).unwrap()
}

fn refused(home: &Home, args: &[&str]) -> String {
    let output = home.run(args);
    assert_eq!(output.status.code(), Some(5), "{args:?}: {}", text(&output.stderr));
    text(&output.stderr)
}

/// An invoice that comes again with another amount has that amount in the account as well.
#[test]
fn an_amended_invoice_has_one_amount_everywhere() {
    let home = home();
    let again = "id,number,customer,issued,due,amount,currency\n1003,INV-3,C2,2026-03-02,2026-04-01,2000.00,EUR\n";
    std::fs::write(home.path().join("again.csv"), again).unwrap();
    home.data(&["import", "invoices", "again.csv"]);
    play(&home, "2026-04-03");
    assert_eq!(ledger(&home, "C2", "2026-04-03")["invoices"][0]["amount"], "2000.00");
    home.data(&["payment", "add", "2000", "--invoice", "INV-3"]);
    play(&home, "2026-04-04");
    assert_eq!(ledger(&home, "C2", "2026-04-04")["invoices"][0]["balance"], "0.00");
}

#[test]
fn one_word_however_the_invoice_is_spelt() {
    let home = home();
    home.data(&["payment", "add", "100", "--invoice", "INV-3", "--on", "2026-04-02"]);
    let again = home.data(&["payment", "add", "100", "--invoice", "1003", "--on", "2026-04-02"]);
    assert!(again.contains("was noted before"), "{again}");
    // Bound when it was said: another invoice of the same number takes nothing away.
    let other = "id,number,customer,issued,due,amount,currency\n2001,INV-3,C1,2026-03-02,2026-06-01,70.00,EUR\n";
    std::fs::write(home.path().join("other.csv"), other).unwrap();
    home.data(&["import", "invoices", "other.csv"]);
    play(&home, "2026-04-03");
    assert_eq!(ledger(&home, "C2", "2026-04-03")["invoices"][0]["paid"], "100.00");
}

#[test]
fn what_contradicts_itself_is_refused() {
    let home = home();
    let two = ["promise", "add", "2026-04-20", "--invoice", "INV-1", "--invoice", "INV-3"];
    assert!(refused(&home, &two).contains("an invoice of `C2`"));
    let stranger = ["payment", "add", "100", "--invoice", "INV-1", "--customer", "C2"];
    assert!(refused(&home, &stranger).contains("the invoice is of `C1`"));
    let plan = ["plan", "add", "--invoice", "INV-1", "--instalments", "1", "--first", "2026-05-02", "--id", "P"];
    let mandate = ["--method", "direct_debit", "--mandate", "M", "--signed", "2027-05-01", "--iban"];
    let all = [&plan[..], &mandate[..], &["ES91 2100 0418 4502 0005 1332"]].concat();
    assert!(refused(&home, &all).contains("signed on 2027-05-01"));
    let much = home.run(&["dispute", "open", "INV-1", "--reason", "quality", "--amount", "5000"]);
    assert!(much.status.success() && text(&much.stderr).contains("1,000.00 EUR is open"), "{}", text(&much.stderr));
}

/// The reversal of a credit note is no second credit note.
#[test]
fn a_credit_note_with_a_sign_is_refused_with_its_line() {
    let home = home();
    let notes = "id,invoice,amount,currency,on\nN1,1003,100,EUR,2026-04-02\nN2,1003,-100,EUR,2026-04-02\n";
    std::fs::write(home.path().join("notes.csv"), notes).unwrap();
    let said = home.run(&["import", "credit_notes", "notes.csv"]);
    let shown = text(&said.stderr);
    assert!(said.status.code() == Some(6) && shown.contains("line 3") && shown.contains("not above zero"), "{shown}");
}

/// Interest that stops where no rate is known says so wherever it is shown; money that came back was never there.
#[test]
fn the_account_says_what_its_interest_leaves_out() {
    let home = home();
    let shown = home.data(&["ledger", "show", "C2", "--as-of", "2030-01-01"]);
    assert!(shown.contains("is not loaded: interest of these days is not counted"), "{shown}");
    assert!(ledger(&home, "C2", "2030-01-01")["unknown_from"].is_string());
    let paid = "id,invoice,amount,currency,on\nP1,1003,2500.10,EUR,2026-04-01\nP2,1003,-2500.10,EUR,2026-04-03\n";
    std::fs::write(home.path().join("paid.csv"), paid).unwrap();
    home.data(&["import", "payments", "paid.csv"]);
    play(&home, "2026-04-20");
    let interest: serde_json::Value =
        serde_json::from_str(&home.data(&["interest", "1003", "--as-of", "2026-04-20", "--json"])).unwrap();
    assert_eq!(interest["fixed"], "40.00", "{interest}");
}

#[test]
fn the_guard_names_the_hold_that_keeps_back() {
    let home = home();
    let hold =
        ["hold", "add", "--invoice", "INV-1", "--reason", "complaint", "--until", "2026-05-30", "--owner", "ana"];
    home.data(&[&hold[..], &["--id", "H1"]].concat());
    play(&home, "2026-04-03");
    let said = home.data(&["guard", "explain", "C1", "--channel", "email", "--at", "2026-04-07T10:00"]);
    assert!(said.contains("no, because of the case: held by hold H1 (complaint) until 2026-05-30"), "{said}");
}

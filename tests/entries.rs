//! What people enter by hand, through the real program: tried first, refused with its reason, or noted in sight.

use crate::program::{Home, text};

/// Two customers with open invoices; nothing is played yet.
fn fresh() -> Home {
    let home = Home::new();
    let put = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    put("customers.csv", "id,name,country,email\nC1,Acme SL,ES,a@example.com\nC2,Beta SARL,FR,b@example.com\n");
    put(
        "invoices.csv",
        "id,number,customer,issued,due,amount,currency\nI1,2026/1,C1,2026-01-02,2026-02-01,900.00,EUR\n\
         I2,2026/2,C2,2026-01-02,2026-02-01,400.00,EUR\n",
    );
    home.data(&["import", "customers", "customers.csv"]);
    home.data(&["import", "invoices", "invoices.csv"]);
    home
}

/// The same, played to 5 February 2026.
fn home() -> Home {
    let home = fresh();
    play(&home, "2026-02-05");
    home
}

fn play(home: &Home, until: &str) {
    home.data(&["run", "--virtual", "--until", until]);
}

/// Code, data and words of a run.
fn said(home: &Home, args: &[&str]) -> (i32, String, String) {
    let output = home.run(args);
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// What must be refused, said with and without `--dry-run`: its words. What is not there is 3, what may not be is 5.
fn refused(home: &Home, args: &[&str], word: &str) {
    let wanted = if word.starts_with("no customer") || word.starts_with("no invoice") { 3 } else { 5 };
    for args in [args.to_vec(), [args, &["--dry-run"]].concat()] {
        let (code, out, err) = said(home, &args);
        assert!(code == wanted && out.is_empty() && err.contains(word), "{args:?}: {code} {out}{err}");
    }
}

#[test]
fn what_waits_is_taken_up_first_in_the_trial() {
    let home = home();
    // Noted and not yet taken up: from here on other news waits.
    home.data(&["payment", "add", "100", "--invoice", "I1", "--on", "2026-02-05"]);
    let plan = ["plan", "add", "--invoice", "I1", "--first", "2026-03-02"];
    refused(&home, &[&plan[..], &["--instalments", "0"]].concat(), "a plan has 1 to 120");
    refused(&home, &[&plan[..], &["--instalments", "2", "--amount", "850"]].concat(), "800.00 EUR may be asked for");
    let hold = ["hold", "add", "--reason", "flood", "--until", "2026-06-30", "--owner", "ana"];
    refused(&home, &[&hold[..], &["--class", "customer.mood=bad"]].concat(), "names no class");
    refused(&home, &[&hold[..], &["--customer", "C7"]].concat(), "no customer `C7`");
    refused(&home, &["hold", "release", "H7"], "no hold `H7`");
    refused(&home, &["plan", "cancel", "P7"], "no open plan `P7`");
    refused(&home, &["payment", "add", "5", "--invoice", "I1", "--currency", "USD"], "the payment is in USD");
    home.data(&[&plan[..], &["--instalments", "2", "--id", "P1"]].concat());
    refused(&home, &[&plan[..], &["--instalments", "3"]].concat(), "is in plan `P1`");
    play(&home, "2026-02-06");
    assert_eq!(home.data(&["unmatched"]), "", "nothing impossible was noted");
}

#[test]
fn a_new_invoice_is_known_before_it_is_taken_up() {
    let home = fresh();
    let add = ["promise", "add", "2030-06-15", "--invoice", "I1"];
    let (code, out, err) = said(&home, &[&add[..], &["--dry-run"]].concat());
    assert!(code == 0 && out.contains("promise.made (1)") && !err.contains("waits"), "{out}{err}");
    refused(&home, &["promise", "add", "2030-06-15", "--invoice", "I9"], "no invoice `I9`");
    let pay = home.data(&["payment", "add", "5", "--invoice", "I1", "--dry-run"]);
    assert!(pay.contains("\"currency\":\"EUR\""), "its currency is known as well: {pay}");
    home.data(&add);
    assert!(home.data(&add).contains("was noted before"));
    home.data(&["run"]);
    assert!(home.data(&add).contains("was noted before"), "also when it was taken up");
}

#[test]
fn beyond_the_bound_it_is_noted_untried_and_said_so() {
    let home = fresh();
    let row = |n: u32| format!("M{n},m-{n},C1,2026-01-02,2026-02-01,1.00,EUR\n");
    let rows: String = (0..2_100).map(row).collect();
    let head = "id,number,customer,issued,due,amount,currency\n";
    std::fs::write(home.path().join("many.csv"), format!("{head}{rows}")).unwrap();
    home.data(&["import", "invoices", "many.csv"]);
    let hold = ["hold", "add", "--customer", "C7", "--reason", "flood", "--until", "2030-06-30", "--owner", "ana"];
    let (code, out, err) = said(&home, &[&hold[..], &["--dry-run"]].concat());
    assert!(code == 3 && out.is_empty() && err.contains("no customer `C7`"), "{code} {out}{err}");
    let (code, out, err) = said(&home, &hold);
    assert!(code == 0 && out.starts_with("noted as "), "{code} {out}{err}");
    assert!(err.contains("without being tried") && err.contains("recobro unmatched"), "{err}");
    home.data(&["run"]);
    let (code, out, err) = said(&home, &hold);
    assert!(code == 3 && out.is_empty() && err.contains("no customer `C7`"), "{code} {out}{err}");
    assert!(err.contains("was noted before and waits"), "{err}");
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text.lines().next().unwrap_or("null")).unwrap()
}

/// A payment for an invoice that is not there is parked; the run says so, and where to look.
#[test]
fn a_run_says_what_it_parked() {
    let home = home();
    let put = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    put("payments.csv", "id,invoice,amount,currency,on\nP1,I7,5,EUR,2026-02-05\nP2,I8,5,EUR,2026-02-05\n");
    home.data(&["import", "payments", "payments.csv"]);
    let run = |until: &str| said(&home, &["run", "--virtual", "--until", until]).2;
    let words = run("2026-02-06");
    assert!(
        words.contains("2 of them wait because they fit nothing") && words.contains("recobro unmatched"),
        "{words}"
    );
    let words = run("2026-02-07");
    assert!(!words.contains("unmatched"), "said once: {words}");
    let done = json(&home.data(&["run", "--virtual", "--until", "2026-02-07", "--json"]));
    assert_eq!(done["parked"].as_u64(), Some(0));
}

#[test]
fn money_of_a_day_to_come_is_seen_before_its_day() {
    let home = home();
    let add = ["payment", "add", "100", "--invoice", "2026/1", "--on", "2026-03-01", "--id", "B1"];
    let (code, out, _) = said(&home, &[&add[..], &["--dry-run"]].concat());
    assert!(code == 0 && out.contains("would count from 2026-03-01"), "{out}");
    let (code, out, err) = said(&home, &add);
    assert!(code == 0 && out.contains("it counts from 2026-03-01"), "{out}{err}");
    home.data(&["payment", "add", "7", "--currency", "EUR", "--customer", "C1", "--on", "2026-02-05", "--id", "B2"]);
    let list = home.data(&["payment", "list", "C1"]);
    assert!(list.contains("waits for 2026-03-01") && list.contains("waits for the next run"), "{list}");
    assert_eq!(home.data(&["payment", "list", "C2"]), "", "another customer's");
    let lines = home.data(&["payment", "list", "C1", "--json"]);
    let line = lines.lines().map(json).find(|line| line["payment"] == "cli:tester:B1").unwrap();
    assert_eq!(
        (line["waits_for"].as_str(), line["on"].as_str(), line["amount"].as_str()),
        (Some("2026-03-01"), Some("2026-03-01"), Some("100.00"))
    );
    let account = home.data(&["ledger", "show", "C1"]);
    assert!(account.contains("100.00 EUR of 2026-03-01 waits"), "{account}");
    let account = json(&home.data(&["ledger", "show", "C1", "--json"]));
    let waiting: Vec<_> = account["waiting"].as_array().unwrap().iter().map(|line| line["payment"].as_str()).collect();
    assert_eq!(waiting, [Some("cli:tester:B2"), Some("cli:tester:B1")]);
    play(&home, "2026-03-02");
    let list = home.data(&["payment", "list", "C1"]);
    assert!(!list.contains("waits") && list.contains("2026-03-01"), "{list}");
}

#[test]
fn a_short_payment_id_is_enough_where_one_source_has_it() {
    let home = home();
    let add = |who: &str, amount: &str| {
        let money = ["--as", who, "payment", "add", amount, "--currency", "EUR", "--customer", "C1"];
        home.data(&[&money[..], &["--on", "2026-02-05", "--id", "B1"]].concat());
    };
    add("ana", "11");
    play(&home, "2026-02-06");
    assert!(home.data(&["match", "accept", "B1", "2026/1", "--dry-run"]).contains("person:ana:B1"));
    add("luis", "12");
    play(&home, "2026-02-07");
    let (code, _, err) = said(&home, &["match", "accept", "B1", "2026/1"]);
    assert!(code == 4 && err.contains("person:ana:B1 or person:luis:B1"), "{code} {err}");
    home.data(&["match", "accept", "person:luis:B1", "2026/1"]);
}

/// What a person typed wrongly, and the words that help.
#[test]
fn refusals_say_what_to_write() {
    let home = home();
    home.data(&["plan", "add", "--invoice", "I1", "--instalments", "1", "--first", "2026-03-02", "--id", "P1"]);
    home.data(&["plan", "offer", "--invoice", "I2", "--max-instalments", "1", "--id", "P2"]);
    let plan = ["plan", "add", "--invoice", "I2", "--date", "2026-03-02=100", "--date", "2026-04-02=150"];
    let promise = ["promise", "add", "2026-03-15", "--invoice", "I2", "--amount"];
    for (args, words) in [
        ([&promise[..], &["0"]].concat(), "an amount is more than 0"),
        ([&promise[..], &["-3"]].concat(), "an amount is more than 0"),
        ([&promise[..], &["3", "--currency", "USD"]].concat(), "the promise is in USD, the invoices are owed in EUR"),
        (vec!["payment", "add", "5", "--customer", "C1"], "add --currency EUR"),
        (
            [&plan[..], &["--amount", "400"]].concat(),
            "the instalments add up to 250.00 EUR, the plan is over 400.00 EUR",
        ),
        (vec!["plan", "decline", "P1"], "`recobro plan cancel P1`"),
        (vec!["promise", "add", "15.6.2026", "--invoice", "I1"], "write it as 2026-05-31"),
        (vec!["payment", "add", "5", "--invoice", "I2", "--on", "tomorrow"], "write it as 2026-05-31"),
        (vec!["payment", "credit", "I2", "-5", "--reason", "price"], "an amount is more than 0"),
        (vec!["dispute", "open", "I2", "--reason", "quality", "--amount", "-1"], "an amount is more than 0"),
        (vec!["payment", "add", "5", "--invoice", "I3"], "did you mean I1, I2?"),
        (vec!["payment", "add", "5", "--invoice", "2062/2"], "did you mean 2026/2?"),
        (vec!["promise", "add", "2026-03-15", "--invoice", "I22"], "did you mean I2, I1?"),
        (vec!["payment", "list", "C11"], "did you mean C1, C2?"),
    ] {
        let (code, _, err) = said(&home, &args);
        assert!([2, 3, 5].contains(&code) && err.contains(words), "{args:?}: {code} {err}");
    }
    play(&home, "2026-02-06");
    let shown = home.data(&["plan", "show", "P2"]);
    assert!(shown.contains("at most 1 instalment;"), "{shown}");
}

#[test]
fn more_than_is_owed_is_taken_with_a_warning() {
    let home = home();
    let promise = ["promise", "add", "2026-03-15", "--invoice", "I2", "--amount", "5000"];
    let (code, _, err) = said(&home, &[&promise[..], &["--dry-run"]].concat());
    assert!(
        code == 0 && err.contains("warning: ") && err.contains("5,000.00 EUR") && err.contains("400.00 EUR"),
        "{err}"
    );
    let credit = ["payment", "credit", "I2", "450", "--reason", "price"];
    let output = json(&home.data(&[&credit[..], &["--dry-run", "--json"]].concat()));
    let warning = output["warnings"][0].as_str().unwrap_or_default();
    assert!(warning.contains("450.00 EUR") && warning.contains("400.00 EUR"), "{output}");
    let (code, _, err) = said(&home, &promise);
    assert!(code == 0 && err.contains("warning: "), "{err}");
    let (code, _, err) = said(&home, &["payment", "credit", "I2", "400", "--reason", "price"]);
    assert!(code == 0 && !err.contains("warning"), "{err}");
}

#[test]
fn one_payment_is_of_one_customer() {
    let home = home();
    refused(&home, &["payment", "add", "1300", "--invoice", "I1", "--invoice", "I2"], "invoices of `C1` and of `C2`");
    let put = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    put("payments.csv", "id,invoice,amount,currency,on\nP1,I1;I2,1300,EUR,2026-02-05\n");
    home.data(&["import", "payments", "payments.csv"]);
    play(&home, "2026-02-06");
    assert!(home.data(&["unmatched"]).contains("invoices of `C1` and of `C2`"));
}

#[test]
fn what_is_parked_is_dismissed_with_a_reason_and_kept() {
    let home = home();
    let put = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    put("payments.csv", "id,invoice,amount,currency,on\nP1,I7,5,EUR,2026-02-05\nP2,I8,6,EUR,2026-02-05\n");
    home.data(&["import", "payments", "payments.csv"]);
    play(&home, "2026-02-06");
    let lines: Vec<serde_json::Value> = home.data(&["unmatched", "list", "--json"]).lines().map(json).collect();
    assert_eq!((lines.len(), lines[0]["amount"].as_str()), (2, Some("5.00 EUR")));
    let id = lines[0]["id"].as_str().unwrap().to_owned();
    assert!(home.data(&["unmatched"]).contains("5.00 EUR"));
    assert_eq!(said(&home, &["unmatched", "dismiss", &id]).0, 2, "a reason is asked for");
    assert_eq!(said(&home, &["unmatched", "dismiss", "999", "--reason", "x"]).0, 3);
    home.data(&["unmatched", "dismiss", &id, "--reason", "paid to another company"]);
    assert_eq!(said(&home, &["unmatched", "dismiss", &id, "--reason", "again"]).0, 4, "somebody was first");
    let left = home.data(&["unmatched", "--json"]);
    assert!(left.lines().count() == 1 && left.contains("6.00 EUR"), "{left}");
    let all: Vec<serde_json::Value> = home.data(&["unmatched", "list", "--all", "--json"]).lines().map(json).collect();
    let one = all.iter().find(|line| line["id"] == id.as_str()).unwrap();
    assert_eq!(
        (one["dismissed"]["by"].as_str(), one["dismissed"]["why"].as_str()),
        (Some("cli:tester"), Some("paid to another company"))
    );
    assert!(home.data(&["unmatched", "list", "--all"]).contains("paid to another company"));
    put("late.csv", "id,number,customer,issued,due,amount,currency\nI7,7,C1,2026-02-06,2026-03-08,5.00,EUR\n");
    home.data(&["import", "invoices", "late.csv"]);
    play(&home, "2026-02-08");
    assert_eq!(home.data(&["payment", "list", "C1"]), "", "what was dismissed is not taken again");
}

/// A slip in the name of the database is told; it is not answered by an empty one.
#[test]
fn a_database_that_is_not_there_is_not_made_by_who_only_asks_or_enters() {
    let home = fresh();
    for args in [
        &["guard", "explain", "C1"][..],
        &["case", "pause", "I1"],
        &["consent", "withdraw", "C1", "--channel", "email"],
        &["payment", "add", "1.00", "--invoice", "I1", "--currency", "EUR"],
        &["outbox", "release", "--held", "--all", "--as", "ana"],
    ] {
        let typo = home.run(&[args, &["--db", "sqlite://typo.db"]].concat());
        assert_eq!(typo.status.code(), Some(3), "{args:?}: {}", text(&typo.stderr));
        assert!(text(&typo.stderr).contains("no database at typo.db"), "{}", text(&typo.stderr));
        assert!(!home.path().join("typo.db").exists(), "{args:?}");
    }
}

#[test]
fn a_column_that_nothing_reads_is_named_with_its_nearest_and_a_missing_one_as_the_file_would_call_it() {
    let home = Home::new();
    let put = |text: &str| std::fs::write(home.path().join("customers.csv"), text).unwrap();
    put("id,name,country,emial\nC1,Acme SL,ES,a@example.com\n");
    let told = text(&home.run(&["import", "customers", "customers.csv"]).stderr);
    assert!(told.contains("nothing reads `emial` (did you mean `email`?)"), "{told}");
    put("number,name,country\nC1,Acme SL,ES\n");
    let told = text(&home.run(&["import", "customers", "customers.csv"]).stderr);
    assert!(told.contains("no column `id`"), "{told}");
}

#[test]
fn what_a_payment_made_needless_is_named() {
    let home = home();
    home.data(&["payment", "add", "900.00", "--invoice", "I1"]);
    play(&home, "2026-02-06");
    let why = home.data(&["case", "why", "I1", "--on", "2026-02-05"]);
    assert!(why.contains("finished paid") && why.contains("\n  needless call find-the-reason, due "), "{why}");
}

#[test]
fn a_tranche_of_nothing_and_reports_of_many_lines_are_no_answers() {
    let home = home();
    let none = home.run(&["outbox", "release", "--held", "--tranche", "0", "--as", "ana"]);
    assert_eq!(none.status.code(), Some(2), "{}", text(&none.stderr));
    let check = text(&home.run(&["check", "--json"]).stdout);
    assert_eq!(check.trim_end().lines().count(), 1, "{check}");
}

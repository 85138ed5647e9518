//! Plans and holds through the real program: offered, accepted, followed, collected; placed and released.

use crate::program::{Home, text};

/// Two customers with open invoices, played to 5 February 2026.
fn home() -> Home {
    let home = Home::new();
    let put = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    put("customers.csv", "id,name,country,email\nC1,Acme SL,ES,a@example.com\nC2,Beta SARL,FR,b@example.com\n");
    put(
        "invoices.csv",
        "id,number,customer,issued,due,amount,currency\nI1,2026/1,C1,2026-01-02,2026-02-01,900.00,EUR\n\
         I2,2026/2,C2,2026-01-02,2026-02-01,400.00,EUR\n",
    );
    put(
        "recobro.toml",
        "[creditor]\nname = \"Gas\"\niban = \"ES9121000418450200051332\"\nsepa_id = \"ES50ZZZM23456789\"\n",
    );
    home.data(&["import", "customers", "customers.csv"]);
    home.data(&["import", "invoices", "invoices.csv"]);
    home.data(&["run", "--virtual", "--until", "2026-02-05"]);
    home
}

fn play(home: &Home, until: &str) {
    home.data(&["run", "--virtual", "--until", until]);
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text.lines().next().unwrap_or("null")).unwrap()
}

/// Runs what must be refused; its code and words.
fn refused(home: &Home, args: &[&str]) -> (Option<i32>, String) {
    let output = home.run(args);
    (output.status.code(), text(&output.stderr))
}

#[test]
fn a_plan_is_offered_accepted_within_its_limits_and_followed_to_its_default() {
    let home = home();
    let offer =
        ["plan", "offer", "--invoice", "2026/1", "--max-instalments", "3", "--valid-until", "2026-02-20", "--id", "P1"];
    home.data(&offer);
    play(&home, "2026-02-06");
    let shown = json(&home.data(&["plan", "show", "P1", "--json"]));
    assert_eq!((shown["status"].as_str(), shown["instalments"].as_array().unwrap().len()), (Some("proposed"), 3));
    let (code, said) = refused(&home, &["plan", "accept", "P1", "--instalments", "5"]);
    assert!(code == Some(5) && said.contains("at most 3 were offered"), "{said}");
    let dry = json(&home.data(&[
        "plan",
        "accept",
        "P1",
        "--instalments",
        "2",
        "--first",
        "2026-03-02",
        "--dry-run",
        "--json",
    ]));
    assert_eq!((dry["accepted"].as_bool(), dry["news"]["plan.accepted"].as_u64()), (Some(false), Some(1)));
    home.data(&["plan", "accept", "P1", "--instalments", "2", "--first", "2026-03-02"]);
    play(&home, "2026-02-07");
    let (code, said) =
        refused(&home, &["plan", "add", "--invoice", "I1", "--instalments", "2", "--first", "2026-03-02"]);
    assert!(code == Some(5) && said.contains("is in plan `P1`"), "{said}");
    home.data(&["payment", "add", "450", "--invoice", "2026/1", "--on", "2026-03-02"]);
    play(&home, "2026-04-30");
    let shown = json(&home.data(&["plan", "show", "P1", "--json"]));
    let told: Vec<_> =
        shown["instalments"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
    assert_eq!((shown["status"].as_str(), told), (Some("defaulted"), vec!["paid", "missed"]));
    let case = home.data(&["case", "show", "2026/1"]);
    assert!(case.contains("plan"), "{case}");
}

#[test]
fn instalments_are_collected_once() {
    let home = home();
    let add = ["plan", "add", "--invoice", "2026/2", "--instalments", "2", "--first", "2026-03-02", "--id", "D1"];
    let (code, said) = refused(&home, &[&add[..], &["--method", "direct_debit"]].concat());
    assert!(code == Some(5) && said.contains("mandate"), "{said}");
    let mandate = [
        "--method",
        "direct_debit",
        "--mandate",
        "M-7",
        "--signed",
        "2026-02-01",
        "--iban",
        "FR14 2004 1010 0505 0001 3M02 606",
    ];
    home.data(&[&add[..], &mandate[..]].concat());
    play(&home, "2026-02-06");
    let debit = ["plan", "debit", "--by", "2026-03-05", "--out", "debits.xml"];
    let written = home.data(&debit);
    assert!(written.contains("1 instalment, 200.00 EUR"), "{written}");
    let xml = std::fs::read_to_string(home.path().join("debits.xml")).unwrap();
    assert!(xml.contains("<MndtId>M-7</MndtId>") && xml.contains("FRST") && xml.contains("D1-1"), "{xml}");
    let (code, said) = refused(&home, &debit);
    assert!(code == Some(4) && said.contains("exists already"), "what the bank has not got yet stays: {said}");
    std::fs::remove_file(home.path().join("debits.xml")).unwrap();
    home.data(&debit);
    assert!(!home.path().join("debits.xml").exists(), "what was ordered is not ordered again");
    let listed = json(&home.data(&["plan", "debit", "--list", "--json"]));
    let message = listed["message"].as_str().unwrap();
    assert_eq!((listed["amount"].as_str(), listed["instalments"].as_i64()), (Some("200.00"), Some(1)));
    home.data(&["plan", "debit", "--again", message, "--out", "lost.xml"]);
    assert_eq!(std::fs::read_to_string(home.path().join("lost.xml")).unwrap(), xml, "to the byte");
    let shown = json(&home.data(&["plan", "show", "D1", "--json"]));
    assert_eq!(shown["instalments"][0]["collected"].as_str(), Some(message));
    assert_eq!(refused(&home, &["plan", "debit", "--again", "debit-0", "--out", "x.xml"]).0, Some(3));
}

/// What people hold back and what a customer contests is not collected; one wrong mandate stops nobody else's.
#[test]
fn a_debit_leaves_out_what_is_held_contested_or_wrong() {
    let home = home();
    let agree = |id: &str, invoice: &str, iban: &str| {
        let args = ["plan", "add", "--invoice", invoice, "--instalments", "1", "--first", "2026-03-02", "--id", id];
        let mandate = ["--method", "direct_debit", "--mandate", "M-1", "--signed", "2026-02-01", "--iban", iban];
        home.run(&[&args[..], &mandate[..]].concat())
    };
    let wrong = agree("D1", "2026/1", "ES92 2100 0418 4502 0005 1332");
    assert!(!wrong.status.success(), "an account that does not exist is refused where it is entered");
    assert!(text(&wrong.stderr).contains("iban"), "{}", text(&wrong.stderr));
    assert!(agree("D1", "2026/1", "ES91 2100 0418 4502 0005 1332").status.success());
    assert!(agree("D2", "2026/2", "FR14 2004 1010 0505 0001 3M02 606").status.success());
    let hold = ["hold", "add", "--customer", "C2", "--reason", "complaint", "--until", "2026-06-30", "--owner", "ana"];
    home.data(&[&hold[..], &["--id", "H1"]].concat());
    play(&home, "2026-02-06");
    let dry = || json(&home.data(&["plan", "debit", "--by", "2026-03-05", "--dry-run", "--json"]));
    let said = dry();
    assert_eq!((said["instalments"].as_i64(), said["amount"].as_str()), (Some(1), Some("900.00")));
    assert_eq!(said["left_out"][0]["plan"], "D2");
    assert_eq!(said["left_out"][0]["reason"], "hold H1 (complaint)");
    home.data(&["hold", "release", "H1"]);
    // A mandate's reference that is longer than the bank reads would be refused by it.
    let mandate = ["plan", "mandate", "D1", "--iban", "ES91 2100 0418 4502 0005 1332", "--signed", "2026-02-02"];
    home.data(&[&mandate[..], &["--mandate", "M-2-of-the-customer-who-signed-it-in-February"]].concat());
    play(&home, "2026-02-07");
    let said = dry();
    assert_eq!((said["instalments"].as_i64(), said["amount"].as_str()), (Some(1), Some("400.00")));
    assert!(said["left_out"][0]["reason"].as_str().unwrap_or_default().contains("mandate: "), "{said}");
    home.data(&[&mandate[..], &["--mandate", "M-2"]].concat());
    home.data(&["dispute", "open", "2026/2", "--reason", "quality"]);
    play(&home, "2026-02-08");
    let said = dry();
    assert_eq!(said["collects"][0]["plan"], "D1");
    assert!(said["left_out"][0]["reason"].as_str().unwrap_or_default().contains("dispute"), "{said}");
    assert!(home.data(&["plan", "show", "D1"]).contains("mandate M-2 of 2026-02-02, ES91...1332"));
    // Money that came in and is not taken up yet is not collected a second time: first it is taken up.
    home.data(&["payment", "add", "900", "--invoice", "2026/1"]);
    let (code, said) = refused(&home, &["plan", "debit", "--by", "2026-03-05", "--dry-run"]);
    assert!(code == Some(4) && said.contains("news waits"), "{said}");
    play(&home, "2026-02-09");
    assert_eq!(dry()["instalments"], 0);
    // A day that has passed meanwhile is no reason never to collect.
    home.data(&["dispute", "close", &dispute(&home), "--outcome", "withdrawn"]);
    play(&home, "2026-03-03");
    let said = dry();
    assert_eq!((said["collects"][0]["plan"].as_str(), said["amount"].as_str()), (Some("D2"), Some("400.00")), "{said}");
}

fn dispute(home: &Home) -> String {
    json(&home.data(&["dispute", "list", "--open", "--json"]))["dispute"].as_str().unwrap().to_owned()
}

#[test]
fn a_class_is_held_with_its_later_invoices_and_released() {
    let home = home();
    let add = [
        "hold",
        "add",
        "--class",
        "customer.country=ES",
        "--reason",
        "flood",
        "--until",
        "2026-06-30",
        "--owner",
        "ana",
        "--id",
        "H1",
    ];
    home.data(&add);
    play(&home, "2026-02-06");
    let held = |number: &str| home.data(&["case", "show", number]).contains("hold H1 (flood)");
    assert_eq!((held("2026/1"), held("2026/2")), (true, false));
    let late = "id,number,customer,issued,due,amount,currency\nI3,2026/3,C1,2026-02-06,2026-03-08,70.00,EUR\n";
    std::fs::write(home.path().join("late.csv"), late).unwrap();
    home.data(&["import", "invoices", "late.csv"]);
    play(&home, "2026-02-10");
    assert!(held("2026/3"), "{}", home.data(&["case", "show", "2026/3"]));
    home.data(&["hold", "release", "H1"]);
    play(&home, "2026-02-11");
    let shown = json(&home.data(&["hold", "show", "H1", "--json"]));
    assert_eq!(shown["status"].as_str(), Some("released"));
    let open = home.data(&["case", "list", "--json"]);
    assert!(!open.contains("\"held\""), "{open}");
    for (args, word) in [
        (
            vec!["hold", "add", "--invoice", "nope", "--reason", "x", "--until", "2026-06-30", "--owner", "a"],
            "no invoice `nope`",
        ),
        (
            vec![
                "hold",
                "add",
                "--class",
                "customer.mood=bad",
                "--reason",
                "x",
                "--until",
                "2026-06-30",
                "--owner",
                "a",
            ],
            "names no class",
        ),
        (
            vec![
                "hold",
                "add",
                "--customer",
                "C1",
                "--reason",
                "Mr Smith died",
                "--until",
                "2026-06-30",
                "--owner",
                "a",
            ],
            "is no code",
        ),
        (vec!["hold", "add", "--customer", "C1", "--reason", "x", "--until", "2026-01-30", "--owner", "a"], "is past"),
    ] {
        let (code, said) = refused(&home, &args);
        assert!(matches!(code, Some(2 | 3 | 5)) && said.contains(word), "{args:?}: {said}");
    }
}

/// Who is reported to need care comes into the class that is held, whoever reports it and however.
#[test]
fn a_report_of_vulnerability_brings_the_customer_into_a_held_class() {
    let home = home();
    let class = ["hold", "add", "--class", "customer.vulnerable=true", "--id", "H1"];
    home.data(&[&class[..], &["--reason", "care", "--until", "2026-06-30", "--owner", "ana"]].concat());
    play(&home, "2026-02-05");
    let news = "id,event,customer,invoice,on,kind\nE1,hardship.reported,C1,,2026-02-05,vulnerable\n\
                E2,hardship.reported,,2026/2,2026-02-05,vulnerable\n";
    std::fs::write(home.path().join("news.csv"), news).unwrap();
    home.data(&["import", "events", "news.csv"]);
    play(&home, "2026-02-06");
    for number in ["2026/1", "2026/2"] {
        let shown = home.data(&["case", "show", number]);
        assert!(shown.contains("hold H1 (care)"), "{shown}");
    }
}

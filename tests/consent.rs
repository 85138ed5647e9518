//! What customers say about being contacted, through the real program: a channel chosen or refused, a word by answer, a
//! link, times of the week.

use crate::program::{Home, root, text};
use std::path::Path;

/// Dunning by text and e-mail, one step at a time, for persons.
const PROBE: &str = "\
playbook: probe
version: 1
title: One rule at a time
owner: credit-control
currency: any
calendar: house
applies_to: {customer.kind: person, priority: 99}
contact: {locales: [= customer.locale, es], hours: 09:00-18:00}
stages:
  - stage: only
    steps:
      - {send: overdue-first, day: 1, via: [sms], attach: [payment_link]}
      - {send: overdue-first, id: again, day: 10, via: [sms, email], attach: [payment_link]}
      - {send: last-notice, day: 20, via: [sms]}
      - {send: overdue-first, id: much-later, day: 60, via: [email], attach: [payment_link]}
      - finish: uncollected
whenever:
  - {event: invoice.paid, do: [{send: thank-you-household}], then: {finish: paid}}
";

const NOTICE: &str = "\
---
class: legal_notice
level: 5
notice: [payment_demand]
---
{{ creditor.name }}: requerimiento de pago de la factura {{ invoice.number }}: {{ invoice.claimable | money }}.
";

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The shipped library with the probe, and two customers who owe since 4 May 2026, a Monday.
fn home(customers: &str) -> Home {
    let home = Home::new();
    for part in ["workflows", "scripts"] {
        copy(&root().join(part), &home.path().join("p").join(part));
    }
    let put = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    put("p/workflows/probe.yaml", PROBE);
    put("p/workflows/templates/last-notice/sms.es.j2", NOTICE);
    put(
        "recobro.toml",
        "project = \"p\"\n[opt_out]\nurl = \"https://pay.example/\"\nsecret = \"file:secret\"\n\
         [creditor]\npayment_link = \"https://pay.example/{invoice}\"\n",
    );
    put("secret", "0123456789abcdef0123456789abcdef\n");
    put("customers.csv", customers);
    put(
        "invoices.csv",
        "id,number,customer,issued,due,amount,currency\nI1,2026/1,C1,2026-04-04,2026-05-04,90.00,EUR\n",
    );
    home.data(&["import", "customers", "customers.csv"]);
    home.data(&["import", "invoices", "invoices.csv"]);
    home
}

fn play(home: &Home, until: &str) {
    home.data(&["run", "--virtual", "--until", until]);
}

/// Files of a lane, in any order.
fn sent(home: &Home, lane: &str) -> Vec<String> {
    let Ok(folder) = std::fs::read_dir(home.path().join("outbox").join(lane)) else { return Vec::new() };
    let texts = folder.map(|entry| entry.unwrap().path());
    let texts = texts.filter(|path| path.extension().is_some_and(|ending| ending == "txt" || ending == "eml"));
    texts.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// When each contact left, at the customer's place, by the contact ledger's answers.
fn left(home: &Home, day: &str) -> Vec<(String, String)> {
    let log = home.data(&["guard", "explain", "C1", "--log", "--at", day, "--json"]);
    let rows = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let allowed = rows.filter(|row| row["verdict"] == "allow");
    let part = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
    allowed.map(|row| (part(&row, "channel"), part(&row, "at")[..16].to_owned())).collect()
}

fn asked(home: &Home, args: &[&str]) -> serde_json::Value {
    let said = home.data(&[&["guard", "explain", "C1", "--json"], args].concat());
    serde_json::from_str(said.lines().next().unwrap()).unwrap()
}

const SPAIN: &str = "id,name,country,kind,locale,sms,email\nC1,Ana,ES,person,es,+34600000000,ana@example.com\n";

#[test]
fn nobody_in_colombia_gets_a_text_before_they_chose_it() {
    let home = home("id,name,country,kind,locale,sms\nC1,Ana,CO,person,es,+57300000000\n");
    play(&home, "2026-05-08");
    assert_eq!(sent(&home, "sms"), Vec::<String>::new());
    let why = asked(&home, &["--channel", "sms", "--at", "2026-05-08T10:00"]);
    assert_eq!(why["verdict"], "forbid", "{why}");
    let rule = why["findings"].as_array().unwrap().iter().find(|one| one["rule"] == "co-consumer/channels-they-chose");
    assert_eq!(rule.unwrap()["why"], "nothing said about dunning", "{why}");
    // The same customer, with the day on which they chose it.
    let chosen = "id,name,country,kind,locale,sms,sms_opt_in\nC1,Ana,CO,person,es,+57300000000,2026-05-08\n";
    std::fs::write(home.path().join("customers.csv"), chosen).unwrap();
    home.data(&["import", "customers", "customers.csv"]);
    play(&home, "2026-05-18");
    assert_eq!(sent(&home, "sms").len(), 1, "the step of the tenth day");
    let list = home.data(&["consent", "list", "C1"]);
    assert!(list.starts_with("sms       dunning granted, courtesy nothing said\n"), "{list}");
}

#[test]
fn a_word_by_text_closes_texts_and_nothing_else_and_no_notice_of_the_law() {
    let home = home(SPAIN);
    play(&home, "2026-05-06");
    assert_eq!((sent(&home, "sms").len(), sent(&home, "email").len()), (1, 0));
    let replies = "id,customer,channel,on,text\nR1,C1,sms,2026-05-06T10:00:00Z,\" ¡Baja! \"\n\
                   R2,C1,email,2026-05-06T11:00:00Z,stop writing to my wife\n";
    std::fs::write(home.path().join("replies.csv"), replies).unwrap();
    home.data(&["import", "replies", "replies.csv"]);
    play(&home, "2026-05-20");
    assert_eq!((sent(&home, "sms").len(), sent(&home, "email").len()), (1, 1), "the tenth day goes by e-mail");
    let why = |class: &str| asked(&home, &["--channel", "sms", "--at", "2026-05-20T10:00", "--class", class]);
    assert_eq!((&why("dunning")["verdict"], &why("dunning")["reachable"]), (&"forbid".into(), &false.into()));
    assert_eq!(why("dunning")["rule"], "eu-consumer/opt-out-closes-channel");
    assert_eq!(why("legal_notice")["reachable"], true);
    // A file that knows of no day takes nothing back; the notice of the twentieth day leaves by text all the same.
    let again =
        "id,name,country,kind,locale,sms,email,sms_opt_in\nC1,Ana,ES,person,es,+34600000000,a@example.com,yes\n";
    std::fs::write(home.path().join("customers.csv"), again).unwrap();
    home.data(&["import", "customers", "customers.csv"]);
    play(&home, "2026-05-26");
    assert_eq!(why("dunning")["verdict"], "forbid");
    assert_eq!(sent(&home, "sms").iter().filter(|text| text.contains("requerimiento")).count(), 1);
    // What they say later opens it again; what we knew before stays readable.
    home.data(&["consent", "add", "C1", "--channel", "sms", "--evidence", "call of 26 May"]);
    play(&home, "2026-05-27");
    let words = |args: &[&str]| home.data(&[&["consent", "list", "C1", "--json"], args].concat());
    assert_eq!(words(&[]).lines().count(), 3);
    let then = words(&["--as-of", "2026-05-10"]);
    assert!(then.lines().count() == 1 && then.contains("\"evidence\":\"reply R1\""), "{then}");
    let list = home.data(&["consent", "list", "C1"]);
    assert!(list.starts_with("sms       dunning granted, courtesy withdrawn\n"), "{list}");
}

#[test]
fn a_link_in_a_message_says_no_and_a_forged_one_nothing() {
    let home = home(SPAIN);
    home.data(&["consent", "withdraw", "C1", "--channel", "sms", "--on", "2026-05-01"]);
    play(&home, "2026-05-16");
    let mails = sent(&home, "email");
    assert_eq!((sent(&home, "sms").len(), mails.len()), (0, 1));
    // The text that was not written is on record beside the mail that was.
    let log = home.data(&["guard", "explain", "C1", "--log", "--at", "2026-05-14", "--json"]);
    let rows: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let passed = rows.iter().find(|row| row["channel"] == "sms" && row["verdict"] == "forbid");
    assert!(passed.is_some_and(|row| row["step"].as_str().unwrap().ends_with("again")), "{log}");
    assert!(rows.iter().any(|row| row["channel"] == "email" && row["verdict"] == "allow"), "{log}");
    // A header is folded; its parts belong together.
    let mail = mails[0].replace("\r\n ", "");
    let token = mail.split("List-Unsubscribe: <https://pay.example/u/").nth(1).unwrap().split('>').next().unwrap();
    assert!(mail.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"), "{mail}");
    let forged = home.run(&["consent", "withdraw", "--token", &format!("{}A", &token[..token.len() - 1])]);
    assert_eq!((forged.status.code(), text(&forged.stdout).as_str()), (Some(5), ""), "{}", text(&forged.stderr));
    assert!(text(&forged.stderr).contains("this token was not made here"));
    assert_eq!(home.run(&["consent", "withdraw", "--channel", "sms"]).status.code(), Some(2));
    let dry = home.data(&["consent", "withdraw", "--token", token, "--dry-run", "--json"]);
    let dry: serde_json::Value = serde_json::from_str(&dry).unwrap();
    assert_eq!((&dry["accepted"], &dry["news"]["channel.opted_out"]), (&false.into(), &1.into()), "{dry}");
    home.data(&["consent", "withdraw", "--token", &format!("https://pay.example/u/{token}")]);
    let nobody = home.run(&["consent", "withdraw", "C9", "--channel", "sms"]);
    assert_eq!(nobody.status.code(), Some(3), "{}", text(&nobody.stderr));
    play(&home, "2026-05-17");
    let list = home.data(&["consent", "list", "C1"]);
    assert!(list.contains("email     dunning withdrawn, courtesy withdrawn"), "{list}");
    std::fs::write(home.path().join("secret"), "short").unwrap();
    assert_eq!(home.run(&["run", "--virtual", "--until", "2026-05-18"]).status.code(), Some(78));
}

#[test]
fn times_that_do_not_suit_move_a_message_and_times_that_do_are_chosen() {
    let home = home(
        "id,name,country,kind,locale,sms,email,inconvenient_times\n\
         C1,Ana,ES,person,es,+34600000000,ana@example.com,mon-fri 08:00-11:30\n",
    );
    play(&home, "2026-05-08");
    // Half past eleven in Madrid.
    assert_eq!(left(&home, "2026-05-05"), [("sms".to_owned(), "2026-05-05T09:30".to_owned())]);
    let wrong = home.run(&["consent", "hours", "C1", "--preferred", "lunes"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong.stderr));
    assert!(!text(&wrong.stderr).contains("neither a channel"), "one reason, the true one: {}", text(&wrong.stderr));
    home.data(&["consent", "hours", "C1", "--preferred", "fri 16:00-17:00"]);
    play(&home, "2026-05-16");
    assert_eq!(left(&home, "2026-05-14"), [], "the tenth day is a Thursday");
    assert_eq!(left(&home, "2026-05-15"), [("sms".to_owned(), "2026-05-15T14:00".to_owned())]);
    // History holds none of it.
    let why = home.data(&["case", "why", "2026/1"]);
    assert!(why.contains("hours preferred by the customer") && !why.contains("fri 16"), "{why}");
    home.data(&["consent", "hours", "C1", "--preferred", "none"]);
    play(&home, "2026-05-17");
    let list = home.data(&["consent", "list", "C1"]);
    assert!(list.contains("inconvenient  mon-fri 08:00-11:30") && !list.contains("preferred"), "{list}");
}

//! Golden ledgers: `backtest` over small ledgers of two layouts gives the committed report and the committed contacts.
//!
//! `tests/ledgers/*.csv` are made up (by `made_up_ledgers_are_as_committed`); their mapping files stand beside them.

use crate::program::{Home, root};
use expect_test::expect_file;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Numbers for made-up rows: a linear congruential generator, good enough for a ledger.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn day(n: u64) -> chrono::NaiveDate {
    let first: chrono::NaiveDate = "2024-01-02".parse().unwrap();
    first.checked_add_days(chrono::Days::new(n)).unwrap()
}

/// Settled invoices, net 30, dates as M/D/YYYY, a dispute flag without a date.
fn flags() -> String {
    let mut numbers = Numbers(7);
    let mut text = "land,customer,invoice,issued,due,amount,disputed,settled\n".to_owned();
    for n in 0..120 {
        let issued = numbers.below(300);
        let late = [0, 0, 0, 4, 9, 17, 35, 62, 95][usize::try_from(numbers.below(9)).unwrap()];
        let early = if late == 0 { numbers.below(12) } else { 0 };
        let date = |n: u64| day(n).format("%-m/%-d/%Y");
        let disputed = if numbers.below(5) == 0 { "Yes" } else { "No" };
        let land = ["391", "406", "770"][usize::try_from(numbers.below(3)).unwrap()];
        let cents = 5_000 + numbers.below(900_000);
        let customer = numbers.below(30);
        let _ = writeln!(
            text,
            "{land},K{customer:02}-{land},{},{},{},{}.{:02},{disputed},{}",
            4100 + n,
            date(issued),
            date(issued + 30),
            cents / 100,
            cents % 100,
            date(issued + 30 + late - early)
        );
    }
    text
}

/// Open items, part-payments, ISO dates, 0/1 flags, semicolons, decimal commas and odd characters.
fn open_items() -> String {
    let mut numbers = Numbers(11);
    let mut text = "Beleg;Kunde;Name;Land;Datum;Frist;Betrag;Bezahlt am;Bezahlt;Streit\n".to_owned();
    for n in 0..80 {
        let issued = numbers.below(200);
        let cents = 2_000 + numbers.below(400_000);
        let paid = match numbers.below(4) {
            0 => String::from(";"),
            1 => format!("{};{},{:02}", day(issued + 50), cents / 300, 10),
            _ => format!("{};", day(issued + 25 + numbers.below(40))),
        };
        let name = ["Müller & Söhne", "\"O'Brien; Ltd\"", "Łódź Łączność", "東京商事", "Ñandú S.L."][n % 5];
        let land = ["DE", "IT", "GB", "JP", "ES"][n % 5];
        let streit = u64::from(numbers.below(6) == 0);
        let _ = writeln!(
            text,
            "R/{n:03};{};{name};{land};{};{};{},{:02};{paid};{streit}",
            n % 23,
            day(issued),
            day(issued + 14),
            cents / 100,
            cents % 100
        );
    }
    text
}

#[test]
fn made_up_ledgers_are_as_committed() {
    expect_file![root().join("tests/ledgers/flags.csv")].assert_eq(&flags());
    expect_file![root().join("tests/ledgers/open-items.csv")].assert_eq(&open_items());
}

/// The report without its time, and the contacts, of one ledger.
fn backtest(name: &str) -> (Value, Vec<Value>) {
    let home = Home::new();
    let folder = root().join("tests/ledgers");
    let (ledger, map) = (folder.join(format!("{name}.csv")), folder.join(format!("{name}.yaml")));
    let args =
        ["backtest", ledger.to_str().unwrap(), "--map", map.to_str().unwrap(), "--contacts", "c.jsonl", "--json"];
    let mut report: Value = serde_json::from_str(&home.data(&args)).unwrap();
    // Neither the time nor the number of turns is promised: looking once more changes no contact.
    report["seconds"] = Value::Null;
    report["turns"] = Value::Null;
    let contacts = std::fs::read_to_string(home.path().join("c.jsonl")).unwrap();
    (report, contacts.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// One line per contact or task, without what the other files say.
fn brief(acts: &[Value]) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut lines: Vec<String> = acts
        .iter()
        .map(|act| {
            let names = ["at", "invoice", "playbook", "kind", "stage", "step", "channel", "class", "state", "balance"];
            let mut line: Vec<String> = names.iter().map(|name| text(&act[*name])).collect();
            line.push(text(&act["days_past_due"]));
            line.join(" ")
        })
        .collect();
    lines.sort();
    lines.join("\n") + "\n"
}

fn golden(name: &str) -> (Value, Vec<Value>) {
    let (report, acts) = backtest(name);
    let folder = root().join("tests/ledgers");
    let pretty = serde_json::to_string_pretty(&report).unwrap() + "\n";
    expect_file![folder.join(format!("{name}.report.json"))].assert_eq(&pretty);
    expect_file![folder.join(format!("{name}.contacts.txt"))].assert_eq(&brief(&acts));
    (report, acts)
}

#[test]
fn a_settled_ledger_ends_every_case_and_asks_nobody_who_has_paid() {
    let (report, acts) = golden("flags");
    assert_eq!((&report["open_cases"], &report["cases"]["total"]), (&Value::from(0), &report["invoices"]));
    let settled: BTreeMap<String, chrono::NaiveDate> = flags()
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let date = chrono::NaiveDate::parse_from_str(cells[7], "%m/%d/%Y").unwrap();
            (cells[2].to_owned(), date)
        })
        .collect();
    for act in acts.iter().filter(|act| act["kind"] == "contact" && act["class"] == "dunning") {
        let invoice = act["invoice"].as_str().unwrap();
        let on: chrono::NaiveDate = act["on"].as_str().unwrap().parse().unwrap();
        assert!(on < settled[invoice], "{invoice} was asked on {on}, settled on {}", settled[invoice]);
    }
}

#[test]
fn a_ledger_of_another_layout_needs_a_mapping_file_only() {
    let (report, acts) = golden("open-items");
    assert_eq!(report["open_cases"], Value::from(0));
    assert!(!acts.is_empty());
}

#[test]
fn two_runs_give_the_same_contacts() {
    assert_eq!(brief(&backtest("flags").1), brief(&backtest("flags").1));
}

//! Exceptions of two people, deadlines and retention through the real program.

use crate::program::{Home, text};
use serde_json::Value;

/// One message in twenty days, by a rule of the house; the same hours by law; a deadline that nothing meets.
const POLICY: &str = "\
policy: probe
version: 1
title: Rules to be lifted, and rules that nobody lifts
owner: compliance
jurisdiction: SE
rules:
  - rule: one-in-twenty-days
    kind: frequency
    channels: [email]
    params: {most: 1, per: 20 days, of: customer}
    source: house rule
    confidence: house
  - rule: hours
    kind: window
    params: {days: working, from: \"08:00\", to: \"20:00\"}
    source: a law
    confidence: verified
  - rule: stop
    kind: consent
    params: {needs: not_opted_out}
    source: house rule
    confidence: house
  - rule: never
    kind: frequency
    channels: [letter]
    params: {most: 1, per: 300 days, of: customer}
    source: house rule
    confidence: house
    exceptions: none
  - rule: told
    kind: deadline
    params: {notice: never_given, within: 40 days, after: issue, alert: 5 days}
    source: a law
    confidence: known
  - rule: papers
    kind: retention
    params: {keep: 12 months}
    source: a law
    confidence: known
";

const PLAYBOOK: &str = "\
playbook: loopback
version: 1
title: Two reminders
owner: credit-control
currency: EUR
calendar: house
policy: [house]
applies_to: {customer.country: SE, priority: 99}
contact: {locales: [en], hours: 09:00-18:00}
stages:
  - stage: reminders
    steps:
      - {send: overdue-first, day: 1, via: [email]}
      - {send: statement-of-account, day: 12, via: [email]}
      - {wait: 300 days}
      - finish: uncollected
whenever:
  - event: invoice.paid
    then: {finish: paid}
";

struct Scene(Home);

impl Scene {
    /// Three customers with an invoice each, played to a date. The first reminder leaves on 3 February, the second one is
    /// for Monday 16 February and waits for the 23rd.
    fn played(until: &str) -> Self {
        let scene = Self(Home::new());
        let home = &scene.0;
        let project = home.path().join("project");
        std::fs::create_dir(&project).unwrap();
        for part in ["workflows", "scripts"] {
            let from = crate::program::root().join(part);
            assert!(std::process::Command::new("cp").arg("-r").args([&from, &project]).status().unwrap().success());
        }
        std::fs::write(project.join("workflows/policies/probe.yaml"), POLICY).unwrap();
        std::fs::write(project.join("workflows/loopback.yaml"), PLAYBOOK).unwrap();
        let put = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
        put(
            "customers.csv",
            "id,name,segment,country,locale,email\nC1,A AB,standard,SE,en,a@example.com\n\
             C2,B AB,standard,SE,en,b@example.com\nC3,C AB,key,SE,en,c@example.com\n",
        );
        let invoices = (1..=3).map(|n| format!("I{n},2026/{n},C{n},2026-01-05,2026-02-02,900.00,EUR\n"));
        let head = "id,number,customer,issued,due,amount,currency\n";
        put("invoices.csv", &format!("{head}{}", invoices.collect::<String>()));
        scene.data(&["import", "customers", "customers.csv"]);
        scene.data(&["import", "invoices", "invoices.csv"]);
        scene.play(until);
        scene
    }

    fn said(&self, args: &[&str]) -> (i32, String, String) {
        let output = self.0.command(args).env("RECOBRO_PROJECT", "project").output().unwrap();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }

    fn data(&self, args: &[&str]) -> String {
        let (code, out, err) = self.said(args);
        assert_eq!(code, 0, "recobro {}\n{err}", args.join(" "));
        out
    }

    fn lines(&self, args: &[&str]) -> Vec<Value> {
        self.data(&[args, &["--json"]].concat()).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn play(&self, until: &str) {
        self.data(&["run", "--virtual", "--until", until]);
    }

    /// What is not there is 3, what is there and may not be 5.
    fn refused(&self, args: &[&str], word: &str) {
        let wanted = if word.starts_with("no ") { 3 } else { 5 };
        for args in [args.to_vec(), [args, &["--dry-run"]].concat()] {
            let (code, out, err) = self.said(&args);
            assert!(code == wanted && out.is_empty() && err.contains(word), "{args:?}: {code} {out}{err}");
        }
    }

    /// Asked by Ana, with what else is said.
    fn ask(&self, name: &str, rest: &[&str]) -> String {
        let start = ["--as", "ana", "guard", "exception", "ask", name, "--reason", "agreed"];
        let rule = if rest.contains(&"--rule") { vec![] } else { vec!["--rule", "probe/one-in-twenty-days"] };
        self.data(&[&start[..], &rule, rest].concat())
    }

    fn approve(&self, name: &str) {
        self.data(&["--as", "bo", "guard", "exception", "approve", name]);
    }

    /// Days on which messages about an invoice left, with the rule on record.
    fn sent(&self, customer: &str) -> Vec<String> {
        (1..=28)
            .flat_map(|day| {
                let on = format!("2026-02-{day:02}");
                self.lines(&["guard", "explain", customer, "--log", "--at", &on])
            })
            .filter(|row| row["verdict"] == "allow")
            .map(|row| format!("{} {}", &row["at"].as_str().unwrap()[..10], row["rule"].as_str().unwrap()))
            .collect()
    }
}

#[test]
fn two_people_lift_a_rule_for_one_customer_and_the_record_names_it() {
    let scene = Scene::played("2026-02-17");
    assert_eq!(scene.sent("C1"), ["2026-02-03 "]);
    scene.ask("fair", &["--customer", "C1", "--until", "2026-02-28"]);
    scene.play("2026-02-18");
    assert_eq!(scene.sent("C1").len(), 1, "one person's word lifts nothing");
    scene.refused(&["--as", "ana", "guard", "exception", "approve", "fair"], "another person must approve it");
    scene.refused(&["--as", "ANA", "guard", "exception", "refuse", "fair"], "takes it back");
    let trial = scene.lines(&["--as", "bo", "guard", "exception", "approve", "fair", "--dry-run"]);
    assert_eq!((trial[0]["status"].as_str(), trial[0]["dry_run"].as_bool()), (Some("stands"), Some(true)));
    scene.approve("fair");
    scene.refused(&["--as", "cy", "guard", "exception", "refuse", "fair"], "was approved by person:bo");
    scene.play("2026-02-19");
    assert_eq!(scene.sent("C1"), ["2026-02-03 ", "2026-02-19 allowed by exception fair"]);
    let log = scene.lines(&["guard", "explain", "C1", "--log", "--at", "2026-02-19"]);
    let finding =
        |row: &Value| row["findings"].as_array().unwrap().iter().find(|one| one["exception"] == "fair").cloned();
    let found = finding(&log[0]).unwrap();
    assert_eq!(found["rule"], "probe/one-in-twenty-days");
    assert_eq!(found["why"], "1 of 1 in 20 days; allowed by exception fair");
    // The other customer's reminder waits as before, and leaves without any exception.
    assert_eq!(scene.sent("C2"), ["2026-02-03 "]);
    scene.play("2026-02-24");
    assert_eq!(scene.sent("C2"), ["2026-02-03 ", "2026-02-23 "]);
    let why = scene.data(&["case", "why", "I1"]);
    assert!(why.contains("exception begun") && why.contains("approved_by person:bo"), "{why}");
    assert!(!scene.data(&["case", "why", "I2"]).contains("exception"));
    let told = scene.lines(&["guard", "exception", "show", "fair"]).remove(0);
    let acts: Vec<&str> = told["acts"].as_array().unwrap().iter().filter_map(|act| act["act"].as_str()).collect();
    assert_eq!(acts, ["asked", "approved", "began"]);
}

#[test]
fn what_people_may_ask_before_a_contact_shows_the_exception_and_its_end() {
    let scene = Scene::played("2026-02-17");
    scene.ask("fair", &["--customer", "C1", "--until", "2026-02-18"]);
    scene.approve("fair");
    let ask = |customer: &str, at: &str| scene.lines(&["guard", "explain", customer, "--channel", "email", "--at", at]);
    let with = ask("C1", "2026-02-18T10:00");
    assert_eq!((with[0]["verdict"].as_str(), with[1]["exception"].as_str()), (Some("allow"), Some("fair")), "{with:?}");
    let after = ask("C1", "2026-02-19T10:00");
    let until = Some("2026-02-23T08:00:00.000000Z");
    assert_eq!((after[0]["verdict"].as_str(), after[0]["until"].as_str()), (Some("defer"), until), "{after:?}");
    assert!(after.iter().all(|row| row["schema"] != "recobro/v1/exception"), "it is over: {after:?}");
    assert_eq!(ask("C2", "2026-02-18T10:00")[0]["verdict"], "defer", "it is not for others");
    scene.data(&["--as", "cy", "guard", "exception", "end", "fair", "--why", "withdrawn"]);
    assert_eq!(ask("C1", "2026-02-18T10:00")[0]["verdict"], "defer", "ended, the rule holds at once");
    scene.play("2026-02-20");
    assert_eq!(scene.sent("C1"), ["2026-02-03 "]);
}

#[test]
fn an_exception_that_is_over_or_still_to_come_lifts_nothing() {
    let scene = Scene::played("2026-02-09");
    scene.ask("early", &["--customer", "C1", "--until", "2026-02-12"]);
    scene.ask("later", &["--customer", "C2", "--from", "2026-02-19", "--until", "2026-02-20"]);
    scene.approve("early");
    scene.approve("later");
    scene.play("2026-02-27");
    assert_eq!(scene.sent("C1"), ["2026-02-03 ", "2026-02-23 "], "over before the second reminder was due");
    assert_eq!(
        scene.sent("C2"),
        ["2026-02-03 ", "2026-02-19 allowed by exception later"],
        "the case sleeps to the first day, and is woken then"
    );
    let states = scene.lines(&["guard", "exception", "list"]);
    assert_eq!(states.iter().filter_map(|row| row["status"].as_str()).collect::<Vec<_>>(), ["over", "over"]);
    assert_eq!(scene.lines(&["guard", "exception", "list", "--standing"]).len(), 0);
}

#[test]
fn a_class_is_the_customers_that_fit_it() {
    let scene = Scene::played("2026-02-17");
    scene.ask("key", &["--class", "customer.segment=key", "--until", "2026-02-28"]);
    scene.approve("key");
    scene.play("2026-02-19");
    assert_eq!(scene.sent("C3"), ["2026-02-03 ", "2026-02-18 allowed by exception key"]);
    assert_eq!(scene.sent("C1"), ["2026-02-03 "]);
}

#[test]
fn what_nobody_can_lift_is_refused_with_its_reason() {
    let scene = Scene::played("2026-02-09");
    let ask = |rest: &[&str], word: &str| {
        let start = ["--as", "ana", "guard", "exception", "ask", "x", "--reason", "agreed"];
        scene.refused(&[&start[..], rest].concat(), word);
    };
    let until = ["--customer", "C1", "--until", "2026-02-20", "--rule"];
    let rule = |rule: &str, word: &str| ask(&[&until[..], &[rule]].concat(), word);
    rule("probe/hours", "what law asks is lifted by nobody");
    rule("probe/never", "its policy allows none");
    rule("probe/stop", "the customer's own word");
    rule("probe/told", "it holds no contact back");
    rule("eu-b2b/human-before-court", "decision of people on this very act");
    rule("min_gap", "no policy has a rule");
    rule("uk-b2b/hours", "does not speak for customers in SE");
    rule("eu-consumer/hours", "does not speak for customers of the kind business");
    let sound = ["--rule", "probe/one-in-twenty-days", "--until"];
    ask(&[&sound[..], &["2026-02-20", "--customer", "C9"]].concat(), "no customer `C9`");
    ask(&[&sound[..], &["2026-02-08", "--customer", "C1"]].concat(), "is before its first day");
    ask(&[&sound[..], &["2026-05-10", "--customer", "C1"]].concat(), "90 days at most, here to 2026-05-09");
    ask(&[&sound[..], &["2026-02-20", "--class", "customer.mood=bad"]].concat(), "names no class");
    scene.ask("known", &["--customer", "C1", "--until", "2026-02-20"]);
    // Who is not named is nobody: a second person is not made by leaving `--as` out.
    let (code, _, err) = scene.said(&["guard", "exception", "approve", "known"]);
    assert!(code == 5 && err.contains("by people by name"), "{err}");
    let (code, _, err) = scene.said(&[
        "--as",
        "ana",
        "guard",
        "exception",
        "ask",
        "known",
        "--rule",
        "a/b",
        "--customer",
        "C1",
        "--until",
        "2026-02-20",
        "--reason",
        "x",
    ]);
    assert!(code == 4 && err.contains("needs a name of its own"), "{err}");
    assert_eq!(scene.said(&["guard", "exception", "approve", "nobody"]).0, 3);
    assert_eq!(
        scene
            .said(&[
                "guard",
                "exception",
                "ask",
                "a b",
                "--rule",
                "a/b",
                "--customer",
                "C1",
                "--until",
                "2026-02-20",
                "--reason",
                "x"
            ])
            .0,
        2
    );
}

#[test]
fn a_deadline_is_told_before_it_passes_and_shown_where_people_look() {
    let scene = Scene::played("2026-02-11");
    // Forty days from the issue, 5 January: 14 February; five days before it is the 9th.
    let shown = scene.data(&["case", "show", "I1"]);
    assert!(shown.contains("due     notice never_given by 2026-02-14: near  probe/told  (a law)"), "{shown}");
    let tasks = scene.data(&["task", "list"]);
    assert_eq!(tasks.matches("deadline probe/told").count(), 3, "one a case: {tasks}");
    scene.play("2026-02-16");
    let why = scene.data(&["case", "why", "I1"]);
    assert_eq!((why.matches("deadline near").count(), why.matches("deadline missed").count()), (1, 1), "{why}");
    let rows = scene.lines(&["guard", "explain", "C1", "--channel", "email"]);
    let deadline = rows.iter().find(|row| row["schema"] == "recobro/v1/deadline").unwrap();
    assert_eq!((deadline["state"].as_str(), deadline["until"].as_str()), (Some("missed"), Some("2026-02-14")));
}

#[test]
fn retention_counts_what_is_past_and_deletes_nothing() {
    let scene = Scene::played("2026-02-09");
    scene.data(&["payment", "add", "900", "--invoice", "I2", "--on", "2026-02-09"]);
    scene.play("2026-02-11");
    let count = |as_of: &str| {
        let row = scene
            .lines(&["guard", "retention", "--as-of", as_of])
            .into_iter()
            .find(|row| row["rule"] == "probe/papers");
        let row = row.unwrap();
        ["finished", "cases", "customers"].map(|field| row[field].as_u64().unwrap())
    };
    assert_eq!(count("2027-02-09"), [1, 0, 0], "the last day that it is kept");
    assert_eq!(count("2027-02-10"), [1, 1, 1]);
    assert!(scene.data(&["case", "show", "I2"]).contains("finished: paid"));
}

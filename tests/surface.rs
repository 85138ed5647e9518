//! The command line: every help text, exit codes, streams.

use crate::program::{Home, root, text};
use expect_test::{expect, expect_file};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Every command with its verbs.
const COMMANDS: &[&[&str]] = &[
    &[],
    &["demo"],
    &["backtest"],
    &["import"],
    &["run"],
    &["worker"],
    &["check"],
    &["case"],
    &["case", "list"],
    &["case", "show"],
    &["case", "why"],
    &["case", "pause"],
    &["case", "resume"],
    &["case", "retry"],
    &["case", "skip"],
    &["case", "goto"],
    &["case", "cancel"],
    &["task"],
    &["task", "list"],
    &["task", "show"],
    &["task", "done"],
    &["payment"],
    &["payment", "add"],
    &["payment", "credit"],
    &["payment", "list"],
    &["match"],
    &["match", "list"],
    &["match", "accept"],
    &["promise"],
    &["promise", "add"],
    &["promise", "list"],
    &["promise", "cancel"],
    &["plan"],
    &["plan", "add"],
    &["plan", "offer"],
    &["plan", "accept"],
    &["plan", "mandate"],
    &["plan", "decline"],
    &["plan", "cancel"],
    &["plan", "list"],
    &["plan", "show"],
    &["plan", "debit"],
    &["consent"],
    &["consent", "add"],
    &["consent", "withdraw"],
    &["consent", "hours"],
    &["consent", "list"],
    &["guard"],
    &["guard", "explain"],
    &["hold"],
    &["hold", "add"],
    &["hold", "list"],
    &["hold", "show"],
    &["hold", "release"],
    &["outbox"],
    &["outbox", "list"],
    &["outbox", "release"],
    &["task", "call"],
    &["dispute"],
    &["dispute", "open"],
    &["dispute", "close"],
    &["dispute", "assign"],
    &["dispute", "list"],
    &["dispute", "show"],
    &["guard", "test"],
    &["guard", "exception"],
    &["guard", "exception", "ask"],
    &["guard", "exception", "approve"],
    &["guard", "exception", "refuse"],
    &["guard", "exception", "end"],
    &["guard", "exception", "list"],
    &["guard", "exception", "show"],
    &["guard", "retention"],
    &["incentive"],
    &["incentive", "add"],
    &["incentive", "list"],
    &["ledger"],
    &["ledger", "show"],
    &["interest"],
    &["interest", "waive"],
    &["calendar"],
    &["calendar", "import"],
    &["calendar", "list"],
    &["calendar", "show"],
    &["unmatched"],
    &["unmatched", "list"],
    &["unmatched", "dismiss"],
    &["config"],
    &["config", "show"],
    &["completions"],
];

#[test]
fn help_texts_are_as_committed() {
    let home = Home::new();
    for command in COMMANDS {
        let mut args = command.to_vec();
        args.push("--help");
        let name = if command.is_empty() { "recobro".to_owned() } else { command.join("-") };
        expect_file![root().join(format!("tests/snapshots/help/{name}.txt"))].assert_eq(&home.data(&args));
    }
}

fn code(home: &Home, args: &[&str]) -> i32 {
    home.run(args).status.code().unwrap()
}

#[test]
fn exit_codes_tell_what_happened() {
    let home = Home::new();
    assert_eq!(code(&home, &["--version"]), 0);
    assert_eq!(code(&home, &["case", "lst"]), 2);
    assert_eq!(code(&home, &["case", "list"]), 3, "no database");
    assert_eq!(code(&home, &["config", "show", "--project", "nowhere"]), 0, "settings are shown whatever they say");
    std::fs::write(home.path().join("recobro.toml"), "limti = 5").unwrap();
    assert_eq!(code(&home, &["config", "show"]), 78);
    std::fs::write(home.path().join("recobro.toml"), "").unwrap();
    std::fs::create_dir_all(home.path().join("p/workflows")).unwrap();
    std::fs::write(home.path().join("p/workflows/broken.yaml"), "playbook: broken\nwehn: 1\n").unwrap();
    assert_eq!(code(&home, &["check", "p"]), 9);
    assert_eq!(code(&home, &["check", "nowhere"]), 1);
}

#[test]
fn a_policy_that_does_not_answer_its_example_is_shown_with_both_answers() {
    let home = Home::new();
    assert_eq!(code(&home, &["guard", "test"]), 0);
    assert_eq!(code(&home, &["guard", "test", "us-reg-g"]), 3);
    std::fs::create_dir_all(home.path().join("p/workflows/policies")).unwrap();
    let policy = "policy: late\nversion: 1\nrules:\n  - rule: hours\n    kind: window\n    \
                  params: {days: all, from: \"09:00\", to: \"18:00\"}\n    source: house rule\nexamples:\n  \
                  - {example: noon, contact: email, at: 2026-05-04 12:00, expect: allow}\n  \
                  - {example: at night, contact: email, at: 2026-05-04 22:00, expect: allow}\n";
    std::fs::write(home.path().join("p/workflows/policies/late.yaml"), policy).unwrap();
    let output = home.run(&["guard", "test", "late", "--project", "p"]);
    assert_eq!(output.status.code(), Some(1));
    expect![[r"
        policy  line                             example   expected  found
        late    workflows/policies/late.yaml:10  at night  allow     defer until 2026-05-05 09:00 by hours
    "]]
    .assert_eq(&text(&output.stdout));
    expect![[r"
        1 of 2 examples as expected
    "]]
    .assert_eq(&text(&output.stderr));
}

#[test]
fn the_shipped_library_is_clean() {
    let home = Home::new();
    let output = home.run(&["check"]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let json: serde_json::Value = serde_json::from_str(&home.data(&["check", "--format", "json"])).unwrap();
    assert!(json["schema"].is_string() || json["schema"].is_number(), "{json}");
    assert!(json["diagnostics"].is_array());
}

#[test]
fn an_unknown_setting_is_named_with_its_place_and_a_suggestion() {
    let home = Home::new();
    std::fs::write(home.path().join("recobro.toml"), "[mail]\ntranspot = \"file\"\n").unwrap();
    let output = home.run(&["config", "show"]);
    expect![[r"
        error: recobro.toml: unknown setting `mail.transpot`; did you mean `mail.transport`?
        help: `recobro config show` lists every setting
    "]]
    .assert_eq(&text(&output.stderr));
    assert!(output.stdout.is_empty());
}

#[test]
fn settings_show_their_origin() {
    let home = Home::new();
    std::fs::write(home.path().join("recobro.toml"), "limit = 5\n").unwrap();
    let mut command = home.command(&["config", "show", "--json", "--db", "sqlite://x.db"]);
    let output = command.env("RECOBRO_MAIL_USER", "u").output().unwrap();
    let rows: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let origin = |name: &str| {
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        (row["value"].as_str().unwrap().to_owned(), row["origin"].as_str().unwrap().to_owned())
    };
    assert_eq!(origin("limit"), ("5".to_owned(), "recobro.toml".to_owned()));
    assert_eq!(origin("mail.user"), ("u".to_owned(), "RECOBRO_MAIL_USER".to_owned()));
    assert_eq!(origin("db"), ("sqlite://x.db".to_owned(), "flag".to_owned()));
    assert_eq!(origin("log").1, "default");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let home = Home::new();
    let mut child =
        home.command(&["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
}

#[test]
fn a_template_that_does_not_compile_is_a_finding_with_its_line() {
    let home = Home::new();
    let texts = home.path().join("p/workflows/templates/hello");
    std::fs::create_dir_all(&texts).unwrap();
    let text = "---\nclass: courtesy\nlevel: 1\nsubject: \"Hello\"\n---\nYour invoice {{ invoice.number } is paid.\n";
    std::fs::write(texts.join("email.en.j2"), text).unwrap();
    let output = home.run(&["check", "p"]);
    assert_eq!(output.status.code(), Some(9));
    assert!(text_of(&output).contains("workflows/templates/hello/email.en.j2:6"), "{}", text_of(&output));
}

#[test]
fn news_about_what_nobody_knows_waits_in_sight() {
    let home = Home::new();
    std::fs::write(home.path().join("p.csv"), "id,invoice,amount,currency,on\nP-1,F-99,10.00,EUR,2026-05-05\n")
        .unwrap();
    home.data(&["import", "payments", "p.csv"]);
    home.data(&["run", "--virtual", "--until", "2026-05-10"]);
    let waiting = home.data(&["unmatched"]);
    assert!(waiting.contains("P-1") && waiting.contains("F-99"), "{waiting}");
}

const LEDGER: [(&str, &str); 2] = [
    ("c.csv", "id,country,email\nC-1,ES,a@example.com\n"),
    ("i.csv", "number,customer,issued,due,amount,currency\nF-1,C-1,2026-03-02,2026-04-01,900.00,EUR\n"),
];

/// A ledger of one invoice, played for some days.
fn played(home: &Home, db: &str, until: &str) {
    for ((file, rows), source) in LEDGER.into_iter().zip(["customers", "invoices"]) {
        std::fs::write(home.path().join(file), rows).unwrap();
        home.data(&["import", source, file, "--db", db]);
    }
    home.data(&["run", "--virtual", "--until", until, "--db", db]);
}

#[test]
fn a_played_database_is_not_moved_to_the_machines_time_unasked() {
    let home = Home::new();
    played(&home, "sqlite://a.db", "2026-04-20");
    for command in ["run", "worker"] {
        let output = home.run(&[command, "--db", "sqlite://a.db"]);
        assert_eq!(output.status.code(), Some(5), "{command}: {}", text_of(&output));
        let said = text_of(&output);
        assert!(said.contains("virtual time") && said.contains("`recobro --db sqlite://a.db run --virtual"), "{said}");
    }
    home.data(&["run", "--real", "--db", "sqlite://a.db"]);
    home.data(&["run", "--db", "sqlite://a.db"]);
}

#[test]
fn cases_are_listed_as_they_wake_and_finished_ones_last() {
    let home = Home::new();
    std::fs::write(home.path().join("c.csv"), "id,country,email\nC-1,ES,a@example.com\n").unwrap();
    let invoice = |n: u32, due: &str| format!("F-{n},C-1,2026-03-02,{due},900.00,EUR\n");
    let rows = [invoice(1, "2026-04-01"), invoice(2, "2026-04-25"), invoice(3, "2026-04-10")].concat();
    let file = format!("number,customer,issued,due,amount,currency\n{rows}");
    std::fs::write(home.path().join("i.csv"), file).unwrap();
    std::fs::write(home.path().join("p.csv"), "id,invoice,amount,currency,on\nP-1,F-1,900.00,EUR,2026-04-05\n")
        .unwrap();
    for (source, file) in [("customers", "c.csv"), ("invoices", "i.csv"), ("payments", "p.csv")] {
        home.data(&["import", source, file]);
    }
    home.data(&["run", "--virtual", "--until", "2026-04-14"]);
    let listed = |args: &[&str]| -> Vec<(String, String)> {
        let all = home.data(&[&["case", "list", "--json"], args].concat());
        let row = |line: &str| -> serde_json::Value { serde_json::from_str(line).unwrap() };
        let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
        all.lines().map(row).map(|row| (text(&row["invoice"]), text(&row["next_at"]))).collect()
    };
    let all = listed(&[]);
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(all[0].1 <= all[1].1, "{all:?}");
    assert_eq!(all[2].0, "F-1", "{all:?}");
    assert_eq!(listed(&["--limit", "1"]), all[..1]);
    assert_eq!(listed(&["--limit", "2"]), all[..2]);
    assert_eq!(listed(&["--outcome", "paid"]), all[2..]);
    assert_eq!(listed(&["--customer", "C-1"]).last(), all.last());
}

#[test]
fn what_is_printed_to_be_done_next_names_the_same_database() {
    let home = Home::new();
    let db = "sqlite://my ledger.db";
    played(&home, db, "2026-04-20");
    let said = text(&home.run(&["case", "show", "F-1", "--db", db]).stderr);
    assert!(said.contains("next: recobro --db 'sqlite://my ledger.db' case why F-1"), "{said}");
    let said = text(&home.run(&["case", "pause", "F-1", "--db", db]).stderr);
    assert!(said.contains("next: recobro --db 'sqlite://my ledger.db' run --virtual --until"), "{said}");
    let said = text(&home.run(&["case", "show", "F-2", "--db", db]).stderr);
    assert!(said.contains("`recobro --db 'sqlite://my ledger.db' case list`"), "{said}");
}

#[test]
fn an_interrupted_demo_names_its_database_and_the_command_that_goes_on() {
    let home = Home::new();
    let mut child =
        home.command(&["demo", "--invoices", "20"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("going on in real time")));
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let said: String = lines.map(|line| line + "\n").collect();
    assert!(child.wait().unwrap().success(), "{said}");
    assert!(!said.contains("the same command"), "{said}");
    let way = "RECOBRO_OUTBOX=recobro-demo/outbox recobro --db sqlite://recobro-demo/recobro.db demo --invoices 20";
    assert!(said.contains(way), "{said}");
}

fn text_of(output: &std::process::Output) -> String {
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

//! The command line: every help text, exit codes, streams.

use crate::program::{Home, root, text};
use expect_test::{expect, expect_file};
use std::process::Stdio;

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
    &["interest"],
    &["unmatched"],
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

fn text_of(output: &std::process::Output) -> String {
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

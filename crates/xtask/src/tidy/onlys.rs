//! The "onlys" of the design: who alone reads the clock, decides, sends, writes history, reads the environment.
//!
//! They look at shipped code: tests and `xtask` may do what they need.

use super::source::{Function, Source, is_word};
use super::{Finding, Tree};

/// Only `engine/src/clock.rs` reads the clock.
pub(super) const CLOCK: &str = "clock";
/// Only `engine/src/advance.rs` and its folder take a turn.
pub(super) const DECIDE: &str = "decide";
/// Only `engine/src/deliver.rs` and its folder call a channel.
pub(super) const CHANNEL: &str = "channel";
/// Only `store/src/commit.rs` appends history.
pub(super) const HISTORY: &str = "history";
/// Only `cli/src/config.rs` reads the environment.
pub(super) const ENVIRONMENT: &str = "environment";
/// SQL stands only in `store` and `migrations`.
pub(super) const SQL: &str = "sql";
/// The kernel is pure.
pub(super) const KERNEL: &str = "kernel";

/// Pushes a finding for each place where one of `words` stands in shipped code of `source`.
fn forbid(findings: &mut Vec<Finding>, rule: &'static str, source: &Source, words: &[&str], way_out: &str) {
    for word in words {
        for at in source.words(word).into_iter().filter(|at| !source.in_test(*at)) {
            findings.push(Finding::at(rule, source, at, format!("`{word}`: {way_out}")));
        }
    }
}

/// Returns the shipped sources outside of the given places: a file, or a folder with a `/` at its end.
fn outside<'a>(tree: &'a Tree, places: &'a [&str]) -> impl Iterator<Item = &'a Source> {
    let stands_in = |source: &Source, place: &str| {
        if place.ends_with('/') { source.path.starts_with(place) } else { source.path == place }
    };
    tree.sources
        .iter()
        .filter(move |source| source.krate() != "xtask" && !places.iter().any(|place| stands_in(source, place)))
}

pub(super) fn clock(tree: &Tree, findings: &mut Vec<Finding>) {
    const READS: [&str; 5] = ["SystemTime::now", "Instant::now", "Utc::now", "Local::now", "OffsetDateTime::now_utc"];
    // The second file holds the stop of a hook that runs away: a duration, never a time of day (DECISIONS.md, 6).
    let places = ["crates/engine/src/clock.rs", "crates/playbook/src/script/rules.rs", "crates/testkit/"];
    for source in outside(tree, &places) {
        forbid(
            findings,
            CLOCK,
            source,
            &READS,
            "only engine/src/clock.rs reads the clock; take the time as an argument",
        );
    }
}

pub(super) fn decide(tree: &Tree, findings: &mut Vec<Finding>) {
    const TURNS: [&str; 3] = ["decide", "enter", "park"];
    let way_out = "only engine/src/advance.rs takes turns; queue an event instead";
    for source in outside(tree, &["crates/kernel/", "crates/engine/src/advance.rs", "crates/engine/src/advance/"]) {
        forbid(findings, DECIDE, source, &["decide::decide", "decide::enter", "decide::park", "decide::*"], way_out);
        for at in source.words("decide::{").into_iter().filter(|at| !source.in_test(*at)) {
            let list = source.code[at..].split('}').next().unwrap_or("");
            let names = list.split(|c: char| !c.is_alphanumeric() && c != '_').skip(1);
            if names.into_iter().any(|name| TURNS.contains(&name)) {
                findings.push(Finding::at(DECIDE, source, at, format!("`{list}}}`: {way_out}")));
            }
        }
    }
}

/// A method called `deliver` is a channel's, unless it is called on the engine itself. A channel may wrap another.
pub(super) fn channel(tree: &Tree, findings: &mut Vec<Finding>) {
    const NO_CHANNELS: [&str; 4] = ["self", "engine", "worker", "run"];
    for source in outside(tree, &["crates/engine/src/deliver.rs", "crates/engine/src/deliver/"]) {
        let way_out = "only engine/src/deliver.rs calls a channel";
        forbid(findings, CHANNEL, source, &["Channel::deliver"], way_out);
        for at in source.code.match_indices(".deliver(").map(|(at, _)| at).filter(|at| !source.in_test(*at)) {
            let receiver = word_before(&source.code, at);
            let inside = |function: &Function| function.name == "deliver" && (function.at..function.end).contains(&at);
            let wraps = source.functions().iter().any(inside);
            if !wraps && !NO_CHANNELS.contains(&receiver) {
                findings.push(Finding::at(CHANNEL, source, at, format!("`{receiver}.deliver(..)`: {way_out}")));
            }
        }
    }
}

fn word_before(code: &str, at: usize) -> &str {
    let before = code[..at].trim_end();
    let start = before.bytes().rposition(|byte| !is_word(byte)).map_or(0, |position| position + 1);
    &before[start..]
}

pub(super) fn history(tree: &Tree, findings: &mut Vec<Finding>) {
    const WRITES: [&str; 5] = [
        "insert into history",
        "update history",
        "delete from history",
        "into \"history\"",
        "insert or replace into history",
    ];
    for source in outside(tree, &["crates/store/src/commit.rs"]) {
        for literal in source.literals.iter().filter(|literal| !source.in_test(literal.at)) {
            let sql = flat(&literal.text).to_lowercase();
            if WRITES.iter().any(|write| sql.contains(write)) {
                let message = "history is written; only store/src/commit.rs appends to it, and nothing changes it";
                findings.push(Finding::new(HISTORY, &source.path, literal.line, message));
            }
        }
    }
}

pub(super) fn environment(tree: &Tree, findings: &mut Vec<Finding>) {
    const READERS: [&str; 3] = ["from_default_env", "try_from_default_env", "from_env"];
    const HARMLESS: [&str; 3] = ["args", "args_os", "consts"];
    let way_out = "only cli/src/config.rs reads the environment; take the value as an argument";
    for source in outside(tree, &["crates/cli/src/config.rs", "crates/testkit/"]) {
        forbid(findings, ENVIRONMENT, source, &READERS, way_out);
        for at in source.words("env::").into_iter().filter(|at| !source.in_test(*at)) {
            let rest = &source.code[at + "env::".len()..];
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !HARMLESS.contains(&name.as_str()) {
                findings.push(Finding::at(ENVIRONMENT, source, at, format!("`env::{name}`: {way_out}")));
            }
        }
    }
}

pub(super) fn sql(tree: &Tree, findings: &mut Vec<Finding>) {
    for source in outside(tree, &["crates/store/"]) {
        for literal in source.literals.iter().filter(|literal| is_sql(&literal.text)) {
            let message = "SQL stands only in store and migrations; add a query to the aggregate's file in store";
            findings.push(Finding::new(SQL, &source.path, literal.line, message));
        }
    }
    let files = tree.files.keys().filter(|path| super::has_extension(path, "sql"));
    for path in files.filter(|path| !path.starts_with("migrations/")) {
        findings.push(Finding::new(SQL, path, 1, "SQL files stand only in migrations"));
    }
}

/// Statements in capitals anywhere in the literal, or in any case at its start.
fn is_sql(text: &str) -> bool {
    const STARTS: [&str; 6] =
        ["insert into ", "delete from ", "create table ", "alter table ", "drop table ", "pragma "];
    let sql = flat(text);
    let small = sql.to_lowercase();
    let has = |words: &[&str]| words.iter().all(|word| sql.contains(word));
    STARTS.iter().any(|start| small.starts_with(start) || sql.contains(&start.to_uppercase()))
        || has(&["SELECT ", " FROM "])
        || has(&["UPDATE ", " SET "])
}

/// Returns the literal with each run of white space, and each escaped line end, as one space.
fn flat(text: &str) -> String {
    let joined = text.replace("\\\n", " ");
    let words: Vec<&str> = joined.split_whitespace().collect();
    let mut flat = words.join(" ");
    flat.push(' ');
    flat
}

pub(super) fn kernel(tree: &Tree, findings: &mut Vec<Finding>) {
    const IMPURE: [&str; 18] = [
        "std::fs",
        "std::net",
        "std::io",
        "std::process",
        "std::thread",
        "async",
        "await",
        "tracing",
        "println",
        "eprintln",
        "HashMap",
        "HashSet",
        "Mutex",
        "RwLock",
        "static mut",
        "thread_local",
        "f64",
        "f32",
    ];
    for source in tree.sources.iter().filter(|source| source.path.starts_with("crates/kernel/src/")) {
        let way_out = "the kernel is pure: arguments in, value out, ordered maps, no floats";
        forbid(findings, KERNEL, source, &IMPURE, way_out);
    }
}

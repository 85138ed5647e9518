//! Tables of hook tests.

use super::fixtures::RISK;
use crate::script::hook_tests::{HookTestResult, run};

fn outcome(table: &str, script: &str) -> Vec<HookTestResult> {
    let script = format!("{RISK}\n{script}");
    let files = [("scripts/risk.rhai", script.as_str()), ("scripts/tests/risk.yaml", table)];
    run(&files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())).into())
}

fn failure(table: &str, script: &str) -> String {
    let results = outcome(table, script);
    assert_eq!(results.len(), 1, "{results:?}");
    results[0].failure.clone().expect("it should fail")
}

#[test]
fn the_table_of_the_contract_passes() {
    let table = "hook: risk::route
base:                                  # defaults; unnamed facts are an error if read
  invoice: {balance: 7200}
  customer: {segment: standard}
cases:
  - {name: small is written off, invoice: {balance: 299.99}, returns: write_off}
  - {name: edge stays in play,   invoice: {balance: 300},    returns: agency}
  - {name: key goes to legal,    customer: {segment: key},   returns: legal}
  - {name: says why,             invoice: {balance: 20000},  returns: legal, note: large balance}
";
    let results = outcome(table, "");
    assert_eq!(results.len(), 4);
    assert!(results.iter().all(|result| result.failure.is_none()), "{results:?}");
    assert_eq!((results[0].line, results[0].name.as_str()), (6, "small is written off"));
}

#[test]
fn a_fact_that_is_read_but_not_given_fails() {
    let table = "hook: risk::route\nbase: {invoice: {balance: 7200}}\ncases: [{name: x, returns: agency}]\n";
    assert!(failure(table, "").contains("`customer.segment` was read but not given"));
    let late = "/// @returns bool\nfn late(facts) { facts.today > facts.invoice.due }\n";
    let table = "hook: risk::late\nbase: {invoice: {due: 2026-05-04}}\ncases: [{name: x, returns: true}]\n";
    assert!(failure(table, late).contains("`today` was read but not given"));
    let promises = "/// @returns bool\nfn promised(facts) { has(facts.promise) and facts.promise.amount > 10 }\n";
    let table = |given: &str, returns: &str| {
        format!("hook: risk::promised\ncases: [{{name: x, {given} returns: {returns}}}]\n")
    };
    assert!(failure(&table("", "false"), promises).contains("`promise` was read but not given"));
    assert_eq!(outcome(&table("promise: ~,", "false"), promises)[0].failure, None);
    assert_eq!(outcome(&table("promise: {amount: 11},", "true"), promises)[0].failure, None);
}

#[test]
fn everything_a_hook_can_see_can_be_given() {
    let script = "/// @returns int
fn all(facts) {
    if facts.approach.opening == \"call\" and facts.vars.grace == days(3) and facts.law.figure == 40 and facts.level == 2 {
        note(\"date \" + facts.event.date);
        return sent(\"overdue-first\") + (facts.event.date - facts.today);
    }
    0
}
";
    let table = "hook: risk::all
event: promise.made
today: 2026-05-20
base:
  approach: {opening: call}
  vars: {grace: 3 days}
  law: {figure: 40}
  level: 2
  event: {date: 2026-05-29}
  'sent(\"overdue-first\")': 2
cases:
  - {name: all, returns: 11, note: date 2026-05-29}
";
    let results = outcome(table, script);
    assert_eq!(results[0].failure, None);
}

#[test]
fn mistakes_in_tables_are_named() {
    let table = |rest: &str| format!("hook: risk::route\n{rest}\n");
    assert_eq!(failure("hook: risk::rout\ncases: []\n", ""), "there is no hook `risk::rout`");
    assert_eq!(
        failure(&table("base: {customer: {segment: kye}}\ncases: []"), ""),
        "`customer.segment` is one of key, sme, standard, not `kye`"
    );
    assert_eq!(failure(&table("base: {customer: {segmnt: key}}\ncases: []"), ""), "unknown fact `customer.segmnt`");
    assert_eq!(failure(&table("case: []"), ""), "unknown key `case`; a table knows hook, today, event, base, cases");
    let given = "invoice: {balance: 1}";
    assert_eq!(
        failure(&table(&format!("cases: [{{name: x, {given}, returns: legl}}]")), ""),
        "`returns:` is none of legal, agency, write_off"
    );
    assert_eq!(
        failure(&table(&format!("cases: [{{name: x, {given}, returns: legal}}]")), ""),
        "returned \"write_off\", not \"legal\""
    );
    assert_eq!(
        failure(&table(&format!("cases: [{{name: x, {given}, returns: write_off, note: large}}]")), ""),
        "no note says `large`; it noted: small balance"
    );
}

#[test]
fn the_tables_of_the_shipped_scripts_pass() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts");
    let mut files = std::collections::BTreeMap::new();
    for (folder, name) in [(root.clone(), "scripts/"), (root.join("tests"), "scripts/tests/")] {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
            let name = format!("{name}{}", entry.file_name().to_string_lossy());
            files.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
    let results = run(&files);
    assert!(results.len() >= 10, "{results:?}");
    assert!(results.iter().all(|result| result.failure.is_none()), "{results:?}");
}

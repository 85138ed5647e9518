//! The same portfolio on SQLite and on PostgreSQL: the same cases, the same history, chained to the same hashes.

use crate::program::Home;
use recobro_testkit::postgres;

/// What a database says of the demo: its cases and, for some, every decision with its chain.
fn told(url: &str) -> (String, String) {
    let home = Home::new();
    home.data(&["demo", "--exit", "--invoices", "120", "--quiet", "--db", url]);
    let cases = home.data(&["case", "list", "--json", "--limit", "1000", "--db", url]);
    let invoices: Vec<String> = cases
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|case| case["invoice"].as_str().unwrap().to_owned())
        .step_by(12)
        .collect();
    let why = invoices.iter().map(|invoice| home.data(&["case", "why", invoice, "--db", url])).collect();
    (cases, why)
}

#[test]
fn sqlite_and_postgresql_decide_the_same_and_chain_it_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (cases, why) = told(&format!("sqlite://{}", folder.path().join("demo.db").display()));
    let (cases_there, why_there) = told(&postgres::cluster().database());
    assert!(cases.lines().count() > 100, "a portfolio, not a handful");
    assert!(why.contains("chain"), "the hashes are part of what is compared");
    assert_eq!(cases, cases_there);
    assert_eq!(why, why_there);
}

//! Every diagnostic has a page in `tests/diagnostics`: a failing example, the exact report, and the mended example.
//!
//! A block ```` ```yaml ```` is the playbook `workflows/probe.yaml`; where it begins with `stages:` a plain head is put
//! in front, and where it has no `whenever:` a handler for `invoice.paid` behind. A block may name another file. The
//! block ```` ```text ```` is what the check must say about everything above it; blocks after `## Fixed` must be clean.
//! `UPDATE_EXPECT=1 cargo test` writes the reports anew.

use recobro_playbook::{Files, check, read_dir, report};
use std::fmt::Write;
use std::path::{Path, PathBuf};

const HEAD: &str = "\
playbook: probe
version: 1
title: One rule at a time
owner: credit-control
currency: EUR
calendar: es-business
policy: [eu-b2b]
applies_to: {customer.kind: business, customer.country: [ES], priority: 90}
contact: {locales: [= customer.locale, es], hours: 09:00-18:00}
";

const TAIL: &str = "\
whenever:
  - event: invoice.paid
    do: [{send: thank-you, via: [email]}]
    then: {finish: paid}
";

fn shared() -> Files {
    let files = read_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))).unwrap();
    let playbook = |file: &str| file.matches('/').count() == 1 && file != "workflows/requests.yaml";
    files.into_iter().filter(|(file, _)| file.starts_with("scripts/") || !playbook(file)).collect()
}

fn whole(text: &str) -> String {
    let mut all = text.to_owned();
    if text.starts_with("stages:") {
        all = format!("{HEAD}{all}");
    }
    if !text.contains("whenever:") && !text.contains("# as it is") {
        all.push_str(TAIL);
    }
    all
}

/// Runs the blocks of a page and returns the page with fresh reports.
fn run(page: &str, shared: &Files) -> String {
    let mut out = String::new();
    let (mut files, mut touched, mut block): (Files, Vec<String>, Option<(String, String)>) =
        (shared.clone(), vec![], None);
    let (mut fixed, mut broken) = (false, Vec::new());
    for line in page.lines() {
        if let Some((info, body)) = &mut block {
            if line != "```" {
                writeln!(body, "{line}").unwrap();
                continue;
            }
            if info == "text" {
                let found = check(&files).diagnostics;
                let found: Vec<_> = found.into_iter().filter(|d| touched.contains(&d.file)).collect();
                out.push_str(&report::text(&found, &files));
            } else {
                let file = info.strip_prefix("yaml").unwrap().trim();
                let file = if file.is_empty() { "workflows/probe.yaml" } else { file };
                let text = if file == "workflows/probe.yaml" { whole(body) } else { body.clone() };
                files.insert(file.to_owned(), text.into_bytes());
                touched.push(file.to_owned());
                out.push_str(body);
            }
            block = None;
        } else if let Some(info) = line.strip_prefix("```") {
            block = Some((info.to_owned(), String::new()));
        } else if line == "## Fixed" {
            fixed = true;
        } else if line.starts_with("# ") || line.starts_with("## ") {
            broken.extend(clean(fixed, &files, &touched));
            (files, touched, fixed) = (shared.clone(), vec![], false);
        }
        writeln!(out, "{line}").unwrap();
    }
    broken.extend(clean(fixed, &files, &touched));
    assert!(broken.is_empty(), "mended examples that are not clean:\n{}", broken.join("\n"));
    out
}

/// What is wrong with a mended example.
fn clean(fixed: bool, files: &Files, touched: &[String]) -> Option<String> {
    let found = if fixed { check(files).diagnostics } else { Vec::new() };
    let found: Vec<_> = found.into_iter().filter(|d| touched.contains(&d.file)).collect();
    (!found.is_empty()).then(|| report::text(&found, files))
}

fn pages() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics");
    let mut pages: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    pages
}

#[test]
fn every_page_says_what_the_check_says() {
    let shared = shared();
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        let fresh = run(&text, &shared);
        expect_test::expect_file![&page].assert_eq(&fresh);
    }
}

#[test]
fn every_code_has_a_failing_and_a_mended_example() {
    let codes = (1..=9).chain(101..=107).chain(201..=212).chain(301..=312).chain(401..=412);
    let pages: Vec<String> = pages().iter().map(|page| std::fs::read_to_string(page).unwrap()).collect();
    let examples: Vec<&str> = pages.iter().flat_map(|page| page.split("\n# ")).collect();
    for code in codes {
        let code = format!("[PB{code:03}]");
        let shown = examples.iter().any(|example| example.contains(&code) && example.contains("\n## Fixed"));
        assert!(shown, "{code} has no failing and mended example");
    }
}

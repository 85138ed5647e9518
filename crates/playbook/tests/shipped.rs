//! The shipped library compiles without an error, and again from its own stored sources.

use recobro_playbook::{Severity, check, compile_one, read_dir, report};
use std::fmt::Write;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn every_shipped_playbook_compiles_without_an_error() {
    let files = read_dir(root()).unwrap();
    let checked = check(&files);
    let errors: Vec<_> = checked.diagnostics.iter().filter(|d| d.severity == Severity::Error).cloned().collect();
    println!("{}", report::text(&checked.diagnostics, &files));
    assert!(errors.is_empty(), "{}", report::text(&errors, &files));
    let names: Vec<&str> = checked.library.playbooks.iter().map(|compiled| compiled.playbook.name.as_str()).collect();
    assert_eq!(names, ["b2b-standard", "energy-household", "general", "key-account"]);
}

#[test]
fn a_stored_bundle_compiles_to_the_same_playbook() {
    let files = read_dir(root()).unwrap();
    for compiled in check(&files).library.playbooks {
        let again = compile_one(&compiled.sources, &compiled.playbook.name);
        let again = again.map_err(|problems| report::text(&problems, &compiled.sources)).unwrap();
        assert_eq!(again.playbook, compiled.playbook);
        assert_eq!(again.sources, compiled.sources);
    }
}

#[test]
fn the_playbooks_inside_scenarios_compile() {
    let files = read_dir(root()).unwrap();
    let (mut count, mut broken) = (0, String::new());
    for entry in std::fs::read_dir(root().join("tests/scenarios")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let own: Vec<&str> = text
            .lines()
            .skip_while(|line| !line.starts_with("playbook_text: |"))
            .skip(1)
            .take_while(|line| line.is_empty() || line.starts_with("  "))
            .map(|line| line.strip_prefix("  ").unwrap_or(line))
            .collect();
        if own.is_empty() || path.extension().is_none_or(|ending| ending != "yaml") {
            continue;
        }
        count += 1;
        let mut files = files.clone();
        files.insert("workflows/probe.yaml".to_owned(), (own.join("\n") + "\n").into_bytes());
        let found = check(&files).diagnostics;
        let found: Vec<_> = found.into_iter().filter(|d| d.file == "workflows/probe.yaml").collect();
        let errors: Vec<_> = found.into_iter().filter(|d| d.severity == Severity::Error).collect();
        if !errors.is_empty() {
            writeln!(broken, "{}\n{}", path.display(), report::text(&errors, &files)).unwrap();
        }
    }
    assert!(broken.is_empty(), "{broken}");
    assert!(count > 40, "only {count} scenarios bring a playbook");
}

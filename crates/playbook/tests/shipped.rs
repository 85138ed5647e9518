//! The shipped library compiles without an error, and again from its own stored sources.

use recobro_playbook::{Severity, check, compile_one, read_dir, report};
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

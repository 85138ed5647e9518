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

#[test]
fn the_standard_playbook_flattens_into_one_forward_list() {
    use recobro_kernel::playbook::{Outlet, Verb};
    let files = read_dir(root()).unwrap();
    let library = check(&files).library;
    let playbook = &library.playbooks.iter().find(|one| one.playbook.name == "b2b-standard").unwrap().playbook;
    let at = |path: &str| playbook.steps.iter().position(|step| step.path == path).unwrap_or_else(|| panic!("{path}"));

    let mut text = String::new();
    for (position, step) in playbook.steps.iter().enumerate() {
        let next = playbook.steps.get(step.next).filter(|_| step.next < playbook.cursor_len);
        let next = next.map_or("-", |next| next.path.as_str());
        let next = if position < playbook.cursor_len { next } else { "" };
        writeln!(text, "{} {} {next}", step.verb.name(), step.path).unwrap();
        assert!(position >= playbook.cursor_len || step.next > position, "{} goes back", step.path);
    }
    expect_test::expect_file!["shapes/b2b-standard.txt"].assert_eq(&text);

    let covers = &playbook.steps[at("final-notice")].options.covers;
    assert_eq!(*covers, [at("formal-notice"), at("masc-invitation"), at("legal"), at("agency-iberia")]);
    let Outlet::Steps(task) = &playbook.steps[at("overdue-first")].on_error else { panic!("no task") };
    assert_eq!(task[..], [at("overdue-first/on_error/fix-delivery")]);
    assert_eq!(playbook.steps[task[0]].next, at("find-the-reason"));
    let Verb::Choose(_) = &playbook.steps[at("final-notice/choose-1")].verb else { panic!("no choice") };
    assert_eq!(playbook.tables[0].outputs[2].1, recobro_kernel::value::Type::Int);
    assert_eq!(playbook.handlers.len(), 15);
    assert!(playbook.handlers.iter().flat_map(|h| &h.steps).all(|&position| position >= playbook.cursor_len));
}

#[test]
fn every_shipped_policy_answers_its_own_examples() {
    let files = read_dir(root()).unwrap();
    let tried = recobro_playbook::try_examples(&files, None);
    let tried =
        tried.map_err(|problems| report::text(&problems, &files)).unwrap_or_else(|text| panic!("{text}")).unwrap();
    let wrong: Vec<_> = tried.iter().filter(|one| !one.is_good()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for policy in check(&files).library.law.policies.keys() {
        let count = tried.iter().filter(|one| one.policy == *policy).count();
        assert!(count >= 3, "{policy} has {count} examples");
    }
}

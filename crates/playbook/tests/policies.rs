//! Rows of policies: who may lift a rule, and what a deadline runs from.

use recobro_kernel::guard::policy::{Awaited, Begins, Kind, Rule, Term};
use recobro_playbook::{Severity, check, read_dir, report};
use std::path::Path;

/// The rules of a policy, or the errors of its file.
fn read(rules: &str) -> Result<Vec<Rule>, String> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut files = read_dir(root).unwrap();
    let head = "policy: probe\nversion: 1\ntitle: Probe\nowner: compliance\njurisdiction: IS\n\
                values: {dispute_answer: {value: 1 month, source: test, confidence: known}}\nrules:\n";
    files.insert("workflows/policies/probe.yaml".to_owned(), format!("{head}{rules}").into_bytes());
    let checked = check(&files);
    let mut errors = checked.diagnostics.iter().filter(|found| found.file == "workflows/policies/probe.yaml");
    match errors.find(|found| found.severity == Severity::Error) {
        Some(error) => Err(report::text(std::slice::from_ref(error), &files)),
        None => Ok(checked.library.law.policies["probe"].rules.clone()),
    }
}

fn row(kind: &str, params: &str, more: &str) -> String {
    format!("  - {{rule: one, kind: {kind}, params: {{{params}}}, source: test{more}}}\n")
}

#[test]
fn rules_of_the_house_can_be_lifted_and_rules_of_law_only_where_the_row_says_so() {
    let lifts = |more: &str| {
        let rule = read(&row("gap_after_contact", "gap: 2 days", more)).unwrap().remove(0);
        rule.stands_because().is_none()
    };
    assert!(lifts(", confidence: house"));
    assert!(!lifts(", confidence: house, exceptions: none"));
    assert!(!lifts(""), "what is known of a law is a law");
    assert!(!lifts(", confidence: verified"));
    assert!(lifts(", confidence: verified, exceptions: two_people"));
}

#[test]
fn a_row_cannot_open_what_nobody_can_lift() {
    let wrong = read(&row("consent", "needs: opted_in", ", exceptions: two_people")).unwrap_err();
    assert!(wrong.contains("nobody can lift this rule: it is the customer's own word"), "{wrong}");
    let wrong = read(&row("gap_after_contact", "gap: 2 days", ", exceptions: one_person")).unwrap_err();
    assert!(wrong.contains("none, two_people"), "{wrong}");
    assert!(read(&row("consent", "needs: opted_in", ", exceptions: none")).is_ok());
}

#[test]
fn adverse_speaks_of_every_act_that_hurts_also_of_an_organisations_own() {
    let rule = read(&row("precondition", "approve: 1", ", before: [adverse, card.retry]")).unwrap().remove(0);
    for act in ["escalate", "outsource", "supply.cut", "cover.terminate", "bureau.report", "card.retry"] {
        assert!(rule.before.contains(act), "{act}: {:?}", rule.before);
    }
    for act in ["supply.restore", "incentive.open", "adverse"] {
        assert!(!rule.before.contains(act), "{act}: {:?}", rule.before);
    }
}

#[test]
fn a_place_that_is_none_would_bind_nobody_and_is_said() {
    for (place, help) in [("UK", "is `GB`"), ("ZZ", "ISO codes"), ("[ES, XQ-1]", "no country `XQ`")] {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let mut files = read_dir(root).unwrap();
        let text =
            format!("policy: probe\nversion: 1\ntitle: Probe\nowner: compliance\njurisdiction: {place}\nrules: []\n");
        files.insert("workflows/policies/probe.yaml".to_owned(), text.into_bytes());
        let said = report::text(&check(&files).diagnostics, &files);
        assert!(said.contains("would bind nobody") && said.contains(help), "{place}: {said}");
    }
}

#[test]
fn a_deadline_names_what_is_awaited_and_what_it_runs_from() {
    let deadline = |params: &str| match read(&row("deadline", params, "")).unwrap().remove(0).kind {
        Kind::Deadline(deadline) => *deadline,
        other => panic!("{other:?}"),
    };
    let plain = deadline("notice: told, within: 2 months");
    assert_eq!((plain.awaits, plain.after), (Awaited::Notice("told".to_owned()), Begins::Issue));
    assert_eq!(plain.alert.to_string(), "3 working days");
    let first = deadline("notice: validation, within: 5 days, after: first_contact, alert: 2 days");
    assert_eq!((first.after, first.alert.to_string()), (Begins::FirstContact, "2 days".to_owned()));
    assert_eq!(deadline("notice: told, within: 1 month, after: due").after, Begins::Due);
    let dispute = deadline("answer: dispute, within: dispute_answer");
    assert_eq!((dispute.awaits, dispute.after), (Awaited::Dispute, Begins::Dispute));
    assert_eq!(dispute.within, Term::Law("dispute_answer".to_owned()));
    let invited = deadline("answer: customer, within: 30 days, after: masc_invitation");
    assert_eq!((invited.awaits, invited.after), (Awaited::Customer, Begins::Notice("masc_invitation".to_owned())));
    assert!(read(&row("deadline", "within: 5 days", "")).unwrap_err().contains("notice"));
}

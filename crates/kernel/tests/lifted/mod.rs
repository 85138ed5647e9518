//! What two people lift and what nobody can, and how deadlines run.

use super::{Scene, frequency, on, opening, rule, span};
use recobro_kernel::facts::{Channel, Class, DisputeFacts, Exception, Facts};
use recobro_kernel::guard::policy::{Awaited, Begins, Deadline, Kind, Of, Precondition, Rule, Term};
use recobro_kernel::guard::{Asked, Bound, Verdict};
use recobro_kernel::schedule::{Place, Wish};
use recobro_kernel::value::Value;
use std::sync::Arc;

/// What the rules about a dunning e-mail say, with rule, figures and exception.
fn said(scene: &Scene, at: &str) -> Vec<(String, String, Option<String>)> {
    let law = scene.law();
    let bound = Bound::of(&law, &[], &scene.facts);
    let place = Place {
        playbook: &scene.playbook,
        calendar: &scene.calendar,
        staff: &scene.calendar,
        zone: scene.facts.customer.time_zone,
        contacts: &scene.facts.contacts,
        invoice: &scene.facts.invoice.id,
        customer: "C",
        several: false,
        inconvenient: &[],
        preferred: &[],
        bound: &bound,
    };
    let wish = Wish { channel: Some(Channel::Email), group: None, class: Class::Dunning, bundled: false };
    let found = bound.findings(place, wish, None, &[], scene.at(at));
    found.into_iter().map(|one| (one.rule, one.why, one.exception)).collect()
}

fn lifted(mut scene: Scene, rule: &str) -> Scene {
    scene.facts.customer.exceptions = vec![Exception { name: "EX-1".to_owned(), rule: format!("probe/{rule}") }];
    scene
}

#[test]
fn a_lifted_rule_is_silent_and_says_so() {
    let scene = || Scene::new(vec![rule("once", frequency(1, "1 day", Of::Customer))]);
    let made = |scene: Scene| scene.made("2026-05-04 09:00", Channel::Email, false);
    assert_eq!(made(scene()).may(Channel::Email, "2026-05-04 10:00"), "2026-05-05 00:00");
    let free = lifted(made(scene()), "once");
    assert_eq!((free.binding("2026-05-04"), free.may(Channel::Email, "2026-05-04 10:00")), (0, "now".to_owned()));
    let why = |text: &str| ("probe/once".to_owned(), text.to_owned());
    let thanks_to = |scene: Scene| said(&scene, "2026-05-04 10:00").remove(0);
    let (rule, text, exception) = thanks_to(free);
    assert_eq!((rule, text), why("1 of 1 in 1 day; allowed by exception EX-1"));
    assert_eq!(exception.as_deref(), Some("EX-1"));
    let (rule, text, exception) = thanks_to(lifted(scene(), "once"));
    assert_eq!((rule, text), why("0 of 1 in 1 day; exception EX-1 not needed"));
    assert_eq!(exception, None, "it left without it");
    assert_eq!(lifted(scene(), "twice").binding("2026-05-04"), 1, "an exception lifts its own rule only");
}

#[test]
fn an_act_that_an_exception_allows_names_it() {
    let scene =
        lifted(Scene::new(vec![rule("wait", Kind::Moratorium { season: None, forbid: true, eves: false })]), "wait");
    assert_eq!(scene.may_act("escalate", "2026-05-04 10:00"), "now");
    let law = scene.law();
    let asked = Asked {
        facts: &scene.facts,
        marks: &scene.marks,
        approvals: &[],
        position: None,
        calendar: &scene.calendar,
        zone: scene.facts.customer.time_zone,
        law: &law,
    };
    let bound = Bound::of(&law, &[], &scene.facts);
    let found = bound.act_findings("escalate", scene.at("2026-05-04 10:00"), &asked);
    assert_eq!((found[0].verdict.clone(), found[0].exception.as_deref()), (Verdict::Allow, Some("EX-1")));
    assert_eq!(bound.act_findings("outsource", scene.at("2026-05-04 10:00"), &asked).len(), 0);
}

#[test]
fn nobody_lifts_what_the_customer_said_what_protects_others_or_what_people_must_decide() {
    let precondition = |approve| Kind::Precondition(Box::new(Precondition { approve, ..Precondition::default() }));
    let deadline = Deadline {
        awaits: Awaited::Dispute,
        within: Term::Span(span("30 days")),
        after: Begins::Dispute,
        alert: span("5 days"),
    };
    let kinds = [
        (frequency(1, "1 day", Of::Customer), true),
        (Kind::Window { open: vec![opening(&[], "09:00-18:00")], holidays: false }, true),
        (precondition(0), true),
        (precondition(1), false),
        (Kind::Moratorium { season: None, forbid: true, eves: false }, true),
        (Kind::Consent { opted_in: false }, false),
        (Kind::Recipient { only: Some("attorney".to_owned()), never: Vec::new() }, false),
        (Kind::Content { refuse: vec!["threat".to_owned()], require: Vec::new() }, false),
        (Kind::Deadline(Box::new(deadline)), false),
        (Kind::Retention { keep: span("12 months") }, false),
    ];
    for (kind, lifts) in kinds {
        let one = rule("probe", kind);
        assert_eq!(one.stands_because().is_none(), lifts, "{one:?}");
        assert!(Rule { exceptions: false, ..one.clone() }.stands_because().is_some(), "law is lifted by nobody");
        let scene = lifted(Scene::new(vec![one]), "probe");
        assert_eq!(
            scene.binding("2026-05-04"),
            usize::from(!lifts),
            "an exception without a right to be lifts nothing"
        );
    }
}

fn deadlines(scene: &Scene, named: Awaited, after: Begins, today: &str) -> Vec<String> {
    let deadline = Deadline { awaits: named, within: Term::Law("wait".to_owned()), after, alert: span("5 days") };
    let mut law = scene.law();
    let mut policy = scene.policy.clone();
    policy.rules = vec![rule("due", Kind::Deadline(Box::new(deadline)))];
    policy.values = [("wait".to_owned(), Value::Span(span("1 month")))].into();
    law.policies = [("probe".to_owned(), Arc::new(policy))].into();
    let facts = Facts { today: on(today), ..scene.facts.clone() };
    let asked = Asked {
        facts: &facts,
        marks: &scene.marks,
        approvals: &[],
        position: None,
        calendar: &scene.calendar,
        zone: facts.customer.time_zone,
        law: &law,
    };
    let found = recobro_kernel::guard::deadline::of(&asked, &[]);
    found.iter().map(|due| format!("{} {} {}", due.last, due.alert_on, due.state(facts.today))).collect()
}

#[test]
fn a_deadline_runs_from_its_fact_and_says_how_it_stands() {
    let scene = || Scene::new(Vec::new());
    let told = || Awaited::Notice("told".to_owned());
    let from_issue = |scene: Scene, today: &str| deadlines(&scene, told(), Begins::Issue, today).remove(0);
    // Issued on 4 April, a month.
    assert_eq!(from_issue(scene(), "2026-04-28"), "2026-05-04 2026-04-29 open");
    assert_eq!(from_issue(scene(), "2026-04-29"), "2026-05-04 2026-04-29 near");
    assert_eq!(from_issue(scene(), "2026-05-04"), "2026-05-04 2026-04-29 near");
    assert_eq!(from_issue(scene(), "2026-05-05"), "2026-05-04 2026-04-29 missed");
    assert_eq!(from_issue(scene().notice("told", "2026-05-04", None), "2026-05-05"), "2026-05-04 2026-04-29 met");
    assert_eq!(from_issue(scene().notice("told", "2026-05-05", None), "2026-05-05"), "2026-05-04 2026-04-29 met late");
    assert_eq!(deadlines(&scene(), told(), Begins::Due, "2026-05-05"), ["2026-06-04 2026-05-30 open"]);
    assert_eq!(deadlines(&scene(), told(), Begins::FirstContact, "2026-05-05"), [""; 0], "nothing left yet");
    assert_eq!(deadlines(&scene(), Awaited::Dispute, Begins::Dispute, "2026-05-05"), [""; 0], "nothing is contested");
    let invited = scene().notice("invited", "2026-01-20", Some("2026-01-31"));
    let answer = deadlines(&invited, Awaited::Customer, Begins::Notice("invited".to_owned()), "2026-02-20");
    assert_eq!(answer, ["2026-02-28 2026-02-23 open"], "from the proven day to the end of a shorter month");
    let mut contested = scene();
    let opened_on = on("2026-05-04");
    contested.facts.dispute = Some(DisputeFacts { reason: "quality".to_owned(), outcome: None, opened_on });
    assert_eq!(
        deadlines(&contested, Awaited::Dispute, Begins::Dispute, "2026-06-05"),
        ["2026-06-04 2026-05-30 missed"]
    );
}

#[test]
fn a_deadline_of_a_product_speaks_of_that_product_only() {
    let mut scene = Scene::new(Vec::new());
    scene.policy.products = vec!["electricity".to_owned()];
    let found = |scene: &Scene| deadlines(scene, Awaited::Notice("told".to_owned()), Begins::Issue, "2026-05-05").len();
    assert_eq!(found(&scene), 1);
    scene.facts.invoice.product = String::new();
    assert_eq!(found(&scene), 0, "what nobody knows alerts nobody");
}

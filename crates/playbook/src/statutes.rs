//! Checks of policies against each other and against calendars: what a rule names must be there, or it would say nothing.

use crate::diagnostic::{Diagnostic, Report};
use crate::read::examples::short;
use crate::yaml::{Kind, Node, Place};
use recobro_kernel::guard::policy::{Kind as RuleKind, Policy, Term};
use recobro_kernel::law::Law;
use recobro_kernel::value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Figures that are read without a customer: they mean the same everywhere.
const HOUSE: &[&str] =
    &["allocation", "dispute_answer", "plan_default_after", "plan_grace", "plan_reminder", "promise_grace"];

/// Checks all policies.
pub(crate) fn check(report: &Report, law: &Law, nodes: &BTreeMap<String, Node>) {
    for policy in law.policies.values() {
        for rule in &policy.rules {
            let place = || rule_place(nodes, &rule.id);
            match &rule.kind {
                RuleKind::Precondition(wanted) => figure(report, law, wanted.since.as_ref(), place),
                RuleKind::Deadline(deadline) => figure(report, law, Some(&deadline.within), place),
                RuleKind::Moratorium { season: Some(season), .. } => known_season(report, law, policy, season, place),
                RuleKind::Moratorium { season: None, .. }
                | RuleKind::Window { .. }
                | RuleKind::Frequency { .. }
                | RuleKind::Gap { .. }
                | RuleKind::Consent { .. }
                | RuleKind::Recipient { .. }
                | RuleKind::Content { .. }
                | RuleKind::Retention { .. } => {}
            }
        }
    }
    agree(report, law, nodes);
}

/// Where a rule stands.
pub(crate) fn rule_place(nodes: &BTreeMap<String, Node>, id: &str) -> Place {
    let policy = id.split_once('/').map_or(id, |(policy, _)| policy);
    let Some(node) = nodes.get(policy) else { return Place::top(&Arc::from(crate::read::policy::POLICIES)) };
    let rules = match node.get("rules").map(|rules| &rules.kind) {
        Some(Kind::List(rules)) => rules.as_slice(),
        Some(Kind::Scalar(..) | Kind::Map(_)) | None => &[],
    };
    let named = rules.iter().filter_map(|rule| rule.get("rule")).find(|name| name.text() == Some(short(id)));
    named.map_or_else(|| node.place.clone(), |name| name.place.clone())
}

/// PB411: a length by name that no policy has.
fn figure(report: &Report, law: &Law, term: Option<&Term>, place: impl Fn() -> Place) {
    let Some(Term::Law(name)) = term else { return };
    let message = match law.value(name) {
        Some(Value::Span(_)) => return,
        Some(_) => format!("`law.{name}` is no duration, so the rule could never run its time"),
        None => format!("no policy has the value `law.{name}`, so the rule would not wait at all"),
    };
    let known = law.policies.values().flat_map(|policy| policy.values.keys()).map(String::as_str);
    report.push(
        Diagnostic::error("PB411", &place(), message)
            .nearest(name, known)
            .help(format!("write `{name}: {{value: 1 month, source: ..}}` under `values:`, or the length itself")),
    );
}

/// PB411: a season that the place's calendar does not have.
fn known_season(report: &Report, law: &Law, policy: &Policy, season: &str, place: impl Fn() -> Place) {
    let here = |country: &Option<String>| match country {
        Some(country) => {
            policy.jurisdictions.is_empty() || policy.speaks_for(country.split('-').next().unwrap_or(country))
        }
        None => policy.jurisdictions.is_empty(),
    };
    let calendars = law.calendars.values().filter(|calendar| here(&calendar.country));
    let known: Vec<&str> = calendars.flat_map(|calendar| calendar.seasons.keys()).map(String::as_str).collect();
    if !known.contains(&season) {
        let message = format!("no calendar of this policy's place has a season `{season}`, so nothing would be held");
        report.push(Diagnostic::error("PB411", &place(), message).nearest(season, known.iter().copied()));
    }
}

/// PB412: two policies that may speak for the same customer, equally near, with one name for two figures.
fn agree(report: &Report, law: &Law, nodes: &BTreeMap<String, Node>) {
    let policies: Vec<&Arc<Policy>> = law.policies.values().collect();
    for (i, first) in policies.iter().enumerate() {
        for second in &policies[i + 1..] {
            for (name, value) in &second.values {
                let differs = first.values.get(name).is_some_and(|other| other != value);
                if differs && (HOUSE.contains(&name.as_str()) || are_equally_near(first, second)) {
                    let node = nodes.get(&second.name).and_then(|node| node.get("values")?.key(name));
                    let place =
                        node.map_or_else(|| Place::top(&Arc::from(second.name.as_str())), |key| key.place.clone());
                    report.push(
                        Diagnostic::error(
                            "PB412",
                            &place,
                            format!(
                                "`law.{name}` is {value} here and {} in policy `{}`",
                                first.values[name], first.name
                            ),
                        )
                        .help("both speak for the same customers: give one figure, or two names"),
                    );
                }
            }
        }
    }
}

fn are_equally_near(first: &Policy, second: &Policy) -> bool {
    let meet = |a: &[String], b: &[String]| a.is_empty() || b.is_empty() || a.iter().any(|one| b.contains(one));
    let places = match (first.jurisdictions.is_empty(), second.jurisdictions.is_empty()) {
        (true, true) => true,
        (true, false) | (false, true) => false,
        (false, false) => first.jurisdictions.iter().any(|one| second.jurisdictions.contains(one)),
    };
    // Versions of one figure that follow each other, and figures for different collectors, never speak together.
    let ends_before = |one: &Policy, other: &Policy| one.to.zip(other.from).is_some_and(|(to, from)| to < from);
    let apart = ends_before(first, second) || ends_before(second, first);
    let collect = |one: &Policy| one.collectors.iter().map(|role| role.name().to_owned()).collect::<Vec<_>>();
    places
        && !apart
        && meet(&collect(first), &collect(second))
        && meet(&first.debtor_kinds, &second.debtor_kinds)
        && meet(&first.products, &second.products)
}

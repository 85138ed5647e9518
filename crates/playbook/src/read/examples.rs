//! `examples:` of a policy: a contact or an act at a time, what is given, and what the policy must answer.

use super::{boolean, channel, cut, date, items, list, map, name, names, only, required, text, wrong};
use crate::diagnostic::{Diagnostic, Report};
use crate::yaml::{Node, Place};
use chrono::{NaiveDate, NaiveDateTime};
use recobro_kernel::facts::{Channel, Class};
use recobro_kernel::guard::policy::{Collector, PATHS, Policy};

const KEYS: &[&str] = &[
    "act",
    "approved_by",
    "at",
    "class",
    "collector",
    "contact",
    "contacts",
    "deadline",
    "example",
    "expect",
    "given",
    "notices",
    "opted_in",
    "opted_out",
    "role",
    "roles",
    "since",
];

/// Facts that an example may give beside those a rule may ask for.
const MORE: &[&str] = &["customer.time_zone"];

/// One example.
pub(crate) struct Example {
    pub(crate) title: String,
    pub(crate) place: Place,
    /// Path and text.
    pub(crate) given: Vec<(String, String)>,
    pub(crate) ask: Ask,
    /// Local time of the debtor.
    pub(crate) at: NaiveDateTime,
    pub(crate) contacts: Vec<Made>,
    pub(crate) notices: Vec<Given>,
    pub(crate) approved_by: Vec<String>,
    /// The day of what a deadline runs from: issue, due date, first contact or dispute.
    pub(crate) since: Option<NaiveDate>,
    pub(crate) collector: Option<Collector>,
    pub(crate) expect: Expect,
}

/// What is asked.
pub(crate) enum Ask {
    /// A message or a call, with the debtor's word on the channel.
    Contact { channel: Channel, class: Class, role: String, roles: Vec<String>, opted_in: bool, opted_out: bool },
    /// `escalate`, `outsource`, or an action.
    Act(String),
    /// A deadline of the policy: the rule's own name.
    Deadline(String),
}

/// A contact before.
pub(crate) struct Made {
    pub(crate) on: NaiveDateTime,
    pub(crate) by: Channel,
    pub(crate) class: Class,
    pub(crate) talk: bool,
    /// About another invoice.
    pub(crate) other: bool,
}

/// A notice before.
pub(crate) struct Given {
    pub(crate) notice: String,
    pub(crate) on: NaiveDate,
    pub(crate) proven: Option<NaiveDate>,
}

/// The answer that must come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    Allow,
    /// Until a local time; the rule's own name.
    Defer(NaiveDateTime, String),
    Forbid(String),
    /// How a deadline stands, and its last day.
    Stands(String, NaiveDate),
}

impl std::fmt::Display for Expect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Allow => f.write_str("allow"),
            Self::Defer(until, rule) => write!(f, "defer until {} by {rule}", until.format("%Y-%m-%d %H:%M")),
            Self::Forbid(rule) => write!(f, "forbid by {rule}"),
            Self::Stands(state, last) => write!(f, "{state} by {last}"),
        }
    }
}

/// Reads the examples of a policy.
pub(crate) fn read(report: &Report, node: &Node, policy: &Policy) -> Vec<Example> {
    let Some(examples) = node.get("examples") else { return Vec::new() };
    list(report, examples, "examples").iter().filter_map(|node| example(report, node, policy)).collect()
}

fn example(report: &Report, node: &Node, policy: &Policy) -> Option<Example> {
    only(report, node, "an example", KEYS);
    let title = required(report, node, "example").and_then(|node| text(report, node));
    let at = required(report, node, "at").and_then(|node| instant(report, node));
    let expect = required(report, node, "expect").and_then(|node| expect(report, node, policy));
    let all = |key: &str| node.get(key).map(|node| list(report, node, key)).unwrap_or_default();
    let collector = node.get("collector").and_then(|node| {
        let found = node.text().and_then(Collector::parse);
        if found.is_none() {
            wrong(report, node, "`first_party` or `third_party`");
        }
        found
    });
    Some(Example {
        ask: ask(report, node, policy)?,
        given: node.get("given").map(|node| given(report, node)).unwrap_or_default(),
        contacts: all("contacts").iter().filter_map(|node| made(report, node)).collect(),
        notices: all("notices").iter().filter_map(|node| notice(report, node)).collect(),
        approved_by: node.get("approved_by").map(|node| names(report, node)).unwrap_or_default(),
        collector,
        since: node.get("since").and_then(|node| date(report, node)),
        place: node.place.clone(),
        title: title?,
        at: at?,
        expect: expect?,
    })
}

fn ask(report: &Report, node: &Node, policy: &Policy) -> Option<Ask> {
    if let Some(rule) = node.get("deadline") {
        return rule_named(report, rule, policy).map(Ask::Deadline);
    }
    match (node.get("contact"), node.get("act")) {
        (Some(contact), None) => Some(Ask::Contact {
            channel: channel(report, contact)?,
            class: class(report, node)?,
            role: node.get("role").and_then(|node| name(report, node)).unwrap_or_else(|| "billing".to_owned()),
            roles: node.get("roles").map(|node| names(report, node)).unwrap_or_default(),
            opted_in: flag(report, node, "opted_in"),
            opted_out: flag(report, node, "opted_out"),
        }),
        (None, Some(act)) => name(report, act).map(Ask::Act),
        (Some(_), Some(_)) | (None, None) => {
            report.error(
                "PB006",
                node,
                "an example asks for one thing: `contact: CHANNEL`, `act: NAME` or `deadline: RULE`",
            );
            None
        }
    }
}

fn flag(report: &Report, node: &Node, key: &str) -> bool {
    node.get(key).and_then(|node| boolean(report, node)).unwrap_or_default()
}

fn class(report: &Report, node: &Node) -> Option<Class> {
    let Some(class) = node.get("class") else { return Some(Class::Dunning) };
    let found = class.text().and_then(Class::parse);
    if found.is_none() {
        wrong(report, class, "`dunning`, `courtesy`, `transactional` or `legal_notice`");
    }
    found
}

fn given(report: &Report, node: &Node) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (key, value) in map(report, node, "facts") {
        let path = key.text().unwrap_or_default();
        let own = path.starts_with("customer.x.") || path.starts_with("invoice.x.");
        if !own && !PATHS.contains(&path) && !MORE.contains(&path) {
            report.push(
                Diagnostic::error("PB201", &key.place, format!("an example cannot give `{}`", cut(path)))
                    .nearest(path, PATHS.iter().chain(MORE).copied()),
            );
            continue;
        }
        all.extend(items(report, value).into_iter().filter_map(|item| Some((path.to_owned(), text(report, item)?))));
    }
    all
}

fn made(report: &Report, node: &Node) -> Option<Made> {
    only(report, node, "a contact", &["by", "class", "invoice", "on", "talk"]);
    let other = node.get("invoice").is_some_and(|node| {
        let other = node.text() == Some("other");
        if !other && node.text() != Some("this") {
            wrong(report, node, "`this` or `other`");
        }
        other
    });
    Some(Made {
        on: required(report, node, "on").and_then(|node| instant(report, node))?,
        by: required(report, node, "by").and_then(|node| channel(report, node))?,
        class: class(report, node)?,
        talk: flag(report, node, "talk"),
        other,
    })
}

fn notice(report: &Report, node: &Node) -> Option<Given> {
    only(report, node, "a notice", &["notice", "on", "proven"]);
    Some(Given {
        notice: required(report, node, "notice").and_then(|node| name(report, node))?,
        on: required(report, node, "on").and_then(|node| date(report, node))?,
        proven: node.get("proven").and_then(|node| date(report, node)),
    })
}

fn instant(report: &Report, node: &Node) -> Option<NaiveDateTime> {
    let parsed = node.text().and_then(|text| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").ok());
    if parsed.is_none() {
        wrong(report, node, "a local time such as `2026-05-04 09:30`");
    }
    parsed
}

fn expect(report: &Report, node: &Node, policy: &Policy) -> Option<Expect> {
    if node.text() == Some("allow") {
        return Some(Expect::Allow);
    }
    if node.entries().is_empty() {
        wrong(report, node, "`allow`, `{defer: TIME, rule: NAME}` or `{forbid: RULE}`");
        return None;
    }
    only(report, node, "`expect`", &["by", "defer", "forbid", "rule", "state"]);
    if let Some(state) = node.get("state") {
        let last = required(report, node, "by").and_then(|node| date(report, node));
        return Some(Expect::Stands(text(report, state)?, last?));
    }
    if let Some(rule) = node.get("forbid") {
        return rule_named(report, rule, policy).map(Expect::Forbid);
    }
    let until = required(report, node, "defer").and_then(|node| instant(report, node));
    let rule = required(report, node, "rule").and_then(|node| rule_named(report, node, policy));
    Some(Expect::Defer(until?, rule?))
}

/// PB101: a rule of the policy.
fn rule_named(report: &Report, node: &Node, policy: &Policy) -> Option<String> {
    let wanted = name(report, node)?;
    let known: Vec<&str> = policy.rules.iter().map(|rule| short(&rule.id)).collect();
    if known.contains(&wanted.as_str()) {
        return Some(wanted);
    }
    report.push(
        Diagnostic::error("PB101", &node.place, format!("policy `{}` has no rule `{}`", policy.name, cut(&wanted)))
            .nearest(&wanted, known.iter().copied()),
    );
    None
}

/// A rule's name without its policy's.
pub(crate) fn short(id: &str) -> &str {
    id.split_once('/').map_or(id, |(_, rule)| rule)
}

//! Policies: rules of the law and of the house as data, applied by jurisdiction, always in their newest form.

use super::law::header;
use super::places::places;
use super::{boolean, channel, count, date, guess, items, list, map, name, names, only, required, span, text, wrong};
use crate::diagnostic::{Diagnostic, Report};
use crate::yaml::Node;
use recobro_kernel::calendar::weekday;
use recobro_kernel::facts::{Channel, Class};
use recobro_kernel::guard::policy::{
    Awaited, Begins, Collector, Confidence, Counts, Deadline, Kind, Of, Opening, PATHS, Policy, Precondition, Rule,
    Term,
};
use recobro_kernel::ids::Hash;
use recobro_kernel::time::{Hours, Span};
use recobro_kernel::value::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Folder of policies.
pub(crate) const POLICIES: &str = "workflows/policies/";
/// Every act that hurts, by its class.
pub(crate) const ADVERSE: &str = "adverse";

const POLICY_KEYS: &[&str] = &[
    "collector_role",
    "debtor_kind",
    "effective_from",
    "effective_to",
    "examples",
    "jurisdiction",
    "owner",
    "policy",
    "product",
    "rules",
    "source",
    "title",
    "values",
    "version",
];

const RULE_KEYS: &[&str] = &[
    "applies_to",
    "before",
    "channels",
    "classes",
    "confidence",
    "effective_from",
    "effective_to",
    "exceptions",
    "kind",
    "params",
    "rule",
    "source",
];

/// Kinds of rules, and what each is told by its `params`.
const KINDS: &[(&str, &[&str])] = &[
    ("window", &["days", "from", "holidays", "open", "to"]),
    ("frequency", &["counts", "each", "most", "of", "per"]),
    ("gap_after_contact", &["after", "gap", "of", "other_channel"]),
    ("consent", &["needs"]),
    ("recipient", &["never", "only"]),
    ("content", &["refuse", "require"]),
    ("precondition", &["approve", "evidence", "notice", "proof", "since"]),
    ("moratorium", &["eves", "season", "verdict"]),
    ("deadline", &["after", "alert", "answer", "notice", "within"]),
    ("retention", &["keep"]),
];

/// Names of what texts may be refused for.
pub(crate) const REFUSED: &[&str] = &["debt_not_claimable", "misleading_deadline", "reason_for_default", "threat"];

/// Names of statements that texts may have to carry.
pub(crate) const REQUIRED: &[&str] = &["creditor", "amount", "opt_out", "how_to_object", "fixed_indemnity"];

/// Reads one policy.
pub(crate) fn policy(report: &Report, node: &Node, hash: Hash) -> Option<Policy> {
    only(report, node, "`policy`", POLICY_KEYS);
    let id = required(report, node, "policy").and_then(|node| name(report, node))?;
    header(report, node);
    let list_of = |key: &str| node.get(key).map(|node| names(report, node)).unwrap_or_default();
    let mut policy = Policy {
        title: node.get("title").and_then(|node| node.text()).unwrap_or_default().to_owned(),
        jurisdictions: node.get("jurisdiction").map(|node| places(report, node)).unwrap_or_default(),
        debtor_kinds: one_of_each(report, node.get("debtor_kind"), &["business", "person", "public"]),
        products: list_of("product"),
        from: node.get("effective_from").and_then(|node| date(report, node)),
        to: node.get("effective_to").and_then(|node| date(report, node)),
        hash,
        name: id,
        ..Policy::default()
    };
    let roles = one_of_each(report, node.get("collector_role"), &["first_party", "third_party"]);
    policy.collectors = roles.iter().filter_map(|role| Collector::parse(role)).collect();
    for (key, value) in node.get("values").map(|node| map(report, node, "figures")).unwrap_or_default() {
        if let (Some(name), Some(value)) = (name(report, key), figure(report, value)) {
            policy.values.insert(name, value);
        }
    }
    let mut seen = BTreeSet::new();
    for node in node.get("rules").map(|node| list(report, node, "rules")).unwrap_or_default() {
        let Some(rule) = rule(report, node, &policy.name) else { continue };
        if !seen.insert(rule.id.clone()) {
            report.error("PB002", node, format!("the rule `{}` is there twice", rule.id));
        }
        policy.rules.push(rule);
    }
    Some(policy)
}

/// Names out of a closed list; what is none of them is said, with the nearest.
fn one_of_each(report: &Report, node: Option<&Node>, known: &[&str]) -> Vec<String> {
    let Some(node) = node else { return Vec::new() };
    items(report, node).into_iter().filter_map(|item| one_of(report, item, known)).collect()
}

fn one_of(report: &Report, node: &Node, known: &[&str]) -> Option<String> {
    let wanted = node.text().unwrap_or_default();
    if known.contains(&wanted) {
        return Some(wanted.to_owned());
    }
    report.push(
        Diagnostic::error("PB006", &node.place, format!("`{wanted}` is not known here"))
            .nearest(wanted, known.iter().copied())
            .help(format!("one of {}", known.join(", "))),
    );
    None
}

fn figure(report: &Report, node: &Node) -> Option<Value> {
    if node.entries().is_empty() {
        return guess(report, node);
    }
    // A figure that changes stands in two policies with dates: its own would be read by nobody.
    only(report, node, "a figure", &["confidence", "source", "value"]);
    required(report, node, "source").and_then(|source| text(report, source));
    required(report, node, "confidence").and_then(|node| one_of(report, node, &["house", "known", "verified"]));
    guess(report, required(report, node, "value")?)
}

fn rule(report: &Report, node: &Node, policy: &str) -> Option<Rule> {
    only(report, node, "a rule", RULE_KEYS);
    let id = required(report, node, "rule").and_then(|node| name(report, node));
    let kind = required(report, node, "kind").and_then(|node| {
        let known: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
        one_of(report, node, &known)
    })?;
    let source = required(report, node, "source").and_then(|node| text(report, node)).unwrap_or_default();
    let params = node.get("params");
    if let Some(params) = params {
        let known = KINDS.iter().find(|(name, _)| *name == kind).map(|(_, keys)| *keys).unwrap_or_default();
        only(report, params, &format!("`{kind}`"), known);
    }
    let channels: BTreeSet<Channel> = node
        .get("channels")
        .map(|node| items(report, node))
        .unwrap_or_default()
        .into_iter()
        .filter_map(|item| channel(report, item))
        .collect();
    let before: BTreeSet<String> =
        node.get("before").map(|node| names(report, node)).unwrap_or_default().into_iter().collect();
    let kind = Reading { report, node, params }.kind(&kind)?;
    let is_act = matches!(kind, Kind::Precondition(_) | Kind::Moratorium { .. });
    if is_act && before.is_empty() {
        report.error("PB006", node, "the rule does not say what it comes before: `before: [escalate]`");
    }
    let confidence = node.get("confidence").and_then(|node| one_of(report, node, &["house", "known", "verified"]));
    let confidence = confidence.as_deref().and_then(Confidence::parse).unwrap_or_default();
    let mut rule = Rule {
        id: format!("{policy}/{}", id?),
        classes: classes(report, node.get("classes"), &kind),
        kind,
        channels,
        before,
        applies: applies(report, node.get("applies_to")),
        from: node.get("effective_from").and_then(|node| date(report, node)),
        to: node.get("effective_to").and_then(|node| date(report, node)),
        source,
        confidence,
        exceptions: true,
    };
    rule.exceptions = exceptions(report, node.get("exceptions"), &rule);
    Some(rule)
}

/// Whether two people may lift a rule: one of the house where nothing is said, one of law only where the row says so.
fn exceptions(report: &Report, node: Option<&Node>, rule: &Rule) -> bool {
    let Some(node) = node else { return rule.confidence == Confidence::House };
    let lifts = one_of(report, node, &["none", "two_people"]).as_deref() == Some("two_people");
    if let (true, Some(why)) = (lifts, rule.stands_because()) {
        report.error("PB006", node, format!("nobody can lift this rule: {why}"));
    }
    lifts
}

/// The classes that a rule is about. Counting rules speak of what asks for money, the others of every message.
fn classes(report: &Report, node: Option<&Node>, kind: &Kind) -> BTreeSet<Class> {
    let known: Vec<&str> = Class::ALL.iter().map(|class| class.name()).collect();
    if let Some(node) = node {
        return one_of_each(report, Some(node), &known).iter().filter_map(|name| Class::parse(name)).collect();
    }
    let counting = matches!(kind, Kind::Frequency { .. } | Kind::Gap { .. });
    Class::ALL.into_iter().filter(|class| !counting || !class.is_exempt()).collect()
}

fn applies(report: &Report, node: Option<&Node>) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for (key, value) in node.map(|node| map(report, node, "facts")).unwrap_or_default() {
        let path = key.text().unwrap_or_default();
        let own = path.starts_with("customer.x.") || path.starts_with("invoice.x.");
        if !own && !PATHS.contains(&path) {
            report.push(
                Diagnostic::error("PB201", &key.place, format!("a rule cannot ask for `{path}`"))
                    .nearest(path, PATHS.iter().copied())
                    .help(format!("facts are {}, customer.x.*, invoice.x.*", PATHS.join(", "))),
            );
            continue;
        }
        let texts = items(report, value).into_iter().filter_map(|item| item.text().map(str::to_owned)).collect();
        all.insert(path.to_owned(), texts);
    }
    all
}

/// A rule's parameters under the eyes of its kind.
struct Reading<'n> {
    report: &'n Report,
    node: &'n Node,
    params: Option<&'n Node>,
}

impl<'n> Reading<'n> {
    fn get(&self, key: &str) -> Option<&'n Node> {
        self.params.and_then(|params| params.get(key))
    }

    fn need(&self, key: &str) -> Option<&'n Node> {
        if let Some(params) = self.params {
            return required(self.report, params, key);
        }
        self.report.error("PB006", self.node, format!("the rule has no `params`, and `{key}` must be there"));
        None
    }

    fn flag(&self, key: &str) -> bool {
        self.get(key).and_then(|node| boolean(self.report, node)).unwrap_or_default()
    }

    fn word(&self, key: &str, known: &[&str]) -> Option<String> {
        self.get(key).and_then(|node| one_of(self.report, node, known))
    }

    fn kind(&self, kind: &str) -> Option<Kind> {
        let report = self.report;
        Some(match kind {
            "window" => Kind::Window { open: self.openings()?, holidays: self.flag("holidays") },
            "frequency" => Kind::Frequency {
                most: self.need("most").and_then(|node| count(report, node, 0))?,
                per: self.need("per").and_then(|node| span(report, "per", node))?,
                of: self.of(),
                counts: self.counts("counts"),
                each: self.flag("each"),
            },
            "gap_after_contact" => Kind::Gap {
                gap: self.need("gap").and_then(|node| span(report, "gap", node))?,
                of: self.of(),
                after: self.counts("after"),
                other_channel: self.flag("other_channel"),
            },
            "consent" => {
                let needs = self.need("needs").and_then(|node| one_of(report, node, &["not_opted_out", "opted_in"]))?;
                Kind::Consent { opted_in: needs == "opted_in" }
            }
            "recipient" => Kind::Recipient {
                only: self.get("only").and_then(|node| name(report, node)),
                never: self.get("never").map(|node| names(report, node)).unwrap_or_default(),
            },
            "content" => Kind::Content {
                refuse: one_of_each(report, self.get("refuse"), REFUSED),
                require: one_of_each(report, self.get("require"), REQUIRED),
            },
            "precondition" => Kind::Precondition(Box::new(Precondition {
                notice: self.get("notice").and_then(|node| name(report, node)),
                delivered: self.word("proof", &["delivered", "sent"]).as_deref() == Some("delivered"),
                since: self.get("since").and_then(|node| self.term("since", node)),
                approve: self.get("approve").and_then(|node| count(report, node, 1)).unwrap_or(0),
                evidence: self.get("evidence").and_then(|node| text(report, node)),
            })),
            "moratorium" => Kind::Moratorium {
                season: self.get("season").and_then(|node| name(report, node)),
                forbid: self.word("verdict", &["defer", "forbid"]).as_deref() == Some("forbid"),
                eves: self.flag("eves"),
            },
            "deadline" => Kind::Deadline(Box::new(self.deadline()?)),
            _ => Kind::Retention { keep: self.need("keep").and_then(|node| span(report, "keep", node))? },
        })
    }

    fn deadline(&self) -> Option<Deadline> {
        let answer = self.word("answer", &["customer", "dispute"]);
        let awaits = match answer.as_deref() {
            Some("dispute") => Awaited::Dispute,
            Some(_) => Awaited::Customer,
            None => Awaited::Notice(self.need("notice").and_then(|node| name(self.report, node))?),
        };
        let after = match self.get("after") {
            None if awaits == Awaited::Dispute => Begins::Dispute,
            None => Begins::Issue,
            Some(node) => match node.text().unwrap_or_default() {
                "dispute" => Begins::Dispute,
                "due" => Begins::Due,
                "first_contact" => Begins::FirstContact,
                "issue" => Begins::Issue,
                _ => Begins::Notice(name(self.report, node)?),
            },
        };
        let within = self.need("within").and_then(|node| self.term("within", node))?;
        let alert = match self.get("alert") {
            Some(node) => span(self.report, "alert", node)?,
            None => Span::working_days(3),
        };
        Some(Deadline { awaits, within, after, alert })
    }

    fn of(&self) -> Of {
        match self.word("of", &["customer", "invoice"]).as_deref() {
            Some("invoice") => Of::Invoice,
            _ => Of::Customer,
        }
    }

    fn counts(&self, key: &str) -> Counts {
        // What was sent and what was tried is the same row of the contact ledger: unknown outcomes count.
        match self.word(key, &["attempts", "sent", "talk", "talks"]).as_deref() {
            Some("talk" | "talks") => Counts::Talks,
            _ => Counts::Attempts,
        }
    }

    /// A length, or the name of the figure that holds one.
    fn term(&self, key: &str, node: &Node) -> Option<Term> {
        let word = node.text().unwrap_or_default();
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return span(self.report, key, node).map(Term::Span);
        }
        name(self.report, node).map(Term::Law)
    }

    /// `days`, `from` and `to`; or several of them under `open`.
    fn openings(&self) -> Option<Vec<Opening>> {
        let Some(open) = self.get("open") else { return Some(vec![self.opening(self.params?)?]) };
        let all: Vec<Opening> = list(self.report, open, "openings")
            .iter()
            .filter_map(|node| {
                only(self.report, node, "an opening", &["days", "from", "to"]);
                self.opening(node)
            })
            .collect();
        (!all.is_empty()).then_some(all)
    }

    fn opening(&self, node: &Node) -> Option<Opening> {
        let time = |key: &str| {
            let node = required(self.report, node, key)?;
            let read = node.text().and_then(|text| chrono::NaiveTime::parse_from_str(text, "%H:%M").ok());
            if read.is_none() {
                wrong(self.report, node, "a time such as `08:00`");
            }
            read
        };
        let (from, to) = (time("from")?, time("to")?);
        if from >= to {
            wrong(self.report, node, "hours that end after they begin");
            return None;
        }
        let days = match node.get("days") {
            None => BTreeSet::new(),
            Some(days) => self.days(days)?,
        };
        Some(Opening { days, hours: Hours { from, to } })
    }

    fn days(&self, node: &Node) -> Option<BTreeSet<u8>> {
        match node.text() {
            Some("working") => return Some(BTreeSet::new()),
            Some("all") => return Some((0..7).collect()),
            _ => {}
        }
        let days: BTreeSet<u8> = items(self.report, node)
            .into_iter()
            .filter_map(|item| {
                let day = item.text().and_then(weekday);
                if day.is_none() {
                    wrong(self.report, item, "`working`, `all` or weekdays such as `mon`");
                }
                day
            })
            .collect();
        (!days.is_empty()).then_some(days)
    }
}

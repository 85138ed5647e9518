//! Runs the examples of policies: each policy alone, with the project's calendars, on what the example gives.

use crate::diagnostic::{Diagnostic, Report};
use crate::read::examples::{Ask, Example, Expect, short};
use crate::{Files, library};
use chrono::NaiveDateTime;
use chrono_tz::Tz;
use recobro_kernel::calendar::Calendar;
use recobro_kernel::case::{Approval, End, Mark, Marks};
use recobro_kernel::consent::{Consent, Purpose, Word};
use recobro_kernel::facts::{ContactMade, ContactPoint, CustomerFacts, DisputeFacts, Facts, InvoiceFacts};
use recobro_kernel::guard::policy::Policy;
use recobro_kernel::guard::{Asked, Bound, Verdict, deadline};
use recobro_kernel::ids::{GroupId, Hash};
use recobro_kernel::law::Law;
use recobro_kernel::money::Currency;
use recobro_kernel::playbook::{AppliesTo, ContactRules, Playbook, Roll};
use recobro_kernel::record::Moved;
use recobro_kernel::schedule::{Place, Wish};
use recobro_kernel::time::{Hours, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How an example came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Policy.
    pub policy: String,
    /// The example's own words.
    pub example: String,
    /// File.
    pub file: String,
    /// Line.
    pub line: u32,
    /// What it expects.
    pub expected: String,
    /// What the policy answers.
    pub found: String,
}

impl Tried {
    /// Whether the policy answers as expected.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.expected == self.found
    }
}

/// The examples of one policy, or of all, in the order of the files; nothing where no policy has the name.
///
/// # Errors
/// Every error of calendars and policies.
pub(crate) fn run(files: &Files, only: Option<&str>) -> Result<Option<Vec<Tried>>, Vec<Diagnostic>> {
    let report = Report::default();
    let library::Statutes { law, nodes } = library::law(files, &report);
    let mut all = Vec::new();
    for (name, node) in nodes.iter().filter(|(name, _)| only.is_none_or(|only| only == name.as_str())) {
        let Some(policy) = law.policies.get(name) else { continue };
        for example in crate::read::examples::read(&report, node, policy) {
            all.push(tried(&law, policy, &example));
        }
    }
    let errors: Vec<Diagnostic> = report.into_sorted().into_iter().filter(Diagnostic::is_error).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    let known = only.is_none_or(|only| nodes.contains_key(only));
    Ok(known.then_some(all))
}

fn tried(law: &Law, policy: &Arc<Policy>, example: &Example) -> Tried {
    Tried {
        policy: policy.name.clone(),
        example: example.title.clone(),
        file: example.place.file.to_string(),
        line: example.place.start.line,
        expected: example.expect.to_string(),
        found: answer(law, policy, example).to_string(),
    }
}

/// What the policy says to the example.
fn answer(law: &Law, policy: &Arc<Policy>, example: &Example) -> Expect {
    let collector = example.collector.or_else(|| policy.collectors.first().copied()).unwrap_or_default();
    let alone = [(policy.name.clone(), Arc::clone(policy))].into();
    let law =
        Law { calendars: law.calendars.clone(), policies: alone, rates: BTreeMap::new(), collector, ..Law::default() };
    let facts = facts(policy, example);
    let customer = &facts.customer;
    let (zone, named) = (customer.time_zone, [policy.name.clone()]);
    let calendar = law.calendar_for(&customer.country, customer.subdivision.as_deref(), "");
    let bound = Bound::of(&law, &named, &facts);
    let at = local(example.at, zone);
    match &example.ask {
        Ask::Act(act) => {
            let (marks, approvals) = (marks(example, zone), approvals(example, at));
            let asked = Asked {
                facts: &facts,
                marks: &marks,
                approvals: &approvals,
                position: None,
                calendar: &calendar,
                zone,
                law: &law,
            };
            wait(&bound, act, &asked, at)
        }
        Ask::Deadline(rule) => {
            let marks = Marks { first_contact: example.since, ..marks(example, zone) };
            let asked = Asked {
                facts: &facts,
                marks: &marks,
                approvals: &[],
                position: None,
                calendar: &calendar,
                zone,
                law: &law,
            };
            let found = deadline::of(&asked, &named).into_iter().find(|due| short(&due.rule) == rule);
            // What has not begun asks for nothing.
            found.map_or(Expect::Allow, |due| Expect::Stands(due.state(facts.today).to_owned(), due.last))
        }
        Ask::Contact { channel, class, .. } => {
            let playbook = playbook();
            let place = Place {
                playbook: &playbook,
                calendar: &calendar,
                staff: &calendar,
                zone,
                contacts: &facts.contacts,
                invoice: &facts.invoice.id,
                customer: "",
                several: false,
                inconvenient: &[],
                preferred: &[],
                bound: &bound,
            };
            let wish = Wish { channel: Some(*channel), group: None, class: *class, bundled: false };
            settle(place, wish, &facts, at)
        }
    }
}

/// Waits for one rule after the other until none has anything to say.
fn settle(place: Place<'_>, wish: Wish, facts: &Facts, at: Timestamp) -> Expect {
    let points = &facts.customer.contact_points;
    let point = points.first();
    let (mut start, mut moved) = (at, Vec::new());
    for _ in 0..ROUNDS_MAX {
        let before = start;
        for finding in place.bound.findings(place, wish, point, points, start) {
            match finding.verdict {
                Verdict::Forbid { rule } => return Expect::Forbid(own(&rule)),
                Verdict::Defer { until, rule } if until > start => {
                    start = until;
                    note(&mut moved, rule, until);
                }
                Verdict::Allow | Verdict::Defer { .. } => {}
            }
        }
        if start == before {
            break;
        }
    }
    deferred(&moved, at, (start, place.zone))
}

fn note(moved: &mut Vec<Moved>, rule: String, until: Timestamp) {
    moved.retain(|limit| limit.rule != rule);
    moved.push(Moved { rule, until });
}

/// A wait is named after the rule that decides, as it is on record.
fn deferred(moved: &[Moved], at: Timestamp, (start, zone): (Timestamp, Tz)) -> Expect {
    let decisive = Moved::decisive(moved, at);
    decisive.map_or(Expect::Allow, |limit| Expect::Defer(start.local(zone), own(&limit.rule)))
}

/// Rounds of waiting: more than any sound policy needs.
const ROUNDS_MAX: usize = 100;

/// The same for an act: what one rule defers is asked again on that day.
fn wait(bound: &Bound<'_>, act: &str, asked: &Asked<'_>, at: Timestamp) -> Expect {
    let (mut start, mut moved) = (at, Vec::new());
    for _ in 0..ROUNDS_MAX {
        match bound.before(act, start, asked) {
            Verdict::Allow => break,
            Verdict::Defer { until, rule } => {
                start = until;
                note(&mut moved, rule, until);
            }
            Verdict::Forbid { rule } => return Expect::Forbid(own(&rule)),
        }
    }
    deferred(&moved, at, (start, asked.zone))
}

/// The rule's own name, out of `law POLICY/RULE` or `POLICY/RULE: why`.
fn own(rule: &str) -> String {
    let id = rule.split_once(": ").map_or(rule, |(id, _)| id);
    let id = id.rsplit_once(' ').map_or(id, |(_, id)| id);
    short(id).to_owned()
}

fn local(at: NaiveDateTime, zone: Tz) -> Timestamp {
    Timestamp::at_local(at.date(), at.time(), zone)
}

/// A plain debtor of the policy's first place and kind, changed by what the example gives.
fn facts(policy: &Policy, example: &Example) -> Facts {
    let first = |list: &[String], usual: &str| list.first().map_or(usual, String::as_str).to_owned();
    let place = first(&policy.jurisdictions, "");
    let (country, subdivision) = match place.split_once('-') {
        Some((country, _)) => (country.to_owned(), Some(place.clone())),
        None => (place.clone(), None),
    };
    let mut facts = Facts {
        invoice: invoice(first(&policy.products, "")),
        customer: CustomerFacts {
            id: "C-1".into(),
            kind: first(&policy.debtor_kinds, "business"),
            segment: "standard".to_owned(),
            country,
            subdivision,
            locale: "en".to_owned(),
            time_zone: Tz::UTC,
            risk: "medium".to_owned(),
            risk_score: 50,
            account_manager: None,
            vulnerable: false,
            has_open_plan: false,
            late_payments_12m: 0,
            broken_promises: 0,
            kept_promises: 0,
            matured_minor: BTreeMap::new(),
            late_reason: None,
            open_invoices: 1,
            total_minor: BTreeMap::new(),
            last_reply_on: None,
            tags: Vec::new(),
            contact_points: points(example),
            assume_reachable: false,
            inconvenient: Vec::new(),
            preferred: Vec::new(),
            exceptions: Vec::new(),
            x: BTreeMap::new(),
        },
        promise: None,
        dispute: None,
        plan: None,
        incentive: None,
        contacts: Vec::new(),
        contacts_total: 0,
        today: example.at.date(),
    };
    for (path, text) in &example.given {
        give(&mut facts, path, text);
    }
    facts.contacts = contacts(example, facts.customer.time_zone);
    if let Some(since) = example.since {
        (facts.invoice.issued, facts.invoice.due) = (since, since);
        facts.dispute = Some(DisputeFacts { reason: "other".to_owned(), outcome: None, opened_on: since });
    }
    facts
}

fn invoice(product: String) -> InvoiceFacts {
    InvoiceFacts {
        id: "INV-1".into(),
        number: "INV-1".to_owned(),
        product,
        currency: Currency::EUR,
        issued: chrono::NaiveDate::default(),
        due: chrono::NaiveDate::default(),
        amount_minor: 10_000,
        balance_minor: 10_000,
        charges_minor: 0,
        disputed_minor: 0,
        retained_minor: 0,
        not_due_minor: 0,
        last_payment_on: None,
        reference: "INV-1".to_owned(),
        closed: false,
        x: BTreeMap::new(),
    }
}

/// The address that is asked about first, then one for each other role.
fn points(example: &Example) -> Vec<ContactPoint> {
    let Ask::Contact { channel, role, roles, opted_in, opted_out, .. } = &example.ask else { return Vec::new() };
    let others = roles.iter().filter(|other| *other != role);
    let mut consent = Consent::default();
    for word in [opted_in.then_some(Word::Granted), opted_out.then_some(Word::Withdrawn)].into_iter().flatten() {
        consent.take(&Purpose::ALL, word);
    }
    let point = |role: &String| ContactPoint {
        id: format!("{}/{role}", channel.name()),
        channel: *channel,
        role: role.clone(),
        usable: true,
        consent: consent.clone(),
    };
    std::iter::once(role).chain(others).map(point).collect()
}

fn give(facts: &mut Facts, path: &str, text: &str) {
    let (customer, invoice) = (&mut facts.customer, &mut facts.invoice);
    match path {
        "customer.country" => {
            text.clone_into(&mut customer.country);
            customer.subdivision = None;
        }
        "customer.kind" => text.clone_into(&mut customer.kind),
        "customer.segment" => text.clone_into(&mut customer.segment),
        "customer.subdivision" => customer.subdivision = Some(text.to_owned()),
        "customer.tags" => customer.tags.push(text.to_owned()),
        "customer.time_zone" => customer.time_zone = text.parse().unwrap_or(Tz::UTC),
        "customer.vulnerable" => customer.vulnerable = text == "true",
        "invoice.currency" => invoice.currency = text.parse().unwrap_or(Currency::EUR),
        "invoice.product" => text.clone_into(&mut invoice.product),
        _ => {
            if let Some(name) = path.strip_prefix("customer.x.") {
                customer.x.insert(name.to_owned(), text.to_owned());
            } else if let Some(name) = path.strip_prefix("invoice.x.") {
                invoice.x.insert(name.to_owned(), text.to_owned());
            }
        }
    }
}

fn contacts(example: &Example, zone: Tz) -> Vec<ContactMade> {
    let made = example.contacts.iter().enumerate().map(|(i, made)| ContactMade {
        at: local(made.on, zone),
        on: made.on.date(),
        channel: made.by,
        class: made.class,
        group: GroupId::derive(&["example", &i.to_string()]),
        invoice: if made.other { "INV-2".into() } else { "INV-1".into() },
        talk: made.talk,
        left: true,
    });
    made.collect()
}

fn marks(example: &Example, zone: Tz) -> Marks {
    let mark = |given: &crate::read::examples::Given| Mark {
        end: End::Done,
        at: Timestamp::start_of(given.on, zone),
        on: given.on,
        held_days: 0,
        outcome: String::new(),
        sent: 1,
        sent_at: None,
        notice: vec![given.notice.clone()],
        proven_on: given.proven,
    };
    let steps = example.notices.iter().enumerate().map(|(i, given)| (format!("notice-{i}"), mark(given)));
    Marks { steps: steps.collect(), ..Marks::default() }
}

fn approvals(example: &Example, at: Timestamp) -> Vec<Approval> {
    if example.approved_by.is_empty() {
        return Vec::new();
    }
    vec![Approval {
        step: 0,
        at,
        by: example.approved_by.clone(),
        balance_minor: 10_000,
        content: Hash::default(),
        covers: Vec::new(),
    }]
}

/// The rules of a contact ask for a playbook; this one has nothing to say.
fn playbook() -> Playbook {
    Playbook {
        name: String::new(),
        version: 1,
        title: String::new(),
        owner: String::new(),
        currency: None,
        calendar: Calendar::weekdays().name,
        policies: Vec::new(),
        facts: Arc::default(),
        applies_to: AppliesTo::default(),
        contact: ContactRules {
            locales: Vec::new(),
            hours: Hours::office(),
            caps: Vec::new(),
            min_gap: None,
            bundle: None,
        },
        tolerance: rust_decimal::Decimal::ZERO,
        backlog: None,
        roll: Roll::Keep,
        vars: BTreeMap::new(),
        tables: Vec::new(),
        stages: Vec::new(),
        steps: Vec::new(),
        cursor_len: 0,
        handlers: Vec::new(),
        templates: BTreeMap::new(),
        requests: BTreeMap::new(),
        exprs: Vec::new(),
        bundle: Hash::default(),
        content: Hash::default(),
    }
}

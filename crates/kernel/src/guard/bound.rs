//! The rules that bind what is done about one invoice on one day, and what each of them answers.

use super::Verdict;
use super::policy::{Confidence, Counts, Kind, Of, Opening, Precondition, Rule, Term, own};
use crate::calendar::Calendar;
use crate::case::{Approval, Marks, shift};
use crate::facts::{Channel, Class, ContactMade, ContactPoint, Facts};
use crate::ids::{GroupId, InvoiceId};
use crate::law::Law;
use crate::schedule::{Place, Wish};
use crate::time::{Span, Timestamp};
use crate::value::Value;
use chrono::{Datelike, NaiveDate};
use chrono_tz::Tz;
use std::collections::BTreeMap;

/// Longest search for an opening, in days: a window that opens less often than once a year never opens.
const SEARCH_DAYS: i64 = 370;

/// The rules in force for an invoice's customer, whatever its playbook says; the playbook may only add.
#[derive(Clone, Debug, Default)]
pub struct Bound<'l> {
    rules: Vec<&'l Rule>,
    /// Rules that two people lifted for this customer, with the name of the exception.
    excepted: Vec<(&'l Rule, String)>,
}

/// What one rule answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `policy/rule`.
    pub rule: String,
    /// Its answer.
    pub verdict: Verdict,
    /// The figures behind it: `2 of 7 in 7 days`.
    pub why: String,
    /// Statute or house rule.
    pub source: String,
    /// The exception that allows what the rule would not have allowed.
    pub exception: Option<String>,
}

/// What a rule answers, with the figures behind it; nothing where it has no say.
type Answer = Option<(Verdict, String)>;

impl<'l> Bound<'l> {
    /// The rules that bind contacts about an invoice, of the policies of its customer's place and of those that the
    /// playbook names.
    #[must_use]
    pub fn of(law: &'l Law, named: &[String], facts: &Facts) -> Self {
        let (customer, invoice, on) = (&facts.customer, &facts.invoice, facts.today);
        let mut bound = Self::default();
        for policy in law.policies.values() {
            let asked = (named.contains(&policy.name), law.collector);
            if !policy.binds(customer, invoice, on, asked) {
                continue;
            }
            for rule in policy.rules.iter().filter(|rule| rule.holds_for(customer, invoice, on)) {
                let lifted = || customer.exceptions.iter().find(|one| one.rule == rule.id);
                // What may not be lifted any more binds at once, whoever had agreed before.
                match lifted().filter(|_| rule.stands_because().is_none()) {
                    Some(one) => bound.excepted.push((rule, one.name.clone())),
                    None => bound.rules.push(rule),
                }
            }
        }
        bound
    }

    /// The rules about a contact that can move its start.
    pub(crate) fn limits(&self, wish: Wish) -> impl Iterator<Item = &'l Rule> {
        let moves =
            |rule: &&&Rule| matches!(rule.kind, Kind::Window { .. } | Kind::Frequency { .. } | Kind::Gap { .. });
        self.rules.iter().filter(moves).copied().filter(move |rule| rule.is_about(wish.channel, wish.class))
    }

    /// The rule that closes a channel or an address for a message, if there is one.
    #[must_use]
    pub fn closes(
        &self,
        wish: Wish,
        channel: Channel,
        point: Option<&ContactPoint>,
        points: &[ContactPoint],
    ) -> Option<&'l str> {
        let about = self.rules.iter().filter(|rule| rule.is_about(Some(channel), wish.class));
        about.copied().find(|rule| is_closed(rule, wish.class, point, points)).map(|rule| rule.id.as_str())
    }

    /// Whether an adverse act may happen: preconditions, then moratoria.
    #[must_use]
    pub fn before(&self, act: &str, at: Timestamp, asked: &Asked<'_>) -> Verdict {
        let rules = self.rules.iter().filter(|rule| rule.before.contains(act));
        let mut latest = Verdict::Allow;
        for rule in rules {
            match act_verdict(rule, at, asked) {
                Verdict::Allow => {}
                Verdict::Defer { until, rule } => {
                    let later = matches!(&latest, Verdict::Defer { until: known, .. } if *known >= until);
                    if !later {
                        latest = Verdict::Defer { until, rule };
                    }
                }
                Verdict::Forbid { rule } => return Verdict::Forbid { rule },
            }
        }
        latest
    }

    /// What every rule about a contact answers at an instant, for people and for the log.
    #[must_use]
    pub fn findings(
        &self,
        place: Place<'_>,
        wish: Wish,
        point: Option<&ContactPoint>,
        points: &[ContactPoint],
        at: Timestamp,
    ) -> Vec<Finding> {
        self.ask(|rule| {
            if rule.is_about(wish.channel, wish.class) { answer(rule, place, wish, (point, points), at) } else { None }
        })
    }

    /// What every rule about an act that is no contact answers at an instant.
    #[must_use]
    pub fn act_findings(&self, act: &str, at: Timestamp, asked: &Asked<'_>) -> Vec<Finding> {
        self.ask(|rule| rule.before.contains(act).then(|| (act_verdict(rule, at, asked), String::new())))
    }

    /// The answers of all rules; what would have held back and is lifted names its exception.
    fn ask(&self, answer: impl Fn(&Rule) -> Answer) -> Vec<Finding> {
        let finding = |rule: &Rule, (verdict, why), exception| Finding {
            rule: rule.id.clone(),
            verdict,
            why,
            source: rule.source.clone(),
            exception,
        };
        let mut found: Vec<Finding> =
            self.rules.iter().filter_map(|rule| Some(finding(rule, answer(rule)?, None))).collect();
        for (rule, name) in &self.excepted {
            let Some((verdict, why)) = answer(rule) else { continue };
            let allowed = verdict == Verdict::Allow;
            let by =
                if allowed { format!("exception {name} not needed") } else { format!("allowed by exception {name}") };
            let why = if why.is_empty() { by } else { format!("{why}; {by}") };
            found.push(finding(rule, (Verdict::Allow, why), (!allowed).then(|| name.clone())));
        }
        found
    }

    /// The statements that rules of law demand of a message's text, each with its rule. What the house asks of its own
    /// texts is the check's business: nobody is kept from a message for it.
    pub fn statements(&self, channel: Channel, class: Class) -> impl Iterator<Item = (&'l Rule, &'l str)> {
        let demands = self
            .rules
            .iter()
            .copied()
            .filter(move |rule| rule.confidence != Confidence::House && rule.is_about(Some(channel), class));
        demands.flat_map(|rule| {
            let names: &[String] = if let Kind::Content { require, .. } = &rule.kind { require } else { &[] };
            names.iter().map(move |name| (rule, name.as_str()))
        })
    }

    /// Every rule that binds, for commands that list them.
    pub fn rules(&self) -> impl Iterator<Item = &'l Rule> {
        self.rules.iter().copied()
    }
}

/// What an adverse act is asked with.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Facts.
    pub facts: &'a Facts,
    /// The steps so far, with the notices they gave.
    pub marks: &'a Marks,
    /// Approvals given.
    pub approvals: &'a [Approval],
    /// Position of the step, for the approvals that cover it; none for what no step ordered.
    pub position: Option<usize>,
    /// The customer's calendar.
    pub calendar: &'a Calendar,
    /// The customer's zone.
    pub zone: Tz,
    /// Figures.
    pub law: &'a Law,
}

/// What a rule about contacts answers at an instant.
fn answer(
    rule: &Rule,
    place: Place<'_>,
    wish: Wish,
    (point, points): (Option<&ContactPoint>, &[ContactPoint]),
    at: Timestamp,
) -> Answer {
    match &rule.kind {
        Kind::Window { .. } | Kind::Frequency { .. } | Kind::Gap { .. } => {
            let verdict = match end(rule, place, wish, at) {
                Some(until) => Verdict::Defer { until, rule: label(rule) },
                None => Verdict::Allow,
            };
            Some((verdict, figures(rule, place, wish, at)))
        }
        Kind::Consent { .. } | Kind::Recipient { .. } => {
            let closed = wish.channel.is_some() && is_closed(rule, wish.class, point, points);
            let verdict = if closed { Verdict::Forbid { rule: rule.id.clone() } } else { Verdict::Allow };
            let is_consent = matches!(rule.kind, Kind::Consent { .. });
            let said = point.filter(|_| is_consent).map(|point| point.consent.words(wish.class));
            Some((verdict, said.unwrap_or_default()))
        }
        Kind::Content { .. }
        | Kind::Precondition(_)
        | Kind::Moratorium { .. }
        | Kind::Deadline(_)
        | Kind::Retention { .. } => None,
    }
}

/// How a moved start names a rule: caps and windows can be told from what never gives up.
pub(crate) fn label(rule: &Rule) -> String {
    match rule.kind {
        Kind::Window { .. } => format!("hours {}", rule.id),
        Kind::Gap { .. } => format!("gap {}", rule.id),
        _ => format!("cap {}", rule.id),
    }
}

/// The first later instant that a rule allows; nothing where it allows `start`.
pub(crate) fn end(rule: &Rule, place: Place<'_>, wish: Wish, start: Timestamp) -> Option<Timestamp> {
    match &rule.kind {
        Kind::Window { open, holidays } => window_end(place, open, *holidays, start),
        Kind::Frequency { most, per, .. } => room(inside(rule, place, wish, *per, start), *most),
        Kind::Gap { gap, .. } => {
            let last = counted(rule, place, wish).max_by_key(|made| made.at)?;
            let until = match gap.exact_us() {
                Some(us) => last.at.plus_us(us),
                None => Timestamp::start_of(place.calendar.add(last.on, *gap), place.zone),
            };
            (until > start).then_some(until)
        }
        _ => None,
    }
}

/// When a full window has room again: the oldest contact that fills it leaves. `inside` are the instants at which those
/// within the window leave it.
pub(crate) fn room(mut inside: Vec<Timestamp>, most: u32) -> Option<Timestamp> {
    let most = most as usize;
    if inside.len() < most {
        return None;
    }
    if most == 0 {
        return Some(Timestamp::MAX);
    }
    inside.sort_unstable();
    Some(inside[inside.len() - most])
}

/// The instant at which a contact leaves a rolling window: to the hour where the window is in hours, else with the day
/// that lies so many dates, working days or calendar months after its own.
pub(crate) fn leaves(made: &ContactMade, window: Span, calendar: &Calendar, zone: Tz) -> Timestamp {
    match window.exact_us() {
        Some(us) => made.at.plus_us(us),
        None => Timestamp::start_of(calendar.add(made.on, window), zone),
    }
}

/// The contacts that a rule counts against a wish.
fn counted<'a>(rule: &'a Rule, place: Place<'a>, wish: Wish) -> impl Iterator<Item = &'a ContactMade> {
    let (of, counts, each, other) = match rule.kind {
        Kind::Frequency { of, counts, each, .. } => (of, counts, each, false),
        Kind::Gap { of, after, other_channel, .. } => (of, after, false, other_channel),
        _ => (Of::Customer, Counts::Attempts, false, false),
    };
    place.contacts.iter().filter(move |made| {
        (each && !wish.bundled || !wish.is_one_with(made))
            && (rule.channels.is_empty() || rule.channels.contains(&made.channel))
            && rule.classes.contains(&made.class)
            && (of == Of::Customer || made.invoice == *place.invoice)
            && (counts == Counts::Attempts || made.talk)
            && !(other && wish.channel == Some(made.channel))
    })
}

/// When the counted contacts that lie within a rolling window at an instant leave it. Contacts of one handler run are one
/// on each day, unless each counts; the last of them holds their place.
fn inside(rule: &Rule, place: Place<'_>, wish: Wish, window: Span, at: Timestamp) -> Vec<Timestamp> {
    let each = matches!(rule.kind, Kind::Frequency { each: true, .. });
    let mut runs: BTreeMap<(GroupId, NaiveDate), Timestamp> = BTreeMap::new();
    let mut inside = Vec::new();
    let mut one = Together::default();
    for made in counted(rule, place, wish) {
        let leaves = leaves(made, window, place.calendar, place.zone);
        if leaves <= at || !one.is_first(made) {
            continue;
        }
        if each {
            inside.push(leaves);
        } else {
            let run = runs.entry((made.group, made.on)).or_insert(leaves);
            *run = leaves.max(*run);
        }
    }
    inside.extend(runs.into_values());
    inside
}

/// Tells apart the rows of one message: what it said about several invoices at once was said once.
#[derive(Default)]
pub(crate) struct Together<'a>(BTreeMap<(GroupId, Channel, Timestamp), &'a InvoiceId>);

impl<'a> Together<'a> {
    /// Whether a row is the first of its message, or another message about the same invoice.
    pub(crate) fn is_first(&mut self, made: &'a ContactMade) -> bool {
        *self.0.entry((made.group, made.channel, made.at)).or_insert(&made.invoice) == &made.invoice
    }
}

fn window_end(place: Place<'_>, open: &[Opening], holidays: bool, at: Timestamp) -> Option<Timestamp> {
    let local = at.local(place.zone);
    for days in 0..SEARCH_DAYS {
        let date = shift(local.date(), days);
        let Ok(weekday) = u8::try_from(date.weekday().num_days_from_monday()) else { continue };
        let is_open = |one: &&Opening| {
            if one.days.is_empty() {
                place.calendar.is_working_day(date)
            } else {
                one.days.contains(&weekday) && (holidays || !place.calendar.is_holiday(date))
            }
        };
        let mut hours: Vec<_> = open.iter().filter(is_open).map(|one| one.hours).collect();
        hours.sort_unstable_by_key(|hours| hours.from);
        for hours in hours {
            if days > 0 || local.time() < hours.from {
                return Some(Timestamp::at_local(date, hours.from, place.zone));
            }
            if local.time() < hours.to {
                return None;
            }
        }
    }
    Some(Timestamp::MAX)
}

/// How a rule stands at an instant, in figures.
fn figures(rule: &Rule, place: Place<'_>, wish: Wish, at: Timestamp) -> String {
    match &rule.kind {
        Kind::Frequency { most, per, .. } => {
            format!("{} of {most} in {per}", inside(rule, place, wish, *per, at).len())
        }
        Kind::Gap { gap, .. } => match counted(rule, place, wish).max_by_key(|made| made.at) {
            Some(last) => format!("{gap} after {}", last.on),
            None => "no contact before".to_owned(),
        },
        _ => at.local(place.zone).format("%a %H:%M").to_string(),
    }
}

fn is_closed(rule: &Rule, class: Class, point: Option<&ContactPoint>, points: &[ContactPoint]) -> bool {
    match &rule.kind {
        Kind::Consent { opted_in } => point.is_some_and(|point| {
            let said = &point.consent;
            !point.usable || said.refuses(class) || (*opted_in && !said.asks_for(class))
        }),
        Kind::Recipient { only, never } => {
            let role = point.map_or("", |point| point.role.as_str());
            let somebody = |wanted: &String| points.iter().any(|point| point.role == *wanted);
            never.iter().any(|never| never == role) || only.as_ref().is_some_and(|only| somebody(only) && only != role)
        }
        _ => false,
    }
}

fn act_verdict(rule: &Rule, at: Timestamp, asked: &Asked<'_>) -> Verdict {
    match &rule.kind {
        Kind::Precondition(wanted) => precondition(rule, wanted, at, asked),
        Kind::Moratorium { season, forbid, eves } => moratorium(rule, season.as_deref(), (*forbid, *eves), at, asked),
        _ => Verdict::Allow,
    }
}

fn precondition(rule: &Rule, wanted: &Precondition, at: Timestamp, asked: &Asked<'_>) -> Verdict {
    let forbid = |why: &str| Verdict::Forbid { rule: format!("{}: {why}", rule.id) };
    if wanted.approve > 0 && !is_approved(wanted.approve, asked) {
        return forbid("nobody on record has approved it");
    }
    if let Some(path) = &wanted.evidence
        && own(path, &asked.facts.customer, &asked.facts.invoice).is_none()
    {
        return forbid(&format!("{path} is not there"));
    }
    let Some(notice) = &wanted.notice else { return Verdict::Allow };
    let Some(given) = given_on(asked.marks, notice, wanted.delivered) else {
        let how = if wanted.delivered { "no proven notice" } else { "no notice" };
        return forbid(&format!("{how} `{notice}` was given"));
    };
    let Some(term) = &wanted.since else { return Verdict::Allow };
    // A figure that nobody wrote down is no time that has run.
    let Some(span) = term_of(term, rule, asked) else { return forbid("how long to wait stands in no policy") };
    // The day of the notice is not counted; the act may happen on the day after the time has run.
    let runs_to = asked.calendar.add(given, span);
    let until = Timestamp::start_of(shift(runs_to, 1), asked.zone);
    if until > at { Verdict::Defer { until, rule: format!("law {}", rule.id) } } else { Verdict::Allow }
}

/// The length of a term: the rule's own policy says it, else the one nearest to the customer; nothing where none does.
pub(super) fn term_of(term: &Term, rule: &Rule, asked: &Asked<'_>) -> Option<Span> {
    let (customer, invoice) = (&asked.facts.customer, &asked.facts.invoice);
    let own = |name: &str| asked.law.policies.get(rule.id.split('/').next().unwrap_or_default())?.values.get(name);
    match term {
        Term::Span(span) => Some(*span),
        Term::Law(name) => {
            match own(name).or_else(|| asked.law.value_for(name, customer, invoice, asked.facts.today)) {
                Some(Value::Span(span)) => Some(*span),
                _ => None,
            }
        }
    }
}

/// The last day on which a notice of a kind was given: a second one begins the clock anew.
fn given_on(marks: &Marks, notice: &str, delivered: bool) -> Option<NaiveDate> {
    let marks = marks.steps.values().filter(|mark| mark.notice.iter().any(|kind| kind == notice));
    marks.filter_map(|mark| if delivered { mark.proven_on } else { Some(mark.on) }).max()
}

fn is_approved(people: u32, asked: &Asked<'_>) -> bool {
    let covers = |covers: &[usize]| asked.position.is_none_or(|position| covers.contains(&position));
    let mut by: Vec<&str> = Vec::new();
    for approval in asked.approvals.iter().filter(|approval| covers(&approval.covers)) {
        by.extend(approval.by.iter().map(String::as_str));
    }
    by.sort_unstable();
    by.dedup();
    by.len() >= people as usize
}

/// The calendar that knows a season: the customer's, else another one of their country.
fn that_knows<'a>(name: &str, asked: &Asked<'a>) -> Option<&'a Calendar> {
    let customer = &asked.facts.customer;
    let here = |calendar: &&Calendar| {
        let place = calendar.country.as_deref().unwrap_or_default();
        place == customer.country || customer.subdivision.as_deref() == Some(place)
    };
    let knows = |calendar: &&Calendar| calendar.seasons.contains_key(name);
    let others = || asked.law.calendars.values().map(AsRef::as_ref).filter(here).find(knows);
    Some(asked.calendar).filter(knows).or_else(others)
}

fn moratorium(
    rule: &Rule,
    season: Option<&str>,
    (forbid, eves): (bool, bool),
    at: Timestamp,
    asked: &Asked<'_>,
) -> Verdict {
    let date = at.date_in(asked.zone);
    let mut free = match season {
        Some(name) => match that_knows(name, asked) {
            Some(calendar) => calendar.season_end(name, date).unwrap_or(date),
            // A season that nobody wrote down might be now.
            None => return Verdict::Forbid { rule: format!("{}: no calendar has the season {name}", rule.id) },
        },
        None if eves => date,
        None => return Verdict::Forbid { rule: rule.id.clone() },
    };
    if eves {
        // The day itself and the one after it are working days.
        for _ in 0..SEARCH_DAYS {
            if asked.calendar.is_working_day(free) && asked.calendar.is_working_day(shift(free, 1)) {
                break;
            }
            free = shift(free, 1);
        }
    }
    if free == date {
        return Verdict::Allow;
    }
    if forbid {
        return Verdict::Forbid { rule: rule.id.clone() };
    }
    Verdict::Defer { until: Timestamp::start_of(free, asked.zone), rule: format!("law {}", rule.id) }
}

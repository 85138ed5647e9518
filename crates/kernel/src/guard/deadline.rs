//! Latest dates that law and house set: from what they run, when people must hear of them, and whether they were met.
//!
//! They hold nothing back and send nothing. A case sleeps to the day on which people must hear of one, like to any other.

use super::bound::{Asked, term_of};
use super::policy::{Awaited, Begins, Deadline, Kind, Policy};
use crate::calendar::Calendar;
use crate::case::{Marks, shift};
use crate::time::{Span, Timestamp};
use chrono::NaiveDate;
use chrono_tz::Tz;

/// The furthest that people may be told before a last day, in days.
const LOOK_BACK: i64 = 800;

/// A deadline that runs, or ran, for a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// `policy/rule`.
    pub rule: String,
    /// What is awaited: `notice non_payment`, `answer to the dispute`, `answer of the customer`.
    pub what: String,
    /// The day it runs from.
    pub started: NaiveDate,
    /// The last day that is in time.
    pub last: NaiveDate,
    /// The day on which people hear of it if it is not met by then.
    pub alert_on: NaiveDate,
    /// It was met.
    pub met: bool,
    /// On this day, where that is known.
    pub met_on: Option<NaiveDate>,
    /// Statute or house rule.
    pub source: String,
}

impl Due {
    /// How it stands on a day: `met`, `met late`, `open`, `near` or `missed`.
    #[must_use]
    pub fn state(&self, on: NaiveDate) -> &'static str {
        match (self.met, self.met_on) {
            (true, Some(met)) if met > self.last => "met late",
            (true, _) => "met",
            (false, _) if on > self.last => "missed",
            (false, _) if on >= self.alert_on => "near",
            (false, _) => "open",
        }
    }

    /// The first instant at which it is near.
    #[must_use]
    pub fn near_at(&self, zone: Tz) -> Timestamp {
        Timestamp::start_of(self.alert_on, zone)
    }

    /// The first instant at which it is missed.
    #[must_use]
    pub fn missed_at(&self, zone: Tz) -> Timestamp {
        Timestamp::start_of(shift(self.last, 1), zone)
    }
}

/// The deadlines that have begun for a case, in the order of policies and their rules.
///
/// A policy about some products speaks only where the product is known: an alert protects nobody, and one about the power
/// supply of a furniture shop's customer helps nobody.
#[must_use]
pub fn of(asked: &Asked<'_>, named: &[String]) -> Vec<Due> {
    let (customer, invoice, on) = (&asked.facts.customer, &asked.facts.invoice, asked.facts.today);
    let mut found = Vec::new();
    for policy in asked.law.policies.values() {
        let sets = |policy: &Policy| policy.rules.iter().any(|rule| matches!(rule.kind, Kind::Deadline(_)));
        let known = policy.products.is_empty() || policy.products.contains(&invoice.product);
        let asks = (named.contains(&policy.name), asked.law.collector);
        if !known || !sets(policy) || !policy.binds(customer, invoice, on, asks) {
            continue;
        }
        for rule in policy.rules.iter().filter(|rule| rule.holds_for(customer, invoice, on)) {
            let Kind::Deadline(deadline) = &rule.kind else { continue };
            // A figure that nobody wrote down sets no day.
            let Some(span) = term_of(&deadline.within, rule, asked) else { continue };
            let Some(started) = begins(&deadline.after, asked) else { continue };
            let last = asked.calendar.add(started, span);
            let (met, met_on) = met(deadline, started, asked);
            found.push(Due {
                rule: rule.id.clone(),
                what: what(&deadline.awaits),
                started,
                last,
                alert_on: before(asked.calendar, last, deadline.alert).max(started),
                met,
                met_on,
                source: rule.source.clone(),
            });
        }
    }
    found
}

fn what(awaits: &Awaited) -> String {
    match awaits {
        Awaited::Notice(kind) => format!("notice {kind}"),
        Awaited::Dispute => "answer to the dispute".to_owned(),
        Awaited::Customer => "answer of the customer".to_owned(),
    }
}

fn begins(after: &Begins, asked: &Asked<'_>) -> Option<NaiveDate> {
    let facts = asked.facts;
    match after {
        Begins::Issue => Some(facts.invoice.issued),
        Begins::Due => Some(facts.invoice.due),
        Begins::FirstContact => asked.marks.first_contact,
        Begins::Dispute => facts.dispute.as_ref().map(|dispute| dispute.opened_on),
        Begins::Notice(kind) => {
            let marks = with_notice(asked.marks, kind);
            marks.map(|mark| mark.proven_on.unwrap_or_else(|| sent_on(mark, asked.zone))).min()
        }
    }
}

fn met(deadline: &Deadline, started: NaiveDate, asked: &Asked<'_>) -> (bool, Option<NaiveDate>) {
    match &deadline.awaits {
        Awaited::Notice(kind) => {
            let on = with_notice(asked.marks, kind).map(|mark| sent_on(mark, asked.zone)).min();
            (on.is_some(), on)
        }
        // The facts say how it ended, not when.
        Awaited::Dispute => (asked.facts.dispute.as_ref().is_some_and(|dispute| dispute.outcome.is_some()), None),
        Awaited::Customer => {
            let on = asked.marks.answered_at.map(|at| at.date_in(asked.zone)).filter(|on| *on >= started);
            (on.is_some(), on)
        }
    }
}

fn with_notice<'a>(marks: &'a Marks, kind: &'a str) -> impl Iterator<Item = &'a crate::case::Mark> {
    marks.steps.values().filter(move |mark| mark.notice.iter().any(|one| one == kind))
}

fn sent_on(mark: &crate::case::Mark, zone: Tz) -> NaiveDate {
    mark.sent_at.map_or(mark.on, |at| at.date_in(zone))
}

/// The last day from which a span reaches no further than a date: working days are counted back by the calendar.
fn before(calendar: &Calendar, date: NaiveDate, span: Span) -> NaiveDate {
    (0..LOOK_BACK).map(|days| shift(date, -days)).find(|day| calendar.add(*day, span) <= date).unwrap_or(date)
}

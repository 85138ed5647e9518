//! When a step may start: its day, its distance, the customer's gap and caps, and the window, repeated until nothing
//! moves it any more.

use crate::calendar::Calendar;
use crate::case::{Case, shift};
use crate::facts::{Channel, Class, ContactMade};
use crate::guard::policy::{Kind, Opening};
use crate::guard::{self, Bound};
use crate::ids::{GroupId, InvoiceId};
use crate::playbook::{Cap, ContactRules, Playbook, Step, Verb};
use crate::record::Moved;
use crate::time::{Span, Timestamp, Unit};
use chrono::{Days, NaiveDate};
use chrono_tz::Tz;

/// What a start is computed from.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The playbook.
    pub playbook: &'a Playbook,
    /// The customer's calendar.
    pub calendar: &'a Calendar,
    /// The playbook's calendar, for staff.
    pub staff: &'a Calendar,
    /// The customer's zone.
    pub zone: Tz,
    /// The customer's contacts.
    pub contacts: &'a [ContactMade],
    /// The invoice that it is about.
    pub invoice: &'a InvoiceId,
    /// The customer.
    pub customer: &'a str,
    /// The customer has several open invoices.
    pub several: bool,
    /// When the customer is known not to want any contact.
    pub inconvenient: &'a [Opening],
    /// When the customer likes to be contacted.
    pub preferred: &'a [Opening],
    /// The rules of policies that bind.
    pub bound: &'a Bound<'a>,
}

/// A contact that wants to leave.
#[derive(Clone, Copy)]
pub struct Wish {
    /// Channel, for caps that name one.
    pub channel: Option<Channel>,
    /// Its handler run.
    pub group: Option<GroupId>,
    /// Courtesy and transactional messages pass the playbook's gap and caps.
    pub class: Class,
    /// It leaves together with what else of its group has not left yet.
    pub bundled: bool,
}

impl Wish {
    /// Whether a contact is one with the wish, and does not count against it.
    #[must_use]
    pub fn is_one_with(&self, made: &ContactMade) -> bool {
        self.group == Some(made.group) && !(self.bundled && made.left)
    }
}

/// The earliest start of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The instant.
    pub at: Timestamp,
    /// The instant before gap, caps and windows of other days moved it.
    pub due: Timestamp,
    /// From when it was looked at: nothing leaves in the past.
    pub from: Timestamp,
    /// Every limit that moved it, in order.
    pub moved: Vec<Moved>,
}

/// How often the two kinds of limits of a call are tried.
const CALL_ROUNDS: usize = 8;

/// How often the limits are tried before the last answer is taken; each round moves the start at least one date.
const ROUNDS_MAX: usize = 1_000;

/// The first instant at or after `at` that gap, caps and window allow.
#[must_use]
pub fn limits(place: Place<'_>, rules: &ContactRules, wish: Wish, at: Timestamp) -> (Timestamp, Vec<Moved>) {
    let mut moved: Vec<Moved> = Vec::new();
    let mut start = at;
    for _ in 0..ROUNDS_MAX {
        let before = start;
        if !wish.class.is_exempt() {
            if let Some(until) = gap_end(place, rules, wish, start) {
                start = until;
                note(&mut moved, "min_gap", until);
            }
            // A cap on a channel counts that channel's contacts and holds back no other's.
            for cap in rules.caps.iter().filter(|cap| cap.channel.is_none() || cap.channel == wish.channel) {
                if let Some(until) = cap_end(place, cap, wish, start) {
                    start = until;
                    note(&mut moved, &format!("cap {}", cap_text(cap)), until);
                }
            }
        }
        let open = place.calendar.next_open(start, rules.hours, place.zone);
        if open > start {
            note(&mut moved, "hours", open);
            start = open;
        }
        if let Some(until) = bundle_day(place, rules, wish, start) {
            start = until;
            note(&mut moved, "bundle", until);
        }
        for rule in place.bound.limits(wish) {
            if let Some(until) = guard::end(rule, place, wish, start) {
                start = until;
                note(&mut moved, &guard::label(rule), until);
            }
        }
        if let Some(until) = inconvenient_end(place, start) {
            start = until;
            note(&mut moved, "hours inconvenient for the customer", until);
        }
        if start == before {
            break;
        }
    }
    (start, moved)
}

/// The first instant for a call whose earlier tries are `own`: hours, windows and caps are kept to all contacts, the
/// playbook's gap to what others sent, because between tries its own `every` is the distance.
#[must_use]
pub fn call_limits(place: Place<'_>, rules: &ContactRules, own: &[GroupId], at: Timestamp) -> (Timestamp, Vec<Moved>) {
    let others: Vec<_> = place.contacts.iter().filter(|made| !own.contains(&made.group)).cloned().collect();
    let gapless = ContactRules { min_gap: None, ..rules.clone() };
    let wish = Wish { channel: Some(Channel::Call), group: None, class: Class::Dunning, bundled: false };
    let apart = Place { contacts: &others, ..place };
    let (mut start, mut moved) = (at, Vec::new());
    // Each of the two only moves forward; a few rounds settle it.
    for _ in 0..CALL_ROUNDS {
        let before = start;
        for (place, rules) in [(apart, rules), (place, &gapless)] {
            let (until, found) = limits(place, rules, wish, start);
            start = until;
            for limit in found {
                note(&mut moved, &limit.rule, limit.until);
            }
        }
        if start == before {
            break;
        }
    }
    (start, moved)
}

fn note(moved: &mut Vec<Moved>, rule: &str, until: Timestamp) {
    moved.retain(|m| m.rule != rule);
    moved.push(Moved { rule: rule.to_owned(), until });
}

fn cap_text(cap: &Cap) -> String {
    let what = cap.channel.map_or(String::new(), |channel| format!(" {}", channel.name()));
    format!("{}{what} per {}", cap.most, cap.per)
}

fn counted(place: Place<'_>, wish: Wish) -> impl Iterator<Item = &ContactMade> {
    place.contacts.iter().filter(move |made| !made.class.is_exempt() && !wish.is_one_with(made))
}

fn gap_end(place: Place<'_>, rules: &ContactRules, wish: Wish, start: Timestamp) -> Option<Timestamp> {
    let gap = rules.min_gap?;
    // A contact already ordered for later counts as well: the one further away decides.
    let last = counted(place, wish).max_by_key(|made| made.at)?;
    let until = match gap.exact_us() {
        Some(us) => last.at.plus_us(us),
        None => Timestamp::start_of(place.calendar.add(last.on, gap), place.zone),
    };
    (until > start).then_some(until)
}

fn cap_end(place: Place<'_>, cap: &Cap, wish: Wish, start: Timestamp) -> Option<Timestamp> {
    let mut one = guard::Together::default();
    let inside = counted(place, wish)
        .filter(|made| cap.channel.is_none_or(|channel| made.channel == channel))
        .filter(|made| one.is_first(made))
        .map(|made| guard::leaves(made, cap.per, place.calendar, place.zone))
        .filter(|leaves| *leaves > start);
    guard::room(inside.collect(), cap.most)
}

/// The next day on which a customer with several open invoices gets one message for all that fell due in the window.
///
/// The days are drawn by customer: whatever cases, workers and playbooks there are, they name the same ones.
fn bundle_day(place: Place<'_>, rules: &ContactRules, wish: Wish, start: Timestamp) -> Option<Timestamp> {
    let window = rules.bundle.filter(|_| wish.bundled && place.several)?.window?;
    let days = match window.unit {
        Unit::Minutes | Unit::Hours => 1,
        Unit::Days | Unit::WorkingDays => window.count,
        Unit::Weeks => window.count * 7,
        Unit::Months => window.count * 30,
    }
    .max(1);
    let drawn = i64::try_from(crate::decide::bucket(place.customer, days.unsigned_abs())).unwrap_or(0);
    let date = start.date_in(place.zone);
    let ahead = (drawn - i64::from(chrono::Datelike::num_days_from_ce(&date))).rem_euclid(days);
    if ahead == 0 {
        return None;
    }
    // A drawn day that is closed is kept on the first open one after it.
    let before = Timestamp::start_of(shift(date, ahead - days), place.zone);
    if first_open(place, rules, wish, before).date_in(place.zone) >= date {
        return None;
    }
    Some(Timestamp::start_of(shift(date, ahead), place.zone))
}

/// The first instant inside the playbook's hours and every window of the policies.
fn first_open(place: Place<'_>, rules: &ContactRules, wish: Wish, from: Timestamp) -> Timestamp {
    let mut start = from;
    for _ in 0..ROUNDS_MAX {
        let before = start;
        start = place.calendar.next_open(start, rules.hours, place.zone);
        let windows = place.bound.limits(wish).filter(|rule| matches!(rule.kind, Kind::Window { .. }));
        start = windows.fold(start, |at, rule| guard::end(rule, place, wish, at).unwrap_or(at));
        if start == before {
            break;
        }
    }
    start
}

/// How long a time that the customer likes is waited for, in days: each weekday comes once.
const PREFERENCE_DAYS: i64 = 7;

/// [`limits`], then a time that the customer likes, where one is lawful within a week; else the wish is not kept.
///
/// The week begins when the contact was due, or when the limits let it leave later: whoever comes too late for the last
/// such time does not wait for another week, so that a wish never holds a contact for ever. What confirms, and notices
/// of the law, do not wait for it.
#[must_use]
pub fn wished(
    place: Place<'_>,
    rules: &ContactRules,
    wish: Wish,
    (from, due): (Timestamp, Timestamp),
) -> (Timestamp, Vec<Moved>) {
    let (at, mut moved) = limits(place, rules, wish, from);
    let waits = matches!(wish.class, Class::Dunning | Class::Courtesy) && wish.channel != Some(Channel::Letter);
    if !waits || at == Timestamp::MAX || likes(place, at) {
        return (at, moved);
    }
    let since = if at > from { at } else { due };
    let last = Timestamp::start_of(shift(since.date_in(place.zone), PREFERENCE_DAYS + 1), place.zone);
    let mut slot = at;
    while let Some(next) = next_liked(place, slot).filter(|next| *next < last) {
        let (lawful, why) = limits(place, rules, wish, next);
        if lawful < last && likes(place, lawful) {
            for one in why {
                note(&mut moved, &one.rule, one.until);
            }
            note(&mut moved, "hours preferred by the customer", lawful);
            return (lawful, moved);
        }
        slot = lawful;
    }
    (at, moved)
}

/// Whether a time is one that the customer likes; every one where they named none.
fn likes(place: Place<'_>, at: Timestamp) -> bool {
    place.preferred.is_empty() || inside(place, place.preferred, at).next().is_some()
}

/// The first time after an instant that the customer likes.
fn next_liked(place: Place<'_>, after: Timestamp) -> Option<Timestamp> {
    let date = after.date_in(place.zone);
    (0..=PREFERENCE_DAYS).map(|days| shift(date, days)).find_map(|date| {
        let opens = place.preferred.iter().map(|one| Timestamp::at_local(date, one.hours.from, place.zone));
        opens.filter(|at| *at > after && likes(place, *at)).min()
    })
}

/// The openings that an instant lies in.
fn inside<'a>(place: Place<'_>, openings: &'a [Opening], at: Timestamp) -> impl Iterator<Item = &'a Opening> {
    let local = at.local(place.zone);
    let weekday = u8::try_from(chrono::Datelike::weekday(&local.date()).num_days_from_monday()).ok();
    openings.iter().filter(move |one| {
        (one.days.is_empty() || weekday.is_some_and(|weekday| one.days.contains(&weekday)))
            && one.hours.from <= local.time()
            && local.time() < one.hours.to
    })
}

/// The end of a time at which the customer is known not to want any contact; nothing outside it.
fn inconvenient_end(place: Place<'_>, at: Timestamp) -> Option<Timestamp> {
    let local = at.local(place.zone);
    let ends = inside(place, place.inconvenient, at).map(|one| one.hours.to).max()?;
    let last = ends >= chrono::NaiveTime::from_hms_opt(23, 59, 0)?;
    Some(if last { end_of(local.date(), place.zone) } else { Timestamp::at_local(local.date(), ends, place.zone) })
}

/// Whether the step is a contact with the customer: a message or a person's call.
#[must_use]
pub fn is_contact(step: &Step) -> bool {
    matches!(step.verb, Verb::Send(_) | Verb::OfferPlan(_) | Verb::Call(_))
}

/// The opening of the step's window on a date: contact hours, the playbook's hours, or midnight.
fn opening(place: Place<'_>, step: &Step, date: NaiveDate) -> Timestamp {
    if is_contact(step) || step.verb.is_work() {
        Timestamp::at_local(date, place.playbook.contact.hours.from, place.zone)
    } else {
        Timestamp::start_of(date, place.zone)
    }
}

/// The instant a span after another one, without the dates held since; dates open with the step's window.
#[must_use]
pub fn after(
    place: Place<'_>,
    case: &Case,
    step: &Step,
    span: Span,
    from: (Timestamp, i64),
    now: Timestamp,
) -> Timestamp {
    if let Some(us) = span.exact_us() {
        return from.0.plus_us(us);
    }
    let held = case.clock.held_until(now, place.zone) - from.1;
    let date = shift(place.calendar.add(from.0.date_in(place.zone), span), held.max(0));
    opening(place, step, date)
}

/// The end of the local day a span after a date: a date used as a limit lasts to the end of that day.
#[must_use]
pub fn limit(calendar: &Calendar, zone: Tz, from: Timestamp, span: Span) -> Timestamp {
    match span.exact_us() {
        Some(us) => from.plus_us(us),
        None => end_of(calendar.add(from.date_in(zone), span), zone),
    }
}

/// The first instant after a local day.
#[must_use]
pub fn end_of(date: NaiveDate, zone: Tz) -> Timestamp {
    Timestamp::start_of(crate::case::shift(date, 1), zone)
}

/// The earliest start of the step under the cursor, and what moved it.
///
/// `own` leaves the arrival of the cursor out: whether a step is late is asked of its own day alone.
#[must_use]
pub fn start(place: Place<'_>, case: &Case, step: &Step, wish: Option<Wish>, now: Timestamp, own: bool) -> Start {
    let arrived = case.last_end.map_or(case.entered_at, |end| end.at);
    let mut due = if own { Timestamp::from_us(i64::MIN / 4) } else { arrived };
    let mut dated = false;
    if let Some(day) = step.day {
        let date = case.clock.date_of(day + case.rolled_days, now, place.zone);
        due = due.max(opening(place, step, date));
        dated = true;
    }
    if let Some(wait) = &step.after
        && let Some(from) = after_from(case, wait.of.as_deref())
    {
        due = due.max(after(place, case, step, wait.span, from, now));
        dated = true;
    }
    if own && !dated {
        due = due.max(arrived);
    }
    if let Some(not_before) = case.cursor.not_before.filter(|_| !own) {
        due = due.max(not_before);
    }
    // What was due in an earlier window asks for room now, not for the room there was then.
    let from = if own { due } else { due.max(now) };
    let (at, moved) = match wish {
        Some(wish) => wished(place, &place.playbook.contact, wish, (from, due)),
        None if step.verb.is_work() => {
            let open = place.staff.next_open(from, place.playbook.contact.hours, place.zone);
            (open, Vec::new())
        }
        None => (due, Vec::new()),
    };
    // Waiting for the same morning's opening is no deferral.
    let moved = if same_date(at, from, place.zone) { Vec::new() } else { moved };
    Start { at, due, from, moved }
}

fn same_date(a: Timestamp, b: Timestamp, zone: Tz) -> bool {
    a.date_in(zone) == b.date_in(zone)
}

fn after_from(case: &Case, of: Option<&str>) -> Option<(Timestamp, i64)> {
    match of {
        None => Some(case.last_end.map_or((case.entered_at, 0), |end| (end.at, end.held_days))),
        Some(name) => {
            let by_notice = || {
                case.marks
                    .steps
                    .values()
                    .filter(|mark| mark.notice.iter().any(|n| n == name))
                    .max_by_key(|mark| mark.at)
            };
            case.marks.find(name).or_else(by_notice).map(|mark| (mark.at, mark.held_days))
        }
    }
}

/// Whether a step's own start lies more than one contact window before `now`.
#[must_use]
pub fn is_late(place: Place<'_>, own: Timestamp, now: Timestamp) -> bool {
    let hours = place.playbook.contact.hours;
    let next_after = |at: Timestamp| {
        let date = place.calendar.working_day_from(at.date_in(place.zone) + Days::new(1));
        Timestamp::at_local(date, hours.from, place.zone)
    };
    // The window of its start, one whole further window, and then some.
    next_after(next_after(own)) <= now
}

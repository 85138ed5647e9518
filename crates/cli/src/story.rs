//! A case's records as people read them: one line a happening, with date, dunning clock, what and why.
//!
//! The same lines serve `case show` and the table of `simulate`. Deferrals and inner events are left out here;
//! `case why` shows every record.

mod news;
mod why;

pub(crate) use news::money;
pub(crate) use why::{of as why_of, plain};

use chrono::NaiveDate;
use chrono_tz::Tz;
use recobro_kernel::case::{End, Hold, Watch};
use recobro_kernel::effect::EffectKind;
use recobro_kernel::event::Event;
use recobro_kernel::ids::{EffectId, EventId, TaskId};
use recobro_kernel::playbook::{Playbook, Verb};
use recobro_kernel::record::{Decision, Place, Record, TurnBody};
use recobro_kernel::time::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Width of the `what` column, and of its text before a channel.
const WHAT: usize = 46;
const TEXT: usize = 27;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    /// Date at the customer's place.
    pub(crate) on: NaiveDate,
    /// Day on the dunning clock.
    pub(crate) clock_day: i64,
    /// What happened.
    pub(crate) what: String,
    /// Why, empty where it goes without saying.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) why: String,
}

/// What is counted below the lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    /// Dates on hold, of holds that ended.
    pub(crate) held_days: i64,
    /// Messages by e-mail, SMS, `WhatsApp` and voice.
    pub(crate) messages: u32,
    /// Letters.
    pub(crate) letters: u32,
    /// Calls opened.
    pub(crate) calls: u32,
    /// Other tasks opened.
    pub(crate) tasks: u32,
    /// Approvals asked.
    pub(crate) approvals: u32,
    /// Steps of the main line that did something.
    pub(crate) covered: usize,
    /// Steps of the main line.
    pub(crate) steps: usize,
}

/// The story of one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Story {
    /// Lines in order.
    pub(crate) lines: Vec<Line>,
    /// What is counted.
    pub(crate) totals: Totals,
}

impl Story {
    /// Tells a case's turns, oldest first.
    pub(crate) fn of(playbook: &Playbook, zone: Tz, turns: &[TurnBody]) -> Self {
        let mut teller = Teller::new(playbook, zone);
        for turn in turns {
            teller.turn(turn);
        }
        teller.end()
    }

    /// The table of `simulate`, without its first line.
    pub(crate) fn table(&self) -> String {
        let mut text = format!("{:<18}clock  {:<WHAT$}why", "date", "what");
        let mut before = None;
        for line in &self.lines {
            let (date, clock) = if before == Some(line.on) {
                (String::new(), String::new())
            } else {
                (line.on.format("%a %Y-%m-%d").to_string(), line.clock_day.to_string())
            };
            before = Some(line.on);
            let gap = if line.what.chars().count() >= WHAT && !line.why.is_empty() { "  " } else { "" };
            let row = format!("{date:<14}{clock:>8}   {:<WHAT$}{gap}{}", line.what, line.why);
            let _ = write!(text, "\n{}", row.trim_end());
        }
        let _ = write!(text, "\n{}", self.totals);
        text
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = |n: i64, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
        write!(f, "held {}", plural(self.held_days, "day"))?;
        let counts = [
            (self.messages, "message"),
            (self.letters, "letter"),
            (self.calls, "call"),
            (self.tasks, "task"),
            (self.approvals, "approval"),
        ];
        for (count, name) in counts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, " · {}", plural(i64::from(count), name))?;
        }
        write!(f, " · steps covered {} of {}", self.covered, self.steps)
    }
}

/// Steps that a case walks if no arm or outlet leads it elsewhere: from each stage's first along the page.
fn main_line(playbook: &Playbook) -> BTreeSet<usize> {
    let mut main = BTreeSet::new();
    for (index, stage) in playbook.stages.iter().enumerate() {
        let end = playbook.stages.get(index + 1).map_or(playbook.cursor_len, |next| next.first);
        let mut position = stage.first;
        while position < end && main.insert(position) {
            position = playbook.steps.get(position).map_or(end, |step| step.next);
        }
    }
    main
}

/// One piece of a line.
#[derive(Clone, Debug)]
enum Part {
    Plain(String),
    Contact { text: String, channel: String },
}

#[derive(Clone, Debug)]
struct Entry {
    on: NaiveDate,
    clock_day: i64,
    /// With their place on the page: news first, then a handler's steps in their order, then its end.
    parts: Vec<(usize, Part)>,
    why: Vec<String>,
}

impl Entry {
    fn what(&self) -> String {
        if let [(_, Part::Contact { text, channel })] = self.parts.as_slice() {
            let width = TEXT.max(text.chars().count() + 2);
            return format!("{text:<width$}{channel}");
        }
        let words = |part: &Part| match part {
            Part::Plain(text) => text.clone(),
            Part::Contact { text, channel } => format!("{text}  {channel}"),
        };
        self.parts.iter().map(|(_, part)| words(part)).collect::<Vec<_>>().join("; ")
    }
}

struct OpenWork {
    entry: usize,
    kind: String,
    in_handler: bool,
}

struct Teller<'a> {
    playbook: &'a Playbook,
    zone: Tz,
    entries: Vec<Entry>,
    /// Reasons read since a step last acted, by position and field.
    reasons: BTreeMap<usize, BTreeMap<String, String>>,
    watches: Vec<Watch>,
    work: BTreeMap<TaskId, OpenWork>,
    orders: BTreeMap<EffectId, (usize, String)>,
    /// The entry that a handler's steps belong to, by position.
    handled: BTreeMap<usize, usize>,
    /// Entry and name of each event of the present turn.
    events: BTreeMap<EventId, (usize, String)>,
    /// Ends of holds as their expressions said, by position.
    untils: BTreeMap<usize, String>,
    /// Limit of the promise that the present turn heard of.
    limit: Option<NaiveDate>,
    /// The handler at work in the present turn.
    current: Option<usize>,
    placed: Option<usize>,
    broken: u32,
    covered: BTreeSet<usize>,
    totals: Totals,
}

impl<'a> Teller<'a> {
    fn new(playbook: &'a Playbook, zone: Tz) -> Self {
        Self {
            playbook,
            zone,
            entries: Vec::new(),
            reasons: BTreeMap::new(),
            watches: Vec::new(),
            work: BTreeMap::new(),
            orders: BTreeMap::new(),
            handled: BTreeMap::new(),
            events: BTreeMap::new(),
            untils: BTreeMap::new(),
            limit: None,
            current: None,
            placed: None,
            broken: 0,
            covered: BTreeSet::new(),
            totals: Totals::default(),
        }
    }

    fn turn(&mut self, turn: &TurnBody) {
        self.events.clear();
        self.current = None;
        for record in &turn.records {
            self.record(turn, record);
        }
    }

    fn end(mut self) -> Story {
        let main = main_line(self.playbook);
        self.totals.covered = self.covered.intersection(&main).count();
        self.totals.steps = main.len();
        let told = self.entries.iter().filter(|entry| !entry.parts.is_empty());
        let line = |entry: &Entry| Line {
            on: entry.on,
            clock_day: entry.clock_day,
            what: entry.what(),
            why: entry.why.join("; "),
        };
        Story { lines: told.map(line).collect(), totals: self.totals }
    }

    fn add(&mut self, turn: &TurnBody, parts: Vec<Part>, why: Vec<String>) -> usize {
        let parts = parts.into_iter().map(|part| (0, part)).collect();
        self.entries.push(Entry { on: turn.local, clock_day: turn.clock_day, parts, why });
        self.entries.len() - 1
    }

    fn plain(&mut self, turn: &TurnBody, what: String) -> usize {
        self.add(turn, vec![Part::Plain(what)], Vec::new())
    }

    /// Adds to the handler's line of the same date, else opens a line.
    fn join(&mut self, turn: &TurnBody, entry: Option<usize>, place: usize, part: Part) -> usize {
        match entry {
            Some(index) if self.entries[index].on == turn.local => {
                let parts = &mut self.entries[index].parts;
                let after = parts.iter().take_while(|(other, _)| *other <= place).count();
                parts.insert(after, (place, part));
                index
            }
            Some(_) | None => self.add(turn, vec![part], Vec::new()),
        }
    }

    fn id(&self, place: &Place) -> String {
        let known = self.playbook.steps.get(place.position).map(|step| step.id.clone());
        known.filter(|id| !id.is_empty()).unwrap_or_else(|| place.step.clone())
    }

    fn verb(&self, position: usize) -> &'static str {
        let Some(step) = self.playbook.steps.get(position) else { return "send" };
        match step.verb {
            Verb::OfferPlan(_) => "offer_plan",
            Verb::Escalate(_) => "escalate",
            Verb::Outsource(_) => "outsource",
            Verb::Request(_) => "request",
            Verb::Notify(_) => "notify",
            Verb::Send(_)
            | Verb::Call(_)
            | Verb::Task(_)
            | Verb::Approve(_)
            | Verb::Wait(_)
            | Verb::WaitFor(_)
            | Verb::Choose(_)
            | Verb::Split { .. }
            | Verb::Set(_)
            | Verb::Goto { .. }
            | Verb::Hold(_)
            | Verb::Finish(_)
            | Verb::Handover(_) => "send",
        }
    }

    fn take_reasons(&mut self, position: usize, wanted: fn(&str) -> bool) -> Vec<String> {
        let found = self.reasons.remove(&position).unwrap_or_default();
        found.into_iter().filter(|(field, _)| wanted(field)).map(|(_, why)| why).collect()
    }

    /// The last day of a limit: what ends at 00:00 ended the day before.
    fn day(&self, at: Timestamp) -> String {
        at.plus_us(-1).date_in(self.zone).format("%m-%d").to_string()
    }

    fn record(&mut self, turn: &TurnBody, record: &Record) {
        match record {
            Record::Event { event, .. } => self.event(turn, event),
            Record::Handler { event, line, .. } => self.handler(*event, *line),
            Record::Decision(decision) => self.decision(turn, decision),
            Record::Skipped { place, reason } => self.skipped(turn, place, reason),
            Record::Superseded { place, by } => {
                let index = self.plain(turn, format!("skip {}", self.id(place)));
                self.entries[index].why.push(format!("superseded by {by}"));
            }
            Record::Ordered { place, effect, state, subject, .. } => {
                self.ordered(turn, place, *effect, state.kind, subject);
            }
            Record::Sent { place, effect, lane, bundle, .. } => self.sent(turn, place, *effect, (lane, bundle)),
            Record::Returned { effect, .. } | Record::Recalled { effect, .. } => drop(self.orders.remove(effect)),
            Record::Delivery { effect, state, reason } => self.delivery(turn, *effect, state, reason),
            Record::WorkOpened { .. } | Record::WorkClosed { .. } | Record::WorkMoved { .. } => self.work(turn, record),
            Record::HoldOpened { .. } | Record::HoldClosed { .. } | Record::HoldMoved { .. } => self.hold(turn, record),
            Record::WatchOpened { watch, .. } => self.watches.push(watch.clone()),
            Record::WatchMoved { index, contact } => {
                if let Some(slot) = self.watches.get_mut(*index) {
                    *slot = Watch::Contact(contact.clone());
                }
            }
            Record::WatchClosed { index, reason } => self.watch_closed(turn, *index, reason),
            Record::Ended { place, end, .. } => {
                if *end == End::Done {
                    self.covered.insert(place.position);
                }
            }
            Record::Entered { .. }
            | Record::Assigned { .. }
            | Record::Deferred { .. }
            | Record::Approved { .. }
            | Record::Waiting { .. }
            | Record::Again { .. }
            | Record::Ignored { .. }
            | Record::Rests { .. } => {}
            Record::Jump { .. }
            | Record::Anchored { .. }
            | Record::Restarted { .. }
            | Record::Split { .. }
            | Record::VersionChanged { .. }
            | Record::Error { .. }
            | Record::Running { .. }
            | Record::Finished { .. } => self.course(turn, record),
        }
    }

    fn event(&mut self, turn: &TurnBody, event: &Event) {
        if event.name == "promise.broken" {
            self.broken += 1;
        }
        let said = news::told(event, self.broken);
        let index = self.add(turn, said.into_iter().map(Part::Plain).collect(), Vec::new());
        self.events.insert(event.id, (index, event.name.clone()));
        self.limit = event.field("limit").as_date();
        self.current = Some(index);
    }

    fn decision(&mut self, turn: &TurnBody, decision: &Decision) {
        if let ("until", Some(date)) = (decision.field.as_str(), decision.result.as_str()) {
            let day = date.get(5..10).unwrap_or(date).to_owned();
            self.untils.insert(decision.place.position, day);
        }
        if let Some(why) = why::of(decision) {
            let reasons = self.reasons.entry(decision.place.position).or_default();
            reasons.insert(decision.field.clone(), why);
        }
        if decision.field == "choose"
            && let Some(result) = decision.result.as_str()
        {
            let why = self.take_reasons(decision.place.position, |field| field == "choose");
            self.add(turn, vec![Part::Plain(format!("choose {result}"))], why);
        }
    }

    /// Records that change the course of the case.
    fn course(&mut self, turn: &TurnBody, record: &Record) {
        let said = match record {
            Record::Jump { place, stage, days, reason, .. } => {
                let by_verb =
                    self.playbook.steps.get(place.position).is_some_and(|step| matches!(step.verb, Verb::Goto { .. }));
                let of_event = |name: &String| name == reason || name == "operator.goto";
                let by_news = reason == "handler" || self.events.values().any(|(_, name)| of_event(name));
                if !by_news && !by_verb {
                    return;
                }
                let clock = if *days > 0 { format!(", clock +{days}") } else { String::new() };
                if stage.is_empty() { reason.clone() } else { format!("go to {stage}{clock}") }
            }
            Record::Anchored { anchor, .. } => format!("due date now {anchor}"),
            Record::Restarted { anchor, .. } => format!("restart, due {anchor}"),
            Record::Split { place, arm, .. } => format!("split {}: {arm}", self.id(place)),
            Record::VersionChanged { version, .. } => format!("moved to version {version}"),
            // An operator's act has said so already.
            Record::Running { .. } if self.current.is_some() => return,
            Record::Running { state, .. } => state.clone(),
            Record::Finished { outcome, .. } => format!("finish {}", outcome.name()),
            Record::Error { place, message, parks } => {
                let what = if *parks { "parked at" } else { "failed" };
                let index = self.plain(turn, format!("{what} {}", self.id(place)));
                self.entries[index].why.push(message.clone());
                return;
            }
            _ => return,
        };
        let why = match record {
            Record::Running { reason, .. } => Some(reason.clone()),
            _ => None,
        };
        let index = self.join(turn, self.current, usize::MAX, Part::Plain(said));
        self.entries[index].why.extend(why);
    }

    fn handler(&mut self, event: EventId, line: u32) {
        let Some((index, name)) = self.events.get(&event).cloned() else { return };
        self.current = Some(index);
        // Two files may have a handler on the same line, hence the name.
        let same = self.playbook.handlers.iter().filter(|handler| handler.line == line && handler.event == name);
        for position in same.flat_map(|handler| &handler.steps) {
            self.handled.insert(*position, index);
        }
    }

    fn skipped(&mut self, turn: &TurnBody, place: &Place, reason: &str) {
        let mut why = self.take_reasons(place.position, |field| matches!(field, "when" | "stage_when" | "not_during"));
        if reason != "when" || why.is_empty() {
            why = vec![reason.to_owned()];
        }
        self.add(turn, vec![Part::Plain(format!("skip {}", self.id(place)))], why);
    }

    fn ordered(&mut self, turn: &TurnBody, place: &Place, effect: EffectId, kind: EffectKind, subject: &str) {
        let said = format!("{} {}", self.verb(place.position), self.id(place));
        match kind {
            EffectKind::Contact => drop(self.orders.insert(effect, (place.position, said))),
            EffectKind::Placement => {
                self.covered.insert(place.position);
                let why = self.take_reasons(place.position, |field| field == "when");
                let verb = self.verb(place.position);
                self.placed = Some(self.add(turn, vec![Part::Plain(format!("{verb} {subject}"))], why));
            }
            EffectKind::Request | EffectKind::Notify => {
                self.covered.insert(place.position);
                let verb = if kind == EffectKind::Request { "request" } else { "notify" };
                let entry = self.handled.get(&place.position).copied();
                self.join(turn, entry, place.position, Part::Plain(format!("{verb} {subject}")));
            }
        }
    }

    fn sent(&mut self, turn: &TurnBody, place: &Place, effect: EffectId, (lane, bundle): (&str, &str)) {
        let Some((position, text)) = self.orders.remove(&effect) else { return };
        let mut why =
            self.take_reasons(position, |field| field == "when" || field == "stage_when" || field.starts_with("with."));
        self.covered.insert(place.position);
        if lane == "letter" {
            self.totals.letters += 1;
        } else {
            self.totals.messages += 1;
        }
        let entry = self.handled.get(&position).copied();
        let in_handler = entry.is_some();
        let index = self.join(turn, entry, position, Part::Contact { text, channel: lane.to_owned() });
        if !bundle.is_empty() {
            why.push("in one message with others of the customer".to_owned());
        }
        if !in_handler || !bundle.is_empty() {
            self.entries[index].why.extend(why);
        }
    }

    fn delivery(&mut self, turn: &TurnBody, effect: EffectId, state: &str, reason: &str) {
        if matches!(state, "delivered" | "bounced") {
            return;
        }
        let Some((_, text)) = self.orders.remove(&effect) else { return };
        let index = self.plain(turn, format!("{text}: {state}"));
        self.entries[index].why.push(reason.to_owned());
    }

    fn work(&mut self, turn: &TurnBody, record: &Record) {
        match record {
            Record::WorkOpened { place, work, blocks } => {
                match work.kind.as_str() {
                    "call" => self.totals.calls += 1,
                    "approve" => self.totals.approvals += 1,
                    _ => self.totals.tasks += 1,
                }
                if *blocks {
                    self.covered.insert(place.position);
                }
                let tries = if work.attempt > 1 { format!(" (try {})", work.attempt) } else { String::new() };
                let what = format!("{} {}{tries}", work.kind, self.id(place));
                let limit = work.limit_at.map(|at| format!("until {}", self.day(at)));
                let entry = self.handled.get(&place.position).copied();
                let index = if entry.is_some() {
                    let limit = limit.map_or(String::new(), |limit| format!(" {limit}"));
                    self.join(turn, entry, place.position, Part::Plain(format!("{what}{limit}")))
                } else {
                    let mut why = self.take_reasons(place.position, |field| field == "when");
                    why.extend(limit);
                    self.add(turn, vec![Part::Plain(what)], why)
                };
                let open = OpenWork { entry: index, kind: work.kind.clone(), in_handler: entry.is_some() };
                self.work.insert(work.id, open);
            }
            Record::WorkClosed { task, outcome, by } => {
                let Some(open) = self.work.remove(task) else { return };
                let by = by.strip_prefix("person:").unwrap_or(by);
                let on = turn.local.format("%m-%d");
                let said = match (open.kind.as_str(), outcome.as_str()) {
                    (_, "timed_out") if open.in_handler => return,
                    (_, "timed_out") => "timed out".to_owned(),
                    ("approve", "approved" | "rejected") => format!("{outcome} {on} by {by}"),
                    _ if by.is_empty() => return,
                    _ => format!("outcome {outcome} on {on}"),
                };
                self.entries[open.entry].why.push(said);
            }
            _ => {}
        }
    }

    fn hold(&mut self, turn: &TurnBody, record: &Record) {
        match record {
            Record::HoldOpened { hold } if hold.name == "placement" => {
                let index = self.placed.take();
                self.join(turn, index, usize::MAX, Part::Plain("held while placed".to_owned()));
            }
            Record::HoldOpened { hold } if hold.task.is_some() => {
                let entry = hold.step.and_then(|step| self.handled.get(&step).copied()).or(self.current);
                let place = hold.step.unwrap_or(1);
                self.join(turn, entry, place, Part::Plain("held while open".to_owned()));
            }
            Record::HoldOpened { hold } => {
                let entry = hold.step.and_then(|step| self.handled.get(&step).copied()).or(self.current);
                let until = self.until(hold);
                let by_news = entry.and_then(|index| self.entries[index].parts.first());
                let named = matches!(by_news, Some((_, Part::Plain(text))) if text.starts_with(&hold.name));
                let name = if named { String::new() } else { format!(" {}", hold.name) };
                let place = hold.step.unwrap_or(1);
                self.join(turn, entry, place, Part::Plain(format!("hold{name}{until}")));
            }
            Record::HoldClosed { name, reason, held_days } => {
                self.totals.held_days += held_days;
                if self.current.is_none() && matches!(reason.as_str(), "until" | "limit" | "at_most") {
                    self.plain(turn, format!("hold {name} ended"));
                }
            }
            _ => {}
        }
    }

    /// ` until 06-02`, ` until dispute.closed`: whichever ends the hold first.
    fn until(&self, hold: &Hold) -> String {
        if let Some(at) = hold.until {
            return format!(" until {}", self.day(at));
        }
        match hold.event.as_deref() {
            // A promise's hold ends with its judgement, the day after its limit.
            Some("promise.judged") => {
                let limit = self.limit.map(|date| date.format("%m-%d").to_string());
                let said = limit.or_else(|| hold.step.and_then(|step| self.untils.get(&step).cloned()));
                said.map_or_else(String::new, |day| format!(" until {day}"))
            }
            Some(event) => format!(" until {event}"),
            None => String::new(),
        }
    }

    fn watch_closed(&mut self, turn: &TurnBody, index: usize, reason: &str) {
        if index >= self.watches.len() {
            return;
        }
        if let Watch::Fallback { step, .. } = self.watches.remove(index)
            && reason == "customer answered"
        {
            let id = self.playbook.steps.get(step).map_or("", |step| step.id.as_str()).to_owned();
            let entry = self.plain(turn, format!("fallback of {id} ended"));
            self.entries[entry].why.push(reason.to_owned());
        }
    }
}

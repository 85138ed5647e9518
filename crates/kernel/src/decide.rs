//! One pure decision over one case: news in, records, effects and work out. Total: it never fails and never panics.
//!
//! A turn walks a working copy of the case: each record is applied the moment it is written, so that folding the
//! records always ends where the turn did. Read on in [`cursor`] (the step under the cursor), [`news`] (events and
//! handlers), [`beside`] (what waits beside the cursor), [`contact`], [`work`], [`holds`] and [`ends`].

mod beside;
mod contact;
mod cursor;
mod deadlines;
mod ends;
mod holds;
mod news;
mod work;

pub(crate) use cursor::bucket;
pub(crate) use work::tries;

use crate::apply::{Stamp, apply, begin};
use crate::calendar::Calendar;
use crate::case::{Case, Phase, Status, Wake};
use crate::effect::{Effect, NewTask};
use crate::event::Event;
use crate::expr::{Arg, ExprId, RuleError, Rules, Run, View};
use crate::facts::{Channel, Class, ContactMade, Facts};
use crate::guard::{Bound, Verdict};
use crate::ids::{CaseId, EffectId, EventId, GroupId, TaskId};
use crate::law::Law;
use crate::playbook::{Handover, Hashes, Playbook, Step, Verb};
use crate::record::{Decision, Inheritance, Moved, Picked, Place, Reads, Record, TurnBody};
use crate::time::Timestamp;
use crate::value::Value;
use chrono::NaiveDate;
use chrono_tz::Tz;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Version of the functions and facts that hooks see.
pub const HOOK_API: u32 = 1;

/// What a turn may know.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The pinned playbook.
    pub playbook: &'a Playbook,
    /// Evaluates its expressions.
    pub rules: &'a dyn Rules,
    /// The newest law.
    pub law: &'a Arc<Law>,
    /// One snapshot, as of the claim.
    pub facts: &'a Arc<Facts>,
    /// Logical time, fixed at the start.
    pub now: Timestamp,
    /// Version of the rule engine, recorded with the hashes.
    pub rhai: &'a str,
}

/// Work that a turn closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedTask {
    /// Task.
    pub id: TaskId,
    /// `timed_out`, `paid`, `restart`, ...; the outcome where a person answered.
    pub outcome: String,
}

/// A linked case to open in the same commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// Playbook and stage.
    pub handover: Handover,
    /// What it takes over.
    pub inherits: Inheritance,
}

/// A contact or an adverse act that a turn did not order, though its playbook asked for it: the guard's answer, for the
/// log. It has no effect yet, so nobody asks again before the hand-over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restraint {
    /// What was not done.
    pub place: Place,
    /// Channel, or the lane of an act that is no contact; empty where none is chosen yet.
    pub lane: String,
    /// Class.
    pub class: Class,
    /// The answer: to wait, or not this way.
    pub verdict: Verdict,
    /// Every limit that moved it, in order.
    pub moved: Vec<Moved>,
}

/// What a turn decided.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The case after the turn: the fold of its records over the case before. `rev` and `seq` are moved.
    pub case: Case,
    /// The history row's body; its `seq` is that of its first record.
    pub body: TurnBody,
    /// What was not done, and by which rule.
    pub restraints: Vec<Restraint>,
    /// Effects to insert into the outbox.
    pub effects: Vec<Effect>,
    /// Effects not yet handed over that must go from the outbox.
    pub recalls: Vec<EffectId>,
    /// Effects of which nobody knew whether they left, with a person's word that they did.
    pub resolved: Vec<(EffectId, bool)>,
    /// Work to open.
    pub opened: Vec<NewTask>,
    /// Work to close.
    pub closed: Vec<ClosedTask>,
    /// Events that this turn took; the others stay unread.
    pub consumed: Vec<EventId>,
    /// A linked case to open.
    pub follow: Option<Follow>,
}

/// The answer of [`decide`].
#[derive(Clone, Debug)]
pub enum Decided {
    /// A turn to commit.
    Turn(Box<Turn>),
    /// A rule hit the wall clock: nothing happened; try again alone, park after three aborts.
    Slow(String),
}

/// What a new case is made of.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Derived id: playbook-independent, `CaseId::derive(&[invoice, ordinal])`.
    pub case: CaseId,
    /// Defaults that were taken for missing facts, as `customer.risk = medium`.
    pub defaults: Vec<String>,
    /// The case it continues.
    pub continues: Option<Inheritance>,
    /// Stage to start at (hand-over).
    pub at_stage: Option<String>,
    /// What picked the playbook.
    pub chosen: Option<Picked>,
}

/// Opens a case and takes its first turn.
#[must_use]
pub fn enter(input: &Input<'_>, entry: &Entry) -> Decided {
    let (first, case) = ends::entered(input, entry);
    let mut walk = Walk::new(input, case);
    walk.records.push(first);
    ends::wait_after_return(&mut walk);
    ends::wait_for_draw(&mut walk, entry);
    let walked = walk.run(&[]);
    walk.answer(walked)
}

/// Takes one turn. `events` are the unread ones in arrival order, none later than `now`.
///
/// With no events and nothing due it answers a turn without records; the caller commits only its wake.
#[must_use]
pub fn decide(input: &Input<'_>, case: &Case, events: &[Event]) -> Decided {
    let mut walk = Walk::new(input, case.clone());
    let walked = walk.run(events);
    walk.answer(walked)
}

/// Parks a case that cannot go on for a reason outside it: a rule stopped by the wall clock, a playbook that is gone.
///
/// Of `events` only operators' acts are taken, which ask no rule: unread, the next `retry` would count as the same one.
#[must_use]
pub fn park(input: &Input<'_>, case: &Case, events: &[Event], cause: &str) -> Turn {
    let mut walk = Walk::new(input, case.clone());
    for event in events.iter().filter(|event| event.name.starts_with("operator.")) {
        if walk.take_event(event).is_ok() {
            walk.consumed.push(event.id);
        }
    }
    walk.parked(cause)
}

/// Opens a case that is parked before its first step: its first turn cannot be committed as it was decided.
#[must_use]
pub fn enter_parked(input: &Input<'_>, entry: &Entry, cause: &str) -> Turn {
    let (first, case) = ends::entered(input, entry);
    let mut walk = Walk::new(input, case);
    walk.records.push(first);
    ends::wait_after_return(&mut walk);
    ends::wait_for_draw(&mut walk, entry);
    walk.parked(cause)
}

/// Why a walk stops early.
enum Stop {
    /// The case is parked; what was decided so far is committed.
    Parked,
    /// The wall clock: nothing is committed.
    Slow(String),
}

type Flow<T = ()> = Result<T, Stop>;

/// One turn under way.
struct Walk<'a> {
    input: &'a Input<'a>,
    playbook: &'a Playbook,
    facts: &'a Arc<Facts>,
    now: Timestamp,
    zone: Tz,
    today: NaiveDate,
    calendar: Arc<Calendar>,
    staff: Arc<Calendar>,
    bound: OnceCell<Bound<'a>>,
    case: Case,
    /// The customer's contacts, with what this turn has ordered: of two words that want to leave in one turn the second
    /// keeps its distance from the first. Ordered together, chance would decide in the outbox which of them leaves.
    contacts: Cow<'a, [ContactMade]>,
    before: (Status, Option<Wake>),
    vars: Option<Arc<BTreeMap<String, Value>>>,
    records: Vec<Record>,
    restraints: Vec<Restraint>,
    effects: Vec<Effect>,
    recalls: Vec<EffectId>,
    resolved: Vec<(EffectId, bool)>,
    opened: Vec<NewTask>,
    closed: Vec<ClosedTask>,
    consumed: Vec<EventId>,
    follow: Option<Follow>,
    /// Earliest instant at which something beside or under the cursor wants a look, with its reason.
    wake: Option<Wake>,
}

impl<'a> Walk<'a> {
    fn new(input: &'a Input<'a>, mut case: Case) -> Self {
        let customer = &input.facts.customer;
        let zone = customer.time_zone;
        let playbook = input.playbook;
        case.rev += 1;
        Self {
            input,
            playbook,
            facts: input.facts,
            now: input.now,
            zone,
            today: input.now.date_in(zone),
            calendar: input.law.calendar_for(&customer.country, customer.subdivision.as_deref(), &playbook.calendar),
            staff: input.law.calendar(&playbook.calendar),
            bound: OnceCell::new(),
            contacts: Cow::Borrowed(&input.facts.contacts),
            before: (case.status, case.wake.clone()),
            case,
            vars: None,
            records: Vec::new(),
            restraints: Vec::new(),
            effects: Vec::new(),
            recalls: Vec::new(),
            resolved: Vec::new(),
            opened: Vec::new(),
            closed: Vec::new(),
            consumed: Vec::new(),
            follow: None,
            wake: None,
        }
    }

    fn run(&mut self, events: &[Event]) -> Flow {
        let walked = self.take_news(events).and_then(|()| self.move_on());
        if let Err(Stop::Slow(cause)) = walked {
            return Err(Stop::Slow(cause));
        }
        self.rest();
        Ok(())
    }

    /// Timers, then what waits beside the cursor, then the cursor, until nothing moves in this turn.
    fn move_on(&mut self) -> Flow {
        // Each round ends a hold, work, a watch or a step; the bound is far above any playbook's length.
        for _ in 0..10_000 {
            if self.is_stopped() {
                // Nobody goes on here, but the days of law and house go on.
                return self.alert_deadlines().map(drop);
            }
            self.wake = None;
            let timers = !self.case.is_finished() && self.fire_timers()?;
            let watches = self.move_watches()?;
            // All that waits beside goes before the cursor, not only the first of it.
            if timers || watches || self.alert_deadlines()? {
                continue;
            }
            if self.case.is_finished() || self.case.is_held() || !self.advance()? {
                return Ok(());
            }
        }
        let place = self.place(self.case.cursor.position);
        self.park(place, "the case moves without end; report this playbook".to_owned());
        Err(Stop::Parked)
    }

    /// Whether it waits for people to let it go on.
    fn is_stopped(&self) -> bool {
        self.case.trouble.is_some() || self.case.paused.is_some()
    }

    fn emit(&mut self, record: Record) {
        if matches!(record, Record::Assigned { .. }) {
            self.vars = None;
        }
        apply(&mut self.case, &record, Stamp { at: self.now, local: self.today });
        self.records.push(record);
    }

    /// Notes for the log what is not done; its place in history is another record's.
    fn restrain(&mut self, position: usize, channel: Option<Channel>, verdict: Verdict, moved: &[Moved]) {
        let Some(step) = self.step(position) else { return };
        let lane = match (&step.verb, channel) {
            (_, Some(channel)) => channel.name(),
            (Verb::Call(_), None) => Channel::Call.name(),
            (Verb::Send(_) | Verb::OfferPlan(_), None) => self
                .wish_of(step, self.case.cursor.channel, None)
                .and_then(|wish| wish.channel)
                .map_or("", Channel::name),
            (Verb::Escalate(_), None) => "legal",
            (Verb::Outsource(_), None) => "agency",
            (Verb::Request(_), None) => "request",
            // Nothing that reaches the debtor.
            _ => return,
        };
        let (place, class, moved) = (self.place(position), self.class_of(step), moved.to_vec());
        self.restraints.push(Restraint { place, lane: lane.to_owned(), class, verdict, moved });
    }

    /// The same for what waits, in the name of the rule that decides.
    fn restrain_until(&mut self, position: usize, until: Timestamp, moved: &[Moved]) {
        let rule = Moved::decisive(moved, self.now).map_or_else(String::new, |limit| limit.rule.clone());
        self.restrain(position, None, Verdict::Defer { until, rule }, moved);
    }

    fn step(&self, position: usize) -> Option<&'a Step> {
        self.playbook.steps.get(position)
    }

    fn place(&self, position: usize) -> Place {
        self.step(position).map_or_else(Place::default, |step| Place {
            stage: self.playbook.stage_name(position).to_owned(),
            step: step.path.clone(),
            line: step.line,
            position,
        })
    }

    fn schedule(&self) -> crate::schedule::Place<'_> {
        crate::schedule::Place {
            playbook: self.playbook,
            calendar: &self.calendar,
            staff: &self.staff,
            zone: self.zone,
            contacts: &self.contacts,
            invoice: &self.facts.invoice.id,
            customer: self.facts.customer.id.as_str(),
            several: self.facts.customer.open_invoices > 1,
            inconvenient: &self.facts.customer.inconvenient,
            preferred: &self.facts.customer.preferred,
            bound: self.bound(),
        }
    }

    /// The policies' rules for this invoice, looked up once and only where a contact or an adverse act asks.
    fn bound(&self) -> &Bound<'a> {
        self.bound.get_or_init(|| Bound::of(self.input.law, &self.playbook.policies, self.facts))
    }

    fn clock_day(&self) -> i64 {
        self.case.clock.day(self.now, self.zone)
    }

    fn want(&mut self, at: Timestamp, reason: impl FnOnce() -> String) {
        if self.wake.as_ref().is_none_or(|wake| at < wake.at) {
            self.wake = Some(Wake { at, reason: reason() });
        }
    }

    fn view(&mut self, place: &Place, event: Option<&Arc<Event>>) -> View {
        let case = &self.case;
        let vars = self.vars.get_or_insert_with(|| {
            let mut all = self.input.playbook.vars.clone();
            all.extend(case.vars.iter().map(|(name, value)| (name.clone(), value.clone())));
            Arc::new(all)
        });
        View {
            facts: Arc::clone(self.facts),
            event: event.cloned(),
            run: Run {
                playbook: self.playbook.name.as_str().into(),
                version: i64::from(self.playbook.version),
                stage: place.stage.as_str().into(),
                step: place.step.as_str().into(),
                clock_day: case.clock.day(self.now, self.zone),
                held_days: case.clock.held_until(self.now, self.zone),
                skipped_days: case.clock.skipped_days,
                generation: i64::from(case.generation),
            },
            vars: Arc::clone(vars),
            marks: Arc::clone(&case.marks),
            now: self.now,
            today: self.today,
            calendar: Arc::clone(&self.calendar),
            law: Arc::clone(self.input.law),
        }
    }

    /// Evaluates an expression and records the decision; a failure parks the case, never reads as `false`.
    fn eval(&mut self, place: &Place, field: &str, id: ExprId, event: Option<&Arc<Event>>) -> Flow<Value> {
        let view = self.view(place, event);
        match self.input.rules.eval(id, &view) {
            Ok(found) => {
                self.emit(Record::Decision(Decision {
                    place: place.clone(),
                    field: field.to_owned(),
                    expr: self.playbook.expr(id).source.clone(),
                    result: found.value.to_plain(),
                    read: Reads(found.read.iter().map(|(path, value)| (path.clone(), value.to_plain())).collect()),
                    clauses: found.clauses,
                    tables: found.tables,
                    notes: found.notes,
                    ops: found.ops,
                }));
                Ok(found.value)
            }
            Err(RuleError::Slow(cause)) => Err(Stop::Slow(cause)),
            Err(RuleError::Failed(cause)) => {
                let expr = self.playbook.expr(id);
                let message = format!("{}:{}: `{}` failed: {cause}", expr.file, expr.line, expr.source);
                self.park(place.clone(), message);
                Err(Stop::Parked)
            }
        }
    }

    /// A condition. Nothing written is true.
    fn holds_true(&mut self, place: &Place, field: &str, id: Option<ExprId>, event: Option<&Arc<Event>>) -> Flow<bool> {
        match id {
            None => Ok(true),
            Some(id) => Ok(self.eval(place, field, id, event)? == Value::Bool(true)),
        }
    }

    fn text_arg(
        &mut self,
        place: &Place,
        field: &str,
        arg: Option<&Arg<String>>,
        event: Option<&Arc<Event>>,
    ) -> Flow<Option<String>> {
        match arg {
            None => Ok(None),
            Some(Arg::Const(text)) => Ok(Some(text.clone())),
            Some(Arg::Expr(id)) => {
                let value = self.eval(place, field, *id, event)?;
                Ok((!value.is_missing()).then(|| value.to_string()))
            }
        }
    }

    /// Stops the case until somebody mends it, and opens the work to do so.
    fn park(&mut self, place: Place, message: String) {
        if self.case.trouble.as_deref() == Some(message.as_str()) {
            return;
        }
        self.emit(Record::Error { place: place.clone(), message, parks: true });
        self.open_engine_task(place, "fix-rule");
    }

    /// The turn that only parks the case; one that an operator has just ended stays ended.
    fn parked(mut self, cause: &str) -> Turn {
        if !self.case.is_finished() {
            let place = self.place(self.case.cursor.position);
            self.park(place, cause.to_owned());
        }
        self.rest();
        self.into_turn()
    }

    fn group_of(&self, key: &str) -> GroupId {
        GroupId::derive(&[&self.case.id.to_string(), key])
    }

    /// Writes how the case stands, if anything changed.
    fn rest(&mut self) {
        let (status, wake) = self.standing();
        if self.records.is_empty() && (status, &wake) == (self.before.0, &self.before.1) {
            return;
        }
        self.emit(Record::Rests { status, wake });
    }

    fn standing(&self) -> (Status, Option<Wake>) {
        let case = &self.case;
        let wake = self.wake.clone();
        if case.is_finished() {
            (Status::Finished, wake)
        } else if case.trouble.is_some() {
            (Status::Attention, self.next_deadline())
        } else if case.paused.is_some() {
            (Status::Paused, self.next_deadline())
        } else if case.is_held() {
            (Status::Held, wake)
        } else {
            (self.cursor_status(), wake)
        }
    }

    fn cursor_status(&self) -> Status {
        let cursor = &self.case.cursor;
        let step = self.step(cursor.position);
        match cursor.phase {
            Phase::Pending if self.wake.is_none() => Status::WaitingEvent,
            Phase::Pending => Status::WaitingTime,
            Phase::Ready => Status::WaitingPerson,
            Phase::Settling => Status::WaitingEvent,
            Phase::Acting => match step.map(|step| &step.verb) {
                Some(Verb::Call(_) | Verb::Task(_) | Verb::Approve(_)) => Status::WaitingPerson,
                Some(Verb::Wait(_)) => Status::WaitingTime,
                _ => Status::WaitingEvent,
            },
        }
    }

    fn answer(self, walked: Flow) -> Decided {
        match walked {
            Err(Stop::Slow(cause)) => Decided::Slow(cause),
            Ok(()) | Err(Stop::Parked) => Decided::Turn(Box::new(self.into_turn())),
        }
    }

    fn into_turn(self) -> Turn {
        let clock_day = self.clock_day();
        let mut case = self.case;
        let seq = case.seq;
        case.seq += self.records.len() as u64;
        if self.records.is_empty() {
            case.rev -= 1;
        }
        let body = TurnBody {
            v: 1,
            at: self.now,
            local: self.today,
            clock_day,
            playbook: self.playbook.name.clone(),
            version: self.playbook.version,
            hash: Hashes {
                bundle: case.bundle,
                content: case.content,
                calendar: self.calendar.hash,
                policy: self.input.law.policy_hash(),
                hook_api: HOOK_API,
                rhai: self.input.rhai.to_owned(),
            },
            seq,
            records: self.records,
        };
        Turn {
            case,
            body,
            restraints: self.restraints,
            effects: self.effects,
            recalls: self.recalls,
            resolved: self.resolved,
            opened: self.opened,
            closed: self.closed,
            consumed: self.consumed,
            follow: self.follow,
        }
    }
}

/// The empty case of an `entered` record at the time of an input.
fn empty_case(input: &Input<'_>, first: &Record) -> Case {
    let stamp = Stamp { at: input.now, local: input.now.date_in(input.facts.customer.time_zone) };
    begin(first, stamp).expect("built from an `entered` record two lines above its use")
}

//! How a case begins, jumps, restarts and ends.

use super::{Entry, Follow, Input, Walk, empty_case};
use crate::calendar::Calendar;
use crate::case::{Case, End, Hold, InFlight, Marks, Watch};
use crate::event::Event;
use crate::ids::Hash;
use crate::playbook::{Backlog, Handover, Outcome, Playbook};
use crate::record::{BACKLOG_SPREAD, Inheritance, Record};
use crate::time::{Span, Timestamp, Unit};
use crate::value::Value;
use chrono::NaiveDate;
use std::sync::Arc;

/// Restarts beyond this are refused: a due date that moves for ever is a matter for a person.
const GENERATIONS_MAX: u32 = 4;

/// The first record of a case and the empty case it describes.
pub(super) fn entered(input: &Input<'_>, entry: &Entry) -> (Record, Case) {
    let playbook = input.playbook;
    let facts = input.facts;
    let today = input.now.date_in(facts.customer.time_zone);
    let due = facts.invoice.due;
    let start = drawn(input, entry, due, today).unwrap_or(today);
    let (position, skipped_days) = entry_point(playbook, entry, due, (today, start));
    let first = Record::Entered {
        case: entry.case,
        invoice: facts.invoice.id.clone(),
        customer: facts.customer.id.clone(),
        playbook: playbook.name.clone(),
        version: playbook.version,
        bundle: playbook.bundle,
        content: playbook.content,
        anchor: due,
        skipped_days,
        position,
        defaults: entry.defaults.clone(),
        continues: entry.continues.clone().map(Box::new),
        chosen: entry.chosen.clone(),
    };
    let case = empty_case(input, &first);
    (first, case)
}

/// The day on which a late entry starts: drawn by customer, so that all of a customer's invoices start on one day, on
/// any machine the same. Nothing where the playbook spreads nothing or the case is no late entry.
fn drawn(input: &Input<'_>, entry: &Entry, due: NaiveDate, today: NaiveDate) -> Option<NaiveDate> {
    let (playbook, customer) = (input.playbook, &input.facts.customer);
    let backlog = playbook.backlog.as_ref().filter(|_| entry.continues.is_none() && entry.at_stage.is_none())?;
    let spread = backlog.spread.filter(|_| is_late(backlog, due, today))?;
    let calendar = input.law.calendar_for(&customer.country, customer.subdivision.as_deref(), &playbook.calendar);
    let hash = Hash::of(format!("backlog\0{}", customer.id).as_bytes());
    let bits = u64::from_be_bytes(hash.0[..8].try_into().unwrap_or_default());
    let draw = |days: i64| i64::try_from(bits % days.max(1).unsigned_abs()).unwrap_or(0);
    Some(if spread.unit == Unit::WorkingDays {
        calendar.add_working_days(calendar.working_day_from(today), draw(spread.count))
    } else {
        today + chrono::Days::new(draw((calendar.add(today, spread) - today).num_days()).unsigned_abs())
    })
}

/// A late entry rests until its drawn day, and says so.
pub(super) fn wait_for_draw(walk: &mut Walk<'_>, entry: &Entry) {
    let Some(on) = drawn(walk.input, entry, walk.case.clock.anchor, walk.today).filter(|on| *on > walk.today) else {
        return;
    };
    let until = Timestamp::start_of(on, walk.zone);
    let place = walk.place(walk.case.cursor.position);
    let moved = vec![crate::record::Moved { rule: BACKLOG_SPREAD.to_owned(), until }];
    walk.emit(Record::Deferred { place, until, moved, beside: false });
}

/// A case that a returned payment opened waits the customer's gap before it speaks again.
pub(super) fn wait_after_return(walk: &mut Walk<'_>) {
    let returned = matches!(walk.records.first(),
        Some(Record::Entered { continues: Some(old), .. }) if old.reason == "returned payment");
    if let Some(gap) = walk.playbook.contact.min_gap.filter(|_| returned) {
        let until = walk.span_from_now(gap);
        let place = walk.place(walk.case.cursor.position);
        let moved = vec![crate::record::Moved { rule: "min_gap".to_owned(), until }];
        walk.emit(Record::Deferred { place, until, moved, beside: false });
    }
}

/// Where a new case starts: hand-over stage, what a returned payment left, backlog stage, or the first step.
fn entry_point(
    playbook: &Playbook,
    entry: &Entry,
    due: NaiveDate,
    (today, start): (NaiveDate, NaiveDate),
) -> (usize, i64) {
    let overdue = (start - due).num_days();
    let (held, skipped) = entry.continues.as_ref().map_or((0, 0), |old| (old.held_days, old.skipped_days));
    let at = |stage: usize| {
        let position = playbook.stages[stage].first;
        // The clock shows the stage's first day, also where the case before was held.
        (position, first_day(playbook, stage).map_or(skipped, |day| day - overdue + held))
    };
    let named = entry.at_stage.as_deref().and_then(|name| playbook.stages.iter().position(|stage| stage.name == name));
    if let Some(stage) = named {
        return at(stage);
    }
    if let Some(old) = &entry.continues {
        if entry.at_stage.is_none() && old.reason == "returned payment" {
            return (after_marks(playbook, &old.marks), skipped);
        }
        return (0, skipped);
    }
    match &playbook.backlog {
        Some(backlog) if is_late(backlog, due, today) => at(backlog.start_at),
        _ => (0, 0),
    }
}

fn is_late(backlog: &Backlog, due: NaiveDate, today: NaiveDate) -> bool {
    (today - due).num_days() > backlog_days(backlog.over, due)
}

fn backlog_days(over: Span, due: NaiveDate) -> i64 {
    match over.unit {
        Unit::Minutes | Unit::Hours => 0,
        Unit::Days | Unit::WorkingDays | Unit::Weeks | Unit::Months => {
            (Calendar::weekdays().add(due, over) - due).num_days()
        }
    }
}

/// The position behind the last step that ended on the main line.
fn after_marks(playbook: &Playbook, marks: &Marks) -> usize {
    let done = |i: &usize| {
        marks.steps.get(&playbook.steps[*i].path).is_some_and(|mark| mark.end == End::Done || mark.end == End::Skipped)
    };
    let last = (0..playbook.cursor_len).rfind(done);
    last.map_or(0, |position| playbook.steps[position].next).min(playbook.cursor_len.saturating_sub(1))
}

/// The first `day` that a stage's steps name.
pub(super) fn first_day(playbook: &Playbook, stage: usize) -> Option<i64> {
    playbook.steps[..playbook.cursor_len].iter().filter(|step| step.stage == Some(stage)).find_map(|step| step.day)
}

/// Jumps forward to a stage; a stage at or behind the cursor is a recorded no-op. Says whether it jumped.
pub(super) fn jump(walk: &mut Walk<'_>, stage: usize, at_once: bool, reason: &str) -> bool {
    let playbook = walk.playbook;
    let target = &playbook.stages[stage];
    let place = walk.place(walk.case.cursor.position);
    let here = walk.step(walk.case.cursor.position).and_then(|step| step.stage);
    if target.first <= walk.case.cursor.position || here.is_some_and(|here| stage <= here) {
        walk.emit(Record::Ignored {
            what: format!("goto {}", target.name),
            reason: "the case is already at or past that stage".to_owned(),
        });
        return false;
    }
    leave_step(walk, "jump");
    let ahead = first_day(playbook, stage).map_or(0, |day| day - walk.clock_day());
    let days = if at_once { ahead.max(0) } else { 0 };
    walk.emit(Record::Jump {
        place,
        to: target.first,
        stage: target.name.clone(),
        days,
        reason: if at_once { format!("{reason}, at once") } else { reason.to_owned() },
    });
    true
}

/// Takes back what the step under the cursor has out or open, and ends what it holds.
pub(super) fn leave_step(walk: &mut Walk<'_>, reason: &str) {
    let position = walk.case.cursor.position;
    let agency = walk.case.placed_with.clone();
    let out: Vec<_> = walk.case.in_flight.iter().filter(|(_, state)| state.of_cursor).map(|(id, _)| *id).collect();
    for effect in out {
        walk.recalls.push(effect);
        walk.emit(Record::Recalled { effect, reason: reason.to_owned() });
    }
    let open: Vec<_> = walk
        .case
        .work
        .iter()
        .filter(|work| work.step == Some(position) || work.renews == Some(position))
        .map(|work| work.id)
        .collect();
    for task in open {
        walk.close_work(task, reason, "");
    }
    if let Some(agency) = agency {
        walk.order_recall(&agency);
    }
    let held: Vec<_> = walk.case.holds.iter().filter(|hold| hold.step == Some(position)).cloned().collect();
    for hold in held {
        walk.close_hold(&hold.name, reason, walk.now);
    }
}

/// Takes back what has not left, and drops what waits beside the cursor. Friendly words and what gives something back
/// stay on their way; what may have left cannot be taken back, and its question stays open.
fn take_back(walk: &mut Walk<'_>, reason: &str, dropped: &str) {
    let goes = |state: &InFlight| !state.exempt && !state.unknown;
    let out: Vec<_> = walk.case.in_flight.iter().filter(|(_, state)| goes(state)).map(|(id, _)| *id).collect();
    for effect in out {
        walk.recalls.push(effect);
        walk.emit(Record::Recalled { effect, reason: reason.to_owned() });
    }
    for index in (0..walk.case.watches.len()).rev() {
        let stays = match &walk.case.watches[index] {
            Watch::Contact(contact) => contact.class.is_exempt() || walk.is_restoring(contact.step),
            Watch::Fallback { .. } | Watch::Recall { .. } => false,
        };
        if !stays {
            walk.emit(Record::WatchClosed { index, reason: dropped.to_owned() });
        }
    }
}

/// Ends the case: what has not left is taken back, what was opened before this turn is closed.
pub(super) fn finish(walk: &mut Walk<'_>, outcome: Outcome, reason: &str) {
    if walk.case.is_finished() {
        return;
    }
    let agency = walk.case.placed_with.clone();
    take_back(walk, outcome.name(), "finished");
    let rev = walk.case.rev;
    let earlier = walk.case.work.iter().filter(|work| work.opened_rev < rev && work.effect.is_none());
    let earlier: Vec<_> = earlier.map(|work| work.id).collect();
    for task in earlier {
        walk.close_work(task, outcome.name(), "");
    }
    if let Some(agency) = agency {
        walk.order_recall(&agency);
    }
    let names: Vec<_> = walk.case.holds.iter().map(|hold| hold.name.clone()).collect();
    for name in names {
        walk.close_hold(&name, outcome.name(), walk.now);
    }
    if outcome == Outcome::ProposedWriteOff {
        let place = walk.place(walk.case.cursor.position);
        walk.open_engine_task(place, "approve-write-off");
    }
    walk.emit(Record::Finished { outcome, reason: reason.to_owned() });
}

/// Ends the case and opens a linked one under another playbook.
pub(super) fn hand_over(walk: &mut Walk<'_>, handover: &Handover) {
    let case = &walk.case;
    let marks = Marks {
        steps: case
            .marks
            .steps
            .iter()
            .filter(|(_, mark)| !mark.notice.is_empty())
            .map(|(path, mark)| (format!("{}:{path}", case.playbook), mark.clone()))
            .collect(),
        answered_at: case.marks.answered_at,
        first_contact: case.marks.first_contact,
    };
    // The new playbook knows nothing of the step that opened a hold: only its event, date and limit go along.
    let kept = case.holds.iter().filter(|hold| hold.name != "placement" && hold.task.is_none());
    let inherits = Inheritance {
        case: case.id,
        reason: "handover".to_owned(),
        held_days: case.clock.held_until(walk.now, walk.zone),
        skipped_days: case.clock.skipped_days,
        marks,
        holds: kept.map(|hold| Hold { step: None, ..hold.clone() }).collect(),
        vars: std::collections::BTreeMap::new(),
        splits: std::collections::BTreeMap::new(),
        generation: case.generation,
        channel: None,
    };
    walk.follow = Some(Follow { handover: handover.clone(), inherits });
    finish(walk, Outcome::HandedOver, &format!("handover to {}", handover.playbook));
}

/// A new due date was agreed: everything from the first step, with variables and splits kept.
pub(super) fn restart(walk: &mut Walk<'_>, event: &Arc<Event>) {
    let anchor = new_due(event).unwrap_or(walk.facts.invoice.due);
    if walk.case.generation >= GENERATIONS_MAX {
        walk.emit(Record::Ignored {
            what: "restart".to_owned(),
            reason: "restarted three times already; only the due date moves".to_owned(),
        });
        walk.emit(Record::Anchored { anchor, reason: "due date changed".to_owned() });
        return;
    }
    let agency = walk.case.placed_with.clone();
    take_back(walk, "restart", "restart");
    let open: Vec<_> = walk.case.work.iter().map(|work| work.id).collect();
    for task in open {
        walk.close_work(task, "restart", "");
    }
    if let Some(agency) = agency {
        walk.order_recall(&agency);
    }
    // What people placed and what was agreed is not the playbook's to end.
    let own = |hold: &&crate::case::Hold| !super::holds::is_of_ledger(&hold.name);
    let names: Vec<_> = walk.case.holds.iter().filter(own).map(|hold| hold.name.clone()).collect();
    for name in names {
        walk.close_hold(&name, "restart", walk.now);
    }
    walk.emit(Record::Restarted { generation: walk.case.generation + 1, anchor });
}

/// The due date an event names.
pub(super) fn new_due(event: &Event) -> Option<NaiveDate> {
    match event.field("to") {
        Value::Date(date) => Some(*date),
        _ => None,
    }
}

impl Walk<'_> {
    /// Ends the step under the cursor and moves to `next`; a repeated step goes round first.
    pub(super) fn end_step(&mut self, end: End, outcome: &str, next: usize) {
        let position = self.case.cursor.position;
        let place = self.place(position);
        let Some(step) = self.step(position) else { return };
        let round = self.case.cursor.round + 1;
        if let (End::Done, Some(repeat)) = (end, step.repeat)
            && round < repeat.times
            && next == step.next
        {
            let not_before = Some(self.span_from_now(repeat.every));
            self.emit(Record::Again { place, channel: 0, round, not_before, reason: "repeat".to_owned() });
            return;
        }
        let rolled_days = self.rolled_days(position, next, end);
        self.emit(Record::Ended { place, end, outcome: outcome.to_owned(), next, rolled_days });
    }

    /// The first instant of the date a span from today; exact for hours and minutes.
    pub(super) fn span_from_now(&self, span: Span) -> Timestamp {
        span.exact_us().map_or_else(
            || crate::time::Timestamp::start_of(self.calendar.add(self.today, span), self.zone),
            |us| self.now.plus_us(us),
        )
    }

    /// `roll: shift`: days by which this contact was pushed past its day, for the rest of its stage.
    fn rolled_days(&self, position: usize, next: usize, end: End) -> i64 {
        let Some(step) = self.step(position) else { return 0 };
        let same_stage =
            self.step(next).is_some_and(|after| after.stage == step.stage) && next < self.playbook.cursor_len;
        if !same_stage {
            return 0;
        }
        let rolled = self.case.rolled_days;
        match (self.playbook.roll, step.day, end) {
            (crate::playbook::Roll::Shift, Some(day), End::Done) if crate::schedule::is_contact(step) => {
                rolled + (self.clock_day() - day - rolled).max(0)
            }
            _ => rolled,
        }
    }

    /// A stage's position and place for an operator's `goto`.
    pub(super) fn stage_named(&self, name: &str) -> Option<usize> {
        self.playbook.stages.iter().position(|stage| stage.name == name)
    }

    /// Whether the step is a request that gives something back.
    pub(super) fn is_restoring(&self, position: usize) -> bool {
        let Some(step) = self.step(position) else { return false };
        match &step.verb {
            crate::playbook::Verb::Request(action) => self
                .playbook
                .requests
                .get(action)
                .is_some_and(|info| info.class == crate::playbook::RequestClass::Restoring),
            _ => false,
        }
    }
}

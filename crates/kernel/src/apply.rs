//! Folds records into a case. State is folded, never replayed: changing `decide` never breaks a running case.

use crate::case::{Case, Clock, Cursor, End, LastEnd, Mark, Marks, PendingContact, Phase, RecentSend};
use crate::case::{Status, Told, Watch};
use crate::effect::EffectKind;
use crate::event::Event;
use crate::ids::{EffectId, EventId, GroupId};
use crate::record::{BACKLOG_SPREAD, Moved, Place, Record, TurnBody};
use crate::time::Timestamp;
use chrono::NaiveDate;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many messages are remembered for late bounces.
const RECENT_MAX: usize = 4;

/// How many events are remembered by id. The store's key keeps duplicates of older ones away for good.
const SEEN_MAX: usize = 256;

/// When a record was written: logical time and the date at the customer's place.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// Instant.
    pub at: Timestamp,
    /// Date.
    pub local: NaiveDate,
}

/// Folds whole turns into a case; nothing where the first record is not `entered`.
#[must_use]
pub fn fold(bodies: &[TurnBody]) -> Option<Case> {
    let mut case: Option<Case> = None;
    for body in bodies {
        let stamp = Stamp { at: body.at, local: body.local };
        if case.is_none() {
            case = body.records.first().and_then(|first| begin(first, stamp));
        }
        let case = case.as_mut()?;
        case.rev += 1;
        for record in &body.records {
            apply(case, record, stamp);
        }
        case.seq += body.records.len() as u64;
    }
    case
}

/// The empty case that an `entered` record describes, before its first turn is counted.
#[must_use]
pub fn begin(record: &Record, stamp: Stamp) -> Option<Case> {
    let Record::Entered {
        case,
        invoice,
        customer,
        playbook,
        version,
        bundle,
        content,
        anchor,
        skipped_days,
        position,
        continues,
        ..
    } = record
    else {
        return None;
    };
    let old = continues.as_deref();
    let clock = Clock {
        anchor: *anchor,
        held_days: old.map_or(0, |o| o.held_days),
        skipped_days: *skipped_days,
        held_since: old.is_some_and(|o| !o.holds.is_empty()).then_some(stamp.at),
    };
    Some(Case {
        v: 1,
        id: *case,
        invoice: invoice.clone(),
        customer: customer.clone(),
        playbook: playbook.clone(),
        version: *version,
        bundle: *bundle,
        content: *content,
        generation: old.map_or(1, |o| o.generation),
        rev: 0,
        seq: 0,
        entered_at: stamp.at,
        status: Status::WaitingTime,
        outcome: None,
        finished_rev: None,
        cursor: Cursor { position: *position, ..Cursor::default() },
        clock,
        marks: Arc::new(old.map_or_else(Marks::default, |o| o.marks.clone())),
        last_end: None,
        rolled_days: 0,
        holds: old.map_or_else(Vec::new, |o| o.holds.clone()),
        work: Vec::new(),
        watches: Vec::new(),
        approvals: Vec::new(),
        in_flight: BTreeMap::new(),
        recent: Vec::new(),
        placed_with: None,
        vars: Arc::new(old.map_or_else(BTreeMap::new, |o| o.vars.clone())),
        splits: old.map_or_else(BTreeMap::new, |o| o.splits.clone()),
        seen: Vec::new(),
        heard: 0,
        deadlines: BTreeMap::new(),
        trouble: None,
        paused: None,
        wake: None,
        aborted: 0,
    })
}

/// Applies one record.
pub fn apply(case: &mut Case, record: &Record, stamp: Stamp) {
    match record {
        Record::Entered { .. }
        | Record::Handler { .. }
        | Record::Decision(_)
        | Record::Skipped { .. }
        | Record::Superseded { .. }
        | Record::Ignored { .. } => {}
        Record::Event { event, answer } => {
            hear(case, event.id);
            if *answer {
                Arc::make_mut(&mut case.marks).answered_at = Some(event.at);
            }
            match event.name.as_str() {
                "contact.delivered" => prove(case, event, stamp),
                "task.done" if crate::step::is_talk(event.text("outcome")) => contacted(case, stamp),
                "deadline.near" | "deadline.missed" => tell_of(case, event),
                _ => {}
            }
        }
        Record::Assigned { name, value } => {
            Arc::make_mut(&mut case.vars).insert(name.clone(), value.clone());
        }
        Record::Deferred { place, until, beside: true, .. } => told_beside(case, place.position, *until),
        Record::Deferred { until, moved, beside: false, .. } => defer(case, *until, moved, stamp),
        Record::Ordered { .. }
        | Record::Returned { .. }
        | Record::Sent { .. }
        | Record::Recalled { .. }
        | Record::Delivery { .. } => apply_effect(case, record, stamp),
        Record::WorkOpened { .. }
        | Record::WorkClosed { .. }
        | Record::WorkMoved { .. }
        | Record::HoldOpened { .. }
        | Record::HoldClosed { .. }
        | Record::HoldMoved { .. }
        | Record::Approved { .. }
        | Record::WatchOpened { .. }
        | Record::WatchClosed { .. }
        | Record::WatchMoved { .. } => apply_lists(case, record, stamp),
        Record::Waiting { .. }
        | Record::Again { .. }
        | Record::Ended { .. }
        | Record::Jump { .. }
        | Record::Anchored { .. }
        | Record::Restarted { .. }
        | Record::Split { .. }
        | Record::VersionChanged { .. } => apply_cursor(case, record, stamp),
        Record::Error { message, parks, .. } => {
            if *parks {
                case.trouble = Some(message.clone());
            }
        }
        Record::Running { state, reason } => apply_running(case, state, reason),
        Record::Finished { outcome, .. } => {
            case.outcome = Some(*outcome);
            case.finished_rev = Some(case.rev);
            case.status = Status::Finished;
            case.trouble = None;
            case.paused = None;
        }
        Record::Rests { status, wake } => {
            case.status = *status;
            case.wake.clone_from(wake);
        }
    }
}

/// The cursor's step waits. A season, a drawn day or the law is no deferral by caps: giving up begins after it.
fn defer(case: &mut Case, until: Timestamp, moved: &[Moved], stamp: Stamp) {
    case.cursor.not_before = Some(until);
    case.cursor.rule = Moved::decisive(moved, stamp.at).map(|m| m.rule.clone());
    let planned = |rule: &str| {
        rule == BACKLOG_SPREAD || rule.starts_with("not_during") || rule.starts_with("law ") || rule == "bundle"
    };
    let since = case.cursor.due_since.unwrap_or(stamp.at);
    case.cursor.due_since = (!moved.iter().any(|m| planned(&m.rule))).then_some(since);
}

/// What waits beside the cursor is on record with the day that was named: said once, until it is another one.
fn told_beside(case: &mut Case, position: usize, until: Timestamp) {
    for watch in &mut case.watches {
        match watch {
            Watch::Contact(PendingContact { step, effect: None, told, .. }) | Watch::Recall { step, told, .. }
                if *step == position =>
            {
                *told = Some(until);
            }
            Watch::Contact(_) | Watch::Recall { .. } | Watch::Fallback { .. } => {}
        }
    }
}

/// A proven delivery: the day from which statutory clocks run.
fn prove(case: &mut Case, event: &Event, stamp: Stamp) {
    let named = event.text("step");
    let is_named = |path: &str| path == named || path.rsplit('/').next() == Some(named);
    let on = event.field("on").as_date().unwrap_or(stamp.local);
    let marks = Arc::make_mut(&mut case.marks).steps.iter_mut();
    for (_, mark) in marks.filter(|(path, mark)| is_named(path) && mark.sent > 0) {
        // The first proof stands: a second message of the same delivery does not begin the time anew.
        mark.proven_on.get_or_insert(on);
    }
}

/// The first contact or talk sets the day from which some deadlines run.
fn contacted(case: &mut Case, stamp: Stamp) {
    if case.marks.first_contact.is_none() {
        Arc::make_mut(&mut case.marks).first_contact = Some(stamp.local);
    }
}

/// People hear of a deadline once when it is near, and once when it was missed.
fn tell_of(case: &mut Case, event: &Event) {
    if let Some(started) = event.field("since").as_date() {
        let missed = event.name == "deadline.missed";
        case.deadlines.insert(event.text("rule").to_owned(), Told { started, missed });
    }
}

/// Counts an event and remembers its id.
fn hear(case: &mut Case, event: EventId) {
    // A case written before there was a count begins with what it remembers.
    let before = case.heard.max(u32::try_from(case.seen.len()).unwrap_or(u32::MAX));
    case.heard = before.saturating_add(1);
    case.seen.push(event);
    let surplus = case.seen.len().saturating_sub(SEEN_MAX);
    case.seen.drain(..surplus);
}

fn apply_running(case: &mut Case, state: &str, reason: &str) {
    match state {
        "paused" => case.paused = Some(reason.to_owned()),
        "resumed" => case.paused = None,
        _ => {
            case.trouble = None;
            case.aborted = 0;
        }
    }
}

fn mark_of<'a>(case: &'a mut Case, place: &Place, stamp: Stamp) -> &'a mut Mark {
    Arc::make_mut(&mut case.marks).steps.entry(place.step.clone()).or_insert_with(|| Mark {
        end: End::Done,
        at: stamp.at,
        on: stamp.local,
        held_days: 0,
        outcome: String::new(),
        sent: 0,
        sent_at: None,
        notice: Vec::new(),
        proven_on: None,
    })
}

fn apply_effect(case: &mut Case, record: &Record, stamp: Stamp) {
    match record {
        Record::Ordered { effect, state, subject, .. } => {
            if state.of_cursor {
                case.cursor.phase = Phase::Acting;
                case.cursor.since = Some(stamp.at);
                case.cursor.limit_at = None;
                case.cursor.stretches = false;
            }
            if state.kind == EffectKind::Placement {
                case.placed_with = Some(subject.clone());
            }
            case.in_flight.insert(*effect, state.clone());
        }
        Record::Returned { effect, rule, not_before } => {
            not_placed(case, *effect);
            if take_of_cursor(case, *effect) {
                case.cursor.not_before = *not_before;
                case.cursor.rule = Some(rule.clone());
                case.cursor.due_since.get_or_insert(stamp.at);
            }
        }
        Record::Sent { place, effect, notice, .. } => {
            let state = case.in_flight.remove(effect);
            let mark = mark_of(case, place, stamp);
            mark.sent += 1;
            mark.sent_at = Some(stamp.at);
            mark.notice.clone_from(notice);
            if state.as_ref().is_some_and(|state| state.kind == EffectKind::Contact) {
                contacted(case, stamp);
            }
            if let Some(state) = state {
                if state.of_cursor {
                    case.cursor.occurrence += 1;
                }
                case.recent.push(RecentSend {
                    effect: *effect,
                    step: state.step,
                    via: state.via,
                    channel: state.channel,
                });
                let surplus = case.recent.len().saturating_sub(RECENT_MAX);
                case.recent.drain(..surplus);
            }
        }
        Record::Recalled { effect, .. } => {
            not_placed(case, *effect);
            take_of_cursor(case, *effect);
        }
        Record::Delivery { effect, state, .. } => match state.as_str() {
            "unknown" => {
                if let Some(flight) = case.in_flight.get_mut(effect) {
                    flight.unknown = true;
                }
            }
            "refused" | "failed" => {
                not_placed(case, *effect);
                take_of_cursor(case, *effect);
            }
            _ => {}
        },
        _ => unreachable!("apply sends only records of effects here"),
    }
}

/// A placement that came to nothing: nobody took the claim.
fn not_placed(case: &mut Case, effect: EffectId) {
    if case.in_flight.get(&effect).is_some_and(|state| state.kind == EffectKind::Placement) {
        case.placed_with = None;
    }
}

/// Forgets an effect; true where it was the cursor's, whose step is pending again.
fn take_of_cursor(case: &mut Case, effect: EffectId) -> bool {
    let of_cursor = case.in_flight.remove(&effect).is_some_and(|state| state.of_cursor);
    if of_cursor {
        case.cursor.phase = Phase::Pending;
        case.cursor.since = None;
    }
    of_cursor
}

fn apply_lists(case: &mut Case, record: &Record, stamp: Stamp) {
    match record {
        Record::WorkOpened { work, blocks, .. } => {
            if *blocks {
                case.cursor.phase = if work.renews.is_some() { Phase::Ready } else { Phase::Acting };
                case.cursor.since = Some(stamp.at);
                case.cursor.limit_at = work.limit_at;
                case.cursor.stretches = false;
                case.cursor.occurrence += 1;
            }
            case.work.push(work.clone());
        }
        Record::WorkClosed { task, .. } => {
            let position = case.cursor.position;
            if case.work.iter().any(|work| work.id == *task && work.kind == "call" && work.step == Some(position)) {
                case.cursor.group = Some(GroupId::of_call(*task));
            }
            case.work.retain(|work| work.id != *task);
        }
        Record::WorkMoved { work, .. } => {
            for old in case.work.iter_mut().filter(|old| old.id == work.id) {
                *old = work.clone();
            }
        }
        Record::HoldOpened { hold } => {
            case.clock.held_since.get_or_insert(hold.opened_at);
            case.holds.push(hold.clone());
        }
        Record::HoldClosed { name, held_days, .. } => {
            if let Some(index) = case.holds.iter().position(|hold| hold.name == *name) {
                case.holds.remove(index);
            }
            if name == "placement" {
                case.placed_with = None;
            }
            if case.holds.is_empty() {
                case.clock.held_days += held_days;
                case.clock.held_since = None;
            }
        }
        Record::HoldMoved { hold } => {
            for old in case.holds.iter_mut().filter(|old| old.name == hold.name) {
                *old = hold.clone();
            }
        }
        Record::Approved { approval } => {
            case.approvals.retain(|old| old.step != approval.step);
            case.approvals.push(approval.clone());
        }
        Record::WatchOpened { watch, .. } => case.watches.push(watch.clone()),
        Record::WatchClosed { index, .. } => {
            if *index < case.watches.len() {
                case.watches.remove(*index);
            }
        }
        Record::WatchMoved { index, contact } => {
            if let Some(watch) = case.watches.get_mut(*index) {
                *watch = Watch::Contact(contact.clone());
            }
        }
        _ => unreachable!("apply sends only records of lists here"),
    }
}

fn apply_cursor(case: &mut Case, record: &Record, stamp: Stamp) {
    match record {
        Record::Waiting { phase, limit_at, stretches, .. } => {
            case.cursor.phase = *phase;
            case.cursor.since.get_or_insert(stamp.at);
            case.cursor.limit_at = *limit_at;
            case.cursor.stretches = *stretches;
        }
        Record::Again { channel, round, not_before, reason, .. } => {
            case.cursor.phase = Phase::Pending;
            case.cursor.channel = *channel;
            case.cursor.stretches = reason == "repeat";
            case.cursor.round = *round;
            case.cursor.not_before = *not_before;
            case.cursor.rule = Some(reason.clone());
            case.cursor.due_since = None;
            case.cursor.since = None;
        }
        Record::Ended { place, end, outcome, next, rolled_days } => {
            let held_days = case.clock.held_days;
            let mark = mark_of(case, place, stamp);
            mark.end = *end;
            mark.at = stamp.at;
            mark.on = stamp.local;
            mark.held_days = held_days;
            mark.outcome.clone_from(outcome);
            case.last_end = Some(LastEnd { at: stamp.at, held_days });
            case.rolled_days = *rolled_days;
            case.cursor = Cursor { position: *next, group: case.cursor.group, ..Cursor::default() };
        }
        Record::Jump { to, days, .. } => {
            case.clock.skipped_days += days;
            case.rolled_days = 0;
            case.cursor = Cursor { position: *to, ..Cursor::default() };
            case.last_end = Some(LastEnd { at: stamp.at, held_days: case.clock.held_days });
        }
        Record::Anchored { anchor, .. } => case.clock.anchor = *anchor,
        Record::Restarted { generation, anchor } => {
            case.generation = *generation;
            // A hold that outlives the restart goes on stopping the new clock.
            let held_since = (!case.holds.is_empty()).then_some(stamp.at);
            case.clock = Clock { anchor: *anchor, held_days: 0, skipped_days: 0, held_since };
            case.cursor = Cursor::default();
            case.last_end = None;
            case.rolled_days = 0;
            case.approvals.clear();
            case.placed_with = None;
            // What is still on its way belongs to no step of the new round.
            case.in_flight.values_mut().for_each(|state| state.of_cursor = false);
        }
        Record::Split { place, arm, to } => {
            case.splits.insert(place.step.clone(), arm.clone());
            case.cursor = Cursor { position: *to, ..Cursor::default() };
        }
        Record::VersionChanged { version, bundle, content, position } => {
            case.version = *version;
            case.bundle = *bundle;
            case.content = *content;
            case.cursor.position = *position;
        }
        _ => unreachable!("apply sends only records of the cursor here"),
    }
}

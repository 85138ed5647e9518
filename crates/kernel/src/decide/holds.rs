//! Holds: they stop the cursor and the clock; their limits and events end them.

use super::{Flow, Walk};
use crate::case::{End, Hold, Phase, midnights};
use crate::event::Event;
use crate::ids::TaskId;
use crate::playbook::{Outlet, Step, Until, Verb};
use crate::record::Record;
use crate::schedule;
use crate::time::{Span, Timestamp};
use std::sync::Arc;

/// Where a placement names no `within`.
const PLACEMENT_WITHIN: Span = Span::days(180);

/// The judgement of a promise ends its hold, whichever way it goes.
pub(super) const JUDGED: &str = "promise.judged";

impl Walk<'_> {
    /// Opens the hold of a step. A hold of the same name gives way: only the final set counts.
    pub(super) fn open_hold(&mut self, position: usize, event: Option<&Arc<Event>>) -> Flow {
        let Some(step) = self.step(position) else { return Ok(()) };
        let Verb::Hold(name) = &step.verb else { return Ok(()) };
        let place = self.place(position);
        let mut hold = self.hold(name, Some(position));
        match &step.options.until {
            None => {}
            Some(Until::Event(event)) => hold.event = Some(event.clone()),
            Some(Until::On(date)) => hold.until = Some(schedule::end_of(*date, self.zone)),
            Some(Until::Date(id)) => {
                let value = self.eval(&place, "until", *id, event)?;
                hold.until = value.as_date().map(|date| schedule::end_of(date, self.zone));
            }
        }
        if let Some(span) = step.options.at_most {
            hold.limit_at = Some(schedule::limit(&self.staff, self.zone, self.now, span));
        }
        if let Some(event) = event.filter(|event| name == "promise" && event.name == "promise.made") {
            let judged = self.promise_limit(event);
            hold.event = Some(JUDGED.to_owned());
            // Only an `until` before the limit ends it earlier than the judgement.
            hold.until = hold.until.filter(|until| *until < judged);
        }
        self.push_hold(hold);
        Ok(())
    }

    fn hold(&self, name: &str, step: Option<usize>) -> Hold {
        Hold { name: name.to_owned(), opened_at: self.now, event: None, until: None, limit_at: None, step, task: None }
    }

    fn push_hold(&mut self, mut hold: Hold) {
        if let Some(old) = self.case.holds.iter().find(|old| old.name == hold.name) {
            if hold.event.as_deref() == Some(JUDGED) && old.opened_at == hold.opened_at {
                hold.step = hold.step.or(old.step);
            }
            // Replacing keeps the clock stopped: the new one opens before the old one goes.
            self.emit(Record::HoldMoved { hold });
            return;
        }
        self.emit(Record::HoldOpened { hold });
    }

    /// End of the promised date plus the policy's grace: the judgement falls then.
    fn promise_limit(&self, event: &Event) -> Timestamp {
        let date = event.field("limit").as_date().or_else(|| {
            let promised = event.field("date").as_date()?;
            Some(self.calendar.add(promised, self.input.law.promise_grace()))
        });
        date.map_or(self.now, |date| schedule::end_of(date, self.zone))
    }

    /// The hold that a promise opens by itself where no handler did.
    pub(super) fn hold_promise(&mut self) {
        if !self.case.holds.iter().any(|hold| hold.name == "promise") {
            let hold = Hold { event: Some(JUDGED.to_owned()), ..self.hold("promise", None) };
            self.push_hold(hold);
        }
    }

    /// The hold that an active plan opens by itself where no handler did.
    pub(super) fn hold_plan(&mut self) {
        if !self.case.holds.iter().any(|hold| hold.name == "plan") {
            let hold = Hold { event: Some("plan.completed".to_owned()), ..self.hold("plan", None) };
            self.push_hold(hold);
        }
    }

    /// A hold that people placed in the ledger. Its end is its own: no playbook lengthens or shortens it.
    pub(super) fn hold_of_ledger(&mut self, event: &Event) {
        let until = event.field("until").as_date().map(|date| schedule::end_of(date, self.zone));
        let name = format!("{}{})", ledger_hold(event), event.text("reason"));
        let hold = Hold { until, ..self.hold(&name, None) };
        self.push_hold(hold);
    }

    /// People released a hold of the ledger before its end.
    pub(super) fn release_of_ledger(&mut self, event: &Event) {
        let start = ledger_hold(event);
        let name = self.case.holds.iter().find(|hold| hold.name.starts_with(&start)).map(|hold| hold.name.clone());
        if let Some(name) = name {
            self.close_hold(&name, &event.name, event.at);
        }
    }

    /// A built-in hold with its review task: insolvency, death, attorney, cease.
    pub(super) fn hold_for_review(&mut self, name: &str) {
        let place = self.place(self.case.cursor.position);
        let task = self.open_engine_task(place, &format!("review-{name}"));
        let hold = Hold { task: Some(task), ..self.hold(name, None) };
        self.push_hold(hold);
    }

    /// `hold_while_open`: the task keeps the case held.
    pub(super) fn open_task_hold(&mut self, task: TaskId, position: usize) {
        let name = format!("task {}", self.place(position).step);
        let hold = Hold { task: Some(task), ..self.hold(&name, Some(position)) };
        self.push_hold(hold);
    }

    /// While placed, the case is held.
    pub(super) fn hold_placement(&mut self, position: usize) {
        let span = self.step(position).and_then(|step| step.options.within).unwrap_or(PLACEMENT_WITHIN);
        let limit_at = Some(schedule::limit(&self.staff, self.zone, self.now, span));
        let hold = Hold { limit_at, ..self.hold("placement", Some(position)) };
        self.push_hold(hold);
    }

    /// Closes a hold as of an instant: a worker that comes late must not stretch it.
    pub(super) fn close_hold(&mut self, name: &str, reason: &str, at: Timestamp) {
        let last = self.case.holds.len() == 1;
        let since = self.case.clock.held_since.filter(|_| last);
        let held_days = since.map_or(0, |since| midnights(since, at.min(self.now), self.zone));
        self.emit(Record::HoldClosed { name: name.to_owned(), reason: reason.to_owned(), held_days });
        if last && held_days > 0 {
            self.stretch(held_days);
        }
    }

    /// Waits and repeats count no held dates: their limits move along.
    fn stretch(&mut self, held_days: i64) {
        let cursor = self.case.cursor.clone();
        if !cursor.stretches {
            return;
        }
        let place = self.place(cursor.position);
        let moved = |at: Timestamp| {
            let local = at.local(self.zone);
            Timestamp::at_local(crate::case::shift(local.date(), held_days), local.time(), self.zone)
        };
        if let (Phase::Acting, Some(limit)) = (cursor.phase, cursor.limit_at) {
            let limit_at = Some(moved(limit));
            self.emit(Record::Waiting { place, phase: cursor.phase, limit_at, stretches: true });
        } else if let Some(not_before) = cursor.not_before {
            self.emit(Record::Again {
                place,
                channel: cursor.channel,
                round: cursor.round,
                not_before: Some(moved(not_before)),
                reason: "repeat".to_owned(),
            });
        }
    }

    /// Holds that an event ends.
    pub(super) fn release_by(&mut self, event: &Event) -> Flow {
        let judged = matches!(event.name.as_str(), "promise.kept" | "promise.broken" | "promise.cancelled");
        let plan_over = matches!(event.name.as_str(), "plan.defaulted" | "plan.completed" | "plan.cancelled");
        let placement_over = matches!(event.name.as_str(), "placement.returned" | "placement.closed");
        let ends = |hold: &Hold| match hold.event.as_deref() {
            Some(JUDGED) => judged,
            Some(name) if name == event.name => true,
            _ => (hold.name == "plan" && plan_over) || (hold.name == "placement" && placement_over),
        };
        let names: Vec<_> = self.case.holds.iter().filter(|hold| ends(hold)).map(|hold| hold.name.clone()).collect();
        for name in names {
            self.close_hold(&name, &event.name, event.at);
            self.end_step_of_hold(&name, &Outlet::Next, &event.name)?;
        }
        Ok(())
    }

    /// A stage's `hold` and a placement end with their hold.
    fn end_step_of_hold(&mut self, name: &str, outlet: &Outlet, outcome: &str) -> Flow {
        let position = self.case.cursor.position;
        let Some(step) = self.step(position).filter(|_| self.case.cursor.phase == Phase::Acting) else { return Ok(()) };
        let of_step = match &step.verb {
            Verb::Hold(own) => own == name,
            Verb::Escalate(_) | Verb::Outsource(_) => name == "placement",
            _ => false,
        };
        if of_step { self.take_outlet(End::Done, outcome, outlet) } else { Ok(()) }
    }

    /// Holds whose date or longest life has passed. Says whether anything moved.
    pub(super) fn time_out_holds(&mut self) -> Flow<bool> {
        let passed = |at: Option<Timestamp>| at.is_some_and(|at| at <= self.now);
        let due = self.case.holds.iter().find(|hold| passed(hold.until) || passed(hold.limit_at)).cloned();
        let Some(hold) = due else {
            let next = self.case.holds.iter().flat_map(|hold| [hold.until, hold.limit_at]).flatten().min();
            if let Some(at) = next {
                self.want(at, || "end of a hold".to_owned());
            }
            return Ok(false);
        };
        if let Some(until) = hold.until.filter(|until| *until <= self.now) {
            self.close_hold(&hold.name, "until", until);
            self.end_step_of_hold(&hold.name, &Outlet::Next, "until")?;
            return Ok(true);
        }
        self.hold_limit(&hold)?;
        Ok(true)
    }

    fn hold_limit(&mut self, hold: &Hold) -> Flow {
        let step = hold.step.and_then(|position| self.step(position));
        let outlet = step.and_then(|step| step.options.on_timeout.clone()).unwrap_or(Outlet::Next);
        if let (Outlet::Remind(role), Some(step), Some(position)) = (&outlet, step, hold.step) {
            let place = self.place(position);
            let to = self.text_arg(&place, "remind", Some(role), None)?.unwrap_or_default();
            self.notify(&to, &step.path, &hold.name);
            let limit_at = Some(schedule::limit(&self.staff, self.zone, self.now, life_of(step)));
            self.emit(Record::HoldMoved { hold: Hold { limit_at, ..hold.clone() } });
            return Ok(());
        }
        if let Some(agency) = self.case.placed_with.clone().filter(|_| hold.name == "placement") {
            self.order_recall(&agency);
        }
        self.close_hold(&hold.name, "limit", hold.limit_at.unwrap_or(self.now));
        let in_stage = hold.step.is_some_and(|position| position < self.playbook.cursor_len);
        if in_stage {
            self.end_step_of_hold(&hold.name, &outlet, "timed_out")
        } else {
            self.run_outlet_beside(&outlet, &hold.name, None)
        }
    }
}

/// How the name of a ledger's hold begins among the holds of a case: each of them ends by itself.
fn ledger_hold(event: &Event) -> String {
    format!("hold {} (", event.text("hold"))
}

/// Whether the ledger ends a hold: people placed it, or a plan stands.
pub(super) fn is_of_ledger(name: &str) -> bool {
    name == "plan" || (name.starts_with("hold ") && name.ends_with(')'))
}

fn life_of(step: &Step) -> Span {
    step.options.at_most.or(step.options.within).unwrap_or(PLACEMENT_WITHIN)
}

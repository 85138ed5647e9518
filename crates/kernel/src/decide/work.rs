//! Work for people: opened, answered, asked again, timed out.

use super::{ClosedTask, Flow, Stop, Walk};
use crate::case::{Approval, Case, End, Phase, Watch, Work};
use crate::effect::NewTask;
use crate::event::Event;
use crate::ids::{EffectId, GroupId, Hash, TaskId};
use crate::playbook::{Outlet, Step, Verb};
use crate::record::{Place, Record};
use crate::schedule;
use crate::step::OUTCOMES_OF_WORK;
use crate::time::{Span, Timestamp};
use crate::value::Value;
use std::sync::Arc;

/// Answers of a person who looked whether a message left.
pub(super) const SENT: &str = "sent";
const NOT_SENT: &str = "not_sent";

/// How long a fix may take before it is shown as overdue.
const FIX_WITHIN: Span = Span::working_days(1);

/// How a piece of work is opened.
pub(super) struct Opening {
    /// Step.
    pub(super) position: usize,
    /// Part of the id.
    pub(super) occurrence: u32,
    /// Try of `attempts`, from 1.
    pub(super) attempt: u32,
    /// Limit kept from an earlier try.
    pub(super) limit_at: Option<Timestamp>,
    /// Covered position that waits for a renewed approval.
    pub(super) renews: Option<usize>,
    /// The cursor waits for it.
    pub(super) blocks: bool,
    /// The handler's event.
    pub(super) event: Option<Arc<Event>>,
}

/// The id of a piece of work: a repeated turn opens the same one.
fn task_id(case: &Case, path: &str, occurrence: u32, attempt: u32, renews: Option<usize>) -> TaskId {
    TaskId::derive(&[
        &case.id.to_string(),
        &case.generation.to_string(),
        path,
        &occurrence.to_string(),
        &attempt.to_string(),
        &renews.map_or(String::new(), |position| position.to_string()),
    ])
}

/// The groups under which the contact ledger knows the tries of a call before and including one.
pub(crate) fn tries(case: &Case, path: &str, occurrence: u32, last: u32) -> Vec<GroupId> {
    (1..=last).map(|attempt| GroupId::of_call(task_id(case, path, occurrence, attempt, None))).collect()
}

impl Walk<'_> {
    /// Opens the work of a `call`, `task` or `approve`.
    pub(super) fn open_work(&mut self, opening: &Opening) -> Flow {
        let Some(step) = self.step(opening.position) else { return Ok(()) };
        let (Verb::Call(subject) | Verb::Task(subject) | Verb::Approve(subject)) = &step.verb else { return Ok(()) };
        let place = self.place(opening.position);
        let assigned = self.text_arg(&place, "assign", step.options.assign.as_ref(), opening.event.as_ref())?;
        let assignee = match (&step.verb, assigned) {
            (_, Some(person)) => person,
            (Verb::Approve(_), None) => step.options.by.join(", "),
            (_, None) => self.playbook.owner.clone(),
        };
        let limit_at = match opening.limit_at {
            Some(limit) => Some(limit),
            None => self.work_limit(step, &place, opening.event.as_ref())?,
        };
        let id = self.task_id(&step.path, opening.occurrence, opening.attempt, opening.renews);
        let work = Work {
            id,
            kind: step.verb.name().to_owned(),
            step: Some(opening.position),
            assignee,
            opened_at: self.now,
            opened_rev: self.case.rev,
            limit_at,
            attempt: opening.attempt,
            occurrence: opening.occurrence,
            missing: if matches!(step.verb, Verb::Approve(_)) { step.options.by.clone() } else { Vec::new() },
            answered_by: Vec::new(),
            renews: opening.renews,
            effect: None,
        };
        self.push_work(place, work, subject, outcomes_of(step), step.options.by.clone(), opening.blocks);
        if step.options.hold_while_open {
            self.open_task_hold(id, opening.position);
        }
        Ok(())
    }

    fn push_work(
        &mut self,
        place: Place,
        work: Work,
        subject: &str,
        outcomes: Vec<String>,
        by: Vec<String>,
        blocks: bool,
    ) {
        self.opened.push(NewTask {
            id: work.id,
            kind: work.kind.clone(),
            subject: subject.to_owned(),
            assignee: work.assignee.clone(),
            limit_at: work.limit_at,
            outcomes,
            seen: self.seen_hash(&place.step),
            opened_at: self.now,
            step: place.step.clone(),
            by,
        });
        self.emit(Record::WorkOpened { place, work, blocks });
    }

    /// What a person is shown, by hash: step, principal, claimable, content.
    fn seen_hash(&self, step: &str) -> Hash {
        let invoice = &self.facts.invoice;
        Hash::of(
            format!("{step}|{}|{}|{}", invoice.balance_minor, invoice.claimable_minor(), self.case.content).as_bytes(),
        )
    }

    pub(super) fn task_id(&self, path: &str, occurrence: u32, attempt: u32, renews: Option<usize>) -> TaskId {
        task_id(&self.case, path, occurrence, attempt, renews)
    }

    fn work_limit(&mut self, step: &Step, place: &Place, event: Option<&Arc<Event>>) -> Flow<Option<Timestamp>> {
        if let Some(due) = step.options.due {
            let value = self.eval(place, "due", due, event)?;
            return Ok(value.as_date().map(|date| schedule::end_of(date, self.zone)));
        }
        Ok(step.options.within.map(|span| schedule::limit(&self.staff, self.zone, self.now, span)))
    }

    /// Work that the engine opens itself: a fix, a review, a second person's approval.
    pub(super) fn open_engine_task(&mut self, place: Place, subject: &str) -> TaskId {
        self.open_own_work(place, subject, None)
    }

    /// Nobody knows whether an effect left: a person looks and says.
    pub(super) fn ask_whether_it_left(&mut self, place: Place, effect: EffectId) {
        self.open_own_work(place, "resolve-unknown-outcome", Some(effect));
    }

    fn open_own_work(&mut self, place: Place, subject: &str, effect: Option<EffectId>) -> TaskId {
        let id = self.task_id(&format!("engine/{subject}/{}", self.case.rev), 0, 0, None);
        let approval = subject.starts_with("approve-");
        let work = Work {
            id,
            kind: if approval { "approve" } else { "fix" }.to_owned(),
            step: None,
            assignee: self.playbook.owner.clone(),
            opened_at: self.now,
            opened_rev: self.case.rev,
            limit_at: (!approval).then(|| schedule::limit(&self.staff, self.zone, self.now, FIX_WITHIN)),
            attempt: 1,
            occurrence: 0,
            missing: Vec::new(),
            answered_by: Vec::new(),
            renews: None,
            effect,
        };
        let answers: &[&str] = match (approval, effect) {
            (true, _) => &["approved", "rejected"],
            (false, Some(_)) => &[SENT, NOT_SENT],
            (false, None) => &["done"],
        };
        let outcomes = answers.iter().map(|name| (*name).to_owned()).collect();
        self.push_work(place, work, subject, outcomes, Vec::new(), false);
        id
    }

    /// Closes work and the hold that it kept open.
    pub(super) fn close_work(&mut self, task: TaskId, outcome: &str, by: &str) {
        self.closed.push(ClosedTask { id: task, outcome: outcome.to_owned() });
        self.emit(Record::WorkClosed { task, outcome: outcome.to_owned(), by: by.to_owned() });
        let held = self.case.holds.iter().find(|hold| hold.task == Some(task)).map(|hold| hold.name.clone());
        if let Some(name) = held {
            self.close_hold(&name, "task closed", self.now);
        }
    }

    /// A person's answer.
    pub(super) fn answer_work(&mut self, event: &Arc<Event>) -> Flow {
        let task: Option<TaskId> = event.text("task").parse().ok();
        let Some(work) = task.and_then(|id| self.case.work.iter().find(|work| work.id == id)).cloned() else {
            self.emit(Record::Ignored {
                what: format!("answer to task {}", event.text("task")),
                reason: "the task is closed".to_owned(),
            });
            return Ok(());
        };
        let outcome = event.text("outcome").to_owned();
        let by = event.text("by").to_owned();
        let Some(position) = work.step else {
            self.close_work(work.id, &outcome, &by);
            return match work.effect {
                Some(effect) => self.resolve(effect, &outcome, event),
                None => Ok(()),
            };
        };
        if work.kind == "approve" && outcome == "approved" {
            return self.approve(work, position, &by);
        }
        self.close_work(work.id, &outcome, &by);
        let Some(step) = self.step(position) else { return Ok(()) };
        if self.calls_again(&work, step, event) {
            return Ok(());
        }
        let outlet = match (outcome.as_str(), &step.options.on_reject) {
            ("rejected", Some(outlet)) => outlet.clone(),
            _ => step.options.outcomes.get(&outcome).cloned().unwrap_or(Outlet::Next),
        };
        self.end_of_work(&work, position, &outcome, &outlet, Some(event))
    }

    /// Nobody answered, or they asked to be called later: the call is opened again until its limit.
    fn calls_again(&mut self, work: &Work, step: &Step, event: &Event) -> bool {
        let Verb::Call(_) = step.verb else { return false };
        let due_at = match (event.text("outcome"), step.options.attempts) {
            ("no_answer" | "voicemail", Some(attempts)) if work.attempt < attempts.times => {
                Some(self.span_from_now(attempts.every))
            }
            ("callback", _) => callback_at(event),
            _ => None,
        };
        let Some(due_at) = due_at.filter(|due| work.limit_at.is_none_or(|limit| *due < limit)) else { return false };
        let position = work.step.unwrap_or(usize::MAX);
        let place = self.place(position);
        if self.blocks_cursor(work) {
            self.emit(Record::Waiting {
                place: place.clone(),
                phase: Phase::Acting,
                limit_at: work.limit_at,
                stretches: false,
            });
        }
        let (attempt, occurrence, limit_at) = (work.attempt + 1, work.occurrence, work.limit_at);
        let watch = Watch::Recall { step: position, attempt, occurrence, due_at, limit_at, told: None };
        self.emit(Record::WatchOpened { place, watch });
        true
    }

    fn blocks_cursor(&self, work: &Work) -> bool {
        let cursor = &self.case.cursor;
        match work.renews {
            Some(position) => cursor.position == position && cursor.phase == Phase::Ready,
            None => work.step == Some(cursor.position) && cursor.phase == Phase::Acting,
        }
    }

    fn approve(&mut self, mut work: Work, position: usize, by: &str) -> Flow {
        if work.answered_by.iter().any(|person| person == by) && work.missing.len() > 1 {
            self.emit(Record::Ignored {
                what: format!("second approval by {by}"),
                reason: "every role needs a different person".to_owned(),
            });
            return Ok(());
        }
        work.answered_by.push(by.to_owned());
        if work.missing.len() > 1 {
            work.missing.remove(0);
            self.emit(Record::WorkMoved { work, reason: format!("approved by {by}, others are asked") });
            return Ok(());
        }
        let blocks = self.blocks_cursor(&work);
        self.close_work(work.id, "approved", by);
        let Some(step) = self.step(position) else { return Ok(()) };
        self.emit(Record::Approved {
            approval: Approval {
                step: position,
                at: self.now,
                by: work.answered_by.clone(),
                balance_minor: self.facts.invoice.balance_minor,
                content: self.case.content,
                covers: step.options.covers.clone(),
            },
        });
        if let (true, Some(covered)) = (blocks, work.renews) {
            let place = self.place(covered);
            let (channel, round) = (self.case.cursor.channel, self.case.cursor.round);
            self.emit(Record::Again { place, channel, round, not_before: None, reason: "approved again".to_owned() });
            return Ok(());
        }
        let outlet = step.options.outcomes.get("approved").cloned().unwrap_or(Outlet::Next);
        self.end_of_work(&work, position, "approved", &outlet, None)
    }

    /// Takes the outlet of work that ended: in place where the cursor waited for it, beside it in a handler.
    fn end_of_work(
        &mut self,
        work: &Work,
        position: usize,
        outcome: &str,
        outlet: &Outlet,
        event: Option<&Arc<Event>>,
    ) -> Flow {
        let in_handler = position >= self.playbook.cursor_len;
        if in_handler {
            if let (Outlet::Steps(steps), "call") = (outlet, work.kind.as_str()) {
                return self.run_steps_beside(steps, GroupId::of_call(work.id), event);
            }
            return self.run_outlet_beside(outlet, &work.id.to_string(), event);
        }
        let blocked = match work.renews {
            Some(covered) => self.case.cursor.position == covered && self.case.cursor.phase == Phase::Ready,
            None => self.case.cursor.position == position && self.case.cursor.phase == Phase::Acting,
        };
        if !blocked {
            return Ok(());
        }
        if work.renews.is_some() && matches!(outlet, Outlet::Next | Outlet::Steps(_) | Outlet::Remind(_)) {
            // The approve step lies behind the cursor; only a jump or an end may follow a late no.
            let place = self.place(self.case.cursor.position);
            self.emit(Record::Skipped { place, reason: format!("approval {outcome}") });
            let next = self.step(self.case.cursor.position).map_or(0, |step| step.next);
            self.end_step(End::Skipped, outcome, next);
            return Ok(());
        }
        self.take_outlet(End::Done, outcome, outlet)
    }

    /// Limits of open work that have passed. Says whether anything moved.
    pub(super) fn time_out_work(&mut self) -> Flow<bool> {
        let due = self.case.work.iter().find(|work| work.limit_at.is_some_and(|limit| limit <= self.now)).cloned();
        let Some(work) = due else {
            let next = self.case.work.iter().filter_map(|work| work.limit_at).min();
            if let Some(limit) = next {
                self.want(limit, || "limit of open work".to_owned());
            }
            return Ok(false);
        };
        let Some(position) = work.step else {
            // Nobody mended it in time: it stays open, shown as overdue, and the owner is told once.
            let owner = self.playbook.owner.clone();
            self.notify(&owner, "overdue work", &work.id.to_string());
            self.emit(Record::WorkMoved { work: Work { limit_at: None, ..work }, reason: "overdue".to_owned() });
            return Ok(true);
        };
        let Some(step) = self.step(position) else { return Ok(false) };
        let outlet = step.options.on_timeout.clone().unwrap_or(Outlet::Next);
        if let Outlet::Remind(role) = &outlet {
            self.remind_work(work, step, role)?;
            return Ok(true);
        }
        self.close_work(work.id, "timed_out", "");
        self.end_of_work(&work, position, "timed_out", &outlet, None)?;
        self.raise("task.timed_out", &[("task", Value::text(work.id.to_string()))], &work.id.to_string())?;
        Ok(true)
    }

    fn remind_work(&mut self, work: Work, step: &Step, role: &crate::expr::Arg<String>) -> Flow {
        let place = self.place(work.step.unwrap_or(usize::MAX));
        let to = self.text_arg(&place, "remind", Some(role), None)?.unwrap_or_default();
        self.notify(&to, &step.path, &work.id.to_string());
        let span = step.options.within.unwrap_or(FIX_WITHIN);
        let limit_at = Some(schedule::limit(&self.staff, self.zone, self.now, span));
        self.emit(Record::WorkMoved { work: Work { limit_at, ..work }, reason: format!("reminded {to}") });
        Ok(())
    }

    /// Raises an event that the case itself brings about, for its handlers. It is dropped where none names it.
    pub(super) fn raise(&mut self, name: &str, fields: &[(&str, Value)], key: &str) -> Flow {
        if !self.playbook.handlers.iter().any(|handler| handler.event == name) || self.case.is_finished() {
            return Ok(());
        }
        let event = Event {
            id: crate::ids::EventId::derive(&[&self.case.id.to_string(), name, key, &self.case.rev.to_string()]),
            name: name.to_owned(),
            at: self.now,
            actor: "case".to_owned(),
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        };
        match self.take_event(&event) {
            Ok(()) => Ok(()),
            Err(stop @ (Stop::Slow(_) | Stop::Parked)) => Err(stop),
        }
    }
}

/// When the customer asked to be called again.
fn callback_at(event: &Event) -> Option<Timestamp> {
    match event.field("at") {
        Value::Instant(at) => Some(*at),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}

fn outcomes_of(step: &Step) -> Vec<String> {
    let base: &[&str] = match step.verb {
        Verb::Approve(_) => &["approved", "rejected"],
        _ => OUTCOMES_OF_WORK,
    };
    let mut all: Vec<String> = base.iter().map(|name| (*name).to_owned()).collect();
    all.extend(step.options.outcomes.keys().filter(|name| !base.contains(&name.as_str())).cloned());
    all
}

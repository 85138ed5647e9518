//! News: operators' acts, answers of people, outcomes of effects, and everything handlers may take.

use super::holds::JUDGED;
use super::{Flow, Stop, Walk, ends};
use crate::case::{End, InFlight, PendingContact, Phase, Status, Watch, is_limit};
use crate::effect::EffectKind;
use crate::event::Event;
use crate::ids::EffectId;
use crate::money::Money;
use crate::playbook::{Handler, Outcome, Outlet, Then, Verb};
use crate::record::Record;
use crate::time::Timestamp;
use crate::value::Value;
use std::sync::Arc;

/// What a failed event is rolled back to.
struct Saved {
    case: crate::case::Case,
    records: usize,
    effects: usize,
    recalls: usize,
    resolved: usize,
    opened: usize,
    closed: usize,
}

impl Walk<'_> {
    /// Takes the waiting events in arrival order; operators' acts first where the case is stopped.
    pub(super) fn take_news(&mut self, events: &[Event]) -> Flow {
        let stopped = self.case.trouble.is_some() || self.case.paused.is_some();
        if stopped {
            for event in events.iter().filter(|event| event.name.starts_with("operator.")) {
                self.take_event(event)?;
                self.consumed.push(event.id);
            }
        }
        for event in events.iter().filter(|event| !stopped || !event.name.starts_with("operator.")) {
            if !self.may_take(event) {
                continue;
            }
            let before = self.save();
            match self.take_event(event) {
                Ok(()) => self.consumed.push(event.id),
                Err(Stop::Parked) => self.unread(before),
                Err(stop @ Stop::Slow(_)) => return Err(stop),
            }
        }
        Ok(())
    }

    fn save(&self) -> Saved {
        Saved {
            case: self.case.clone(),
            records: self.records.len(),
            effects: self.effects.len(),
            recalls: self.recalls.len(),
            resolved: self.resolved.len(),
            opened: self.opened.len(),
            closed: self.closed.len(),
        }
    }

    /// An event whose handling failed stays unread as a whole: nothing of it remains but the reason.
    fn unread(&mut self, before: Saved) {
        let failed = self.records.drain(before.records..).find_map(|record| match record {
            Record::Error { place, message, parks: true } => Some((place, message)),
            _ => None,
        });
        self.case = before.case;
        self.vars = None;
        self.effects.truncate(before.effects);
        self.recalls.truncate(before.recalls);
        self.resolved.truncate(before.resolved);
        self.opened.truncate(before.opened);
        self.closed.truncate(before.closed);
        if let Some((place, message)) = failed {
            self.park(place, message);
        }
    }

    /// While stopped only money, agreements, holds, outcomes and operators' acts are heard; the rest stays unread.
    fn may_take(&self, event: &Event) -> bool {
        if self.case.trouble.is_none() && self.case.paused.is_none() {
            return true;
        }
        let topic = event.name.split('.').next().unwrap_or("");
        matches!(
            topic,
            "invoice" | "dispute" | "promise" | "plan" | "hold" | "exception" | "law" | "operator" | "outcome"
        )
    }

    /// Takes one event. An error means it stays unread.
    pub(super) fn take_event(&mut self, event: &Event) -> Flow {
        if self.case.seen.contains(&event.id) {
            self.emit(Record::Ignored { what: event.name.clone(), reason: "duplicate".to_owned() });
            return Ok(());
        }
        if let Some(outcome) = event.name.strip_prefix("outcome.") {
            return self.take_outcome(outcome, event);
        }
        if self.case.is_finished() {
            self.emit(Record::Event { event: event.clone(), answer: false });
            let reason = format!("the case is {}", self.case.outcome.map_or("over", Outcome::name));
            self.emit(Record::Ignored { what: event.name.clone(), reason });
            if event.name == "task.done" {
                return self.close_left_over(event);
            }
            return Ok(());
        }
        if event.name == "invoice.paid" && self.is_owed() {
            self.emit(Record::Event { event: event.clone(), answer: false });
            let reason = "the money was taken back before the case heard of it".to_owned();
            self.emit(Record::Ignored { what: event.name.clone(), reason });
            return Ok(());
        }
        let event = Arc::new(event.clone());
        // The handler is chosen before anything is written, so that a failing condition leaves the event unread.
        let chosen = self.choose_handler(&event)?;
        let answer = event.is_answer();
        self.emit(Record::Event { event: (*event).clone(), answer });
        if let Some(act) = event.name.strip_prefix("operator.") {
            self.operator(act, &event);
            return Ok(());
        }
        if event.name == "exception.begun" {
            self.plan_again(&format!("exception {}", event.text("exception")));
            return Ok(());
        }
        if event.name == "law.changed" {
            self.plan_again("a calendar or policy changed");
            return Ok(());
        }
        if answer {
            self.drop_second_tries("customer answered");
        }
        if event.name == "task.done" {
            self.answer_work(&event)?;
        }
        self.release_by(&event)?;
        if self.case.is_finished() {
            return Ok(());
        }
        let resumes = match chosen {
            Some(handler) => {
                let holds = self.case.holds.len();
                let resumes = self.run_handler(handler, &event)?;
                if self.case.holds.len() <= holds {
                    self.protect(&event);
                }
                resumes
            }
            None => self.built_in(&event),
        };
        self.hold_by_itself(&event);
        if resumes && !self.case.is_finished() {
            self.offer_to_waiting(&event)?;
        }
        Ok(())
    }

    /// Whether the ledger asks for more than the playbook tolerates, whatever the news say.
    fn is_owed(&self) -> bool {
        let invoice = &self.facts.invoice;
        let balance = Money::new(invoice.balance_minor, invoice.currency).to_decimal();
        !invoice.closed && balance > self.playbook.tolerance
    }

    /// Work left open by the finish: its late answer closes it.
    fn close_left_over(&mut self, event: &Event) -> Flow {
        let open = self.case.work.iter().find(|work| work.id.to_string() == event.text("task"));
        if let Some((task, effect)) = open.map(|work| (work.id, work.effect)) {
            self.close_work(task, event.text("outcome"), event.text("by"));
            if let Some(effect) = effect {
                return self.resolve(effect, event.text("outcome"), event);
            }
        }
        Ok(())
    }

    /// A person's word on an effect of which nobody knew whether it left: the case goes on as if the channel had said it.
    pub(super) fn resolve(&mut self, effect: EffectId, outcome: &str, event: &Event) -> Flow {
        let sent = outcome == super::work::SENT;
        self.resolved.push((effect, sent));
        let Some(state) = self.case.in_flight.get(&effect).cloned() else {
            // A jump left its step meanwhile.
            let state = if sent { "late accepted" } else { "late failed" };
            self.emit(Record::Delivery { effect, state: state.to_owned(), reason: event.text("by").to_owned() });
            return Ok(());
        };
        if sent {
            self.accepted(effect, &state, event);
            return Ok(());
        }
        let reason = format!("not sent, says {}", event.text("by"));
        self.emit(Record::Delivery { effect, state: "failed".to_owned(), reason: reason.clone() });
        self.next_channel(effect, &state, &reason)
    }

    /// Walks `whenever` from the top; the first whose event equals and whose `when` is true takes it.
    fn choose_handler(&mut self, event: &Arc<Event>) -> Flow<Option<usize>> {
        let playbook = self.playbook;
        for (index, handler) in playbook.handlers.iter().enumerate() {
            if handler.event != event.name {
                continue;
            }
            let place = crate::record::Place {
                stage: String::new(),
                step: format!("whenever/{}", handler.event),
                line: handler.line,
                position: usize::MAX,
            };
            if self.holds_true(&place, "handler_when", handler.when, Some(event))? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Runs a handler. Says whether the event is also offered to the step that waits for it.
    fn run_handler(&mut self, index: usize, event: &Arc<Event>) -> Flow<bool> {
        let playbook = self.playbook;
        let handler: &Handler = &playbook.handlers[index];
        self.emit(Record::Handler { event: event.id, line: handler.line, then: then_text(playbook, &handler.then) });
        let group = self.group_of_handler(&handler.steps, event);
        self.run_steps_beside(&handler.steps, group, Some(event))?;
        match &handler.then {
            Then::Resume => return Ok(true),
            Then::Goto { stage, at_once } => {
                ends::jump(self, *stage, *at_once, &event.name);
            }
            Then::Finish(outcome) => ends::finish(self, *outcome, &event.name),
            Then::Handover(handover) => ends::hand_over(self, handover),
            Then::Restart => ends::restart(self, event),
        }
        Ok(false)
    }

    /// Whatever a handler does besides, it switches the protection of a person off by no list that holds nothing.
    fn protect(&mut self, event: &Event) {
        let review = review_of(&event.name).filter(|review| ["deceased", "cease"].contains(review));
        let Some(review) = review.filter(|_| !self.case.is_finished()) else { return };
        self.emit(Record::Handler { event: event.id, line: 0, then: format!("hold {review}") });
        self.hold_for_review(review);
    }

    /// Behind the playbook's own handlers: payment and cancellation end the case, protection holds everything.
    fn built_in(&mut self, event: &Arc<Event>) -> bool {
        let outcome = match event.name.as_str() {
            "invoice.paid" => Some(Outcome::Paid),
            "invoice.closed" => Some(Outcome::Closed),
            _ => None,
        };
        if let Some(outcome) = outcome {
            self.emit(Record::Handler { event: event.id, line: 0, then: format!("finish {}", outcome.name()) });
            ends::finish(self, outcome, &event.name);
            return false;
        }
        if let Some(review) = review_of(&event.name) {
            self.emit(Record::Handler { event: event.id, line: 0, then: format!("hold {review}") });
            self.hold_for_review(review);
        }
        if event.name == "invoice.due_changed"
            && let Some(anchor) = ends::new_due(event)
        {
            self.emit(Record::Anchored { anchor, reason: "due date changed".to_owned() });
        }
        true
    }

    fn hold_by_itself(&mut self, event: &Event) {
        if self.case.is_finished() {
            return;
        }
        match event.name.as_str() {
            "promise.made" if !self.case.holds.iter().any(|hold| hold.event.as_deref() == Some(JUDGED)) => {
                self.hold_promise();
            }
            "plan.accepted" => self.hold_plan(),
            "hold.placed" => self.hold_of_ledger(event),
            "hold.released" => self.release_of_ledger(event),
            _ => {}
        }
    }

    /// The step under the cursor may wait for just this.
    fn offer_to_waiting(&mut self, event: &Arc<Event>) -> Flow {
        let position = self.case.cursor.position;
        let Some(step) = self.step(position).filter(|_| position < self.playbook.cursor_len) else { return Ok(()) };
        let phase = self.case.cursor.phase;
        let ends_it = match &step.verb {
            Verb::WaitFor(name) => phase == Phase::Acting && *name == event.name,
            Verb::Send(_) | Verb::OfferPlan(_) => {
                phase == Phase::Settling && event.name == "contact.delivered" && names_step(event, &step.path)
            }
            Verb::Request(action) => {
                phase == Phase::Settling && event.name == "request.done" && event.text("action") == action
            }
            _ => false,
        };
        if ends_it {
            return self.take_outlet(End::Done, &event.name, &Outlet::Next);
        }
        let failed = matches!(&step.verb, Verb::Request(action)
            if phase == Phase::Settling && event.name == "request.failed" && event.text("action") == action);
        if failed {
            return self.exhausted(position, &[event.text("reason").to_owned()]);
        }
        Ok(())
    }

    fn operator(&mut self, act: &str, event: &Event) {
        let reason = format!("{}: {}", event.text("who"), event.text("why"));
        match act {
            "pause" => self.emit(Record::Running { state: "paused".to_owned(), reason }),
            "resume" => self.emit(Record::Running { state: "resumed".to_owned(), reason }),
            "retry" => self.emit(Record::Running { state: "retried".to_owned(), reason }),
            "cancel" => ends::finish(self, Outcome::Cancelled, &reason),
            "skip" => {
                let position = self.case.cursor.position;
                ends::leave_step(self, "skipped by an operator");
                self.emit(Record::Running { state: "retried".to_owned(), reason });
                self.skip(position, "operator");
            }
            "goto" => match self.stage_named(event.text("stage")) {
                Some(stage) => {
                    self.emit(Record::Running { state: "retried".to_owned(), reason: reason.clone() });
                    ends::jump(self, stage, true, &reason);
                }
                None => self.emit(Record::Ignored {
                    what: format!("goto {}", event.text("stage")),
                    reason: "the playbook has no such stage".to_owned(),
                }),
            },
            other => self.emit(Record::Ignored {
                what: format!("operator's {other}"),
                reason: "not possible in this version".to_owned(),
            }),
        }
    }

    /// What the limits said before no longer holds: the waits that have their day from them are worked out again.
    fn plan_again(&mut self, reason: &str) {
        let cursor = self.case.cursor.clone();
        let by_limit = cursor.not_before.is_some() && cursor.rule.as_deref().is_some_and(is_limit);
        if by_limit && cursor.phase == Phase::Pending {
            let place = self.place(cursor.position);
            let (channel, round, reason) = (cursor.channel, cursor.round, reason.to_owned());
            self.emit(Record::Again { place, channel, round, not_before: None, reason });
        }
        for index in 0..self.case.watches.len() {
            let Watch::Contact(contact) = &self.case.watches[index] else { continue };
            if contact.effect.is_none() && contact.not_before.is_some() {
                let contact = PendingContact { not_before: None, ..contact.clone() };
                self.emit(Record::WatchMoved { index, contact });
            }
        }
    }

    /// What became of an effect.
    fn take_outcome(&mut self, outcome: &str, event: &Event) -> Flow {
        let id: Option<EffectId> = event.text("effect").parse().ok();
        let known = id.and_then(|id| self.case.in_flight.get(&id).cloned().map(|state| (id, state)));
        let Some((effect, state)) = known else {
            return self.late_outcome(outcome, id, event);
        };
        let reason = event.text("reason").to_owned();
        match outcome {
            "accepted" => {
                self.accepted(effect, &state, event);
                Ok(())
            }
            "returned" => {
                self.returned(effect, &state, event);
                Ok(())
            }
            "unknown" => {
                self.emit(Record::Delivery { effect, state: "unknown".to_owned(), reason });
                let place = self.place(state.step);
                self.ask_whether_it_left(place, effect);
                Ok(())
            }
            other => {
                let word = if other == "refused" { "refused" } else { "failed" };
                self.emit(Record::Delivery { effect, state: word.to_owned(), reason: reason.clone() });
                self.next_channel(effect, &state, &reason)
            }
        }
    }

    fn late_outcome(&mut self, outcome: &str, id: Option<EffectId>, event: &Event) -> Flow {
        let Some(effect) = id else {
            self.emit(Record::Ignored { what: event.name.clone(), reason: "it names no effect".to_owned() });
            return Ok(());
        };
        let reason = event.text("reason").to_owned();
        if outcome != "bounced" {
            let state = format!("late {outcome}");
            self.emit(Record::Delivery { effect, state, reason });
            return Ok(());
        }
        self.emit(Record::Delivery { effect, state: "bounced".to_owned(), reason: reason.clone() });
        let recent = self.case.recent.iter().rfind(|sent| sent.effect == effect).cloned();
        let latest = self.case.recent.last().map(|sent| sent.effect);
        let Some(sent) = recent.filter(|sent| latest == Some(sent.effect) && !self.case.is_finished()) else {
            return Ok(());
        };
        let Some(step) = self.step(sent.step) else { return Ok(()) };
        if sent.via + 1 < step.options.via.len() {
            let place = self.place(sent.step);
            self.drop_second_tries("bounced");
            self.second_try(place, step, sent.step, sent.via + 1);
            return Ok(());
        }
        let channels = sent.channel.map(|channel| Value::text(channel.name())).into_iter().collect();
        let fields = [("step", Value::text(&step.path)), ("channels", Value::List(channels))];
        self.raise("contact.failed", &fields, &effect.to_string())
    }

    fn accepted(&mut self, effect: EffectId, state: &InFlight, event: &Event) {
        let place = self.place(state.step);
        let step = self.step(state.step);
        let template = step.and_then(|step| match &step.verb {
            Verb::Send(template) | Verb::OfferPlan(template) => self.playbook.templates.get(template),
            _ => None,
        });
        let message = state.kind == EffectKind::Contact;
        let notice = template.filter(|_| message).map_or_else(Vec::new, |info| info.notice.clone());
        let lane = state.channel.map_or_else(|| event.text("channel").to_owned(), |c| c.name().to_owned());
        let staff = state.kind == EffectKind::Notify || (state.kind == EffectKind::Request && lane != "request");
        let meanwhile = self.meanwhile_key(effect, state);
        let mut sent_place = place.clone();
        if staff || meanwhile.is_some() {
            // Neither counts as the step's own message.
            sent_place.step = meanwhile.unwrap_or_else(|| format!("{}/staff", place.step));
        }
        let reference = event.text("ref").to_owned();
        self.emit(Record::Sent {
            place: sent_place,
            effect,
            lane,
            reference,
            bundle: event.text("bundle").to_owned(),
            notice,
        });
        if let Some((index, contact)) = self.watch_of(effect) {
            self.emit(Record::WatchClosed { index, reason: "sent".to_owned() });
            if contact.fallback {
                return;
            }
        }
        if let Some(step) = step.filter(|_| state.of_cursor && !self.case.is_finished()) {
            self.after_acceptance(state, step, place);
        }
    }

    fn after_acceptance(&mut self, state: &InFlight, step: &crate::playbook::Step, place: crate::record::Place) {
        if state.kind == EffectKind::Placement {
            self.emit(Record::Waiting { place, phase: Phase::Acting, limit_at: None, stretches: false });
            self.hold_placement(state.step);
            return;
        }
        let confirmed = match &step.verb {
            Verb::Request(action) => self.playbook.requests.get(action).is_some_and(|info| info.confirmed),
            _ => false,
        };
        if step.options.proof || confirmed {
            let limit_at =
                step.options.within.map(|span| crate::schedule::limit(&self.staff, self.zone, self.now, span));
            self.emit(Record::Waiting { place, phase: Phase::Settling, limit_at, stretches: false });
            return;
        }
        let position = state.step;
        self.end_step(End::Done, "", step.next);
        if step.options.fallback.is_some() && state.via + 1 < step.options.via.len() {
            let held_days = self.case.clock.held_until(self.now, self.zone);
            let watch = Watch::Fallback { step: position, channel: state.via + 1, since: self.now, held_days };
            self.emit(Record::WatchOpened { place, watch });
        }
    }

    /// The dispatch check sent it back: the step or the watch waits again.
    fn returned(&mut self, effect: EffectId, state: &InFlight, event: &Event) {
        let rule = event.text("rule").to_owned();
        let not_before = timestamp(event.field("not_before"));
        self.emit(Record::Returned { effect, rule: rule.clone(), not_before });
        let place = self.place(state.step);
        if let Some((index, contact)) = self.watch_of(effect) {
            // What is forbidden on this channel would be forbidden again: the next one is tried.
            let channel = if not_before.is_some() { contact.channel } else { state.via + 1 };
            let contact = PendingContact { effect: None, not_before, channel, ..contact };
            self.emit(Record::WatchMoved { index, contact });
            return;
        }
        if !state.of_cursor {
            return;
        }
        if let Some(until) = not_before {
            let moved = vec![crate::record::Moved { rule, until }];
            self.emit(Record::Deferred { place, until, moved, beside: false });
        } else {
            // Forbidden on this channel: the next one is tried.
            let round = self.case.cursor.round;
            let channel = state.via + 1;
            self.emit(Record::Again { place, channel, round, not_before: None, reason: rule });
        }
    }

    /// Refused or failed for good: the next channel at once.
    fn next_channel(&mut self, effect: EffectId, state: &InFlight, reason: &str) -> Flow {
        if let Some((index, contact)) = self.watch_of(effect) {
            let contact = PendingContact { effect: None, channel: state.via + 1, ..contact };
            self.emit(Record::WatchMoved { index, contact });
            return Ok(());
        }
        if !state.of_cursor || self.case.status == Status::Finished {
            return Ok(());
        }
        let via = self.step(state.step).map_or(0, |step| step.options.via.len());
        if state.kind == EffectKind::Contact && state.via + 1 < via {
            let place = self.place(state.step);
            let round = self.case.cursor.round;
            let reason = format!("next channel: {reason}");
            self.emit(Record::Again { place, channel: state.via + 1, round, not_before: None, reason });
            return Ok(());
        }
        self.exhausted(state.step, &[reason.to_owned()])
    }
}

/// What must be reviewed by a person before anything goes on.
fn review_of(event: &str) -> Option<&'static str> {
    match event {
        "customer.insolvent" => Some("insolvency"),
        "customer.deceased" => Some("deceased"),
        "attorney.named" => Some("attorney"),
        "contact.cease_requested" => Some("cease"),
        _ => None,
    }
}

fn names_step(event: &Event, path: &str) -> bool {
    let named = event.text("step");
    named == path || path.rsplit('/').next() == Some(named)
}

fn timestamp(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Instant(at) => Some(*at),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}

fn then_text(playbook: &crate::playbook::Playbook, then: &Then) -> String {
    match then {
        Then::Resume => "resume".to_owned(),
        Then::Goto { stage, at_once } => {
            let suffix = if *at_once { ", at once" } else { "" };
            format!("goto {}{suffix}", playbook.stages[*stage].name)
        }
        Then::Finish(outcome) => format!("finish {}", outcome.name()),
        Then::Handover(handover) => format!("handover to {}", handover.playbook),
        Then::Restart => "restart".to_owned(),
    }
}

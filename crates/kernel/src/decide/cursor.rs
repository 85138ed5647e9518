//! The step under the cursor: when it may start, whether it acts, and how it goes on.

use super::contact::{Order, Ordered};
use super::work::Opening;
use super::{Flow, Walk, ends};
use crate::case::{End, Phase, Watch};
use crate::expr::{Arg, ExprId};
use crate::facts::Class;
use crate::guard::{self, Asked, Verdict};
use crate::ids::GroupId;
use crate::playbook::{Choice, Outcome, Outlet, Step, Verb};
use crate::record::{Moved, Record};
use crate::schedule::{self, Start};
use crate::time::Timestamp;
use crate::value::Value;

impl Walk<'_> {
    /// Moves the cursor by at most one step. Says whether anything moved; a blocked cursor leaves its wish in `wake`.
    pub(super) fn advance(&mut self) -> Flow<bool> {
        let position = self.case.cursor.position;
        if position >= self.playbook.cursor_len {
            ends::finish(self, Outcome::NeedsReview, "the last stage ran off its end");
            return Ok(true);
        }
        match self.case.cursor.phase {
            Phase::Pending => self.begin(position),
            Phase::Ready => Ok(false),
            Phase::Acting | Phase::Settling => self.wait(position),
        }
    }

    fn begin(&mut self, position: usize) -> Flow<bool> {
        let Some(step) = self.step(position) else { return Ok(false) };
        if step.day.is_some_and(|day| day < 0) && self.clock_day() > 0 {
            self.skip(position, "past");
            return Ok(true);
        }
        let wish = self.wish_of(step, self.case.cursor.channel, self.call_before(position));
        let start = schedule::start(self.schedule(), &self.case, step, wish, self.now, false);
        if start.due <= self.now && self.gives_way(position, step) {
            return Ok(true);
        }
        if start.at > self.now {
            return Ok(self.not_yet(position, step, &start));
        }
        if self.nothing_claimable(step) {
            // News brings it back; until then the log says why nothing leaves.
            let rule = guard::NOTHING_CLAIMABLE.to_owned();
            self.restrain(position, None, Verdict::Defer { until: self.now, rule }, &[]);
            return Ok(false);
        }
        self.ready(position, step)
    }

    /// Conditions are read now, when the step is ready; then it acts.
    fn ready(&mut self, position: usize, step: &Step) -> Flow<bool> {
        let place = self.place(position);
        let stage_when = step.stage.and_then(|stage| self.playbook.stages[stage].when);
        if !self.holds_true(&place, "stage_when", stage_when, None)? {
            self.skip(position, "stage when");
            return Ok(true);
        }
        if let Some(until) = self.season_end(step) {
            return self.wait_for_season(position, step, until);
        }
        if !self.holds_true(&place, "when", step.when, None)? {
            self.skip(position, "when");
            return Ok(true);
        }
        if step.verb.spec().outward && self.renew_approval(position)? {
            return Ok(true);
        }
        if let Some(moved) = self.ask_law(position, step)? {
            return Ok(moved);
        }
        if schedule::is_contact(step) {
            self.drop_second_tries("next contact");
        }
        self.act(position, step)?;
        Ok(true)
    }

    /// What the policies say before an adverse act: nothing to say, wait, or not this way. Says whether anything moved.
    fn ask_law(&mut self, position: usize, step: &Step) -> Flow<Option<bool>> {
        let Some(act) = guard::act_of(step) else { return Ok(None) };
        let asked = Asked {
            facts: self.facts,
            marks: &self.case.marks,
            approvals: &self.case.approvals,
            position: Some(position),
            calendar: &self.calendar,
            zone: self.zone,
            law: self.input.law,
        };
        match self.bound().before(act, self.now, &asked) {
            Verdict::Allow => Ok(None),
            Verdict::Defer { until, rule } => self.wait_until(position, step, (until, rule)).map(Some),
            Verdict::Forbid { rule } => {
                self.restrain(position, None, Verdict::Forbid { rule: rule.clone() }, &[]);
                self.exhausted(position, &[rule])?;
                Ok(Some(true))
            }
        }
    }

    pub(super) fn skip(&mut self, position: usize, reason: &str) {
        let place = self.place(position);
        self.emit(Record::Skipped { place, reason: reason.to_owned() });
        let next = self.step(position).map_or(position + 1, |step| step.next);
        self.end_step(End::Skipped, "", next);
    }

    /// Contacts and adverse acts wait while there is nothing to ask for; an event brings the case back.
    fn nothing_claimable(&self, step: &Step) -> bool {
        let asks = matches!(
            step.verb,
            Verb::Send(_) | Verb::OfferPlan(_) | Verb::Call(_) | Verb::Escalate(_) | Verb::Outsource(_)
        );
        asks && self.facts.invoice.claimable_minor() <= 0
    }

    /// Not yet: sleep; or, where gap, caps or windows moved it, defer and say so, or give it up.
    fn not_yet(&mut self, position: usize, step: &Step, start: &Start) -> bool {
        let deferred = self.case.cursor.rule.clone().filter(|_| self.case.cursor.not_before == Some(start.due));
        // Only caps and windows count for giving up, never a season, a repeat or a hold.
        let by_caps = deferred.as_deref().is_some_and(is_cap_or_window);
        if !by_caps && (start.due > self.now || start.moved.is_empty()) {
            let why = deferred.map_or(String::new(), |rule| format!(": {rule}"));
            let reason = format!("{} {}{why}", step.verb.name(), step.id);
            // What gap, caps or windows will move is looked at on its own day: restraint is recorded, and counted.
            let look_at = if start.moved.is_empty() { start.at } else { start.due.max(self.now) };
            self.want(look_at, || reason);
            return false;
        }
        let since = self.case.cursor.due_since.unwrap_or(start.due.max(self.case.entered_at));
        let gives_up_at = schedule::end_of(self.calendar.add(since.date_in(self.zone), step.give_up), self.zone);
        if !step.required && gives_up_at <= self.now {
            let owner = self.playbook.owner.clone();
            self.notify(&owner, "a step was given up because of caps", &step.path);
            let rule = deferred.or_else(|| decisive(start).map(|limit| limit.rule.clone())).unwrap_or_default();
            self.restrain(position, None, Verdict::Forbid { rule: format!("given up: {rule}") }, &start.moved);
            self.skip(position, "cap");
            return true;
        }
        let first = self.case.cursor.not_before != Some(start.at);
        if first {
            let place = self.place(position);
            self.emit(Record::Deferred { place, until: start.at, moved: start.moved.clone(), beside: false });
            self.restrain_until(position, start.at, &start.moved);
        }
        let rule = decisive(start).map(|moved| moved.rule.clone()).or(deferred).unwrap_or_default();
        let at = if step.required { start.at } else { start.at.min(gives_up_at) };
        let reason = format!("{} {}: {rule}", step.verb.name(), step.id);
        self.want(at, || reason);
        false
    }

    /// Late dunning steps in a row: only the last is decided.
    fn gives_way(&mut self, position: usize, step: &Step) -> bool {
        if self.case.cursor.due_since.is_some() || !self.collapses(position, step) || !self.late(step) {
            return false;
        }
        let Some(after) = self.step(step.next).filter(|_| step.next < self.playbook.cursor_len) else { return false };
        let follows = after.stage == step.stage && after.after.is_none() && self.collapses(step.next, after);
        if !follows || !self.late(after) {
            return false;
        }
        let place = self.place(position);
        self.emit(Record::Superseded { place, by: after.path.clone() });
        self.end_step(End::Superseded, "", step.next);
        true
    }

    fn collapses(&self, position: usize, step: &Step) -> bool {
        matches!(step.verb, Verb::Send(_))
            && position < self.playbook.cursor_len
            && step.day.is_some()
            && !step.required
            && self.class_of(step) == Class::Dunning
    }

    fn late(&self, step: &Step) -> bool {
        let wish = self.wish_of(step, 0, None);
        let own = schedule::start(self.schedule(), &self.case, step, wish, self.now, true);
        schedule::is_late(self.schedule(), own.at, self.now)
    }

    /// The first instant after the seasons that keep the step waiting, with the season's name.
    fn season_end(&self, step: &Step) -> Option<(Timestamp, String)> {
        step.not_during.iter().find_map(|name| {
            let end = self.staff.season_end(name, self.today).or_else(|| self.calendar.season_end(name, self.today))?;
            Some((Timestamp::start_of(end, self.zone), name.clone()))
        })
    }

    fn wait_for_season(&mut self, position: usize, step: &Step, until: (Timestamp, String)) -> Flow<bool> {
        let (end, season) = until;
        self.wait_until(position, step, (end, format!("not_during {season}")))
    }

    /// The step waits for a day that no cap decides.
    fn wait_until(&mut self, position: usize, step: &Step, (end, rule): (Timestamp, String)) -> Flow<bool> {
        if self.case.cursor.not_before != Some(end) {
            let place = self.place(position);
            let moved = vec![Moved { rule: rule.clone(), until: end }];
            self.restrain_until(position, end, &moved);
            self.emit(Record::Deferred { place, until: end, moved, beside: false });
        }
        self.friendly_word(position, step)?;
        let reason = format!("{} {}: {rule}", step.verb.name(), step.id);
        self.want(end, || reason);
        Ok(false)
    }

    /// The approval that covers this step no longer fits: it is asked again, the cursor does not move.
    fn renew_approval(&mut self, position: usize) -> Flow<bool> {
        let stale = self.case.approvals.iter().find(|approval| {
            approval.covers.contains(&position)
                && (approval.balance_minor != self.facts.invoice.balance_minor || approval.content != self.case.content)
        });
        let Some(approval) = stale.map(|approval| approval.step) else { return Ok(false) };
        let occurrence = self.case.cursor.occurrence + 1;
        let opening = Opening {
            position: approval,
            occurrence,
            attempt: 1,
            limit_at: None,
            renews: Some(position),
            blocks: true,
            event: None,
        };
        self.open_work(&opening)?;
        Ok(true)
    }

    fn act(&mut self, position: usize, step: &Step) -> Flow {
        let cursor = &self.case.cursor;
        let (occurrence, channel) = (cursor.occurrence + cursor.round, cursor.channel);
        let key = format!("{}/{}/{occurrence}", self.case.generation, step.path);
        let group = self.call_before(position).unwrap_or_else(|| self.group_of(&key));
        let order = Order { position, channel, occurrence, group, event: None, of_cursor: true };
        match &step.verb {
            Verb::Send(_) | Verb::OfferPlan(_) => match self.order_contact(&order)? {
                Ordered::Out(_) => Ok(()),
                Ordered::Exhausted(why) => self.exhausted(position, &why),
            },
            Verb::Call(_) | Verb::Task(_) | Verb::Approve(_) => {
                let opening = Opening {
                    position,
                    occurrence,
                    attempt: 1,
                    limit_at: None,
                    renews: None,
                    blocks: true,
                    event: None,
                };
                self.open_work(&opening)
            }
            Verb::Escalate(_) | Verb::Outsource(_) => self.order_placement(&order),
            Verb::Request(_) => self.order_request(&order).map(|_| ()),
            Verb::Wait(_) | Verb::WaitFor(_) | Verb::Hold(_) => self.act_wait(position, step),
            Verb::Choose(choice) => self.choose(position, choice),
            Verb::Split { arms } => {
                self.split(position, arms);
                Ok(())
            }
            Verb::Set(sets) => {
                self.assign(position, sets, None)?;
                self.end_step(End::Done, "", step.next);
                Ok(())
            }
            Verb::Goto { stage, at_once } => {
                self.take_outlet(End::Done, "", &Outlet::Goto { stage: *stage, at_once: *at_once })
            }
            Verb::Notify(subject) => {
                let to = if step.options.to.is_empty() { self.playbook.owner.clone() } else { step.options.to.clone() };
                self.notify(&to, subject, &step.path);
                self.end_step(End::Done, "", step.next);
                Ok(())
            }
            Verb::Finish(outcome) => self.take_outlet(End::Done, outcome.name(), &Outlet::Finish(*outcome)),
            Verb::Handover(handover) => self.take_outlet(End::Done, "", &Outlet::Handover(handover.clone())),
        }
    }

    /// The call that led to this step, where the step stands under the call's outcomes.
    pub(super) fn call_before(&self, position: usize) -> Option<GroupId> {
        let group = self.case.cursor.group?;
        let lists = |step: &Step| {
            matches!(step.verb, Verb::Call(_))
                && step.options.outcomes.values().any(|o| matches!(o, Outlet::Steps(list) if list.contains(&position)))
        };
        self.playbook.steps.iter().any(lists).then_some(group)
    }

    fn act_wait(&mut self, position: usize, step: &Step) -> Flow {
        let place = self.place(position);
        let limit_at = match &step.verb {
            Verb::Wait(span) => Some(self.span_from_now(*span)),
            Verb::WaitFor(_) => {
                step.options.wait_at_most.map(|span| schedule::limit(&self.calendar, self.zone, self.now, span))
            }
            Verb::Hold(_) => {
                self.open_hold(position, None)?;
                None
            }
            _ => None,
        };
        let stretches = !matches!(step.verb, Verb::Hold(_));
        self.emit(Record::Waiting { place, phase: Phase::Acting, limit_at, stretches });
        Ok(())
    }

    pub(super) fn assign(
        &mut self,
        position: usize,
        sets: &[(String, Arg<Value>)],
        event: Option<&std::sync::Arc<crate::event::Event>>,
    ) -> Flow {
        let place = self.place(position);
        for (name, arg) in sets {
            let value = match arg {
                Arg::Const(value) => value.clone(),
                Arg::Expr(id) => self.eval(&place, &format!("set.{name}"), *id, event)?,
            };
            self.emit(Record::Assigned { name: name.clone(), value });
        }
        Ok(())
    }

    fn choose(&mut self, position: usize, choice: &Choice) -> Flow {
        let place = self.place(position);
        let (result, outlet) = match choice {
            Choice::Cases { expr, cases } => {
                let result = self.eval(&place, "choose", *expr, None)?.to_string();
                let Some(outlet) = cases.get(&result) else {
                    self.park(place, format!("`choose` has no case for \"{result}\"; add it under `cases:`"));
                    return Err(super::Stop::Parked);
                };
                (result, outlet.clone())
            }
            Choice::List { arms, otherwise } => self.first_true(&place, arms, otherwise)?,
        };
        self.take_outlet(End::Done, &result, &outlet)
    }

    fn first_true(
        &mut self,
        place: &crate::record::Place,
        arms: &[(ExprId, Outlet)],
        otherwise: &Outlet,
    ) -> Flow<(String, Outlet)> {
        for (index, (condition, outlet)) in arms.iter().enumerate() {
            if self.holds_true(place, "choose", Some(*condition), None)? {
                return Ok(((index + 1).to_string(), outlet.clone()));
            }
        }
        Ok(("else".to_owned(), otherwise.clone()))
    }

    /// Sticky: the same invoice takes the same arm on any machine, database and run.
    fn split(&mut self, position: usize, arms: &[(String, u32, usize)]) {
        let place = self.place(position);
        let total: u64 = arms.iter().map(|(_, weight, _)| u64::from(*weight)).sum();
        let drawn = bucket(&format!("{}/{}", place.step, self.case.invoice), total.max(1));
        let mut below = 0;
        for (arm, weight, first) in arms {
            below += u64::from(*weight);
            if drawn < below {
                let next = *first;
                let (arm, step_place) = (arm.clone(), place.clone());
                self.end_step(End::Done, &arm, next);
                self.emit(Record::Split { place: step_place, arm, to: next });
                return;
            }
        }
    }

    /// Ends the step under the cursor and goes where the outlet leads.
    pub(super) fn take_outlet(&mut self, end: End, outcome: &str, outlet: &Outlet) -> Flow {
        let position = self.case.cursor.position;
        let Some(step) = self.step(position) else { return Ok(()) };
        match outlet {
            Outlet::Next => self.end_step(end, outcome, step.next),
            Outlet::Steps(steps) => self.end_step(end, outcome, steps.first().copied().unwrap_or(step.next)),
            Outlet::Remind(role) => {
                let place = self.place(position);
                let to = self.text_arg(&place, "remind", Some(role), None)?.unwrap_or_default();
                self.notify(&to, &step.path, &step.path);
                self.end_step(end, outcome, step.next);
            }
            Outlet::Goto { stage, at_once } => {
                if !ends::jump(self, *stage, *at_once, outcome) {
                    self.end_step(end, outcome, step.next);
                    return Ok(());
                }
                self.mark_behind(position, end, outcome);
            }
            Outlet::Finish(how) => {
                self.end_step(end, outcome, position);
                let path = &step.path;
                ends::finish(self, *how, path);
            }
            Outlet::Handover(handover) => {
                self.end_step(end, outcome, position);
                ends::hand_over(self, handover);
            }
        }
        Ok(())
    }

    /// A jump left the step: it is remembered as ended, the cursor stays where the jump put it.
    fn mark_behind(&mut self, position: usize, end: End, outcome: &str) {
        let place = self.place(position);
        let next = self.case.cursor.position;
        self.emit(Record::Ended { place, end, outcome: outcome.to_owned(), next, rolled_days: 0 });
    }

    /// The cursor's step waits: its own limits are looked at; work and holds have theirs elsewhere.
    fn wait(&mut self, position: usize) -> Flow<bool> {
        let Some(step) = self.step(position) else { return Ok(false) };
        if step.verb.is_work() || self.case.in_flight.values().any(|state| state.of_cursor) {
            return Ok(false);
        }
        let Some(limit) = self.case.cursor.limit_at else { return Ok(false) };
        if limit > self.now {
            let reason = format!("{} {}", step.verb.name(), step.id);
            self.want(limit, || reason);
            return Ok(false);
        }
        let outlet = match &step.verb {
            Verb::Wait(_) => Outlet::Next,
            _ => step.options.on_timeout.clone().unwrap_or(Outlet::Next),
        };
        let outcome = if matches!(step.verb, Verb::Wait(_)) { "" } else { "timed_out" };
        self.take_outlet(End::Done, outcome, &outlet)?;
        Ok(true)
    }

    /// Every channel or try failed: the event for handlers, then `on_error`.
    pub(super) fn exhausted(&mut self, position: usize, why: &[String]) -> Flow {
        let place = self.place(position);
        let Some(step) = self.step(position) else { return Ok(()) };
        let message = format!("`{}` reached nobody: {}", step.path, why.join("; "));
        self.emit(Record::Error { place, message, parks: false });
        self.take_outlet(End::Failed, "failed", &step.on_error)?;
        let channels = step.options.via.iter().filter_map(|via| match via {
            crate::playbook::Via::Channel(channel) => Some(Value::text(channel.name())),
            crate::playbook::Via::LastWorking => None,
        });
        let fields = [("step", Value::text(&step.path)), ("channels", Value::List(channels.collect()))];
        self.raise("contact.failed", &fields, &step.path)
    }

    /// Second tries end when the next contact is decided or an answer arrives.
    pub(super) fn drop_second_tries(&mut self, reason: &str) {
        for index in (0..self.case.watches.len()).rev() {
            let ends = match &self.case.watches[index] {
                Watch::Fallback { .. } => true,
                Watch::Contact(contact) => contact.fallback && contact.effect.is_none(),
                Watch::Recall { .. } => false,
            };
            if ends {
                self.emit(Record::WatchClosed { index, reason: reason.to_owned() });
            }
        }
    }
}

/// The rule that a start waits for.
fn decisive(start: &Start) -> Option<&Moved> {
    Moved::decisive(&start.moved, start.from)
}

/// Rules of the playbook's own pacing, which may defer a step until it is given up. A day that is drawn for all of a
/// customer's messages is no giving up.
fn is_cap_or_window(rule: &str) -> bool {
    crate::case::is_limit(rule) && !rule.starts_with("law ") && rule != "bundle"
}

/// A stable number below `of` from a key: the same on any machine, database and run.
#[must_use]
pub(crate) fn bucket(key: &str, of: u64) -> u64 {
    let hash = crate::ids::Hash::of(key.as_bytes());
    let mut first = [0_u8; 8];
    first.copy_from_slice(&hash.0[..8]);
    u64::from_be_bytes(first) % of.max(1)
}

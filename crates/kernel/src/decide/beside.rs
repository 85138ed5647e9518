//! What waits beside the cursor: a handler's contacts and requests, silence after a message, calls to be opened again.

use super::contact::{Order, Ordered};
use super::work::{Opening, tries};
use super::{Flow, Walk, ends};
use crate::case::{PendingContact, Watch};
use crate::event::Event;
use crate::facts::Class;
use crate::guard::{self, Verdict};
use crate::ids::GroupId;

use crate::playbook::{Outlet, Step, Verb, Via};
use crate::record::{Moved, Record};
use crate::schedule::{self, Wish};
use crate::time::Timestamp;
use std::sync::Arc;

impl Walk<'_> {
    /// The group of a list's contacts. The ledger names a call by its task alone, so a call's list takes its group.
    pub(super) fn group_of_list(&self, steps: &[usize], key: &str) -> GroupId {
        let call = steps.iter().filter_map(|&position| self.step(position)).find(|s| matches!(s.verb, Verb::Call(_)));
        call.map_or_else(
            || self.group_of(key),
            |step| GroupId::of_call(self.task_id(&step.path, self.case.heard, 1, None)),
        )
    }

    /// The group of what a handler orders. What answers a call belongs to that call: it keeps no distance from it.
    pub(super) fn group_of_handler(&self, steps: &[usize], event: &Event) -> GroupId {
        let calls = steps.iter().any(|&position| self.step(position).is_some_and(|s| matches!(s.verb, Verb::Call(_))));
        let answered = if event.name == "task.done" && !calls { event.text("task").parse().ok() } else { None };
        answered.map_or_else(|| self.group_of_list(steps, &event.id.to_string()), GroupId::of_call)
    }

    /// Runs a handler's list: effects and work are ordered, nothing waits.
    pub(super) fn run_steps_beside(&mut self, steps: &[usize], group: GroupId, event: Option<&Arc<Event>>) -> Flow {
        let occurrence = self.case.heard;
        for &position in steps {
            let Some(step) = self.step(position) else { continue };
            let place = self.place(position);
            if !self.holds_true(&place, "when", step.when, event)? {
                self.emit(Record::Skipped { place, reason: "when".to_owned() });
                continue;
            }
            self.run_beside(position, step, group, occurrence, event)?;
        }
        Ok(())
    }

    fn run_beside(
        &mut self,
        position: usize,
        step: &Step,
        group: GroupId,
        occurrence: u32,
        event: Option<&Arc<Event>>,
    ) -> Flow {
        match &step.verb {
            Verb::Send(_) | Verb::OfferPlan(_) | Verb::Request(_) => {
                let place = self.place(position);
                self.replace_waiting(position);
                let contact = PendingContact {
                    step: position,
                    occurrence,
                    channel: 0,
                    group,
                    event: event.cloned(),
                    class: self.class_beside(position, step),
                    since: self.now,
                    held_days: self.case.clock.held_until(self.now, self.zone),
                    not_before: None,
                    told: None,
                    effect: None,
                    fallback: false,
                };
                self.emit(Record::WatchOpened { place, watch: Watch::Contact(contact) });
                Ok(())
            }
            Verb::Call(_) | Verb::Task(_) => self.open_work(&Opening {
                position,
                occurrence,
                attempt: 1,
                limit_at: None,
                renews: None,
                blocks: false,
                event: event.cloned(),
            }),
            Verb::Hold(_) => self.open_hold(position, event),
            Verb::Set(sets) => self.assign(position, sets, event),
            Verb::Notify(subject) => {
                let to = if step.options.to.is_empty() { self.playbook.owner.clone() } else { step.options.to.clone() };
                let key = format!("{}/{occurrence}", step.path);
                match event.filter(|_| step.options.bundle.is_some()) {
                    Some(event) => self.notify_once(&to, subject, &key, event),
                    None => self.notify(&to, subject, &key),
                }
                Ok(())
            }
            Verb::Goto { stage, at_once } => {
                ends::jump(self, *stage, *at_once, "handler");
                Ok(())
            }
            Verb::Finish(outcome) => {
                let path = step.path.clone();
                ends::finish(self, *outcome, &path);
                Ok(())
            }
            // The checker refuses these in handlers: they would wait (PB306).
            Verb::Approve(_)
            | Verb::Escalate(_)
            | Verb::Outsource(_)
            | Verb::Wait(_)
            | Verb::WaitFor(_)
            | Verb::Choose(_)
            | Verb::Split { .. }
            | Verb::Handover(_) => Ok(()),
        }
    }

    fn class_beside(&self, position: usize, step: &Step) -> Class {
        match &step.verb {
            Verb::Request(_) if self.is_restoring(position) => Class::Transactional,
            _ => self.class_of(step),
        }
    }

    /// An outlet of a handler's work or hold: opened and not awaited.
    pub(super) fn run_outlet_beside(&mut self, outlet: &Outlet, key: &str, event: Option<&Arc<Event>>) -> Flow {
        match outlet {
            Outlet::Next => Ok(()),
            Outlet::Steps(steps) => self.run_steps_beside(steps, self.group_of_list(steps, key), event),
            Outlet::Goto { stage, at_once } => {
                ends::jump(self, *stage, *at_once, "handler");
                Ok(())
            }
            Outlet::Finish(outcome) => {
                ends::finish(self, *outcome, "handler");
                Ok(())
            }
            Outlet::Remind(role) => {
                let place = self.place(self.case.cursor.position);
                let to = self.text_arg(&place, "remind", Some(role), event)?.unwrap_or_default();
                self.notify(&to, "reminder", key);
                Ok(())
            }
            Outlet::Handover(handover) => {
                ends::hand_over(self, handover);
                Ok(())
            }
        }
    }

    /// Limits of holds and work. Says whether anything moved.
    pub(super) fn fire_timers(&mut self) -> Flow<bool> {
        Ok(self.time_out_holds()? || self.time_out_work()?)
    }

    /// Moves one watch that can move. Says whether one did.
    pub(super) fn move_watches(&mut self) -> Flow<bool> {
        for index in 0..self.case.watches.len() {
            let moved = match self.case.watches[index].clone() {
                Watch::Contact(contact) => contact.effect.is_none() && self.move_contact(index, contact)?,
                Watch::Fallback { step, channel, since, held_days } => {
                    self.move_fallback(index, step, channel, (since, held_days))
                }
                Watch::Recall { step, attempt, occurrence, due_at, limit_at, told } => {
                    self.move_recall(index, step, (occurrence, attempt), (due_at, told), limit_at)?
                }
            };
            if moved {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn move_contact(&mut self, index: usize, contact: PendingContact) -> Flow<bool> {
        let Some(step) = self.step(contact.step) else { return Ok(false) };
        let exempt = contact.class.is_exempt();
        if !exempt && self.case.is_held() {
            return Ok(false);
        }
        if !exempt && self.facts.invoice.claimable_minor() <= 0 {
            let rule = guard::NOTHING_CLAIMABLE.to_owned();
            self.emit(Record::Skipped { place: self.place(contact.step), reason: rule.clone() });
            self.emit(Record::WatchClosed { index, reason: rule.clone() });
            self.restrain(contact.step, None, Verdict::Forbid { rule }, &[]);
            return Ok(true);
        }
        let (at, moved) = self.contact_start(step, &contact);
        if at > self.now {
            return Ok(self.not_yet_beside(index, step, &contact, (at, moved)));
        }
        let order = Order {
            position: contact.step,
            channel: contact.channel,
            occurrence: contact.occurrence,
            group: contact.group,
            event: contact.event.clone(),
            of_cursor: false,
        };
        if matches!(step.verb, Verb::Request(_)) {
            let effect = self.order_request(&order)?;
            self.emit(Record::WatchMoved { index, contact: PendingContact { effect: Some(effect), ..contact } });
            return Ok(true);
        }
        match self.order_contact(&order)? {
            Ordered::Out(effect) => {
                self.emit(Record::WatchMoved { index, contact: PendingContact { effect: Some(effect), ..contact } });
            }
            Ordered::Exhausted(why) => {
                self.emit(Record::WatchClosed { index, reason: "failed".to_owned() });
                self.exhausted_beside(contact.step, contact.fallback, &why)?;
            }
        }
        Ok(true)
    }

    /// Not yet: what waits beside says so once for each day that is named, or is given up. Says whether anything moved.
    fn not_yet_beside(
        &mut self,
        index: usize,
        step: &Step,
        contact: &PendingContact,
        (at, moved): (Timestamp, Vec<Moved>),
    ) -> bool {
        let rule = Moved::decisive(&moved, self.now).map_or_else(String::new, |limit| limit.rule.clone());
        let gives_up_at = self.gives_up_at(step, contact);
        if !step.required && gives_up_at <= self.now {
            self.emit(Record::Skipped { place: self.place(contact.step), reason: "cap".to_owned() });
            self.emit(Record::WatchClosed { index, reason: "given up because of caps".to_owned() });
            self.restrain(contact.step, None, Verdict::Forbid { rule: format!("given up: {rule}") }, &moved);
            return true;
        }
        self.tell_beside(contact.step, contact.told, at, &moved);
        let at = if step.required { at } else { at.min(gives_up_at) };
        let why = if rule.is_empty() { rule } else { format!(": {rule}") };
        let reason = format!("{} {}{why}", step.verb.name(), step.id);
        self.want(at, || reason);
        false
    }

    /// Waiting for the same day's opening is no deferral, beside the cursor as under it.
    fn tell_beside(&mut self, position: usize, told: Option<Timestamp>, until: Timestamp, moved: &[Moved]) {
        if moved.is_empty() || told == Some(until) || until.date_in(self.zone) == self.today {
            return;
        }
        let place = self.place(position);
        self.emit(Record::Deferred { place, until, moved: moved.to_vec(), beside: true });
        self.restrain_until(position, until, moved);
    }

    /// The same word of an earlier event that still waits gives way: the customer gets the newest, once.
    fn replace_waiting(&mut self, position: usize) {
        for index in (0..self.case.watches.len()).rev() {
            let waits = matches!(&self.case.watches[index],
                Watch::Contact(old) if old.step == position && old.effect.is_none() && !old.fallback);
            if waits {
                self.emit(Record::WatchClosed { index, reason: "superseded by a newer event".to_owned() });
            }
        }
    }

    /// When caps and windows have deferred a waiting contact for too long.
    fn gives_up_at(&self, step: &Step, contact: &PendingContact) -> Timestamp {
        // A restart begins the count anew.
        let held = (self.case.clock.held_until(self.now, self.zone) - contact.held_days).max(0);
        let date = self.calendar.add(contact.since.date_in(self.zone), step.give_up);
        schedule::end_of(crate::case::shift(date, held), self.zone)
    }

    fn contact_start(&mut self, step: &Step, contact: &PendingContact) -> (Timestamp, Vec<Moved>) {
        let base = contact.not_before.unwrap_or(contact.since).max(contact.since);
        if matches!(step.verb, Verb::Request(_)) {
            return (base, Vec::new());
        }
        let wish = Wish {
            channel: self.wish_of(step, contact.channel, None).and_then(|wish| wish.channel),
            group: Some(contact.group),
            class: contact.class,
            bundled: false,
        };
        schedule::limits(self.schedule(), &self.playbook.contact, wish, base.max(self.now))
    }

    /// A handler's contact reached nobody. A second try of a stage's step fails silently: the first one had arrived.
    fn exhausted_beside(&mut self, position: usize, fallback: bool, why: &[String]) -> Flow {
        let Some(step) = self.step(position) else { return Ok(()) };
        let place = self.place(position);
        let what = if fallback { "had no second try, the first one had arrived" } else { "reached nobody" };
        let message = format!("`{}` {what}: {}", step.path, why.join("; "));
        self.emit(Record::Error { place, message, parks: false });
        if fallback || self.case.is_finished() {
            return Ok(());
        }
        if position < self.playbook.cursor_len {
            return Ok(());
        }
        self.run_outlet_beside(&step.on_error, &step.path, None)
    }

    fn move_fallback(&mut self, index: usize, position: usize, channel: usize, from: (Timestamp, i64)) -> bool {
        let Some(step) = self.step(position) else { return false };
        let Some(fallback) = step.options.fallback else { return false };
        let due = schedule::after(self.schedule(), &self.case, step, fallback.after, from, self.now);
        if due > self.now {
            if !self.case.is_held() {
                let reason = format!("no reply to {}", step.id);
                self.want(due, || reason);
            }
            return false;
        }
        if self.case.is_held() {
            return false;
        }
        let place = self.place(position);
        self.emit(Record::WatchClosed { index, reason: "no reply".to_owned() });
        self.second_try(place, step, position, channel);
        true
    }

    /// One more try of a stage's step on its next channel.
    pub(super) fn second_try(&mut self, place: crate::record::Place, step: &Step, position: usize, channel: usize) {
        if channel >= step.options.via.len() {
            return;
        }
        let occurrence = self.case.cursor.occurrence;
        let key = format!("{}/{}/second/{channel}", self.case.generation, step.path);
        let contact = PendingContact {
            step: position,
            occurrence,
            channel,
            group: self.group_of(&key),
            event: None,
            class: self.class_of(step),
            since: self.now,
            held_days: self.case.clock.held_until(self.now, self.zone),
            not_before: None,
            told: None,
            effect: None,
            fallback: true,
        };
        self.emit(Record::WatchOpened { place, watch: Watch::Contact(contact) });
    }

    fn move_recall(
        &mut self,
        index: usize,
        position: usize,
        (occurrence, attempt): (u32, u32),
        (due_at, told): (Timestamp, Option<Timestamp>),
        limit_at: Option<Timestamp>,
    ) -> Flow<bool> {
        let limit_passed = limit_at.is_some_and(|limit| limit <= self.now);
        // A call is a contact: it is not opened again while the case is held or nothing can be asked for.
        let quiet = self.case.is_held() || self.facts.invoice.claimable_minor() <= 0;
        if quiet && !limit_passed {
            if let Some(limit) = limit_at {
                self.want(limit, || "limit of a call".to_owned());
            }
            return Ok(false);
        }
        let planned = due_at;
        let (due_at, moved) = self.call_again_at(position, (occurrence, attempt), due_at);
        if due_at > self.now && !limit_passed {
            // Its own distance is the playbook's plan; what moves it beyond that day is a limit.
            if planned.date_in(self.zone) < due_at.date_in(self.zone) {
                self.tell_beside(position, told, due_at, &moved);
            }
            self.want(limit_at.map_or(due_at, |limit| limit.min(due_at)), || "call again".to_owned());
            return Ok(false);
        }
        self.emit(Record::WatchClosed { index, reason: "due".to_owned() });
        let blocks = position < self.playbook.cursor_len && self.case.cursor.position == position;
        if position < self.playbook.cursor_len && !blocks {
            // The cursor left the step meanwhile.
            return Ok(true);
        }
        if limit_passed {
            let outlet = self.step(position).and_then(|step| step.options.on_timeout.clone()).unwrap_or(Outlet::Next);
            if blocks {
                self.take_outlet(crate::case::End::Done, "timed_out", &outlet)?;
            } else {
                self.run_outlet_beside(&outlet, &format!("{position}/{attempt}"), None)?;
            }
            return Ok(true);
        }
        self.open_work(&Opening { position, occurrence, attempt, limit_at, renews: None, blocks, event: None })?;
        Ok(true)
    }

    /// A later try is a contact like the first: it keeps contact hours, working days and caps. The gap is kept to what
    /// others sent; between the tries of one call the playbook's own `every` is the distance.
    fn call_again_at(
        &self,
        position: usize,
        (occurrence, attempt): (u32, u32),
        due_at: Timestamp,
    ) -> (Timestamp, Vec<Moved>) {
        let Some(step) = self.step(position) else { return (due_at, Vec::new()) };
        let own = tries(&self.case, &step.path, occurrence, attempt.saturating_sub(1));
        schedule::call_limits(self.schedule(), &self.playbook.contact, &own, due_at.max(self.now))
    }

    /// The friendly word while a season keeps a step waiting, at most once per `every`.
    pub(super) fn friendly_word(&mut self, position: usize, step: &Step) -> Flow {
        let Some(meanwhile) = &step.meanwhile else { return Ok(()) };
        let key = format!("{}/meanwhile", step.path);
        let last = self.case.marks.steps.get(&key).and_then(|mark| mark.sent_at);
        let next = last.map_or(self.now, |at| {
            Timestamp::start_of(self.calendar.add(at.date_in(self.zone), meanwhile.every), self.zone)
        });
        let wish = Wish { channel: None, group: None, class: Class::Courtesy, bundled: false };
        let (start, moved) = schedule::limits(self.schedule(), &self.playbook.contact, wish, next);
        if start > self.now {
            if next <= self.now && !moved.is_empty() {
                let rule = Moved::decisive(&moved, self.now).map_or_else(String::new, |limit| limit.rule.clone());
                let verdict = Verdict::Defer { until: start, rule };
                let channel = meanwhile.via.iter().find_map(|via| match via {
                    Via::Channel(channel) => Some(*channel),
                    Via::LastWorking => None,
                });
                self.restrain(position, channel, verdict, &moved);
            }
            self.want(start, || "friendly word while the season lasts".to_owned());
            return Ok(());
        }
        self.order_meanwhile(position, &key, meanwhile)
    }

    /// Whether a pending contact belongs to an effect.
    pub(super) fn watch_of(&self, effect: crate::ids::EffectId) -> Option<(usize, PendingContact)> {
        self.case.watches.iter().enumerate().find_map(|(index, watch)| match watch {
            Watch::Contact(contact) if contact.effect == Some(effect) => Some((index, contact.clone())),
            Watch::Contact(_) | Watch::Fallback { .. } | Watch::Recall { .. } => None,
        })
    }
}

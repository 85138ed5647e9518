//! Deadlines of law and house: the case is woken for the day on which people must hear of one, also while it is held,
//! paused or parked, because those days run on.

use super::{Flow, Walk};
use crate::case::Wake;
use crate::event::Event;
use crate::guard::Asked;
use crate::guard::deadline::{self, Due};
use crate::ids::EventId;
use crate::record::Record;
use crate::value::Value;

impl Walk<'_> {
    /// Tells people of what is near or missed and was not told yet, and wishes for a look at the next of them. Says
    /// whether anything was told.
    pub(super) fn alert_deadlines(&mut self) -> Flow<bool> {
        if self.case.is_finished() {
            return Ok(false);
        }
        let mut told = false;
        for due in self.deadlines() {
            let missed = due.missed_at(self.zone) <= self.now;
            let is_time = missed || due.near_at(self.zone) <= self.now;
            if is_time && !due.met && !self.case.was_told(&due.rule, due.started, missed) {
                self.tell_of(&due, missed)?;
                told = true;
            }
            if self.case.is_finished() {
                return Ok(true);
            }
        }
        if let Some(next) = self.next_deadline().filter(|_| !told && !self.is_stopped()) {
            self.want(next.at, || next.reason);
        }
        Ok(told)
    }

    /// The next instant at which people must hear of a deadline.
    pub(super) fn next_deadline(&self) -> Option<Wake> {
        let instants = self.deadlines().into_iter().filter(|due| !due.met).flat_map(|due| {
            let reason = format!("deadline {} by {}", due.rule, due.last);
            [due.near_at(self.zone), due.missed_at(self.zone)].map(|at| Wake { at, reason: reason.clone() })
        });
        instants.filter(|wake| wake.at > self.now).min_by_key(|wake| wake.at)
    }

    fn deadlines(&self) -> Vec<Due> {
        let asked = Asked {
            facts: self.facts,
            marks: &self.case.marks,
            approvals: &self.case.approvals,
            position: None,
            calendar: &self.calendar,
            zone: self.zone,
            law: self.input.law,
        };
        deadline::of(&asked, &self.playbook.policies)
    }

    /// News for the playbook, work for its owner while there is time, word to its owner when there is none.
    fn tell_of(&mut self, due: &Due, missed: bool) -> Flow {
        let name = if missed { "deadline.missed" } else { "deadline.near" };
        let key = format!("{}/{}", due.rule, due.started);
        let fields = [
            ("rule", Value::text(&due.rule)),
            ("what", Value::text(&due.what)),
            ("since", Value::Date(due.started)),
            ("until", Value::Date(due.last)),
        ];
        let event = Event {
            id: EventId::derive(&[&self.case.id.to_string(), name, &key, &self.case.rev.to_string()]),
            name: name.to_owned(),
            at: self.now,
            actor: "case".to_owned(),
            fields: fields.map(|(field, value)| (field.to_owned(), value)).into(),
        };
        if self.is_stopped() {
            self.emit(Record::Event { event, answer: false });
        } else {
            self.take_event(&event)?;
        }
        if self.case.is_finished() {
            // A handler ended it.
        } else if missed {
            let owner = self.playbook.owner.clone();
            self.notify(&owner, "a deadline was missed", &key);
        } else {
            let place = self.place(self.case.cursor.position);
            self.open_engine_task(place, &format!("deadline {}", due.rule));
        }
        Ok(())
    }
}

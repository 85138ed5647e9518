//! Nothing is held for ever. What waited is read from the history; whether it had to is asked of the checker, half hour by
//! half hour, with the contacts that really were made.
//!
//! The bound: once a step has begun to wait, there are at most three whole local dates on which the checker would have
//! let it leave for an hour on end between six and ten, the outages of the worker aside, and twice the days of a bundle's
//! window more where it has one. An hour, because a slot that is free for a moment may go to another contact of the
//! customer. And when a world ends, no case sleeps in the past or without a time, and nothing waits in the outbox.

use super::books::Book;
use super::dates::{At, instant, plus};
use super::judge::{Complaint, Contact, Facts, What};
use super::play::{Played, date_of};
use chrono::NaiveDate;
use recobro_engine::Engine;
use recobro_kernel::time::Timestamp;
use recobro_store::cases::{self, Filter};
use recobro_store::{CaseNo, history, outbox};
use serde_json::Value;

/// Whole dates on which something that may leave may still be there.
const DATES: i64 = 3;

/// Complaints that close a channel, so that the next one is tried.
const CLOSING: &[&str] = &["opted out", "CO channels", "IT recorded calls"];

/// A step that waited.
struct Wait {
    debt: String,
    step: String,
    since: At,
    until: At,
    why: String,
}

/// What was held too long, and what hangs.
pub(crate) async fn complaints(played: &Played, books: &[Book]) -> Vec<Complaint> {
    let mut found = hanging(&played.engine, played.end, &played.facts).await;
    let waits = waits(&played.engine, played.end).await;
    for wait in &waits {
        let debt = played.facts.debt(&wait.debt);
        let book = &books[debt.book];
        let bound = DATES + 2 * book.own.window.unwrap_or(0);
        let dates = free_dates(played, book, wait, bound);
        if i64::try_from(dates.len()).unwrap() > bound {
            found.push(Complaint {
                rule: "held too long",
                customer: debt.customer.clone(),
                at: wait.until,
                text: format!(
                    "[held too long] {} `{}` from {} to {} because of {}: it might have left on {dates:?}",
                    wait.debt, wait.step, wait.since, wait.until, wait.why
                ),
            });
        }
    }
    found
}

/// Dates inside a wait on which the step might have left.
fn free_dates(played: &Played, book: &Book, wait: &Wait, bound: i64) -> Vec<NaiveDate> {
    let facts = &played.facts;
    let customer = facts.debt(&wait.debt).customer.clone();
    let (first, last) = (date_of(facts, &customer, wait.since), date_of(facts, &customer, wait.until));
    let inside = (last - first).num_days() - 1;
    if inside <= bound {
        return Vec::new();
    }
    let Some((template, via)) = book.message(&wait.step) else { return Vec::new() };
    let zone = facts.customer(&customer).zone;
    let down = |on: NaiveDate| {
        let stood =
            |(from, to): &(At, At)| date_of(facts, &customer, *from) <= on && on <= date_of(facts, &customer, *to);
        played.outages.iter().any(stood)
    };
    let may = |on: NaiveDate| {
        let mut in_a_row = 0;
        (12..44).any(|half| {
            let at = instant(zone, on.and_hms_opt(half / 2, half % 2 * 30, 0).unwrap());
            in_a_row = if might_leave(facts, (&template, &via), wait, &customer, at) { in_a_row + 1 } else { 0 };
            in_a_row == 3
        })
    };
    (1..=inside).map(|day| plus(first, day)).filter(|on| !down(*on) && may(*on)).collect()
}

/// Whether it might leave at an instant, by the first channel that is open.
fn might_leave(facts: &Facts, (template, via): (&str, &[String]), wait: &Wait, customer: &str, at: At) -> bool {
    for channel in via.iter().filter(|channel| facts.customer(customer).channels.contains(channel)) {
        let contact = Contact {
            at,
            seq: usize::MAX,
            what: if channel == "call" { What::AskedToCall } else { What::Message },
            channel: channel.clone(),
            class: super::books::class_of(template),
            customer: customer.to_owned(),
            debts: vec![wait.debt.clone()],
            role: "billing".to_owned(),
            step: wait.step.clone(),
            run: "of its own".to_owned(),
        };
        let against = facts.against(&contact);
        if !against.iter().any(|one| CLOSING.contains(&one.rule)) {
            return against.is_empty();
        }
    }
    false
}

/// Cases that sleep without end, and effects that nobody takes.
async fn hanging(engine: &Engine, end: At, facts: &Facts) -> Vec<Complaint> {
    let mut tx = engine.store().read().await.unwrap();
    let mut found = Vec::new();
    let hour = chrono::Duration::hours(1);
    let mut push = |debt: &str, text: String| {
        let customer = facts.debt(debt).customer.clone();
        found.push(Complaint { rule: "hangs", customer, at: end, text: format!("[hangs] {debt}: {text}") });
    };
    for row in cases::list(&mut tx, &Filter::default(), CaseNo(0), 10_000).await.unwrap() {
        let sleeps = row.next_at.map(Timestamp::to_utc);
        let status = row.status.name();
        if status == "waiting_time" && sleeps.is_none_or(|at| at < end - hour) {
            push(row.invoice.as_str(), format!("sleeps until {sleeps:?} at `{}`", row.step));
        }
        if status != "finished" && sleeps.is_some_and(|at| at < end - hour) {
            push(row.invoice.as_str(), format!("{status}, was due at {sleeps:?}"));
        }
        if status == "attention" {
            push(row.invoice.as_str(), format!("parked at `{}`", row.step));
        }
    }
    for row in outbox::list(&mut tx, None, "", 10_000).await.unwrap() {
        let waits = !matches!(row.state, outbox::State::Unknown | outbox::State::Held);
        if waits && row.due_at.to_utc() < end - hour * 24 {
            push(row.invoice.as_str(), format!("an effect is {:?} since {}", row.state, row.due_at));
        }
    }
    found
}

/// Every wait of a step or of a handler's contact, by the history.
async fn waits(engine: &Engine, end: At) -> Vec<Wait> {
    let mut tx = engine.store().read().await.unwrap();
    let mut found = Vec::new();
    for row in cases::list(&mut tx, &Filter::default(), CaseNo(0), 10_000).await.unwrap() {
        let turns = history::of_case(&mut tx, row.no, 0, 100_000).await.unwrap();
        let mut reader = Reader { debt: row.invoice.to_string(), ..Reader::default() };
        for turn in turns {
            let body: Value = serde_json::from_str(&turn.body).unwrap();
            let at = body["at"].as_str().unwrap().parse::<Timestamp>().unwrap().to_utc();
            for record in body["records"].as_array().unwrap() {
                reader.read(record, at);
            }
        }
        if row.status.name() != "finished" {
            reader.end(end);
        }
        found.append(&mut reader.found);
    }
    found
}

/// A step that waits, since when, and for what.
type Waiting = (String, At, String);

#[derive(Default)]
struct Reader {
    debt: String,
    /// The step under the cursor that waits.
    cursor: Option<Waiting>,
    /// What waits beside it, in the order of the case's own list; nothing for what is no contact or is out.
    beside: Vec<Option<Waiting>>,
    /// Holds that are open: no contact waits for the guard then.
    holds: usize,
    found: Vec<Wait>,
}

impl Reader {
    fn read(&mut self, record: &Value, at: At) {
        let step = || record["where"]["step"].as_str().unwrap_or_default().to_owned();
        match record["kind"].as_str().unwrap_or_default() {
            "deferred" if record["beside"] != true && self.holds == 0 => {
                let same = self.cursor.as_ref().is_some_and(|(waiting, _, _)| *waiting == step());
                if !same {
                    let why: Vec<&str> = record["moved"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(|one| one["rule"].as_str())
                        .collect();
                    self.cursor = Some((step(), at, why.join(", ")));
                }
            }
            "ordered" | "skipped" | "superseded" | "work_opened" | "ended" | "error" => self.close(&step(), at),
            "jump" | "finished" | "restarted" => self.over(at),
            "hold_opened" => self.hold(at),
            "hold_closed" => self.holds = self.holds.saturating_sub(1),
            "watch_opened" => {
                let contact = record["watch"]["watch"] == "contact" && self.holds == 0;
                self.beside.push(contact.then(|| (step(), at, "its handler".to_owned())));
            }
            "watch_closed" => {
                let index = usize::try_from(record["index"].as_u64().unwrap()).unwrap();
                if index < self.beside.len()
                    && let Some(waiting) = self.beside.remove(index)
                {
                    self.note(waiting, at);
                }
            }
            _ => {}
        }
    }

    /// A wait that a hold cuts is not followed behind it.
    fn hold(&mut self, at: At) {
        self.holds += 1;
        self.over(at);
        let cut: Vec<Waiting> = self.beside.iter_mut().filter_map(Option::take).collect();
        for waiting in cut {
            self.note(waiting, at);
        }
    }

    fn close(&mut self, step: &str, at: At) {
        if self.cursor.as_ref().is_some_and(|(waiting, _, _)| waiting == step) {
            self.over(at);
        }
        let waits = |slot: &&mut Option<Waiting>| slot.as_ref().is_some_and(|(waiting, _, _)| waiting == step);
        if let Some(waiting) = self.beside.iter_mut().find(waits).and_then(Option::take) {
            self.note(waiting, at);
        }
    }

    fn over(&mut self, at: At) {
        if let Some(waiting) = self.cursor.take() {
            self.note(waiting, at);
        }
    }

    fn end(&mut self, at: At) {
        self.hold(at);
    }

    fn note(&mut self, (step, since, why): Waiting, until: At) {
        self.found.push(Wait { debt: self.debt.clone(), step, since, until, why });
    }
}

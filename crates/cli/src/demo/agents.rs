//! The agents of the sample portfolio: they answer the work that opens, at office hours, knowing what will be paid.

use super::portfolio::{Invoice, Portfolio};
use super::random::Random;
use chrono::{Datelike, Days, NaiveDate, NaiveTime, Weekday};
use chrono_tz::Tz;
use recobro_engine::{Answer, OpenTask, People};
use recobro_kernel::time::Timestamp;
use std::collections::BTreeMap;

/// Who answers.
pub(crate) struct Agents {
    seed: u64,
    invoices: BTreeMap<String, Invoice>,
}

impl Agents {
    /// Agents who know the portfolio.
    pub(crate) fn new(portfolio: &Portfolio) -> Self {
        let invoices = portfolio.invoices.iter().map(|invoice| (invoice.number.clone(), invoice.clone())).collect();
        Self { seed: portfolio.seed, invoices }
    }

    /// The invoice of a task: ids carry the source in front of the number.
    fn invoice(&self, id: &str) -> Option<&Invoice> {
        self.invoices.get(id.rsplit(':').next().unwrap_or(id))
    }
}

impl People for Agents {
    fn answer(&self, task: &OpenTask<'_>) -> Option<(Timestamp, Answer)> {
        let mut random = Random::of(self.seed, &task.task.id.to_string());
        // Some work is left lying and takes its time-out path.
        if random.chance(60) {
            return None;
        }
        let at = office_hour(task.task.opened_at, task.zone, &mut random);
        if task.task.limit_at.is_some_and(|limit| at >= limit) {
            return None;
        }
        let on = at.date_in(task.zone);
        let answer = match task.task.kind.as_str() {
            "call" => called(task, self.invoice(task.invoice.as_str()), on, &mut random),
            "approve" => Answer {
                outcome: if random.chance(90) { "rejected" } else { "approved" }.to_owned(),
                seen: Some(task.task.seen.to_string()),
                ..Answer::default()
            },
            _ => plain(done(&task.task.outcomes)),
        };
        accepts(&task.task.outcomes, &answer.outcome).then_some((at, answer))
    }
}

fn accepts(outcomes: &[String], outcome: &str) -> bool {
    outcomes.is_empty() || outcomes.iter().any(|known| known == outcome)
}

fn done(outcomes: &[String]) -> &str {
    outcomes.iter().find(|outcome| *outcome == "done").or_else(|| outcomes.first()).map_or("done", String::as_str)
}

fn plain(outcome: &str) -> Answer {
    Answer { outcome: outcome.to_owned(), ..Answer::default() }
}

/// A call: what the customer says depends on what they are going to do.
fn called(task: &OpenTask<'_>, invoice: Option<&Invoice>, on: NaiveDate, random: &mut Random) -> Answer {
    if random.chance(330) {
        return plain(random.word(&["no_answer", "no_answer", "voicemail"]));
    }
    let next = invoice.and_then(|invoice| invoice.payments.iter().map(|paid| paid.on).find(|day| *day >= on));
    let amount = task.claimable.to_decimal();
    let promise = |date: NaiveDate| Answer {
        outcome: "promised".to_owned(),
        date: Some(date),
        amount: Some(amount.to_string()),
        ..Answer::default()
    };
    match next {
        Some(day) if (day - on).num_days() <= 2 => plain("paid_claimed"),
        Some(day) if (day - on).num_days() <= 16 && random.chance(650) => promise(day),
        Some(_) if random.chance(350) => promise(later(on, random.between(3, 7))),
        Some(_) => plain(random.word(&["reached", "unaware", "reached"])),
        None if random.chance(300) => promise(later(on, random.between(3, 10))),
        None => plain(random.word(&["refused", "unable", "unwilling", "hardship"])),
    }
}

fn later(date: NaiveDate, days: i64) -> NaiveDate {
    date.checked_add_days(Days::new(days.unsigned_abs())).unwrap_or(date)
}

/// Some hours later, in office hours of a weekday.
fn office_hour(opened: Timestamp, zone: Tz, random: &mut Random) -> Timestamp {
    let minutes = random.between(20, 26 * 60);
    let at = opened.plus_us(minutes * 60_000_000);
    let mut date = at.date_in(zone);
    let mut time = at.local(zone).time();
    let (open, close) = (clock(9, 0), clock(17, 30));
    if time >= close {
        date = later(date, 1);
        time = open;
    }
    while matches!(date.weekday(), Weekday::Sat | Weekday::Sun) {
        date = later(date, 1);
        time = open;
    }
    if time < open {
        time = open;
    }
    Timestamp::at_local(date, time, zone).max(opened.plus_us(60_000_000))
}

fn clock(hour: u32, minute: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, minute, 0).expect("a time of the day")
}

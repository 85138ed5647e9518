//! Payment plans: an amount over several dates, what of it is due, missed and paid on a day, and when the plan is over.
//!
//! A plan is a function of its schedule, of what was paid and of the day; the ledger keeps only what was told already.

use crate::calendar::Calendar;
use crate::money::Money;
use crate::time::{Span, Unit};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// Most instalments of one plan.
pub const INSTALMENTS_MAX: i64 = 120;

/// One date of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instalment {
    /// Last day on which it is in time.
    pub due: NaiveDate,
    /// How much, minor units.
    pub amount_minor: i64,
}

/// Divides an amount into equal instalments; the cents that remain are paid with the last one.
///
/// Each date is counted from the first, so that a plan of month-ends stays at the month's end.
///
/// # Errors
/// For people: too few, too many, or less than a cent each.
pub fn divide(amount_minor: i64, count: i64, first: NaiveDate, every: Span) -> Result<Vec<Instalment>, String> {
    if !(1..=INSTALMENTS_MAX).contains(&count) {
        return Err(format!("{count} instalments; a plan has 1 to {INSTALMENTS_MAX}"));
    }
    if amount_minor < count {
        return Err("the amount is too small for so many instalments".to_owned());
    }
    if every.count < 1 || every.exact_us().is_some() {
        return Err(format!("`{every}` is no distance between instalments; write for example `1 month` or `14 days`"));
    }
    let (each, rest) = (amount_minor / count, amount_minor % count);
    let weekdays = Calendar::weekdays();
    let due = |k: i64| if k == 0 { first } else { weekdays.add(first, Span { count: every.count * k, ..every }) };
    let amount = |k: i64| if k + 1 == count { each + rest } else { each };
    Ok((0..count).map(|k| Instalment { due: due(k), amount_minor: amount(k) }).collect())
}

/// Checks a schedule that people agreed date by date.
///
/// # Errors
/// For people: no instalment, amounts that are none, dates out of order, a sum that is not the plan's.
pub fn check(schedule: &[Instalment], amount: Money) -> Result<(), String> {
    let count = i64::try_from(schedule.len()).unwrap_or(i64::MAX);
    if !(1..=INSTALMENTS_MAX).contains(&count) {
        return Err(format!("{count} instalments; a plan has 1 to {INSTALMENTS_MAX}"));
    }
    if let Some(wrong) = schedule.iter().find(|one| one.amount_minor <= 0) {
        return Err(format!("the instalment of {} asks for nothing", wrong.due));
    }
    if let Some(pair) = schedule.windows(2).find(|pair| pair[0].due >= pair[1].due) {
        return Err(format!("the instalment of {} does not come after that of {}", pair[1].due, pair[0].due));
    }
    let sum: i64 = schedule.iter().map(|one| one.amount_minor).sum();
    if sum == amount.minor {
        return Ok(());
    }
    let sum = Money::new(sum, amount.currency);
    Err(format!("the instalments add up to {sum}, the plan is over {amount}"))
}

/// What an offer allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Most instalments.
    pub max_instalments: Option<i64>,
    /// The last one is due by this day.
    pub ends_by: Option<NaiveDate>,
    /// Last day on which it can be accepted.
    pub valid_until: Option<NaiveDate>,
}

impl Limits {
    /// Whether a schedule agreed on a day is within the offer.
    ///
    /// # Errors
    /// For people: which limit it breaks.
    pub fn admit(&self, schedule: &[Instalment], on: NaiveDate) -> Result<(), String> {
        if let Some(until) = self.valid_until.filter(|until| on > *until) {
            return Err(format!("the offer was valid until {until}"));
        }
        let count = i64::try_from(schedule.len()).unwrap_or(i64::MAX);
        if let Some(most) = self.max_instalments.filter(|most| count > *most) {
            return Err(format!("{count} instalments; at most {most} were offered"));
        }
        let last = schedule.last().map(|one| one.due);
        if let (Some(end), Some(last)) = (self.ends_by, last.filter(|last| self.ends_by.is_some_and(|end| *last > end)))
        {
            return Err(format!("the last instalment is due on {last}; the offer ends by {end}"));
        }
        Ok(())
    }
}

/// How far an instalment's story was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Nothing yet.
    Nothing,
    /// That it is about to fall due.
    Due,
    /// That it did not come.
    Missed,
}

impl Told {
    /// The word in the ledger.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "open",
            Self::Due => "announced",
            Self::Missed => "missed",
        }
    }

    /// The meaning of the ledger's word.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        match name {
            "missed" => Self::Missed,
            "announced" => Self::Due,
            _ => Self::Nothing,
        }
    }
}

/// An instalment as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Date and amount.
    pub instalment: Instalment,
    /// What was paid of it, minor units.
    pub paid_minor: i64,
    /// How far its story was told.
    pub told: Told,
}

impl Part {
    /// What is missing of it, minor units.
    #[must_use]
    pub fn rest_minor(&self) -> i64 {
        (self.instalment.amount_minor - self.paid_minor).max(0)
    }

    /// Whether it did not come in time and has not come since.
    #[must_use]
    pub fn is_missed(&self) -> bool {
        self.told == Told::Missed && self.rest_minor() > 0
    }
}

/// Spreads what was paid over the instalments, the earliest first.
pub fn spread(parts: &mut [Part], paid_minor: i64) {
    let mut left = paid_minor.max(0);
    for part in parts {
        part.paid_minor = left.min(part.instalment.amount_minor);
        left -= part.paid_minor;
    }
}

/// How patient a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Before an instalment's day its reminder is due.
    pub reminder: Span,
    /// After an instalment's day it is not missed yet.
    pub grace: Span,
    /// So many instalments missed at the same time end the plan.
    pub default_after: i64,
}

/// What a day brings for an active plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The instalment at this index is about to fall due.
    Due(usize),
    /// The instalment at this index did not come.
    Missed(usize),
    /// Too many did not come: the plan is over.
    Defaulted,
    /// Everything came.
    Completed,
}

/// What has to be told about an active plan on a day, in order, and the next day on which to look again.
///
/// `parts` is moved on: what is returned counts as told.
pub fn look(
    parts: &mut [Part],
    patience: Patience,
    calendar: &Calendar,
    today: NaiveDate,
) -> (Vec<News>, Option<NaiveDate>) {
    let mut news = Vec::new();
    let mut next: Option<NaiveDate> = None;
    if parts.iter().all(|part| part.rest_minor() == 0) {
        return (vec![News::Completed], None);
    }
    for (index, part) in parts.iter_mut().enumerate().filter(|(_, part)| part.rest_minor() > 0) {
        let due = part.instalment.due;
        let announce = before(due, patience.reminder, calendar);
        let missed = crate::case::shift(calendar.add(due, patience.grace), 1);
        if part.told == Told::Nothing && today >= announce && today <= due {
            part.told = Told::Due;
            news.push(News::Due(index));
        }
        if part.told != Told::Missed && today >= missed {
            part.told = Told::Missed;
            news.push(News::Missed(index));
        }
        let look_at = match part.told {
            Told::Nothing if today < announce => Some(announce),
            Told::Nothing | Told::Due => Some(missed),
            Told::Missed => None,
        };
        next = [next, look_at].into_iter().flatten().min();
    }
    let missed = parts.iter().filter(|part| part.is_missed()).count();
    let is_over = i64::try_from(missed).unwrap_or(i64::MAX) >= patience.default_after
        || parts.last().is_some_and(Part::is_missed);
    if is_over {
        news.push(News::Defaulted);
        return (news, None);
    }
    (news, next)
}

fn before(date: NaiveDate, span: Span, calendar: &Calendar) -> NaiveDate {
    let days = match span.unit {
        Unit::Weeks => span.count * 7,
        Unit::Months => span.count * 30,
        Unit::Days => span.count,
        Unit::WorkingDays => return working_days_before(date, span.count, calendar),
        Unit::Minutes | Unit::Hours => 0,
    };
    crate::case::shift(date, -days)
}

fn working_days_before(mut date: NaiveDate, count: i64, calendar: &Calendar) -> NaiveDate {
    let mut left = count;
    // A calendar without working days would never end; a year is longer than any real closure.
    for _ in 0..count.saturating_mul(7).saturating_add(366) {
        if left <= 0 {
            break;
        }
        date = crate::case::shift(date, -1);
        left -= i64::from(calendar.is_working_day(date));
    }
    date
}

#[cfg(test)]
mod tests;

//! Late-payment interest: simple, per day, from a table of rates, computed for any date from what was owed each day.
//! Nothing accumulates: the same ledger and the same date always give the same cents.

use crate::ids::Hash;
use crate::money::{Currency, Money};
use chrono::{Datelike, NaiveDate};
use rust_decimal::{Decimal, RoundingStrategy};
use std::sync::Arc;

/// How a rate that changes while a debt is late applies to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Application {
    /// Each day at the rate in force on that day.
    Piecewise,
    /// The rate of the first late day, to the end.
    LockedAtDefault,
    /// The rate in force on the last day counted, for all days.
    RateAtPayment,
}

/// How a day becomes a part of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayCount {
    /// 365 days, leap years as well.
    Actual365,
    /// 360 days.
    Actual360,
    /// 366 days in leap years.
    ActualActual,
}

/// Where cents are rounded, half up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// The sum.
    Total,
    /// The interest of one day, before it is multiplied.
    Daily,
}

impl Application {
    /// All, with the name that files give them.
    pub const ALL: &[(&'static str, Self)] = &[
        ("piecewise_by_semester", Self::Piecewise),
        ("locked_at_default", Self::LockedAtDefault),
        ("rate_at_payment", Self::RateAtPayment),
    ];
}

impl DayCount {
    /// All, with the name that files give them.
    pub const ALL: &[(&'static str, Self)] =
        &[("actual/365", Self::Actual365), ("actual/360", Self::Actual360), ("actual/actual", Self::ActualActual)];

    fn days_of_year(self, day: NaiveDate) -> i64 {
        match self {
            Self::Actual365 => 365,
            Self::Actual360 => 360,
            Self::ActualActual => 365 + i64::from(day.leap_year()),
        }
    }
}

impl Rounding {
    /// All, with the name that files give them.
    pub const ALL: &[(&'static str, Self)] = &[("total", Self::Total), ("daily", Self::Daily)];
}

/// A rate and the days on which it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// First day.
    pub from: NaiveDate,
    /// Last day: what comes after is not known, and never assumed.
    pub to: NaiveDate,
    /// Percent a year.
    pub percent: Decimal,
    /// Where the figure was published.
    pub source: String,
}

/// A fixed sum owed once for an invoice that is late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedSum {
    /// For invoices of at least this amount.
    pub at_least: Decimal,
    /// The sum.
    pub amount: Decimal,
}

/// A table of rates: what late debts of some debtors cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Name of the file.
    pub name: String,
    /// Countries of the customer; empty for any.
    pub jurisdictions: Vec<String>,
    /// Kinds of debtor.
    pub debtor_kinds: Vec<String>,
    /// Currency of the fixed sums and of the debts it is for.
    pub currency: Currency,
    /// How a changing rate applies.
    pub application: Application,
    /// How days become years.
    pub day_count: DayCount,
    /// Where cents are rounded.
    pub rounding: Rounding,
    /// Rates in order, without overlap.
    pub rates: Vec<Rate>,
    /// Fixed sums by falling threshold.
    pub fixed: Vec<FixedSum>,
    /// Hash of the file.
    pub hash: Hash,
}

/// Some days at one rate over one principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// First day counted.
    pub from: NaiveDate,
    /// Last day counted.
    pub to: NaiveDate,
    /// Days.
    pub days: i64,
    /// What was owed on each of them, minor units.
    pub principal_minor: i64,
    /// Percent a year.
    pub percent: Decimal,
    /// Interest, minor units; lines add up to the sum.
    pub interest_minor: i64,
}

/// What a late invoice costs beside its principal, as of a date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The table.
    pub rates: Arc<Rates>,
    /// Date asked for; its own day counts.
    pub as_of: NaiveDate,
    /// How it came about.
    pub lines: Vec<Line>,
    /// Sum of the lines, minor units.
    pub interest_minor: i64,
    /// The fixed sum, minor units.
    pub fixed_minor: i64,
    /// What is waived of them, in order of the days.
    pub waived: Vec<Waived>,
    /// First day whose rate nobody has loaded: the days from here on are not counted.
    pub unknown_from: Option<NaiveDate>,
}

impl Statement {
    /// Interest and fixed sum, less what is waived.
    #[must_use]
    pub fn charges_minor(&self) -> i64 {
        self.interest_minor + self.fixed_minor - self.waived_minor()
    }

    /// What is waived, minor units.
    #[must_use]
    pub fn waived_minor(&self) -> i64 {
        self.waived.iter().map(|waived| waived.interest_minor + waived.fixed_minor).sum()
    }
}

/// Which charges a waiver is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waives {
    /// Interest.
    Interest,
    /// The fixed sum.
    FixedSum,
    /// Both; interest first.
    All,
}

impl Waives {
    /// All, with the name that files give them.
    pub const ALL: &[(&'static str, Self)] =
        &[("interest", Self::Interest), ("fixed_sum", Self::FixedSum), ("all", Self::All)];

    /// The charges of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, of)| *of)
    }
}

/// Charges that somebody decided not to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// The day from which it holds.
    pub on: NaiveDate,
    /// Which charges.
    pub of: Waives,
    /// How much, minor units; all that had come about by its day where nothing is said.
    pub minor: Option<i64>,
    /// Why.
    pub reason: String,
}

/// What a waiver takes off a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waived {
    /// The day from which it holds.
    pub on: NaiveDate,
    /// Off the interest, minor units.
    pub interest_minor: i64,
    /// Off the fixed sum, minor units.
    pub fixed_minor: i64,
    /// Why.
    pub reason: String,
}

/// What one invoice owed, day by day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debt {
    /// Last day to pay in time.
    pub due: NaiveDate,
    /// Principal on the day after it, if nothing was paid, minor units. Credit notes count from the beginning.
    pub amount_minor: i64,
    /// Currency.
    pub currency: Currency,
    /// Money by day of booking, in any order; taken back below zero. The day of a payment still counts in full.
    pub paid: Vec<(NaiveDate, i64)>,
    /// What is not asked for of the charges.
    pub waivers: Vec<Waiver>,
}

impl Debt {
    /// The debt without what was credited by a day: that was never owed.
    #[must_use]
    pub fn less_credits(mut self, credits: &[(NaiveDate, i64)], as_of: NaiveDate) -> Self {
        self.amount_minor -= credits.iter().filter(|(on, _)| *on <= as_of).map(|(_, minor)| minor).sum::<i64>();
        self
    }

    /// What was owed at the beginning of a day.
    fn owed_on(&self, day: NaiveDate) -> i64 {
        let paid: i64 = self.paid.iter().filter(|(on, _)| *on < day).map(|(_, minor)| minor).sum();
        (self.amount_minor - paid).max(0)
    }

    /// Whether anything was owed on a late day: on the first one, or after money was taken back.
    fn was_late(&self, as_of: NaiveDate) -> bool {
        let taken_back = self.paid.iter().filter(|(on, minor)| *minor < 0 && *on >= self.due).map(|(on, _)| *on);
        let late = |day: NaiveDate| day.succ_opt().is_some_and(|day| day <= as_of && self.owed_on(day) > 0);
        std::iter::once(self.due).chain(taken_back).any(late)
    }
}

impl Rates {
    /// Whether the table is for a customer of this country and kind and for debts in this currency.
    #[must_use]
    pub fn is_for(&self, country: &str, kind: &str, currency: Currency) -> bool {
        self.currency == currency
            && self.debtor_kinds.iter().any(|known| known == kind)
            && (self.jurisdictions.is_empty() || self.jurisdictions.iter().any(|known| known == country))
    }

    /// How a changing rate applies, as files name it.
    #[must_use]
    pub fn application_name(&self) -> &'static str {
        Application::ALL.iter().find(|(_, of)| *of == self.application).map_or("", |(name, _)| name)
    }

    /// The rate in force on a day.
    #[must_use]
    pub fn on(&self, day: NaiveDate) -> Option<&Rate> {
        let index = self.rates.partition_point(|rate| rate.from <= day).checked_sub(1)?;
        self.rates.get(index).filter(|rate| day <= rate.to)
    }

    fn fixed_minor(&self, debt: &Debt) -> i64 {
        let amount = Money::new(debt.amount_minor, debt.currency).to_decimal();
        let sum = self.fixed.iter().filter(|fixed| fixed.at_least <= amount).max_by_key(|fixed| fixed.at_least);
        sum.map_or(0, |fixed| minor(fixed.amount * unit(debt.currency)))
    }

    /// The rate that counts for a day, given the first late day and the last day counted.
    fn percent(&self, day: NaiveDate, first: NaiveDate, last: NaiveDate) -> Option<Decimal> {
        let of = match self.application {
            Application::Piecewise => day,
            Application::LockedAtDefault => first,
            Application::RateAtPayment => last,
        };
        self.on(of).map(|rate| rate.percent)
    }
}

/// What a debt costs beside its principal, as of a date, less what was waived by then.
#[must_use]
pub fn statement(rates: &Arc<Rates>, debt: &Debt, as_of: NaiveDate) -> Statement {
    let mut statement = charged(rates, debt, as_of);
    let mut waivers: Vec<&Waiver> = debt.waivers.iter().filter(|waiver| waiver.on <= as_of).collect();
    waivers.sort_by_key(|waiver| waiver.on);
    for waiver in waivers {
        waive(&mut statement, debt, waiver);
    }
    statement
}

/// Adds what a waiver takes off: never more than is there, nor more than had come about by its day where it names no amount.
fn waive(statement: &mut Statement, debt: &Debt, waiver: &Waiver) {
    let taken = |of: fn(&Waived) -> i64| statement.waived.iter().map(of).sum::<i64>();
    let (interest, fixed) = (taken(|waived| waived.interest_minor), taken(|waived| waived.fixed_minor));
    let (most, most_fixed) = if let Some(minor) = waiver.minor {
        (minor, minor)
    } else {
        let then = charged(&statement.rates, debt, waiver.on);
        (then.interest_minor - interest, then.fixed_minor - fixed)
    };
    let interest_minor = match waiver.of {
        Waives::Interest | Waives::All => most.min(statement.interest_minor - interest).max(0),
        Waives::FixedSum => 0,
    };
    let rest = if waiver.minor.is_some() { most_fixed - interest_minor } else { most_fixed };
    let fixed_minor = match waiver.of {
        Waives::FixedSum | Waives::All => rest.min(statement.fixed_minor - fixed).max(0),
        Waives::Interest => 0,
    };
    if interest_minor + fixed_minor > 0 {
        statement.waived.push(Waived { on: waiver.on, interest_minor, fixed_minor, reason: waiver.reason.clone() });
    }
}

/// The charges alone.
fn charged(rates: &Arc<Rates>, debt: &Debt, as_of: NaiveDate) -> Statement {
    let mut statement = Statement {
        rates: Arc::clone(rates),
        as_of,
        lines: Vec::new(),
        interest_minor: 0,
        fixed_minor: if debt.was_late(as_of) { rates.fixed_minor(debt) } else { 0 },
        waived: Vec::new(),
        unknown_from: None,
    };
    let Some(first) = debt.due.succ_opt().filter(|first| *first <= as_of) else { return statement };
    let last = settled_on(debt, as_of);
    let mut exact = Decimal::ZERO;
    let mut day = first;
    while day <= last {
        let end = stretch_end(rates, debt, day, last);
        let principal = debt.owed_on(day);
        if principal > 0 {
            let Some(percent) = rates.percent(day, first, last) else {
                statement.unknown_from = Some(day);
                break;
            };
            exact += interest(rates, principal, percent, day, end);
            push(&mut statement, day, end, principal, percent, exact);
        }
        let Some(next) = end.succ_opt() else { break };
        day = next;
    }
    statement
}

/// The last day that counts: that of the payment that settled it, else the date asked for.
fn settled_on(debt: &Debt, as_of: NaiveDate) -> NaiveDate {
    let mut days: Vec<NaiveDate> = debt.paid.iter().map(|(on, _)| *on).filter(|on| *on < as_of).collect();
    days.sort_unstable();
    // From the end, over days after which nothing was owed any more.
    let mut last = as_of;
    for day in days.into_iter().rev() {
        if debt.owed_on(last) > 0 {
            break;
        }
        last = day;
    }
    last
}

/// Adds a stretch as a line, or to the last line where nothing changed but the year's length.
fn push(
    statement: &mut Statement,
    from: NaiveDate,
    to: NaiveDate,
    principal_minor: i64,
    percent: Decimal,
    exact: Decimal,
) {
    // Rounded as a running sum, so that the lines add up to the total.
    let sum = minor(exact);
    let interest_minor = sum - statement.interest_minor;
    let days = (to - from).num_days() + 1;
    statement.interest_minor = sum;
    if let Some(line) = statement.lines.last_mut()
        && line.principal_minor == principal_minor
        && line.percent == percent
        && line.to.succ_opt() == Some(from)
    {
        line.to = to;
        line.days += days;
        line.interest_minor += interest_minor;
        return;
    }
    statement.lines.push(Line { from, to, days, principal_minor, percent, interest_minor });
}

/// The last day, from `day` on, with the same principal, the same rate and a year of the same length.
fn stretch_end(rates: &Rates, debt: &Debt, day: NaiveDate, last: NaiveDate) -> NaiveDate {
    let paid = debt.paid.iter().map(|(on, _)| *on).filter(|on| *on >= day).min();
    let rate = rates.on(day).map(|rate| rate.to);
    let next = rates.rates.iter().map(|rate| rate.from).filter(|from| *from > day).min();
    let year = NaiveDate::from_ymd_opt(day.year(), 12, 31);
    [paid, rate, next.and_then(|from| from.pred_opt()), year].into_iter().flatten().fold(last, NaiveDate::min)
}

/// Interest of some days of one year, in minor units, exact or rounded by day.
fn interest(rates: &Rates, principal_minor: i64, percent: Decimal, from: NaiveDate, to: NaiveDate) -> Decimal {
    let days = Decimal::from((to - from).num_days() + 1);
    let year = Decimal::from(rates.day_count.days_of_year(from) * 100);
    let a_year = Decimal::from(principal_minor) * percent;
    match rates.rounding {
        // One division at the end keeps it exact as long as possible.
        Rounding::Total => a_year * days / year,
        Rounding::Daily => Decimal::from(minor(a_year / year)) * days,
    }
}

fn unit(currency: Currency) -> Decimal {
    Decimal::from(10_i64.pow(currency.digits()))
}

fn minor(exact: Decimal) -> i64 {
    let rounded = exact.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
    i64::try_from(rounded.mantissa() / 10_i128.pow(rounded.scale())).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;

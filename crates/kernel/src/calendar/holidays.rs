//! Holidays by rule: `third monday of january`, days from Easter, substitute and moved days, each with its years.
//!
//! Rules are worked out once, for the years a ledger can hold; [`Holidays::is_holiday`] is then one search.

use super::{MonthDay, easter, weekday_of};
use chrono::{Datelike, Days, NaiveDate, Weekday};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Years that are worked out when a calendar is read; other years are worked out when they are asked for.
const YEARS: std::ops::RangeInclusive<i32> = 1990..=2060;

/// Which of a month's weekdays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nth {
    /// The first is 1; a fifth is missing in most months.
    From(u32),
    /// The last one.
    Last,
}

/// On which side of a day, and whether the day itself may be it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Strictly before.
    Before,
    /// Strictly after.
    After,
    /// The day itself or before.
    OnOrBefore,
    /// The day itself or after.
    OnOrAfter,
}

/// What a rule says of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// One date, of one year.
    Date(NaiveDate),
    /// The same day each year; `02-29` in leap years only.
    Yearly(MonthDay),
    /// Days from Easter Sunday.
    Easter(i64),
    /// `third monday of january`.
    Nth {
        /// Which one.
        nth: Nth,
        /// The weekday.
        weekday: Weekday,
        /// 1 to 12.
        month: u32,
    },
    /// `monday before may 25`.
    Near {
        /// The weekday.
        weekday: Weekday,
        /// Which side of the day.
        side: Side,
        /// The day.
        day: MonthDay,
    },
}

/// Where a holiday goes that falls on a weekday on which it is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// That weekday before it.
    Before(Weekday),
    /// That weekday after it.
    After(Weekday),
    /// The next day from Monday to Friday that is no holiday already.
    WorkingDay,
}

/// What happens to a holiday on certain weekdays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Shift {
    /// Nothing.
    #[default]
    Stays,
    /// Another day is kept instead (Colombia, Argentina, Chile).
    Moves(BTreeMap<u8, To>),
    /// Another day is kept as well (United Kingdom, United States).
    Substitutes(BTreeMap<u8, To>),
}

/// One holiday, by rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What people call it.
    pub name: Arc<str>,
    /// When.
    pub on: Vec<On>,
    /// First year.
    pub from: Option<i32>,
    /// Last year.
    pub until: Option<i32>,
    /// Years without it.
    pub except: BTreeSet<i32>,
    /// It is kept only if it falls on one of these weekdays, 0 is Monday; empty means always.
    pub only: BTreeSet<u8>,
    /// What happens to it on certain weekdays.
    pub shift: Shift,
}

impl Rule {
    /// A rule for every year that stays where it falls.
    #[must_use]
    pub fn new(name: &str, on: Vec<On>) -> Self {
        Self {
            name: name.into(),
            on,
            from: None,
            until: None,
            except: BTreeSet::new(),
            only: BTreeSet::new(),
            shift: Shift::Stays,
        }
    }

    fn is_kept_in(&self, year: i32) -> bool {
        self.from.is_none_or(|from| from <= year)
            && self.until.is_none_or(|until| year <= until)
            && !self.except.contains(&year)
    }

    /// The dates that the rule names in a year, before anything is moved.
    fn dates(&self, year: i32, sunday: NaiveDate) -> impl Iterator<Item = NaiveDate> {
        let kept = self.is_kept_in(year);
        self.on
            .iter()
            .filter(move |_| kept)
            .filter_map(move |on| date_of(*on, year, sunday))
            .filter(|date| self.only.is_empty() || self.only.contains(&weekday_of(*date)))
    }
}

/// A date that people keep, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holiday {
    /// The date.
    pub date: NaiveDate,
    /// What people call it.
    pub name: Arc<str>,
    /// Whether another day is kept instead of, or beside, the one that the rule names.
    pub shifted: bool,
}

/// Rules and the dates they make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holidays {
    rules: Vec<Rule>,
    /// Sorted, of [`YEARS`] only.
    dates: Vec<NaiveDate>,
}

impl Holidays {
    /// Works the rules out.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        let found = work_out(&rules, *YEARS.start(), *YEARS.end());
        let mut dates: Vec<NaiveDate> = found.into_iter().map(|holiday| holiday.date).collect();
        dates.dedup();
        Self { rules, dates }
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether the date is a holiday, on whatever weekday.
    #[must_use]
    pub fn is_holiday(&self, date: NaiveDate) -> bool {
        if YEARS.contains(&date.year()) {
            self.dates.binary_search(&date).is_ok()
        } else {
            self.of_year(date.year()).iter().any(|holiday| holiday.date == date)
        }
    }

    /// The holidays of a year, by date.
    #[must_use]
    pub fn of_year(&self, year: i32) -> Vec<Holiday> {
        self.of_years(year, year)
    }

    /// The holidays from one year to another, both included, by date.
    #[must_use]
    pub fn of_years(&self, first: i32, last: i32) -> Vec<Holiday> {
        work_out(&self.rules, first, last)
    }
}

/// All holidays from the first to the last year, by date and name.
fn work_out(rules: &[Rule], first: i32, last: i32) -> Vec<Holiday> {
    let (mut found, mut later) = (Vec::new(), Vec::new());
    // A day of the neighbouring year may be kept in this one: a new year's Saturday on the Friday before.
    for year in first - 1..=last + 1 {
        let sunday = easter(year);
        for rule in rules {
            for date in rule.dates(year, sunday) {
                let holiday = |date, shifted| Holiday { date, name: Arc::clone(&rule.name), shifted };
                let to = match &rule.shift {
                    Shift::Stays => None,
                    Shift::Moves(map) | Shift::Substitutes(map) => map.get(&weekday_of(date)),
                };
                if to.is_none() || matches!(rule.shift, Shift::Substitutes(_)) {
                    found.push(holiday(date, false));
                }
                match to {
                    None => {}
                    Some(To::WorkingDay) => later.push(holiday(date, true)),
                    Some(To::Before(wanted)) => found.push(holiday(before(date - Days::new(1), *wanted), true)),
                    Some(To::After(wanted)) => found.push(holiday(after(date + Days::new(1), *wanted), true)),
                }
            }
        }
    }
    place(&mut found, later);
    found.retain(|holiday| (first..=last).contains(&holiday.date.year()));
    found.sort();
    found.dedup();
    found
}

/// Gives each holiday the next working day that is still free, the earliest first: of a Christmas on Saturday and
/// Sunday, Monday is the first day's and Tuesday the second's.
fn place(found: &mut Vec<Holiday>, mut later: Vec<Holiday>) {
    if later.is_empty() {
        return;
    }
    later.sort();
    let mut taken: BTreeSet<NaiveDate> = found.iter().map(|holiday| holiday.date).collect();
    for holiday in later {
        // A fortnight without a free day is no calendar.
        let free = (1..15)
            .map(|days| holiday.date + Days::new(days))
            .find(|date| weekday_of(*date) < 5 && !taken.contains(date));
        if let Some(date) = free {
            taken.insert(date);
            found.push(Holiday { date, ..holiday });
        }
    }
}

fn date_of(on: On, year: i32, sunday: NaiveDate) -> Option<NaiveDate> {
    match on {
        On::Date(date) => (date.year() == year).then_some(date),
        On::Yearly(day) => NaiveDate::from_ymd_opt(year, day.month, day.day),
        On::Easter(days) => Some(sunday + chrono::TimeDelta::days(days)),
        On::Nth { nth: Nth::From(nth), weekday, month } => {
            NaiveDate::from_weekday_of_month_opt(year, month, weekday, u8::try_from(nth).ok()?)
        }
        On::Nth { nth: Nth::Last, weekday, month } => {
            let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            NaiveDate::from_ymd_opt(year, month, 1).map(|next| before(next - Days::new(1), weekday))
        }
        On::Near { weekday, side, day } => {
            let date = NaiveDate::from_ymd_opt(year, day.month, day.day)?;
            Some(match side {
                Side::Before => before(date - Days::new(1), weekday),
                Side::OnOrBefore => before(date, weekday),
                Side::After => after(date + Days::new(1), weekday),
                Side::OnOrAfter => after(date, weekday),
            })
        }
    }
}

/// The weekday on or before a date.
fn before(date: NaiveDate, weekday: Weekday) -> NaiveDate {
    date - Days::new(u64::from(date.weekday().days_since(weekday)))
}

/// The weekday on or after a date.
fn after(date: NaiveDate, weekday: Weekday) -> NaiveDate {
    date + Days::new(u64::from(weekday.days_since(date.weekday())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn day(month: u32, day: u32) -> MonthDay {
        MonthDay { month, day }
    }

    fn yearly(name: &str, month: u32, date: u32) -> Rule {
        Rule::new(name, vec![On::Yearly(day(month, date))])
    }

    fn kept(rules: Vec<Rule>, year: i32) -> Vec<String> {
        Holidays::new(rules).of_year(year).iter().map(|holiday| holiday.date.to_string()).collect()
    }

    fn nth(nth: Nth, weekday: Weekday, month: u32) -> Rule {
        Rule::new("nth", vec![On::Nth { nth, weekday, month }])
    }

    #[test]
    fn weekdays_of_a_month_are_counted_from_either_end() {
        let kings = nth(Nth::From(3), Weekday::Mon, 1);
        assert_eq!(kept(vec![kings], 2026), ["2026-01-19"]);
        assert_eq!(kept(vec![nth(Nth::Last, Weekday::Mon, 5)], 2026), ["2026-05-25"]);
        assert_eq!(kept(vec![nth(Nth::Last, Weekday::Thu, 12)], 2026), ["2026-12-31"]);
        assert_eq!(kept(vec![nth(Nth::From(5), Weekday::Mon, 2)], 2026), [""; 0]);
    }

    #[test]
    fn a_weekday_beside_a_day_counts_the_day_only_where_the_rule_says_so() {
        let near = |side, weekday| Rule::new("near", vec![On::Near { weekday, side, day: day(5, 25) }]);
        // 25 May 2026 is a Monday.
        assert_eq!(kept(vec![near(Side::Before, Weekday::Mon)], 2026), ["2026-05-18"]);
        assert_eq!(kept(vec![near(Side::OnOrBefore, Weekday::Mon)], 2026), ["2026-05-25"]);
        assert_eq!(kept(vec![near(Side::After, Weekday::Mon)], 2026), ["2026-06-01"]);
        assert_eq!(kept(vec![near(Side::OnOrAfter, Weekday::Tue)], 2026), ["2026-05-26"]);
    }

    #[test]
    fn substitutes_take_the_next_free_working_days_in_order() {
        let weekend = || Shift::Substitutes([(5, To::WorkingDay), (6, To::WorkingDay)].into());
        let rules = || {
            vec![
                Rule { shift: weekend(), ..yearly("Boxing Day", 12, 26) },
                Rule { shift: weekend(), ..yearly("Christmas Day", 12, 25) },
            ]
        };
        assert_eq!(kept(rules(), 2021), ["2021-12-25", "2021-12-26", "2021-12-27", "2021-12-28"]);
        // Christmas on Sunday: Boxing Day has its Monday, Christmas the Tuesday after it.
        assert_eq!(kept(rules(), 2022), ["2022-12-25", "2022-12-26", "2022-12-27"]);
        let monday = Holidays::new(rules()).of_year(2021)[2].clone();
        assert_eq!((&*monday.name, monday.shifted), ("Christmas Day", true));
    }

    #[test]
    fn an_observed_new_year_may_lie_in_the_year_before() {
        let observed = Shift::Substitutes([(5, To::Before(Weekday::Fri)), (6, To::After(Weekday::Mon))].into());
        let rules = vec![Rule { shift: observed, ..yearly("New Year's Day", 1, 1) }];
        assert_eq!(kept(rules.clone(), 2021), ["2021-01-01", "2021-12-31"]);
        assert_eq!(kept(rules.clone(), 2022), ["2022-01-01"]);
        assert_eq!(kept(rules, 2023), ["2023-01-01", "2023-01-02"]);
    }

    #[test]
    fn a_moved_holiday_leaves_its_own_day() {
        let monday = (1..7).map(|weekday| (weekday, To::After(Weekday::Mon))).collect();
        let rules = vec![Rule { shift: Shift::Moves(monday), ..yearly("Reyes", 1, 6) }];
        assert_eq!(kept(rules.clone(), 2026), ["2026-01-12"]);
        assert_eq!(kept(rules, 2025), ["2025-01-06"]);
    }

    #[test]
    fn rules_hold_in_their_years_and_on_their_weekdays() {
        let rule = Rule { from: Some(2021), until: Some(2024), except: [2023].into(), ..yearly("x", 6, 19) };
        let years: Vec<i32> = (2019..2027).filter(|year| !kept(vec![rule.clone()], *year).is_empty()).collect();
        assert_eq!(years, [2021, 2022, 2024]);
        let bridge = Rule { only: [0, 4].into(), ..yearly("bridge", 9, 17) };
        assert_eq!(kept(vec![bridge.clone()], 2021), ["2021-09-17"]);
        assert_eq!(kept(vec![bridge], 2020), [""; 0]);
    }

    #[test]
    fn years_outside_the_span_are_worked_out_when_asked_for() {
        let holidays = Holidays::new(vec![yearly("x", 5, 1), Rule::new("good friday", vec![On::Easter(-2)])]);
        for date in ["1900-05-01", "1990-05-01", "2026-04-03", "2060-05-01", "2200-05-01"] {
            assert!(holidays.is_holiday(on(date)), "{date}");
            assert!(!holidays.is_holiday(on(date) + Days::new(1)), "after {date}");
        }
    }
}

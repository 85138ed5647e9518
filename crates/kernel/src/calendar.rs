//! Working days, holidays, seasons and contact windows. Pure date arithmetic over data from `workflows/calendars`.

pub mod holidays;

use crate::time::{Hours, Span, Timestamp, Unit};
use chrono::{Datelike, Days, Months, NaiveDate, Weekday};
use chrono_tz::Tz;
use holidays::Holidays;
use std::collections::{BTreeMap, BTreeSet};

/// A month and a day, valid in every year (`02-29` only where the year has it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MonthDay {
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
}

/// A span of the year, both ends included; it may pass the new year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Season {
    /// First day.
    pub from: MonthDay,
    /// Last day.
    pub to: MonthDay,
    /// Working days or days that must pass after the last day before waiting steps act again.
    pub reopen: Option<Span>,
}

/// Working days, holidays and seasons of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// The file's name.
    pub name: String,
    /// ISO country, and subdivision after a hyphen, that it speaks for; none for a house calendar.
    pub country: Option<String>,
    /// Weekdays people work.
    pub working_days: BTreeSet<u8>,
    /// Holidays.
    pub holidays: Holidays,
    /// Named seasons.
    pub seasons: BTreeMap<String, Season>,
    /// Hash of the file, recorded with each decision that used it.
    pub hash: crate::ids::Hash,
}

/// What becomes of a date on which nobody works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roll {
    /// It stays.
    None,
    /// The next working day.
    Next,
    /// The working day before.
    Previous,
    /// The next working day, but in the same month; else the one before (what banks do).
    ModifiedFollowing,
}

/// Easter Sunday of a year in the Gregorian calendar (the anonymous computus).
#[must_use]
#[expect(clippy::many_single_char_names, reason = "the names of the published algorithm")]
pub fn easter(year: i32) -> NaiveDate {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let month = (h + l - 7 * m + 114) / 31;
    let day = (h + l - 7 * m + 114) % 31 + 1;
    NaiveDate::from_ymd_opt(year, month.unsigned_abs(), day.unsigned_abs()).expect("the computus yields a spring date")
}

impl Calendar {
    /// Monday to Friday without holidays: where no calendar is known.
    #[must_use]
    pub fn weekdays() -> Self {
        Self {
            name: "weekdays".to_owned(),
            country: None,
            working_days: (0..5).collect(),
            holidays: Holidays::default(),
            seasons: BTreeMap::new(),
            hash: crate::ids::Hash::default(),
        }
    }

    /// Whether people work on that date.
    #[must_use]
    pub fn is_working_day(&self, date: NaiveDate) -> bool {
        self.working_days.contains(&weekday_of(date)) && !self.is_holiday(date)
    }

    /// Whether the date is a holiday, on whatever weekday.
    #[must_use]
    pub fn is_holiday(&self, date: NaiveDate) -> bool {
        self.holidays.is_holiday(date)
    }

    /// The date itself if people work on it, else the next such date.
    #[must_use]
    pub fn working_day_from(&self, mut date: NaiveDate) -> NaiveDate {
        // A calendar without working days would never end; a year is longer than any real closure.
        for _ in 0..366 {
            if self.is_working_day(date) {
                return date;
            }
            date = date + Days::new(1);
        }
        date
    }

    /// The last working day at or before the date.
    #[must_use]
    pub fn working_day_until(&self, date: NaiveDate) -> NaiveDate {
        let days = (0..366).map(|back| date - Days::new(back));
        days.into_iter().find(|day| self.is_working_day(*day)).unwrap_or(date)
    }

    /// The working day on which something counts that falls on a date.
    #[must_use]
    pub fn roll(&self, date: NaiveDate, roll: Roll) -> NaiveDate {
        match roll {
            Roll::None => date,
            Roll::Next => self.working_day_from(date),
            Roll::Previous => self.working_day_until(date),
            Roll::ModifiedFollowing => {
                let next = self.working_day_from(date);
                if (next.year(), next.month()) == (date.year(), date.month()) {
                    next
                } else {
                    self.working_day_until(date)
                }
            }
        }
    }

    /// The date `count` working days after `date` (the date itself is not counted).
    #[must_use]
    pub fn add_working_days(&self, mut date: NaiveDate, count: i64) -> NaiveDate {
        for _ in 0..count {
            date = self.working_day_from(date + Days::new(1));
        }
        date
    }

    /// Working days after `from` up to and including `to`; negative if `to` is earlier.
    #[must_use]
    pub fn working_days_between(&self, from: NaiveDate, to: NaiveDate) -> i64 {
        let (low, high, sign) = if from <= to { (from, to, 1) } else { (to, from, -1) };
        let days = low.iter_days().skip(1).take_while(|day| *day <= high).filter(|day| self.is_working_day(*day));
        sign * i64::try_from(days.count()).unwrap_or(i64::MAX)
    }

    /// The date a duration later. Hours and minutes count as no date at all.
    #[must_use]
    pub fn add(&self, date: NaiveDate, span: Span) -> NaiveDate {
        let count = u64::try_from(span.count).unwrap_or(0);
        match span.unit {
            Unit::Minutes | Unit::Hours => date,
            Unit::Days => date + Days::new(count),
            Unit::Weeks => date + Days::new(count * 7),
            Unit::Months => date.checked_add_months(Months::new(u32::try_from(count).unwrap_or(0))).unwrap_or(date),
            Unit::WorkingDays => self.add_working_days(date, span.count),
        }
    }

    /// Whether the date lies in a season of that name, or in the days after it that `reopen` adds.
    #[must_use]
    pub fn in_season(&self, name: &str, date: NaiveDate) -> bool {
        self.season_end(name, date).is_some()
    }

    /// The first date after the season (and its `reopen` days) that contains `date`; nothing outside it.
    #[must_use]
    pub fn season_end(&self, name: &str, date: NaiveDate) -> Option<NaiveDate> {
        let season = self.seasons.get(name)?;
        // A season that began last year may reach into this one.
        [date.year() - 1, date.year()].into_iter().find_map(|year| {
            let start = day_of(year, season.from);
            let wraps = (season.to.month, season.to.day) < (season.from.month, season.from.day);
            let last = day_of(if wraps { year + 1 } else { year }, season.to);
            let reopened = season.reopen.map_or(last, |span| self.add(last, span)) + Days::new(1);
            let after = if season.reopen.is_some() { reopened - Days::new(1) } else { reopened };
            (start <= date && date < after).then_some(after)
        })
    }

    /// The first instant at or after `at` inside the hours of a working day.
    #[must_use]
    pub fn next_open(&self, at: Timestamp, hours: Hours, zone: Tz) -> Timestamp {
        let local = at.local(zone);
        let date = local.date();
        if self.is_working_day(date) {
            if local.time() < hours.from {
                return Timestamp::at_local(date, hours.from, zone);
            }
            if local.time() < hours.to {
                return at;
            }
        }
        let next = self.working_day_from(date + Days::new(1));
        Timestamp::at_local(next, hours.from, zone)
    }
}

fn day_of(year: i32, day: MonthDay) -> NaiveDate {
    // 29 February stands for the end of the month in other years.
    NaiveDate::from_ymd_opt(year, day.month, day.day)
        .or_else(|| NaiveDate::from_ymd_opt(year, day.month, 28))
        .expect("a month and day that the reader accepted")
}

/// The weekday of a date as 0 to 6, Monday first.
#[must_use]
pub fn weekday_of(date: NaiveDate) -> u8 {
    u8::try_from(date.weekday().num_days_from_monday()).expect("0 to 6")
}

/// Reads `mon` to `sun` as 0 to 6.
#[must_use]
pub fn weekday(name: &str) -> Option<u8> {
    let day: Weekday = name.parse().ok()?;
    u8::try_from(day.num_days_from_monday()).ok()
}

#[cfg(test)]
mod tests {
    use super::holidays::{On, Rule};
    use super::*;

    fn spain() -> Calendar {
        let fixed = [(1, 1), (1, 6), (5, 1), (8, 15), (10, 12), (11, 1), (12, 6), (12, 8), (12, 25)];
        let fixed = fixed.map(|(month, day)| On::Yearly(MonthDay { month, day }));
        Calendar {
            holidays: Holidays::new(vec![Rule::new("fixed", fixed.into()), Rule::new("easter", vec![On::Easter(-2)])]),
            seasons: [(
                "winter".to_owned(),
                Season { from: MonthDay { month: 11, day: 1 }, to: MonthDay { month: 3, day: 31 }, reopen: None },
            )]
            .into(),
            ..Calendar::weekdays()
        }
    }

    fn on(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn easter_matches_published_dates() {
        for date in ["2020-04-12", "2024-03-31", "2025-04-20", "2026-04-05", "2038-04-25"] {
            assert_eq!(easter(on(date).year()), on(date));
        }
    }

    #[test]
    fn working_days_skip_weekends_and_holidays() {
        let es = spain();
        assert!(!es.is_working_day(on("2026-04-03")), "Good Friday");
        assert_eq!(es.add_working_days(on("2026-05-29"), 2), on("2026-06-02"));
        assert_eq!(es.add_working_days(on("2026-07-02"), 10), on("2026-07-16"));
        assert_eq!(es.working_days_between(on("2026-05-29"), on("2026-06-02")), 2);
        assert_eq!(es.working_days_between(on("2026-06-02"), on("2026-05-29")), -2);
    }

    #[test]
    fn months_end_with_the_month() {
        assert_eq!(spain().add(on("2026-01-31"), "1 month".parse().unwrap()), on("2026-02-28"));
    }

    #[test]
    fn a_season_may_pass_the_new_year() {
        let es = spain();
        assert_eq!(es.season_end("winter", on("2026-01-10")), Some(on("2026-04-01")));
        assert_eq!(es.season_end("winter", on("2026-11-01")), Some(on("2027-04-01")));
        assert_eq!(es.season_end("winter", on("2026-04-01")), None);
        assert!(!es.in_season("summer", on("2026-01-10")));
    }

    #[test]
    fn windows_open_on_the_next_working_morning() {
        let (es, zone) = (spain(), "Europe/Madrid".parse().unwrap());
        let friday_night: Timestamp = "2026-05-01T20:30:00Z".parse().unwrap();
        assert_eq!(es.next_open(friday_night, Hours::office(), zone).to_string(), "2026-05-04T07:00:00.000000Z");
    }

    #[test]
    fn a_date_without_work_rolls_as_asked() {
        let es = spain();
        for (date, next, previous, modified) in [
            ("2026-05-13", "2026-05-13", "2026-05-13", "2026-05-13"), // an ordinary Wednesday
            ("2026-05-02", "2026-05-04", "2026-04-30", "2026-05-04"), // Saturday after Labour Day
            ("2026-05-31", "2026-06-01", "2026-05-29", "2026-05-29"), // Sunday that ends a month
            ("2026-12-25", "2026-12-28", "2026-12-24", "2026-12-28"), // Christmas, a Friday
            ("2023-12-31", "2024-01-02", "2023-12-29", "2023-12-29"), // Sunday that ends a year
            ("2026-04-03", "2026-04-06", "2026-04-02", "2026-04-06"), // Good Friday
        ] {
            assert_eq!(es.roll(on(date), Roll::Next), on(next), "{date}");
            assert_eq!(es.roll(on(date), Roll::Previous), on(previous), "{date}");
            assert_eq!(es.roll(on(date), Roll::ModifiedFollowing), on(modified), "{date}");
            assert_eq!(es.roll(on(date), Roll::None), on(date));
        }
    }
}

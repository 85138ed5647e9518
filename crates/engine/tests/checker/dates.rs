//! Days as the checker knows them: written down one by one, worked out by nobody.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeZone, Utc, Weekday};
use chrono_tz::Tz;

/// An instant.
pub(crate) type At = DateTime<Utc>;

/// National holidays from October 2025 to January 2027, typed from the calendars that the countries print. Those that
/// always fall on a Sunday are left out.
const HOLIDAYS: &[(&str, &str)] = &[
    (
        "ES",
        "2025-10-12 2025-11-01 2025-12-06 2025-12-08 2025-12-25 2026-01-01 2026-01-06 2026-04-03 2026-05-01 2026-08-15 \
         2026-10-12 2026-11-01 2026-12-06 2026-12-08 2026-12-25 2027-01-01 2027-01-06",
    ),
    (
        "FR",
        "2025-11-01 2025-11-11 2025-12-25 2026-01-01 2026-04-06 2026-05-01 2026-05-08 2026-05-14 2026-05-25 2026-07-14 \
         2026-08-15 2026-11-01 2026-11-11 2026-12-25 2027-01-01",
    ),
    (
        "DE",
        "2025-10-03 2025-12-25 2025-12-26 2026-01-01 2026-04-03 2026-04-06 2026-05-01 2026-05-14 2026-05-25 2026-10-03 \
         2026-12-25 2026-12-26 2027-01-01",
    ),
    (
        "IT",
        "2025-11-01 2025-12-08 2025-12-25 2025-12-26 2026-01-01 2026-01-06 2026-04-05 2026-04-06 2026-04-25 2026-05-01 \
         2026-06-02 2026-08-15 2026-10-04 2026-11-01 2026-12-08 2026-12-25 2026-12-26 2027-01-01 2027-01-06",
    ),
    (
        "PT",
        "2025-10-05 2025-11-01 2025-12-01 2025-12-08 2025-12-25 2026-01-01 2026-04-03 2026-04-25 2026-05-01 2026-06-04 \
         2026-06-10 2026-08-15 2026-10-05 2026-11-01 2026-12-01 2026-12-08 2026-12-25 2027-01-01",
    ),
    (
        "GB",
        "2025-12-25 2025-12-26 2026-01-01 2026-04-03 2026-04-06 2026-05-04 2026-05-25 2026-08-31 2026-12-25 2026-12-28 \
         2027-01-01",
    ),
    (
        "US",
        "2025-10-13 2025-11-11 2025-11-27 2025-12-25 2026-01-01 2026-01-19 2026-02-16 2026-05-25 2026-06-19 2026-07-03 \
         2026-09-07 2026-10-12 2026-11-11 2026-11-26 2026-12-25 2027-01-01 2027-01-18",
    ),
    (
        "CL",
        "2025-10-31 2025-11-01 2025-12-08 2025-12-25 2026-01-01 2026-04-03 2026-04-04 2026-05-01 2026-05-21 2026-06-29 \
         2026-07-16 2026-08-15 2026-09-18 2026-09-19 2026-10-12 2026-10-31 2026-12-08 2026-12-25 2027-01-01",
    ),
    (
        "CO",
        "2025-10-13 2025-11-03 2025-11-17 2025-12-08 2025-12-25 2026-01-01 2026-01-12 2026-03-23 2026-04-02 2026-04-03 \
         2026-05-01 2026-05-18 2026-06-08 2026-06-15 2026-06-29 2026-07-20 2026-08-07 2026-08-17 2026-10-12 2026-11-02 \
         2026-11-16 2026-12-08 2026-12-25 2027-01-01 2027-01-11",
    ),
];

/// Whether a day is a holiday of the whole country.
pub(crate) fn is_holiday(country: &str, on: NaiveDate) -> bool {
    let text = on.to_string();
    HOLIDAYS.iter().any(|(name, days)| *name == country && days.split_whitespace().any(|day| day == text))
}

/// Monday to Friday, and no holiday.
pub(crate) fn is_working_day(country: &str, on: NaiveDate) -> bool {
    !matches!(on.weekday(), Weekday::Sat | Weekday::Sun) && !is_holiday(country, on)
}

/// So many working days later, the day itself not counted.
pub(crate) fn working_days_after(country: &str, mut on: NaiveDate, count: usize) -> NaiveDate {
    for _ in 0..count {
        on = plus(on, 1);
        while !is_working_day(country, on) {
            on = plus(on, 1);
        }
    }
    on
}

/// So many days later; earlier where it is below zero.
pub(crate) fn plus(on: NaiveDate, days: i64) -> NaiveDate {
    on + chrono::Duration::days(days)
}

/// The wall clock of a place.
pub(crate) fn wall(at: At, zone: Tz) -> NaiveDateTime {
    at.with_timezone(&zone).naive_local()
}

/// The first instant at which a place's clock shows this; where it jumps over it, the quarter of an hour behind.
pub(crate) fn instant(zone: Tz, mut shows: NaiveDateTime) -> At {
    loop {
        if let Some(at) = zone.from_local_datetime(&shows).earliest() {
            return at.with_timezone(&Utc);
        }
        shows += chrono::Duration::minutes(15);
    }
}

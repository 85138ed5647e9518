//! Instants, civil dates and durations. Time always comes in as an argument; nothing here reads a clock.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An instant in UTC, in whole microseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// One hour in microseconds.
pub const HOUR_US: i64 = 3_600_000_000;

impl Timestamp {
    /// The latest instant that chrono can show; stands for "never".
    pub const MAX: Self = Self(253_402_300_799_000_000);

    /// An instant from microseconds since 1970.
    #[must_use]
    pub const fn from_us(us: i64) -> Self {
        Self(us)
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn as_us(self) -> i64 {
        self.0
    }

    /// The instant `us` microseconds later; saturates.
    #[must_use]
    pub const fn plus_us(self, us: i64) -> Self {
        Self(self.0.saturating_add(us))
    }

    /// As a chrono instant.
    #[must_use]
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// The civil date and time in a zone.
    #[must_use]
    pub fn local(self, zone: Tz) -> NaiveDateTime {
        self.to_utc().with_timezone(&zone).naive_local()
    }

    /// The civil date in a zone.
    #[must_use]
    pub fn date_in(self, zone: Tz) -> NaiveDate {
        self.local(zone).date()
    }

    /// The instant of a civil time in a zone.
    ///
    /// In the gap of a spring change the next valid minute is taken; in the overlap of an autumn change the first.
    #[must_use]
    pub fn at_local(date: NaiveDate, time: NaiveTime, zone: Tz) -> Self {
        let mut naive = date.and_time(time);
        // Gaps last at most a few hours (Samoa skipped a day in 2011), hence the bound.
        for _ in 0..(26 * 60) {
            if let Some(found) = zone.from_local_datetime(&naive).earliest() {
                return Self(found.timestamp_micros());
            }
            naive += chrono::Duration::minutes(1);
        }
        Self(naive.and_utc().timestamp_micros())
    }

    /// The first instant of a civil date in a zone.
    #[must_use]
    pub fn start_of(date: NaiveDate, zone: Tz) -> Self {
        Self::at_local(date, NaiveTime::MIN, zone)
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_micros())
    }
}

impl fmt::Display for Timestamp {
    // By hand: every record of every turn holds several, and a format string is read again each time.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let utc = self.to_utc();
        if !(0..=9_999).contains(&utc.year()) {
            return write!(f, "{}", utc.format("%Y-%m-%dT%H:%M:%S%.6fZ"));
        }
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let us = utc.nanosecond() / 1_000;
        let parts = [(0..4, utc.year().unsigned_abs()), (5..7, utc.month()), (8..10, utc.day()), (11..13, utc.hour())];
        let rest = [(14..16, utc.minute()), (17..19, utc.second()), (20..26, us)];
        for (place, mut number) in parts.into_iter().chain(rest) {
            for digit in text[place].iter_mut().rev() {
                *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
                number /= 10;
            }
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = chrono::ParseError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(DateTime::parse_from_rfc3339(text)?.timestamp_micros()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The unit of a [`Span`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Exact minutes.
    Minutes,
    /// Exact hours.
    Hours,
    /// Civil dates.
    Days,
    /// Working days of a calendar.
    WorkingDays,
    /// Seven civil dates.
    Weeks,
    /// Civil months, clamped to the end of the month.
    Months,
}

/// A duration as a playbook writes it: `4 working days`, `10 minutes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// How many.
    pub count: i64,
    /// Of what.
    pub unit: Unit,
}

/// Why a text is not a duration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SpanError {
    /// `after: 3`.
    #[error("`{0}` has no unit")]
    NoUnit(String),
    /// Anything else.
    #[error("`{0}` is not a duration; write minutes, hours, days, working days, weeks or months")]
    Malformed(String),
}

impl Span {
    /// A number of civil days.
    #[must_use]
    pub const fn days(count: i64) -> Self {
        Self { count, unit: Unit::Days }
    }

    /// A number of working days.
    #[must_use]
    pub const fn working_days(count: i64) -> Self {
        Self { count, unit: Unit::WorkingDays }
    }

    /// Exact length in microseconds, for hours and minutes; nothing for spans that count dates.
    #[must_use]
    pub const fn exact_us(self) -> Option<i64> {
        match self.unit {
            Unit::Minutes => Some(self.count * HOUR_US / 60),
            Unit::Hours => Some(self.count * HOUR_US),
            Unit::Days | Unit::WorkingDays | Unit::Weeks | Unit::Months => None,
        }
    }
}

impl FromStr for Span {
    type Err = SpanError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || SpanError::Malformed(text.to_owned());
        let trimmed = text.trim();
        let (number, unit) = match trimmed.split_once(char::is_whitespace) {
            Some((number, unit)) => (number, unit.trim()),
            None if trimmed.parse::<i64>().is_ok() => return Err(SpanError::NoUnit(text.to_owned())),
            None => return Err(malformed()),
        };
        let count: i64 = number.parse().map_err(|_| malformed())?;
        if !(0..=100_000).contains(&count) {
            return Err(malformed());
        }
        let unit = match unit.split_whitespace().collect::<Vec<_>>().join(" ").as_str() {
            "minute" | "minutes" => Unit::Minutes,
            "hour" | "hours" => Unit::Hours,
            "day" | "days" => Unit::Days,
            "working day" | "working days" => Unit::WorkingDays,
            "week" | "weeks" => Unit::Weeks,
            "month" | "months" => Unit::Months,
            _ => return Err(malformed()),
        };
        Ok(Self { count, unit })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Minutes => "minute",
            Unit::Hours => "hour",
            Unit::Days => "day",
            Unit::WorkingDays => "working day",
            Unit::Weeks => "week",
            Unit::Months => "month",
        };
        let plural = if self.count == 1 { "" } else { "s" };
        write!(f, "{} {unit}{plural}", self.count)
    }
}

impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A daily window of civil time, end excluded: `09:00-18:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hours {
    /// Opening time.
    pub from: NaiveTime,
    /// Closing time, after `from`.
    pub to: NaiveTime,
}

impl Hours {
    /// Nine to six: where a playbook says nothing.
    #[must_use]
    pub fn office() -> Self {
        "09:00-18:00".parse().expect("a literal")
    }
}

impl FromStr for Hours {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not a daily window such as `09:00-18:00`");
        let (from, to) = text.split_once('-').ok_or_else(wrong)?;
        let read = |t: &str| NaiveTime::parse_from_str(t.trim(), "%H:%M").map_err(|_| wrong());
        let hours = Self { from: read(from)?, to: read(to)? };
        if hours.from < hours.to {
            return Ok(hours);
        }
        Err(format!(
            "`{text}` ends before it begins: a daily window lies within one day; what runs over midnight is written as \
             two, `{}-23:59` and `00:00-{}`",
            hours.from.format("%H:%M"),
            hours.to.format("%H:%M")
        ))
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from.format("%H:%M"), self.to.format("%H:%M"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_as_chrono_writes_it_and_read_back() {
        let day = 86_400_000_000_i64;
        let far = [-62_167_219_200_000_001, -62_167_219_200_000_000, 253_402_300_799_999_999, 253_402_300_800_000_000];
        let near = (0..2_000).map(|n| n * 37 * day / 3 + n * 1_234_567 - 200 * 365 * day);
        for us in far.into_iter().chain(near) {
            let at = Timestamp::from_us(us);
            assert_eq!(at.to_string(), at.to_utc().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
        }
        let at = Timestamp::from_us(1_795_000_000_123_456);
        assert_eq!(at.to_string().parse::<Timestamp>().unwrap(), at);
    }

    #[test]
    fn a_gap_takes_the_next_valid_minute_and_an_overlap_the_first() {
        let madrid: Tz = "Europe/Madrid".parse().unwrap();
        let at = |d: &str, t: &str| {
            Timestamp::at_local(d.parse().unwrap(), NaiveTime::parse_from_str(t, "%H:%M").unwrap(), madrid).to_string()
        };
        assert_eq!(at("2026-03-29", "02:30"), "2026-03-29T01:00:00.000000Z");
        assert_eq!(at("2026-10-25", "02:30"), "2026-10-25T00:30:00.000000Z");
        assert_eq!(at("2026-07-16", "00:00"), "2026-07-15T22:00:00.000000Z");
    }

    #[test]
    fn a_bare_number_is_no_duration() {
        assert_eq!("3".parse::<Span>(), Err(SpanError::NoUnit("3".into())));
        assert_eq!("3 working days".parse(), Ok(Span::working_days(3)));
        assert_eq!("1 week".parse::<Span>().unwrap().to_string(), "1 week");
        assert!("-3 days".parse::<Span>().is_err());
        assert!("3 fortnights".parse::<Span>().is_err());
    }

    #[test]
    fn hours_close_after_they_open() {
        assert!("18:00-09:00".parse::<Hours>().is_err());
        assert_eq!("08:30-20:00".parse::<Hours>().unwrap().to_string(), "08:30-20:00");
    }
}

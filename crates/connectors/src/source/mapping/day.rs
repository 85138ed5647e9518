//! Days of a mapping file: counted from what a row knows, or read from a column.

use super::Field;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A century, in days; more is a mistake.
const PLUS_MAX: u64 = 36_500;

/// A day: `issued`, `due`, `settled`, `opens`, each with `+ N days` or `- N days`, or a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// What it is counted from.
    pub base: DayBase,
    /// Days added.
    pub plus: i64,
}

/// What a [`Day`] is counted from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DayBase {
    /// The date of issue.
    Issued,
    /// The date due.
    Due,
    /// The day the payment settled the invoice; none for an open item.
    Settled,
    /// The day the dispute opens; for `closes` only.
    Opens,
    /// A column.
    Column(Field),
}

impl Day {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no day; write for example `due + 1 day`, `settled` or {{column: NAME}}");
        let words: Vec<&str> = text.split_whitespace().collect();
        let base = match words.first() {
            Some(&"issued") => DayBase::Issued,
            Some(&"due") => DayBase::Due,
            Some(&"settled") => DayBase::Settled,
            Some(&"opens") => DayBase::Opens,
            Some(_) | None => return Err(wrong()),
        };
        let plus = match &words[1..] {
            [] => 0,
            [sign @ ("+" | "-"), number, "day" | "days"] => {
                let number: u32 = number.parse().ok().filter(|n| u64::from(*n) <= PLUS_MAX).ok_or_else(wrong)?;
                if *sign == "-" { -i64::from(number) } else { i64::from(number) }
            }
            _ => return Err(wrong()),
        };
        Ok(Self { base, plus })
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            column: String,
            #[serde(default)]
            plus: i64,
        }
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Day;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a day such as `due + 1 day`, or {column: NAME, plus: DAYS}")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Day, E> {
                Day::parse(text).map_err(E::custom)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Day, A::Error> {
                let long = Long::deserialize(de::value::MapAccessDeserializer::new(map))?;
                if long.plus.unsigned_abs() > PLUS_MAX {
                    return Err(de::Error::custom(format!("`plus` is at most {PLUS_MAX} days")));
                }
                Ok(Day { base: DayBase::Column(Field::of_column(&long.column)), plus: long.plus })
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

/// One day or a list of which the first that is known holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Days(pub Vec<Day>);

impl<'de> Deserialize<'de> for Days {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Days;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a day or a list of days")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Days, E> {
                Day::parse(text).map(|day| Days(vec![day])).map_err(E::custom)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Days, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(Days)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Days, A::Error> {
                Day::deserialize(de::value::MapAccessDeserializer::new(map)).map(|day| Days(vec![day]))
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_what_the_row_knows() {
        assert_eq!(Day::parse("due + 1 day"), Ok(Day { base: DayBase::Due, plus: 1 }));
        assert_eq!(Day::parse("opens - 30 days"), Ok(Day { base: DayBase::Opens, plus: -30 }));
        assert!(Day::parse("due +1").is_err());
        assert!(Day::parse("due + -1 days").is_err());
        assert!(Day::parse("due + 36501 days").is_err());
    }
}

//! How a file writes dates, amounts and flags: patterns are compiled once and read without guessing.

use chrono::NaiveDate;
use recobro_kernel::money::{Currency, Money};
use rust_decimal::Decimal;

/// A date pattern such as `M/D/YYYY`, `DD.MM.YY`, `D MMM YYYY` or `YYYY-MM-DD*` (the rest of the cell is not read).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DatePattern {
    source: String,
    parts: Vec<DatePart>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum DatePart {
    Year4,
    Year2,
    Month,
    MonthName,
    Day,
    Literal(char),
    Rest,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

impl DatePattern {
    /// Compiles a pattern.
    pub(super) fn parse(source: &str) -> Result<Self, String> {
        const TOKENS: [(&str, DatePart); 7] = [
            ("YYYY", DatePart::Year4),
            ("YY", DatePart::Year2),
            ("MMM", DatePart::MonthName),
            ("MM", DatePart::Month),
            ("M", DatePart::Month),
            ("DD", DatePart::Day),
            ("D", DatePart::Day),
        ];
        let mut parts = Vec::new();
        let mut rest = source;
        while let Some(first) = rest.chars().next() {
            if let Some((token, part)) = TOKENS.iter().find(|(token, _)| rest.starts_with(token)) {
                parts.push(part.clone());
                rest = &rest[token.len()..];
                continue;
            }
            parts.push(if first == '*' { DatePart::Rest } else { DatePart::Literal(first) });
            rest = &rest[first.len_utf8()..];
        }
        let count = |wanted: &[DatePart]| parts.iter().filter(|part| wanted.contains(part)).count();
        let is_whole = count(&[DatePart::Year4, DatePart::Year2]) == 1
            && count(&[DatePart::Month, DatePart::MonthName]) == 1
            && count(&[DatePart::Day]) == 1;
        if !is_whole {
            return Err(format!("`{source}` is no date pattern; write for example YYYY-MM-DD, M/D/YYYY or DD.MM.YY"));
        }
        Ok(Self { source: source.to_owned(), parts })
    }

    /// The pattern as written.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Reads a date; nothing where the text does not follow the pattern or names no day of the calendar.
    pub(super) fn read(&self, text: &str) -> Option<NaiveDate> {
        let (mut year, mut month, mut day) = (0, 0, 0);
        let mut rest = text;
        for (i, part) in self.parts.iter().enumerate() {
            // Without separators (YYYYMMDD) month and day have exactly two digits.
            let is_tight =
                self.parts.get(i + 1).is_some_and(|next| !matches!(next, DatePart::Literal(_) | DatePart::Rest))
                    || i.checked_sub(1).is_some_and(|before| !matches!(self.parts[before], DatePart::Literal(_)));
            let two = if is_tight { 2..=2 } else { 1..=2 };
            match part {
                DatePart::Year4 => year = i32::try_from(digits(&mut rest, 4..=4)?).ok()?,
                DatePart::Year2 => {
                    let short = i32::try_from(digits(&mut rest, 2..=2)?).ok()?;
                    year = if short < 70 { 2000 + short } else { 1900 + short };
                }
                DatePart::Month => month = digits(&mut rest, two)?,
                DatePart::Day => day = digits(&mut rest, two)?,
                DatePart::MonthName => {
                    let name = rest.get(..3)?.to_ascii_lowercase();
                    month = u32::try_from(MONTHS.iter().position(|known| *known == name)?).ok()? + 1;
                    rest = &rest[3..];
                }
                DatePart::Literal(c) => rest = rest.strip_prefix(*c)?,
                DatePart::Rest => rest = "",
            }
        }
        if rest.is_empty() { NaiveDate::from_ymd_opt(year, month, day) } else { None }
    }
}

fn digits(rest: &mut &str, count: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let found = rest.bytes().take(*count.end()).take_while(u8::is_ascii_digit).count();
    if found < *count.start() {
        return None;
    }
    let (number, later) = rest.split_at(found);
    *rest = later;
    number.parse().ok()
}

/// How amounts are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AmountForm {
    /// `.` or `,`.
    pub(super) decimal: char,
    /// Between groups of three digits, where used.
    pub(super) thousands: Option<char>,
}

impl AmountForm {
    /// Reads an amount exactly: `-1.234,50`, `1.234,50-` and `(1.234,50)` are one amount.
    ///
    /// A group separator that does not stand before three digits is refused: read as one, `12,50` would become 1250.
    pub(super) fn read(&self, text: &str, currency: Currency) -> Result<Money, String> {
        let plain = self.plain(text).ok_or_else(|| {
            format!("`{text}` is not an amount with `{}` as decimal mark{}", self.decimal, self.help())
        })?;
        Money::parse(&plain, currency).map_err(|error| error.to_string())
    }

    /// Reads a plain number, written as amounts are.
    pub(super) fn number(&self, text: &str) -> Option<Decimal> {
        Decimal::from_str_exact(&self.plain(text)?).ok()
    }

    /// The number as digits with a point; nothing where it is none.
    fn plain(&self, text: &str) -> Option<String> {
        let bare = text.trim();
        let (bare, is_negative) = match bare.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
            Some(inner) => (inner, true),
            None => match bare.strip_suffix('-').or_else(|| bare.strip_prefix('-')) {
                Some(inner) => (inner.trim(), true),
                None => (bare.strip_prefix('+').unwrap_or(bare), false),
            },
        };
        let (whole, fraction) = bare.split_once(self.decimal).unwrap_or((bare, ""));
        let mut plain = String::with_capacity(bare.len() + 1);
        if is_negative {
            plain.push('-');
        }
        for (i, group) in whole.split(|c| self.is_separator(c)).enumerate() {
            let fits = if i == 0 { !group.is_empty() } else { group.len() == 3 };
            if !fits || !group.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            plain.push_str(group);
        }
        if !fraction.bytes().all(|b| b.is_ascii_digit()) || (fraction.is_empty() && bare.contains(self.decimal)) {
            return None;
        }
        // Zeros beyond the currency's digits (`55.9400`) change nothing.
        let fraction = fraction.trim_end_matches('0');
        if !fraction.is_empty() {
            plain.push('.');
            plain.push_str(fraction);
        }
        Some(plain)
    }

    fn is_separator(&self, c: char) -> bool {
        let is_space = |c: char| matches!(c, ' ' | '\u{a0}' | '\u{202f}');
        self.thousands.is_some_and(|mark| mark == c || (is_space(mark) && is_space(c)))
    }

    fn help(&self) -> String {
        match self.thousands {
            Some(mark) => format!(" and `{mark}` between thousands"),
            None => " and no thousands separator".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(pattern: &str, text: &str) -> Option<String> {
        DatePattern::parse(pattern).unwrap().read(text).map(|date| date.to_string())
    }

    #[test]
    fn dates_follow_their_pattern_or_are_refused() {
        for (pattern, text, expected) in [
            ("M/D/YYYY", "1/2/2013", Some("2013-01-02")),
            ("M/D/YYYY", "12/31/2013", Some("2013-12-31")),
            ("M/D/YYYY", "31/12/2013", None),
            ("DD.MM.YY", "04.05.26", Some("2026-05-04")),
            ("DD.MM.YY", "4.5.98", Some("1998-05-04")),
            ("YYYY-MM-DD", "2024-02-29", Some("2024-02-29")),
            ("YYYY-MM-DD", "2023-02-29", None),
            ("YYYY-MM-DD", "2023-02-28 00:00", None),
            ("YYYY-MM-DD*", "2023-02-28 00:00", Some("2023-02-28")),
            ("YYYYMMDD", "20230228", Some("2023-02-28")),
            ("YYYYMMDD", "2023228", None),
            ("D MMM YYYY", "4 May 2026", Some("2026-05-04")),
            ("D MMM YYYY", "4 Mai 2026", None),
            ("M/D/YYYY", "ñ/é/2013", None),
        ] {
            assert_eq!(day(pattern, text).as_deref(), expected, "{text} as {pattern}");
        }
        assert!(DatePattern::parse("MM-YYYY").is_err());
        assert!(DatePattern::parse("yyyy-mm-dd").is_err());
    }

    fn minor(decimal: char, thousands: Option<char>, text: &str) -> Option<i64> {
        AmountForm { decimal, thousands }.read(text, Currency::EUR).ok().map(|money| money.minor)
    }

    #[test]
    fn amounts_are_read_exactly_or_refused() {
        assert_eq!(minor('.', None, "55.94"), Some(5594));
        assert_eq!(minor('.', None, "55.9400"), Some(5594));
        assert_eq!(minor('.', None, "55.945"), None);
        assert_eq!(minor('.', None, "1,234.50"), None);
        assert_eq!(minor('.', Some(','), "1,234.50"), Some(123_450));
        assert_eq!(minor('.', Some(','), "12,50"), None, "never 1250");
        assert_eq!(minor(',', Some('.'), "1.234.567,8"), Some(123_456_780));
        assert_eq!(minor(',', Some(' '), "1\u{202f}234,5"), Some(123_450));
        assert_eq!(minor(',', None, "-12,50"), Some(-1250));
        assert_eq!(minor(',', None, "12,50-"), Some(-1250));
        assert_eq!(minor(',', None, "(12,50)"), Some(-1250));
        for wrong in ["", "-", "12,", ",5", "1e3", "12 EUR", "٣", "--1"] {
            assert_eq!(minor(',', None, wrong), None, "{wrong}");
        }
    }
}

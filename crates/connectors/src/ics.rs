//! Holidays out of a calendar file that others publish (iCalendar, RFC 5545): all-day events, single or of every year.
//!
//! Pure: text comes in, days or every problem with its line goes out. What no rule of holidays can say (another
//! recurrence, an event with a time) is refused, never guessed.

use chrono::{Datelike, Days, NaiveDate};
use icalendar::parser::{Component, read_calendar, unfold};
use std::collections::BTreeSet;
use std::fmt;

/// A longer event is a season, no holiday.
const DAYS_MAX: i64 = 31;

/// A day of the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    /// The date, of every year the first.
    pub date: NaiveDate,
    /// The event's summary.
    pub name: String,
    /// It comes back each year.
    pub yearly: Option<Yearly>,
}

/// How an event comes back each year.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Yearly {
    /// Last year; none for ever.
    pub until: Option<i32>,
    /// Years left out.
    pub except: BTreeSet<i32>,
}

/// What cannot be taken over, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line of the file, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// The days of a calendar file, by date; cancelled events are left out.
///
/// # Errors
/// Every problem, with its line.
pub fn read(text: &str) -> Result<Vec<Day>, Vec<Problem>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let unfolded = unfold(text);
    let calendar = read_calendar(&unfolded).map_err(|said| vec![unreadable(text, &said)])?;
    let lines = Lines::of(text);
    let (mut days, mut problems) = (Vec::new(), Vec::new());
    let events = calendar.components.iter().filter(|component| component.name == "VEVENT");
    for (index, event) in events.enumerate() {
        let event = Event { component: event, lines: &lines, index };
        match event.days() {
            Ok(found) => days.extend(found),
            Err(problem) => problems.push(problem),
        }
    }
    if days.is_empty() && problems.is_empty() {
        problems.push(Problem { line: 1, message: "no event stands here".to_owned() });
    }
    days.sort();
    days.dedup();
    if problems.is_empty() { Ok(days) } else { Err(problems) }
}

/// The parser counts lines of the unfolded text; the first line it names is close enough for a file that is no calendar.
fn unreadable(text: &str, said: &str) -> Problem {
    let number = said.split("at line ").nth(1).and_then(|rest| rest.split([',', ':']).next()?.trim().parse().ok());
    let logical: usize = number.unwrap_or(1);
    let line = Lines::of(text).0.get(logical.saturating_sub(1)).map_or(1, |(line, _)| *line);
    Problem { line, message: "this is no calendar file (iCalendar)".to_owned() }
}

/// The unfolded lines with the line of the file on which each begins: the parser keeps no places.
struct Lines(Vec<(usize, String)>);

impl Lines {
    fn of(text: &str) -> Self {
        let mut all: Vec<(usize, String)> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            match all.last_mut() {
                Some((_, last)) if line.starts_with([' ', '\t']) => last.push_str(&line[1..]),
                _ => all.push((index + 1, line.to_uppercase())),
            }
        }
        Self(all)
    }

    /// The line of a property of the n-th event, else the event's first line.
    fn of_property(&self, event: usize, name: &str) -> usize {
        let begin = self.0.iter().enumerate().filter(|(_, (_, line))| line.trim_end() == "BEGIN:VEVENT").nth(event);
        let Some((begin, (first, _))) = begin else { return 1 };
        let within = self.0[begin..].iter().take_while(|(_, line)| line.trim_end() != "END:VEVENT");
        let mut named = within.filter(|(_, line)| line.split([':', ';']).next() == Some(name));
        named.next().map_or(*first, |(line, _)| *line)
    }
}

struct Event<'a> {
    component: &'a Component<'a>,
    lines: &'a Lines,
    index: usize,
}

impl Event<'_> {
    fn days(&self) -> Result<Vec<Day>, Problem> {
        if self.text("STATUS").is_some_and(|status| status.eq_ignore_ascii_case("CANCELLED")) {
            return Ok(Vec::new());
        }
        for other in ["RDATE", "RECURRENCE-ID", "EXRULE"] {
            if self.text(other).is_some() {
                return Err(self.wrong(other, format!("{other} is not supported; write these days into the calendar")));
            }
        }
        let first =
            self.date("DTSTART")?.ok_or_else(|| self.wrong("DTSTART", "the event has no DTSTART".to_owned()))?;
        let count = self.length(first)?;
        let yearly = self.yearly(first)?;
        let name = self.text("SUMMARY").map(|name| name.split_whitespace().collect::<Vec<_>>().join(" "));
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| "holiday".to_owned());
        let day = |offset| Day { date: first + Days::new(offset), name: name.clone(), yearly: yearly.clone() };
        Ok((0..count).map(day).collect())
    }

    /// Days from the first to the one before DTEND, which is not part of the event.
    fn length(&self, first: NaiveDate) -> Result<u64, Problem> {
        if let Some(duration) = self.text("DURATION").filter(|text| text != "P1D") {
            return Err(self.wrong("DURATION", format!("DURATION `{duration}` is not supported; write DTEND")));
        }
        let Some(end) = self.date("DTEND")? else { return Ok(1) };
        match (end - first).num_days() {
            // Some programs let a day end on itself.
            0 => Ok(1),
            count @ 1..=DAYS_MAX => Ok(count.unsigned_abs()),
            count => Err(self.wrong("DTEND", format!("the event lasts {count} days; a holiday lasts 1 to {DAYS_MAX}"))),
        }
    }

    fn yearly(&self, first: NaiveDate) -> Result<Option<Yearly>, Problem> {
        let Some(rule) = self.text("RRULE") else { return Ok(None) };
        let refused = |why: &str| self.wrong("RRULE", format!("RRULE `{rule}` is not supported: {why}"));
        let (mut yearly, mut every_year) = (Yearly::default(), false);
        for part in rule.split(';').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            match key.to_uppercase().as_str() {
                "FREQ" => every_year = value.eq_ignore_ascii_case("YEARLY"),
                "WKST" => {}
                "INTERVAL" if value == "1" => {}
                "BYMONTH" if value.parse() == Ok(first.month()) => {}
                "BYMONTHDAY" if value.parse() == Ok(first.day()) => {}
                "COUNT" => {
                    let count: i32 = value.parse().map_err(|_| refused("COUNT is no number"))?;
                    yearly.until = Some(first.year().saturating_add(count - 1));
                }
                "UNTIL" => {
                    let last = value.get(..8).and_then(compact).ok_or_else(|| refused("UNTIL is no date"))?;
                    let reached = (last.month(), last.day()) >= (first.month(), first.day());
                    yearly.until = Some(if reached { last.year() } else { last.year() - 1 });
                }
                other => return Err(refused(&format!("of every year only the same day, not {other}={value}"))),
            }
        }
        if !every_year {
            return Err(refused("only FREQ=YEARLY is"));
        }
        for property in self.component.properties.iter().filter(|property| property.name == "EXDATE") {
            for date in property.val.as_str().split(',') {
                let date = date.get(..8).and_then(compact);
                let date = date.ok_or_else(|| self.wrong("EXDATE", "EXDATE is no date".to_owned()))?;
                yearly.except.insert(date.year());
            }
        }
        Ok(Some(yearly))
    }

    /// A date without a time; midnight counts as none.
    fn date(&self, name: &str) -> Result<Option<NaiveDate>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let date = match text.split_once('T') {
            None => compact(&text),
            Some((date, "000000" | "000000Z")) => compact(date),
            Some(_) => {
                return Err(self.wrong(name, format!("{name} `{text}` has a time; only all-day events are holidays")));
            }
        };
        date.map(Some).ok_or_else(|| self.wrong(name, format!("{name} `{text}` is no date such as 20260101")))
    }

    fn text(&self, name: &str) -> Option<String> {
        let property = self.component.find_prop(name)?;
        let text = if name == "SUMMARY" { property.val.clone().unescape_text() } else { property.val.clone() };
        Some(text.as_str().trim().to_owned())
    }

    fn wrong(&self, property: &str, message: String) -> Problem {
        Problem { line: self.lines.of_property(self.index, property), message }
    }
}

fn compact(text: &str) -> Option<NaiveDate> {
    (text.len() == 8).then(|| NaiveDate::parse_from_str(text, "%Y%m%d").ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(events: &str) -> String {
        let text = format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{events}END:VCALENDAR\n");
        text.replace('\n', "\r\n")
    }

    fn event(lines: &str) -> String {
        format!("BEGIN:VEVENT\nUID:1\nDTSTAMP:20250101T000000Z\n{lines}\nEND:VEVENT\n")
    }

    fn on(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn problems(events: &str) -> Vec<String> {
        read(&file(events)).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_day_events_are_days_and_long_ones_several() {
        let text = file(&format!(
            "{}{}{}",
            event(
                "DTSTART;VALUE=DATE:20260502\nDTEND;VALUE=DATE:20260503\nSUMMARY:Fiesta de la\n  Comunidad\\, Madrid"
            ),
            event("DTSTART;VALUE=DATE:20251224\nDTEND;VALUE=DATE:20251226\nSUMMARY:Closed"),
            event("DTSTART:20260101T000000\nDTEND:20260102T000000\nSUMMARY:New Year\nSTATUS:CANCELLED"),
        ));
        let found: Vec<(String, String)> =
            read(&text).unwrap().into_iter().map(|day| (day.date.to_string(), day.name)).collect();
        let day = |date: &str, name: &str| (date.to_owned(), name.to_owned());
        let fiesta = day("2026-05-02", "Fiesta de la Comunidad, Madrid");
        assert_eq!(found, [day("2025-12-24", "Closed"), day("2025-12-25", "Closed"), fiesta]);
    }

    #[test]
    fn events_of_every_year_keep_their_years() {
        let rule = |rule: &str| {
            let lines = format!("DTSTART;VALUE=DATE:20200911\nSUMMARY:Diada\n{rule}");
            read(&file(&event(&lines))).unwrap().remove(0)
        };
        let plain = rule("RRULE:FREQ=YEARLY;BYMONTH=9;BYMONTHDAY=11");
        assert_eq!((plain.date, plain.yearly), (on("2020-09-11"), Some(Yearly::default())));
        assert_eq!(rule("RRULE:FREQ=YEARLY;COUNT=3").yearly.unwrap().until, Some(2022));
        assert_eq!(rule("RRULE:FREQ=YEARLY;UNTIL=20250910").yearly.unwrap().until, Some(2024));
        let left_out = rule("RRULE:FREQ=YEARLY\nEXDATE;VALUE=DATE:20220911,20240911").yearly.unwrap();
        assert_eq!(left_out.except, [2022, 2024].into());
    }

    #[test]
    fn what_no_rule_can_say_is_refused_with_its_line() {
        let good =
            event("DTSTART;VALUE=DATE:20260101\nSUMMARY:A long name that the program that wrote this file\n  folded");
        let weekly = event("DTSTART;VALUE=DATE:20260105\nSUMMARY:x\nRRULE:FREQ=WEEKLY");
        // Lines of the file, folded ones counted: 3 of the head, 7 of the good event, then BEGIN, UID, DTSTAMP, ...
        assert_eq!(problems(&(good + &weekly)), ["line 16: RRULE `FREQ=WEEKLY` is not supported: only FREQ=YEARLY is"]);
        let said = problems(&event("DTSTART:20260105T090000Z\nSUMMARY:x"));
        assert_eq!(said, ["line 7: DTSTART `20260105T090000Z` has a time; only all-day events are holidays"]);
        let said = problems(&event("DTSTART;VALUE=DATE:20260105\nRRULE:FREQ=YEARLY;BYDAY=1MO"));
        assert!(said[0].starts_with("line 8: ") && said[0].contains("BYDAY=1MO"), "{said:?}");
        let said = problems(&event("DTSTART;VALUE=DATE:20260105\nDTEND;VALUE=DATE:20260901"));
        assert!(said[0].starts_with("line 8: ") && said[0].contains("239 days"), "{said:?}");
        assert!(problems(&event("SUMMARY:x"))[0].contains("no DTSTART"));
        assert_eq!(problems(""), ["line 1: no event stands here"]);
    }

    #[test]
    fn a_file_that_is_no_calendar_says_so() {
        for text in ["", "date,name\n2026-01-01,x\n", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:2026", "\u{feff}"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}

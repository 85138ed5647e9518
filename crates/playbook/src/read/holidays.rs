//! Holidays of a calendar: `third monday of january`, `2 days before easter`, moved and substitute days, with years.

use super::{date, int, items, list, map, only, plain_date, required, words, wrong};
use crate::diagnostic::{Diagnostic, Report, nearest};
use crate::yaml::{Kind, Node};
use chrono::Weekday;
use recobro_kernel::calendar::MonthDay;
use recobro_kernel::calendar::holidays::{Nth, On, Rule, Shift, Side, To};
use std::collections::{BTreeMap, BTreeSet};

const RULE_KEYS: &[&str] = &["except", "from", "move", "name", "on", "only", "source", "substitute", "until"];
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const SHORT: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const NTHS: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
/// The other words of a day.
const WORDS: &[&str] = &["after", "before", "day", "days", "easter", "last", "next", "of", "on", "or", "working"];
/// Years a rule may speak of.
const YEARS: std::ops::RangeInclusive<i64> = 1900..=2200;

/// The short form `{fixed, easter, dates}`, or a list of rules.
pub(crate) fn read(report: &Report, node: &Node) -> Vec<Rule> {
    if matches!(node.kind, Kind::Map(_)) {
        return short(report, node);
    }
    list(report, node, "holidays").iter().filter_map(|item| rule(report, item)).collect()
}

/// Names of the wider calendar's holidays that a narrower one does not keep.
pub(crate) fn without(report: &Report, node: &Node, wider: &[Rule]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for item in items(report, node) {
        let Some(name) = words(report, item) else { continue };
        let known = wider.iter().map(|rule| &*rule.name);
        if known.clone().any(|known| known == name) {
            names.insert(name);
        } else {
            let problem = Diagnostic::error("PB101", &item.place, format!("no holiday `{name}` to be without"));
            report.push(problem.nearest(&name, known));
        }
    }
    names
}

fn short(report: &Report, node: &Node) -> Vec<Rule> {
    only(report, node, "`holidays`", &["dates", "easter", "fixed"]);
    let part = |key: &str| node.get(key).map(|node| list(report, node, "days")).unwrap_or_default();
    let fixed = part("fixed").iter().filter_map(|item| month_day(report, item)).map(On::Yearly);
    let easter = part("easter").iter().filter_map(|item| int(report, item)).filter_map(|days| {
        let near = (-400..=400).contains(&days);
        if !near {
            report.error("PB006", node, format!("`{days}` days are more than a year from Easter"));
        }
        near.then_some(On::Easter(days))
    });
    let dates = part("dates").iter().filter_map(|item| date(report, item)).map(On::Date);
    let on: Vec<On> = fixed.chain(easter).chain(dates).collect();
    if on.is_empty() { Vec::new() } else { vec![Rule::new("holiday", on)] }
}

fn rule(report: &Report, node: &Node) -> Option<Rule> {
    only(report, node, "a holiday", RULE_KEYS);
    if !matches!(node.kind, Kind::Map(_)) {
        return None;
    }
    let name = required(report, node, "name").and_then(|node| words(report, node));
    let days = required(report, node, "on").map(|node| items(report, node)).unwrap_or_default();
    let wanted = days.len();
    let on: Vec<On> = days.into_iter().filter_map(|item| day(report, item)).collect();
    if let Some(source) = node.get("source") {
        words(report, source);
    }
    let year_at = |key: &str| node.get(key).and_then(|node| year(report, node));
    let (from, until) = (year_at("from"), year_at("until"));
    if let (Some(first), Some(last)) = (from, until)
        && last < first
    {
        report.error("PB006", node.get("until").unwrap_or(node), format!("it ends in {last} and begins in {first}"));
    }
    let except = node.get("except").map(|node| items(report, node)).unwrap_or_default();
    let kept_on = node.get("only").map(|node| items(report, node)).unwrap_or_default();
    let rule = Rule {
        from,
        until,
        except: except.into_iter().filter_map(|item| year(report, item)).collect(),
        only: kept_on.into_iter().filter_map(|item| weekday_at(report, item)).collect(),
        shift: shift(report, node),
        ..Rule::new(&name?, on)
    };
    // What could not be read was reported; half a rule would say something else.
    (rule.on.len() == wanted && wanted > 0).then_some(rule)
}

fn year(report: &Report, node: &Node) -> Option<i32> {
    let found = int(report, node)?;
    if YEARS.contains(&found) {
        return i32::try_from(found).ok();
    }
    report.error("PB006", node, format!("`{found}` is no year from {} to {}", YEARS.start(), YEARS.end()));
    None
}

/// `move:` or `substitute:`, not both.
fn shift(report: &Report, node: &Node) -> Shift {
    match (node.get("move"), node.get("substitute")) {
        (Some(moves), Some(_)) => {
            let problem = Diagnostic::error("PB006", &moves.place, "`move:` and `substitute:` exclude each other");
            report.push(problem.help("`move` keeps the other day instead, `substitute` keeps it as well"));
            Shift::Stays
        }
        (Some(moves), None) => Shift::Moves(targets(report, moves)),
        (None, Some(substitutes)) => Shift::Substitutes(targets(report, substitutes)),
        (None, None) => Shift::Stays,
    }
}

/// `monday after` for every other weekday, `next working day` for weekends, or `{sat: friday before, sun: monday after}`.
fn targets(report: &Report, node: &Node) -> BTreeMap<u8, To> {
    if node.text().is_some() {
        let Some(to) = target(report, node) else { return BTreeMap::new() };
        let from: Vec<u8> = match to {
            To::WorkingDay => vec![5, 6],
            To::Before(wanted) | To::After(wanted) => {
                (0..7).filter(|day| u32::from(*day) != wanted.num_days_from_monday()).collect()
            }
        };
        return from.into_iter().map(|day| (day, to)).collect();
    }
    let mut all = BTreeMap::new();
    for (key, value) in map(report, node, "weekdays") {
        let Some(to) = target(report, value) else { continue };
        for word in key.text().unwrap_or_default().split_whitespace() {
            let Some(day) = weekday(word) else {
                unknown(report, key, word, "a weekday such as `sat`", &SHORT);
                continue;
            };
            if all.insert(number(day), to).is_some() {
                report.error("PB006", key, format!("`{word}` stands here twice"));
            }
        }
    }
    all
}

fn target(report: &Report, node: &Node) -> Option<To> {
    let text = node.text().unwrap_or_default().to_lowercase();
    let parts: Vec<&str> = text.split_whitespace().collect();
    let to = match parts[..] {
        ["next", "working", "day"] => Some(To::WorkingDay),
        [day, "before"] => weekday(day).map(To::Before),
        [day, "after"] => weekday(day).map(To::After),
        _ => None,
    };
    if to.is_none() {
        malformed(report, node, "a day to move to", "write `monday after`, `friday before` or `next working day`");
    }
    to
}

/// A day of a rule.
fn day(report: &Report, node: &Node) -> Option<On> {
    let Some(text) = node.text().filter(|text| !text.is_empty()) else {
        wrong(report, node, "a day such as `12-25`");
        return None;
    };
    let text = text.to_lowercase();
    let parts: Vec<&str> = text.split_whitespace().collect();
    let found = plain_date(&text).map(On::Date).or_else(|| of_words(&parts));
    if found.is_none() {
        malformed(
            report,
            node,
            "a day",
            "write `12-25`, `2026-05-04`, `easter`, `2 days before easter`, `third monday of january`, `last monday of \
             may` or `monday before may 25`",
        );
    }
    found
}

fn of_words(parts: &[&str]) -> Option<On> {
    match parts {
        ["easter"] => Some(On::Easter(0)),
        [count, "day" | "days", side @ ("before" | "after"), "easter"] => {
            let count: i64 = count.parse().ok().filter(|count| (1..=400).contains(count))?;
            Some(On::Easter(if *side == "before" { -count } else { count }))
        }
        [nth, day, "of", month] => {
            let nth = match NTHS.iter().position(|name| name == nth) {
                Some(at) => Nth::From(u32::try_from(at).ok()? + 1),
                None if *nth == "last" => Nth::Last,
                None => return None,
            };
            Some(On::Nth { nth, weekday: weekday(day)?, month: month_of(month)? })
        }
        [day, "on", "or", "before", of @ ..] => near(day, Side::OnOrBefore, of),
        [day, "on", "or", "after", of @ ..] => near(day, Side::OnOrAfter, of),
        [day, "before", of @ ..] => near(day, Side::Before, of),
        [day, "after", of @ ..] => near(day, Side::After, of),
        _ => day_of_year(parts).map(On::Yearly),
    }
}

fn near(day: &str, side: Side, of: &[&str]) -> Option<On> {
    Some(On::Near { weekday: weekday(day)?, side, day: day_of_year(of)? })
}

/// `12-25` or `december 25`.
fn day_of_year(parts: &[&str]) -> Option<MonthDay> {
    let (month, day): (u32, u32) = match parts {
        [one] => {
            let (month, day) = one.split_once('-')?;
            (month.parse().ok()?, day.parse().ok()?)
        }
        [month, day] => (month_of(month)?, day.parse().ok()?),
        _ => return None,
    };
    // A leap year, so that 02-29 is a day.
    chrono::NaiveDate::from_ymd_opt(2024, month, day).map(|_| MonthDay { month, day })
}

/// `12-25`, where only that is a day.
pub(crate) fn month_day(report: &Report, node: &Node) -> Option<MonthDay> {
    let parsed = node.text().and_then(|text| day_of_year(&[text]));
    if parsed.is_none() {
        wrong(report, node, "a month and a day such as `12-25`");
    }
    parsed
}

/// A weekday, short or long.
fn weekday_at(report: &Report, node: &Node) -> Option<u8> {
    let word = node.text().unwrap_or_default();
    let found = weekday(word);
    if found.is_none() {
        unknown(report, node, word, "a weekday such as `mon`", &SHORT);
    }
    found.map(number)
}

fn weekday(word: &str) -> Option<Weekday> {
    let at = WEEKDAYS.iter().position(|name| *name == word).or_else(|| SHORT.iter().position(|name| *name == word))?;
    Weekday::try_from(u8::try_from(at).ok()?).ok()
}

fn number(day: Weekday) -> u8 {
    u8::try_from(day.num_days_from_monday()).expect("0 to 6")
}

fn month_of(word: &str) -> Option<u32> {
    let at = MONTHS.iter().position(|name| *name == word)?;
    u32::try_from(at + 1).ok()
}

fn unknown(report: &Report, node: &Node, word: &str, wanted: &str, known: &[&'static str]) {
    let message = format!("`{}` is not {wanted}", super::cut(word));
    report.push(Diagnostic::error("PB006", &node.place, message).nearest(word, known.iter().copied()));
}

/// Says which word is misspelt, if one is, and how it may be written.
fn malformed(report: &Report, node: &Node, wanted: &str, forms: &str) {
    let text = node.text().unwrap_or_default().to_lowercase();
    let known: Vec<&str> = [&WEEKDAYS[..], &SHORT, &NTHS, &MONTHS, WORDS].concat();
    let slip = text.split_whitespace().find_map(|word| {
        let is_word = word.chars().all(char::is_alphabetic) && !known.contains(&word);
        is_word.then(|| nearest(word, known.iter().copied()).map(|right| (word.to_owned(), right))).flatten()
    });
    let message = match node.text() {
        Some(text) => format!("`{}` is not {wanted}", super::cut(text)),
        None => format!("{} stands here; {wanted} is needed", node.shape()),
    };
    let mut problem = Diagnostic::error("PB006", &node.place, message).help(forms);
    if let Some((word, right)) = slip {
        problem = problem.label(format!("`{word}`: did you mean `{right}`?"));
    }
    report.push(problem);
}

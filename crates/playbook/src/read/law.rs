//! Calendars: shared files of operations, always used in their newest form.

use super::{date, int, list, map, name, only, required, span, words, wrong};
use crate::diagnostic::Report;
use crate::yaml::Node;
use recobro_kernel::calendar::{Calendar, MonthDay, Season, weekday};
use recobro_kernel::ids::Hash;
use std::collections::BTreeSet;

/// Folder of calendars.
pub(crate) const CALENDARS: &str = "workflows/calendars/";

const CALENDAR_KEYS: &[&str] =
    &["calendar", "country", "holidays", "seasons", "source", "subdivision", "title", "version", "working_days"];

/// Reads one calendar.
pub(crate) fn calendar(report: &Report, node: &Node, hash: Hash) -> Option<Calendar> {
    only(report, node, "`calendar`", CALENDAR_KEYS);
    let name = required(report, node, "calendar").and_then(|node| name(report, node))?;
    header(report, node);
    let country = node.get("country").and_then(|node| super::name(report, node));
    let subdivision = node.get("subdivision").and_then(|node| super::name(report, node));
    let place = match (country, subdivision) {
        (Some(country), Some(part)) if !part.contains('-') => Some(format!("{country}-{part}")),
        (_, Some(part)) => Some(part),
        (country, None) => country,
    };
    let mut calendar = Calendar { name, country: place, hash, ..Calendar::weekdays() };
    if let Some(days) = node.get("working_days") {
        calendar.working_days = weekdays(report, days);
    }
    if let Some(holidays) = node.get("holidays") {
        only(report, holidays, "`holidays`", &["dates", "easter", "fixed"]);
        let part = |key: &str| holidays.get(key).map(|node| list(report, node, "days")).unwrap_or_default();
        calendar.fixed =
            part("fixed").iter().filter_map(|item| month_day(report, item)).map(|d| (d.month, d.day)).collect();
        calendar.easter = part("easter").iter().filter_map(|item| int(report, item)).collect();
        calendar.dates = part("dates").iter().filter_map(|item| date(report, item)).collect();
    }
    for (key, value) in node.get("seasons").map(|node| map(report, node, "seasons")).unwrap_or_default() {
        if let (Some(name), Some(season)) = (super::name(report, key), season(report, value)) {
            calendar.seasons.insert(name, season);
        }
    }
    Some(calendar)
}

/// Title, version and source: for people.
pub(super) fn header(report: &Report, node: &Node) {
    for key in ["title", "source", "owner"] {
        if let Some(node) = node.get(key) {
            words(report, node);
        }
    }
    if let Some(version) = node.get("version") {
        int(report, version);
    }
}

fn weekdays(report: &Report, node: &Node) -> BTreeSet<u8> {
    let one = |item: &Node| {
        let day = item.text().and_then(weekday);
        if day.is_none() {
            wrong(report, item, "a weekday such as `mon`");
        }
        day
    };
    let days: BTreeSet<u8> = list(report, node, "weekdays").iter().filter_map(one).collect();
    if days.is_empty() {
        report.error("PB006", node, "a calendar needs at least one working day");
        return Calendar::weekdays().working_days;
    }
    days
}

fn month_day(report: &Report, node: &Node) -> Option<MonthDay> {
    let parsed = node.text().and_then(|text| {
        let (month, day) = text.split_once('-')?;
        let (month, day): (u32, u32) = (month.parse().ok()?, day.parse().ok()?);
        // A leap year, so that 02-29 is a day.
        chrono::NaiveDate::from_ymd_opt(2024, month, day).map(|_| MonthDay { month, day })
    });
    if parsed.is_none() {
        wrong(report, node, "a month and a day such as `12-25`");
    }
    parsed
}

fn season(report: &Report, node: &Node) -> Option<Season> {
    only(report, node, "a season", &["from", "reopen", "source", "to"]);
    let from = required(report, node, "from").and_then(|node| month_day(report, node));
    let to = required(report, node, "to").and_then(|node| month_day(report, node));
    let reopen = node.get("reopen").and_then(|node| span(report, "reopen", node));
    Some(Season { from: from?, to: to?, reopen })
}

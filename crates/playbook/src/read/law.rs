//! Calendars: shared files of operations, always used in their newest form.

use super::holidays::{self, month_day};
use super::{int, items, list, map, name, only, required, span, words, wrong};
use crate::diagnostic::{Diagnostic, Report};
use crate::yaml::Node;
use recobro_kernel::calendar::holidays::{Holidays, Rule};
use recobro_kernel::calendar::{Calendar, Season, weekday};
use recobro_kernel::ids::Hash;
use std::collections::BTreeSet;

/// Folder of calendars.
pub(crate) const CALENDARS: &str = "workflows/calendars/";

const CALENDAR_KEYS: &[&str] = &[
    "calendar",
    "country",
    "extends",
    "holidays",
    "seasons",
    "source",
    "subdivision",
    "subdivisions",
    "title",
    "version",
    "without",
    "working_days",
];

/// Reads one calendar: its own first, then one for each of its subdivisions, called `FILE/SUBDIVISION`. It keeps what the
/// calendar keeps that it extends, `without:` some.
pub(crate) fn calendars(report: &Report, node: &Node, hash: Hash, base: Option<&Calendar>) -> Vec<Calendar> {
    only(report, node, "`calendar`", CALENDAR_KEYS);
    let Some(name) = required(report, node, "calendar").and_then(|node| name(report, node)) else { return Vec::new() };
    header(report, node);
    let country = node.get("country").and_then(|node| super::name(report, node));
    let subdivision = node.get("subdivision").and_then(|node| super::name(report, node));
    let place = match (country, subdivision) {
        (Some(country), Some(part)) if !part.contains('-') => Some(format!("{country}-{part}")),
        (_, Some(part)) => Some(part),
        (country, None) => country,
    };
    let start = base.cloned().unwrap_or_else(Calendar::weekdays);
    // A decision must show that the other file has changed, too.
    let hash = base.map_or(hash, |base| Hash::of(&[hash.0, base.hash.0].concat()));
    let mut calendar = Calendar { name, country: place, hash, ..start };
    if let Some(days) = node.get("working_days") {
        calendar.working_days = weekdays(report, days);
    }
    let rules = kept(report, node, calendar.holidays.rules());
    for (key, value) in node.get("seasons").map(|node| map(report, node, "seasons")).unwrap_or_default() {
        if let (Some(name), Some(season)) = (super::name(report, key), season(report, value)) {
            calendar.seasons.insert(name, season);
        }
    }
    let parts = node.get("subdivisions").map(|node| map(report, node, "subdivisions")).unwrap_or_default();
    let parts: Vec<Calendar> =
        parts.iter().flat_map(|(key, value)| part(report, key, value, &calendar, &rules)).collect();
    calendar.holidays = Holidays::new(rules);
    [vec![calendar], parts].concat()
}

/// A subdivision keeps what its country keeps, `without:` some, and holidays of its own; so do those that it `covers:`.
fn part(report: &Report, key: &Node, node: &Node, whole: &Calendar, rules: &[Rule]) -> Vec<Calendar> {
    only(report, node, "a subdivision", &["covers", "holidays", "source", "title", "without"]);
    header(report, node);
    let holidays = Holidays::new(kept(report, node, rules));
    let covered = node.get("covers").map(|node| items(report, node)).unwrap_or_default();
    let places = std::iter::once(key).chain(covered).filter_map(|node| place(report, node, whole));
    let calendar = |place: String| Calendar {
        name: format!("{}/{place}", whole.name),
        country: Some(place),
        holidays: holidays.clone(),
        ..whole.clone()
    };
    places.map(calendar).collect()
}

/// The holidays of a wider calendar `without:` some, and those of the node itself.
fn kept(report: &Report, node: &Node, wider: &[Rule]) -> Vec<Rule> {
    let own = node.get("holidays").map(|node| holidays::read(report, node)).unwrap_or_default();
    let gone = node.get("without").map(|node| holidays::without(report, node, wider)).unwrap_or_default();
    let kept = wider.iter().filter(|rule| !gone.contains(&*rule.name)).cloned();
    kept.chain(own).collect()
}

/// The code of a subdivision of the calendar's country.
fn place(report: &Report, node: &Node, whole: &Calendar) -> Option<String> {
    let place = super::name(report, node)?;
    let country = whole.country.as_deref().unwrap_or_default();
    let within = place.strip_prefix(country).is_some_and(|rest| rest.len() > 1 && rest.starts_with('-'));
    if country.is_empty() || !within {
        let message = format!("`{place}` is no subdivision of `country: {country}`");
        let help = "write the ISO 3166-2 code as customers have it: the country, a hyphen, the part";
        report.push(Diagnostic::error("PB006", &node.place, message).help(help));
        return None;
    }
    Some(place)
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

fn season(report: &Report, node: &Node) -> Option<Season> {
    only(report, node, "a season", &["from", "reopen", "source", "to"]);
    let from = required(report, node, "from").and_then(|node| month_day(report, node));
    let to = required(report, node, "to").and_then(|node| month_day(report, node));
    let reopen = node.get("reopen").and_then(|node| span(report, "reopen", node));
    Some(Season { from: from?, to: to?, reopen })
}

//! `recobro calendar`: the calendars of the project, the holidays of a place, and holidays that others publish.

use crate::failure::{Exit, Failure};
use crate::session::Session;
use recobro_engine::Clock;
use recobro_kernel::calendar::Calendar;
use recobro_kernel::law::Law;
use serde::Serialize;
use std::sync::Arc;

mod import;

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Write holidays that others publish (.ics) as a calendar of the project
    #[command(after_help = "\
Examples:
  recobro calendar import madrid-2027.ics --name madrid --country ES --subdivision ES-MD \\
    --extends es-business/ES-MD --out workflows/calendars/madrid.yaml
  recobro calendar import works.ics --name works          to the screen

All-day events become dates, events of every year become rules. What no rule can say is refused with its line.")]
    Import(import::Args),
    /// Calendars, ordered by name, and the places they speak for
    List,
    /// Holidays of a calendar or a place in a year
    #[command(after_help = "\
Examples:
  recobro calendar show es-business --subdivision ES-MD --year 2026
  recobro calendar show GB-SCT                            by place instead of by name")]
    Show(Show),
}

#[derive(clap::Args)]
struct Show {
    /// Calendar, as `calendar list` shows it, or a place: ES, ES-MD
    name: String,
    /// Part of the calendar's country, such as ES-MD
    #[arg(long, value_name = "CODE")]
    subdivision: Option<String>,
    /// Year [default: this year]
    #[arg(long, value_parser = clap::value_parser!(i32).range(1900..=2200))]
    year: Option<i32>,
    /// Last year, for several [default: the one year]
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i32).range(1900..=2200), requires = "year")]
    until: Option<i32>,
}

#[expect(clippy::unused_async, reason = "every command has the same signature")]
pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    match args.verb {
        Verb::Import(args) => import::run(&args, session),
        Verb::List => list(session),
        Verb::Show(args) => show(&args, session),
    }
}

#[derive(Serialize)]
struct Row {
    schema: &'static str,
    calendar: String,
    place: Option<String>,
    working_days: Vec<&'static str>,
    seasons: Vec<String>,
    subdivisions: Vec<String>,
}

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn list(session: &Session) -> Result<Exit, Failure> {
    let law = session.library()?.law;
    let rows: Vec<Row> = law
        .calendars
        .values()
        .filter(|calendar| !calendar.name.contains('/'))
        .map(|calendar| Row {
            schema: "calendar/1",
            calendar: calendar.name.clone(),
            place: calendar.country.clone(),
            working_days: calendar.working_days.iter().map(|day| WEEKDAYS[usize::from(*day)]).collect(),
            seasons: calendar.seasons.keys().cloned().collect(),
            subdivisions: parts(&law, &calendar.name),
        })
        .collect();
    session.out.list(&rows, &["calendar", "place", "working days", "subdivisions", "seasons"], |row| {
        vec![
            row.calendar.clone(),
            row.place.clone().unwrap_or_default(),
            row.working_days.join(" "),
            row.subdivisions.len().to_string(),
            row.seasons.join(" "),
        ]
    })?;
    Ok(Exit::Ok)
}

/// Codes of a calendar's subdivisions.
fn parts(law: &Law, name: &str) -> Vec<String> {
    let codes = law.calendars.keys().filter_map(|key| key.strip_prefix(name)?.strip_prefix('/'));
    codes.map(str::to_owned).collect()
}

#[derive(Serialize)]
struct Said {
    schema: &'static str,
    date: String,
    weekday: &'static str,
    name: String,
    shifted: bool,
    working_day: bool,
}

fn show(args: &Show, session: &Session) -> Result<Exit, Failure> {
    let law = session.library()?.law;
    let calendar = find(&law, args)?;
    let year = args.year.unwrap_or_else(this_year);
    let last = args.until.unwrap_or(year);
    let rows: Vec<Said> = calendar
        .holidays
        .of_years(year, last)
        .into_iter()
        .map(|holiday| Said {
            schema: "holiday/1",
            date: holiday.date.to_string(),
            weekday: WEEKDAYS[usize::from(recobro_kernel::calendar::weekday_of(holiday.date))],
            name: holiday.name.to_string(),
            shifted: holiday.shifted,
            working_day: calendar.is_working_day(holiday.date),
        })
        .collect();
    let years = if last == year { year.to_string() } else { format!("{year} to {last}") };
    session.out.say(&format!("{}, {years}", calendar.name));
    session.out.list(&rows, &["date", "day", "holiday", ""], |row| {
        let note = if row.shifted { "moved or substitute" } else { "" };
        vec![row.date.clone(), row.weekday.to_owned(), row.name.clone(), note.to_owned()]
    })?;
    for (name, season) in &calendar.seasons {
        let (from, to) = (&season.from, &season.to);
        let reopen = season.reopen.map_or_else(String::new, |span| format!(", and acts again {span} after it"));
        session.out.say(&format!(
            "season {name}: {:02}-{:02} to {:02}-{:02}{reopen}",
            from.month, from.day, to.month, to.day
        ));
    }
    Ok(Exit::Ok)
}

fn this_year() -> i32 {
    chrono::Datelike::year(&Clock::Real.now().date_in(chrono_tz::UTC))
}

/// A calendar by name or by place.
fn find(law: &Law, args: &Show) -> Result<Arc<Calendar>, Failure> {
    let of_place = |place: &str| law.calendars.values().find(|calendar| calendar.country.as_deref() == Some(place));
    let whole = law.calendars.get(&args.name).or_else(|| of_place(&args.name)).ok_or_else(|| {
        Failure::not_found(format!("no calendar `{}`", args.name)).help("`recobro calendar list` shows all")
    })?;
    let Some(part) = &args.subdivision else { return Ok(Arc::clone(whole)) };
    let part = match &whole.country {
        Some(country) if !part.contains('-') => format!("{country}-{part}"),
        Some(_) | None => part.clone(),
    };
    law.calendars.get(&format!("{}/{part}", whole.name)).cloned().ok_or_else(|| {
        let known = parts(law, &whole.name);
        let help = if known.is_empty() {
            "it has no subdivisions: the country's holidays hold everywhere".to_owned()
        } else {
            format!("it has {}", known.join(" "))
        };
        Failure::not_found(format!("`{}` has no subdivision `{part}`", whole.name)).help(help)
    })
}

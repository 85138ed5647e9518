//! `recobro calendar import FILE.ics`: holidays that others publish, written as a calendar of the project.

use crate::failure::{Doing, Exit, Failure};
use crate::session::Session;
use chrono::Datelike;
use recobro_connectors::ics::{self, Day};
use recobro_playbook::report;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Folder of calendars in a project.
const CALENDARS: &str = "workflows/calendars/";

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Calendar file (iCalendar, .ics)
    file: PathBuf,
    /// Name of the calendar; its file must be called so
    #[arg(long)]
    name: String,
    /// Country it speaks for, such as ES [default: none, playbooks name it]
    #[arg(long, value_name = "CODE")]
    country: Option<String>,
    /// Part of the country, such as ES-MD
    #[arg(long, value_name = "CODE", requires = "country")]
    subdivision: Option<String>,
    /// Calendar whose days are kept as well, such as es-business/ES-MD [default: none, the file has all days]
    #[arg(long, value_name = "CALENDAR")]
    extends: Option<String>,
    /// File to write; an existing one is left alone [default: the screen]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write over an existing file
    #[arg(long, requires = "out")]
    replace: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Result<Exit, Failure> {
    let shown = args.file.display();
    let text = std::fs::read_to_string(&args.file).doing(Exit::NotFound, || format!("cannot read {shown}"))?;
    let days = ics::read(&text).map_err(|problems| {
        let list = problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n");
        Failure::new(Exit::Findings, format!("{shown} cannot be taken over as holidays:\n{list}"))
            .help("take these events out of the file, or write them into the calendar by hand")
    })?;
    let yaml = write(args, &days);
    check(args, &yaml, session)?;
    warn(args, session)?;
    let Some(out) = &args.out else {
        session.out.line(&yaml)?;
        return Ok(Exit::Ok);
    };
    named(out, &args.name)?;
    if out.exists() && !args.replace {
        return Err(Failure::new(Exit::Conflict, format!("{} is there already", out.display()))
            .help("`--replace` writes over it"));
    }
    std::fs::write(out, &yaml).doing(Exit::Failed, || format!("cannot write {}", out.display()))?;
    session.out.line(&format!("{}: {} days", out.display(), days.len()))?;
    Ok(Exit::Ok)
}

/// A calendar is found by its name, so the file must be called like it.
fn named(out: &Path, name: &str) -> Result<(), Failure> {
    let wanted = format!("{name}.yaml");
    if out.file_name().is_some_and(|found| found == wanted.as_str()) {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, format!("{} is not called {wanted}", out.display()))
        .help("a calendar is found by its name: let --name and --out agree"))
}

/// What the check of the project refuses is not written.
fn check(args: &Args, yaml: &str, session: &Session) -> Result<(), Failure> {
    let file = format!("{CALENDARS}{}.yaml", args.name);
    let mut files = session.files()?;
    files.insert(file.clone(), yaml.as_bytes().to_vec());
    let found = recobro_playbook::check_for(&files, session.collector()).diagnostics.into_iter();
    // Two calendars for one place may be told of the other file.
    let found: Vec<_> = found.filter(|one| one.file.starts_with(CALENDARS)).collect();
    if found.is_empty() {
        return Ok(());
    }
    let text = report::text(&found, &files);
    Err(Failure::new(Exit::Findings, format!("this would be refused as {file}:\n{}", text.trim_end())))
}

/// Says what else would be kept in that place: a town hall's file often has the town's days only.
fn warn(args: &Args, session: &Session) -> Result<(), Failure> {
    let (Some(country), None) = (&args.country, &args.extends) else { return Ok(()) };
    let wider = session.library()?.law.calendar_for(country, args.subdivision.as_deref(), "");
    if wider.country.is_some() && wider.name != args.name {
        session.out.say(&format!(
            "these are all holidays of {} now; `--extends {}` keeps the known ones, too",
            args.subdivision.as_ref().unwrap_or(country),
            wider.name
        ));
    }
    Ok(())
}

/// Texts stand in double quotes, with JSON's escapes, which YAML has too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn write(args: &Args, days: &[Day]) -> String {
    let source = args.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut yaml = format!("# Written by `recobro calendar import`.\ncalendar: {}\nversion: 1\n", args.name);
    let _ = writeln!(yaml, "title: {}", quoted(&format!("Holidays of {source}")));
    for (key, value) in [("country", &args.country), ("subdivision", &args.subdivision)] {
        if let Some(value) = value {
            let _ = writeln!(yaml, "{key}: {value}");
        }
    }
    if let Some(base) = &args.extends {
        let _ = writeln!(yaml, "extends: {base}");
    }
    let _ = writeln!(yaml, "source: {}", quoted(&source));
    if args.extends.is_none() {
        yaml.push_str("working_days: [mon, tue, wed, thu, fri]\n");
    }
    yaml.push_str("holidays:\n");
    let mut single: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for day in days {
        let Some(yearly) = &day.yearly else {
            single.entry(&day.name).or_default().push(day.date.to_string());
            continue;
        };
        let (month, date, from) = (day.date.month(), day.date.day(), day.date.year());
        let _ = write!(yaml, "  - {{name: {}, on: {month:02}-{date:02}, from: {from}", quoted(&day.name));
        if let Some(until) = yearly.until {
            let _ = write!(yaml, ", until: {until}");
        }
        if !yearly.except.is_empty() {
            let years: Vec<String> = yearly.except.iter().map(ToString::to_string).collect();
            let _ = write!(yaml, ", except: [{}]", years.join(", "));
        }
        yaml.push_str("}\n");
    }
    for (name, dates) in single {
        let _ = writeln!(yaml, "  - {{name: {}, on: [{}]}}", quoted(name), dates.join(", "));
    }
    yaml
}

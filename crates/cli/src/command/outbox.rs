//! `recobro outbox`: what was ordered and has not left, and what waits for a person after an outage.

use crate::failure::{Exit, Failure};
use crate::out::grouped;
use crate::session::Session;
use recobro_engine::Who;
use recobro_engine::catch_up::Forecast;
use recobro_kernel::effect::Effect;
use recobro_kernel::time::Timestamp;
use recobro_store::outbox::{self, OutboxRow, State};
use serde::Serialize;

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// What was ordered and is not settled: ready, held, being handed over, of unknown outcome
    List(List),
    /// Let go what waits for a person after an outage, in tranches
    #[command(after_help = "\
Examples:
  recobro outbox release --held --dry-run                     what waits, what would leave, when, and what not
  recobro outbox release --held --tranche 500 --as ana        the first 500, with what leaves in the same messages
  recobro outbox release --held --all --reason 'checked' --as ana

After an outage of more than a day contacts of late cases are held where more cases are late than the setting
catch_up.hold_above. Late steps of one case give way to its last one. The order is class and level, then the oldest due
date, then the largest balance. What is released goes back to its case and is decided again: paid, promised or
disputed meanwhile, it does not leave.")]
    Release(Release),
}

#[derive(clap::Args)]
struct List {
    /// Only this state
    #[arg(long, value_parser = ["ready", "leased", "sending", "unknown", "held"])]
    state: Option<String>,
}

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("how_many").required(false))]
struct Release {
    /// What is held after an outage
    #[arg(long, required = true)]
    held: bool,
    /// The first N contacts, 1 or more
    #[arg(long, value_name = "N", group = "how_many", value_parser = clap::value_parser!(u32).range(1..))]
    tranche: Option<u32>,
    /// All, and those still to come
    #[arg(long, group = "how_many")]
    all: bool,
    /// Why, for the record of each case
    #[arg(long, default_value = "")]
    reason: String,
    /// Show what would leave, release nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Row {
    schema: &'static str,
    effect: String,
    state: &'static str,
    lane: String,
    customer: String,
    invoice: String,
    class: &'static str,
    step: String,
    subject: String,
    due_at: Timestamp,
    tries: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct Said<'a> {
    schema: &'static str,
    released: Option<u64>,
    held: u64,
    /// Of so many that wait.
    all: u64,
    leaves: &'a std::collections::BTreeMap<String, u64>,
    later: u64,
    last: Option<Timestamp>,
    blocked: &'a std::collections::BTreeMap<String, u64>,
    amounts: Vec<String>,
    customers: u64,
    late: i64,
    superseded: i64,
    to_come: i64,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    match args.verb {
        Verb::List(args) => list(&args, session).await,
        Verb::Release(args) => release(args, session).await,
    }
}

async fn list(args: &List, session: &Session) -> Result<Exit, Failure> {
    let state = args.state.as_deref().and_then(State::parse);
    let store = session.store().await?;
    let mut tx = store.read().await?;
    let rows = outbox::list(&mut tx, state, "", i64::from(session.limit())).await?;
    let rows = rows.into_iter().map(row).collect::<Result<Vec<_>, _>>()?;
    session.out.list(&rows, &["effect", "state", "lane", "customer", "invoice", "step", "due", "reason"], |row| {
        vec![
            row.effect.chars().take(8).collect(),
            row.state.to_owned(),
            row.lane.clone(),
            row.customer.clone(),
            row.invoice.clone(),
            row.step.clone(),
            row.due_at.to_utc().format("%Y-%m-%d %H:%MZ").to_string(),
            row.reason.clone().unwrap_or_default(),
        ]
    })?;
    Ok(Exit::Ok)
}

fn row(row: OutboxRow) -> Result<Row, Failure> {
    let effect: Effect = serde_json::from_str(&row.payload)?;
    Ok(Row {
        schema: "recobro/v1/effect",
        effect: row.id.to_string(),
        state: row.state.name(),
        lane: row.lane,
        customer: row.customer.to_string(),
        invoice: row.invoice.to_string(),
        class: effect.class.name(),
        step: effect.step,
        subject: effect.subject,
        due_at: row.due_at,
        tries: row.tries,
        reason: row.reason,
    })
}

async fn release(args: Release, session: &Session) -> Result<Exit, Failure> {
    if !args.dry_run && args.tranche.is_none() && !args.all {
        return Err(Failure::new(Exit::Usage, "how many? --tranche N or --all")
            .help(format!("{} shows what waits", session.again("outbox release --held --dry-run"))));
    }
    // What is only looked for makes no database.
    session.store().await?.close().await;
    let engine = session.engine(session.clock().await?).await?;
    super::guard::warn_of_news(&engine, session).await?;
    let tranche = args.tranche.map(|most| most as usize);
    let forecast = engine.forecast(tranche).await?;
    let who = Who { name: session.config.actor(), why: args.reason };
    let released = if args.dry_run { None } else { Some(engine.release(tranche, &who).await?) };
    if session.out.is_json() {
        session.out.json(&Said {
            schema: "recobro/v1/release",
            released,
            held: forecast.held,
            all: forecast.all,
            leaves: &forecast.leaves,
            later: forecast.later,
            last: forecast.last,
            blocked: &forecast.blocked,
            amounts: forecast.amounts.iter().map(ToString::to_string).collect(),
            customers: forecast.customers,
            late: forecast.late,
            superseded: forecast.superseded,
            to_come: forecast.to_come,
        })?;
        return Ok(Exit::Ok);
    }
    session.out.line(&told(&forecast).join("\n"))?;
    match released {
        Some(released) => {
            session.out.say(&format!("{} released by {}", grouped(released), who.name));
            session.say_run(engine.clock());
        }
        None => session.out.say(&format!("next: {}", session.again("outbox release --held --tranche 500 --as PERSON"))),
    }
    Ok(Exit::Ok)
}

/// The forecast, a line per question.
fn told(forecast: &Forecast) -> Vec<String> {
    let count = |number: i64| grouped(u64::try_from(number).unwrap_or(0));
    let mut lines = vec![format!(
        "{}{} contacts wait; the outage made {} cases late, {} of their steps gave way to a later one",
        if forecast.held < forecast.all { format!("the first {} of ", grouped(forecast.held)) } else { String::new() },
        grouped(forecast.all),
        count(forecast.late),
        count(forecast.superseded)
    )];
    let leaving: u64 = forecast.leaves.values().sum();
    let by: Vec<String> = forecast.leaves.iter().map(|(lane, n)| format!("{lane} {}", grouped(*n))).collect();
    let by = if by.is_empty() { String::new() } else { format!(" ({})", by.join(", ")) };
    lines.push(format!("{} would leave at once{by}", grouped(leaving)));
    if let Some(last) = forecast.last {
        lines.push(format!("{} would leave later, the last at {last}", grouped(forecast.later)));
    }
    let asked: Vec<String> = forecast.amounts.iter().map(ToString::to_string).collect();
    if !asked.is_empty() {
        lines.push(format!("to {} customers, about {}", grouped(forecast.customers), asked.join(" and ")));
    }
    let blocked: u64 = forecast.blocked.values().sum();
    if blocked > 0 {
        lines.push(format!("{} would not leave:", grouped(blocked)));
        lines.extend(forecast.blocked.iter().map(|(rule, n)| format!("  {} {rule}", grouped(*n))));
    }
    if forecast.to_come > 0 {
        lines.push(format!("{} more cases wait for their hours, and are held then", count(forecast.to_come)));
    }
    lines
}

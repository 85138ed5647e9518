//! `recobro case ...`: look at cases and act on them.

mod show;
mod why;

use crate::failure::{Exit, Failure};
use crate::reads::{self, CaseFilter, CaseRow};
use crate::session::Session;
use recobro_engine::{Engine, Who};
use recobro_kernel::case::Status;
use recobro_kernel::ids::CaseId;
use recobro_kernel::playbook::Outcome;
use serde::Serialize;

/// Arguments.
#[derive(clap::Args)]
#[command(after_help = "CASE is a case id, an invoice id or an invoice number.")]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Cases, the next to wake first
    List(List),
    /// One case: where it stands, what happened, what is next
    Show(show::Args),
    /// Why: every decision with its expression, clauses, facts read, result and hashes
    #[command(after_help = "\
Examples:
  recobro case why INV-1042                    every decision
  recobro case why INV-1042 41                 one record
  recobro case why INV-1042 --on 2026-05-21    what was held back that day, and by which rule")]
    Why(why::Args),
    /// Stop a case until it is resumed
    Pause(Act),
    /// Let a paused case go on
    Resume(Act),
    /// Evaluate a parked case again, after what was wrong is mended
    Retry(Act),
    /// Leave the current step out
    Skip(Act),
    /// Jump to a stage ahead
    Goto(Goto),
    /// End a case without the money
    Cancel(Act),
}

#[derive(clap::Args)]
struct List {
    /// Only this status
    #[arg(long, value_parser = status)]
    status: Option<Status>,
    /// Only this outcome
    #[arg(long, value_parser = outcome)]
    outcome: Option<Outcome>,
    /// Only this playbook
    #[arg(long, value_name = "NAME")]
    playbook: Option<String>,
    /// Only this customer
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// Invoices that no playbook took, with the reason
    #[arg(long, conflicts_with_all = ["status", "outcome", "playbook", "customer"])]
    unmatched: bool,
}

#[derive(clap::Args)]
struct Act {
    /// Case id, invoice id or number
    case: String,
    /// Reason, for the record
    #[arg(long, value_name = "REASON", default_value = "")]
    why: String,
}

#[derive(clap::Args)]
struct Goto {
    /// Case id, invoice id or number
    case: String,
    /// Stage ahead of the present one
    stage: String,
    /// Reason, for the record
    #[arg(long, value_name = "REASON", default_value = "")]
    why: String,
}

fn status(text: &str) -> Result<Status, String> {
    let names: Vec<&str> = Status::ALL.iter().map(|status| status.name()).collect();
    Status::ALL.into_iter().find(|status| status.name() == text).ok_or_else(|| one_of(&names))
}

fn outcome(text: &str) -> Result<Outcome, String> {
    let names: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.name()).collect();
    Outcome::parse(text).ok_or_else(|| one_of(&names))
}

fn one_of(names: &[&str]) -> String {
    format!("one of {}", names.join(", "))
}

#[derive(Serialize)]
struct Acted<'a> {
    schema: &'static str,
    case: String,
    act: &'a str,
    by: String,
    why: String,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    match args.verb {
        Verb::List(args) => list(args, session).await,
        Verb::Show(args) => show::run(&args, session).await,
        Verb::Why(args) => why::run(&args, session).await,
        Verb::Pause(args) => act(session, "pause", args, None).await,
        Verb::Resume(args) => act(session, "resume", args, None).await,
        Verb::Retry(args) => act(session, "retry", args, None).await,
        Verb::Skip(args) => act(session, "skip", args, None).await,
        Verb::Cancel(args) => act(session, "cancel", args, None).await,
        Verb::Goto(Goto { case, stage, why }) => act(session, "goto", Act { case, why }, Some(&stage)).await,
    }
}

async fn list(args: List, session: &Session) -> Result<Exit, Failure> {
    let store = session.store().await?;
    if args.unmatched {
        let rows = reads::unmatched(&store, session.limit()).await?;
        session.out.list(&rows, &["invoice", "customer", "reason"], |row| {
            vec![row.invoice.clone(), row.customer.clone(), row.reason.clone()]
        })?;
        return Ok(Exit::Ok);
    }
    let filter =
        CaseFilter { status: args.status, outcome: args.outcome, playbook: args.playbook, customer: args.customer };
    let rows = reads::cases(&store, &filter, session.limit()).await?;
    session.out.list(&rows, &["invoice", "customer", "playbook", "status", "stage", "step", "next"], cells)?;
    if u32::try_from(rows.len()).is_ok_and(|count| count == session.limit()) {
        session.out.say(&format!("the first {}; --limit shows more", rows.len()));
    }
    Ok(Exit::Ok)
}

fn cells(row: &CaseRow) -> Vec<String> {
    let status = row.outcome.clone().unwrap_or_else(|| row.status.clone());
    let next = match (&row.next_at, &row.next_reason) {
        (Some(at), Some(reason)) => format!("{} {reason}", at.to_utc().format("%Y-%m-%d %H:%MZ")),
        (Some(at), None) => at.to_utc().format("%Y-%m-%d %H:%MZ").to_string(),
        (None, _) => String::new(),
    };
    vec![
        row.invoice.clone(),
        row.customer.clone(),
        format!("{} v{}", row.playbook, row.version),
        status,
        row.stage.clone().unwrap_or_default(),
        row.step.clone().unwrap_or_default(),
        next,
    ]
}

async fn act(session: &Session, name: &str, args: Act, stage: Option<&str>) -> Result<Exit, Failure> {
    let engine = session.engine(session.clock().await?).await?;
    let case = reads::find_case(engine.store(), &args.case).await?;
    let who = Who { name: session.config.actor(), why: args.why };
    queue(&engine, name, case.id, stage, &who).await?;
    if session.out.is_json() {
        let (by, why) = (who.name, who.why);
        session.out.json(&Acted { schema: "recobro/v1/act", case: case.id.to_string(), act: name, by, why })?;
    } else {
        session.out.say(&format!("{name} of {} noted for {}", args.case, who.name));
        session.say_run(engine.clock());
    }
    Ok(Exit::Ok)
}

async fn queue(engine: &Engine, name: &str, case: CaseId, stage: Option<&str>, who: &Who) -> Result<(), Failure> {
    match (name, stage) {
        ("pause", _) => engine.pause(case, who).await?,
        ("resume", _) => engine.resume(case, who).await?,
        ("retry", _) => engine.retry(case, who).await?,
        ("skip", _) => engine.skip(case, who).await?,
        ("goto", Some(stage)) => engine.goto(case, stage, who).await?,
        _ => engine.cancel(case, who).await?,
    }
    Ok(())
}

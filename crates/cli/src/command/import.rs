//! `recobro import SOURCE FILE...`.

use crate::failure::{Exit, Failure};
use crate::intake;
use crate::out::grouped;
use crate::session::Session;
use recobro_connectors::source::SOURCES;
use serde::Serialize;
use std::path::PathBuf;

/// Arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  recobro import customers customers.csv
  recobro import invoices july.csv --map our-ledger.yaml
  recobro import payments bank.jsonl --dry-run

A file that was imported before changes nothing. Rows that cannot be read are named with their place;
the others are taken (exit code 6).")]
pub(crate) struct Args {
    /// What the files hold
    #[arg(value_parser = source)]
    source: String,
    /// CSV or JSON lines
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How the columns of one's own layout are read
    #[arg(long, value_name = "MAP.yaml")]
    map: Option<PathBuf>,
    /// Read and report, take nothing
    #[arg(long)]
    dry_run: bool,
}

fn source(text: &str) -> Result<String, String> {
    let known = || SOURCES.iter().map(|source| source.name);
    if known().any(|name| name == text) {
        return Ok(text.to_owned());
    }
    Err(format!("sources are {}", known().collect::<Vec<_>>().join(", ")))
}

#[derive(Serialize)]
struct Said {
    schema: &'static str,
    file: String,
    accepted: u64,
    unchanged: u64,
    rejected: u64,
    rejections: Vec<intake::Problem>,
    defaults: Vec<String>,
    dry_run: bool,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    let engine = if args.dry_run {
        None
    } else {
        session.found().await?;
        Some(session.engine(session.clock().await?).await?)
    };
    let mut exit = Exit::Ok;
    let facts = session.facts()?;
    for file in &args.files {
        let mut intake = intake::open(&args.source, file, args.map.as_deref(), &facts)?;
        let received = match &engine {
            Some(engine) => engine.receive(&intake.source, &mut intake.records).await?,
            None => recobro_engine::Received { accepted: intake.records.by_ref().count() as u64, unchanged: 0 },
        };
        let said = Said {
            schema: "recobro/v1/import",
            file: file.display().to_string(),
            accepted: received.accepted,
            unchanged: received.unchanged,
            rejected: intake.problems.rows(),
            rejections: intake.problems.first(),
            defaults: intake.defaults(),
            dry_run: args.dry_run,
        };
        if said.rejected > 0 {
            exit = if said.accepted + said.unchanged > 0 || exit == Exit::Partial { Exit::Partial } else { Exit::Failed };
        }
        tell(session, &said, &intake.problems)?;
    }
    if let Some(engine) = engine.filter(|_| !session.out.is_json()) {
        session.say_run(engine.clock());
    }
    Ok(exit)
}

fn tell(session: &Session, said: &Said, problems: &intake::Problems) -> Result<(), Failure> {
    problems.tell(session);
    if session.out.is_json() {
        return session.out.json(said);
    }
    let dry = if said.dry_run { " (dry run: nothing taken)" } else { "" };
    session.out.line(&format!(
        "{}: {} accepted, {} unchanged, {} rejected{dry}",
        said.file,
        grouped(said.accepted),
        grouped(said.unchanged),
        grouped(said.rejected)
    ))?;
    for default in &said.defaults {
        session.out.say(&format!("default taken: {default}"));
    }
    Ok(())
}

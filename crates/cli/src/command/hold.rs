//! `recobro hold`: what people keep back, and until when.

use crate::entry::{self, Entry};
use crate::failure::{Exit, Failure};
use crate::reads::agreements;
use crate::session::Session;
use chrono::NaiveDate;

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Hold an invoice, a customer or a class of customers until a day: no step goes on, no dunning leaves
    #[command(after_help = "\
Examples:
  recobro hold add --invoice INV-1042 --reason complaint --until 2026-07-31 --owner ana
  recobro hold add --customer C7 --reason bereavement --until 2026-09-30 --owner care-desk --note 'see letter of 3 June'
  recobro hold add --class customer.country=ES --class customer.subdivision=ES-V --reason flood --until 2026-12-31 --owner head-of-credit

A class holds the open cases of every customer for whom all its tests are true, and those that come later. It may name
customer.country, kind, locale, segment, subdivision, tags and vulnerable, invoice.currency and invoice.product.")]
    Add(Add),
    /// Holds
    List(List),
    /// One hold
    Show {
        /// Hold, as `hold list` shows it
        hold: String,
    },
    /// End a hold before its last day: what it held goes on
    Release(Release),
}

#[derive(clap::Args)]
struct Add {
    /// Invoice: id, number or reference
    #[arg(long)]
    invoice: Option<String>,
    /// Customer
    #[arg(long)]
    customer: Option<String>,
    /// Test of a class, PATH=VALUE; several must all be true
    #[arg(long, value_name = "TEST")]
    class: Vec<String>,
    /// Reason code: `complaint`, `bereavement`, `hardship`, `legal_review`, ...
    #[arg(long)]
    reason: String,
    /// Last day
    #[arg(long, value_name = "DATE")]
    until: NaiveDate,
    /// Who answers for it
    #[arg(long)]
    owner: String,
    /// What people should know; it stays out of history
    #[arg(long)]
    note: Option<String>,
    /// Id [default: made of the content]
    #[arg(long)]
    id: Option<String>,
    /// Show what would be noted and who would hear of it, take nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
struct List {
    /// Only those that stand today
    #[arg(long)]
    standing: bool,
}

#[derive(clap::Args)]
struct Release {
    /// Hold, as `hold list` shows it
    hold: String,
    /// Show what would be noted, take nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    match args.verb {
        Verb::Add(args) => add(args, session).await,
        Verb::List(args) => list(&args, session).await,
        Verb::Show { hold } => show(&hold, session).await,
        Verb::Release(args) => release(args, session).await,
    }
}

async fn add(args: Add, session: &Session) -> Result<Exit, Failure> {
    let today = entry::today(session).await?;
    if args.until < today {
        return Err(Failure::new(Exit::Usage, format!("{} is past; a hold lasts to a day to come", args.until)));
    }
    let class = (!args.class.is_empty()).then(|| args.class.join(";"));
    Entry::of("holds")
        .with("id", args.id)
        .with("change", Some("placed"))
        .with("invoice", args.invoice)
        .with("customer", args.customer)
        .with("class", class)
        .with("reason", Some(args.reason))
        .with("owner", Some(args.owner))
        .with("until", Some(args.until))
        .with("note", args.note)
        .with("on", Some(today))
        .put(session, args.dry_run)
        .await
}

async fn list(args: &List, session: &Session) -> Result<Exit, Failure> {
    let today = entry::today(session).await?;
    let store = session.store().await?;
    let rows = agreements::holds(&store, args.standing, today, session.limit()).await?;
    let head = ["hold", "scope", "on", "reason", "owner", "from", "until", "status"];
    session.out.list(&rows, &head, |row| {
        vec![
            row.hold.clone(),
            row.scope.clone(),
            row.on.clone(),
            row.reason.clone(),
            row.owner.clone(),
            row.from.to_string(),
            row.until.to_string(),
            row.status.to_owned(),
        ]
    })?;
    Ok(Exit::Ok)
}

async fn show(id: &str, session: &Session) -> Result<Exit, Failure> {
    let today = entry::today(session).await?;
    let row = agreements::hold(&session.store().await?, id, today).await?;
    if session.out.is_json() {
        session.out.json(&row)?;
        return Ok(Exit::Ok);
    }
    session.out.line(&format!("hold {}  {} on {} {}", row.hold, row.status, row.scope, row.on))?;
    session.out.line(&format!("  reason {}, owner {}, {} to {}", row.reason, row.owner, row.from, row.until))?;
    if let (Some(on), Some(by)) = (row.released_on, &row.released_by) {
        session.out.line(&format!("  released on {on} by {by}"))?;
    }
    if !row.note.is_empty() {
        session.out.line(&format!("  {}", row.note))?;
    }
    Ok(Exit::Ok)
}

async fn release(args: Release, session: &Session) -> Result<Exit, Failure> {
    let today = entry::today(session).await?;
    Entry::of("holds")
        .with("id", Some(args.hold))
        .with("change", Some("released"))
        .with("on", Some(today))
        .with("by", Some(session.config.actor()))
        .put(session, args.dry_run)
        .await
}

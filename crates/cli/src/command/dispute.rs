//! `recobro dispute`: what customers contest, entered, closed or looked at.

use crate::entry::{self, Entry};
use crate::failure::{Exit, Failure};
use crate::reads;
use crate::session::Session;
use chrono::NaiveDate;
use recobro_connectors::source::record::{Dispute, DisputeChange, Record};

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Note that an invoice, or a part of it, is contested
    Open(Open),
    /// Say how a dispute ended
    Close(Close),
    /// Disputes
    List(List),
}

#[derive(clap::Args)]
struct Open {
    /// Invoice: id, number or reference
    invoice: String,
    /// Reason code: `quality`, `price`, `quantity`, `delivery`, `duplicate`, `not_ordered`, `paid`, ...
    #[arg(long)]
    reason: String,
    /// Contested part [default: all that is open]
    #[arg(long)]
    amount: Option<String>,
    /// Day it was raised [default: today]
    #[arg(long, value_name = "DATE")]
    on: Option<NaiveDate>,
    /// Id [default: made of the content]
    #[arg(long)]
    id: Option<String>,
    /// Show what would be noted, take nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
struct Close {
    /// Dispute, as `dispute list` shows it
    dispute: String,
    /// How it ended
    #[arg(long, value_parser = ["accepted", "rejected", "withdrawn"])]
    outcome: String,
    /// Day it ended [default: today]
    #[arg(long, value_name = "DATE")]
    on: Option<NaiveDate>,
    /// Show what would be noted, take nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
struct List {
    /// Only open ones
    #[arg(long)]
    open: bool,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    match args.verb {
        Verb::Open(args) => open(args, session).await,
        Verb::Close(args) => close(args, session).await,
        Verb::List(args) => list(&args, session).await,
    }
}

async fn open(args: Open, session: &Session) -> Result<Exit, Failure> {
    let on = match args.on {
        Some(on) => on,
        None => entry::today(session).await?,
    };
    let has_amount = args.amount.is_some();
    let row = Entry::of("disputes")
        .with("id", args.id)
        .with("invoice", Some(&args.invoice))
        .with("reason", Some(args.reason))
        .with("amount", args.amount)
        .with("opened", Some(on));
    let row = if has_amount { row.currency_of(session, Some(&args.invoice)).await? } else { row };
    row.put(session, args.dry_run).await
}

async fn close(args: Close, session: &Session) -> Result<Exit, Failure> {
    let on = match args.on {
        Some(on) => on,
        None => entry::today(session).await?,
    };
    let at = session.clock().await?.now();
    let store = session.store().await?;
    let known = reads::dispute(&store, &args.dispute).await?;
    store.close().await;
    if let Some(closed) = known.closed_on {
        return Err(Failure::new(Exit::Conflict, format!("dispute `{}` was closed on {closed}", known.id)));
    }
    if on < known.opened_on {
        return Err(Failure::new(Exit::Usage, format!("the dispute was opened on {}, after {on}", known.opened_on)));
    }
    let change = DisputeChange::Closed { outcome: args.outcome };
    let record = Dispute { id: known.id, invoice: known.invoice.to_string(), change, on, at: Some(at) };
    entry::put(session, Record::Dispute(record), args.dry_run).await
}

async fn list(args: &List, session: &Session) -> Result<Exit, Failure> {
    let store = session.store().await?;
    let rows = reads::disputes(&store, args.open, session.limit()).await?;
    session.out.list(&rows, &["dispute", "invoice", "customer", "reason", "amount", "opened", "closed", "outcome"], |row| {
        vec![
            row.dispute.clone(),
            row.invoice.clone(),
            row.customer.clone(),
            row.reason.clone(),
            row.amount.clone(),
            row.opened_on.to_string(),
            row.closed_on.map(|day| day.to_string()).unwrap_or_default(),
            row.outcome.clone().unwrap_or_default(),
        ]
    })?;
    Ok(Exit::Ok)
}

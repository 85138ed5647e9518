//! `recobro incentive`: discounts for paying early, offered or looked at.

use crate::entry::{self, Entry};
use crate::failure::{Exit, Failure};
use crate::reads;
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
    /// Offer a discount for paying by a day
    #[command(after_help = "\
Examples:
  recobro incentive add INV-1042 --percent 2 --until 2026-06-15
  recobro incentive add INV-1042 --amount 50 --until 2026-06-15 --reason settlement

A payment dated by then that leaves no more than the discount settles the invoice; the rest is booked as discount.")]
    Add(Add),
    /// Discounts offered, taken and expired
    List(List),
}

#[derive(clap::Args)]
struct Add {
    /// Invoice: id, number or reference
    invoice: String,
    /// Percent of what is owed now
    #[arg(long, conflicts_with = "amount", required_unless_present = "amount")]
    percent: Option<String>,
    /// How much, with a decimal point
    #[arg(long, allow_negative_numbers = true)]
    amount: Option<String>,
    /// Last day to pay
    #[arg(long, value_name = "DATE")]
    until: NaiveDate,
    /// Why
    #[arg(long)]
    reason: Option<String>,
    /// Id [default: made of the content]
    #[arg(long)]
    id: Option<String>,
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
        Verb::Add(args) => add(args, session).await,
        Verb::List(args) => list(&args, session).await,
    }
}

async fn add(args: Add, session: &Session) -> Result<Exit, Failure> {
    let on = entry::today(session).await?;
    if args.until < on {
        return Err(Failure::new(Exit::Usage, format!("{} is in the past", args.until)));
    }
    let store = session.store().await?;
    let invoice = reads::find_invoice(&store, &args.invoice).await?;
    store.close().await;
    let currency = args.amount.as_ref().map(|_| invoice.currency);
    let row = Entry::of("incentives")
        .with("id", args.id)
        .with("invoice", Some(&invoice.id))
        .with("percent", args.percent)
        .with("amount", args.amount)
        .with("currency", currency)
        .with("until", Some(args.until))
        .with("on", Some(on))
        .with("reason", args.reason);
    row.put(session, args.dry_run).await
}

async fn list(args: &List, session: &Session) -> Result<Exit, Failure> {
    let store = session.store().await?;
    let rows = reads::incentives(&store, args.open, session.limit()).await?;
    session.out.list(&rows, &["incentive", "invoice", "customer", "discount", "percent", "until", "status", "reason"], |row| {
        vec![
            row.incentive.clone(),
            row.invoice.clone(),
            row.customer.clone(),
            row.amount.clone(),
            row.percent.clone().unwrap_or_default(),
            row.until.to_string(),
            row.status.clone(),
            row.reason.clone(),
        ]
    })?;
    Ok(Exit::Ok)
}

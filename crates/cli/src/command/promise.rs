//! `recobro promise`: what customers promised to pay, entered or looked at.

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
    /// Note a promise; it takes the place of an open one for the same invoices
    #[command(after_help = "\
Examples:
  recobro promise add 2026-06-15 --invoice INV-1042
  recobro promise add 2026-06-15 --customer C7 --amount 5000 --currency EUR    all open invoices")]
    Add(Add),
    /// Promises, the newest ids last
    List(List),
    /// End a promise: what it held goes on
    Cancel(Cancel),
}

#[derive(clap::Args)]
struct Add {
    /// Day promised
    date: NaiveDate,
    /// Invoice: id, number or reference; several
    #[arg(long)]
    invoice: Vec<String>,
    /// Customer: covers all open invoices
    #[arg(long)]
    customer: Option<String>,
    /// Amount [default: what the invoices ask for]
    #[arg(long, allow_negative_numbers = true)]
    amount: Option<String>,
    /// Currency of the amount [default: that of the invoice]
    #[arg(long)]
    currency: Option<String>,
    /// Day it was made [default: today]
    #[arg(long, value_name = "DATE")]
    made_on: Option<NaiveDate>,
    /// How they mean to pay
    #[arg(long)]
    method: Option<String>,
    /// Who promised
    #[arg(long)]
    by: Option<String>,
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

#[derive(clap::Args)]
struct Cancel {
    /// Invoice it covers
    invoice: String,
    /// Day of the word [default: today]
    #[arg(long, value_name = "DATE")]
    on: Option<NaiveDate>,
    /// Id [default: made of the content]
    #[arg(long)]
    id: Option<String>,
    /// Show what would be noted, take nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    match args.verb {
        Verb::Add(args) => add(args, session).await,
        Verb::List(args) => list(&args, session).await,
        Verb::Cancel(args) => cancel(args, session).await,
    }
}

async fn add(args: Add, session: &Session) -> Result<Exit, Failure> {
    let today = entry::today(session).await?;
    let made_on = args.made_on.unwrap_or(today);
    if args.date < today {
        let past = format!("{} is in the past; a promise is about the future", args.date);
        return Err(Failure::new(Exit::Usage, past).help("what was promised and not kept needs no promise"));
    }
    let invoices = (!args.invoice.is_empty()).then(|| args.invoice.join(";"));
    let has_amount = args.amount.is_some();
    let row = Entry::of("promises")
        .with("id", args.id)
        .with("invoices", invoices)
        .with("customer", args.customer)
        .with("made_on", Some(made_on))
        .with("date", Some(args.date))
        .with("amount", args.amount)
        .with("currency", args.currency)
        .with("method", args.method)
        .with("by", args.by);
    let row = if has_amount { row.currency_of(session, args.invoice.first()).await? } else { row };
    row.put(session, args.dry_run).await
}

async fn list(args: &List, session: &Session) -> Result<Exit, Failure> {
    let store = session.store().await?;
    let rows = reads::promises(&store, args.open, session.limit()).await?;
    let head = ["promise", "customer", "invoices", "made", "date", "judged after", "amount", "paid", "status"];
    session.out.list(&rows, &head, |row| {
        vec![
            row.promise.clone(),
            row.customer.clone(),
            row.invoices.join(", "),
            row.made_on.to_string(),
            row.date.to_string(),
            row.limit.to_string(),
            row.amount.clone(),
            row.paid.clone(),
            row.status.clone(),
        ]
    })?;
    Ok(Exit::Ok)
}

async fn cancel(args: Cancel, session: &Session) -> Result<Exit, Failure> {
    let on = match args.on {
        Some(on) => on,
        None => entry::today(session).await?,
    };
    let row = Entry::of("events").with("event", Some("promise.cancelled")).with("invoice", Some(args.invoice));
    row.with("id", args.id).with("on", Some(on)).put(session, args.dry_run).await
}

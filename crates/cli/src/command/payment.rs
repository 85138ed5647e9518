//! `recobro payment`: money that came in, entered by hand or looked at.

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
    /// Note a payment, or money taken back (an amount below zero)
    #[command(after_help = "\
Examples:
  recobro payment add 1200 --invoice INV-1042
  recobro payment add 8400 --invoice INV-1042 --invoice INV-1043    settles them in this order
  recobro payment add 500 --currency EUR --customer C7              finds its invoice by the amount, else waits
  recobro payment add -1200 --invoice INV-1042 --reference R02      a direct debit that came back

The same payment said twice is booked once; a second one of the same day and amount needs its own --id.")]
    Add(Add),
    /// Note a credit note: the invoice is owed by that much less
    #[command(after_help = "\
Examples:
  recobro payment credit INV-1042 300 --reason quality
  recobro payment credit INV-1042 300 --reason price --dispute csv:D-17    answers that dispute

It is no payment: interest is computed as if the amount had never been invoiced, and no promise is kept by it. What the
invoice does not owe any more waits in `recobro match list`.")]
    Credit(Credit),
    /// Payments of a customer, with what they settled
    List(List),
}

#[derive(clap::Args)]
struct Credit {
    /// Invoice: id, number or reference
    invoice: String,
    /// Amount, with a decimal point
    #[arg(allow_negative_numbers = true)]
    amount: String,
    /// Why: a code or a few words
    #[arg(long)]
    reason: String,
    /// Dispute that it answers
    #[arg(long)]
    dispute: Option<String>,
    /// Currency [default: that of the invoice]
    #[arg(long)]
    currency: Option<String>,
    /// Day of booking [default: today]
    #[arg(long, value_name = "DATE")]
    on: Option<NaiveDate>,
    /// Its number in the ledger [default: made of the content]
    #[arg(long)]
    id: Option<String>,
    /// Show what would be noted, take nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
struct Add {
    /// Amount, with a decimal point
    #[arg(allow_negative_numbers = true)]
    amount: String,
    /// Invoice it settles: id, number or reference; several are settled in order
    #[arg(long)]
    invoice: Vec<String>,
    /// Customer who paid, where no invoice is known
    #[arg(long)]
    customer: Option<String>,
    /// What the payer wrote; invoice numbers in it are found
    #[arg(long)]
    reference: Option<String>,
    /// Currency [default: that of the invoice]
    #[arg(long)]
    currency: Option<String>,
    /// Day of booking [default: today]
    #[arg(long, value_name = "DATE")]
    on: Option<NaiveDate>,
    /// The bank's id of it [default: made of the content]
    #[arg(long)]
    id: Option<String>,
    /// Show what would be noted, take nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
struct List {
    /// Customer
    customer: String,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    match args.verb {
        Verb::Add(args) => add(args, session).await,
        Verb::Credit(args) => credit(args, session).await,
        Verb::List(args) => list(&args, session).await,
    }
}

async fn add(args: Add, session: &Session) -> Result<Exit, Failure> {
    let on = match args.on {
        Some(on) => on,
        None => entry::today(session).await?,
    };
    let invoices = (!args.invoice.is_empty()).then(|| args.invoice.join(";"));
    let row = Entry::of("payments")
        .with("id", args.id)
        .with("invoice", invoices)
        .with("customer", args.customer)
        .with("amount", Some(args.amount))
        .with("currency", args.currency)
        .with("reference", args.reference)
        .with("on", Some(on));
    row.currency_of(session, args.invoice.first()).await?.put(session, args.dry_run).await
}

async fn credit(args: Credit, session: &Session) -> Result<Exit, Failure> {
    let on = match args.on {
        Some(on) => on,
        None => entry::today(session).await?,
    };
    // A sign is a slip, or the reversal of another credit note, which would count twice.
    entry::above_zero(&args.amount)?;
    let row = Entry::of("credit_notes")
        .with("id", args.id)
        .with("invoice", Some(&args.invoice))
        .with("amount", Some(args.amount))
        .with("currency", args.currency)
        .with("reason", Some(args.reason))
        .with("dispute", args.dispute)
        .with("on", Some(on));
    row.currency_of(session, Some(&args.invoice)).await?.put(session, args.dry_run).await
}

async fn list(args: &List, session: &Session) -> Result<Exit, Failure> {
    let today = entry::today(session).await?;
    let store = session.store().await?;
    let rows = reads::payments(&store, &args.customer).await?;
    let any_waits = rows.iter().any(|row| row.waits_for.is_some());
    // What most customers never have gets a column only where it is there.
    let head = ["payment", "booked", "kind", "amount", "settles", "unapplied", "state"];
    let head = if any_waits { &head[..] } else { &head[..6] };
    session.out.list(&rows, head, |row| {
        let mut cells = vec![
            row.payment.clone(),
            row.on.to_string(),
            row.kind.clone(),
            row.amount.clone(),
            row.settles.iter().map(|part| format!("{} {}", part.invoice, part.amount)).collect::<Vec<_>>().join(", "),
            row.unapplied.clone(),
        ];
        if any_waits {
            cells.push(state(row, today));
        }
        cells
    })?;
    Ok(Exit::Ok)
}

/// What money waits for that is not in the ledger yet.
fn state(row: &reads::PaymentLine, today: NaiveDate) -> String {
    match row.waits_for {
        None => "booked".to_owned(),
        Some(day) if day > today => format!("waits for {day}"),
        Some(_) => "waits for the next run".to_owned(),
    }
}

//! `recobro match`: money that settles nothing yet, and a person's word on what it settles.

use crate::entry;
use crate::failure::{Exit, Failure};
use crate::reads;
use crate::session::Session;
use recobro_connectors::source::record::{Match, Record};
use recobro_kernel::ids::Hash;
use recobro_kernel::money::Money;

/// Arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  recobro match list                                   unapplied money, with the customer's open invoices
  recobro match accept bank:P77 INV-1042               all that is left of it, as far as the invoice asks
  recobro match accept bank:P77 INV-1042 --amount 50   a part

It counts from the day of the money. What waits because its invoice is unknown is shown by `recobro unmatched`.")]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Money that settles nothing yet, oldest first
    List,
    /// Say what a payment settles
    Accept(Accept),
}

#[derive(clap::Args)]
struct Accept {
    /// Payment, as `match list` shows it
    payment: String,
    /// Invoice: id, number or reference
    invoice: String,
    /// How much of it [default: all that is left]
    #[arg(long, allow_negative_numbers = true)]
    amount: Option<String>,
    /// Show what would be noted, take nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    match args.verb {
        Verb::List => list(session).await,
        Verb::Accept(args) => accept(args, session).await,
    }
}

async fn list(session: &Session) -> Result<Exit, Failure> {
    let store = session.store().await?;
    let rows = reads::unapplied(&store, session.limit()).await?;
    session.out.list(&rows, &["payment", "booked", "customer", "unapplied", "reference", "open invoices"], |row| {
        vec![
            row.payment.clone(),
            row.on.to_string(),
            row.customer.clone().unwrap_or_default(),
            row.unapplied.clone(),
            row.reference.clone(),
            row.candidates.iter().map(|part| format!("{} {}", part.invoice, part.amount)).collect::<Vec<_>>().join(", "),
        ]
    })?;
    Ok(Exit::Ok)
}

async fn accept(args: Accept, session: &Session) -> Result<Exit, Failure> {
    let at = session.clock().await?.now();
    let store = session.store().await?;
    let payment = reads::payment(&store, &args.payment).await?;
    let invoice = reads::find_invoice(&store, &args.invoice).await?;
    let left = Money::new(payment.unallocated_minor, payment.currency);
    store.close().await;
    let amount = match &args.amount {
        Some(text) => Some(
            Money::parse(text, payment.currency).map_err(|error| Failure::new(Exit::Usage, format!("--amount: {error}")))?,
        ),
        None => None,
    };
    let refused = |what: String| Err(Failure::new(Exit::Conflict, what).help("`recobro match list` shows what is left"));
    if left.minor <= 0 {
        return refused(format!("nothing of payment `{}` is left", payment.id));
    }
    if amount.is_some_and(|amount| amount.minor <= 0 || amount.minor > left.minor) {
        return refused(format!("{left} of payment `{}` is left", payment.id));
    }
    if invoice.currency != payment.currency {
        return refused(format!("the invoice is owed in {}, the payment is in {}", invoice.currency, payment.currency));
    }
    // What is left names this word: said again before it was taken up, it is the same word.
    let content = format!("{} {} {:?} {}", payment.id, invoice.id, amount, left.minor);
    let id = Hash::of(content.as_bytes()).short();
    let record = Match { id, payment: payment.id, invoice: invoice.id.to_string(), amount, at };
    entry::put(session, Record::Match(record), args.dry_run).await
}

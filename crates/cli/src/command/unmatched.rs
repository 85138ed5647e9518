//! `recobro unmatched`: invoices that no playbook took, and news that waits for what it names.

use crate::failure::{Exit, Failure};
use crate::reads;
use crate::session::Session;
use recobro_engine::Who;

/// Arguments.
#[derive(clap::Args)]
#[command(after_help = "Invoices are tried again when the invoice, its customer or the published playbooks change; payments and other\nnews when the invoice or customer they name arrives.")]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Each with the reason
    List(List),
    /// Put news aside that will never fit anything: it is kept with who and why, and not taken again
    #[command(after_help = "\
Examples:
  recobro unmatched dismiss 17 --reason 'paid to another company'
  recobro unmatched list --all                                       what was put aside, too")]
    Dismiss(Dismiss),
}

#[derive(clap::Args)]
struct List {
    /// Also what was put aside
    #[arg(long)]
    all: bool,
}

#[derive(clap::Args)]
struct Dismiss {
    /// News, by the id that the list shows
    #[arg(value_name = "ID")]
    id: i64,
    /// Why, for those who look later
    #[arg(long)]
    reason: String,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    match args.verb {
        None => list(false, session).await,
        Some(Verb::List(List { all })) => list(all, session).await,
        Some(Verb::Dismiss(args)) => dismiss(args, session).await,
    }
}

async fn list(all: bool, session: &Session) -> Result<Exit, Failure> {
    let store = session.store().await?;
    let mut rows = reads::unmatched(&store, session.limit()).await?;
    let room = session.limit().saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
    if all && room > 0 {
        rows.extend(reads::dismissed(&store, room).await?);
    }
    let head = ["id", "invoice", "customer", "amount", "reason", "since", "dismissed"];
    let head = if all { &head[..] } else { &head[..6] };
    session.out.list(&rows, head, |row| {
        let mut cells = vec![
            row.id.clone().unwrap_or_default(),
            row.invoice.clone(),
            row.customer.clone(),
            row.amount.clone().unwrap_or_default(),
            row.reason.clone(),
            row.since.to_string(),
        ];
        if all {
            let said = row.dismissed.as_ref().map(|word| format!("{} by {}: {}", word.at, word.by, word.why));
            cells.push(said.unwrap_or_default());
        }
        cells
    })?;
    Ok(Exit::Ok)
}

async fn dismiss(args: Dismiss, session: &Session) -> Result<Exit, Failure> {
    // What is only looked for makes no database.
    session.store().await?.close().await;
    if args.reason.trim().is_empty() {
        return Err(Failure::new(Exit::Usage, "--reason is empty; say why it will never fit anything"));
    }
    let engine = session.engine(session.clock().await?).await?;
    let who = Who { name: session.config.actor(), why: args.reason };
    engine.dismiss(args.id, &who).await.map_err(|error| {
        let failure = Failure::from(error);
        if failure.exit == Exit::NotFound {
            failure.help("`recobro unmatched list` shows the ids; an invoice without a playbook has none")
        } else {
            failure
        }
    })?;
    if session.out.is_json() {
        let said = serde_json::json!({
            "schema": "recobro/v1/dismissed", "id": args.id.to_string(), "by": who.name, "why": who.why,
        });
        session.out.json(&said)?;
    } else {
        session.out.line(&format!("{} is put aside for {}", args.id, who.name))?;
    }
    Ok(Exit::Ok)
}

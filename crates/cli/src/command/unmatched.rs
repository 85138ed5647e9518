//! `recobro unmatched`: invoices that no playbook took, and news that waits for what it names.

use crate::failure::{Exit, Failure};
use crate::reads;
use crate::session::Session;

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
    List,
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    let (None | Some(Verb::List)) = args.verb;
    let store = session.store().await?;
    let rows = reads::unmatched(&store, session.limit()).await?;
    session.out.list(&rows, &["invoice", "customer", "reason", "since"], |row| {
        vec![row.invoice.clone(), row.customer.clone(), row.reason.clone(), row.since.to_string()]
    })?;
    Ok(Exit::Ok)
}

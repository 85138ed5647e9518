//! `recobro unmatched`: invoices that no playbook took.

use crate::failure::{Exit, Failure};
use crate::reads;
use crate::session::Session;

/// Arguments.
#[derive(clap::Args)]
#[command(after_help = "They are tried again when the invoice, its customer or the published playbooks change.")]
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

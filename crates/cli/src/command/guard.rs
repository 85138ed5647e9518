//! `recobro guard ...`: what the rules of law and house say to a contact.

mod explain;

use crate::failure::{Exit, Failure};
use crate::session::Session;

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Why a customer may be contacted now, or why not, by which rule, and when next
    #[command(after_help = "\
Examples:
  recobro guard explain C7                                            every channel, now
  recobro guard explain C7 --channel sms --at 2026-06-30T20:30        one channel, at the customer's time
  recobro guard explain C7 --log --at 2026-06-03                      what it answered on a day")]
    Explain(explain::Args),
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    match args.verb {
        Verb::Explain(args) => explain::run(args, session).await,
    }
}

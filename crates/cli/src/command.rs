//! The commands: one file each in `command/`, one line each in `commands!`.

use crate::failure::{Exit, Failure};
use crate::session::Session;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Workflow as code for overdue invoices: one durable case per invoice, driven by playbooks.
#[derive(Parser)]
#[command(name = "recobro", version, max_term_width = 100)]
#[command(after_help = "\
Examples:
  recobro demo --exit                 play a year of a sample portfolio
  recobro case list --json            every case, one object a line
  recobro case why INV-1042           each decision of a case, with the facts it read

Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 conflict, 5 refused by policy, 6 partial,
7 unavailable, 9 findings, 78 configuration.")]
pub(crate) struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub(crate) globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// Where everything is kept
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help = "Database: sqlite://FILE or postgres://USER@HOST/NAME [default: sqlite://recobro.db]"
    )]
    pub(crate) db: Option<String>,
    /// Folder with workflows/ and scripts/ [default: the library inside the program]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) project: Option<PathBuf>,
    /// Data for programs: one JSON object, lists one object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Most rows of a list [default: 100]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) limit: Option<u32>,
    /// No talk on stderr, only data and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Who acts, for the record [default: the system's user, marked as such]
    #[arg(long = "as", global = true, value_name = "PERSON")]
    pub(crate) actor: Option<String>,
}

macro_rules! commands {
    ($($(#[doc = $doc:literal])* $name:ident => $module:ident;)*) => {
        $(mod $module;)*

        /// What to do.
        #[derive(Subcommand)]
        pub(crate) enum Command {
            $($(#[doc = $doc])* $name($module::Args),)*
        }

        impl Command {
            /// Does it.
            pub(crate) async fn run(self, session: &Session) -> Result<Exit, Failure> {
                match self {
                    $(Self::$name(args) => Box::pin($module::run(args, session)).await,)*
                }
            }
        }

        #[cfg(test)]
        const FILES: &[&str] = &[$(stringify!($module)),*];
    };
}

commands! {
    /// Play a year of a sample portfolio, with its summary
    Demo => demo;
    /// Play a historical ledger: what would have been sent, when and why
    Backtest => backtest;
    /// Bring in customers, invoices, payments, credit notes, disputes, promises, replies and events
    Import => import;
    /// Do what is due and stop, or play virtual time to a date
    Run => run;
    /// Work until interrupted
    Worker => worker;
    /// Check playbooks, tables, templates and scripts
    Check => check;
    /// Look at cases and act on them
    Case => case;
    /// Work for people: look at it, answer it
    Task => task;
    /// Money that came in, and credit notes
    Payment => payment;
    /// Money that settles nothing yet
    Match => matching;
    /// What customers promised to pay
    Promise => promise;
    /// Payment plans: offer, agree, follow, collect
    Plan => plan;
    /// What people keep back, and until when
    Hold => hold;
    /// What customers say about being contacted: channels, purposes, times
    Consent => consent;
    /// What the rules of law and house say to a contact
    Guard => guard;
    /// What was ordered and has not left; let go what an outage held up
    Outbox => outbox;
    /// What customers contest
    Dispute => dispute;
    /// Discounts for paying early
    Incentive => incentive;
    /// A customer's account as of any date
    Ledger => ledger;
    /// Interest and fixed sum of a late invoice, as of any date
    Interest => interest;
    /// Working days and holidays of places; take over published ones
    Calendar => calendar;
    /// Invoices that no playbook took, and why
    Unmatched => unmatched;
    /// Look at the settings and where they came from
    Config => config;
    /// Print completions for a shell
    Completions => completions;
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_file_in_command_is_registered() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/command");
        let mut found: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        let mut registered: Vec<String> = FILES.iter().map(|name| (*name).to_owned()).collect();
        found.sort();
        registered.sort();
        assert_eq!(found, registered);
    }
}

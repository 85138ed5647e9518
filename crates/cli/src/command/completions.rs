//! `recobro completions SHELL`.

use crate::command::Cli;
use crate::failure::{Exit, Failure};
use crate::session::Session;
use clap::CommandFactory;
use clap_complete::Shell;

/// Arguments.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  recobro completions bash > ~/.local/share/bash-completion/completions/recobro")]
pub(crate) struct Args {
    /// Which shell
    shell: Shell,
}

#[expect(clippy::unused_async, reason = "every command has the same signature")]
pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "recobro", &mut script);
    session.out.line(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}

//! The binary `recobro`: reads the command line, wires the crates together, says what happened.
//!
//! It decides nothing about cases: every act goes through the engine. Start reading at [`command`].

mod command;
mod config;
mod demo;
mod entry;
mod failure;
mod inbox;
mod intake;
mod out;
mod reads;
mod session;
mod story;
mod tally;

use clap::Parser;
use failure::{Exit, Failure};
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match command::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are data; usage errors are talk. A closed pipe is nobody's mistake.
            let _ = match wrong_date(&error) {
                Some(text) => writeln!(std::io::stderr().lock(), "{text}"),
                None => error.print(),
            };
            return ExitCode::from(if error.use_stderr() { Exit::Usage.code() } else { Exit::Ok.code() });
        }
    };
    match start(cli) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) if failure.silent => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr().lock(), "{failure}");
            ExitCode::from(failure.exit.code())
        }
    }
}

/// What is said of a date that cannot be read: how one is written, not which letter is wrong.
fn wrong_date(error: &clap::Error) -> Option<String> {
    let cause = std::error::Error::source(error)?.downcast_ref::<chrono::ParseError>()?.to_string();
    let text = error.to_string();
    text.contains(&cause).then(|| text.replace(&cause, "this is no date; write it as 2026-05-31").trim_end().to_owned())
}

fn start(cli: command::Cli) -> Result<Exit, Failure> {
    let session = session::Session::new(&cli.globals)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(cli.command.run(&session)).map_err(|failure| session.located(failure))
}

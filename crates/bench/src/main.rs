//! Loads for `cargo xtask bench` and for harnesses that measure several engines side by side: one program, one database,
//! one load. It prints `@begin` before the first start and `@end {"n":..,"secs":..}` when all are done.
//!
//! A load drives the real engine with the real clock: facts, guard, outbox, leases and fences as in production. Only the
//! far end is absent: every lane takes what it is given.

mod w1;
mod world;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Loads for measuring.
#[derive(Parser)]
#[command(name = "recobro-load")]
struct Args {
    #[command(subcommand)]
    load: Load,
}

#[derive(Subcommand)]
enum Load {
    /// N cases of ten sequential durable no-op effects each
    W1(w1::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Args::parse().load {
        Load::W1(args) => w1::run(args).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("recobro-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

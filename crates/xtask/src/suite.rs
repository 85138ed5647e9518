//! `cargo xtask test`: prepares the machine, runs every test with one profile and one target folder, then tidies.

use crate::workspace::{cargo, say};
use crate::{postgres, tidy};
use std::process::ExitCode;
use std::time::Instant;

/// Runs everything; `args` go to `cargo test`. A failing test does not keep the rest from running.
pub(crate) fn run(args: &[String]) -> anyhow::Result<ExitCode> {
    let binaries = postgres::ensure()?;
    say(&format!("PostgreSQL server binaries in {}", binaries.display()));
    say("running every test of the workspace (the first build takes minutes)");
    let started = Instant::now();
    let tests = cargo().args(["test", "--workspace", "--no-fail-fast"]).args(args).status()?;
    say(&format!("tests {} after {} s", verdict(tests.success()), started.elapsed().as_secs()));
    let tidied = tidy::run(&[])? == ExitCode::SUCCESS;
    Ok(if tests.success() && tidied { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn verdict(green: bool) -> &'static str {
    if green { "passed" } else { "FAILED" }
}

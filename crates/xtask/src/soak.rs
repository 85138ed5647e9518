//! `cargo xtask soak [WORLDS]`: the long campaigns of the independent checker, with progress. Hundreds of random worlds
//! take minutes: too long for every change.

use crate::workspace::{cargo, say};
use anyhow::Context;
use std::process::ExitCode;
use std::time::Instant;

/// Worlds of a virtual run, and as many of rounds, where nothing is said.
const WORLDS: &str = "200";

/// Plays the worlds; they are the same for everybody, so that what fails here fails there.
pub(crate) fn run(args: &[String]) -> anyhow::Result<ExitCode> {
    let worlds = args.first().map_or(WORLDS, String::as_str);
    worlds.parse::<u64>().with_context(|| format!("`{worlds}` is no number of worlds: cargo xtask soak 500"))?;
    say(&format!("{worlds} random worlds of virtual runs and {worlds} of rounds against the independent checker"));
    let started = Instant::now();
    let tests = cargo()
        .args(["test", "--locked", "-p", "recobro-engine", "--test", "engine", "--"])
        .args(["what_the_checker_forbids", "--nocapture"])
        .env("RECOBRO_SOAK", worlds)
        .status()?;
    let verdict = if tests.success() { "found nothing" } else { "FAILED" };
    say(&format!("soak {verdict} after {} s", started.elapsed().as_secs()));
    Ok(if tests.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

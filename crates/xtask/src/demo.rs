//! `cargo xtask demo`: builds the program in release and becomes `recobro demo`, so that signals reach it directly.

use crate::workspace::{cargo, forget_package, metadata, say};
use anyhow::{Context, bail};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Builds `recobro` and replaces this process by `recobro demo ARGS`, in the caller's folder.
pub(crate) fn run(args: &[String]) -> anyhow::Result<ExitCode> {
    say("building recobro (release; minutes the first time)");
    let built = cargo().args(["build", "--release", "--package", "recobro"]).status()?;
    if !built.success() {
        bail!("the build failed ({built})");
    }
    let described = metadata(&["--no-deps"])?;
    let target = described["target_directory"].as_str().context("cargo metadata names no target directory")?;
    let program = Path::new(target).join("release/recobro");
    let mut command = Command::new(&program);
    command.arg("demo").args(args);
    forget_package(&mut command);
    say(&format!("{} demo {}", program.display(), args.join(" ")));
    Err(command.exec()).with_context(|| format!("{} could not be started", program.display()))
}

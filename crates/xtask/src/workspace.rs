//! Where the workspace stands and how cargo is called from inside cargo. Decides nothing.

use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Returns the top folder of the checkout.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_path_buf()
}

/// Says what happens next, on stderr.
pub(crate) fn say(line: &str) {
    eprintln!("xtask: {line}");
}

/// Returns a cargo call in the workspace, as if it were typed by hand.
///
/// `cargo run` tells its child about the package it runs; some build scripts ask to run again when these variables
/// change, so that a nested call would build them again each time.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    forget_package(&mut command);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Removes what `cargo run` told about its package from the child's environment.
pub(crate) fn forget_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(describes_package) {
            command.env_remove(name);
        }
    }
}

fn describes_package(name: &str) -> bool {
    const PREFIXES: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
    const NAMES: [&str; 4] = ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "CARGO", "OUT_DIR"];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name)
}

/// Returns the answer of `cargo metadata` with the given arguments.
pub(crate) fn metadata(args: &[&str]) -> anyhow::Result<serde_json::Value> {
    let mut command = cargo();
    command.args(["metadata", "--format-version", "1"]).args(args).stderr(Stdio::inherit());
    let output = command.output().context("cargo metadata could not be started")?;
    if !output.status.success() {
        bail!("cargo metadata failed ({})", output.status);
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata answered something that is not JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace_manifest() {
        assert!(root().join("Cargo.toml").is_file());
        assert!(root().join("crates/xtask").is_dir());
    }

    #[test]
    fn settings_of_the_caller_stay_and_descriptions_of_the_package_go() {
        for stays in ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_TERM_COLOR", "CARGO_NET_OFFLINE", "PATH"] {
            assert!(!describes_package(stays), "{stays}");
        }
        for goes in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "CARGO_CRATE_NAME"] {
            assert!(describes_package(goes), "{goes}");
        }
    }
}

//! Finds the PostgreSQL server binaries that the tests need, or installs them on a Debian-like machine.
//!
//! Never starts a server: the tests do that themselves, in a temporary folder. Never skips: without binaries the
//! suite fails.

use crate::workspace::say;
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The Debian package.
const PACKAGE: &str = "postgresql";

/// Read by the package's set-up: the tests need programs, not a running server that occupies port 5432.
const NO_CLUSTER_FILE: &str = "/etc/postgresql-common/createcluster.d/recobro.conf";

/// What can be done about PostgreSQL here.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    /// The binaries are in this folder.
    Use(PathBuf),
    /// Install by apt-get, as root or through sudo.
    Install { sudo: bool },
    /// Nothing: the reason.
    GiveUp(&'static str),
}

/// Returns the folder of `initdb`, `pg_ctl` and `postgres`, installed first where they are missing.
pub(crate) fn ensure() -> anyhow::Result<PathBuf> {
    let sudo = match plan(find(), is_root(), succeeds("apt-get", &["--version"]), || succeeds("sudo", &["-n", "true"]))
    {
        Plan::Use(folder) => return Ok(folder),
        Plan::GiveUp(reason) => bail!("{}", give_up(reason)),
        Plan::Install { sudo } => sudo,
    };
    say("PostgreSQL server binaries are missing: installing them by apt-get");
    install(sudo)?;
    find().with_context(|| give_up("apt-get succeeded, but initdb, pg_ctl and postgres are still not found"))
}

fn plan(found: Option<PathBuf>, root: bool, apt: bool, sudo: impl FnOnce() -> bool) -> Plan {
    match found {
        Some(folder) => Plan::Use(folder),
        None if !apt => Plan::GiveUp("this machine has no apt-get"),
        None if root => Plan::Install { sudo: false },
        None if sudo() => Plan::Install { sudo: true },
        None => Plan::GiveUp("not root, and sudo is missing or asks for a password"),
    }
}

fn give_up(reason: &str) -> String {
    format!(
        "PostgreSQL server binaries (initdb, pg_ctl, postgres; 13 or newer) are missing and cannot be installed: {reason}\n  \
         help: `sudo apt-get install {PACKAGE}`, or put the folder of initdb on PATH; the tests never skip the database"
    )
}

fn install(sudo: bool) -> anyhow::Result<()> {
    let file = Path::new(NO_CLUSTER_FILE);
    let folder = file.parent().context("the configuration file has a folder")?.display().to_string();
    let write = format!("mkdir -p {folder} && echo 'create_main_cluster = false' > {NO_CLUSTER_FILE}");
    as_root(sudo, &["sh", "-c", &write])?;
    as_root(sudo, &["apt-get", "update", "-q"])?;
    as_root(sudo, &["apt-get", "install", "-q", "-y", "--no-install-recommends", PACKAGE])
}

/// Runs one command as root; what it prints goes to stderr, because stdout belongs to the tests.
fn as_root(sudo: bool, words: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new(if sudo { "sudo" } else { "env" });
    if sudo {
        command.args(["-n", "env"]);
    }
    command.arg("DEBIAN_FRONTEND=noninteractive").args(words).stdin(Stdio::null()).stdout(std::io::stderr());
    let status = command.status().with_context(|| format!("{} could not be started", words[0]))?;
    if !status.success() {
        bail!("{}", give_up(&format!("`{}` failed ({status})", words.join(" "))));
    }
    Ok(())
}

/// PostgreSQL refuses to run as root; its package has made a user for it.
pub(crate) fn unprivileged() -> Command {
    let mut command = Command::new(if is_root() { "runuser" } else { "env" });
    if is_root() {
        command.args(["-u", "postgres", "--"]);
    }
    command
}

fn is_root() -> bool {
    let answer = Command::new("id").arg("-u").stdin(Stdio::null()).output();
    answer.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Returns the newest installed server: Debian's folders first, then PATH, then the default of a build from source.
fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = debian_folders(Path::new("/usr/lib/postgresql"));
    folders.extend(std::env::split_paths(&path));
    folders.push(PathBuf::from("/usr/local/pgsql/bin"));
    folders.into_iter().find(|folder| holds_server(folder))
}

fn debian_folders(parent: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let versions = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut versions: Vec<u32> = versions.filter(|&version| version >= 13).collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions.iter().map(|version| parent.join(version.to_string()).join("bin")).collect()
}

fn holds_server(folder: &Path) -> bool {
    ["initdb", "pg_ctl", "postgres"].iter().all(|program| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_used_and_what_is_not_is_installed_or_refused() {
        let folder = PathBuf::from("/usr/lib/postgresql/15/bin");
        assert_eq!(plan(Some(folder.clone()), false, false, || false), Plan::Use(folder));
        assert_eq!(plan(None, true, true, || false), Plan::Install { sudo: false });
        assert_eq!(plan(None, false, true, || true), Plan::Install { sudo: true });
        assert!(matches!(plan(None, false, true, || false), Plan::GiveUp(_)));
        assert!(matches!(plan(None, true, false, || true), Plan::GiveUp(_)));
    }

    #[test]
    fn giving_up_says_what_to_install() {
        let text = give_up("this machine has no apt-get");
        assert!(text.contains("sudo apt-get install postgresql"), "{text}");
    }

    #[test]
    fn a_folder_without_the_server_is_not_taken_for_one() {
        assert!(!holds_server(Path::new(env!("CARGO_MANIFEST_DIR"))));
        assert!(debian_folders(Path::new("/nowhere")).is_empty());
    }
}

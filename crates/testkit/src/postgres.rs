//! A throwaway PostgreSQL: one cluster per test process, on a Unix socket in a temporary folder, a database per test.
//!
//! Never skips: without server binaries the test fails and says what to install. The server stops and its folder goes
//! when the test process ends, however it ends: a shell beside it waits for the pipe to close.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A running server.
pub struct Cluster {
    bin: PathBuf,
    folder: String,
    databases: AtomicU32,
    /// Its stdin is the pipe that keeps the server alive.
    _keeper: Child,
}

const USER: &str = "recobro";

/// Makes a folder, a cluster and a server; says where; stops when nobody holds the pipe any more.
const KEEPER: &str = r#"
trap '' INT HUP TERM
folder=$(mktemp -d /tmp/recobro-pg.XXXXXX) || exit 1
"$1/initdb" -D "$folder/data" -A trust -U "$2" -E UTF8 --locale=C --no-sync >"$folder/initdb.log" 2>&1 \
  || { cat "$folder/initdb.log" >&2; rm -rf "$folder"; exit 1; }
"$1/pg_ctl" -D "$folder/data" -w -l "$folder/log" \
  -o "-k $folder -c listen_addresses='' -c fsync=off -c max_connections=200 -c shared_buffers=64MB" start >/dev/null 2>&1 \
  || { cat "$folder/log" >&2; rm -rf "$folder"; exit 1; }
echo "$folder"
read -r _
"$1/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1
rm -rf "$folder"
"#;

/// Returns this process's cluster, started at the first call.
///
/// # Panics
/// If PostgreSQL 13 or newer is not installed or does not start.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start)
}

impl Cluster {
    fn start() -> Self {
        let bin = find().expect(
            "PostgreSQL server binaries (initdb, pg_ctl, postgres; 13 or newer) are missing: `cargo xtask test` \
             installs them, or `sudo apt-get install postgresql`; the tests never skip the database",
        );
        let mut command = unprivileged();
        command.args(["sh", "-c", KEEPER, "keeper"]).arg(&bin).arg(USER);
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = command.spawn().expect("the shell that keeps the server starts");
        let mut folder = String::new();
        let stdout = keeper.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut folder).expect("the keeper says where the server is");
        let folder = folder.trim().to_owned();
        assert!(!folder.is_empty(), "PostgreSQL did not start; its log stands above");
        Self { bin, folder, databases: AtomicU32::new(0), _keeper: keeper }
    }

    /// Creates an empty database and returns its URL.
    ///
    /// # Panics
    /// If the server does not create it.
    pub fn database(&self) -> String {
        self.create(None)
    }

    /// Creates a copy of a database that nobody is connected to.
    ///
    /// # Panics
    /// If the server does not copy it.
    pub fn copy_of(&self, url: &str) -> String {
        let name = url.split('/').nth(3).and_then(|rest| rest.split('?').next()).expect("a URL of this cluster");
        self.create(Some(name))
    }

    fn create(&self, template: Option<&str>) -> String {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::SeqCst));
        let mut command = Command::new(self.bin.join("createdb"));
        command.args(["-h", &self.folder, "-U", USER, "-T", template.unwrap_or("template0"), &name]);
        let status = command.stdin(Stdio::null()).status().expect("createdb starts");
        assert!(status.success(), "createdb failed: {status}");
        format!("postgres://{USER}@localhost/{name}?host={}", self.folder)
    }
}

/// PostgreSQL refuses to run as root; its package has made a user for it.
fn unprivileged() -> Command {
    let id = Command::new("id").arg("-u").stdin(Stdio::null()).output().expect("id starts");
    if id.stdout.trim_ascii() == b"0" {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]);
        command
    } else {
        Command::new("env")
    }
}

/// Returns the folder of the newest server: Debian's folders first, then PATH, then a build from source.
fn find() -> Option<PathBuf> {
    let entries = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    versions.retain(|version| *version >= 13);
    versions.sort_unstable_by(|a, b| b.cmp(a));
    let mut folders: Vec<PathBuf> =
        versions.iter().map(|version| Path::new("/usr/lib/postgresql").join(version.to_string()).join("bin")).collect();
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    folders.push(PathBuf::from("/usr/local/pgsql/bin"));
    folders.into_iter().find(|folder| ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_database_has_a_name_of_its_own() {
        let cluster = cluster();
        let (first, second) = (cluster.database(), cluster.database());
        assert_ne!(first, second);
        assert!(cluster.copy_of(&first).starts_with("postgres://recobro@localhost/t2?host=/tmp/"));
    }
}

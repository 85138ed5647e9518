//! `cargo xtask bench`: the loads of `recobro-load` and the limit of the same databases, interleaved, on this machine.
//!
//! A server of its own, durable, in a temporary folder. What is printed: steps per second, CPU of worker and server,
//! memory, commits and bytes written per step, and the fraction of the limit. Rates move with the neighbours; CPU per step
//! and fractions of one run are what to compare.

use crate::postgres;
use crate::workspace::{cargo, metadata, say};
use anyhow::{Context, bail};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

/// Clock ticks of `/proc` per second: fixed by the kernel's interface.
const TICKS: f64 = 100.0;

/// Makes a folder, a durable cluster and a server; says where; stops when nobody holds the pipe any more.
const KEEPER: &str = r#"
trap '' INT HUP TERM
folder=$(mktemp -d /var/tmp/recobro-bench.XXXXXX) || exit 1
"$1/initdb" -D "$folder/data" -A trust -U recobro -E UTF8 --locale=C >"$folder/initdb.log" 2>&1 \
  || { cat "$folder/initdb.log" >&2; rm -rf "$folder"; exit 1; }
"$1/pg_ctl" -D "$folder/data" -w -l "$folder/log" \
  -o "-k $folder -c listen_addresses='' -c max_connections=100 -c shared_buffers=512MB -c max_wal_size=4GB" \
  start >/dev/null 2>&1 || { cat "$folder/log" >&2; rm -rf "$folder"; exit 1; }
echo "$folder $(head -1 "$folder/data/postmaster.pid")"
read -r _
"$1/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1
rm -rf "$folder"
"#;

/// A durable server for one run.
struct Server {
    bin: PathBuf,
    folder: String,
    pid: u32,
    /// Its stdin is the pipe that keeps the server alive.
    _keeper: Child,
}

/// What one load took.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    steps: f64,
    seconds: f64,
    worker_cpu_s: f64,
    server_cpu_s: f64,
    memory_mb: f64,
    commits: f64,
    bytes: f64,
}

/// What to run.
struct Plan {
    cases: u64,
    rounds: u32,
    load: PathBuf,
    limit: PathBuf,
    files: PathBuf,
}

/// Runs the rounds and prints the table.
pub(crate) fn run(args: &[String]) -> anyhow::Result<ExitCode> {
    let cases = number(args, "--cases", 4_000)?;
    let rounds = u32::try_from(number(args, "--rounds", 3)?)?;
    let bin = postgres::ensure()?;
    let target = build()?;
    let server = Server::start(bin)?;
    let files = target.join("bench-files");
    std::fs::create_dir_all(&files).with_context(|| format!("{} cannot be made", files.display()))?;
    let load = target.join("release/recobro-load");
    let limit = target.join("release/examples/limit");
    let plan = Plan { cases, rounds, load, limit, files };
    let mut found: BTreeMap<&str, Vec<Cost>> = BTreeMap::new();
    for round in 1..=plan.rounds {
        for (name, cost) in one_round(&plan, &server)? {
            let rate = cost.steps / cost.seconds;
            say(&format!("round {round} of {}: {name} {rate:.0} steps/s", plan.rounds));
            found.entry(name).or_default().push(cost);
        }
    }
    std::fs::remove_dir_all(&plan.files).ok();
    print!("{}", table(&found));
    Ok(ExitCode::SUCCESS)
}

fn number(args: &[String], name: &str, otherwise: u64) -> anyhow::Result<u64> {
    let Some(at) = args.iter().position(|word| word == name) else { return Ok(otherwise) };
    let word = args.get(at + 1).with_context(|| format!("{name} wants a number behind it"))?;
    word.parse().with_context(|| format!("{name} wants a number, not `{word}`"))
}

fn build() -> anyhow::Result<PathBuf> {
    say("building the loads (release; minutes the first time)");
    for words in [["-p", "recobro-bench", "--bins"].as_slice(), &["-p", "recobro-store", "--example", "limit"]] {
        let built = cargo().args(["build", "--release", "--locked"]).args(words).status()?;
        if !built.success() {
            bail!("the build failed ({built})");
        }
    }
    let described = metadata(&["--no-deps"])?;
    let target = described["target_directory"].as_str().context("cargo metadata names no target directory")?;
    Ok(PathBuf::from(target))
}

/// Every load once, each on an empty database, beside each other in time.
fn one_round(plan: &Plan, server: &Server) -> anyhow::Result<Vec<(&'static str, Cost)>> {
    let cases = plan.cases.to_string();
    let mut costs = Vec::new();
    let file = plan.files.join("bench.db");
    for name in ["limit sqlite", "w1 sqlite"] {
        for end in ["", "-wal", "-shm", ".lock"] {
            std::fs::remove_file(format!("{}{end}", file.display())).ok();
        }
        let url = format!("sqlite://{}", file.display());
        let command = match name {
            "w1 sqlite" => words(&plan.load, &["w1", "--db", &url, "--cases", &cases]),
            _ => words(&plan.limit, &["sqlite", &file.display().to_string(), "3"]),
        };
        costs.push((name, measured(command, None)?));
    }
    for name in ["limit postgres", "w1 postgres"] {
        let url = server.fresh()?;
        let command = match name {
            "w1 postgres" => words(&plan.load, &["w1", "--db", &url, "--cases", &cases]),
            _ => words(&plan.limit, &["postgres", &url, "3"]),
        };
        costs.push((name, measured(command, Some(server))?));
    }
    Ok(costs)
}

fn words(program: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}

/// Runs a load; what it costs is what its process and the server used until it ended.
fn measured(mut command: Command, server: Option<&Server>) -> anyhow::Result<Cost> {
    let before = (children_cpu()?, server.map(Server::counts).transpose()?.unwrap_or_default());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("the load does not start")?;
    let stdout = child.stdout.take().context("stdout is piped")?;
    let (mut cost, mut peak) = (Cost::default(), 0.0_f64);
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        peak = peak.max(memory_mb(child.id()));
        if let Some(end) = line.strip_prefix("@end ") {
            let end: serde_json::Value = serde_json::from_str(end)?;
            let of = |name: &str| end[name].as_f64().with_context(|| format!("the load says no `{name}`: {line}"));
            (cost.steps, cost.seconds) = (of("steps")?, of("secs")?);
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("a load failed ({status}); its words stand above");
    }
    let after = (children_cpu()?, server.map(Server::counts).transpose()?.unwrap_or_default());
    let of_server = |at: usize| after.1[at] - before.1[at];
    cost.worker_cpu_s = after.0 - before.0;
    (cost.server_cpu_s, cost.commits, cost.bytes, cost.memory_mb) = (of_server(0), of_server(1), of_server(2), peak);
    Ok(cost)
}

/// User and system time of children that ended, seconds.
fn children_cpu() -> anyhow::Result<f64> {
    let fields = stat("self").context("/proc/self/stat cannot be read: the bench needs Linux")?;
    Ok((fields[13] + fields[14]) / TICKS)
}

/// The numbers behind the name in `/proc/PID/stat`, from the parent on: `[1]` is the parent, `[11]` user time.
fn stat(pid: &str) -> Option<Vec<f64>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    Some(rest.split_whitespace().map(|word| word.parse().unwrap_or(0.0)).collect())
}

fn memory_mb(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak =
        text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<f64>().ok());
    peak.unwrap_or(0.0) / 1024.0
}

impl Server {
    fn start(bin: PathBuf) -> anyhow::Result<Self> {
        let mut command = postgres::unprivileged();
        command.args(["sh", "-c", KEEPER, "keeper"]).arg(&bin).current_dir("/");
        let mut keeper = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("no shell")?;
        let stdout = keeper.stdout.take().context("stdout is piped")?;
        let mut said = String::new();
        BufReader::new(stdout).read_line(&mut said)?;
        let (folder, pid) = said.trim().rsplit_once(' ').context("PostgreSQL did not start; its log stands above")?;
        Ok(Self { bin, folder: folder.to_owned(), pid: pid.parse()?, _keeper: keeper })
    }

    /// An empty database, everything before it on disk.
    fn fresh(&self) -> anyhow::Result<String> {
        for text in ["DROP DATABASE IF EXISTS bench WITH (FORCE)", "CREATE DATABASE bench", "CHECKPOINT"] {
            self.ask(text)?;
        }
        Ok(format!("postgres://recobro@localhost/bench?host={}", self.folder))
    }

    fn ask(&self, text: &str) -> anyhow::Result<String> {
        let mut command = Command::new(self.bin.join("psql"));
        command.args(["-h", &self.folder, "-U", "recobro", "-d", "postgres", "-qAtc", text]).stdin(Stdio::null());
        let output = command.output().context("psql does not start")?;
        if !output.status.success() {
            bail!("`{text}` failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// CPU seconds of the whole server, commits, bytes of its log.
    fn counts(&self) -> anyhow::Result<[f64; 3]> {
        let own = stat(&self.pid.to_string()).context("the server is gone")?;
        let mut ticks = own[11..15].iter().sum::<f64>();
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let of = if name.starts_with(|c: char| c.is_ascii_digit()) { stat(&name) } else { None };
            let is_child = |of: &Vec<f64>| of[1].total_cmp(&f64::from(self.pid)).is_eq();
            ticks += of.filter(is_child).map_or(0.0, |of| of[11] + of[12]);
        }
        let text = "SELECT (SELECT SUM(xact_commit) FROM pg_stat_database), pg_current_wal_lsn() - '0/0'";
        let answer = self.ask(text)?;
        let (commits, bytes) = answer.split_once('|').context("two figures")?;
        Ok([ticks / TICKS, commits.parse()?, bytes.parse()?])
    }
}

/// The median round of each load, by CPU per step, and its fraction of the limit.
fn table(found: &BTreeMap<&str, Vec<Cost>>) -> String {
    let mut text =
        "load             steps/s   worker   server    total   commits     WAL  memory  of limit\n".to_owned();
    text.push_str("                            CPU ms per step          per step  B/step      MB\n");
    let limit = |name: &str| {
        let (_, database) = name.split_once(' ')?;
        Some(median(found.get(format!("limit {database}").as_str())?)?.rate())
    };
    for (name, costs) in found {
        let Some(cost) = median(costs) else { continue };
        let per_step = |value: f64| value / cost.steps;
        let (worker, server) = (per_step(cost.worker_cpu_s * 1_000.0), per_step(cost.server_cpu_s * 1_000.0));
        let of_limit = limit(name).map_or(0.0, |limit| 100.0 * cost.rate() / limit);
        let (rate, total, commits) = (cost.rate(), worker + server, per_step(cost.commits));
        let (bytes, memory) = (per_step(cost.bytes), cost.memory_mb);
        writeln!(
            text,
            "{name:<15} {rate:>8.0} {worker:>8.4} {server:>8.4} {total:>8.4} {commits:>9.4} {bytes:>7.0} {memory:>7.0} \
             {of_limit:>8.0}%"
        )
        .expect("writing to a string cannot fail");
    }
    text
}

impl Cost {
    fn rate(&self) -> f64 {
        self.steps / self.seconds
    }
}

fn median(costs: &[Cost]) -> Option<Cost> {
    let mut costs = costs.to_vec();
    costs.sort_by(|a, b| a.rate().total_cmp(&b.rate()));
    costs.get(costs.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_the_median_round_and_its_part_of_the_limit() {
        let round = |seconds: f64| Cost { steps: 1_000.0, seconds, worker_cpu_s: 0.1, ..Cost::default() };
        let found = BTreeMap::from([
            ("limit sqlite", vec![round(0.1)]),
            ("w1 sqlite", vec![round(9.0), round(0.5), round(0.4)]),
        ]);
        let text = table(&found);
        let line = text.lines().find(|line| line.starts_with("w1 sqlite")).unwrap();
        assert!(line.contains(" 2000 ") && line.contains("0.1000") && line.ends_with("20%"), "{text}");
    }

    #[test]
    fn a_number_that_is_none_is_named() {
        let args = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(number(&args(&["--cases", "7"]), "--cases", 1).unwrap(), 7);
        assert_eq!(number(&args(&[]), "--cases", 1).unwrap(), 1);
        assert!(number(&args(&["--cases", "x"]), "--cases", 1).unwrap_err().to_string().contains("`x`"));
    }
}

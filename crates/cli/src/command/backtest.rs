//! `recobro backtest LEDGER --map MAP`: a historical ledger in virtual time, on a temporary database; nothing leaves.

use crate::failure::{Doing, Exit, Failure};
use crate::intake;
use crate::out::{bar, grouped, table};
use crate::session::{Session, Wiring, interrupted, silent_channels};
use crate::tally::Counts;
use chrono::NaiveDate;
use recobro_connectors::source::record::Record;
use recobro_engine::clock::Stopwatch;
use recobro_engine::{Act, Clock, Nobody, Observer, Progress, Until};
use recobro_kernel::time::Timestamp;
use recobro_playbook::Library;
use recobro_store::{Store, report};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// What a backtest cannot know; printed with every report.
const LIMITS: [&str; 3] = [
    "nobody answers: people's work takes its time-out path, and customers' reactions to messages that were never sent are unknown",
    "customers without contact points count as reachable on every channel",
    "payments and disputes arrive at 00:00 of their day in the customer's zone: payments, then disputes, then steps",
];

/// Arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  recobro backtest receivables.csv --map workflows/maps/ibm-receivables.yaml --contacts contacts.jsonl

Each payment and dispute arrives on its real date; nothing leaves and nobody answers; it runs until no case is open.
--contacts writes one JSON object a line for each contact and task.")]
pub(crate) struct Args {
    /// The ledger, one line an invoice
    #[arg(value_name = "LEDGER.csv")]
    ledger: PathBuf,
    /// How its columns become customers, invoices, payments and disputes
    #[arg(long, value_name = "MAP.yaml")]
    map: PathBuf,
    /// Only invoices issued on or after this day
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Option<NaiveDate>,
    /// Only invoices issued on or before this day
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Option<NaiveDate>,
    /// Only these playbooks take part
    #[arg(long, value_name = "NAME")]
    playbook: Vec<String>,
    /// File for one JSON line per contact or task
    #[arg(long, value_name = "FILE")]
    contacts: Option<PathBuf>,
}

#[derive(Debug, Default, Serialize)]
struct Cases {
    total: u64,
    by_outcome: Counts,
    by_playbook: Counts,
}

#[derive(Debug, Default, Serialize)]
struct Contacts {
    total: u64,
    by_step: Counts,
    by_channel: Counts,
    by_step_and_channel: BTreeMap<String, Counts>,
}

#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    invoices: u64,
    rejected_rows: u64,
    unmatched: u64,
    cases: Cases,
    contacts: Contacts,
    tasks: Counts,
    open_cases: u64,
    turns: u64,
    seconds: f64,
    limits: [&'static str; 3],
}

/// One line of `--contacts`, in the order the format names its fields.
#[derive(Serialize)]
struct Line<'a> {
    kind: &'a str,
    at: Timestamp,
    on: NaiveDate,
    invoice: &'a str,
    customer: &'a str,
    playbook: &'a str,
    version: u32,
    stage: &'a str,
    step: &'a str,
    channel: &'a str,
    class: &'a str,
    state: &'a str,
    balance: &'a str,
    currency: &'a str,
    days_past_due: i64,
}

/// Counts acts, and writes them down where asked.
struct Listener {
    seen: Mutex<Seen>,
}

struct Seen {
    contacts: Contacts,
    tasks: Counts,
    file: Option<std::io::BufWriter<std::fs::File>>,
    problem: Option<std::io::Error>,
}

impl Observer for Listener {
    fn act(&self, act: &Act) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if act.kind == "contact" {
            seen.contacts.take(act);
        } else {
            *seen.tasks.entry(act.channel.clone()).or_default() += 1;
        }
        let seen = &mut *seen;
        if let (Some(file), None) = (&mut seen.file, &seen.problem)
            && let Err(error) = write_line(file, act)
        {
            seen.problem = Some(error);
        }
    }
}

impl Listener {
    /// Everything counted; the file is written out.
    fn finish(&self) -> Result<(Contacts, Counts), Failure> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &mut seen.file {
            file.flush()?;
        }
        match seen.problem.take() {
            Some(error) => Err(error.into()),
            None => Ok((std::mem::take(&mut seen.contacts), std::mem::take(&mut seen.tasks))),
        }
    }
}

impl Contacts {
    fn take(&mut self, act: &Act) {
        let step = act.step.rsplit('/').next().unwrap_or(&act.step);
        self.total += 1;
        *self.by_step.entry(step.to_owned()).or_default() += 1;
        *self.by_channel.entry(act.channel.clone()).or_default() += 1;
        let channels = self.by_step_and_channel.entry(step.to_owned()).or_default();
        *channels.entry(act.channel.clone()).or_default() += 1;
    }
}

fn write_line(file: &mut impl std::io::Write, act: &Act) -> std::io::Result<()> {
    let line = Line {
        kind: act.kind,
        at: act.at,
        on: act.on,
        invoice: &act.invoice,
        customer: &act.customer,
        playbook: &act.playbook,
        version: act.version,
        stage: &act.stage,
        step: &act.step,
        channel: &act.channel,
        class: &act.class,
        state: &act.state,
        balance: &act.balance,
        currency: &act.currency,
        days_past_due: act.days_past_due,
    };
    serde_json::to_writer(&mut *file, &line)?;
    file.write_all(b"\n")
}

pub(crate) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    let watch = Stopwatch::start();
    let library = only(session.library()?, &args.playbook)?;
    let folder = temporary()?;
    let wiring = Wiring {
        db: Some(format!("sqlite://{}", folder.join("backtest.db").display())),
        fleeting: true,
        ..Wiring::default()
    };
    let outcome = play(&args, session, &library, &wiring, watch).await;
    // What is left of a temporary folder harms nobody.
    let _ = std::fs::remove_dir_all(&folder);
    outcome
}

async fn play(
    args: &Args,
    session: &Session,
    library: &Library,
    wiring: &Wiring,
    watch: Stopwatch,
) -> Result<Exit, Failure> {
    let file = match &args.contacts {
        Some(path) => Some(std::io::BufWriter::new(
            std::fs::File::create(path).doing(Exit::Failed, || format!("cannot write {}", path.display()))?,
        )),
        None => None,
    };
    let seen = Seen { contacts: Contacts::default(), tasks: Counts::new(), file, problem: None };
    let listener = Arc::new(Listener { seen: Mutex::new(seen) });
    let mut settings = session.settings()?;
    settings.assume_reachable = true;
    settings.render = false;
    settings.observer = Some(listener.clone());
    let clock = Clock::virtual_at(Timestamp::from_us(0));
    let engine = session.engine_of(clock, wiring, silent_channels()?, settings, library).await?;
    let intake = intake::open("ledger", &args.ledger, Some(&args.map), &library.facts)?;
    let problems = intake.problems.clone();
    let mut range = Range { from: args.from, to: args.to, kept: BTreeSet::new(), invoices: 0 };
    let mut records = intake.records.filter(|record| range.keeps(record));
    engine.receive(&intake.source, &mut records).await?;
    drop(records);
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        interrupted().await;
        // The receiver is gone only when the run has ended by itself.
        let _ = stop.send(true);
    });
    let bar = bar(session.out.quiet, range.invoices, "backtest");
    let mut progress = |now: &Progress| {
        bar.set_position(now.finished);
        bar.set_message(format!("{}  {} turns, {} contacts", now.now.to_utc().date_naive(), now.turns, now.contacts));
    };
    engine.run_virtual(Until::Done, &Nobody, Some(stopped.clone()), &mut progress).await?;
    bar.finish_and_clear();
    if *stopped.borrow() {
        return Err(Failure::new(Exit::Failed, "interrupted before every case had ended"));
    }
    let (contacts, tasks) = listener.finish()?;
    let said = sum_up(engine.store(), &range, &problems, contacts, tasks, watch).await?;
    tell(session, &said, &problems)
}

async fn sum_up(
    store: &Store,
    range: &Range,
    problems: &intake::Problems,
    contacts: Contacts,
    tasks: Counts,
    watch: Stopwatch,
) -> Result<Report, Failure> {
    let mut tx = store.read().await?;
    let mut cases = Cases::default();
    let mut open_cases = 0;
    for row in report::outcomes(&mut tx).await? {
        let count = u64::try_from(row.count).unwrap_or(0);
        cases.total += count;
        *cases.by_playbook.entry(row.group).or_default() += count;
        if row.name.is_empty() {
            open_cases += count;
        } else {
            *cases.by_outcome.entry(row.name).or_default() += count;
        }
    }
    let turns = u64::try_from(report::turns(&mut tx).await?).unwrap_or(0);
    let unmatched = crate::reads::unmatched(store, u32::MAX).await?.len() as u64;
    Ok(Report {
        schema: "recobro/v1/backtest",
        invoices: range.invoices,
        rejected_rows: problems.rows(),
        unmatched,
        cases,
        contacts,
        tasks,
        open_cases,
        turns,
        seconds: (watch.seconds() * 1000.0).round() / 1000.0,
        limits: LIMITS,
    })
}

fn tell(session: &Session, said: &Report, problems: &intake::Problems) -> Result<Exit, Failure> {
    problems.tell(session);
    if session.out.is_json() {
        session.out.json(said)?;
    } else {
        session.out.line(&text(said))?;
    }
    if said.open_cases > 0 {
        return Err(Failure::new(Exit::Failed, format!("{} cases are still open", said.open_cases))
            .help("`attention` cases wait for a mended playbook; `recobro check` may say why"));
    }
    Ok(Exit::Ok)
}

fn text(said: &Report) -> String {
    let counts = |name: &str, counts: &Counts| {
        let mut list: Vec<_> = counts.iter().collect();
        list.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let list: Vec<String> = list.into_iter().map(|(name, count)| format!("{} {name}", grouped(*count))).collect();
        format!("{name:<11}{}\n", list.join(", "))
    };
    let mut text = format!(
        "{} invoices, {} rows rejected, {} without a playbook, {} cases, {} open\n",
        grouped(said.invoices),
        grouped(said.rejected_rows),
        grouped(said.unmatched),
        grouped(said.cases.total),
        grouped(said.open_cases)
    );
    text.push_str(&counts("outcomes", &said.cases.by_outcome));
    text.push_str(&counts("playbooks", &said.cases.by_playbook));
    text.push_str(&counts("contacts", &said.contacts.by_channel));
    text.push_str(&counts("work", &said.tasks));
    let channels: Vec<&str> = said.contacts.by_channel.keys().map(String::as_str).collect();
    let mut head = vec!["contacts by step"];
    head.extend(&channels);
    let rows = said.contacts.by_step_and_channel.iter().map(|(step, counts)| {
        let mut cells = vec![step.clone()];
        cells.extend(channels.iter().map(|channel| counts.get(*channel).map_or(String::new(), |n| grouped(*n))));
        cells
    });
    let _ = write!(text, "\n{}\n\n", table(&head, rows));
    let _ = write!(text, "{} turns in {:.1} s\nwhat this cannot know:\n", grouped(said.turns), said.seconds);
    for limit in said.limits {
        let _ = writeln!(text, "- {limit}");
    }
    text
}

/// Which records take part.
struct Range {
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
    kept: BTreeSet<String>,
    invoices: u64,
}

impl Range {
    fn keeps(&mut self, record: &Record) -> bool {
        let all = self.from.is_none() && self.to.is_none();
        let of = |invoice: &str| all || self.kept.contains(invoice);
        match record {
            Record::Customer(_) | Record::Consent(_) => true,
            Record::Invoice(invoice) => {
                let inside = self.from.is_none_or(|from| invoice.issued >= from)
                    && self.to.is_none_or(|to| invoice.issued <= to);
                if inside {
                    self.invoices += 1;
                    if !all {
                        self.kept.insert(invoice.id.clone());
                        self.kept.insert(invoice.number.clone());
                    }
                }
                inside
            }
            Record::Payment(payment) => payment.names().all(of),
            Record::Match(matching) => of(&matching.invoice),
            Record::Dispute(dispute) => of(&dispute.invoice),
            Record::Incentive(incentive) => of(&incentive.invoice),
            Record::Waiver(waiver) => of(&waiver.invoice),
            Record::Credit(credit) => of(&credit.invoice),
            Record::Promise(promise) => promise.invoices.iter().all(|invoice| of(invoice)),
            Record::Reply(reply) => reply.invoice.as_deref().is_none_or(of),
            Record::Event(event) => event.invoice.as_deref().is_none_or(of),
            Record::Plan(plan) => plan.names().0.first().is_none_or(|invoice| of(invoice)),
            Record::Hold(hold) => hold.names().0.is_none_or(of),
        }
    }
}

/// The library with only the named playbooks.
fn only(mut library: Library, names: &[String]) -> Result<Library, Failure> {
    for name in names {
        let known = || library.playbooks.iter().map(|compiled| compiled.playbook.name.as_str());
        if !known().any(|known| known == name) {
            let near = crate::config::nearest(name, known());
            let help = near.map_or_else(
                || format!("playbooks are {}", known().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            return Err(Failure::new(Exit::Usage, format!("no playbook `{name}`")).help(help));
        }
    }
    if !names.is_empty() {
        library.playbooks.retain(|compiled| names.contains(&compiled.playbook.name));
    }
    Ok(library)
}

/// A folder of this process, in the system's temporary place.
fn temporary() -> Result<PathBuf, Failure> {
    for n in 0..1000_u32 {
        let path = crate::config::temporary().join(format!("recobro-backtest-{}-{n}", std::process::id()));
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::new(Exit::Failed, "cannot make a temporary folder"))
}

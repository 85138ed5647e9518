//! `recobro plan debit`: instalments become a file that the bank collects, each of them once.

use crate::failure::{Exit, Failure};
use crate::session::Session;
use chrono::NaiveDate;
use recobro_connectors::debit::{self, Batch, Creditor, DebitProblem, Entry, Scheme, Sequence, Version};
use recobro_connectors::source::record::Mandate;
use recobro_engine::Engine;
use recobro_engine::plan::{Collection, Debits};
use recobro_kernel::ids::{CustomerId, Hash};
use recobro_kernel::money::{Currency, Money};
use recobro_kernel::time::Timestamp;
use recobro_store::debits::DebitFile;
use recobro_store::plans::PlanRow;
use recobro_store::{customers, debits};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Plans of one file.
const PLANS_MAX: i64 = 10_000;

/// Arguments.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  recobro plan debit --by 2026-07-05 --out debits.xml
  recobro plan debit --list                                       files made so far
  recobro plan debit --again debit-1f3a9c --out debits.xml        a lost file, to the byte

The account is creditor.iban, the creditor identifier creditor.sepa_id. Left out, and said: what people hold back,
contested invoices, protected customers, mandates that the bank would refuse. Refused collections come back as money
taken back: `recobro import payments`.")]
pub(super) struct Args {
    /// Instalments due by this day
    #[arg(long, value_name = "DATE", required_unless_present_any = ["list", "again"])]
    by: Option<NaiveDate>,
    /// File to write; one that exists is not touched
    #[arg(long, value_name = "FILE", required_unless_present_any = ["list", "dry_run"])]
    out: Option<PathBuf>,
    /// Files made so far, the newest first
    #[arg(long, conflicts_with_all = ["by", "out", "again"])]
    list: bool,
    /// Write a file again that was made before
    #[arg(long, value_name = "MESSAGE", conflicts_with = "by")]
    again: Option<String>,
    /// Scheme of the mandates
    #[arg(long, value_parser = ["core", "b2b"], default_value = "core")]
    scheme: String,
    /// Version of the message: `08` or `02`
    #[arg(long, value_parser = ["08", "02"], default_value = "08")]
    version: String,
    /// Say what would be collected, write nothing
    #[arg(long)]
    dry_run: bool,
}

/// An instalment on its way to the bank.
struct Collected {
    customer: CustomerId,
    plan: String,
    ordinal: i64,
    /// The mandate, as the plan keeps it.
    mandate: Option<String>,
    entry: Entry,
}

/// An instalment that is not collected now.
#[derive(Clone, Serialize)]
struct LeftOut {
    plan: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    instalment: Option<i64>,
    reason: String,
}

#[derive(Serialize)]
struct Said<'a> {
    schema: &'static str,
    message: Option<&'a str>,
    file: Option<String>,
    instalments: usize,
    amount: String,
    currency: &'static str,
    collects: Vec<SaidEntry<'a>>,
    left_out: &'a [LeftOut],
    dry_run: bool,
}

#[derive(Serialize)]
struct SaidEntry<'a> {
    plan: &'a str,
    instalment: i64,
    end_to_end: &'a str,
    due: NaiveDate,
    amount: String,
}

#[derive(Serialize)]
struct SaidFile<'a> {
    schema: &'static str,
    message: &'a str,
    made_at: Timestamp,
    made_by: &'a str,
    instalments: i64,
    amount: String,
    currency: &'a str,
}

pub(super) async fn run(args: Args, session: &Session) -> Result<Exit, Failure> {
    if args.list {
        return list(session).await;
    }
    if let Some(out) = args.out.as_deref().filter(|_| !args.dry_run) {
        refuse_existing(out)?;
    }
    match (&args.again, args.by) {
        (Some(message), _) => again(message, args.out.as_deref(), session).await,
        (None, Some(by)) => make(&args, by, session).await,
        (None, None) => Err(Failure::new(Exit::Usage, "--by says up to which day instalments are collected")),
    }
}

async fn list(session: &Session) -> Result<Exit, Failure> {
    let store = session.store().await?;
    let mut tx = store.read().await?;
    let files = debits::list(&mut tx, i64::from(session.limit())).await?;
    let money = |file: &DebitFile| Money::new(file.amount_minor, file.currency).to_decimal().to_string();
    let rows: Vec<SaidFile<'_>> = files
        .iter()
        .map(|file| SaidFile {
            schema: "recobro/v1/debit-file",
            message: &file.message,
            made_at: file.made_at,
            made_by: &file.made_by,
            instalments: file.instalments,
            amount: money(file),
            currency: file.currency.code(),
        })
        .collect();
    session.out.list(&rows, &["message", "made", "by", "instalments", "amount", "currency"], |row| {
        let made = row.made_at.to_utc().date_naive().to_string();
        let (message, by) = (row.message.to_owned(), row.made_by.to_owned());
        vec![message, made, by, row.instalments.to_string(), row.amount.clone(), row.currency.to_owned()]
    })?;
    Ok(Exit::Ok)
}

/// A file that was made before, to the byte.
async fn again(message: &str, out: Option<&Path>, session: &Session) -> Result<Exit, Failure> {
    let store = session.store().await?;
    let mut tx = store.read().await?;
    let Some(file) = debits::get(&mut tx, message).await? else {
        return Err(Failure::not_found(format!("no file of direct debits `{message}`"))
            .help("`recobro plan debit --list` shows those that were made"));
    };
    let Some(out) = out else { return Err(Failure::new(Exit::Usage, "--out says where to write it")) };
    write_new(out, &file)?;
    let sum = Money::new(file.amount_minor, file.currency);
    session.out.line(&format!("{}: {}, {sum} as {message}", out.display(), instalments(file.instalments)))?;
    Ok(Exit::Ok)
}

async fn make(args: &Args, by: NaiveDate, session: &Session) -> Result<Exit, Failure> {
    let scheme = if args.scheme == "b2b" { Scheme::B2b } else { Scheme::Core };
    let engine = session.engine(session.clock().await?).await?;
    let (all, left_out) = due(&engine, by, scheme).await?;
    for one in &left_out {
        let which = one.instalment.map(|no| format!(", instalment {no}")).unwrap_or_default();
        session.out.say(&format!("left out: plan {}{which}: {}", one.plan, one.reason));
    }
    if all.is_empty() {
        session.out.say("nothing to collect");
        return say(session, args, None, (&all, &left_out));
    }
    let keys: String = all.iter().map(|one| one.entry.end_to_end.as_str()).collect::<Vec<_>>().join(" ");
    // The same instalments make the same name: a bank that gets it twice takes it once.
    let message = format!("debit-{}", Hash::of(keys.as_bytes()).short());
    let batch = Batch {
        version: if args.version == "02" { Version::V02 } else { Version::V08 },
        message: message.clone(),
        created: engine.clock().now(),
        creditor: creditor(session)?,
        entries: all.iter().map(|one| one.entry.clone()).collect(),
    };
    let body = debit::write(&batch).map_err(|problems| refused(&problems))?;
    let (Some(out), false) = (args.out.as_deref(), args.dry_run) else {
        return say(session, args, Some(&message), (&all, &left_out));
    };
    let file = DebitFile {
        message,
        made_at: engine.clock().now(),
        made_by: session.config.actor(),
        instalments: i64::try_from(all.len()).unwrap_or(i64::MAX),
        amount_minor: all.iter().map(|one| one.entry.amount.minor).sum(),
        currency: all[0].entry.amount.currency,
        body,
    };
    let marks: Vec<Collection> = all
        .iter()
        .map(|one| Collection {
            plan: one.plan.clone(),
            ordinal: one.ordinal,
            minor: one.entry.amount.minor,
            mandate: one.mandate.clone(),
        })
        .collect();
    let owners: Vec<CustomerId> = all.iter().map(|one| one.customer.clone()).collect();
    if !engine.collect(&owners, &marks, &file).await? {
        return Err(Failure::new(Exit::Conflict, "what is to be collected changed just now")
            .help("run this again; `recobro plan debit --list` shows files that others made"));
    }
    write_new(out, &file)?;
    say(session, args, Some(&file.message), (&all, &left_out))
}

/// What may be collected by a day, and what is left out.
async fn due(engine: &Engine, by: NaiveDate, scheme: Scheme) -> Result<(Vec<Collected>, Vec<LeftOut>), Failure> {
    let Some(Debits { rows, kept_back }) = engine.debits(by, PLANS_MAX).await? else {
        return Err(Failure::new(Exit::Conflict, "news waits to be taken up and may change what is collected")
            .help("`recobro run` takes it up, or a worker that is running; then collect"));
    };
    let mut tx = engine.store().read().await?;
    let mut owners: Vec<CustomerId> = rows.iter().map(|row| row.customer.clone()).collect();
    owners.sort();
    owners.dedup();
    let names: BTreeMap<CustomerId, String> = if owners.is_empty() {
        BTreeMap::new()
    } else {
        customers::get(&mut tx, &owners).await?.into_iter().map(|(id, row)| (id, row.name)).collect()
    };
    drop(tx);
    let now = engine.clock().now();
    let today = now.date_in(chrono_tz::Tz::UTC);
    let (mut all, mut left_out) = (Vec::new(), Vec::new());
    for row in &rows {
        if let Some(reason) = kept_back.get(&row.id) {
            left_out.push(LeftOut { plan: row.id.clone(), instalment: None, reason: reason.clone() });
            continue;
        }
        collect(row, &names, (by, today, scheme), &mut all)?;
    }
    // One bad mandate leaves out its own plan, not those of the others.
    let problems = |one: &Collected| debit::entry_problems(&one.entry, now);
    let (fit, unfit): (Vec<Collected>, Vec<Collected>) = all.into_iter().partition(|one| problems(one).is_empty());
    left_out.extend(unfit.iter().map(|one| {
        let problems: Vec<String> = problems(one).iter().map(plainly).collect();
        LeftOut { plan: one.plan.clone(), instalment: Some(one.ordinal), reason: problems.join("; ") }
    }));
    Ok((fit, left_out))
}

fn plainly(problem: &DebitProblem) -> String {
    format!("{}: {}", problem.field, problem.message)
}

fn refused(problems: &[DebitProblem]) -> Failure {
    let list = problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n");
    Failure::new(Exit::Refused, format!("the bank would not take this file:\n{list}"))
        .help("`recobro plan mandate` corrects a mandate; the creditor stands under [creditor] in recobro.toml")
}

fn instalments(count: i64) -> String {
    format!("{count} instalment{}", if count == 1 { "" } else { "s" })
}

fn say(
    session: &Session,
    args: &Args,
    message: Option<&str>,
    (all, left_out): (&[Collected], &[LeftOut]),
) -> Result<Exit, Failure> {
    let sum = Money::new(all.iter().map(|one| one.entry.amount.minor).sum(), Currency::EUR);
    if session.out.is_json() {
        let entry = |one: &'_ Collected| one.entry.amount.to_decimal().to_string();
        session.out.json(&Said {
            schema: "recobro/v1/debits",
            message,
            file: args.out.as_ref().filter(|_| !args.dry_run && message.is_some()).map(|out| out.display().to_string()),
            instalments: all.len(),
            amount: sum.to_decimal().to_string(),
            currency: "EUR",
            collects: all
                .iter()
                .map(|one| SaidEntry {
                    plan: &one.plan,
                    instalment: one.ordinal,
                    end_to_end: &one.entry.end_to_end,
                    due: one.entry.collect_on,
                    amount: entry(one),
                })
                .collect(),
            left_out,
            dry_run: args.dry_run,
        })?;
        return Ok(Exit::Ok);
    }
    let Some(message) = message else { return Ok(Exit::Ok) };
    let said = format!("{}, {sum}", instalments(i64::try_from(all.len()).unwrap_or(i64::MAX)));
    match &args.out {
        Some(out) if !args.dry_run => session.out.line(&format!("{}: {said} as {message}", out.display()))?,
        _ => session.out.line(&format!("would collect {said} as {message}"))?,
    }
    Ok(Exit::Ok)
}

fn refuse_existing(out: &Path) -> Result<(), Failure> {
    if out.exists() {
        return Err(Failure::new(Exit::Conflict, format!("{} exists already", out.display()))
            .help("name another file: the bank may not have got this one yet"));
    }
    Ok(())
}

/// Writes a file that does not exist. What cannot be written is in the database and is written again.
fn write_new(out: &Path, file: &DebitFile) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    let written = options.write(true).create_new(true).open(out).and_then(|mut open| {
        open.write_all(file.body.as_bytes())?;
        open.sync_all()
    });
    written.map_err(|error| {
        Failure::new(Exit::Failed, format!("cannot write {}: {error}", out.display())).help(format!(
            "the file is kept: `recobro plan debit --again {} --out FILE` writes it elsewhere",
            file.message
        ))
    })
}

fn creditor(session: &Session) -> Result<Creditor, Failure> {
    let text = |key: &str| session.config.text(key).to_owned();
    for (key, what, example) in [
        ("creditor.iban", "the account that gets the money", "iban = \"ES9121000418450200051332\""),
        ("creditor.sepa_id", "your creditor identifier", "sepa_id = \"ES50ZZZM23456789\""),
    ] {
        if text(key).is_empty() {
            return Err(Failure::new(Exit::Configuration, format!("{key} is not set: {what}"))
                .help(format!("write it into recobro.toml under [creditor]: {example}")));
        }
    }
    Ok(Creditor {
        name: text("creditor.name"),
        iban: text("creditor.iban"),
        bic: None,
        identifier: text("creditor.sepa_id"),
    })
}

/// The instalments of a plan that are due by a day and were never ordered.
fn collect(
    row: &PlanRow,
    names: &BTreeMap<CustomerId, String>,
    (by, today, scheme): (NaiveDate, NaiveDate, Scheme),
    into: &mut Vec<Collected>,
) -> Result<(), Failure> {
    let Some(text) = &row.mandate else { return Ok(()) };
    let mandate: Mandate = serde_json::from_str(text)?;
    let count = row.instalments.len();
    for (index, one) in row.instalments.iter().enumerate() {
        if one.due_on > by || one.collected.is_some() || one.paid_minor >= one.amount_minor {
            continue;
        }
        let sequence = match (index, count) {
            (0, 1) => Sequence::OneOff,
            (0, _) => Sequence::First,
            (last, _) if last + 1 == count => Sequence::Final,
            _ => Sequence::Recurring,
        };
        let holder = mandate.holder.clone().or_else(|| names.get(&row.customer).cloned());
        let invoices: Vec<&str> = row.invoices.iter().map(|part| part.invoice.as_str()).collect();
        let ordinal = i64::try_from(index).unwrap_or(i64::MAX - 1) + 1;
        into.push(Collected {
            customer: row.customer.clone(),
            plan: row.id.clone(),
            ordinal,
            mandate: row.mandate.clone(),
            entry: Entry {
                end_to_end: end_to_end(&row.id, ordinal),
                // What a hold kept back past its day is collected as soon as the bank can.
                collect_on: one.due_on.max(today),
                scheme,
                sequence,
                amount: Money::new(one.amount_minor - one.paid_minor, row.currency),
                mandate: mandate.id.clone(),
                signed_on: mandate.signed_on,
                debtor: holder.unwrap_or_default(),
                iban: mandate.iban.clone(),
                bic: mandate.bic.clone(),
                remittance: short(&format!("{} {}", row.id, invoices.join(" ")), 140),
            },
        });
    }
    Ok(())
}

/// At most 35 characters, the same for the same instalment for ever.
fn end_to_end(plan: &str, ordinal: i64) -> String {
    let name = format!("{plan}-{ordinal}");
    if name.len() <= 35 { name } else { format!("{}-{ordinal}", Hash::of(plan.as_bytes()).short()) }
}

fn short(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

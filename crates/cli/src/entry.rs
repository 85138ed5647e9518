//! What a person enters: one row of a source, read with the same eyes as a row of a file.

use crate::failure::{Exit, Failure};
use crate::reads;
use crate::session::Session;
use chrono::NaiveDate;
use recobro_connectors::source::record::Record;
use recobro_connectors::source::{self, FileKind, RowProblem};
use recobro_engine::preview::Preview;
use recobro_engine::{Clock, Engine};
use recobro_kernel::ids::Hash;
use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::BTreeMap;

/// A row in the making: the source's columns with their texts.
pub(crate) struct Entry {
    source: &'static str,
    cells: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Said<'a> {
    schema: &'static str,
    id: &'a str,
    by: &'a str,
    record: &'a serde_json::Value,
    accepted: bool,
    dry_run: bool,
    /// The day it counts from, where that is still to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    counts_from: Option<&'a str>,
    /// What may be a slip of the hand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// Open cases that hear of it, by event.
    news: BTreeMap<String, usize>,
    /// Why the ledger as it stands, without what waits, would refuse it.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

/// An entry that waits beside the database.
#[derive(Serialize)]
struct Waiting<'a> {
    schema: &'static str,
    id: &'a str,
    by: &'a str,
    record: &'a serde_json::Value,
    accepted: bool,
    /// A worker owns the database, and takes it from its inbox.
    left: bool,
}

impl Entry {
    /// A row of a source.
    pub(crate) fn of(source: &'static str) -> Self {
        Self { source, cells: BTreeMap::new() }
    }

    /// Adds a cell, if there is something to write.
    pub(crate) fn with(mut self, column: &'static str, text: Option<impl ToString>) -> Self {
        if let Some(text) = text {
            self.cells.insert(column, text.to_string());
        }
        self
    }

    /// Fills the currency from the first invoice where nobody says it.
    pub(crate) async fn currency_of(self, session: &Session, invoice: Option<&String>) -> Result<Self, Failure> {
        let (Some(invoice), false) = (invoice, self.cells.contains_key("currency")) else { return Ok(self) };
        let store = match session.store().await {
            Err(failure) if session.inbox(&failure).is_some() => return Ok(self),
            opened => opened?,
        };
        let found = reads::find_invoice(&store, invoice).await;
        let currency = match found {
            Ok(row) => row.currency,
            Err(failure) => reads::currency_to_come(&store, invoice).await?.ok_or(failure)?,
        };
        store.close().await;
        Ok(self.with("currency", Some(currency)))
    }

    /// The record, with an id made of its content where none was given: saying the same twice is saying it once.
    fn record(mut self) -> Result<Record, Failure> {
        if !self.cells.contains_key("id") {
            let content = format!("{} {:?}", self.source, self.cells);
            self.cells.insert("id", Hash::of(content.as_bytes()).short());
        }
        let line = serde_json::to_string(&self.cells)?;
        let input = std::io::Cursor::new(line.into_bytes());
        let reader = source::open(self.source, FileKind::JsonLines, None, input)
            .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        match reader.into_iter().next() {
            Some(Ok(row)) if row.records.len() == 1 => Ok(row.records.into_iter().next().expect("one was counted")),
            Some(Ok(_)) | None => Err(Failure::new(Exit::Usage, "nothing was said")),
            Some(Err(rejected)) => {
                let reasons = rejected.problems.iter().map(|problem| format!("{} {}", problem.field, problem.reason));
                let failure = Failure::new(Exit::Usage, reasons.collect::<Vec<_>>().join("; "));
                let no_currency =
                    |problem: &RowProblem| problem.field.ends_with(".currency") && problem.reason == "is empty";
                let is_silent = rejected.problems.iter().any(no_currency);
                Err(if is_silent { failure.help("add --currency EUR, or what it is in") } else { failure })
            }
        }
    }

    /// Hands the row to the worker, or shows it.
    pub(crate) async fn put(self, session: &Session, dry_run: bool) -> Result<Exit, Failure> {
        put(session, self.by_ids(session).await?.record()?, dry_run).await
    }

    /// Names of invoices and disputes become their ids: said by number and said by id is the same word, and stays bound
    /// to its invoice when another one of the same number comes. What is not known yet stays as it was written.
    async fn by_ids(mut self, session: &Session) -> Result<Self, Failure> {
        if !["invoice", "invoices", "dispute"].iter().any(|column| self.cells.contains_key(column)) {
            return Ok(self);
        }
        let store = match session.store().await {
            // Nobody can look; the ledger will, when it is taken.
            Err(failure) if session.inbox(&failure).is_some() => return Ok(self),
            opened => opened?,
        };
        for column in ["invoice", "invoices"] {
            let Some(names) = self.cells.get(column) else { continue };
            let mut ids = Vec::new();
            for name in names.split(';') {
                let found = reads::find_invoice(&store, name).await;
                ids.push(found.map_or_else(|_| name.to_owned(), |row| row.id.to_string()));
            }
            self.cells.insert(column, ids.join(";"));
        }
        if let Some(name) = self.cells.get("dispute")
            && let Ok(known) = reads::dispute(&store, name).await
        {
            self.cells.insert("dispute", known.id);
        }
        store.close().await;
        Ok(self)
    }
}

/// Hands a record to the worker, or shows what it would do. It is tried on the ledger after all that waits; what is
/// refused there is refused here, where the person still sees the answer. Only where more waits than a trial takes up
/// is it noted untried, and said so.
pub(crate) async fn put(session: &Session, record: Record, dry_run: bool) -> Result<Exit, Failure> {
    let (id, by) = (record.external_id(), session.config.actor());
    let shown: serde_json::Value = serde_json::from_str(&record.body())?;
    if dry_run {
        // What is only looked at makes no database.
        session.store().await?.close().await;
    }
    let engine = match session.engine(session.clock().await?).await {
        Err(failure) => {
            let Some(inbox) = session.inbox(&failure).filter(|_| !dry_run) else { return Err(failure) };
            inbox.leave(&by, &record)?;
            return left(session, &id, &by, &shown);
        }
        Ok(engine) => engine,
    };
    let preview = engine.preview(&by, &record).await?;
    if let Some(reason) = preview.refused.as_ref().filter(|_| dry_run || !preview.waits) {
        return Err(refusal(&engine, &preview, reason).await?);
    }
    let accepted = !dry_run && engine.receive(&by, &mut std::iter::once(record)).await?.accepted > 0;
    let news = preview.news.iter().fold(BTreeMap::new(), |mut news: BTreeMap<String, usize>, (_, name)| {
        *news.entry(name.clone()).or_default() += 1;
        news
    });
    let counts_from = later(&preview, engine.clock(), &shown);
    if session.out.is_json() {
        let (refused, warnings) = (preview.refused, preview.warnings);
        let said = Said {
            schema: "recobro/v1/entry",
            id: &id,
            by: &by,
            record: &shown,
            accepted,
            dry_run,
            counts_from,
            warnings,
            news,
            refused,
        };
        session.out.json(&said)?;
        return Ok(Exit::Ok);
    }
    for warning in preview.warnings.iter().filter(|_| accepted || dry_run) {
        session.out.say(&format!("warning: {warning}"));
    }
    if accepted {
        let later = counts_from.map_or_else(String::new, |day| format!("; it counts from {day} and waits until then"));
        session.out.line(&format!("noted as {id} for {by}{later}"))?;
        if counts_from.is_none() {
            session.say_run(engine.clock());
        }
    } else if preview.known || !dry_run {
        session.out.line(&format!("{id} was noted before; another one of the same content needs its own --id"))?;
    } else {
        session.out.line(&format!("would be noted as {id}: {shown}"))?;
        if let Some(day) = counts_from {
            session.out.line(&format!("would count from {day} and wait until then"))?;
        }
        session.out.line(&heard(&news))?;
    }
    if preview.waits && (accepted || dry_run) {
        session.out.say(&untried(session, dry_run));
    }
    Ok(Exit::Ok)
}

/// What the ledger would refuse, said while the person still sees it. What is not there is told apart from what may not be.
async fn refusal(engine: &Engine, preview: &Preview, reason: &str) -> Result<Failure, Failure> {
    let exit = if reason.contains(TAKEN_AGAIN) { Exit::NotFound } else { Exit::Refused };
    let refusal = Failure::new(exit, told(reason));
    let meant = reads::meant_by(engine.store(), told(reason)).await?;
    let refusal = meant.into_iter().fold(refusal, Failure::help);
    if preview.known {
        return Ok(refusal.help("it was noted before and waits: `recobro unmatched` shows it"));
    }
    let changeable = "other news waits to be taken up first and may change this; `recobro run` takes it up";
    Ok(if preview.waits { refusal.help(changeable) } else { refusal })
}

/// Says of an entry that a worker will take it, and that nobody could try it.
fn left(session: &Session, id: &str, by: &str, shown: &serde_json::Value) -> Result<Exit, Failure> {
    if session.out.is_json() {
        session.out.json(&Waiting {
            schema: "recobro/v1/entry",
            id,
            by,
            record: shown,
            accepted: false,
            left: true,
        })?;
        return Ok(Exit::Ok);
    }
    session.out.line(&format!("left as {id} for {by}: a worker owns the database and takes it within a second"))?;
    let unmatched = session.again("unmatched");
    session.out.say(&format!("nobody could try it on the ledger: what is refused is shown by `{unmatched}`"));
    Ok(Exit::Ok)
}

/// The day that a record names, where it becomes news only in time to come.
fn later<'a>(preview: &Preview, clock: &Clock, shown: &'a serde_json::Value) -> Option<&'a str> {
    let day = shown.get("on").or_else(|| shown.get("made_on")).and_then(serde_json::Value::as_str);
    day.filter(|_| preview.at > clock.now())
}

/// Refuses an amount that is nothing or less, before its sign or its currency is looked at.
pub(crate) fn above_zero(text: &str) -> Result<(), Failure> {
    let is_nothing = text.parse::<Decimal>().is_ok_and(|amount| amount <= Decimal::ZERO);
    if is_nothing { Err(Failure::new(Exit::Usage, format!("{text}: an amount is more than 0"))) } else { Ok(()) }
}

/// A reason without what holds only for rows of files: nothing that is refused here waits for anything.
fn told(reason: &str) -> &str {
    reason.split(TAKEN_AGAIN).next().unwrap_or(reason)
}

/// How a reason goes on where what a row names is not there, and may still come.
const TAKEN_AGAIN: &str = "; it is taken again when that ";

/// What a person must know where more waits than a trial takes up.
fn untried(session: &Session, dry_run: bool) -> String {
    let (run, unmatched) = (session.again("run"), session.again("unmatched"));
    if dry_run {
        return format!("other news waits to be taken up first and may change this; `{run}` takes it up");
    }
    format!(
        "noted without being tried on the news that waits; if it is refused then, `{unmatched}` shows it with the reason"
    )
}

/// Which events open cases would hear, and how many of them.
fn heard(news: &BTreeMap<String, usize>) -> String {
    if news.is_empty() {
        return "no open case would hear of it".to_owned();
    }
    let each = news.iter().map(|(name, count)| format!("{name} ({count})"));
    format!("open cases would hear: {}", each.collect::<Vec<_>>().join(", "))
}

/// The day that a person means by saying nothing: today, in the time of the database.
pub(crate) async fn today(session: &Session) -> Result<NaiveDate, Failure> {
    Ok(session.clock().await?.now().date_in(session.settings()?.creditor.time_zone))
}

//! What a person enters: one row of a source, read with the same eyes as a row of a file.

use crate::failure::{Exit, Failure};
use crate::reads;
use crate::session::Session;
use chrono::NaiveDate;
use recobro_connectors::source::record::Record;
use recobro_connectors::source::{self, FileKind};
use recobro_kernel::ids::Hash;
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
    record: serde_json::Value,
    accepted: bool,
    dry_run: bool,
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
        let store = session.store().await?;
        let row = reads::find_invoice(&store, invoice).await?;
        store.close().await;
        Ok(self.with("currency", Some(row.currency)))
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
                Err(Failure::new(Exit::Usage, reasons.collect::<Vec<_>>().join("; ")))
            }
        }
    }

    /// Hands the row to the worker, or shows it.
    pub(crate) async fn put(self, session: &Session, dry_run: bool) -> Result<Exit, Failure> {
        put(session, self.record()?, dry_run).await
    }
}

/// Hands a record to the worker, or shows it.
pub(crate) async fn put(session: &Session, record: Record, dry_run: bool) -> Result<Exit, Failure> {
    let (id, by) = (record.external_id(), session.config.actor());
    let shown = serde_json::from_str(&record.body())?;
    let engine = if dry_run { None } else { Some(session.engine(session.clock().await?).await?) };
    let accepted = match &engine {
        Some(engine) => engine.receive(&by, &mut std::iter::once(record)).await?.accepted > 0,
        None => false,
    };
    if session.out.is_json() {
        let said = Said { schema: "recobro/v1/entry", id: &id, by: &by, record: shown, accepted, dry_run };
        session.out.json(&said)?;
    } else if dry_run {
        session.out.line(&format!("would be noted as {id}: {shown}"))?;
    } else if let Some(engine) = engine.filter(|_| accepted) {
        session.out.line(&format!("noted as {id} for {by}"))?;
        session.say_run(engine.clock());
    } else {
        session.out.line(&format!("{id} was noted before; another one of the same content needs its own --id"))?;
    }
    Ok(Exit::Ok)
}

/// The day that a person means by saying nothing: today, in the time of the database.
pub(crate) async fn today(session: &Session) -> Result<NaiveDate, Failure> {
    Ok(session.clock().await?.now().date_in(session.settings()?.creditor.time_zone))
}

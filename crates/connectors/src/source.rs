//! The seam where news comes in: the registry of sources and the streaming reader behind all of them.
//!
//! A file is read row by row; of what was read only 32 bytes a record are kept, to find keys that stand in it twice: with
//! equal content they pass (the store calls them unchanged), with other content the later row is refused. Each row gives its records, or every problem it has with line, column, field and reason; a bad row never
//! stops the next one. Defaults that were taken are counted in the report. Nothing here reads our tables: what was
//! imported before is found by the store, by source, kind, external id and hash.

mod columns;
mod consents;
mod credit_notes;
mod customers;
mod disputes;
pub mod events;
mod format;
mod holds;
mod incentives;
mod input;
mod invoices;
mod ledger;
pub mod mapping;
mod payments;
mod places;
mod plan;
mod plans;
mod promises;
pub mod reasons;
pub mod record;
mod replies;
mod take;
#[cfg(test)]
mod tests;
mod text;
mod waivers;

use columns::Row as Cut;
use encoding_rs::Encoding;
use input::{Input, NoCells, Unread};
use mapping::Mapping;
use plan::{Plan, Seen};
use recobro_kernel::facts::Registry;
use record::Record;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use take::Take;
use text::Utf8Reader;

/// One line of the registry.
pub struct SourceKind {
    /// Name, as `import` takes it.
    pub name: &'static str,
    /// What it is, for references.
    pub doc: &'static str,
    /// Columns it reads where there is no mapping; none where it needs one.
    pub columns: &'static [&'static str],
    /// Maps each field to the column of its name.
    by_name: ByName,
    /// Asks for what must be mapped.
    check: fn(&Plan) -> Result<(), SourceError>,
    /// The records of one row; problems are left with the row.
    records: fn(&Plan, &mut Take<'_>, &Seen) -> Vec<Record>,
}

/// Completes a mapping; the function says whether the file has a column.
type ByName = fn(Mapping, &dyn Fn(&str) -> bool) -> Mapping;

/// Every source. Adding one is a file beside these and a line here.
pub const SOURCES: &[SourceKind] = &[
    customers::KIND,
    invoices::KIND,
    payments::KIND,
    disputes::KIND,
    promises::KIND,
    replies::KIND,
    events::KIND,
    plans::KIND,
    holds::KIND,
    credit_notes::KIND,
    incentives::KIND,
    waivers::KIND,
    consents::KIND,
    ledger::KIND,
];

/// How the file is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Rows of cells under a header.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

impl FileKind {
    /// JSON lines for `.jsonl`, `.ndjson` and `.json`, else CSV.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("jsonl" | "ndjson" | "json") => Self::JsonLines,
            Some(_) | None => Self::Csv,
        }
    }
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No such source.
    #[error("unknown source `{0}`; write one of {known}", known = SOURCES.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", "))]
    UnknownSource(String),
    /// The ledger source without mapping.
    #[error("a ledger needs a mapping file that says which column is what")]
    NoMapping,
    /// The mapping does not fit the file or the source.
    #[error("mapping: {0}")]
    Mapping(String),
    /// The file has no columns that the source knows.
    #[error("{0}")]
    Header(String),
    /// The file could not be read.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A row that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Line of the file on which it begins, from 1.
    pub line: u64,
    /// Its records, in the order in which they are routed at one instant.
    pub records: Vec<Record>,
}

/// One thing wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RowProblem {
    /// Line of the file on which the row begins, from 1.
    pub line: u64,
    /// Number of the column, from 1; 0 where no single column is meant.
    pub column: usize,
    /// The column's name in the file; empty where no single column is meant.
    pub header: String,
    /// Our field, for example `invoice.due`.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for RowProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if self.column > 0 {
            write!(f, ", column {} `{}`", self.column, self.header)?;
        } else if !self.header.is_empty() {
            write!(f, ", `{}`", self.header)?;
        }
        if self.field.is_empty() {
            write!(f, ": {}", self.reason)
        } else {
            write!(f, ": {} {}", self.field, self.reason)
        }
    }
}

/// A row that was not taken, with everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Line of the file on which it begins, from 1.
    pub line: u64,
    /// At least one problem.
    pub problems: Vec<RowProblem>,
}

/// How often something worth telling happened, and where first.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Note {
    /// Rows.
    pub rows: u64,
    /// The first few lines.
    pub lines: Vec<u64>,
}

/// What a reader has seen so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadReport {
    /// Rows, header and empty lines not counted.
    pub rows: u64,
    /// Rows that were not taken.
    pub rejected: u64,
    /// Records by kind.
    pub records: BTreeMap<&'static str, u64>,
    /// Rows by (field, default value taken).
    pub defaults: BTreeMap<(String, String), u64>,
    /// What is worth telling.
    pub notes: BTreeMap<&'static str, Note>,
    /// Columns of the file that nothing reads.
    pub unread_columns: Vec<String>,
}

impl ReadReport {
    const LINES_MAX: usize = 5;

    fn note(&mut self, what: &'static str, line: u64) {
        let note = self.notes.entry(what).or_default();
        note.rows += 1;
        if note.lines.len() < Self::LINES_MAX {
            note.lines.push(line);
        }
    }
}

/// A streaming reader: iterate it, then ask for the [`Reader::report`].
pub struct Reader {
    records: fn(&Plan, &mut Take<'_>, &Seen) -> Vec<Record>,
    input: Input,
    plan: Plan,
    report: ReadReport,
    seen: Seen,
    is_done: bool,
}

/// Opens a source over bytes.
///
/// # Errors
/// [`SourceError`] says what does not fit: the source's name, the mapping, the header, the file.
pub fn open(
    source: &str,
    kind: FileKind,
    mapping: Option<&Mapping>,
    input: impl Read + Send + 'static,
) -> Result<Reader, SourceError> {
    open_with(source, kind, mapping, &Arc::default(), input)
}

/// The same for a project that declares facts of its own.
///
/// # Errors
/// Those of [`open`]; a column `x.NAME` that is not declared.
pub fn open_with(
    source: &str,
    kind: FileKind,
    mapping: Option<&Mapping>,
    facts: &Arc<Registry>,
    input: impl Read + Send + 'static,
) -> Result<Reader, SourceError> {
    let source =
        SOURCES.iter().find(|kind| kind.name == source).ok_or_else(|| SourceError::UnknownSource(source.to_owned()))?;
    if source.columns.is_empty() && mapping.is_none() {
        return Err(SourceError::NoMapping);
    }
    let usual = Mapping::default();
    let said = mapping.unwrap_or(&usual);
    let label = said.format.encoding.as_deref().unwrap_or("utf-8");
    let encoding = Encoding::for_label(label.as_bytes()).ok_or_else(|| {
        SourceError::Mapping(format!("format: unknown encoding `{label}`; write for example windows-1252"))
    })?;
    let text = Utf8Reader::new(Box::new(input), encoding);
    let (input, header) = match kind {
        FileKind::Csv => Input::csv(text, said)?,
        FileKind::JsonLines => {
            let own_facts = || {
                let section = if source.name == "customers" { "customer" } else { "invoice" };
                let takes_them = matches!(source.name, "customers" | "invoices");
                facts.own_of(section).filter(move |_| takes_them).map(|(name, _)| take::own_field(name))
            };
            let own = || source.columns.iter().map(|name| (*name).to_owned()).chain(own_facts()).collect();
            let names: Vec<String> = mapping.map_or_else(own, Mapping::columns);
            let unread = if mapping.is_some() { Unread::Ignored } else { Unread::Refused };
            (Input::json_lines(text, names.clone(), unread), names)
        }
    };
    let by_column = || {
        let mut mapping = (source.by_name)(Mapping::default(), &|name| header.iter().any(|column| column == name));
        mapping.own_by_column(&header);
        mapping
    };
    let complete = mapping.map_or_else(by_column, Mapping::clone);
    let read = complete.columns();
    let unread_columns = header.iter().filter(|name| !read.contains(name)).cloned().collect();
    let report = ReadReport { unread_columns, ..ReadReport::default() };
    let plan = Plan { by_column: mapping.is_none(), ..Plan::compile(&complete, header, kind, facts)? };
    (source.check)(&plan)?;
    Ok(Reader { records: source.records, input, plan, report, seen: Seen::default(), is_done: false })
}

impl Reader {
    /// What was seen so far.
    #[must_use]
    pub fn report(&self) -> &ReadReport {
        &self.report
    }

    fn rejected(&mut self, line: u64, problems: Vec<RowProblem>) -> Result<Row, Rejected> {
        self.report.rejected += 1;
        Err(Rejected { line, problems })
    }

    fn whole_row(&mut self, line: u64, reason: String) -> Result<Row, Rejected> {
        let problem = RowProblem { line, column: 0, header: String::new(), field: String::new(), reason };
        self.rejected(line, vec![problem])
    }

    fn build(&mut self, line: u64) -> Result<Row, Rejected> {
        let Self { records, input, plan, report, seen, .. } = self;
        let cells = input.cells().into_iter().map(|cell| plan.cells.trimmed(cell)).collect();
        let row = plan.columns.derive(Cut { cells, derived: Vec::new() });
        let row = match row {
            Ok(row) => row,
            Err((slot, field, reason)) => {
                let column = slot.map(|slot| plan.columns.at(slot).clone());
                let number = column.as_ref().map_or(0, |column| column.number);
                let header = column.map(|column| column.name).unwrap_or_default();
                return self.rejected(line, vec![RowProblem { line, column: number, header, field, reason }]);
            }
        };
        let mut take = Take {
            cells: &plan.cells,
            columns: &plan.columns,
            facts: &plan.facts,
            row: &row,
            line,
            report,
            problems: Vec::new(),
            defaults: Vec::new(),
        };
        let records = records(plan, &mut take, seen);
        if take.problems.is_empty() {
            refuse_other_content(plan, &mut take, seen, &records);
        }
        let Take { problems, defaults, .. } = take;
        if !problems.is_empty() {
            return self.rejected(line, problems);
        }
        for default in defaults {
            *self.report.defaults.entry(default).or_default() += 1;
        }
        self.seen.keep(&records, line);
        for record in &records {
            *self.report.records.entry(record.kind()).or_default() += 1;
        }
        Ok(Row { line, records })
    }
}

impl Iterator for Reader {
    type Item = Result<Row, Rejected>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let Some(step) = self.input.advance(self.plan.columns.width()) else {
            self.is_done = true;
            return None;
        };
        self.report.rows += 1;
        Some(match step {
            Ok(line) => self.build(line),
            Err(NoCells { line, reason, goes_on }) => {
                self.is_done = !goes_on;
                self.whole_row(line, reason)
            }
        })
    }
}

/// One key, two contents: which of them is meant is not ours to guess, and the last one would win today and lose tomorrow.
fn refuse_other_content(plan: &Plan, take: &mut Take<'_>, seen: &Seen, records: &[Record]) {
    for record in records {
        let Some(first) = seen.other(record) else { continue };
        let (section, field) = plan.named_by(record);
        let id = record.external_id();
        let id = id.split('#').next().unwrap_or(&id);
        let reason = format!(
            "`{id}` stood in line {} with other content, which holds; keep one of the two rows, or import the newer one as a file of its own",
            first.line
        );
        take.wrong(section, field, reason);
    }
}

/// The message of a YAML error without its place, which is reported beside it.
pub(crate) fn without_place(message: &str) -> String {
    match message.rfind(" at line ") {
        Some(cut) => message[..cut].to_owned(),
        None => message.to_owned(),
    }
}

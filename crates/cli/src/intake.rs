//! Files on their way in: opens a source, hands over its records one by one, keeps what was wrong for the report.

use crate::config::nearest;
use crate::failure::{Doing, Exit, Failure};
use crate::session::Session;
use recobro_connectors::source::mapping::Mapping;
use recobro_connectors::source::record::Record;
use recobro_connectors::source::{self, FileKind, ReadReport, Reader, Rejected, RowProblem, SourceError};
use recobro_kernel::facts::Registry;
use serde::Serialize;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Problems that are told in full; all are counted.
const TOLD: usize = 20;

/// The source that records without a mapping file are known by.
const SOURCE: &str = "import";

/// A file that is being read.
pub(crate) struct Intake {
    /// The source its records are known by.
    pub(crate) source: String,
    /// Its records.
    pub(crate) records: Records,
    /// What was wrong so far.
    pub(crate) problems: Problems,
}

/// One thing wrong with one row.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Problem {
    file: String,
    #[serde(flatten)]
    row: RowProblem,
}

/// What was wrong, shared with the reader at work.
#[derive(Clone)]
pub(crate) struct Problems(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    file: String,
    rows: u64,
    told: Vec<RowProblem>,
    report: ReadReport,
    /// Columns that the source knows, where no mapping says which it means.
    columns: &'static [&'static str],
}

/// Records in order of the file.
pub(crate) struct Records {
    reader: Reader,
    waiting: std::vec::IntoIter<Record>,
    problems: Problems,
}

/// Opens a file as a source.
pub(crate) fn open(source: &str, path: &Path, map: Option<&Path>, facts: &Arc<Registry>) -> Result<Intake, Failure> {
    let mapping = map.map(mapping).transpose()?;
    let shown = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|error| {
        let exit = if error.kind() == std::io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Failed };
        Failure::new(exit, format!("cannot read {shown}: {error}"))
    })?;
    let input = std::io::BufReader::with_capacity(1 << 16, file);
    let reader = source::open_with(source, FileKind::of(path), mapping.as_ref(), facts, input).map_err(|error| {
        let failure = |text: String| Failure::new(Exit::Usage, text);
        match (&error, map) {
            (SourceError::NoMapping, _) => failure(format!("{shown}: {error}")).help("--map names it"),
            (SourceError::Mapping(_), Some(map)) => failure(format!("{}: {error}", map.display())),
            _ => failure(format!("{shown}: {error}")),
        }
    })?;
    let kind = source::SOURCES.iter().find(|kind| kind.name == source && map.is_none());
    let columns = kind.map_or(&[][..], |kind| kind.columns);
    let problems = Problems(Arc::new(Mutex::new(Kept { file: shown, columns, ..Kept::default() })));
    let name = mapping.map(|mapping| mapping.ledger).filter(|name| !name.is_empty());
    let records = Records { reader, waiting: Vec::new().into_iter(), problems: problems.clone() };
    Ok(Intake { source: name.unwrap_or_else(|| SOURCE.to_owned()), records, problems })
}

fn mapping(path: &Path) -> Result<Mapping, Failure> {
    let text = std::fs::read_to_string(path).doing(Exit::NotFound, || format!("cannot read {}", path.display()))?;
    Mapping::parse(&text).map_err(|error| Failure::new(Exit::Usage, format!("{}:{error}", path.display())))
}

impl Iterator for Records {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        loop {
            if let Some(record) = self.waiting.next() {
                return Some(record);
            }
            match self.reader.next() {
                Some(Ok(row)) => self.waiting = row.records.into_iter(),
                Some(Err(rejected)) => self.problems.take(rejected),
                None => {
                    self.problems.lock().report = self.reader.report().clone();
                    return None;
                }
            }
        }
    }
}

impl Problems {
    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, rejected: Rejected) {
        let mut kept = self.lock();
        kept.rows += 1;
        let room = TOLD.saturating_sub(kept.told.len());
        kept.told.extend(rejected.problems.into_iter().take(room));
    }

    /// Rows that were not taken.
    pub(crate) fn rows(&self) -> u64 {
        self.lock().rows
    }

    /// The first problems.
    pub(crate) fn first(&self) -> Vec<Problem> {
        let kept = self.lock();
        kept.told.iter().map(|row| Problem { file: kept.file.clone(), row: row.clone() }).collect()
    }

    /// Tells problems, notes and columns that nothing reads.
    pub(crate) fn tell(&self, session: &Session) {
        let kept = self.lock();
        for problem in &kept.told {
            session.out.say(&format!("{}: {problem}", kept.file));
        }
        if kept.rows > kept.told.len() as u64 {
            session.out.say(&format!("{}: {} rows rejected in all", kept.file, kept.rows));
        }
        if !kept.columns.is_empty() && !kept.report.unread_columns.is_empty() {
            let one = |name: &String| {
                let near = nearest(name, kept.columns.iter().copied());
                near.map_or_else(|| format!("`{name}`"), |near| format!("`{name}` (did you mean `{near}`?)"))
            };
            let unread: Vec<String> = kept.report.unread_columns.iter().map(one).collect();
            let known = kept.columns.join(", ");
            session.out.say(&format!("{}: nothing reads {}; known columns are {known}", kept.file, unread.join(", ")));
        }
        for (what, note) in &kept.report.notes {
            let lines: Vec<String> = note.lines.iter().map(u64::to_string).collect();
            session.out.say(&format!("{}: {what} ({} rows, first lines {})", kept.file, note.rows, lines.join(", ")));
        }
    }
}

impl Intake {
    /// Defaults that were taken, with the number of rows.
    pub(crate) fn defaults(&self) -> Vec<String> {
        let kept = self.problems.lock();
        let told = |((field, value), rows): (&(String, String), &u64)| format!("{field} = {value} ({rows} rows)");
        kept.report.defaults.iter().map(told).collect()
    }
}

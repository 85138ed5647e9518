//! A file as a stream of rows of cells: CSV under a header, or JSON objects a line.

use super::columns::one_char;
use super::mapping::Mapping;
use super::text::Utf8Reader;
use super::{SourceError, without_place};
use std::collections::BTreeMap;
use std::io::{self, BufRead};

/// An opened file and the cells of its current row.
pub(super) enum Input {
    /// Rows under a header.
    Csv(Box<csv::Reader<Utf8Reader>>, csv::StringRecord),
    /// One object a line.
    JsonLines {
        /// What is read.
        text: Utf8Reader,
        /// Line of the current row.
        line: u64,
        /// Keys that are read, in the order of the cells.
        names: Vec<String>,
        /// What is said of other keys.
        unread: Unread,
        /// The current row.
        cells: Vec<String>,
    },
}

/// What becomes of a JSON object with a key that nothing reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is left alone: a mapping says what is read.
    Ignored,
    /// The row is refused: without a mapping it is a misspelt name.
    Refused,
}

/// Why a row has no cells.
pub(super) struct NoCells {
    pub(super) line: u64,
    pub(super) reason: String,
    /// False where nothing after it can be read either.
    pub(super) goes_on: bool,
}

impl Input {
    /// Opens a CSV file; its header comes with it.
    pub(super) fn csv(mut text: Utf8Reader, mapping: &Mapping) -> Result<(Self, Vec<String>), SourceError> {
        let byte = |what: &str, said: &str| {
            let c = one_char(what, said).map_err(|message| SourceError::Mapping(format!("format: {message}")))?;
            u8::try_from(c)
                .map_err(|_| SourceError::Mapping(format!("format: `{what}` is an ASCII character, not `{c}`")))
        };
        let delimiter = match mapping.format.delimiter.as_deref() {
            Some(said) => byte("delimiter", said)?,
            None => likely_delimiter(text.fill_buf()?),
        };
        let mut builder = csv::ReaderBuilder::new();
        builder.delimiter(delimiter).flexible(true).has_headers(false);
        match mapping.format.quote.as_deref() {
            None => {}
            Some("none") => drop(builder.quoting(false)),
            Some(said) => drop(builder.quote(byte("quote", said)?)),
        }
        let mut reader = builder.from_reader(text);
        let mut record = csv::StringRecord::new();
        if !reader.read_record(&mut record).map_err(io::Error::from)? {
            return Err(SourceError::Header(
                "the file is empty: a header with the columns' names is missing".to_owned(),
            ));
        }
        let header = record.iter().map(|name| name.trim().to_owned()).collect();
        Ok((Self::Csv(Box::new(reader), record), header))
    }

    /// Opens JSON lines of which these keys are read.
    pub(super) fn json_lines(text: Utf8Reader, names: Vec<String>, unread: Unread) -> Self {
        Self::JsonLines { text, line: 0, names, unread, cells: Vec::new() }
    }

    /// Reads the next row; the line on which it begins, or why it has no cells. `width` is the header's.
    pub(super) fn advance(&mut self, width: usize) -> Option<Result<u64, NoCells>> {
        match self {
            Self::Csv(reader, record) => next_csv(reader, record, width),
            Self::JsonLines { text, line, names, unread, cells } => {
                let step = next_json(text, line, |bytes| json_cells(bytes, names, *unread))?;
                Some(step.map(|(line, found)| {
                    *cells = found;
                    line
                }))
            }
        }
    }

    /// The current row's cells.
    pub(super) fn cells(&self) -> Vec<&str> {
        match self {
            Self::Csv(_, record) => record.iter().collect(),
            Self::JsonLines { cells, .. } => cells.iter().map(String::as_str).collect(),
        }
    }
}

/// The most frequent of the usual delimiters in the first line.
fn likely_delimiter(start: &[u8]) -> u8 {
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |wanted: u8| line.split(|byte| *byte == wanted).count();
    // Of equal counts the last wins, hence the comma at the end.
    [b'|', b'\t', b';', b','].into_iter().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

fn next_csv(
    reader: &mut csv::Reader<Utf8Reader>,
    record: &mut csv::StringRecord,
    width: usize,
) -> Option<Result<u64, NoCells>> {
    loop {
        let line = reader.position().line();
        match reader.read_record(record) {
            Ok(false) => return None,
            Ok(true) => {}
            Err(error) => return Some(Err(NoCells { line, reason: error.to_string(), goes_on: false })),
        }
        reader.get_mut().row_done();
        let line = record.position().map_or(line, csv::Position::line);
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if record.len() == width {
            return Some(Ok(line));
        }
        let reason = format!("has {} cells, the header has {width}", record.len());
        return Some(Err(NoCells { line, reason, goes_on: true }));
    }
}

fn next_json(
    text: &mut Utf8Reader,
    line: &mut u64,
    read: impl Fn(&[u8]) -> Result<Vec<String>, String>,
) -> Option<Result<(u64, Vec<String>), NoCells>> {
    loop {
        let mut bytes = Vec::new();
        *line += 1;
        match text.read_until(b'\n', &mut bytes) {
            Ok(0) => return None,
            Ok(_) => text.row_done(),
            Err(error) => return Some(Err(NoCells { line: *line, reason: error.to_string(), goes_on: false })),
        }
        if !bytes.iter().all(u8::is_ascii_whitespace) {
            let cells = read(&bytes).map(|cells| (*line, cells));
            return Some(cells.map_err(|reason| NoCells { line: *line, reason, goes_on: true }));
        }
    }
}

fn json_cells(bytes: &[u8], names: &[String], unread: Unread) -> Result<Vec<String>, String> {
    let object: BTreeMap<String, serde_json::Value> = serde_json::from_slice(bytes).map_err(|error| {
        let message = without_place(&error.to_string());
        format!("is not a JSON object (character {}): {message}", error.column())
    })?;
    if let Some(unknown) = object.keys().find(|key| unread == Unread::Refused && !names.contains(key)) {
        return Err(format!("holds `{unknown}`, which nothing reads; known are {}", names.join(", ")));
    }
    let cell = |name: &String| object.get(name).map_or(Ok(String::new()), |value| json_text(name, value));
    names.iter().map(cell).collect()
}

fn json_text(name: &str, value: &serde_json::Value) -> Result<String, String> {
    match value {
        serde_json::Value::Null => Ok(String::new()),
        serde_json::Value::Bool(flag) => Ok(flag.to_string()),
        serde_json::Value::String(text) => Ok(text.clone()),
        serde_json::Value::Number(number) => {
            let text = number.to_string();
            // A double holds fifteen digits exactly; a longer amount would be another amount.
            if number.is_f64() && text.bytes().filter(u8::is_ascii_digit).count() > 15 {
                return Err(format!("`{name}` is a number too long to be read exactly: write it in quotes"));
            }
            Ok(text)
        }
        serde_json::Value::Array(items) => {
            let texts: Result<Vec<_>, _> = items.iter().map(|item| json_text(name, item)).collect();
            Ok(texts?.join(";"))
        }
        serde_json::Value::Object(_) => Err(format!("`{name}` is an object; write a text, a number or a list")),
    }
}

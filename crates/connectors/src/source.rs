//! The seam where news comes in: the registry of sources and the streaming reader behind all of them.
//!
//! A file is read row by row in constant memory (a ledger also keeps 16 bytes per invoice and 24 per customer, to find
//! repetitions). Each row gives its records, or every problem it has with line, column, field and reason; a bad row never
//! stops the next one. Defaults that were taken are counted in the report. Nothing here reads our tables: what was
//! imported before is found by the store, by source, kind, external id and hash.

mod build;
mod format;
pub mod mapping;
mod places;
mod plan;
pub mod record;
mod take;
#[cfg(test)]
mod tests;
mod text;

use build::DisputeDays;
use encoding_rs::Encoding;
use mapping::{CustomerMap, Day, DayBase, DisputeMap, Field, InvoiceMap, Mapping, PaymentMap, PromiseMap, ReplyMap};
use plan::{Cells, Columns, Row as Cut};
use record::Record;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::io::{self, BufRead, Read};
use std::path::Path;
use take::{Section, Take};
use text::Utf8Reader;

/// One line of the registry.
#[derive(Debug)]
pub struct SourceKind {
    /// Name, as `import` takes it.
    pub name: &'static str,
    /// What it is, for references.
    pub doc: &'static str,
    /// Columns it reads where there is no mapping.
    pub columns: &'static [&'static str],
    /// What must be mapped: one name of each group.
    needs: &'static [&'static [&'static str]],
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Customers,
    Invoices,
    Payments,
    Disputes,
    Promises,
    Replies,
    Ledger,
}

/// Every source. Adding one is a shape here and its function in `build`.
pub const SOURCES: &[SourceKind] = &[
    SourceKind {
        name: "customers",
        doc: "one customer a row",
        columns: CustomerMap::NAMES,
        needs: &[&["id"], &["country"]],
        shape: Shape::Customers,
    },
    SourceKind {
        name: "invoices",
        doc: "one invoice a row",
        columns: InvoiceMap::NAMES,
        needs: &[&["number", "id"], &["customer"], &["issued"], &["due", "due_days"], &["amount"], &["currency"]],
        shape: Shape::Invoices,
    },
    SourceKind {
        name: "payments",
        doc: "one payment a row; below zero where money was taken back",
        columns: PaymentMap::NAMES,
        needs: &[&["id"], &["invoice", "customer"], &["amount"], &["currency"], &["on"]],
        shape: Shape::Payments,
    },
    SourceKind {
        name: "disputes",
        doc: "one dispute a row, with the days it opened and closed",
        columns: DisputeMap::NAMES,
        needs: &[&["id"], &["invoice"], &["opened", "opens"]],
        shape: Shape::Disputes,
    },
    SourceKind {
        name: "promises",
        doc: "one promise to pay a row",
        columns: PromiseMap::NAMES,
        needs: &[&["id"], &["invoices", "customer"], &["made_on"], &["date"]],
        shape: Shape::Promises,
    },
    SourceKind {
        name: "replies",
        doc: "one answer of a customer a row",
        columns: ReplyMap::NAMES,
        needs: &[&["id"], &["customer", "invoice"], &["on"]],
        shape: Shape::Replies,
    },
    SourceKind {
        name: "ledger",
        doc: "a wide file, one invoice a row with its customer, payment and dispute; needs a mapping file",
        columns: &[],
        needs: &[],
        shape: Shape::Ledger,
    },
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

/// Names under which the columns of `opens` and `closes` are compiled.
const DAY_FIELDS: &[&str] = &["opens", "closes", "closes/2", "closes/3", "closes/4"];

/// The fields of one source, compiled against a header.
#[derive(Debug)]
struct Plan {
    shape: Shape,
    cells: Cells,
    columns: Columns,
    customer: Section,
    invoice: Section,
    payment: Option<Section>,
    dispute: Option<(Section, DisputeDays)>,
    promise: Section,
    reply: Section,
}

/// A streaming reader: iterate it, then ask for the [`Reader::report`].
pub struct Reader {
    input: Input,
    plan: Plan,
    report: ReadReport,
    seen: Seen,
    is_done: bool,
}

enum Input {
    Csv(Box<csv::Reader<Utf8Reader>>, csv::StringRecord),
    JsonLines { text: Utf8Reader, line: u64, names: Vec<String>, cells: Vec<String> },
}

/// What a ledger's rows have named so far.
#[derive(Default)]
struct Seen {
    customers: HashMap<u128, u64>,
    invoices: HashSet<u128>,
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
    let source =
        SOURCES.iter().find(|kind| kind.name == source).ok_or_else(|| SourceError::UnknownSource(source.to_owned()))?;
    if source.shape == Shape::Ledger && mapping.is_none() {
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
        FileKind::Csv => open_csv(text, said)?,
        FileKind::JsonLines => {
            let names = if mapping.is_some() { said.columns() } else { own_names(source) };
            (Input::JsonLines { text, line: 0, names: names.clone(), cells: Vec::new() }, names)
        }
    };
    let has = |name: &str| header.iter().any(|column| column == name);
    let mut complete = said.clone();
    if mapping.is_none() {
        complete_by_name(&mut complete, source.shape, &has);
    }
    let mut report = ReadReport::default();
    if kind == FileKind::Csv {
        let read = complete.columns();
        report.unread_columns = header.iter().filter(|name| !read.contains(name)).cloned().collect();
    }
    let plan = Plan::compile(source, &complete, header, kind)?;
    Ok(Reader { input, plan, report, seen: Seen::default(), is_done: false })
}

fn own_names(source: &SourceKind) -> Vec<String> {
    source.columns.iter().map(|name| (*name).to_owned()).collect()
}

fn complete_by_name(mapping: &mut Mapping, shape: Shape, has: &dyn Fn(&str) -> bool) {
    match shape {
        Shape::Customers => mapping.customer = Some(CustomerMap::by_name(has)),
        Shape::Invoices => mapping.invoice = Some(InvoiceMap::by_name(has)),
        Shape::Payments => mapping.payment = Some(PaymentMap::by_name(has)),
        Shape::Disputes => mapping.dispute = Some(DisputeMap::by_name(has)),
        Shape::Promises => mapping.promise = Some(PromiseMap::by_name(has)),
        Shape::Replies => mapping.reply = Some(ReplyMap::by_name(has)),
        Shape::Ledger => {}
    }
}

fn open_csv(mut text: Utf8Reader, mapping: &Mapping) -> Result<(Input, Vec<String>), SourceError> {
    let byte = |what: &str, said: &str| {
        let c = plan::one_char(what, said).map_err(|message| SourceError::Mapping(format!("format: {message}")))?;
        u8::try_from(c).map_err(|_| SourceError::Mapping(format!("format: `{what}` is an ASCII character, not `{c}`")))
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
        return Err(SourceError::Header("the file is empty: a header with the columns' names is missing".to_owned()));
    }
    let header = record.iter().map(|name| name.trim().to_owned()).collect();
    Ok((Input::Csv(Box::new(reader), record), header))
}

/// The most frequent of the usual delimiters in the first line.
fn likely_delimiter(start: &[u8]) -> u8 {
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |wanted: u8| line.split(|byte| *byte == wanted).count();
    // Of equal counts the last wins, hence the comma at the end.
    [b'|', b'\t', b';', b','].into_iter().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

impl Plan {
    fn compile(
        source: &SourceKind,
        mapping: &Mapping,
        header: Vec<String>,
        kind: FileKind,
    ) -> Result<Self, SourceError> {
        let cells = Cells::compile(mapping)?;
        let columns = Columns::compile(mapping, header, kind)?;
        let section = |name: &'static str, fields: Vec<(&'static str, Option<&Field>)>| {
            let mut values = BTreeMap::new();
            for (field, from) in fields {
                if let Some(from) = from {
                    values.insert(field, columns.field(mapping, &format!("{name}.{field}"), from)?);
                }
            }
            Ok::<_, SourceError>(Section { name, values })
        };
        let customer = section("customer", mapping.customer.as_ref().map_or_else(Vec::new, CustomerMap::fields))?;
        let invoice = section("invoice", mapping.invoice.as_ref().map_or_else(Vec::new, InvoiceMap::fields))?;
        let payment = mapping.payment.as_ref().map(|map| section("payment", map.fields())).transpose()?;
        let dispute = match &mapping.dispute {
            None => None,
            Some(map) => {
                let mut fields = map.fields();
                fields.extend(day_columns(map)?);
                let days = DisputeDays {
                    opens: map.opens.clone(),
                    closes: map.closes.0.clone(),
                    drop_if_settled_by_open: map.drop_if_settled_by_open,
                };
                Some((section("dispute", fields)?, days))
            }
        };
        let promise = section("promise", mapping.promise.as_ref().map_or_else(Vec::new, PromiseMap::fields))?;
        let reply = section("reply", mapping.reply.as_ref().map_or_else(Vec::new, ReplyMap::fields))?;
        let plan = Self { shape: source.shape, cells, columns, customer, invoice, payment, dispute, promise, reply };
        plan.check(source)?;
        Ok(plan)
    }

    /// What must be mapped is mapped, before a million rows are rejected one by one.
    fn check(&self, source: &SourceKind) -> Result<(), SourceError> {
        let empty = Section::default();
        let dispute = self.dispute.as_ref().map_or(&empty, |(section, _)| section);
        let payment = self.payment.as_ref().unwrap_or(&empty);
        match self.shape {
            Shape::Customers => self.need("customer", &self.customer, source.needs),
            Shape::Invoices => self.need("invoice", &self.invoice, source.needs),
            Shape::Payments => self.need("payment", payment, source.needs),
            Shape::Disputes if self.dispute.as_ref().is_some_and(|(_, days)| days.opens.is_some()) => {
                self.need("dispute", dispute, &[&["id"], &["invoice"]])
            }
            Shape::Disputes => self.need("dispute", dispute, source.needs),
            Shape::Promises => self.need("promise", &self.promise, source.needs),
            Shape::Replies => self.need("reply", &self.reply, source.needs),
            Shape::Ledger => {
                self.need("customer", &self.customer, &[&["id"], &["country"]])?;
                let needs: &[&[&str]] =
                    &[&["number", "id"], &["issued"], &["due", "due_days"], &["amount"], &["currency"]];
                self.need("invoice", &self.invoice, needs)?;
                if self.payment.is_some() { self.need("payment", payment, &[&["on"]]) } else { Ok(()) }
            }
        }
    }

    fn need(&self, name: &str, section: &Section, groups: &[&[&str]]) -> Result<(), SourceError> {
        match groups.iter().find(|group| !group.iter().any(|field| section.has(field))) {
            None => Ok(()),
            Some(group) => {
                let wanted: Vec<String> = group.iter().map(|field| format!("`{name}.{field}`")).collect();
                let columns: Vec<&str> = self.columns.header().iter().map(String::as_str).collect();
                Err(SourceError::Header(format!(
                    "nothing says where {} comes from; the file has the columns {}",
                    wanted.join(" or "),
                    columns.join(", ")
                )))
            }
        }
    }

    fn records(&self, take: &mut Take<'_>, seen: &mut Seen) -> Vec<Record> {
        let one = |record: Option<Record>| record.into_iter().collect();
        let empty = Section::default();
        match self.shape {
            Shape::Customers => one(build::customer(take, &self.customer).map(Record::Customer)),
            Shape::Invoices => one(build::invoice(take, &self.invoice, None).map(Record::Invoice)),
            Shape::Payments => one(build::payment(take, self.payment.as_ref().unwrap_or(&empty)).map(Record::Payment)),
            Shape::Disputes => match &self.dispute {
                Some((section, days)) => build::dispute(take, section, days).unwrap_or_default(),
                None => Vec::new(),
            },
            Shape::Promises => one(build::promise(take, &self.promise).map(Record::Promise)),
            Shape::Replies => one(build::reply(take, &self.reply).map(Record::Reply)),
            Shape::Ledger => self.ledger(take, seen).unwrap_or_default(),
        }
    }

    fn ledger(&self, take: &mut Take<'_>, seen: &mut Seen) -> Option<Vec<Record>> {
        let customer = build::customer(take, &self.customer);
        let id = customer.as_ref().map_or("?", |customer| customer.id.as_str());
        let invoice = build::invoice(take, &self.invoice, Some(id));
        let (customer, mut invoice) = (customer?, invoice?);
        let zone = customer.time_zone;
        invoice.at = Some(recobro_kernel::time::Timestamp::start_of(invoice.issued, zone));
        let payment = self.payment.as_ref().and_then(|section| build::ledger_payment(take, section, &invoice, zone));
        let disputes = self.dispute.as_ref().map_or_else(Vec::new, |(section, days)| {
            build::ledger_dispute(take, section, days, &invoice, payment.as_ref(), zone)
        });
        if !take.problems.is_empty() {
            return None;
        }
        if !seen.invoices.insert(digest(&invoice.id)) {
            take.wrong(&self.invoice, "number", format!("`{}` stood in an earlier row", invoice.number));
            return None;
        }
        let mut records = Vec::with_capacity(4);
        let customer = Record::Customer(customer);
        // Low 64 bits: whether two rows of one customer agree decides a remark only.
        let attributes = u64::from_be_bytes(customer.hash().0[..8].try_into().unwrap_or_default());
        match seen.customers.insert(digest(&customer.external_id()), attributes) {
            None => records.push(customer),
            Some(first) if first == attributes => {}
            Some(first) => {
                seen.customers.insert(digest(&customer.external_id()), first);
                take.report.note("customer differs from its first row, which holds", take.line);
            }
        }
        records.push(Record::Invoice(invoice));
        records.extend(payment.map(Record::Payment));
        records.extend(disputes);
        Some(records)
    }
}

/// The columns of `opens` and `closes`, as fields of their own.
fn day_columns(map: &DisputeMap) -> Result<Vec<(&'static str, Option<&Field>)>, SourceError> {
    let days: Vec<&Day> = map.opens.iter().chain(&map.closes.0).collect();
    let first = usize::from(map.opens.is_none());
    if days.len() + first > DAY_FIELDS.len() {
        return Err(SourceError::Mapping(format!("dispute: `closes` takes at most {} days", DAY_FIELDS.len() - 1)));
    }
    let named = days.into_iter().zip(&DAY_FIELDS[first..]);
    Ok(named
        .filter_map(|(day, name)| match &day.base {
            DayBase::Column(field) => Some((*name, Some(field))),
            DayBase::Issued | DayBase::Due | DayBase::Settled | DayBase::Opens => None,
        })
        .collect())
}

/// 128 bits of SHA-256: two different ids never meet in practice, and a set of them stays small.
fn digest(id: &str) -> u128 {
    let mut first = [0; 16];
    first.copy_from_slice(&Sha256::digest(id.as_bytes())[..16]);
    u128::from_be_bytes(first)
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

    /// Reads the next row's cells; the line it begins on, or why there are none.
    fn advance(&mut self) -> Option<Result<u64, (u64, String, Fate)>> {
        let width = self.plan.columns.width();
        match &mut self.input {
            Input::Csv(reader, record) => loop {
                let line = reader.position().line();
                return match reader.read_record(record) {
                    Ok(false) => None,
                    Ok(true) => {
                        reader.get_mut().row_done();
                        let line = record.position().map_or(line, csv::Position::line);
                        if record.iter().all(|cell| cell.trim().is_empty()) {
                            continue;
                        }
                        if record.len() == width {
                            Some(Ok(line))
                        } else {
                            let reason = format!("has {} cells, the header has {width}", record.len());
                            Some(Err((line, reason, Fate::NextRow)))
                        }
                    }
                    Err(error) => Some(Err((line, error.to_string(), Fate::Stop))),
                };
            },
            Input::JsonLines { text, line, names, cells } => next_json(text, line, names, cells),
        }
    }

    fn build(&mut self, line: u64) -> Result<Row, Rejected> {
        let Self { input, plan, report, seen, .. } = self;
        let trimmed = |cell| plan.cells.trimmed(cell);
        let cells = match input {
            Input::Csv(_, record) => record.iter().map(trimmed).collect(),
            Input::JsonLines { cells, .. } => cells.iter().map(|cell| trimmed(cell.as_str())).collect(),
        };
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
            row: &row,
            line,
            report,
            problems: Vec::new(),
            defaults: Vec::new(),
        };
        let records = plan.records(&mut take, seen);
        let Take { problems, defaults, .. } = take;
        if !problems.is_empty() {
            return self.rejected(line, problems);
        }
        for default in defaults {
            *self.report.defaults.entry(default).or_default() += 1;
        }
        for record in &records {
            *self.report.records.entry(record.kind()).or_default() += 1;
        }
        Ok(Row { line, records })
    }
}

/// Whether reading goes on after a row without cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    NextRow,
    Stop,
}

fn next_json(
    text: &mut Utf8Reader,
    line: &mut u64,
    names: &[String],
    cells: &mut Vec<String>,
) -> Option<Result<u64, (u64, String, Fate)>> {
    loop {
        let mut bytes = Vec::new();
        *line += 1;
        match text.read_until(b'\n', &mut bytes) {
            Ok(0) => return None,
            Ok(_) => text.row_done(),
            Err(error) => return Some(Err((*line, error.to_string(), Fate::Stop))),
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        return Some(match json_cells(&bytes, names) {
            Ok(found) => {
                *cells = found;
                Ok(*line)
            }
            Err(reason) => Err((*line, reason, Fate::NextRow)),
        });
    }
}

fn json_cells(bytes: &[u8], names: &[String]) -> Result<Vec<String>, String> {
    let object: BTreeMap<String, serde_json::Value> = serde_json::from_slice(bytes).map_err(|error| {
        let message = without_place(&error.to_string());
        format!("is not a JSON object (character {}): {message}", error.column())
    })?;
    if let Some(unknown) = object.keys().find(|key| !names.contains(key)) {
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

impl Iterator for Reader {
    type Item = Result<Row, Rejected>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let Some(step) = self.advance() else {
            self.is_done = true;
            return None;
        };
        self.report.rows += 1;
        Some(match step {
            Ok(line) => self.build(line),
            Err((line, reason, fate)) => {
                self.is_done = fate == Fate::Stop;
                self.whole_row(line, reason)
            }
        })
    }
}

/// The message of a YAML error without its place, which is reported beside it.
pub(crate) fn without_place(message: &str) -> String {
    match message.rfind(" at line ") {
        Some(cut) => message[..cut].to_owned(),
        None => message.to_owned(),
    }
}

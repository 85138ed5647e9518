//! Direct debits: a file in the form of ISO 20022 (pain.008) by which a creditor asks its bank to collect instalments.
//!
//! Pure: what to collect comes in, text goes out, and all problems are named at once. Names and words are brought into
//! the characters that every bank of SEPA reads; identifiers are never changed, because answers come back by them.
//!
//! The order of elements and their lengths follow the message definition (ISO 20022 catalogue, `pain.008.001.08`) and the
//! customer-to-bank guidelines of the European Payments Council (EPC130-08 for CORE, EPC131-08 for B2B); creditor
//! identifiers EPC262-08; characters EPC217-08; account numbers ISO 13616.

mod check;
mod text;
mod xml;

use chrono::NaiveDate;
use recobro_kernel::money::Money;
use recobro_kernel::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

/// Version of the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// `pain.008.001.08`, what the schemes ask for since 2023.
    #[default]
    V08,
    /// `pain.008.001.02`, which some banks still take.
    V02,
}

/// Scheme that a mandate was signed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// For everybody; the payer may have the money back within eight weeks.
    Core,
    /// Between businesses; the payer's bank knows the mandate.
    B2b,
}

/// Which collection of its mandate an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sequence {
    /// The first of several.
    First,
    /// One of several.
    Recurring,
    /// The last of several.
    Final,
    /// The only one.
    OneOff,
}

impl Scheme {
    /// The standard's code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Core => "CORE",
            Self::B2b => "B2B",
        }
    }
}

impl Sequence {
    /// The standard's code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::First => "FRST",
            Self::Recurring => "RCUR",
            Self::Final => "FNAL",
            Self::OneOff => "OOFF",
        }
    }
}

/// Who collects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creditor {
    /// Name, at most 70 characters.
    pub name: String,
    /// Account that receives the money; spaces do not matter.
    pub iban: String,
    /// Its bank, where the bank asks for it.
    pub bic: Option<String>,
    /// Creditor identifier of the scheme.
    pub identifier: String,
}

/// One collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name that comes back with the money or with its refusal; at most 35 characters, once per file.
    pub end_to_end: String,
    /// Day on which the payer's account is to be debited.
    pub collect_on: NaiveDate,
    /// Scheme of the mandate.
    pub scheme: Scheme,
    /// Which collection of the mandate.
    pub sequence: Sequence,
    /// How much; euros only.
    pub amount: Money,
    /// The mandate's reference, at most 35 characters.
    pub mandate: String,
    /// Day the mandate was signed.
    pub signed_on: NaiveDate,
    /// Payer's name, at most 70 characters.
    pub debtor: String,
    /// Payer's account; spaces do not matter.
    pub iban: String,
    /// Payer's bank, where known.
    pub bic: Option<String>,
    /// What the payer reads on the statement, at most 140 characters.
    pub remittance: String,
}

/// Everything one file asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Version of the message.
    pub version: Version,
    /// Name of the file; with the number of a block behind it at most 35 characters, never used twice.
    pub message: String,
    /// When it was made.
    pub created: Timestamp,
    /// Who collects.
    pub creditor: Creditor,
    /// What is collected.
    pub entries: Vec<Entry>,
}

/// Where a problem stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The file as a whole.
    Message,
    /// The creditor.
    Creditor,
    /// An entry: its place in the list from 1, and its end-to-end name.
    Entry(usize, String),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message => f.write_str("message"),
            Self::Creditor => f.write_str("creditor"),
            Self::Entry(no, name) => write!(f, "entry {no} (`{name}`)"),
        }
    }
}

/// Why a batch cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part}, {field}: {message}")]
pub struct DebitProblem {
    /// Where.
    pub part: Part,
    /// Which field.
    pub field: &'static str,
    /// What, and what would be right.
    pub message: String,
}

/// Collections that one block of the file holds: same day, scheme and place in the sequence.
type Blocks<'a> = BTreeMap<(NaiveDate, Sequence, Scheme), Vec<&'a Entry>>;

fn blocks(batch: &Batch) -> Blocks<'_> {
    let mut blocks = Blocks::new();
    for entry in &batch.entries {
        blocks.entry((entry.collect_on, entry.sequence, entry.scheme)).or_default().push(entry);
    }
    blocks
}

/// Writes the file. Equal batches give equal bytes.
///
/// # Errors
/// Every problem of the batch, not only the first; then nothing is written.
pub fn write(batch: &Batch) -> Result<String, Vec<DebitProblem>> {
    let blocks = blocks(batch);
    let problems = check::problems(batch, blocks.len());
    if problems.is_empty() { Ok(xml::document(batch, &blocks)) } else { Err(problems) }
}

/// What a bank would not take of one collection, in a file made at an instant: alone, so that the others may leave.
#[must_use]
pub fn entry_problems(entry: &Entry, created: Timestamp) -> Vec<DebitProblem> {
    check::alone(entry, created)
}

/// Why a text is no account number that SEPA reaches; nothing where it is one. Spaces do not matter.
#[must_use]
pub fn iban_problem(text: &str) -> Option<String> {
    check::iban(text).err()
}

#[cfg(test)]
mod tests;

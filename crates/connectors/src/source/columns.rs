//! Columns, cells and rules: every name resolved to a slot, every pattern compiled, before the first row.

use super::format::{AmountForm, DatePattern};
use super::mapping::scalar::{Text, Texts};
use super::mapping::{Derived, Field, Mapping, Rule, Test};
use super::{FileKind, SourceError};
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A table of `lookups`, compiled.
type Lookup = Arc<BTreeMap<String, String>>;

/// How the file's cells are read.
#[derive(Debug)]
pub(super) struct Cells {
    pub(super) dates: Vec<DatePattern>,
    pub(super) amounts: AmountForm,
    yes: Vec<String>,
    no: Vec<String>,
    empty: Vec<String>,
}

impl Cells {
    pub(super) fn compile(mapping: &Mapping) -> Result<Self, SourceError> {
        let wrong = |message: String| SourceError::Mapping(format!("format: {message}"));
        let format = &mapping.format;
        let mut patterns: Vec<&str> = format.dates.iter().collect();
        if patterns.is_empty() {
            patterns.push("YYYY-MM-DD");
        }
        let dates = patterns.into_iter().map(DatePattern::parse).collect::<Result<_, _>>().map_err(wrong)?;
        let decimal = match format.decimal.as_deref() {
            None | Some(".") => '.',
            Some(",") => ',',
            Some(other) => return Err(wrong(format!("`decimal` is `.` or `,`, not `{other}`"))),
        };
        let thousands =
            format.thousands.as_deref().map(|text| one_char("thousands", text)).transpose().map_err(wrong)?;
        if thousands == Some(decimal) {
            return Err(wrong(format!("`{decimal}` cannot be both `decimal` and `thousands`")));
        }
        let words = |texts: &Texts, usual: &[&str]| -> Vec<String> {
            let said: Vec<String> = texts.iter().map(str::to_lowercase).collect();
            if said.is_empty() { usual.iter().map(|text| (*text).to_owned()).collect() } else { said }
        };
        Ok(Self {
            dates,
            amounts: AmountForm { decimal, thousands },
            yes: words(&format.yes, &["yes", "y", "true", "1", "x"]),
            no: words(&format.no, &["no", "n", "false", "0"]),
            empty: format.empty.iter().map(str::to_owned).collect(),
        })
    }

    /// A cell without space around it; nothing where it is empty.
    pub(super) fn trimmed<'t>(&self, cell: &'t str) -> Option<&'t str> {
        let text = cell.trim();
        if text.is_empty() || self.empty.iter().any(|empty| empty == text) { None } else { Some(text) }
    }

    pub(super) fn flag(&self, text: &str) -> Result<bool, String> {
        let word = text.to_lowercase();
        if self.yes.contains(&word) {
            Ok(true)
        } else if self.no.contains(&word) {
            Ok(false)
        } else {
            Err(format!("`{text}` is neither yes ({}) nor no ({})", self.yes.join(", "), self.no.join(", ")))
        }
    }
}

/// One character, also by name.
pub(super) fn one_char(what: &str, text: &str) -> Result<char, String> {
    let named = match text {
        "tab" => Some('\t'),
        "space" => Some(' '),
        _ => {
            let mut chars = text.chars();
            chars.next().filter(|_| chars.next().is_none())
        }
    };
    named.ok_or_else(|| format!("`{what}` is one character, `tab` or `space`, not `{text}`"))
}

/// A column that the mapping uses: of the file, or derived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// Number in the file from 1; 0 for a derived column.
    pub(super) number: usize,
    /// Its name.
    pub(super) name: String,
}

/// Every column the mapping uses, file columns first, and the derived ones compiled.
#[derive(Debug)]
pub(super) struct Columns {
    slots: Vec<Column>,
    derived: Vec<Value>,
    header: Vec<String>,
}

impl Columns {
    /// Resolves names against a header and compiles the derived columns.
    pub(super) fn compile(mapping: &Mapping, header: Vec<String>, kind: FileKind) -> Result<Self, SourceError> {
        let number = |i: usize| match kind {
            FileKind::Csv => i + 1,
            // The keys of a JSON object have names, not numbers.
            FileKind::JsonLines => 0,
        };
        let slots =
            header.iter().enumerate().map(|(i, name)| Column { number: number(i), name: name.clone() }).collect();
        let mut columns = Self { slots, derived: Vec::new(), header };
        let lookups = lookups(mapping);
        for derived in &mapping.derive {
            let place = format!("derive `{}`", derived.name);
            if columns.slots.iter().any(|column| column.name == derived.name) {
                return Err(SourceError::Mapping(format!("{place}: a column of that name exists already")));
            }
            let Derived { name, .. } = derived;
            let value = columns.value(&place, &derived.field(), &lookups)?;
            columns.derived.push(value);
            columns.slots.push(Column { number: 0, name: name.clone() });
        }
        Ok(columns)
    }

    /// Compiles a field.
    pub(super) fn field(&self, mapping: &Mapping, place: &str, field: &Field) -> Result<Value, SourceError> {
        self.value(place, field, &lookups(mapping))
    }

    fn value(&self, place: &str, field: &Field, lookups: &BTreeMap<&str, Lookup>) -> Result<Value, SourceError> {
        let origin = if let Some(name) = &field.column {
            Origin::Slot(self.slot(place, name)?)
        } else if let Some(text) = &field.value {
            Origin::Constant(text.0.clone())
        } else if let Some(rules) = &field.rules {
            Origin::Rules(rules.iter().map(|rule| self.rule(place, rule)).collect::<Result<_, _>>()?)
        } else {
            Origin::Nothing
        };
        let lookup = match &field.lookup {
            None => None,
            Some(name) => Some((
                name.clone(),
                lookups
                    .get(name.as_str())
                    .cloned()
                    .ok_or_else(|| SourceError::Mapping(format!("{place}: no table `{name}` under `lookups`")))?,
            )),
        };
        Ok(Value { origin, lookup, default: field.default.as_ref().map(|text| text.0.clone()) })
    }

    fn slot(&self, place: &str, name: &str) -> Result<usize, SourceError> {
        let mut found = self.slots.iter().enumerate().filter(|(_, column)| column.name == name);
        match (found.next(), found.next()) {
            (Some((slot, _)), None) => Ok(slot),
            (Some(_), Some(_)) => Err(SourceError::Mapping(format!("{place}: the file has two columns `{name}`"))),
            (None, _) => {
                let known: Vec<String> = self.slots.iter().map(|column| format!("`{}`", column.name)).collect();
                Err(SourceError::Mapping(format!("{place}: no column `{name}`; the file has {}", known.join(", "))))
            }
        }
    }

    fn rule(&self, place: &str, rule: &Rule) -> Result<CheckedRule, SourceError> {
        let tests = rule.when.iter().map(|(name, test)| Ok((self.slot(place, name)?, CheckedTest::new(place, test)?)));
        Ok(CheckedRule { tests: tests.collect::<Result<_, SourceError>>()?, then: rule.then.0.clone() })
    }

    /// How many columns the file has.
    pub(super) fn width(&self) -> usize {
        self.header.len()
    }

    /// The file's columns.
    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// The column behind a slot.
    pub(super) fn at(&self, slot: usize) -> &Column {
        &self.slots[slot]
    }

    /// Computes the derived columns of a row; a table that does not know a text stops the row.
    pub(super) fn derive<'r>(&self, mut row: Row<'r>) -> Result<Row<'r>, (Option<usize>, String, String)> {
        for (i, value) in self.derived.iter().enumerate() {
            let text = value
                .read(&row)
                .map_err(|wrong| (value.slot(), format!("derive.{}", self.slots[self.header.len() + i].name), wrong))?;
            let text = text.map(|(text, _)| text.into_owned());
            row.derived.push(text);
        }
        Ok(row)
    }
}

fn lookups(mapping: &Mapping) -> BTreeMap<&str, Lookup> {
    let plain = |table: &BTreeMap<Text, Text>| {
        Arc::new(table.iter().map(|(from, to)| (from.0.clone(), to.0.clone())).collect::<BTreeMap<_, _>>())
    };
    mapping.lookups.iter().map(|(name, table)| (name.as_str(), plain(table))).collect()
}

/// One row: the file's cells, then the derived columns.
#[derive(Debug)]
pub(super) struct Row<'r> {
    pub(super) cells: Vec<Option<&'r str>>,
    pub(super) derived: Vec<Option<String>>,
}

impl Row<'_> {
    fn get(&self, slot: usize) -> Option<&str> {
        match self.cells.get(slot) {
            Some(cell) => *cell,
            None => self.derived.get(slot - self.cells.len())?.as_deref(),
        }
    }
}

/// A field, compiled.
#[derive(Clone, Debug)]
pub(super) struct Value {
    origin: Origin,
    lookup: Option<(String, Lookup)>,
    default: Option<String>,
}

#[derive(Clone, Debug)]
enum Origin {
    Nothing,
    Slot(usize),
    Constant(String),
    Rules(Vec<CheckedRule>),
}

/// Whether a text came from the row or is the mapping's default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    FromRow,
    Default,
}

impl Value {
    /// The slot it reads, for the place of a problem.
    pub(super) fn slot(&self) -> Option<usize> {
        match &self.origin {
            Origin::Slot(slot) => Some(*slot),
            Origin::Rules(rules) => rules.iter().find_map(|rule| rule.tests.first()).map(|(slot, _)| *slot),
            Origin::Nothing | Origin::Constant(_) => None,
        }
    }

    /// The text for a row; nothing where the cell is empty and no default is there.
    pub(super) fn read<'v>(&'v self, row: &'v Row<'_>) -> Result<Option<(Cow<'v, str>, Taken)>, String> {
        let found = match &self.origin {
            Origin::Nothing => None,
            Origin::Slot(slot) => row.get(*slot),
            Origin::Constant(text) => Some(text.as_str()),
            Origin::Rules(rules) => rules.iter().find(|rule| rule.holds(row)).map(|rule| rule.then.as_str()),
        };
        let default = || self.default.as_deref().map(|text| (Cow::Borrowed(text), Taken::Default));
        let Some(text) = found else { return Ok(default()) };
        if text.contains('\u{fffd}') {
            return Err(
                "holds bytes that its encoding does not know; set `encoding`, for example windows-1252".to_owned()
            );
        }
        match &self.lookup {
            None => Ok(Some((Cow::Borrowed(text), Taken::FromRow))),
            Some((name, table)) => match table.get(text).or_else(|| table.get("_")) {
                Some(to) => Ok(Some((Cow::Borrowed(to), Taken::FromRow))),
                None => default().map(Some).ok_or_else(|| format!("`{text}` is not in the table `{name}`")),
            },
        }
    }
}

#[derive(Clone, Debug)]
struct CheckedRule {
    tests: Vec<(usize, CheckedTest)>,
    then: String,
}

impl CheckedRule {
    fn holds(&self, row: &Row<'_>) -> bool {
        self.tests.iter().all(|(slot, test)| test.holds(row.get(*slot).unwrap_or("")))
    }
}

#[derive(Clone, Debug)]
struct CheckedTest {
    test: Test,
    at_least: Option<Decimal>,
    below: Option<Decimal>,
}

impl CheckedTest {
    fn new(place: &str, test: &Test) -> Result<Self, SourceError> {
        let number = |limit: &Option<Text>| match limit {
            None => Ok(None),
            Some(limit) => limit
                .0
                .parse()
                .map(Some)
                .map_err(|_| SourceError::Mapping(format!("{place}: `{}` is not a number", limit.0))),
        };
        Ok(Self { at_least: number(&test.at_least)?, below: number(&test.below)?, test: test.clone() })
    }

    fn holds(&self, text: &str) -> bool {
        let is = |list: &Vec<Text>| list.iter().any(|one| one.0 == text);
        let number = || text.parse::<Decimal>().ok();
        let of = self.test.of.unwrap_or(1);
        let within = |(from, to): (u64, u64), value: u64| (from..=to).contains(&value);
        self.test.one_of.as_ref().is_none_or(is)
            && self.test.none_of.as_ref().is_none_or(|list| !is(list))
            && self.test.starts_with.as_ref().is_none_or(|start| text.starts_with(&start.0))
            && self.test.contains.as_ref().is_none_or(|part| text.contains(&part.0))
            && self.test.empty.is_none_or(|empty| text.is_empty() == empty)
            && self.at_least.is_none_or(|least| number().is_some_and(|value| value >= least))
            && self.below.is_none_or(|limit| number().is_some_and(|value| value < limit))
            && self.test.bucket.is_none_or(|range| within(range, bucket(&self.test.salt.0, text, of)))
            && self.test.modulo.is_none_or(|range| text.parse::<u64>().is_ok_and(|value| within(range, value % of)))
    }
}

/// A stable bucket of a text: the first eight bytes of SHA-256 over salt, a zero byte and the text, modulo `of`.
fn bucket(salt: &str, text: &str, of: u64) -> u64 {
    let digest = Sha256::new().chain_update(salt).chain_update([0]).chain_update(text).finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first) % of
}

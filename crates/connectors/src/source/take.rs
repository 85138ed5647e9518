//! Takes fields out of one row, collecting every problem and every default on the way.

use super::columns::{Cells, Columns, Row, Taken, Value};
use super::{ReadReport, RowProblem};
use chrono::NaiveDate;
use chrono_tz::Tz;
use recobro_kernel::facts::{OwnFact, OwnValues, Registry};
use recobro_kernel::money::{Currency, Money};
use recobro_kernel::time::Timestamp;
use recobro_kernel::value::Type;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The compiled fields of one section.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// `customer`, `invoice`, ...
    pub(super) name: &'static str,
    /// Fields by name.
    pub(super) values: BTreeMap<Cow<'static, str>, Value>,
}

impl Section {
    /// Whether any field is mapped.
    pub(super) fn is_mapped(&self) -> bool {
        !self.values.is_empty()
    }

    /// Whether the field is mapped.
    pub(super) fn has(&self, field: &str) -> bool {
        self.values.contains_key(field)
    }
}

/// One row while its fields are taken.
pub(super) struct Take<'t> {
    pub(super) cells: &'t Cells,
    pub(super) columns: &'t Columns,
    /// The registered facts.
    pub(super) facts: &'t Registry,
    pub(super) row: &'t Row<'t>,
    pub(super) line: u64,
    pub(super) report: &'t mut ReadReport,
    pub(super) problems: Vec<RowProblem>,
    /// Our defaults that this row took: counted when the row is accepted.
    pub(super) defaults: Vec<(String, String)>,
}

/// The column of an own fact: `x.credit_limit`.
pub(super) fn own_field(name: &str) -> String {
    format!("x.{name}")
}

/// A day, and the instant where the cell names one.
pub(super) type Moment = (NaiveDate, Option<Timestamp>);

impl Take<'_> {
    /// Notes a problem of a field.
    pub(super) fn wrong(&mut self, section: &Section, field: &str, reason: impl Into<String>) {
        let slot = section.values.get(field).and_then(Value::slot);
        let column = slot.map(|slot| self.columns.at(slot));
        self.problems.push(RowProblem {
            line: self.line,
            column: column.map_or(0, |column| column.number),
            header: column.map(|column| column.name.clone()).unwrap_or_default(),
            field: format!("{}.{field}", section.name),
            reason: reason.into(),
        });
    }

    /// Notes that a field took our default.
    pub(super) fn defaulted(&mut self, section: &Section, field: &str, value: &str) {
        self.defaults.push((format!("{}.{field}", section.name), value.to_owned()));
    }

    /// The text of a field, nothing where it is empty or not mapped.
    pub(super) fn text(&mut self, section: &Section, field: &str) -> Option<String> {
        match section.values.get(field)?.read(self.row) {
            Ok(None) => None,
            Ok(Some((text, taken))) => {
                if taken == Taken::Default {
                    self.defaulted(section, field, &text);
                }
                if text.contains(char::is_control) {
                    self.tidied(section, field, &text)
                } else {
                    Some(text.into_owned())
                }
            }
            Err(reason) => {
                self.wrong(section, field, reason);
                None
            }
        }
    }

    /// Text with line breaks or other control characters: kept in prose, one space each elsewhere, refused in ids.
    fn tidied(&mut self, section: &Section, field: &str, text: &str) -> Option<String> {
        match field {
            // NUL is the one character that PostgreSQL keeps in no text.
            "text" | "letter" => Some(text.replace('\0', " ")),
            "id" | "number" | "customer" | "invoice" => {
                self.wrong(section, field, "holds a line break or another control character");
                None
            }
            _ => {
                let words = text.split(|c: char| c.is_control() || c == ' ').filter(|word| !word.is_empty());
                Some(words.collect::<Vec<_>>().join(" "))
            }
        }
    }

    /// The text of a field that must be there.
    pub(super) fn need(&mut self, section: &Section, field: &'static str) -> Option<String> {
        self.needed(section, field, Self::text)
    }

    /// What `read` gives, or the problem that there is nothing.
    pub(super) fn needed<T>(
        &mut self,
        section: &Section,
        field: &'static str,
        read: impl FnOnce(&mut Self, &Section, &'static str) -> Option<T>,
    ) -> Option<T> {
        let before = self.problems.len();
        let found = read(self, section, field);
        if found.is_none() && self.problems.len() == before {
            self.wrong(section, field, "is empty");
        }
        found
    }

    /// The text of a field, or our default, which is reported.
    pub(super) fn or_default(&mut self, section: &Section, field: &'static str, default: &str) -> String {
        self.text(section, field).unwrap_or_else(|| {
            self.defaulted(section, field, default);
            default.to_owned()
        })
    }

    /// The text of a field out of a closed list, or the default.
    pub(super) fn one_of(&mut self, section: &Section, field: &'static str, names: &[&str], default: &str) -> String {
        let text = self.or_default(section, field, default);
        if !names.contains(&text.as_str()) {
            self.wrong(section, field, format!("`{text}` is none of {}", names.join(", ")));
        }
        text
    }

    /// A date.
    pub(super) fn date(&mut self, section: &Section, field: &'static str) -> Option<NaiveDate> {
        self.moment(section, field).map(|(day, _)| day)
    }

    /// A date, or an instant such as `2026-05-04T10:00:00Z`.
    pub(super) fn moment(&mut self, section: &Section, field: &str) -> Option<Moment> {
        let text = self.text(section, field)?;
        if let Some(day) = self.cells.dates.iter().find_map(|pattern| pattern.read(&text)) {
            return Some((day, None));
        }
        if let Ok(at) = text.parse::<Timestamp>() {
            return Some((at.date_in(Tz::UTC), Some(at)));
        }
        let patterns: Vec<&str> = self.cells.dates.iter().map(super::format::DatePattern::source).collect();
        self.wrong(section, field, format!("`{text}` is no date after {}", patterns.join(" or ")));
        None
    }

    /// A currency.
    pub(super) fn currency(&mut self, section: &Section) -> Option<Currency> {
        let text = self.text(section, "currency")?;
        match text.parse() {
            Ok(currency) => Some(currency),
            Err(error) => {
                self.wrong(section, "currency", error.to_string());
                None
            }
        }
    }

    /// An amount in a currency.
    pub(super) fn amount(&mut self, section: &Section, currency: Currency) -> Option<Money> {
        let text = self.text(section, "amount")?;
        match self.cells.amounts.read(&text, currency) {
            Ok(amount) => Some(amount),
            Err(reason) => {
                self.wrong(section, "amount", reason);
                None
            }
        }
    }

    /// A yes or no; an empty cell is no.
    pub(super) fn flag(&mut self, section: &Section, field: &'static str) -> bool {
        let Some(text) = self.text(section, field) else { return false };
        match self.cells.flag(&text) {
            Ok(flag) => flag,
            Err(reason) => {
                self.wrong(section, field, reason);
                false
            }
        }
    }

    /// The organisation's own facts that the file has, each read as its type and kept as text.
    pub(super) fn own(&mut self, section: &Section) -> OwnValues {
        let facts = self.facts;
        let mut found = OwnValues::new();
        for (name, fact) in facts.own_of(section.name) {
            let field = own_field(name);
            if !section.has(&field) {
                continue;
            }
            let before = self.problems.len();
            let text = match self.text(section, &field) {
                // Only the empty cell of a column takes away: a JSON object without the key says nothing of it.
                None => self.is_cell(section, &field).then(String::new),
                Some(text) => self.own_text(section, &field, fact, &text),
            };
            // A cell that could not be read is a problem, never a fact taken away.
            if let Some(text) = text.filter(|_| self.problems.len() == before) {
                found.insert(name.to_owned(), text);
            }
        }
        found
    }

    /// Whether a field is a column of a file with rows of cells.
    fn is_cell(&self, section: &Section, field: &str) -> bool {
        let slot = section.values.get(field).and_then(Value::slot);
        slot.is_some_and(|slot| self.columns.at(slot).number > 0)
    }

    fn own_text(&mut self, section: &Section, field: &str, fact: &OwnFact, text: &str) -> Option<String> {
        let wanted = match &fact.of {
            Type::Date => return self.moment(section, field).map(|(day, _)| day.to_string()),
            Type::Bool => match self.cells.flag(text) {
                Ok(flag) => return Some(flag.to_string()),
                Err(reason) => reason,
            },
            Type::Decimal => match self.cells.amounts.number(text) {
                Some(number) => return Some(number.normalize().to_string()),
                None => format!("`{text}` is not a number with `{}` as decimal mark", self.cells.amounts.decimal),
            },
            Type::Enum(names) if fact.parse(text).is_none() => format!("`{text}` is none of {}", names.join(", ")),
            of => match fact.parse(text) {
                Some(value) => return Some(value.to_string()),
                None => format!("`{text}` is not of type {of}"),
            },
        };
        self.wrong(section, field, wanted);
        None
    }

    /// A list: parts between `;` or `|`.
    pub(super) fn list(&mut self, section: &Section, field: &'static str) -> Vec<String> {
        let text = self.text(section, field).unwrap_or_default();
        let parts = text.split([';', '|']).map(str::trim).filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    }

    /// A currency and an amount in it, both of which must be there.
    pub(super) fn money(&mut self, section: &Section) -> Option<Money> {
        let currency = self.needed(section, "currency", |take, section, _| take.currency(section))?;
        self.needed(section, "amount", |take, section, _| take.amount(section, currency))
    }
}

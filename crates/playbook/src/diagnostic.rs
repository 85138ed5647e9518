//! One problem with its place: what is wrong, where, and the way out. Text, JSON and SARIF are made in `report`.

use crate::yaml::{Node, Place};
use std::cell::{Cell, RefCell};

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The playbook must not run.
    Error,
    /// It may run; somebody should look.
    Warning,
}

impl Severity {
    /// The word in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A problem in a file that a person wrote. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code, `PB101`.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// File, relative to the project.
    pub file: String,
    /// First line.
    pub line: u32,
    /// First column.
    pub column: u32,
    /// Last line.
    pub end_line: u32,
    /// Column after the last character.
    pub end_column: u32,
    /// What is wrong.
    pub message: String,
    /// What stands beside the caret: mostly the nearest known name.
    pub label: Option<String>,
    /// What to write instead.
    pub help: Option<String>,
    /// More to know.
    pub notes: Vec<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub(crate) fn error(code: &'static str, place: &Place, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            file: place.file.to_string(),
            line: place.start.line,
            column: place.start.column,
            end_line: place.end.line,
            end_column: place.end.column,
            message: message.into(),
            label: None,
            help: None,
            notes: Vec::new(),
        }
    }

    /// A warning at a place.
    pub(crate) fn warning(code: &'static str, place: &Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, place, message) }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Names the nearest known name beside the caret.
    pub(crate) fn nearest<'a>(self, wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(wrong, known) {
            Some(name) => self.label(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    /// Whether the playbook must not run.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// What machines show as the way out: the label and the help.
    #[must_use]
    pub fn way_out(&self) -> Option<String> {
        match (&self.label, &self.help) {
            (Some(label), Some(help)) => Some(format!("{label}; {help}")),
            (label, help) => label.clone().or_else(|| help.clone()),
        }
    }
}

/// Collects problems; everything in one check writes to the same report.
#[derive(Default)]
pub(crate) struct Report {
    all: RefCell<Vec<Diagnostic>>,
    errors: Cell<usize>,
}

impl Report {
    /// Adds a problem.
    pub(crate) fn push(&self, diagnostic: Diagnostic) {
        self.errors.set(self.errors.get() + usize::from(diagnostic.is_error()));
        let mut all = self.all.borrow_mut();
        // A file of a thousand wrong keys helps nobody; the first ones do.
        if all.len() < PROBLEMS_MAX {
            all.push(diagnostic);
        }
    }

    /// An error at a node, for messages without further words.
    pub(crate) fn error(&self, code: &'static str, node: &Node, message: impl Into<String>) {
        self.push(Diagnostic::error(code, &node.place, message));
    }

    /// How many errors were found so far.
    pub(crate) fn errors(&self) -> usize {
        self.errors.get()
    }

    /// Everything, sorted, each problem once.
    pub(crate) fn into_sorted(self) -> Vec<Diagnostic> {
        let mut all = self.all.into_inner();
        let key = |d: &Diagnostic| (d.file.clone(), d.line, d.column, d.code, d.message.clone());
        all.sort_by_cached_key(key);
        all.dedup_by_key(|d| key(d));
        all
    }
}

const PROBLEMS_MAX: usize = 2_000;

/// The nearest of some names, if it is near enough to be a slip of the pen.
pub(crate) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if wrong.chars().count() > 100 {
        return None;
    }
    let allowed = (wrong.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .filter(|name| *name != wrong && name.chars().count() <= 100)
        .map(|name| (distance(wrong, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// Edits between two names; two swapped letters are one edit.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_find_their_name_and_other_words_do_not() {
        assert_eq!(nearest("wehn", ["when", "with", "was"]), Some("when"));
        assert_eq!(nearest("leagl", ["legal", "agency"]), Some("legal"));
        assert_eq!(nearest("telex", ["call", "email", "letter", "sms", "voice", "whatsapp"]), None);
    }
}

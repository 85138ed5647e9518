//! `workflows/segments.yaml`: one decision table that says which playbook takes an invoice.

use crate::build::Built;
use crate::build::head::{check_rows, covers};
use crate::diagnostic::{Diagnostic, Report};
use crate::library::Shared;
use crate::read::{self, tests};
use crate::select;
use crate::yaml::Node;
use recobro_kernel::facts::{Facts, Registry};
use recobro_kernel::playbook::Test;
use recobro_kernel::value::{Type, Value};
use std::collections::BTreeMap;

/// Where the file stands.
pub(crate) const FILE: &str = "workflows/segments.yaml";

/// Such invoices are not dunned.
const NONE: &str = "none";

/// The table that picks playbooks; its last row takes everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Fact paths.
    pub inputs: Vec<String>,
    /// Rows in order.
    pub rows: Vec<SelectionRow>,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectionRow {
    /// One test per input.
    pub tests: Vec<Test>,
    /// The playbook by name; nothing where such invoices are not dunned.
    pub playbook: Option<String>,
    /// Why, for people.
    pub note: Option<String>,
}

/// What the table says of an invoice.
pub struct Selected<'a> {
    /// Number of the row, from 1.
    pub number: usize,
    /// The row.
    pub row: &'a SelectionRow,
    /// The facts that its tests read, in order of the inputs.
    pub read: Vec<(&'a str, Value)>,
}

impl Selection {
    /// The first row that accepts an invoice. Facts are shown that the row itself tests.
    #[must_use]
    pub fn of(&self, registry: &Registry, facts: &Facts) -> Option<Selected<'_>> {
        let values: Vec<Value> = self.inputs.iter().map(|path| registry.read(path, facts)).collect();
        let accepts = |row: &&SelectionRow| row.tests.iter().zip(&values).all(|(test, value)| test.accepts(value));
        let index = self.rows.iter().position(|row| accepts(&row))?;
        let row = &self.rows[index];
        let asked = self.inputs.iter().zip(&values).zip(&row.tests).filter(|(_, test)| **test != Test::Any);
        let read = asked.map(|((path, value), _)| (path.as_str(), value.clone())).collect();
        Some(Selected { number: index + 1, row, read })
    }
}

/// A row with the node it stands in.
struct Draft<'n> {
    node: &'n Node,
    playbook: &'n Node,
    row: SelectionRow,
}

/// Reads and checks the table against the playbooks that compiled.
pub(crate) fn read(shared: &Shared<'_>, node: &Node, playbooks: &[Built]) -> Option<Selection> {
    let report = &shared.report;
    read::only(report, node, "`segments.yaml`", &["segments", "title", "version"]);
    let table = read::required(report, node, "segments")?;
    read::only(report, table, "the table", &["inputs", "note", "rows"]);
    let inputs = read::list(report, read::required(report, table, "inputs")?, "facts");
    let subjects: Vec<Option<(String, Type)>> = inputs.iter().map(|input| fact(shared, input)).collect();
    let rows = read::list(report, read::required(report, table, "rows")?, "rows");
    let drafts: Vec<Draft<'_>> = rows.iter().filter_map(|row| draft(shared, row, &subjects)).collect();
    // A row that could not be read says nothing about the others.
    if drafts.len() == rows.len() && subjects.iter().all(Option::is_some) {
        let found: Vec<(&Node, &[Test])> = drafts.iter().map(|draft| (draft.node, &*draft.row.tests)).collect();
        let key = table_key(node).unwrap_or(table);
        check_rows(report, key, "table `segments`", (inputs.len(), "general"), &found);
    }
    let inputs: Vec<String> =
        subjects.into_iter().map(|subject| subject.map(|(path, _)| path)).collect::<Option<_>>()?;
    for (index, draft) in drafts.iter().enumerate() {
        let wanted = draft.row.playbook.as_deref();
        if let Some(chosen) = playbooks.iter().find(|built| Some(&*built.compiled.playbook.name) == wanted) {
            check_row(report, index + 1, draft, &inputs, chosen);
        }
    }
    Some(Selection { inputs, rows: drafts.into_iter().map(|draft| draft.row).collect() })
}

fn table_key(node: &Node) -> Option<&Node> {
    node.entries().iter().find(|(key, _)| key.text() == Some("segments")).map(|(key, _)| key)
}

/// PB201: a fact that exists, with its type.
fn fact(shared: &Shared<'_>, node: &Node) -> Option<(String, Type)> {
    let path = read::name(&shared.report, node)?;
    if let Some(known) = shared.facts.find(&path) {
        let of = known.of();
        return Some((path, of));
    }
    let message = format!("unknown fact `{}`", read::cut(&path));
    shared.report.push(Diagnostic::error("PB201", &node.place, message).nearest(&path, shared.facts.paths()));
    None
}

fn draft<'n>(shared: &Shared<'_>, node: &'n Node, subjects: &[Option<(String, Type)>]) -> Option<Draft<'n>> {
    let report = &shared.report;
    let (cells, playbook, note) = if node.get("when").is_some() || node.get("playbook").is_some() {
        read::only(report, node, "a row", &["note", "playbook", "when"]);
        let cells = read::list(report, read::required(report, node, "when")?, "cells");
        let note = node.get("note").and_then(|note| read::words(report, note));
        (cells, read::required(report, node, "playbook")?, note)
    } else {
        let cells = read::list(report, node, "cells");
        let (playbook, cells) = cells.split_last()?;
        (cells, playbook, None)
    };
    if cells.len() != subjects.len() {
        let wanted = subjects.len();
        let message =
            format!("this row tests {} facts; the table has {wanted} inputs and then a playbook", cells.len());
        report.error("PB006", node, message);
        return None;
    }
    let tests: Vec<Option<Test>> = cells
        .iter()
        .zip(subjects)
        .map(|(cell, subject)| {
            let (path, of) = subject.as_ref()?;
            tests::test(report, cell, &tests::Subject { path, of: of.clone(), currency: None })
        })
        .collect();
    let chosen = chosen(shared, playbook)?;
    let chosen = (chosen != NONE).then_some(chosen);
    let tests = tests.into_iter().collect::<Option<_>>()?;
    Some(Draft { node, playbook, row: SelectionRow { tests, playbook: chosen, note } })
}

/// The playbook of a row, or the word [`NONE`].
fn chosen(shared: &Shared<'_>, node: &Node) -> Option<String> {
    let name = read::name(&shared.report, node)?;
    if name == NONE || shared.names.contains(&name) {
        return Some(name);
    }
    let message = format!("no playbook `{}`", read::cut(&name));
    let known = shared.names.iter().map(String::as_str).chain([NONE]);
    shared.report.push(
        Diagnostic::error("PB101", &node.place, message)
            .nearest(&name, known)
            .help("write `none` where such invoices are not dunned"),
    );
    None
}

/// PB402: what a row picks, the playbook's own `applies_to` must take.
fn check_row(report: &Report, number: usize, draft: &Draft<'_>, inputs: &[String], chosen: &Built) {
    let playbook = &chosen.compiled.playbook;
    let tests: BTreeMap<&str, &Test> = playbook.applies_to.tests.iter().map(|(path, test)| (&**path, test)).collect();
    for (path, cell) in inputs.iter().zip(&draft.row.tests) {
        let Some(own) = tests.get(path.as_str()).filter(|own| !covers(own, cell)) else { continue };
        let name = &playbook.name;
        let never = *cell != Test::Any && !select::meet(&[*own, cell]);
        let message = if never {
            format!("row {number} can never pick `{name}`: its `applies_to` refuses such a `{path}`")
        } else {
            format!("row {number} may pick `{name}` for a `{path}` that its `applies_to` refuses")
        };
        let make = if never { Diagnostic::error } else { Diagnostic::warning };
        report.push(
            make("PB402", &draft.playbook.place, message)
                .note(format!("`{name}` takes `{path}`: {}", shown(own)))
                .help(format!(
                    "let the table decide: take `{path}` out of the playbook's `applies_to`, or narrow the row"
                )),
        );
    }
}

fn shown(test: &Test) -> String {
    use recobro_kernel::playbook::Comparison::{AtLeast, AtMost, Equal, Less, More, NotEqual};
    match test {
        Test::Any => "_".to_owned(),
        Test::Is(value) => value.to_string(),
        Test::In(values) => Value::List(values.clone()).to_string(),
        Test::Range(low, high) => format!("{low}..{high}"),
        Test::Compare(how, value) => {
            let sign = match how {
                Less => "<",
                AtMost => "<=",
                More => ">",
                AtLeast => ">=",
                Equal => "==",
                NotEqual => "!=",
            };
            format!("{sign} {value}")
        }
    }
}

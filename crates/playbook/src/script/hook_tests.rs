//! `scripts/tests/*.yaml`: tables of hook tests. A case gives facts and says what the hook returns; a fact that is read
//! but not given fails the case, because it shows a dependency that the table hides.

mod given;

use super::context::{Program, Session};
use super::hooks::{self, HookInfo, Returns, Scripts, describe};
use super::rules::Watch;
use crate::diagnostic::Report;
use crate::yaml::{self, Kind, Node};
use given::Given;
use recobro_kernel::event;
use recobro_kernel::facts::Registry;
use recobro_kernel::value::{Type, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Folder of hook tests.
const FOLDER: &str = "scripts/tests/";

/// How one case went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookTestResult {
    /// File of the table.
    pub file: String,
    /// Line of the case, from 1.
    pub line: u32,
    /// `risk::route`; empty where the table cannot be read.
    pub hook: String,
    /// Name of the case.
    pub name: String,
    /// Why it failed; nothing if it passed.
    pub failure: Option<String>,
}

/// Runs every table of `scripts/tests/` against the hooks of `scripts/`.
#[must_use]
pub fn run(files: &BTreeMap<String, Vec<u8>>) -> Vec<HookTestResult> {
    let (scripts, problems) = Scripts::compile(files);
    let mut results = Vec::new();
    for problem in problems {
        let failure = Some(problem.message);
        let (file, line) = (problem.file, problem.line);
        results.push(HookTestResult { file, line, hook: String::new(), name: "compiles".to_owned(), failure });
    }
    let is_table = |file: &&String| file.starts_with(FOLDER) && file.strip_suffix(".yaml").is_some();
    for file in files.keys().filter(is_table) {
        table(&scripts, file, &files[file], &mut results);
    }
    results
}

fn table(scripts: &Scripts, file: &str, bytes: &[u8], results: &mut Vec<HookTestResult>) {
    let report = Report::default();
    let name: Arc<str> = Arc::from(file);
    let node = yaml::parse(&name, bytes, &report);
    for problem in report.into_sorted() {
        results.push(unreadable(file, problem.line, problem.message));
    }
    let Some(node) = node else { return };
    match read_table(scripts, &node) {
        Ok(table) => {
            for case in table.cases {
                let failure = run_case(scripts, &table, case).err();
                let name = case.get("name").and_then(Node::text).unwrap_or("without a name").to_owned();
                let (hook, line) = (table.hook.clone(), case.place.start.line);
                results.push(HookTestResult { file: file.to_owned(), line, hook, name, failure });
            }
        }
        Err((line, reason)) => results.push(unreadable(file, line, reason)),
    }
}

fn unreadable(file: &str, line: u32, reason: String) -> HookTestResult {
    HookTestResult { file: file.to_owned(), line, hook: String::new(), name: "reads".to_owned(), failure: Some(reason) }
}

struct Table<'a> {
    hook: String,
    info: &'a HookInfo,
    event: Option<&'static str>,
    base: Given,
    cases: &'a [Node],
}

type Refused = (u32, String);

fn refused(node: &Node, reason: impl Into<String>) -> Refused {
    (node.place.start.line, reason.into())
}

fn read_table<'a>(scripts: &'a Scripts, node: &'a Node) -> Result<Table<'a>, Refused> {
    for (key, _) in node.entries() {
        if !matches!(key.text(), Some("hook" | "today" | "event" | "base" | "cases")) {
            let reason =
                format!("unknown key `{}`; a table knows hook, today, event, base, cases", key.text().unwrap_or(""));
            return Err(refused(key, reason));
        }
    }
    let hook = node.get("hook").ok_or_else(|| refused(node, "`hook: module::name` is missing"))?;
    let name = hook.text().unwrap_or_default();
    let (module, function) = name.split_once("::").ok_or_else(|| refused(hook, "write `hook: module::name`"))?;
    let info = scripts.hook(module, function).ok_or_else(|| refused(hook, format!("there is no hook `{name}`")))?;
    let event = match node.get("event") {
        None => None,
        Some(named) => {
            let kind = named.text().and_then(event::find);
            Some(kind.ok_or_else(|| refused(named, "this event is not in the catalogue"))?.name)
        }
    };
    let mut base = Given::of(scripts.facts());
    if let Some(today) = node.get("today") {
        base.add("today", today, event)?;
    }
    if let Some(facts) = node.get("base") {
        base.add("", facts, event)?;
    }
    let cases = node.get("cases").ok_or_else(|| refused(node, "`cases:` is missing"))?;
    let Kind::List(cases) = &cases.kind else { return Err(refused(cases, "`cases:` is a list")) };
    Ok(Table { hook: name.to_owned(), info, event, base, cases })
}

fn run_case(scripts: &Scripts, table: &Table<'_>, case: &Node) -> Result<(), String> {
    let mut given = table.base.clone();
    for (key, value) in case.entries() {
        let key = key.text().unwrap_or_default();
        if !matches!(key, "name" | "returns" | "note") {
            given.add(key, value, table.event).map_err(|(_, reason)| reason)?;
        }
    }
    let wanted = case.get("returns").ok_or("`returns:` is missing")?;
    let wanted = wanted_value(wanted, &table.info.returns)?;
    let (module, function) = table.hook.split_once("::").unwrap_or_default();
    let modules = scripts.module(module).map(|code| (module.to_owned(), Arc::clone(code)));
    let program = Program {
        facts: Arc::clone(scripts.facts()),
        tables: Vec::new(),
        vars: BTreeMap::new(),
        modules: modules.into_iter().collect(),
    };
    let mut session = Session::new(given.view(table.event)?, Arc::new(program), Arc::default());
    session.given = Some(Arc::new(given.facts));
    let session = Arc::new(session);
    let found = hooks::call(&session, &Watch::real(), module, function).map_err(|(reason, _)| reason)?;
    if found != wanted {
        return Err(format!("returned {}, not {}", describe(&found), describe(&wanted)));
    }
    let notes = session.take_log().notes;
    match case.get("note").and_then(Node::text) {
        Some(note) if !notes.iter().any(|line| line.contains(note)) => Err(format!(
            "no note says `{note}`; it noted: {}",
            if notes.is_empty() { "nothing".into() } else { notes.join("; ") }
        )),
        _ => Ok(()),
    }
}

fn wanted_value(node: &Node, returns: &Returns) -> Result<Value, String> {
    let wanted = given::value(node, &returns.to_type());
    wanted.map_err(|_| match returns {
        Returns::Of(of) => format!("`returns:` is no {of}"),
        Returns::Texts(texts) => format!("`returns:` is none of {}", texts.join(", ")),
    })
}

/// The registered type of a path, if it has one.
fn type_of(facts: &Registry, path: &str, event: Option<&str>) -> Option<Type> {
    use super::names::{Found, Names, Place};
    let names: Vec<&str> = path.split('.').collect();
    let empty = BTreeMap::new();
    let scope = Names { facts, tables: &[], vars: &empty, params: &empty, event };
    match scope.find(&names) {
        Found::Value(Place::Fact(fact)) => Some(fact.of()),
        Found::Value(Place::Extra(extra)) => Some((extra.of)()),
        Found::Value(Place::Run(path)) => {
            let found = recobro_kernel::expr::RUN.iter().find(|(known, _)| *known == path);
            found.map(|(_, of)| of())
        }
        Found::Value(Place::Event(field)) => {
            let kind = event.and_then(event::find)?;
            kind.fields.iter().find(|(name, _)| name.trim_end_matches('?') == field).map(|(_, of)| of.to_type())
        }
        Found::Value(Place::Today) => Some(Type::Date),
        Found::Value(Place::Now) => Some(Type::Instant),
        Found::Value(Place::Law(_) | Place::Var(_) | Place::Param(_) | Place::Output(..))
        | Found::Object
        | Found::Nothing => None,
    }
}

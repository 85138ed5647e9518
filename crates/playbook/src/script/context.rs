//! One evaluation: the view it looks at and the log of what it touched.

use super::hooks::Module;
use super::names::{Found, Names, Place};
use recobro_kernel::expr::{TableUse, View};
use recobro_kernel::facts::{self, Known, Registry};
use recobro_kernel::playbook::Table;
use recobro_kernel::value::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the expressions of one playbook share.
pub(super) struct Program {
    /// Registered facts.
    pub(super) facts: Arc<Registry>,
    /// Decision tables.
    pub(super) tables: Vec<Table>,
    /// Variables as the playbook declares them.
    pub(super) vars: BTreeMap<String, Value>,
    /// Hooks by module.
    pub(super) modules: BTreeMap<String, Arc<Module>>,
}

/// What an evaluation touched.
#[derive(Default)]
pub(super) struct Log {
    /// Facts in order, each once.
    pub(super) read: Vec<(String, Value)>,
    /// Tables consulted.
    pub(super) tables: Vec<TableUse>,
    /// Notes of hooks.
    pub(super) notes: Vec<String>,
    /// Operations of hooks and nodes of expressions.
    pub(super) ops: u64,
    rows: BTreeMap<usize, usize>,
}

/// One evaluation.
pub(super) struct Session {
    /// What it looks at.
    pub(super) view: View,
    /// Tables, variables, hooks.
    pub(super) program: Arc<Program>,
    /// Parameters of the fragment.
    pub(super) params: Arc<BTreeMap<String, Value>>,
    /// Only these facts may be read, if given: hook tests name what they need.
    pub(super) given: Option<Arc<BTreeMap<String, Value>>>,
    log: Mutex<Log>,
}

impl Session {
    /// Starts an evaluation.
    pub(super) fn new(view: View, program: Arc<Program>, params: Arc<BTreeMap<String, Value>>) -> Self {
        Self { view, program, params, given: None, log: Mutex::default() }
    }

    /// What was touched so far; the log is left empty.
    pub(super) fn take_log(&self) -> Log {
        std::mem::take(&mut *self.log())
    }

    /// The log. A panic in a hook is caught outside, so a poisoned lock still holds whole entries.
    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a value under its path, once.
    pub(super) fn record(&self, path: &str, value: &Value) {
        let mut log = self.log();
        if !log.read.iter().any(|(known, _)| known == path) {
            log.read.push((path.to_owned(), value.clone()));
        }
    }

    /// What is in scope.
    pub(super) fn names(&self) -> Names<'_> {
        Names {
            facts: &self.program.facts,
            tables: &self.program.tables,
            vars: &self.program.vars,
            params: &self.params,
            event: self.view.event.as_deref().map(|event| event.name.as_str()),
        }
    }

    /// Whether an optional root is there: always so in a handler of its own events.
    pub(super) fn has_root(&self, root: &str) -> bool {
        if self.given.is_some() {
            return !facts::OPTIONAL_ROOTS.contains(&root) || self.gives_below(root);
        }
        self.own_event(root) || facts::has_root(&self.view.facts, root)
    }

    fn own_event(&self, root: &str) -> bool {
        let event = self.view.event.as_deref();
        event.is_some_and(|event| owns(&event.name, root))
    }

    /// Reads a place and records it.
    ///
    /// # Errors
    /// A readable reason, where the place cannot be read.
    pub(super) fn read(&self, place: Place<'_>) -> Result<Value, String> {
        let (path, value) = match place {
            Place::Param(name) => return Ok(self.params.get(name).cloned().unwrap_or(Value::Missing)),
            Place::Output(table, output) => return self.output(table, output),
            Place::Fact(fact) => {
                let value = self.given(fact.path())?.unwrap_or_else(|| self.fact(fact));
                let shown = if fact.is_personal() { Value::text("personal") } else { value.clone() };
                self.record(fact.path(), &shown);
                return Ok(value);
            }
            Place::Extra(extra) => {
                let value = self.given(extra.path)?.unwrap_or_else(|| (extra.empty)());
                (extra.path.to_owned(), value)
            }
            Place::Run(path) => {
                let value = self.given(path)?.or_else(|| self.view.run.read(path)).unwrap_or(Value::Missing);
                (path.to_owned(), value)
            }
            Place::Var(name) => {
                let path = format!("vars.{name}");
                let known = || self.view.vars.get(name).or_else(|| self.program.vars.get(name)).cloned();
                let value = self.given(&path)?.or_else(known);
                let value = value.ok_or_else(|| format!("there is no variable `{name}`"))?;
                (path, value)
            }
            Place::Event(name) => {
                let path = format!("event.{name}");
                let event = self.view.event.as_deref();
                let value = self.given(&path)?.or_else(|| event.map(|event| event.field(name).clone()));
                (path, value.unwrap_or(Value::Missing))
            }
            Place::Law(name) => {
                let path = format!("law.{name}");
                let value = match self.given(&path)? {
                    Some(value) => value,
                    None => self
                        .view
                        .law
                        .value_for(name, &self.view.facts.customer, &self.view.facts.invoice, self.view.facts.today)
                        .cloned()
                        .ok_or_else(|| format!("no policy has the value `law.{name}`; add it under `values:`"))?,
                };
                (path, value)
            }
            Place::Today => ("today".to_owned(), self.given("today")?.unwrap_or(Value::Date(self.view.today))),
            Place::Now => ("now".to_owned(), self.given("now")?.unwrap_or(Value::Instant(self.view.now))),
        };
        self.record(&path, &value);
        Ok(value)
    }

    /// Whether a hook test gives something below a path.
    pub(super) fn gives_below(&self, path: &str) -> bool {
        let below = |known: &str| known.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        self.given.as_deref().is_some_and(|given| given.keys().any(|known| below(known)))
    }

    /// A value that a hook test gives; nothing outside of tests.
    ///
    /// # Errors
    /// The test reads something it does not give.
    pub(super) fn given(&self, path: &str) -> Result<Option<Value>, String> {
        let Some(given) = &self.given else { return Ok(None) };
        given.get(path).cloned().map(Some).ok_or_else(|| format!("`{path}` was read but not given"))
    }

    /// A fact; in a handler of its own events the event's values come first.
    fn fact(&self, fact: Known<'_>) -> Value {
        let (root, field) = fact.path().split_once('.').unwrap_or((fact.path(), ""));
        let stored = fact.read(&self.view.facts);
        let Some(event) = self.view.event.as_deref().filter(|event| owns(&event.name, root)) else { return stored };
        let status = event.name.split_once('.').map_or("", |(_, what)| what);
        let own = match (root, field) {
            ("promise", "date" | "amount") | ("dispute", "reason" | "outcome") => event.field(field).clone(),
            ("plan", "next_due") => event.field("due").clone(),
            ("promise", "status") => Value::text(if status == "made" { "open" } else { status }),
            ("plan", "status") => match status {
                "accepted" | "instalment_missed" => Value::text("active"),
                other => Value::text(other),
            },
            _ => Value::Missing,
        };
        match (own, stored) {
            (Value::Missing, Value::Missing) => self.fallback(root, field),
            (Value::Missing, stored) => stored,
            // "kept in part" is told apart by the ledger alone.
            (_, stored) if stored.as_text() == Some("partly_kept") && status == "broken" => stored,
            (own, _) => own,
        }
    }

    /// A day for an event that reached the case before the ledger's row: the day it happened.
    fn fallback(&self, root: &str, field: &str) -> Value {
        let at = self.view.event.as_deref().map(|event| event.at);
        match (root, field, at) {
            ("promise", "made_on", Some(at)) | ("dispute", "opened_on", Some(at)) => {
                Value::Date(at.date_in(self.view.facts.customer.time_zone))
            }
            _ => Value::Missing,
        }
    }

    /// An output of the row that matches, evaluated when first mentioned.
    fn output(&self, table: usize, output: usize) -> Result<Value, String> {
        let program = Arc::clone(&self.program);
        let table_of = &program.tables[table];
        if let Some(value) = self.given_output(table_of, output)? {
            return Ok(value);
        }
        let known = self.log().rows.get(&table).copied();
        let row = match known {
            Some(row) => row,
            None => self.match_row(table_of)?,
        };
        let (name, _) = &table_of.outputs[output];
        let value = table_of.rows[row].outputs.get(output).cloned().unwrap_or(Value::Missing);
        let mut log = self.log();
        log.rows.insert(table, row);
        if !log.tables.iter().any(|used| used.table == table_of.name && used.output == *name) {
            log.tables.push(TableUse {
                table: table_of.name.clone(),
                row: u32::try_from(row + 1).unwrap_or(u32::MAX),
                output: name.clone(),
                value: value.to_plain(),
            });
        }
        Ok(value)
    }

    fn given_output(&self, table: &Table, output: usize) -> Result<Option<Value>, String> {
        self.given(&format!("{}.{}", table.name, table.outputs[output].0))
    }

    fn match_row(&self, table: &Table) -> Result<usize, String> {
        let mut inputs = vec![None; table.inputs.len()];
        for (at, row) in table.rows.iter().enumerate() {
            let mut accepts = true;
            for (column, test) in row.tests.iter().enumerate() {
                // An input is read when a cell first asks for it, so that `read` shows only what mattered.
                if matches!(test, recobro_kernel::playbook::Test::Any) {
                    continue;
                }
                if inputs[column].is_none() {
                    inputs[column] = Some(self.input(table, column)?);
                }
                if !inputs[column].as_ref().is_some_and(|value| test.accepts(value)) {
                    accepts = false;
                    break;
                }
            }
            if accepts {
                return Ok(at);
            }
        }
        Err(format!("no row of table `{}` matches; end it with a row of `_`", table.name))
    }

    fn input(&self, table: &Table, column: usize) -> Result<Value, String> {
        let path = &table.inputs[column];
        let names: Vec<&str> = path.split('.').collect();
        match self.names().find(&names) {
            Found::Value(
                place @ (Place::Fact(_)
                | Place::Extra(_)
                | Place::Run(_)
                | Place::Var(_)
                | Place::Event(_)
                | Place::Law(_)
                | Place::Param(_)
                | Place::Today
                | Place::Now),
            ) => self.read(place),
            Found::Value(Place::Output(..)) | Found::Object | Found::Nothing => {
                Err(format!("table `{}` has the unknown input `{path}`", table.name))
            }
        }
    }
}

/// Whether an event carries the values of an optional root.
pub(super) fn owns(event: &str, root: &str) -> bool {
    // An incentive's events do not carry what its facts say.
    root != "incentive"
        && facts::OPTIONAL_ROOTS.contains(&root)
        && event.strip_prefix(root).is_some_and(|rest| rest.starts_with('.'))
}

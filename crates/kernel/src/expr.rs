//! The seam to the rules: expressions are texts with a place; somebody outside (rhai in `playbook`, a table in
//! tests) evaluates them. The kernel only knows what was asked, what came back and what was read.

use crate::calendar::Calendar;
use crate::case::Marks;
use crate::event::Event;
use crate::facts::Facts;
use crate::law::Law;
use crate::time::Timestamp;
use crate::value::{Type, Value};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Index of an expression in its playbook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExprId(pub u32);

/// An expression with its place and the type its position asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expr {
    /// The text, without `= `.
    pub source: String,
    /// File it stands in, relative to the project.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// What the position asks for.
    pub returns: Type,
    /// Typed constants in scope as `param.NAME`: those of the fragment it stands in.
    pub params: Arc<BTreeMap<String, Value>>,
    /// The event of the handler it stands in.
    pub event: Option<&'static str>,
}

/// A field that holds either a constant or an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arg<T> {
    /// Written as it is.
    Const(T),
    /// Written with `= `.
    Expr(ExprId),
}

/// Everything an evaluation may look at. Cheap to build: shared parts are counted references.
#[derive(Clone, Debug)]
pub struct View {
    /// The turn's snapshot.
    pub facts: Arc<Facts>,
    /// The event that a handler took; nothing in a stage.
    pub event: Option<Arc<Event>>,
    /// `run.*`.
    pub run: Run,
    /// Variables: the playbook's `vars` with what `set` changed.
    pub vars: Arc<BTreeMap<String, Value>>,
    /// Finished steps: `sent`, `done`, `outcome`, `replied_since`.
    pub marks: Arc<Marks>,
    /// The turn's logical time.
    pub now: Timestamp,
    /// The turn's date at the customer's place.
    pub today: NaiveDate,
    /// The customer's calendar.
    pub calendar: Arc<Calendar>,
    /// The newest law.
    pub law: Arc<Law>,
}

/// `run.*`: where the case stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Playbook name.
    pub playbook: Arc<str>,
    /// Playbook version.
    pub version: i64,
    /// Stage, empty in a handler.
    pub stage: Arc<str>,
    /// Step.
    pub step: Arc<str>,
    /// The dunning clock.
    pub clock_day: i64,
    /// Dates spent on hold.
    pub held_days: i64,
    /// Days jumped over.
    pub skipped_days: i64,
    /// One, and one more per restart.
    pub generation: i64,
}

/// Path and type of a `run.*` value.
pub type RunValue = (&'static str, fn() -> Type);

/// Every `run.*` value.
pub const RUN: &[RunValue] = &[
    ("run.clock_day", || Type::Int),
    ("run.generation", || Type::Int),
    ("run.held_days", || Type::Int),
    ("run.playbook", || Type::Text),
    ("run.skipped_days", || Type::Int),
    ("run.stage", || Type::Text),
    ("run.step", || Type::Text),
    ("run.version", || Type::Int),
];

impl Run {
    /// A value by its path, `run.clock_day`.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<Value> {
        Some(match path {
            "run.clock_day" => Value::Int(self.clock_day),
            "run.generation" => Value::Int(self.generation),
            "run.held_days" => Value::Int(self.held_days),
            "run.playbook" => Value::text(&*self.playbook),
            "run.skipped_days" => Value::Int(self.skipped_days),
            "run.stage" => Value::text(&*self.stage),
            "run.step" => Value::text(&*self.step),
            "run.version" => Value::Int(self.version),
            _ => return None,
        })
    }
}

/// One `and`/`or` operand of a condition with its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clause {
    /// Its text.
    pub text: String,
    /// Its value; nothing where short circuit never reached it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<bool>,
}

/// A decision table that was consulted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableUse {
    /// Table.
    pub table: String,
    /// Row that matched, from 1.
    pub row: u32,
    /// Output that was read.
    pub output: String,
    /// Its value.
    pub value: serde_json::Value,
}

/// What an evaluation answered, and everything needed to explain and repeat it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The result.
    pub value: Value,
    /// Facts touched, in order, each path once. Personal facts hold the text `personal`.
    pub read: Vec<(String, Value)>,
    /// The condition's operands; empty for other expressions.
    pub clauses: Vec<Clause>,
    /// Tables consulted.
    pub tables: Vec<TableUse>,
    /// What hooks noted.
    pub notes: Vec<String>,
    /// Operations spent.
    pub ops: u64,
}

/// Why an expression gave no answer. It is never read as `false`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// The rule is wrong for these facts: the case parks with this text (what, where, what to do).
    Failed(String),
    /// The wall-clock stop: the turn is aborted uncommitted and tried again alone.
    Slow(String),
}

/// Evaluates the expressions of one playbook.
pub trait Rules: Send + Sync {
    /// Evaluates one expression against one view.
    ///
    /// # Errors
    /// [`RuleError`]; the answer's type is checked against [`Expr::returns`].
    fn eval(&self, expr: ExprId, view: &View) -> Result<Evaluation, RuleError>;
}

//! The logic inside playbooks: expressions and hooks. One registry of roots and helpers, one parser (rhai's), one set
//! of operators; expressions are walked by [`eval`](self), hooks run in the rhai engine. Nothing here reads a clock,
//! a file or the network, and a rule that fails is an error, never `false`.

mod check;
mod context;
mod engine;
mod eval;
pub mod hook_tests;
mod hooks;
mod lex;
mod names;
mod objects;
mod ops;
mod parse;
pub mod registry;
mod rules;
#[cfg(test)]
mod tests;

use recobro_kernel::law::Law;
use recobro_kernel::money::Currency;
use recobro_kernel::playbook::Table;
use recobro_kernel::value::{Type, Value};
use std::collections::BTreeMap;

pub use check::check_expr;
pub use hooks::{HookInfo, Returns, ScriptProblem, Scripts};
pub use rules::{RhaiRules, Watch};

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemLevel {
    /// The playbook must not run.
    Error,
    /// It may run; somebody should look.
    Warning,
}

/// What the position of an expression accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Any value, never missing (`set`, untyped `with`).
    Any,
    /// One type; an int is accepted for a decimal.
    Type(Type),
    /// One of several types.
    OneOf(Vec<Type>),
    /// `choose`: text, best out of a known list.
    Choice,
}

/// Everything the check of one expression may know.
#[derive(Clone, Copy)]
pub struct ExprContext<'a> {
    /// The project's hooks.
    pub scripts: &'a Scripts,
    /// Modules that the playbook or fragment lists under `scripts:`.
    pub modules: &'a [String],
    /// Decision tables in scope.
    pub tables: &'a [Table],
    /// Variables in scope.
    pub vars: &'a BTreeMap<String, Value>,
    /// Parameters in scope as `param.NAME`.
    pub params: &'a BTreeMap<String, Value>,
    /// The event of the handler it stands in.
    pub event: Option<&'static str>,
    /// Policies, for `law.NAME`; calendars, for the names of seasons.
    pub law: &'a Law,
    /// Ids and paths of the steps, and names of requests, for `sent`, `done`, `outcome`, `replied_since`.
    pub steps: &'a [String],
    /// Names of seasons of the calendars in use; empty where they are unknown.
    pub seasons: &'a [String],
    /// The playbook's currency; nothing for `any`.
    pub currency: Option<Currency>,
    /// What the position accepts.
    pub expected: &'a Expected,
}

/// What a good expression is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprInfo {
    /// Its type.
    pub of: Type,
    /// The texts it can answer, where they are known: for the cases of `choose`.
    pub returns_texts: Option<Vec<String>>,
    /// The hook that answers, where the expression is one hook call: `risk::route`.
    pub hook: Option<String>,
    /// Whether an amount is compared with, or calculated from, a bare number.
    pub compares_bare_amount: bool,
    /// Warnings.
    pub warnings: Vec<ExprProblem>,
}

/// A problem inside an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprProblem {
    /// `PB201` to `PB210`.
    pub code: &'static str,
    /// Error or warning.
    pub level: ProblemLevel,
    /// First byte in the source.
    pub start: usize,
    /// Byte after the last one.
    pub end: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// More to know.
    pub note: Option<String>,
}

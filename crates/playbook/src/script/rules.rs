//! The expressions of one playbook, parsed once, behind the kernel's seam.

use super::context::{Program, Session};
use super::eval::{Failure, Walk, operands};
use super::hooks::{Scripts, describe};
use super::names::{Found, Names};
use super::ops;
use super::parse::{self, Node};
use super::{ExprProblem, engine};
use recobro_kernel::expr::{Clause, Evaluation, Expr, ExprId, RuleError, Rules, View};
use recobro_kernel::playbook::Table;
use recobro_kernel::value::{Type, Value};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// The wall-clock stop of hooks: how time passes, and how much of it one hook may take.
#[derive(Clone)]
pub struct Watch {
    /// Reads a monotonic clock.
    pub(super) elapsed: engine::Elapsed,
    /// Longest run of one hook.
    pub(super) limit: Duration,
}

/// A hook takes microseconds; a quarter of a second is a machine in trouble.
const LIMIT: Duration = Duration::from_millis(250);

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Watch {
    /// The machine's own clock.
    #[must_use]
    pub fn real() -> Self {
        Self { elapsed: Arc::new(|| START.elapsed()), limit: LIMIT }
    }

    /// Another clock and limit, for tests.
    #[must_use]
    pub fn new(elapsed: Arc<dyn Fn() -> Duration + Send + Sync>, limit: Duration) -> Self {
        Self { elapsed, limit }
    }
}

struct Compiled {
    root: Node,
    clauses: Vec<Clause>,
    expr: Expr,
}

/// Evaluates the expressions of one playbook.
pub struct RhaiRules {
    exprs: Vec<Compiled>,
    program: Arc<Program>,
    watch: Watch,
}

impl RhaiRules {
    /// Parses the expressions of a playbook.
    ///
    /// `modules` names what the playbook and its fragments list under `scripts:`.
    ///
    /// # Errors
    /// The index of the expression and its problems, for the first one that cannot be read.
    pub fn new(
        exprs: &[Expr],
        tables: Vec<Table>,
        vars: BTreeMap<String, Value>,
        scripts: &Scripts,
        modules: &[String],
    ) -> Result<Self, (usize, Vec<ExprProblem>)> {
        let exprs = exprs.iter().enumerate().map(|(at, expr)| compile(expr).map_err(|problems| (at, problems)));
        let exprs = exprs.collect::<Result<_, _>>()?;
        let known = modules.iter().filter_map(|name| Some((name.clone(), Arc::clone(scripts.module(name)?))));
        let program = Arc::new(Program { facts: Arc::clone(scripts.facts()), tables, vars, modules: known.collect() });
        Ok(Self { exprs, program, watch: Watch::real() })
    }

    /// The same rules under another clock.
    #[must_use]
    pub fn with_watch(mut self, watch: Watch) -> Self {
        self.watch = watch;
        self
    }

    fn names<'a>(&'a self, expr: &'a Expr) -> Names<'a> {
        let Program { facts, tables, vars, .. } = &*self.program;
        Names { facts, tables, vars, params: &expr.params, event: expr.event }
    }

    /// Whether a path names something in the scope of an expression; tests use it.
    #[must_use]
    pub fn knows(&self, expr: ExprId, path: &[&str]) -> bool {
        self.exprs.get(expr.0 as usize).is_some_and(|compiled| {
            let names = self.names(&compiled.expr);
            !matches!(names.find(path), Found::Nothing)
        })
    }
}

fn compile(expr: &Expr) -> Result<Compiled, Vec<ExprProblem>> {
    let parsed = parse::parse(&expr.source)?;
    let clauses = if expr.returns == Type::Bool {
        let texts = operands(&parsed.root).into_iter().map(|node| &expr.source[node.start..node.end]);
        texts.map(|text| Clause { text: text.to_owned(), value: None }).collect()
    } else {
        Vec::new()
    };
    Ok(Compiled { root: parsed.root, clauses, expr: expr.clone() })
}

impl Rules for RhaiRules {
    fn eval(&self, expr: ExprId, view: &View) -> Result<Evaluation, RuleError> {
        let Some(compiled) = self.exprs.get(expr.0 as usize) else {
            return Err(RuleError::Failed(format!("there is no expression {}", expr.0)));
        };
        let session =
            Arc::new(Session::new(view.clone(), Arc::clone(&self.program), Arc::clone(&compiled.expr.params)));
        let mut clauses = compiled.clauses.clone();
        let mut walk = Walk { session: &session, watch: &self.watch, steps: 0 };
        let run = || {
            if clauses.is_empty() { walk.value(&compiled.root) } else { walk.condition(&compiled.root, &mut clauses) }
        };
        let result = catch_unwind(AssertUnwindSafe(run));
        let steps = walk.steps;
        let value = match result {
            Ok(Ok(value)) => value,
            Ok(Err(failure)) => return Err(failed(&compiled.expr, &failure)),
            Err(_) => {
                return Err(RuleError::Failed(at(&compiled.expr, 0, "the rule made the engine panic; simplify it")));
            }
        };
        let value = ops::fit(value, &compiled.expr.returns).map_err(|value| {
            let reason = format!("it is {}, but {} is needed", describe(&value), compiled.expr.returns);
            RuleError::Failed(at(&compiled.expr, 0, &reason))
        })?;
        let log = session.take_log();
        Ok(Evaluation { value, read: log.read, clauses, tables: log.tables, notes: log.notes, ops: log.ops + steps })
    }
}

fn failed(expr: &Expr, failure: &Failure) -> RuleError {
    let text = at(expr, failure.start, &failure.reason);
    if failure.slow { RuleError::Slow(text) } else { RuleError::Failed(text) }
}

/// The reason with file, line and expression in front.
fn at(expr: &Expr, start: usize, reason: &str) -> String {
    let before = expr.source.get(..start).unwrap_or_default();
    let lines = before.matches('\n').count();
    let line = u64::from(expr.line) + lines as u64;
    format!("{}:{line}: in `{}`: {reason}", expr.file, expr.source)
}

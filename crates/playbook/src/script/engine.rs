//! The one rhai engine: raw, hand-picked packages, everything that could block, reach out or hide switched off, a
//! limit on everything else.

use super::objects;
use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicIteratorPackage, BasicMapPackage, BasicMathPackage, BasicStringPackage,
    LogicPackage, MoreStringPackage, Package,
};
use rhai::{Engine, OptimizationLevel, Token};
use std::cell::RefCell;
use std::fmt::Display;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Operations one evaluation may spend.
pub(super) const MAX_OPERATIONS: u64 = 100_000;
/// Calls inside calls.
pub(super) const MAX_CALL_LEVELS: usize = 16;
/// Depth of an expression.
pub(super) const MAX_EXPR_DEPTH: usize = 32;
/// Bytes of a text.
pub(super) const MAX_TEXT: usize = 8 * 1024;
/// Items of a list.
pub(super) const MAX_LIST: usize = 1_000;
/// Entries of a map.
pub(super) const MAX_MAP: usize = 500;
/// Variables alive at once.
pub(super) const MAX_VARIABLES: usize = 64;
/// Functions of a module, `lib.rhai` included.
pub(super) const MAX_FUNCTIONS: usize = 64;

/// Words that are switched off; even a raw engine runs `eval`.
pub(super) const DISABLED: &[&str] = &[
    "eval",
    "import",
    "export",
    "print",
    "debug",
    "while",
    "loop",
    "do",
    "try",
    "catch",
    "Fn",
    "call",
    "curry",
    "sleep",
    "timestamp",
    "parse_json",
    "throw",
    "is_def_fn",
    "is_def_var",
    "global",
    "spawn",
    "thread",
    "go",
    "await",
    "yield",
];

static PARSER: LazyLock<Engine> = LazyLock::new(|| {
    let mut engine = bare();
    engine.set_allow_switch_expression(false);
    engine
});

static RUNNER: LazyLock<Engine> = LazyLock::new(|| {
    let mut engine = bare();
    engine.set_strict_variables(true);
    engine.set_fail_on_invalid_map_property(true);
    // The built-in comparisons answer `false` for unlike types; ours are only asked with this off.
    engine.set_fast_operators(false);
    ArithmeticPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicStringPackage::new().register_into_engine(&mut engine);
    MoreStringPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);
    objects::register(&mut engine);
    engine.on_progress(progress);
    engine
});

/// The engine that parses expressions; it has no functions and runs nothing.
pub(super) fn parser() -> &'static Engine {
    &PARSER
}

/// The engine that compiles and runs hooks.
pub(super) fn runner() -> &'static Engine {
    &RUNNER
}

fn bare() -> Engine {
    let mut engine = Engine::new_raw();
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_allow_anonymous_fn(false);
    engine.set_allow_shadowing(true);
    for word in DISABLED {
        engine.disable_symbol(*word);
    }
    engine.set_max_operations(MAX_OPERATIONS);
    engine.set_max_call_levels(MAX_CALL_LEVELS);
    engine.set_max_expr_depths(MAX_EXPR_DEPTH, MAX_EXPR_DEPTH);
    engine.set_max_string_size(MAX_TEXT);
    engine.set_max_array_size(MAX_LIST);
    engine.set_max_map_size(MAX_MAP);
    engine.set_max_variables(MAX_VARIABLES);
    engine.set_max_functions(MAX_FUNCTIONS);
    #[expect(deprecated, reason = "rhai marks it volatile, not deprecated; the version is pinned")]
    engine.on_parse_token(|token, _, _| match token {
        Token::Identifier(word) if &**word == "and" => Token::And,
        Token::Identifier(word) if &**word == "or" => Token::Or,
        Token::Identifier(word) if &**word == "not" => Token::Bang,
        other => other,
    });
    engine
}

/// A text that begins in lower case, as our messages do.
pub(super) fn lower_first(text: impl Display) -> String {
    let text = text.to_string();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// Reads a monotonic clock: how long since some fixed moment.
pub(super) type Elapsed = Arc<dyn Fn() -> Duration + Send + Sync>;

struct Running {
    elapsed: Elapsed,
    deadline: Duration,
    operations: u64,
    slow: bool,
}

thread_local! {
    // `on_progress` is told nothing but a count; the evaluation of this thread is found here.
    static RUNNING: RefCell<Option<Running>> = const { RefCell::new(None) };
}

/// Operations between two looks at the wall clock.
const LOOK_EVERY: u64 = 256;

fn progress(operations: u64) -> Option<rhai::Dynamic> {
    RUNNING.with_borrow_mut(|running| {
        let running = running.as_mut()?;
        running.operations = operations;
        if operations % LOOK_EVERY == 1 && (running.elapsed)() > running.deadline {
            running.slow = true;
            return Some("too slow".into());
        }
        None
    })
}

/// Runs something under the wall-clock stop.
///
/// Returns the result, the operations spent and whether the clock stopped it.
pub(super) fn watched<T>(elapsed: &Elapsed, limit: Duration, run: impl FnOnce() -> T) -> (T, u64, bool) {
    let deadline = elapsed() + limit;
    let watch = Running { elapsed: Arc::clone(elapsed), deadline, operations: 0, slow: false };
    RUNNING.with_borrow_mut(|running| *running = Some(watch));
    let result = run();
    let watch = RUNNING.with_borrow_mut(Option::take);
    let (operations, slow) = watch.map_or((0, false), |watch| (watch.operations, watch.slow));
    (result, operations, slow)
}

//! Hooks: the modules of `scripts/`, compiled once, each public function with one argument `facts` and a contract of
//! what it returns. A hook answers a value or an error with its file and line; it never acts and never half-answers.

mod survey;

use super::context::Session;
use super::engine;
use super::objects::{self, Object};
use super::ops;
use super::rules::Watch;
use crate::diagnostic::Report;
use recobro_kernel::facts::Registry;
use recobro_kernel::value::{Type, Value};
use rhai::{AST, CallFnOptions, Dynamic, EvalAltResult, FnAccess, Position, Scope};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Shared helpers, put in front of every module.
pub(super) const LIB: &str = "scripts/lib.rhai";

/// What the `@returns` line of a hook promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returns {
    /// A value of a type.
    Of(Type),
    /// One of these texts.
    Texts(Vec<String>),
}

impl Returns {
    /// As the checker's type.
    #[must_use]
    pub fn to_type(&self) -> Type {
        match self {
            Self::Of(of) => of.clone(),
            Self::Texts(texts) => Type::Enum(texts.clone()),
        }
    }

    /// The value, if it keeps the promise; an int is taken for a decimal.
    fn accept(&self, value: Value) -> Result<Value, Value> {
        match self {
            Self::Of(of) => ops::fit(value, of),
            Self::Texts(texts) => match &value {
                Value::Text(text) if texts.contains(text) => Ok(value),
                _ => Err(value),
            },
        }
    }
}

/// A hook as playbooks see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookInfo {
    /// Name of the function.
    pub name: String,
    /// What it promises to return.
    pub returns: Returns,
    /// File, `scripts/risk.rhai`.
    pub file: String,
    /// Line of the function, from 1.
    pub line: u32,
    /// Its doc comment without `@returns`.
    pub doc: String,
    /// Whether its module compares an amount with a bare number, which only makes sense in one currency.
    pub compares_bare_amount: bool,
    /// Names below `facts` that must be tables or variables of the playbook that calls it, with their lines.
    pub open_names: Vec<(String, u32)>,
}

/// A problem inside a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptProblem {
    /// `PB201`, `PB206` or `PB207`.
    pub code: &'static str,
    /// File.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// A compiled module.
pub(super) struct Module {
    /// Its file.
    pub(super) file: String,
    ast: AST,
    hooks: BTreeMap<String, HookInfo>,
    /// Lines of `lib.rhai` in front of it.
    lib_lines: usize,
}

/// The compiled modules of `scripts/`.
#[derive(Clone, Default)]
pub struct Scripts {
    /// The facts that they may name.
    facts: Arc<Registry>,
    modules: BTreeMap<String, Arc<Module>>,
    /// Modules that exist but did not compile.
    broken: BTreeSet<String>,
}

impl Scripts {
    /// Compiles every `scripts/*.rhai`; a module with problems is left out.
    #[must_use]
    pub fn compile(files: &BTreeMap<String, Vec<u8>>) -> (Self, Vec<ScriptProblem>) {
        // What is wrong with the declared facts is told by the check of the project.
        Self::compile_with(files, Arc::new(crate::library::registry(files, &Report::default())))
    }

    /// The same with facts that were read before.
    pub(crate) fn compile_with(files: &BTreeMap<String, Vec<u8>>, facts: Arc<Registry>) -> (Self, Vec<ScriptProblem>) {
        let mut scripts = Self { facts, ..Self::default() };
        let mut problems = Vec::new();
        let lib = files.get(LIB).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
        for (file, bytes) in files {
            let Some(name) = file.strip_prefix("scripts/").and_then(|rest| rest.strip_suffix(".rhai")) else {
                continue;
            };
            // `lib` has no hooks of its own, but its mistakes are worth naming where no module uses it.
            let alone = file == LIB;
            if name.contains(['/', '.']) || (alone && files.keys().any(|other| is_module(other))) {
                continue;
            }
            let source = String::from_utf8_lossy(bytes);
            match compile_module(file, if alone { "" } else { &lib }, &source, &scripts.facts) {
                Ok(module) if !alone => {
                    scripts.modules.insert(name.to_owned(), Arc::new(module));
                }
                Ok(_) => {}
                Err(found) => {
                    scripts.broken.insert(name.to_owned());
                    problems.extend(found);
                }
            }
        }
        problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        problems.dedup();
        (scripts, problems)
    }

    /// A hook by module and name.
    #[must_use]
    pub fn hook(&self, module: &str, name: &str) -> Option<&HookInfo> {
        self.modules.get(module)?.hooks.get(name)
    }

    /// The facts that expressions and hooks may name.
    pub(crate) fn facts(&self) -> &Arc<Registry> {
        &self.facts
    }

    /// Names of the modules.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.modules.keys().map(String::as_str)
    }

    /// Hooks of a module, by name.
    pub fn hooks(&self, module: &str) -> impl Iterator<Item = &HookInfo> {
        self.modules.get(module).into_iter().flat_map(|module| module.hooks.values())
    }

    /// Whether a module exists but did not compile.
    pub(super) fn is_broken(&self, module: &str) -> bool {
        self.broken.contains(module)
    }

    pub(super) fn module(&self, name: &str) -> Option<&Arc<Module>> {
        self.modules.get(name)
    }
}

fn is_module(file: &str) -> bool {
    let name = file.strip_prefix("scripts/").and_then(|rest| rest.strip_suffix(".rhai"));
    file != LIB && name.is_some_and(|name| !name.contains(['/', '.']))
}

/// A line of the joined source in the file it came from.
fn place(file: &str, lib_lines: usize, at: Position) -> (String, u32, u32) {
    let line = at.line().unwrap_or(1);
    let column = u32::try_from(at.position().unwrap_or(1)).unwrap_or(1);
    let (file, line) = if line <= lib_lines { (LIB, line) } else { (file, line - lib_lines) };
    (file.to_owned(), u32::try_from(line).unwrap_or(1), column)
}

fn compile_module(file: &str, lib: &str, source: &str, facts: &Registry) -> Result<Module, Vec<ScriptProblem>> {
    let separator = if lib.is_empty() || lib.ends_with('\n') { "" } else { "\n" };
    let joined = format!("{lib}{separator}{source}");
    let lib_lines = lib.lines().count();
    let problem = |code, at, message: String, help: Option<String>| {
        let (file, line, column) = place(file, lib_lines, at);
        ScriptProblem { code, file, line, column, message, help }
    };
    let ast = engine::runner().compile(&joined).map_err(|error| {
        let reason = engine::lower_first(error.err_type());
        let (file, ..) = place(file, lib_lines, error.position());
        vec![problem(
            "PB207",
            error.position(),
            format!("{file} does not compile: {reason}"),
            compile_help(&joined, &error),
        )]
    })?;
    let mut problems = Vec::new();
    if let Some(stmt) = ast.statements().iter().find(|stmt| !stmt.is_noop()) {
        let help = Some("put it into a function".to_owned());
        problems.push(problem(
            "PB207",
            stmt.position(),
            "a script holds functions, nothing beside them".to_owned(),
            help,
        ));
    }
    let mut hooks = BTreeMap::new();
    for function in ast.iter_functions() {
        let line = line_of(&joined, function.name);
        if function.access == FnAccess::Private || line <= lib_lines {
            continue;
        }
        let at = Position::new(u16::try_from(line).unwrap_or(u16::MAX), 1);
        match hook_of(file, line - lib_lines, &function) {
            Ok(hook) => {
                hooks.insert(hook.name.clone(), hook);
            }
            Err((code, message, help)) => problems.push(problem(code, at, message, Some(help))),
        }
    }
    let found = survey::survey(&ast, facts);
    for finding in found.findings {
        problems.push(problem(finding.code, finding.at, finding.message, finding.help));
    }
    for (name, at) in found.open_names {
        let (_, line, _) = place(file, lib_lines, at);
        // The function that a line stands in is the last one that begins at or before it.
        let owner = hooks.values_mut().filter(|hook| hook.line <= line).max_by_key(|hook| hook.line);
        if let Some(owner) = owner.filter(|_| at.line().is_some_and(|line| line > lib_lines)) {
            owner.open_names.push((name, line));
        }
    }
    if found.compares_bare_amount {
        for hook in hooks.values_mut() {
            hook.compares_bare_amount = true;
        }
    }
    if problems.is_empty() { Ok(Module { file: file.to_owned(), ast, hooks, lib_lines }) } else { Err(problems) }
}

fn compile_help(joined: &str, error: &rhai::ParseError) -> Option<String> {
    let line = joined.lines().nth(error.position().line()? - 1)?;
    let rest: String = line.chars().skip(error.position().position()?.saturating_sub(1)).collect();
    let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if !engine::DISABLED.contains(&word.as_str()) {
        return None;
    }
    Some(format!("hooks know no `{word}`: they have `fn let if switch for` and the helpers, and return a value"))
}

/// Line of `fn NAME`, from 1.
fn line_of(joined: &str, name: &str) -> usize {
    let starts = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("private ").unwrap_or(line).trim_start();
        let rest = line.strip_prefix("fn ").map(str::trim_start).and_then(|rest| rest.strip_prefix(name));
        rest.is_some_and(|rest| rest.trim_start().starts_with('('))
    };
    joined.lines().position(starts).map_or(1, |at| at + 1)
}

type Refusal = (&'static str, String, String);

fn hook_of(file: &str, line: usize, function: &rhai::ScriptFnMetadata<'_>) -> Result<HookInfo, Refusal> {
    let name = function.name;
    if function.params != ["facts"] {
        let message = format!("hook `{name}` must have exactly one parameter, `facts`");
        return Err(("PB206", message, format!("write `fn {name}(facts)`, or `private fn {name}` for a helper")));
    }
    let lines = function.comments.iter().flat_map(|comment| comment.lines());
    let lines = lines.map(|line| line.trim_start_matches(['/', '*', ' ']).trim_end_matches(['*', '/', ' ']));
    let (contract, doc): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with("@returns"));
    let Some(contract) = contract.first() else {
        let help = "add a line `/// @returns bool`, or the texts: `/// @returns \"a\" | \"b\"`".to_owned();
        return Err(("PB207", format!("hook `{name}` does not say what it returns"), help));
    };
    let contract = contract.trim_start_matches("@returns").trim();
    let Some(returns) = read_returns(contract) else {
        let help = "a type (bool int decimal text date duration, or `[text]`), or texts: `\"a\" | \"b\"`".to_owned();
        return Err(("PB207", format!("hook `{name}`: `@returns {contract}` is no type"), help));
    };
    let line = u32::try_from(line).unwrap_or(u32::MAX);
    let doc = doc.join(" ").trim().to_owned();
    Ok(HookInfo {
        name: name.to_owned(),
        returns,
        file: file.to_owned(),
        line,
        doc,
        compares_bare_amount: false,
        open_names: Vec::new(),
    })
}

fn read_returns(text: &str) -> Option<Returns> {
    if text.starts_with('"') {
        let text_of = |part: &str| Some(part.trim().strip_prefix('"')?.strip_suffix('"')?.to_owned());
        return text.split('|').map(text_of).collect::<Option<_>>().map(Returns::Texts);
    }
    let plain = |name: &str| {
        Some(match name {
            "bool" => Type::Bool,
            "int" => Type::Int,
            "decimal" => Type::Decimal,
            "text" => Type::Text,
            "date" => Type::Date,
            "instant" => Type::Instant,
            "duration" => Type::Span,
            _ => return None,
        })
    };
    let list = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let of = match list {
        Some(item) => Type::List(Box::new(plain(item.trim())?)),
        None => plain(text)?,
    };
    Some(Returns::Of(of))
}

/// Calls a hook with the facts of a session.
///
/// # Errors
/// The reason with file and line, and whether the wall clock stopped it.
pub(super) fn call(session: &Arc<Session>, watch: &Watch, module: &str, name: &str) -> Result<Value, (String, bool)> {
    let unknown = || (format!("there is no hook `{module}::{name}`"), false);
    let code = session.program.modules.get(module).ok_or_else(unknown)?;
    let info = code.hooks.get(name).ok_or_else(unknown)?;
    let options = CallFnOptions::new().eval_ast(false).rewind_scope(true).with_tag(Arc::clone(session));
    let run = || {
        let facts = Dynamic::from(Object::facts(Arc::clone(session)));
        engine::runner().call_fn_with_options::<Dynamic>(options, &mut Scope::new(), &code.ast, name, (facts,))
    };
    let caught = |run| catch_unwind(AssertUnwindSafe(run));
    let (result, operations, slow) = engine::watched(&watch.elapsed, watch.limit, || caught(run));
    session.log().ops += operations;
    let hook = format!("{module}::{name}");
    if slow {
        let limit = watch.limit.as_millis();
        return Err((format!("{hook} ({}:{}) ran longer than {limit} ms", info.file, info.line), true));
    }
    match result {
        Ok(Ok(value)) => {
            let found = objects::from_dynamic(&value);
            let shown =
                found.as_ref().map_or_else(|| engine::runner().map_type_name(value.type_name()).to_owned(), describe);
            found.and_then(|value| info.returns.accept(value).ok()).ok_or_else(|| {
                let promised = promise(&info.returns);
                (
                    format!("{hook} ({}:{}) returned {shown}; its `@returns` says {promised}", info.file, info.line),
                    false,
                )
            })
        }
        Ok(Err(error)) => Err((explain(&hook, code, info, &error), false)),
        Err(_) => Err((format!("{hook} ({}:{}) made the rule engine panic; simplify it", info.file, info.line), false)),
    }
}

fn promise(returns: &Returns) -> String {
    match returns {
        Returns::Of(of) => of.to_string(),
        Returns::Texts(texts) => texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(" | "),
    }
}

/// A value for a message: texts in quotes, long ones cut.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Missing => "nothing".to_owned(),
        Value::Text(text) => format!("\"{}\"", text.chars().take(40).collect::<String>()),
        Value::List(_) => "a list".to_owned(),
        other => other.to_string(),
    }
}

/// The innermost reason, with the line it happened in; limits carry no line, so the hook's own stands in.
fn explain(hook: &str, module: &Module, info: &HookInfo, error: &EvalAltResult) -> String {
    let mut inner = error;
    let mut at = error.position();
    while let EvalAltResult::ErrorInFunctionCall(_, _, cause, pos) = inner {
        inner = cause;
        at = if cause.position().is_none() { at_or(at, *pos) } else { cause.position() };
    }
    let (file, line) = if at.is_none() {
        (info.file.clone(), info.line)
    } else {
        let (file, line, _) = place(&module.file, module.lib_lines, at);
        (file, line)
    };
    format!("{hook} failed at {file}:{line}: {}", reason(inner))
}

fn at_or(at: Position, other: Position) -> Position {
    if at.is_none() { other } else { at }
}

fn reason(error: &EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorRuntime(value, _) => value.to_string(),
        EvalAltResult::ErrorTooManyOperations(_) => {
            format!("it takes more than {} operations; shorten the loop", engine::MAX_OPERATIONS)
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            format!("more than {} calls inside calls; a hook may not recurse so deep", engine::MAX_CALL_LEVELS)
        }
        EvalAltResult::ErrorDataTooLarge(what, _) => format!("{} is too large", engine::lower_first(what)),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => match signature.split_once(" (") {
            Some((op, types)) if !op.chars().any(char::is_alphanumeric) => {
                format!("`{op}` does not fit ({}; a missing fact is `()`: ask `has(..)` first", readable(types))
            }
            _ => format!("there is no function {}", readable(signature)),
        },
        EvalAltResult::ErrorMismatchDataType(wanted, found, _) => {
            format!("{} needed, {} found", readable(wanted), readable(found))
        }
        other => {
            let text = engine::lower_first(other);
            text.split(" (line ").next().unwrap_or_default().to_owned()
        }
    }
}

/// rhai's names of types as playbooks know them.
fn readable(signature: &str) -> String {
    let names =
        [("i64", "int"), ("&str | ImmutableString | String", "text"), ("string", "text"), ("Decimal", "decimal")];
    names.iter().fold(signature.to_owned(), |text, (from, to)| text.replace(from, to))
}

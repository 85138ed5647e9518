//! Which facts the text of a template reads: those that do not exist are problems at once, those that may be missing
//! are looked at where a step uses the template.

use crate::diagnostic::{Diagnostic, Report};
use crate::script::registry;
use crate::yaml::{Place, Spot};
use recobro_kernel::facts::{self, Presence, Registry};
use std::sync::Arc;

/// A fact that may be missing, read without a guard.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    /// Path.
    pub(crate) path: String,
    /// Where it stands.
    pub(crate) place: Place,
}

/// Roots whose fields are registered facts.
const ROOTS: &[&str] = &["contacts", "contract", "customer", "dispute", "invoice", "plan", "promise"];

/// Reads a whole template file, subject included.
pub(super) fn scan(report: &Report, facts: &Registry, file: &Arc<str>, source: &str) -> Vec<Use> {
    let mut guards: Vec<String> = Vec::new();
    let mut uses = Vec::new();
    let mut rest = source;
    while let Some(open) = rest.find("{%").into_iter().chain(rest.find("{{")).chain(rest.find("{#")).min() {
        let tag = &rest[open..open + 2];
        let close = match tag {
            "{%" => "%}",
            "{{" => "}}",
            _ => "#}",
        };
        let inner = &rest[open + 2..];
        let Some(length) = inner.find(close) else { break };
        let offset = source.len() - inner.len();
        let text = &inner[..length];
        match tag {
            "{%" => statement(text, &mut guards),
            "{{" => {
                for (path, at) in paths(text) {
                    let place = place(file, source, offset + at, path.len());
                    uses.extend(fact((report, facts), &path, place, text, &guards));
                }
            }
            _ => {}
        }
        rest = &inner[length + 2..];
    }
    uses
}

fn statement(text: &str, guards: &mut Vec<String>) {
    let text = text.trim().trim_matches('-').trim();
    let (word, condition) = text.split_once(' ').unwrap_or((text, ""));
    match word {
        "if" => guards.push(condition.to_owned()),
        "elif" => {
            guards.pop();
            guards.push(condition.to_owned());
        }
        "else" => {
            guards.pop();
            guards.push(String::new());
        }
        "endif" => {
            guards.pop();
        }
        _ => {}
    }
}

/// Reports an unknown fact; returns one that may be missing here.
fn fact((report, facts): (&Report, &Registry), path: &str, place: Place, text: &str, guards: &[String]) -> Option<Use> {
    let root = path.split('.').next().unwrap_or_default();
    if !ROOTS.contains(&root) || root == path {
        return None;
    }
    let optional = match (facts.find(path), registry::extra_named(path)) {
        (Some(fact), _) => fact.presence() == Presence::Optional || facts::OPTIONAL_ROOTS.contains(&root),
        (None, Some(extra)) => extra.optional,
        (None, None) => {
            let known = facts.paths().chain(registry::EXTRAS.iter().map(|extra| extra.path));
            let problem = Diagnostic::error("PB106", &place, format!("a template uses `{path}`, which is no fact"));
            report.push(problem.nearest(path, known));
            return None;
        }
    };
    let guarded = text.contains("default(") || text.contains(" if ") || guards.iter().any(|guard| guard.contains(root));
    (optional && !guarded).then(|| Use { path: path.to_owned(), place })
}

/// Names with dots in an expression, outside quotes, with their byte offsets.
fn paths(text: &str) -> Vec<(String, usize)> {
    let (mut found, mut quote, mut word) = (Vec::new(), None, None);
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        let part = c.is_alphanumeric() || c == '_' || (c == '.' && word.is_some());
        match (quote, word) {
            (Some(open), _) if c == open => quote = None,
            (None, None) if matches!(c, '"' | '\'') => quote = Some(c),
            (None, None) if part => word = Some(at),
            (None, Some(start)) if !part => {
                found.push((text[start..at].trim_end_matches('.').to_owned(), start));
                word = None;
                quote = matches!(c, '"' | '\'').then_some(c);
            }
            (Some(_) | None, _) => {}
        }
    }
    found
}

fn place(file: &Arc<str>, source: &str, offset: usize, length: usize) -> Place {
    let before = &source[..offset];
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX - 1);
    let line = narrow(before.matches('\n').count() + 1);
    let column = narrow(before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1);
    let end = Spot { line, column: column + narrow(length) };
    Place { file: Arc::clone(file), start: Spot { line, column }, end }
}

//! Rules about the shape of a source file: its first line, its length, its functions, what it must not say.

use super::source::Source;
use super::{Finding, Tree};

/// Every source file says what it owns.
pub(super) const HEAD: &str = "head";
/// Files stay readable.
pub(super) const FILE: &str = "file-length";
/// Functions stay readable.
pub(super) const FUNCTION: &str = "function-length";
/// No `unwrap` outside tests.
pub(super) const UNWRAP: &str = "unwrap";
/// Lints and tests are not silenced without a reason.
pub(super) const SILENCE: &str = "silence";

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

pub(super) fn head(tree: &Tree, findings: &mut Vec<Finding>) {
    let silent = tree.sources.iter().filter(|source| !source.text.starts_with("//! "));
    findings.extend(silent.map(|source| {
        Finding::new(HEAD, &source.path, 1, "the file does not start with `//! ` and what it owns, what it never does")
    }));
}

pub(super) fn file(tree: &Tree, findings: &mut Vec<Finding>) {
    for source in &tree.sources {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX && !gives_reason(source) {
            let message =
                format!("{lines} lines, more than {FILE_LINES_MAX}; split it, or say why in a `//! size:` line");
            findings.push(Finding::new(FILE, &source.path, 1, message));
        }
    }
}

fn gives_reason(source: &Source) -> bool {
    let head = source.text.lines().take_while(|line| line.starts_with("//!"));
    let reasons = head.filter_map(|line| line.split_once("size:"));
    reasons.into_iter().any(|(_, reason)| !reason.trim().is_empty())
}

/// Counts lines of code outside tests: what a test compares with may be as long as it is.
pub(super) fn function(tree: &Tree, findings: &mut Vec<Finding>) {
    for source in &tree.sources {
        let functions = source.functions().into_iter().filter(|function| !source.in_test(function.at));
        for long in functions.filter(|function| function.lines > FUNCTION_LINES_MAX) {
            let message = format!("`{}` has {} lines of code, more than {FUNCTION_LINES_MAX}", long.name, long.lines);
            findings.push(Finding::new(FUNCTION, &source.path, long.line, message));
        }
    }
}

pub(super) fn unwrap(tree: &Tree, findings: &mut Vec<Finding>) {
    for source in &tree.sources {
        for call in [".unwrap()", ".unwrap_err()"] {
            let calls = source.code.match_indices(call).map(|(at, _)| at).filter(|at| !source.in_test(*at));
            let message = format!("`{call}` outside tests; return the error, or `expect(\"why it cannot fail\")`");
            findings.extend(calls.map(|at| Finding::at(UNWRAP, source, at, message.clone())));
        }
    }
}

pub(super) fn silence(tree: &Tree, findings: &mut Vec<Finding>) {
    const SILENCERS: [(&str, &str); 5] = [
        ("#[allow(", "use `#[expect(lint, reason = \"..\")]`"),
        ("#![allow(", "use `#![expect(lint, reason = \"..\")]`"),
        ("#[ignore", "a test that does not run proves nothing"),
        ("#[should_panic", "assert on the error; a panic is a bug"),
        ("#[expect(", "say the reason"),
    ];
    for source in &tree.sources {
        for (mark, way_out) in SILENCERS {
            let marks = source.code.match_indices(mark).map(|(at, _)| at).filter(|at| !has_reason(source, *at, mark));
            findings.extend(marks.map(|at| Finding::at(SILENCE, source, at, format!("`{mark}`: {way_out}"))));
        }
    }
}

fn has_reason(source: &Source, at: usize, mark: &str) -> bool {
    let attribute = source.code[at..].split(")]").next().unwrap_or("");
    mark == "#[expect(" && attribute.contains("reason")
}

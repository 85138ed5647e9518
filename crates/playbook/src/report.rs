//! Reports of diagnostics: text with the line and a caret, JSON of a versioned shape, SARIF 2.1.0.

use crate::Files;
use crate::diagnostic::{Diagnostic, Severity};
use serde_json::{Value, json};
use std::fmt::Write;

/// Version of the JSON shape.
const SCHEMA: &str = "recobro.check.v1";

/// For people: one block per problem.
#[must_use]
pub fn text(diagnostics: &[Diagnostic], files: &Files) -> String {
    let mut out = String::new();
    for (i, diagnostic) in diagnostics.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        block(&mut out, diagnostic, files);
    }
    out
}

fn block(out: &mut String, d: &Diagnostic, files: &Files) {
    let _ = writeln!(out, "{}[{}]: {}", d.severity.name(), d.code, d.message);
    let _ = writeln!(out, "  --> {}:{}:{}", d.file, d.line, d.column);
    let number = d.line.to_string();
    let margin = " ".repeat(number.len());
    if let Some(line) = line_of(files, &d.file, d.line) {
        let column = d.column.saturating_sub(1) as usize;
        let width = if d.end_line == d.line { d.end_column.saturating_sub(d.column) as usize } else { usize::MAX };
        let rest = line.chars().count().saturating_sub(column);
        let carets = "^".repeat(width.min(rest).max(1));
        // Tabs stay tabs so that the caret stands under its word.
        let lead: String = line.chars().take(column).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let label = d.label.as_ref().map(|label| format!(" {label}")).unwrap_or_default();
        let _ = writeln!(out, "{number} | {line}");
        let _ = writeln!(out, "{margin} | {lead}{carets}{label}");
    } else if let Some(label) = &d.label {
        let _ = writeln!(out, "{margin} = help: {label}");
    }
    for note in &d.notes {
        let _ = writeln!(out, "{margin} = note: {note}");
    }
    if let Some(help) = &d.help {
        let _ = writeln!(out, "{margin} = help: {help}");
    }
}

fn line_of(files: &Files, file: &str, line: u32) -> Option<String> {
    let bytes = files.get(file)?;
    let text = String::from_utf8_lossy(bytes);
    let found = text.lines().nth((line as usize).checked_sub(1)?)?;
    let found = found.trim_end();
    (!found.is_empty() && found.chars().count() <= 400).then(|| found.to_owned())
}

/// For programs: `{schema, diagnostics: [{code, severity, file, line, column, end_line, end_column, message, help}]}`.
#[must_use]
pub fn json(diagnostics: &[Diagnostic]) -> String {
    let list: Vec<Value> = diagnostics
        .iter()
        .map(|d| {
            json!({
                "code": d.code,
                "severity": d.severity.name(),
                "file": d.file,
                "line": d.line,
                "column": d.column,
                "end_line": d.end_line,
                "end_column": d.end_column,
                "message": d.message,
                "help": d.way_out(),
            })
        })
        .collect();
    // One document a line, as everything that is printed for programs.
    json!({ "schema": SCHEMA, "diagnostics": list }).to_string()
}

/// For code hosts: SARIF 2.1.0.
#[must_use]
pub fn sarif(diagnostics: &[Diagnostic]) -> String {
    let mut codes: Vec<&str> = diagnostics.iter().map(|d| d.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let rules: Vec<Value> = codes.iter().map(|code| json!({ "id": code })).collect();
    let results: Vec<Value> = diagnostics.iter().map(result).collect();
    pretty(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "recobro", "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    }))
}

fn result(d: &Diagnostic) -> Value {
    let mut message = d.message.clone();
    for extra in d.way_out().iter().chain(&d.notes) {
        let _ = write!(message, "\n{extra}");
    }
    json!({
        "ruleId": d.code,
        "level": match d.severity { Severity::Error => "error", Severity::Warning => "warning" },
        "message": { "text": message },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": d.file },
                "region": {
                    "startLine": d.line,
                    "startColumn": d.column,
                    "endLine": d.end_line,
                    "endColumn": d.end_column.max(d.column + u32::from(d.end_line == d.line)),
                },
            },
        }],
    })
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn sample() -> Vec<Diagnostic> {
        let place = crate::yaml::Place::line(&Arc::from("workflows/x.yaml"), 3, 5);
        vec![Diagnostic::error("PB101", &place, "no template `a`").label("did you mean `b`?").help("look")]
    }

    #[test]
    fn json_has_the_promised_shape() {
        let read: Value = serde_json::from_str(&json(&sample())).unwrap();
        let want = json!({"schema": SCHEMA, "diagnostics": [{
            "code": "PB101", "severity": "error", "file": "workflows/x.yaml", "line": 3, "column": 5, "end_line": 3,
            "end_column": 5, "message": "no template `a`", "help": "did you mean `b`?; look",
        }]});
        assert_eq!(read, want);
    }

    #[test]
    fn sarif_names_rule_level_and_region() {
        let read: Value = serde_json::from_str(&sarif(&sample())).unwrap();
        let result = &read["runs"][0]["results"][0];
        assert_eq!((&result["ruleId"], &result["level"]), (&json!("PB101"), &json!("error")));
        let region = &result["locations"][0]["physicalLocation"]["region"];
        assert_eq!(*region, json!({"startLine": 3, "startColumn": 5, "endLine": 3, "endColumn": 6}));
    }
}

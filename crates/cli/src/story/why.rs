//! The reason of a decision in a few words: the clause, table row, note or value that settled it.

use recobro_kernel::expr::Clause;
use recobro_kernel::record::{Decision, Reads};
use serde_json::Value;

/// Roots that readers do not need in front of a fact.
const ROOTS: &[&str] = &["customer.", "invoice.", "promise.", "dispute.", "plan.", "contacts.", "event.", "run."];

/// Why the decision came out as it did; nothing for fields that explain themselves.
pub(crate) fn of(decision: &Decision) -> Option<String> {
    if let Some(name) = decision.field.strip_prefix("with.") {
        return Some(format!("{name} = {}", plain(&decision.result)));
    }
    let condition = matches!(decision.field.as_str(), "when" | "stage_when" | "handler_when");
    if !condition && !decision.field.starts_with("choose") {
        return None;
    }
    if !decision.notes.is_empty() {
        return Some(decision.notes.join(", "));
    }
    let settled = deciding(&decision.clauses, decision.result.as_bool());
    let (text, value) = match settled {
        Some(clause) => (clause.text.as_str(), clause.value.map_or(Value::Null, Value::Bool)),
        None => (decision.expr.as_str(), decision.result.clone()),
    };
    Some(clause(decision, text, &value))
}

/// First true clause of an `or`, first false one of an `and`; where all agree, the last one asked.
fn deciding(clauses: &[Clause], result: Option<bool>) -> Option<&Clause> {
    let result = result?;
    let short = clauses.iter().any(|clause| clause.value.is_none());
    let mut same = clauses.iter().filter(|clause| clause.value == Some(result));
    let mixed = clauses.iter().any(|clause| clause.value == Some(!result));
    // All operands agree and all were asked: `a or b` both false, `a and b` both true. The last one settled it.
    if short || mixed { same.next() } else { same.next_back() }
}

fn clause(decision: &Decision, text: &str, value: &Value) -> String {
    if let Some(used) = decision.tables.iter().find(|used| text.contains(&format!("{}.", used.table))) {
        return format!("{} row {}: {} = {}", used.table, used.row, used.output, plain(&used.value));
    }
    if let Some(hook) = hook(text) {
        return match decision.read.last() {
            Some((path, fact)) => format!("{hook}: {} = {}", last(path), plain(fact)),
            None => format!("{hook} -> {}", plain(value)),
        };
    }
    format!("{} -> {}", without_root(text), plain(value))
}

trait Last {
    fn last(&self) -> Option<&(String, Value)>;
}

impl Last for Reads {
    fn last(&self) -> Option<&(String, Value)> {
        self.0.last()
    }
}

/// `risk::can_keep_plan(facts)` is the hook `can_keep_plan`.
fn hook(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("::")?;
    rest.split_once('(').map(|(name, _)| name.trim())
}

fn last(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, last)| last)
}

fn without_root(text: &str) -> String {
    let mut left = text;
    let mut shown = String::new();
    let mut before = ' ';
    while let Some(letter) = left.chars().next() {
        let at_word = !before.is_alphanumeric() && before != '_' && before != '.' && before != '"';
        if at_word && let Some(root) = ROOTS.iter().find(|root| left.starts_with(**root)) {
            left = &left[root.len()..];
            before = '.';
            continue;
        }
        shown.push(letter);
        before = letter;
        left = &left[letter.len_utf8()..];
    }
    shown
}

/// A value without quotes.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "missing".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use recobro_kernel::expr::TableUse;
    use recobro_kernel::record::Place;
    use serde_json::json;

    fn decision(field: &str, expr: &str, result: Value, clauses: &[(&str, Option<bool>)]) -> Decision {
        let clauses = clauses.iter().map(|(text, value)| Clause { text: (*text).to_owned(), value: *value }).collect();
        Decision {
            place: Place::default(),
            field: field.to_owned(),
            expr: expr.to_owned(),
            result,
            read: Reads::default(),
            clauses,
            tables: Vec::new(),
            notes: Vec::new(),
            ops: 0,
        }
    }

    #[test]
    fn the_first_true_clause_of_an_or_settles_it() {
        let risk = decision(
            "when",
            "customer.risk != \"low\" or invoice.balance > 3000",
            json!(true),
            &[("customer.risk != \"low\"", Some(true)), ("invoice.balance > 3000", None)],
        );
        assert_eq!(of(&risk).unwrap(), "risk != \"low\" -> true");
    }

    #[test]
    fn a_hook_without_a_note_names_the_last_fact_it_read() {
        let clauses = [("not customer.has_open_plan", Some(true)), ("risk::can_keep_plan(facts)", Some(false))];
        let mut plan = decision("when", "both", json!(false), &clauses);
        plan.read = Reads(vec![
            ("customer.has_open_plan".to_owned(), json!(false)),
            ("customer.broken_promises".to_owned(), json!(1)),
        ]);
        assert_eq!(of(&plan).unwrap(), "can_keep_plan: broken_promises = 1");
        plan.notes = vec!["one promise broken".to_owned()];
        assert_eq!(of(&plan).unwrap(), "one promise broken");
    }

    #[test]
    fn a_table_is_named_by_its_row() {
        let mut call = decision("when", "approach.opening == \"call\"", json!(false), &[]);
        let row = TableUse { table: "approach".into(), row: 4, output: "opening".into(), value: json!("email") };
        call.tables = vec![row.clone()];
        assert_eq!(of(&call).unwrap(), "approach row 4: opening = email");
        let mut with = decision("with.tone", "approach.tone", json!("friendly"), &[]);
        with.tables = vec![row];
        assert_eq!(of(&with).unwrap(), "tone = friendly");
    }

    #[test]
    fn roots_go_only_where_they_start_a_fact() {
        assert_eq!(without_root("today > promise.date and x.event.y"), "today > date and x.event.y");
    }
}

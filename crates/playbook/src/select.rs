//! PB402: two playbooks of one priority that may both take the same invoice.

use crate::build::Built;
use crate::diagnostic::{Diagnostic, Report};
use recobro_kernel::playbook::{Comparison, Playbook, Test};
use recobro_kernel::value::Value;
use rust_decimal::Decimal;

/// Compares every pair of playbooks.
pub(crate) fn overlaps(report: &Report, all: &[Built]) {
    for (i, later) in all.iter().enumerate() {
        for earlier in &all[..i] {
            pair(report, earlier, later);
        }
    }
}

fn pair(report: &Report, earlier: &Built, later: &Built) {
    let (a, b) = (&earlier.compiled.playbook, &later.compiled.playbook);
    if a.applies_to.priority != b.applies_to.priority {
        return;
    }
    if matches!((a.currency, b.currency), (Some(a), Some(b)) if a != b) {
        return;
    }
    let Some(sample) = sample(a, b) else { return };
    let priority = a.applies_to.priority;
    let message = format!("playbooks {} and {} both match {sample} and have priority {priority}", a.name, b.name);
    // A `when:` may tell them apart; nobody can know before an invoice comes.
    let unsure = a.applies_to.when.is_some() || b.applies_to.when.is_some();
    let problem = if unsure {
        Diagnostic::warning("PB402", &later.priority, message)
    } else {
        Diagnostic::error("PB402", &later.priority, message)
    };
    report.push(problem.help("give one of them a higher `priority:`, or tests that no invoice can pass in both"));
}

/// Values that pass both playbooks' tests; nothing if some fact cannot.
fn sample(a: &Playbook, b: &Playbook) -> Option<String> {
    let mut paths: Vec<&str> =
        a.applies_to.tests.iter().chain(&b.applies_to.tests).map(|(path, _)| path.as_str()).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut shown = Vec::new();
    for path in paths {
        let tests: Vec<&Test> = [a, b]
            .into_iter()
            .flat_map(|p| &p.applies_to.tests)
            .filter(|(p, _)| p == path)
            .map(|(_, test)| test)
            .collect();
        match witness(&tests) {
            Witness::Value(value) => shown.push(value.to_string()),
            Witness::Unknown => {}
            Witness::None => return None,
        }
    }
    shown.extend(a.currency.or(b.currency).map(|currency| currency.to_string()));
    Some(if shown.is_empty() { "any invoice".to_owned() } else { shown.join(" / ") })
}

/// Whether some value may pass all tests.
pub(crate) fn meet(tests: &[&Test]) -> bool {
    !matches!(witness(tests), Witness::None)
}

enum Witness {
    Value(Value),
    Unknown,
    None,
}

/// A value that passes all tests: tried from the ends that the tests themselves name.
fn witness(tests: &[&Test]) -> Witness {
    let mut candidates = Vec::new();
    for test in tests {
        match test {
            Test::Any => {}
            Test::Is(value) => candidates.push(value.clone()),
            Test::In(values) => candidates.extend(values.iter().cloned()),
            Test::Compare(how, value) => {
                candidates.push(value.clone());
                candidates.extend(beside(value, *how));
            }
            Test::Range(low, high) => candidates.extend([low.clone(), high.clone()]),
        }
    }
    if candidates.is_empty() {
        return Witness::Unknown;
    }
    match candidates.into_iter().find(|value| tests.iter().all(|test| test.accepts(value))) {
        Some(value) => Witness::Value(value),
        None if tests.iter().all(|test| matches!(test, Test::Compare(Comparison::NotEqual, _))) => Witness::Unknown,
        None => Witness::None,
    }
}

/// A value just beyond a limit, where the limit itself is left out.
fn beside(value: &Value, how: Comparison) -> Option<Value> {
    let step = match how {
        Comparison::More | Comparison::NotEqual => Decimal::new(1, 2),
        Comparison::Less => Decimal::new(-1, 2),
        Comparison::AtLeast | Comparison::AtMost | Comparison::Equal => return None,
    };
    match value {
        Value::Int(n) => Some(Value::Int(if step.is_sign_negative() { n.checked_sub(1)? } else { n.checked_add(1)? })),
        Value::Decimal(d) => d.checked_add(step).map(Value::Decimal),
        Value::Date(date) if step.is_sign_negative() => date.pred_opt().map(Value::Date),
        Value::Date(date) => date.succ_opt().map(Value::Date),
        _ => None,
    }
}

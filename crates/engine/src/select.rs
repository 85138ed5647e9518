//! Which playbook takes an invoice: read once, when it enters. An invoice that none takes is listed with the reason
//! and tried again when it, its customer or the published playbooks change.

use crate::library::Shelf;
use recobro_kernel::expr::{Run, View};
use recobro_kernel::facts::Facts;
use recobro_kernel::law::Law;
use recobro_kernel::playbook::AppliesTo;
use recobro_kernel::record::{Picked, Reads};
use recobro_kernel::time::Timestamp;
use recobro_kernel::value::Value;
use recobro_playbook::{Compiled, Selection};
use std::sync::Arc;

/// The playbook of an invoice, and what picked it: the row of `segments.yaml`, else the one of highest priority whose
/// tests, currency and condition accept the facts.
///
/// # Errors
/// The reason for people: what the nearest playbook refused, an undecided tie, or a condition that failed.
pub(crate) fn select(shelf: &Shelf, facts: &Arc<Facts>, now: Timestamp) -> Result<(Arc<Compiled>, Picked), String> {
    match &shelf.selection {
        Some(table) => by_table(shelf, table, facts, now),
        None => by_priority(&shelf.current, facts, &shelf.law, now),
    }
}

/// The playbook of the table's row; it must still take the invoice itself.
fn by_table(
    shelf: &Shelf,
    table: &Selection,
    facts: &Arc<Facts>,
    now: Timestamp,
) -> Result<(Arc<Compiled>, Picked), String> {
    let Some(selected) = table.of(&shelf.facts, facts) else {
        return Err("no row of segments.yaml takes it; end the table with a row of `_`".to_owned());
    };
    let choice = Picked {
        by: format!("segments.yaml row {}", selected.number),
        read: reads(selected.read),
        note: selected.row.note.clone(),
    };
    let Some(name) = &selected.row.playbook else { return Err(format!("{} -> none", choice.sentence())) };
    let refused = |reason: String| format!("{} -> {name}, which {reason}", choice.sentence());
    let Some(candidate) = shelf.current.iter().find(|candidate| candidate.playbook.name == *name) else {
        return Err(refused("is not published".to_owned()));
    };
    match accepts(candidate, facts, &shelf.law, now) {
        Ok(()) => Ok((Arc::clone(candidate), choice)),
        Err(reason) => Err(refused(format!("refuses it: {reason}"))),
    }
}

fn reads<'a>(read: impl IntoIterator<Item = (&'a str, Value)>) -> Reads {
    Reads(read.into_iter().map(|(path, value)| (path.to_owned(), value.to_plain())).collect())
}

fn by_priority(
    playbooks: &[Arc<Compiled>],
    facts: &Arc<Facts>,
    law: &Arc<Law>,
    now: Timestamp,
) -> Result<(Arc<Compiled>, Picked), String> {
    let mut best: Vec<&Arc<Compiled>> = Vec::new();
    let mut refusals = Vec::new();
    for candidate in playbooks {
        match accepts(candidate, facts, law, now) {
            Ok(()) => {
                let priority = candidate.playbook.applies_to.priority;
                match best.first().map(|b| b.playbook.applies_to.priority) {
                    Some(top) if top > priority => {}
                    Some(top) if top == priority => best.push(candidate),
                    Some(_) | None => best = vec![candidate],
                }
            }
            Err(reason) => refusals.push(format!("{}: {reason}", candidate.playbook.name)),
        }
    }
    match best.as_slice() {
        [one] => {
            let AppliesTo { tests, priority, .. } = &one.playbook.applies_to;
            let asked = tests.iter().map(|(path, _)| (path.as_str(), one.playbook.facts.read(path, facts)));
            let by = format!("applies_to, priority {priority}");
            Ok((Arc::clone(one), Picked { by, read: reads(asked), note: None }))
        }
        [] if refusals.is_empty() => Err("no playbook is published".to_owned()),
        [] => Err(refusals.join("; ")),
        several => {
            let names: Vec<&str> = several.iter().map(|b| b.playbook.name.as_str()).collect();
            Err(format!("{} match with the same priority; raise one of them", names.join(" and ")))
        }
    }
}

fn accepts(candidate: &Compiled, facts: &Arc<Facts>, law: &Arc<Law>, now: Timestamp) -> Result<(), String> {
    let playbook = &candidate.playbook;
    if let Some(currency) = playbook.currency
        && currency != facts.invoice.currency
    {
        return Err(format!("currency is {}, it takes {currency}", facts.invoice.currency));
    }
    for (path, test) in &playbook.applies_to.tests {
        let value = playbook.facts.read(path, facts);
        if !test.accepts(&value) {
            return Err(format!("{path} is {value}"));
        }
    }
    let Some(when) = playbook.applies_to.when else { return Ok(()) };
    let view = view(candidate, facts, law, now);
    match candidate.rules.eval(when, &view) {
        Ok(answer) if answer.value == Value::Bool(true) => Ok(()),
        Ok(_) => Err(format!("`{}` is false", playbook.expr(when).source)),
        Err(recobro_kernel::expr::RuleError::Failed(cause) | recobro_kernel::expr::RuleError::Slow(cause)) => {
            Err(format!("its condition failed: {cause}"))
        }
    }
}

fn view(candidate: &Compiled, facts: &Arc<Facts>, law: &Arc<Law>, now: Timestamp) -> View {
    let playbook = &candidate.playbook;
    let customer = &facts.customer;
    View {
        facts: Arc::clone(facts),
        event: None,
        run: Run {
            playbook: playbook.name.as_str().into(),
            version: i64::from(playbook.version),
            stage: "".into(),
            step: "".into(),
            clock_day: (facts.today - facts.invoice.due).num_days(),
            held_days: 0,
            skipped_days: 0,
            generation: 1,
        },
        vars: Arc::new(playbook.vars.clone()),
        marks: Arc::default(),
        now,
        today: facts.today,
        calendar: law.calendar_for(&customer.country, customer.subdivision.as_deref(), &playbook.calendar),
        law: Arc::clone(law),
    }
}

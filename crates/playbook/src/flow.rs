//! What a playbook would do over time: steps nothing reaches, waits and stages without an end, days that run backwards,
//! handlers nobody hears. All of it without running anything.

mod graph;

use crate::build::{Builder, Jump};
use crate::diagnostic::Diagnostic;
use crate::yaml::Node;
use recobro_kernel::playbook::{Step, Verb};
use recobro_kernel::time::{Span, Unit};
use std::collections::BTreeMap;

/// Checks PB301 to PB311 that need the flattened playbook.
pub(crate) fn check(builder: &Builder<'_>, node: &Node) {
    let jumps = &builder.jumps;
    if !builder.stages.is_empty() && builder.cursor_len > 0 {
        if !builder.broken {
            reach(builder);
        }
        days_decrease(builder);
        gaps(builder);
    }
    for jump in jumps {
        backwards(builder, jump);
        waits(builder, jump);
    }
    handlers(builder, node);
}

/// PB301 and PB303.
fn reach(builder: &Builder<'_>) {
    let graph::Reached { reached, runs_off } = graph::reached(builder);
    let mut reported = None;
    for (position, step) in builder.steps[..builder.cursor_len].iter().enumerate() {
        // A step that cannot run takes the rest of its stage with it: one report for all.
        if reached[position] || reported == Some(step.stage) || is_synthetic(builder, position) {
            continue;
        }
        reported = Some(step.stage);
        unreached(builder, position, step);
    }
    let Some(position) = runs_off else { return };
    let node = &builder.nodes[position];
    let key = node.key(builder.steps[position].verb.name()).or_else(|| node.entries().first().map(|(key, _)| key));
    let place = key.map_or(&node.place, |key| &key.place);
    builder.report().push(
        Diagnostic::error("PB303", place, "the last stage can run off its end without an outcome")
            .help("end with `finish: OUTCOME`"),
    );
}

fn is_synthetic(builder: &Builder<'_>, position: usize) -> bool {
    builder.nodes[position].entries().is_empty() || builder.steps[position].path.contains("/on_error/")
}

fn unreached(builder: &Builder<'_>, position: usize, step: &Step) {
    let Some(stage) = step.stage else { return };
    let found = &builder.stages[stage];
    let first = found.first == position;
    let node = &builder.nodes[position];
    let (place, message) = if first {
        (&builder.stage_places[stage], format!("step can never run: nothing reaches stage `{}`", found.name))
    } else {
        let place = node.key(step.verb.name()).map_or(&node.place, |key| &key.place);
        (place, format!("step can never run: the step before `{}` never goes on", step.id))
    };
    let mut problem = Diagnostic::error("PB301", place, message);
    if first && stage > 0 {
        let before = &builder.stages[stage - 1].name;
        problem = problem.note(format!("stage `{before}` leaves on every path and no `goto: {}` exists", found.name));
    }
    builder.report().push(problem);
}

/// PB304. A handler may stand beside any step, so from there only the first stage can never be ahead.
fn backwards(builder: &Builder<'_>, jump: &Jump) {
    let name = &builder.stages[jump.to].name;
    let problem = match jump.from.and_then(|from| builder.steps[from].stage) {
        Some(from) if jump.to <= from => {
            Diagnostic::error("PB304", &jump.place, format!("`goto: {name}` points backwards"))
                .help("repeat a step with `repeat: {times: 3, every: 5 working days}`, or `restart` from a handler")
        }
        None if jump.to == 0 && jump.from.is_none() => Diagnostic::error(
            "PB304",
            &jump.place,
            format!("`goto: {name}` names the first stage, which is never ahead"),
        )
        .help("`then: restart` begins anew (a new due date); `then: resume` goes on; a jump names a later stage"),
        Some(_) | None => return,
    };
    builder.report().push(problem);
}

/// PB311: a jump keeps the target's day, so it may wait there.
fn waits(builder: &Builder<'_>, jump: &Jump) {
    let first = builder.stages[jump.to].first;
    let Some(day) = builder.steps.get(first).filter(|step| step.stage == Some(jump.to)).and_then(|step| step.day)
    else {
        return;
    };
    let from = jump.from.map_or(i64::MIN, |from| day_at(builder, from));
    if jump.at_once || from >= day {
        return;
    }
    let name = &builder.stages[jump.to].name;
    builder.report().push(
        Diagnostic::warning("PB311", &jump.place, format!("`goto: {name}` lands on `day: {day}` and waits until then"))
            .help("`at_once: true` moves the clock"),
    );
}

/// The last day written at or before a step.
fn day_at(builder: &Builder<'_>, position: usize) -> i64 {
    builder.steps[..=position].iter().filter_map(|step| step.day).max().unwrap_or(i64::MIN)
}

/// PB305.
fn days_decrease(builder: &Builder<'_>) {
    let mut last: Option<i64> = None;
    for (position, step) in builder.steps[..builder.cursor_len].iter().enumerate() {
        let Some(day) = step.day else { continue };
        if let Some(before) = last.filter(|before| *before > day) {
            let node = &builder.nodes[position];
            let place = node.get("day").map_or(&node.place, |day| &day.place);
            builder.report().push(
                Diagnostic::error(
                    "PB305",
                    place,
                    format!("`day: {day}` comes after `day: {before}`; days may not decrease"),
                )
                .help("move the step up the page, or count with `after:` from the step before"),
            );
        }
        // Arms stand beside each other: only the main line moves the page's day on.
        if builder.is_main(position) {
            last = Some(last.map_or(day, |before| before.max(day)));
        }
    }
}

/// PB310: contact steps closer together than the gap.
fn gaps(builder: &Builder<'_>) {
    let Some(gap) = builder.head.contact.min_gap.and_then(days_of) else { return };
    let mut stages: BTreeMap<usize, Vec<(usize, i64)>> = BTreeMap::new();
    for (position, step) in builder.steps[..builder.cursor_len].iter().enumerate() {
        let contact = match &step.verb {
            Verb::Send(id) | Verb::OfferPlan(id) => {
                builder.shared.templates.get(id).is_some_and(|template| !template.info.class.is_exempt())
            }
            _ => false,
        };
        if let (true, Some(day), Some(stage), true, None) =
            (contact, step.day, step.stage, builder.is_main(position), step.when)
        {
            stages.entry(stage).or_default().push((position, day));
        }
    }
    for days in stages.values() {
        let mut real: Vec<i64> = Vec::new();
        for (_, day) in days {
            let earliest = real.last().map_or(*day, |last| last + gap);
            real.push((*day).max(earliest));
        }
        let slips = days.iter().zip(&real).position(|((_, day), real)| day != real);
        let Some(first) = slips else { continue };
        let (position, _) = days[first.saturating_sub(1)];
        let node = &builder.nodes[position];
        let place = node.entries().first().map_or(&node.place, |(key, _)| &key.place);
        let from = first.saturating_sub(1);
        let written: Vec<String> = days[from..].iter().map(|(_, day)| day.to_string()).collect();
        let real: Vec<String> = real[from..].iter().map(ToString::to_string).collect();
        let (last, others) = (written.last().cloned().unwrap_or_default(), written[..written.len() - 1].join(", "));
        let message = format!(
            "contact steps on days {others} and {last} cannot respect `min_gap: {gap} days`; the plan will slip to days {}",
            real.join(", ")
        );
        builder.report().push(Diagnostic::warning("PB310", place, message));
    }
}

/// Civil days of a span; nothing for hours, working days and months, which are not compared with the clock.
fn days_of(span: Span) -> Option<i64> {
    match span.unit {
        Unit::Days => Some(span.count),
        Unit::Weeks => Some(span.count * 7),
        Unit::Minutes | Unit::Hours | Unit::WorkingDays | Unit::Months => None,
    }
}

/// PB308 and PB309.
fn handlers(builder: &Builder<'_>, node: &Node) {
    if !builder.handlers.iter().any(|handler| handler.event == "invoice.paid") {
        let place = node.key("whenever").or_else(|| node.key("stages")).or_else(|| node.key("playbook"));
        let place = place.map_or(&node.place, |key| &key.place);
        builder.report().push(
            Diagnostic::error(
                "PB308",
                place,
                "no handler for `invoice.paid`: the built-in one would end the case without a word to the customer",
            )
            .help("`- {event: invoice.paid, do: [{send: thank-you}], then: {finish: paid}}`"),
        );
    }
    for (late, handler) in builder.handlers.iter().enumerate() {
        let earlier =
            builder.handlers[..late].iter().find(|early| early.event == handler.event && early.when.is_none());
        let Some(early) = earlier else { continue };
        let event = builder.handler_nodes[late].key("event").unwrap_or(&builder.handler_nodes[late]);
        let whose = if early.file == handler.file {
            format!("line {}", early.line)
        } else {
            format!("{}:{}", early.file, early.line)
        };
        let message = format!("this handler is never reached: {whose} takes every `{}`", handler.event);
        builder.report().push(
            Diagnostic::warning("PB309", &event.place, message)
                .help("give the earlier one a `when:`, or leave this one out (`except:` of an include)"),
        );
    }
}

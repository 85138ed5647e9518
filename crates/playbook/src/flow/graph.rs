//! Which positions the cursor can reach.

use crate::build::Builder;
use recobro_kernel::playbook::{Choice, Outlet, Step, Verb};

/// What the cursor can reach.
pub(super) struct Reached {
    /// By position.
    pub(super) reached: Vec<bool>,
    /// The last step on the page from which the end is reached without an outcome; one that stands on the page, where
    /// there is one.
    pub(super) runs_off: Option<usize>,
}

/// Walks from the first step, and from wherever handlers, backlogs and other playbooks enter.
pub(super) fn reached(builder: &Builder<'_>) -> Reached {
    let end = builder.cursor_len;
    let mut reached = vec![false; end + 1];
    let mut open = vec![0];
    let mut runs_off = None;
    let first = |stage: usize| builder.stages.get(stage).map_or(end, |stage| stage.first);
    open.extend(builder.jumps.iter().filter(|jump| jump.from.is_none()).map(|jump| first(jump.to)));
    open.extend(builder.head.backlog.map(|backlog| first(backlog.start_at)));
    let handed = builder.shared.handovers.iter().filter(|(playbook, _)| *playbook == builder.head.name);
    open.extend(handed.filter_map(|(_, at)| builder.stages.iter().position(|stage| stage.name == *at)).map(first));
    while let Some(position) = open.pop() {
        if position > end || std::mem::replace(&mut reached[position], true) {
            continue;
        }
        if let Some(step) = builder.steps.get(position).filter(|_| position < end) {
            ways(step, &mut |way| {
                let to = match way {
                    Way::Next => step.next,
                    Way::Position(to) => to,
                    Way::Stage(stage) => first(stage),
                };
                if to == end {
                    runs_off = runs_off.max(Some((!super::is_synthetic(builder, position), position)));
                }
                open.push(to);
            });
        }
    }
    Reached { reached, runs_off: runs_off.map(|(_, position)| position) }
}

enum Way {
    Next,
    Position(usize),
    Stage(usize),
}

/// Every way out of a step.
fn ways(step: &Step, take: &mut dyn FnMut(Way)) {
    let options = &step.options;
    let beside = [Some(&step.on_error), options.on_timeout.as_ref(), options.on_reject.as_ref()];
    for outlet in beside.into_iter().flatten().chain(options.outcomes.values()) {
        // The default of `on_error` says nothing about a step that always leaves.
        if !(matches!(outlet, Outlet::Next) && leaves(step)) {
            outlet_ways(outlet, take);
        }
    }
    if step.when.is_some() || step.stage.is_none() {
        take(Way::Next);
    }
    match &step.verb {
        Verb::Goto { stage, .. } => take(Way::Stage(*stage)),
        Verb::Finish(_) | Verb::Handover(_) => {}
        Verb::Choose(Choice::Cases { cases, .. }) => cases.values().for_each(|outlet| outlet_ways(outlet, take)),
        Verb::Choose(Choice::List { arms, otherwise }) => {
            arms.iter().map(|(_, outlet)| outlet).chain([otherwise]).for_each(|outlet| outlet_ways(outlet, take));
        }
        Verb::Split { arms } => arms.iter().for_each(|(_, _, first)| take(Way::Position(*first))),
        Verb::Send(_)
        | Verb::Call(_)
        | Verb::Task(_)
        | Verb::Approve(_)
        | Verb::OfferPlan(_)
        | Verb::Escalate(_)
        | Verb::Outsource(_)
        | Verb::Request(_)
        | Verb::Wait(_)
        | Verb::WaitFor(_)
        | Verb::Set(_)
        | Verb::Notify(_)
        | Verb::Hold(_) => take(Way::Next),
    }
}

fn leaves(step: &Step) -> bool {
    matches!(step.verb, Verb::Goto { .. } | Verb::Finish(_) | Verb::Handover(_) | Verb::Choose(_) | Verb::Split { .. })
}

fn outlet_ways(outlet: &Outlet, take: &mut dyn FnMut(Way)) {
    match outlet {
        Outlet::Next | Outlet::Remind(_) => take(Way::Next),
        Outlet::Steps(steps) => match steps.first() {
            Some(first) => take(Way::Position(*first)),
            None => take(Way::Next),
        },
        Outlet::Goto { stage, .. } => take(Way::Stage(*stage)),
        Outlet::Finish(_) | Outlet::Handover(_) => {}
    }
}

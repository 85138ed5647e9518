//! A decided turn as the store writes it: the row of the case, its history chained to the row before, its consequences.

use crate::db::Claimed;
use recobro_kernel::case::Case;
use recobro_kernel::chain;
use recobro_kernel::decide::Turn;
use recobro_kernel::effect::{Effect, EffectKind, NewTask};
use recobro_kernel::ids::{CaseId, CustomerId, GroupId, Hash};
use recobro_kernel::playbook::Playbook;
use recobro_kernel::time::Timestamp;
use recobro_store::CaseNo;
use recobro_store::commit::{Snapshot, TurnCommit};
use recobro_store::history::HistoryRow;
use recobro_store::outbox::{Birth, Lease, NewEffect};
use recobro_store::tasks::{CloseTask, OpenTask};
use recobro_store::wake::{Priority, WakeAt, Waking};

/// What is written of a turn.
pub(crate) enum Written {
    /// Everything.
    Turn(Box<TurnCommit>),
    /// The turn recorded nothing: only the wake-up moves.
    Rest(CaseNo, Option<WakeAt>),
}

/// The stage of a step by its path, empty in a handler.
pub(crate) fn stage_of<'a>(playbook: &'a Playbook, path: &str) -> &'a str {
    playbook.steps.iter().position(|step| step.path == path).map_or("", |position| playbook.stage_name(position))
}

/// Answers about one thing alone, which nobody gives for several invoices at once.
const ALONE: [&str; 3] = ["accepted", "rejected", "withdrawn"];

/// What a person does in one go where the playbook bundles: one call to a customer for all invoices, and work of one
/// name. A decision is about one invoice, and so is what is required.
fn together(playbook: &Playbook, customer: &CustomerId, task: &NewTask) -> Option<GroupId> {
    playbook.contact.bundle.as_ref()?;
    let required = playbook.steps.iter().any(|step| step.path == task.step && step.required);
    let alone = required || task.outcomes.iter().any(|outcome| ALONE.contains(&outcome.as_str()));
    match task.kind.as_str() {
        "call" if !required => Some(GroupId::derive(&["one call", customer.as_str()])),
        "task" if !alone => Some(GroupId::derive(&["one task", customer.as_str(), &task.subject, &task.assignee])),
        _ => None,
    }
}

/// How what a turn orders begins its life.
#[derive(Clone, Copy)]
pub(crate) enum Born<'a> {
    /// To be claimed.
    Ready,
    /// Its contacts wait for a person.
    Held,
    /// In the hands of the worker that writes it.
    Carried(&'a Lease),
}

impl Born<'_> {
    fn birth(self, effect: &Effect) -> Birth {
        let due_at = effect.ordered_at;
        match self {
            Self::Held if effect.kind == EffectKind::Contact && !effect.class.is_exempt() => Birth::Held { due_at },
            Self::Carried(lease) => Birth::Carried { due_at, owner: lease.owner.clone(), lease_until: lease.until },
            Self::Ready | Self::Held => Birth::Ready { due_at },
        }
    }
}

/// Makes the commit of a turn. `before` is the case as it was, nothing for a new one; `follows` the case that a new one
/// of the same batch continues.
pub(crate) fn commit(
    before: Option<&Claimed>,
    turn: &Turn,
    playbook: &Playbook,
    follows: Option<CaseId>,
    born: Born<'_>,
) -> Written {
    let timer = turn.case.wake.as_ref().map(|wake| WakeAt { due_at: wake.at, priority: Priority::Timer });
    let news = before.and_then(|before| before.later).map(|due_at| WakeAt { due_at, priority: Priority::News });
    // News of a later moment is there already: whatever the turn waits for, it comes first where it is earlier.
    let wake = [timer, news].into_iter().flatten().min_by_key(|wake| (wake.due_at, wake.priority));
    if let (Some(before), true) = (before, turn.body.records.is_empty()) {
        return Written::Rest(before.no, wake);
    }
    let at = turn.body.at;
    let opened = turn.opened.iter().map(|task| OpenTask {
        id: task.id,
        kind: task.kind.clone(),
        subject: task.subject.clone(),
        stage: stage_of(playbook, &task.step).to_owned(),
        step: task.step.clone(),
        assignee: task.assignee.clone(),
        by: task.by.clone(),
        outcomes: task.outcomes.clone(),
        seen: task.seen,
        opened_at: task.opened_at,
        limit_at: task.limit_at,
        together: together(playbook, &turn.case.customer, task),
    });
    let closed = turn.closed.iter().map(|task| CloseTask { id: task.id, outcome: task.outcome.clone(), at });
    let effects = turn.effects.iter().map(|effect| NewEffect {
        id: effect.id,
        customer: effect.customer.clone(),
        invoice: effect.invoice.clone(),
        lane: effect.lane.clone(),
        payload: serde_json::to_string(effect).expect("an effect is plain data"),
        birth: born.birth(effect),
    });
    Written::Turn(Box::new(TurnCommit {
        no: before.map(|before| before.no),
        expected: before.map_or(0, |before| before.case.rev),
        follows,
        history: history(before, turn, at),
        wake: waking(before, wake),
        effects: effects.collect(),
        recalls: turn.recalls.clone(),
        resolved: turn.resolved.clone(),
        opened: opened.collect(),
        closed: closed.collect(),
        consumed: turn.consumed.clone(),
        news: Vec::new(),
        case: snapshot(&turn.case, playbook),
    }))
}

/// Nobody has claimed a carried case: news may be waking it at this moment.
fn waking(before: Option<&Claimed>, wake: Option<WakeAt>) -> Waking {
    match before {
        Some(before) if before.carried => match (&before.case.wake, wake) {
            (None, None) => Waking::Keep,
            _ => Waking::Timer(wake),
        },
        None if wake.is_none() => Waking::Keep,
        Some(_) | None => Waking::Set(wake),
    }
}

fn history(before: Option<&Claimed>, turn: &Turn, at: Timestamp) -> HistoryRow {
    let body = serde_json::to_string(&turn.body).expect("a turn's body is plain data");
    let prev = before.map_or_else(Hash::default, |before| before.head);
    let seq = turn.body.seq;
    let taken = before.map_or(&[][..], |before| &before.events);
    let newest = taken.iter().rev().find(|event| turn.consumed.contains(&event.id));
    HistoryRow {
        seq,
        rev: turn.case.rev,
        at,
        actor: newest.map_or_else(|| "worker".to_owned(), |event| event.actor.clone()),
        cause: newest.map(|event| event.id.to_string()),
        hash: chain::link(&chain::case_stream(turn.case.id), seq, prev, body.as_bytes()),
        body,
        prev,
    }
}

fn snapshot(case: &Case, playbook: &Playbook) -> Snapshot {
    let position = case.cursor.position;
    let step = playbook.steps.get(position).filter(|_| position < playbook.cursor_len);
    Snapshot {
        id: case.id,
        invoice: case.invoice.clone(),
        customer: case.customer.clone(),
        playbook: case.playbook.clone(),
        version: case.version,
        bundle: case.bundle,
        content: case.content,
        generation: case.generation,
        status: case.status,
        outcome: case.outcome.map(|outcome| outcome.name().to_owned()),
        stage: step.map_or_else(String::new, |_| playbook.stage_name(position).to_owned()),
        step: step.map_or_else(String::new, |step| step.path.clone()),
        next_at: case.wake.as_ref().map(|wake| wake.at),
        next_reason: case.wake.as_ref().map_or_else(String::new, |wake| wake.reason.clone()),
        entered_at: case.entered_at,
        state: serde_json::to_string(case).expect("a case is plain data"),
    }
}

//! One conversation: what is due to one address at the same time leaves in one message.
//!
//! The message speaks with the text of the highest level; it lists every invoice. Each effect keeps its own row, outcome
//! and history, and shares the message's key, which follows from who is in it.

use super::{Handing, Ready, prepare};
use crate::Engine;
use crate::Error;
use crate::facts::Loaded;
use crate::render::Line;
use recobro_kernel::effect::Effect;
use recobro_kernel::ids::{CustomerId, EffectId, GroupId};
use recobro_store::contacts::ContactRow;
use recobro_store::outbox::OutboxRow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Customers of claimed rows that bundle, by lane.
pub(super) fn mates(rows: &[OutboxRow]) -> Result<BTreeMap<String, Vec<CustomerId>>, Error> {
    let mut mates: BTreeMap<String, BTreeSet<CustomerId>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.payload.contains("\"bundled\":true")) {
        let effect: Effect = serde_json::from_str(&row.payload)
            .map_err(|cause| Error::Corrupt { what: format!("effect {}", row.id), cause: cause.to_string() })?;
        if effect.bundled {
            mates.entry(row.lane.clone()).or_default().insert(row.customer.clone());
        }
    }
    Ok(mates.into_iter().map(|(lane, customers)| (lane, customers.into_iter().collect())).collect())
}

/// Makes one message of what goes to the same address; what is alone leaves as it is.
pub(super) fn merge(
    engine: &Engine,
    bundled: Vec<Ready<'_>>,
    loaded: &Loaded,
    spent: &mut [ContactRow],
) -> Vec<Handing> {
    let mut groups: BTreeMap<GroupId, Vec<Ready<'_>>> = BTreeMap::new();
    for ready in bundled {
        groups.entry(ready.effect.group).or_default().push(ready);
    }
    groups.into_values().map(|group| one_message(engine, group, loaded, spent)).collect()
}

fn one_message(engine: &Engine, mut group: Vec<Ready<'_>>, loaded: &Loaded, spent: &mut [ContactRow]) -> Handing {
    // The highest level speaks; of equals the oldest due, then the largest.
    group.sort_by_key(|one| {
        (Reverse(level(one)), one.facts.invoice.due, Reverse(one.facts.invoice.claimable_minor()), one.effect.id)
    });
    if group.len() == 1
        && let Some(alone) = group.pop()
    {
        return prepare(engine, alone, loaded, &[]);
    }
    let lines: Vec<Line> = lines(&group);
    let key = key(&group);
    let from =
        group.iter().max_by_key(|one| (one.bundle.compiled.playbook.applies_to.priority, Reverse(one.effect.id)));
    let from = from.map(|one| one.effect.from.clone()).unwrap_or_default();
    let (at, on) = (group[0].at, group[0].facts.today);
    let ids: BTreeSet<String> = group.iter().map(|one| one.effect.id.to_string()).collect();
    for row in spent.iter_mut().filter(|row| ids.contains(&row.id)) {
        (row.at, row.local_on) = (at, on);
    }
    let mut all = group.into_iter().map(|one| Ready { at, ..one });
    let Some(first) = all.next() else { unreachable!("a group has members") };
    let effect = Effect { key: Some(key), from, ..first.effect };
    let mut leader = prepare(engine, Ready { effect, ..first }, loaded, &lines);
    leader.carried = all.map(|one| prepare(engine, one, loaded, &[])).collect();
    leader
}

/// The same effects make the same message, whatever has changed since: a lane takes it once.
fn key(group: &[Ready<'_>]) -> EffectId {
    let ids: BTreeSet<String> = group.iter().map(|one| one.effect.id.to_string()).collect();
    let mut parts = vec!["together"];
    parts.extend(ids.iter().map(String::as_str));
    EffectId::derive(&parts)
}

fn level(ready: &Ready<'_>) -> u8 {
    ready.bundle.compiled.playbook.templates.get(&ready.effect.subject).map_or(0, |info| info.level)
}

/// The invoices of a message, the oldest due first.
fn lines(group: &[Ready<'_>]) -> Vec<Line> {
    let mut lines: Vec<Line> = group
        .iter()
        .map(|one| Line {
            number: one.facts.invoice.number.clone(),
            due: one.facts.invoice.due,
            claimable: one.facts.invoice.money(one.facts.invoice.claimable_minor()),
            level: level(one),
        })
        .collect();
    lines.sort_by(|a, b| (a.due, &a.number).cmp(&(b.due, &b.number)));
    lines.dedup_by(|a, b| a.number == b.number);
    lines
}

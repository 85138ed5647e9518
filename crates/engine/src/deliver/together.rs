//! One conversation: what is due to one address at the same time leaves in one message.
//!
//! The message speaks with the text of the highest level; it lists every invoice. Each effect keeps its own row, outcome
//! and history, and shares the message's key, which follows from who is in it.

use super::{Handing, Ready, effect_of, prepare};
use crate::facts::Loaded;
use crate::priority::rank;
use crate::render::Line;
use crate::{Engine, Error};
use recobro_kernel::effect::Effect;
use recobro_kernel::ids::{CustomerId, EffectId};
use recobro_store::contacts::ContactRow;
use recobro_store::outbox::{self, OutboxRow};
use recobro_store::{Tx, wake};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// How a payload says that it bundles: most do not, and need not be read for it.
const BUNDLED: &str = "\"bundled\":true";

/// Customers of claimed rows that bundle, by lane.
pub(super) fn mates(rows: &[OutboxRow]) -> Result<BTreeMap<String, Vec<CustomerId>>, Error> {
    let mut mates: BTreeMap<String, BTreeSet<CustomerId>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.payload.contains(BUNDLED)) {
        let effect = effect_of(row)?;
        if effect.bundled {
            mates.entry(row.lane.clone()).or_default().insert(row.customer.clone());
        }
    }
    Ok(mates.into_iter().map(|(lane, customers)| (lane, customers.into_iter().collect())).collect())
}

/// How long what is ready waits for other cases of its customer, which are due and may have something to add.
const WAITS_US: i64 = 15 * 60 * 1_000_000;

/// Puts back what bundles and whose customer has cases that are due and not decided yet, perhaps by another worker: they
/// may say something in the same message.
pub(super) async fn only_decided(engine: &Engine, tx: &mut Tx, rows: Vec<OutboxRow>) -> Result<Vec<OutboxRow>, Error> {
    let now = engine.clock.now();
    let customers: BTreeSet<CustomerId> = mates(&rows)?.into_values().flatten().collect();
    if customers.is_empty() {
        return Ok(rows);
    }
    let customers: Vec<CustomerId> = customers.into_iter().collect();
    let undecided = wake::undecided(tx, &customers, now).await?;
    if undecided.is_empty() {
        return Ok(rows);
    }
    // What left in a message before leaves with nobody new, and what has waited long waits no more.
    let since = now.plus_us(-WAITS_US);
    let waits = |row: &OutboxRow| undecided.contains(&row.customer) && row.bundle.is_none() && row.due_at > since;
    let (waiting, ready): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| waits(row) && row.payload.contains(BUNDLED));
    if !waiting.is_empty() {
        outbox::put_back(tx, &waiting.iter().map(|row| row.id).collect::<Vec<_>>()).await?;
    }
    Ok(ready)
}

/// Makes one message of what goes to the same address; what is alone leaves as it is.
pub(super) fn merge(
    engine: &Engine,
    bundled: Vec<Ready<'_>>,
    loaded: &Loaded,
    spent: &mut [ContactRow],
) -> Vec<Handing> {
    let mut groups: BTreeMap<String, Vec<Ready<'_>>> = BTreeMap::new();
    for ready in bundled {
        // What left before, or may have, leaves again with those it left with: nobody joins, and the key stays.
        let group = ready.row.bundle.clone().unwrap_or_else(|| ready.effect.group.to_string());
        groups.entry(group).or_default().push(ready);
    }
    groups.into_values().flat_map(|group| messages(engine, group, loaded, spent)).collect()
}

/// One message of a group; a text that cannot be rendered fails alone, and the others leave without it.
fn messages(engine: &Engine, mut group: Vec<Ready<'_>>, loaded: &Loaded, spent: &mut [ContactRow]) -> Vec<Handing> {
    // The highest level speaks; of equals the oldest due, then the largest. All are of one class.
    group.sort_by_key(|one| (rank(one.effect.class, level(one), &one.facts), one.effect.id));
    let mut done = Vec::new();
    while !group.is_empty() {
        let (lines, key) = (lines(&group), key(&group));
        let (from, spoken) =
            speaker(&group).map(|one| (one.effect.from.clone(), one.effect.locale.clone())).unwrap_or_default();
        let first = group.remove(0);
        let (at, on) = (first.at, first.facts.today);
        let locale = locale(&first, &spoken);
        let effect = Effect { key: Some(key), from, locale, ..first.effect.clone() };
        let leader = prepare(engine, Ready { effect, ..first }, loaded, if group.is_empty() { &[] } else { &lines });
        if leader.item.is_err() {
            done.push(leader);
            continue;
        }
        let ids: BTreeSet<String> = group.iter().map(|one| one.effect.id.to_string()).collect();
        for row in spent.iter_mut().filter(|row| ids.contains(&row.id)) {
            (row.at, row.local_on) = (at, on);
        }
        let carried = group.drain(..).map(|one| prepare(engine, Ready { at, ..one }, loaded, &[])).collect();
        done.push(Handing { carried, ..leader });
    }
    done
}

/// Who speaks: the playbook that is asked first gives the sender and the language.
fn speaker<'a, 'b>(group: &'a [Ready<'b>]) -> Option<&'a Ready<'b>> {
    group.iter().max_by_key(|one| (one.bundle.compiled.playbook.applies_to.priority, Reverse(one.effect.id)))
}

/// The language of the playbook that is asked first, where the text that speaks is written in it; else the text's own.
fn locale(first: &Ready<'_>, spoken: &str) -> String {
    let effect = &first.effect;
    let channel = effect.channel.map_or(effect.lane.as_str(), |channel| channel.name());
    let exists = first.bundle.templates.header(&effect.subject, channel, spoken).is_some();
    if exists { spoken.to_owned() } else { effect.locale.clone() }
}

/// The key under which it left before; else what is alone keeps its own, and the same effects make the same message.
fn key(group: &[Ready<'_>]) -> EffectId {
    if let Some(key) = group.iter().find_map(|one| one.row.bundle.as_deref()?.parse().ok()) {
        return key;
    }
    if let [alone] = group {
        return alone.effect.key.unwrap_or(alone.effect.id);
    }
    let ids: BTreeSet<String> = group.iter().map(|one| one.effect.id.to_string()).collect();
    let mut parts = vec!["together"];
    parts.extend(ids.iter().map(String::as_str));
    EffectId::derive(&parts)
}

fn level(ready: &Ready<'_>) -> u8 {
    super::asking::level(ready.bundle, &ready.effect)
}

/// The invoices of a message, the oldest due first.
fn lines(group: &[Ready<'_>]) -> Vec<Line> {
    let mut lines: Vec<Line> = group
        .iter()
        .map(|one| Line {
            invoice: one.facts.invoice.id.clone(),
            number: one.facts.invoice.number.clone(),
            due: one.facts.invoice.due,
            claimable: one.facts.invoice.money(one.facts.invoice.claimable_minor()),
            level: level(one),
        })
        .collect();
    lines.sort_by(|a, b| (a.due, &a.number, &a.invoice).cmp(&(b.due, &b.number, &b.invoice)));
    lines.dedup_by(|a, b| a.invoice == b.invoice);
    lines
}

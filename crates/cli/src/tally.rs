//! Counts over the history of many cases: contacts by step and channel, work by kind and outcome, what was held back.

use recobro_kernel::effect::EffectKind;
use recobro_kernel::ids::{EffectId, TaskId};
use recobro_kernel::record::{Record, TurnBody};
use serde::Serialize;
use std::collections::BTreeMap;

/// How often.
pub(crate) type Counts = BTreeMap<String, u64>;

/// What many cases did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Tally {
    /// Contacts by step, then channel.
    pub(crate) contacts: BTreeMap<String, Counts>,
    /// Hand-overs and requests by lane.
    pub(crate) handed_over: Counts,
    /// Contacts refused or failed, by channel.
    pub(crate) refused: Counts,
    /// Work by kind, then outcome; `open` where nobody answered yet.
    pub(crate) tasks: BTreeMap<String, Counts>,
    /// Times a rule held a step back.
    pub(crate) held_back: Counts,
    /// News by name: promises, disputes, replies, payments.
    pub(crate) news: Counts,
}

/// What one case did: what makes it worth looking at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deeds {
    /// Contacts that left.
    pub(crate) contacts: u32,
    /// Promises broken.
    pub(crate) broken: u32,
    /// Disputes opened.
    pub(crate) disputes: u32,
    /// Hand-overs.
    pub(crate) placed: u32,
    /// Work opened.
    pub(crate) work: u32,
    /// Times something was held back.
    pub(crate) held_back: u32,
}

fn add(counts: &mut Counts, name: &str) {
    *counts.entry(name.to_owned()).or_default() += 1;
}

/// The last part of a step's path: `whenever/3/promise-broken` counts as `promise-broken`.
fn local(step: &str) -> &str {
    step.rsplit('/').next().unwrap_or(step)
}

impl Tally {
    /// Takes one case's turns, oldest first.
    pub(crate) fn take(&mut self, turns: &[TurnBody]) -> Deeds {
        let mut deeds = Deeds::default();
        let mut open: BTreeMap<TaskId, String> = BTreeMap::new();
        let mut lanes: BTreeMap<EffectId, (EffectKind, String)> = BTreeMap::new();
        for record in turns.iter().flat_map(|turn| &turn.records) {
            self.record(record, &mut deeds, &mut open, &mut lanes);
        }
        for kind in open.into_values() {
            add(self.tasks.entry(kind).or_default(), "open");
        }
        deeds
    }

    fn record(
        &mut self,
        record: &Record,
        deeds: &mut Deeds,
        open: &mut BTreeMap<TaskId, String>,
        lanes: &mut BTreeMap<EffectId, (EffectKind, String)>,
    ) {
        match record {
            Record::Ordered { effect, state, lane, .. } => drop(lanes.insert(*effect, (state.kind, lane.clone()))),
            // What another message took along is no message of its own.
            Record::Sent { bundle, .. } if !bundle.is_empty() => {}
            Record::Sent { place, effect, lane, .. } => {
                let contact = lanes.get(effect).is_none_or(|(kind, _)| *kind == EffectKind::Contact);
                if contact {
                    deeds.contacts += 1;
                    add(self.contacts.entry(local(&place.step).to_owned()).or_default(), lane);
                } else {
                    deeds.placed += u32::from(matches!(lane.as_str(), "agency" | "legal"));
                    add(&mut self.handed_over, lane);
                }
            }
            Record::Delivery { effect, state, .. } if matches!(state.as_str(), "refused" | "failed" | "bounced") => {
                let lane = lanes.get(effect).map_or("unknown", |(_, lane)| lane.as_str()).to_owned();
                add(&mut self.refused, &lane);
            }
            Record::WorkOpened { work, .. } => {
                deeds.work += 1;
                open.insert(work.id, work.kind.clone());
            }
            Record::WorkClosed { task, outcome, .. } => {
                if let Some(kind) = open.remove(task) {
                    add(self.tasks.entry(kind).or_default(), outcome);
                }
            }
            Record::Deferred { moved, .. } => {
                deeds.held_back += 1;
                // Each limit that moved it, once: the last one binds, the others held it back as well.
                let rules: std::collections::BTreeSet<&str> = moved.iter().map(|limit| limit.rule.as_str()).collect();
                for rule in rules {
                    add(&mut self.held_back, rule);
                }
            }
            Record::Returned { rule, .. } => {
                deeds.held_back += 1;
                add(&mut self.held_back, rule);
            }
            Record::Event { event, .. } => {
                deeds.broken += u32::from(event.name == "promise.broken");
                deeds.disputes += u32::from(event.name == "dispute.opened");
                if !event.name.starts_with("outcome.") {
                    add(&mut self.news, &event.name);
                }
            }
            _ => {}
        }
    }

    /// Contacts by channel.
    pub(crate) fn by_channel(&self) -> Counts {
        let mut all = Counts::new();
        for (channel, count) in self.contacts.values().flatten() {
            *all.entry(channel.clone()).or_default() += count;
        }
        all
    }
}

//! May this contact leave now? One function, asked when a turn predicts, at the claim and again before the hand-over.

use crate::case::Case;
use crate::effect::{Effect, EffectKind};
use crate::facts::{Channel, ContactPoint, Facts};
use crate::law::Law;
use crate::playbook::Playbook;
use crate::schedule::{self, Wish};
use crate::time::Timestamp;

/// The guard's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may leave.
    Allow,
    /// Not before an instant.
    Defer {
        /// Earliest next try.
        until: Timestamp,
        /// Rule that moved it, the binding one.
        rule: String,
    },
    /// Not at all this way.
    Forbid {
        /// Rule that forbids it.
        rule: String,
    },
}

/// The dispatch check: something claimable, not held, not finished, reachable, inside the window, gap and caps kept?
///
/// `facts.contacts` must be the customer's contact ledger as locked by the claim, without this effect's own row.
#[must_use]
pub fn dispatch(
    effect: &Effect,
    playbook: &Playbook,
    case: &Case,
    facts: &Facts,
    law: &Law,
    now: Timestamp,
) -> Verdict {
    if let Some(rule) = stopped(effect, case, facts) {
        // Back to the case, which knows when to ask again.
        return Verdict::Defer { until: now, rule: rule.to_owned() };
    }
    if effect.kind != EffectKind::Contact {
        return Verdict::Allow;
    }
    if let (Some(to), Some(channel)) = (&effect.to, effect.channel)
        && !facts
            .customer
            .contact_points
            .iter()
            .any(|point| point.id == *to && point.channel == channel && point.usable)
    {
        return Verdict::Forbid { rule: format!("{} is closed for this customer", channel.name()) };
    }
    let customer = &facts.customer;
    let calendar = law.calendar_for(&customer.country, customer.subdivision.as_deref(), &playbook.calendar);
    let place = schedule::Place {
        playbook,
        calendar: &calendar,
        staff: &calendar,
        zone: customer.time_zone,
        contacts: &facts.contacts,
    };
    let wish = Wish { channel: effect.channel, group: Some(effect.group), exempt: effect.class.is_exempt() };
    let (at, moved) = schedule::limits(place, &playbook.contact, wish, now);
    match moved.last() {
        Some(last) if at > now => Verdict::Defer { until: at, rule: last.rule.clone() },
        _ => Verdict::Allow,
    }
}

fn stopped(effect: &Effect, case: &Case, facts: &Facts) -> Option<&'static str> {
    if effect.kind == EffectKind::Notify || effect.exempt {
        return None;
    }
    if case.is_finished() {
        Some("finished")
    } else if case.is_held() {
        Some("held")
    } else if case.paused.is_some() {
        Some("paused")
    } else if facts.invoice.claimable_minor() <= 0 {
        Some("nothing claimable")
    } else {
        None
    }
}

/// The contact point for a channel and role: the attorney once one is named, the role, else billing.
///
/// The outer nothing means unreachable; the inner nothing that the customer counts as reachable without an address.
#[must_use]
pub fn reach<'a>(facts: &'a Facts, channel: Channel, role: &str) -> Option<Option<&'a ContactPoint>> {
    let points = &facts.customer.contact_points;
    let find = |role: &str| points.iter().find(|p| p.channel == channel && p.role == role && p.usable);
    let any = || points.iter().find(|p| p.channel == channel && p.usable);
    let attorney = points.iter().any(|p| p.role == "attorney");
    let found = if attorney { find("attorney") } else { find(role).or_else(|| find("billing")).or_else(any) };
    match found {
        Some(point) => Some(Some(point)),
        None if facts.customer.assume_reachable && !attorney && !points.iter().any(|p| p.channel == channel) => {
            Some(None)
        }
        None => None,
    }
}

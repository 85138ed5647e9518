//! May this contact leave now? One function, asked when a turn predicts, at the claim and again before the hand-over.

mod bound;
pub mod deadline;
pub mod policy;

pub use bound::{Asked, Bound, Finding};
pub(crate) use bound::{Together, end, label, leaves, room};

use crate::case::{Case, Work};
use crate::effect::{Effect, EffectKind};
use crate::facts::{Channel, Class, ContactPoint, Facts};
use crate::law::Law;
use crate::playbook::{Playbook, Step, Verb};
use crate::record::Moved;
use crate::schedule::{self, Wish};
use crate::time::Timestamp;

/// The rule of an invoice of which nothing may be asked for: paid, disputed, in a plan.
pub(crate) const NOTHING_CLAIMABLE: &str = "nothing claimable";

/// The role of who speaks for a customer.
const ATTORNEY: &str = "attorney";

/// The guard's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may leave.
    Allow,
    /// Not before an instant.
    Defer {
        /// Earliest next try.
        until: Timestamp,
        /// The rule that decides, of all that moved it.
        rule: String,
    },
    /// Not at all this way.
    Forbid {
        /// Rule that forbids it.
        rule: String,
    },
}

/// The guard's answer with what every rule said to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The answer.
    pub verdict: Verdict,
    /// What the policies' rules answered, where they were asked.
    pub findings: Vec<Finding>,
    /// Every limit that moved the contact, in order: the playbook's own as well.
    pub moved: Vec<Moved>,
}

impl Judgement {
    fn of(verdict: Verdict) -> Self {
        Self { verdict, findings: Vec::new(), moved: Vec::new() }
    }

    /// The exceptions without which the answer would have been another one.
    pub fn exceptions(&self) -> impl Iterator<Item = &str> {
        self.findings.iter().filter_map(|found| found.exception.as_deref())
    }
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
) -> Judgement {
    if let Some(rule) = stopped(effect, case, facts) {
        // Back to the case, which knows when to ask again.
        return Judgement::of(Verdict::Defer { until: now, rule: rule.to_owned() });
    }
    if matches!(effect.kind, EffectKind::Notify) {
        return Judgement::of(Verdict::Allow);
    }
    if effect.kind != EffectKind::Contact {
        let position = case.in_flight.get(&effect.id).map(|state| state.step);
        return weigh_act((act_name(effect), position), playbook, case, facts, law, now);
    }
    let customer = &facts.customer;
    let wish =
        Wish { channel: effect.channel, group: Some(effect.group), class: effect.class, bundled: effect.bundled };
    let point = effect.to.as_ref().and_then(|to| customer.contact_points.iter().find(|point| point.id == *to));
    if let (Some(_), Some(channel)) = (&effect.to, effect.channel)
        && !point.is_some_and(|point| point.channel == channel && point.usable)
    {
        let rule = format!("{} is closed for this customer", channel.name());
        return Judgement::of(Verdict::Forbid { rule });
    }
    // Named after the order: whoever speaks for the customer is the only one to be written to, in every place.
    let is_attorney = |point: &ContactPoint| point.role == ATTORNEY;
    if customer.contact_points.iter().any(is_attorney) && !point.is_none_or(is_attorney) {
        return Judgement::of(Verdict::Forbid { rule: "only their attorney is to be contacted".to_owned() });
    }
    weigh(playbook, facts, law, (wish, point), now)
}

/// Asks for a call when a person opens the number of its task; answers with the number's contact point, which is nothing
/// where the customer counts as reachable without one.
///
/// `facts.contacts` must be the customer's contact ledger, locked, without what this call has noted itself.
#[must_use]
pub fn call<'a>(
    work: &Work,
    playbook: &Playbook,
    case: &Case,
    facts: &'a Facts,
    law: &Law,
    now: Timestamp,
) -> (Judgement, Option<&'a ContactPoint>) {
    let stop = |rule: String| (Judgement::of(Verdict::Forbid { rule }), None);
    if let Some(rule) = call_stopped(work, case, facts.invoice.claimable_minor()) {
        return stop(rule);
    }
    let role = work.step.and_then(|step| playbook.steps.get(step)).map_or("billing", |step| step.options.to.as_str());
    let Some(point) = reach(facts, (Channel::Call, Class::Dunning), role) else {
        return stop("no open number is known".to_owned());
    };
    let path = work.step.and_then(|step| playbook.steps.get(step)).map_or("", |step| step.path.as_str());
    let own = crate::decide::tries(case, path, work.occurrence, work.attempt);
    let wish = Wish { channel: Some(Channel::Call), group: None, class: Class::Dunning, bundled: false };
    let limits = |place: schedule::Place<'_>| schedule::call_limits(place, &playbook.contact, &own, now);
    (weigh_by(playbook, facts, law, (wish, point), now, &limits), point)
}

/// What keeps an invoice from being called about, whatever the hour: also in a call that another invoice ordered.
#[must_use]
pub fn call_stopped(work: &Work, case: &Case, claimable_minor: i64) -> Option<String> {
    if case.paused.is_some() {
        return Some("paused".to_owned());
    }
    if claimable_minor <= 0 {
        return Some(NOTHING_CLAIMABLE.to_owned());
    }
    // A list that holds and calls in one turn means this very call; whatever else holds, holds calls as well.
    let own = |hold: &crate::case::Hold| hold.opened_at == work.opened_at || hold.task == Some(work.id);
    case.holds.iter().find(|hold| !own(hold)).map(|hold| format!("held by {}", hold.name))
}

/// Whether an adverse act may happen: a cut of supply, a step at court. `position` is the step that wants it, for the
/// approvals that cover it.
fn weigh_act(
    (act, position): (&str, Option<usize>),
    playbook: &Playbook,
    case: &Case,
    facts: &Facts,
    law: &Law,
    now: Timestamp,
) -> Judgement {
    let customer = &facts.customer;
    let calendar = law.calendar_for(&customer.country, customer.subdivision.as_deref(), &playbook.calendar);
    let bound = Bound::of(law, &playbook.policies, facts);
    let (marks, approvals, zone) = (&case.marks, &case.approvals[..], customer.time_zone);
    let asked = Asked { facts, marks, approvals, position, calendar: &calendar, zone, law };
    let findings = bound.act_findings(act, now, &asked);
    Judgement { verdict: bound.before(act, now, &asked), findings, moved: Vec::new() }
}

/// Rounds of waiting for an act: more than any sound policy needs.
const ACT_ROUNDS: usize = 100;

/// Asks whether an act may happen, for people: as the step of the playbook that would do it is asked, and where it must
/// wait, until nothing holds it any more.
#[must_use]
pub fn act(act: &str, playbook: &Playbook, case: &Case, facts: &Facts, law: &Law, now: Timestamp) -> Judgement {
    let does = |position: &usize| playbook.steps.get(*position).and_then(act_of) == Some(act);
    let ahead = case.cursor.position..playbook.steps.len();
    let position = ahead.into_iter().find(does).or_else(|| (0..playbook.steps.len()).find(does));
    let mut judged = weigh_act((act, position), playbook, case, facts, law, now);
    let mut start = now;
    for _ in 0..ACT_ROUNDS {
        match weigh_act((act, position), playbook, case, facts, law, start).verdict {
            Verdict::Defer { until, rule } if until > start => {
                start = until;
                judged.moved.retain(|limit| limit.rule != rule);
                judged.moved.push(Moved { rule, until });
            }
            Verdict::Forbid { rule } => {
                judged.verdict = Verdict::Forbid { rule };
                return judged;
            }
            Verdict::Allow | Verdict::Defer { .. } => break,
        }
    }
    if let Some(limit) = Moved::decisive(&judged.moved, now) {
        judged.verdict = Verdict::Defer { until: start, rule: limit.rule.clone() };
    }
    judged
}

/// The name by which policies know what a step does, where that is an act and no contact.
#[must_use]
pub fn act_of(step: &Step) -> Option<&str> {
    match &step.verb {
        Verb::Escalate(_) => Some("escalate"),
        Verb::Outsource(_) => Some("outsource"),
        Verb::Request(action) => Some(action),
        _ => None,
    }
}

/// Whether a contact may be made at an instant as far as hours, gaps, caps and policies go, with what each rule says.
#[must_use]
pub fn weigh(
    playbook: &Playbook,
    facts: &Facts,
    law: &Law,
    (wish, point): (Wish, Option<&ContactPoint>),
    now: Timestamp,
) -> Judgement {
    let limits = |place: schedule::Place<'_>| schedule::limits(place, &playbook.contact, wish, now);
    weigh_by(playbook, facts, law, (wish, point), now, &limits)
}

/// [`weigh`] with the limits that the wish has to keep.
fn weigh_by(
    playbook: &Playbook,
    facts: &Facts,
    law: &Law,
    (wish, point): (Wish, Option<&ContactPoint>),
    now: Timestamp,
    limits: &dyn Fn(schedule::Place<'_>) -> (Timestamp, Vec<Moved>),
) -> Judgement {
    let customer = &facts.customer;
    let calendar = law.calendar_for(&customer.country, customer.subdivision.as_deref(), &playbook.calendar);
    let bound = Bound::of(law, &playbook.policies, facts);
    let place = schedule::Place {
        playbook,
        calendar: &calendar,
        staff: &calendar,
        zone: customer.time_zone,
        contacts: &facts.contacts,
        invoice: &facts.invoice.id,
        customer: customer.id.as_str(),
        several: customer.open_invoices > 1,
        inconvenient: &customer.inconvenient,
        preferred: &customer.preferred,
        bound: &bound,
    };
    let points = &customer.contact_points;
    let closed =
        wish.channel.filter(|_| point.is_some()).and_then(|channel| bound.closes(wish, channel, point, points));
    let refused = point.filter(|point| point.consent.closes(wish.class));
    let refused = refused.map(|point| format!("{}: {}", point.channel.name(), point.consent.words(wish.class)));
    // A time that the customer likes is chosen when the step is planned: what is ready to leave does not wait for it.
    let (at, moved) = limits(place);
    let verdict = match (closed.map(str::to_owned).or(refused), Moved::decisive(&moved, now)) {
        (Some(rule), _) => Verdict::Forbid { rule },
        (None, Some(limit)) if at > now => Verdict::Defer { until: at, rule: limit.rule.clone() },
        (None, _) => Verdict::Allow,
    };
    Judgement { verdict, findings: bound.findings(place, wish, point, points, now), moved }
}

/// The name by which policies know an act that is no contact.
fn act_name(effect: &Effect) -> &str {
    match (effect.kind, effect.lane.as_str()) {
        (EffectKind::Placement, "legal") => "escalate",
        (EffectKind::Placement, _) => "outsource",
        _ => &effect.subject,
    }
}

fn stopped(effect: &Effect, case: &Case, facts: &Facts) -> Option<&'static str> {
    stopped_by(case, facts, effect.kind == EffectKind::Notify || effect.exempt)
}

/// What keeps a case from contacting, whatever the hour; an exempt message passes.
#[must_use]
pub fn stopped_by(case: &Case, facts: &Facts, exempt: bool) -> Option<&'static str> {
    if exempt {
        return None;
    }
    if case.is_finished() {
        Some("finished")
    } else if case.is_held() {
        Some("held")
    } else if case.paused.is_some() {
        Some("paused")
    } else if facts.invoice.claimable_minor() <= 0 {
        Some(NOTHING_CLAIMABLE)
    } else {
        None
    }
}

/// The contact point for a message of a class by a channel to a role: the attorney once one is named, the role, else
/// billing. What the customer refused is not reachable.
///
/// The outer nothing means unreachable; the inner nothing that the customer counts as reachable without an address.
#[must_use]
pub fn reach<'a>(facts: &'a Facts, (channel, class): (Channel, Class), role: &str) -> Option<Option<&'a ContactPoint>> {
    let points = &facts.customer.contact_points;
    let takes = |p: &&ContactPoint| p.channel == channel && p.takes(class);
    let find = |role: &str| points.iter().find(|p| takes(p) && p.role == role);
    let any = || points.iter().find(takes);
    let attorney = points.iter().any(|p| p.role == ATTORNEY);
    let found = if attorney { find(ATTORNEY) } else { find(role).or_else(|| find("billing")).or_else(any) };
    match found {
        Some(point) => Some(Some(point)),
        None if facts.customer.assume_reachable && !attorney && !points.iter().any(|p| p.channel == channel) => {
            Some(None)
        }
        None => None,
    }
}

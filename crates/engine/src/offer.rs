//! What effects offer: the plan that a message shows is the one that the ledger notes once it left; a discount likewise.

use crate::route::plans::{OFFER_DAYS, proposal};
use recobro_connectors::source::record::{Incentive, Plan, PlanChange, PlanOffer, Record};
use recobro_kernel::effect::{Effect, EffectKind};
use recobro_kernel::facts::{Facts, PlanFacts};
use recobro_kernel::ids::Hash;
use recobro_kernel::plan::{Part, Told};
use recobro_kernel::time::Timestamp;
use recobro_kernel::value::Value;

/// The offer's id: what people name when they accept it.
fn id(effect: &Effect) -> String {
    format!("plan-{}", Hash::of(effect.id.to_string().as_bytes()).short())
}

/// The offer with its limits, as they travel with the message.
fn offer(effect: &Effect) -> PlanOffer {
    let date = |name: &str| effect.with.get(name).and_then(Value::as_date);
    PlanOffer {
        customer: None,
        invoices: vec![effect.invoice.0.clone()],
        max_instalments: match effect.with.get("max_instalments") {
            Some(Value::Int(most)) => Some(*most),
            Some(_) | None => None,
        },
        ends_by: date("ends_by"),
        valid_until: date("valid_until"),
        method: effect.with.get("method").and_then(Value::as_text).map(str::to_owned),
    }
}

/// The facts as the message shows them: with the plan that it offers.
pub(crate) fn facts(effect: &Effect, facts: &Facts) -> Facts {
    let offer = offer(effect);
    let valid_until = offer.valid_until.unwrap_or_else(|| recobro_kernel::case::shift(facts.today, OFFER_DAYS));
    let claimable = facts.invoice.claimable_minor();
    let schedule = proposal(claimable, offer.max_instalments, offer.ends_by, valid_until).unwrap_or_default();
    let part = |instalment| Part { instalment, paid_minor: 0, told: Told::Nothing };
    let plan = PlanFacts {
        id: id(effect),
        status: "proposed".to_owned(),
        parts: schedule.into_iter().map(part).collect(),
        method: offer.method.unwrap_or_default(),
        default_after: 1,
        valid_until: Some(valid_until),
        re_ages: false,
    };
    Facts { plan: Some(plan), ..facts.clone() }
}

/// What a settled effect offers, as news for the ledger: a plan, or a discount that a playbook asks for by its request.
pub(crate) fn record(effect: &Effect, at: Timestamp) -> Option<Record> {
    if effect.offers_plan {
        return Some(plan(effect, at));
    }
    (effect.kind == EffectKind::Request && effect.subject == DISCOUNT).then(|| discount(effect, at)).flatten()
}

/// The request by which a playbook opens a discount.
const DISCOUNT: &str = "incentive.open";

fn discount(effect: &Effect, at: Timestamp) -> Option<Record> {
    let percent = match effect.with.get("percent")? {
        Value::Decimal(percent) => percent.to_string(),
        Value::Int(percent) => percent.to_string(),
        _ => return None,
    };
    let until = effect.with.get("until").and_then(Value::as_date)?;
    Some(Record::Incentive(Incentive {
        id: Hash::of(effect.id.to_string().as_bytes()).short(),
        invoice: effect.invoice.0.clone(),
        percent: Some(percent),
        amount: None,
        until,
        on: at.date_in(chrono_tz::Tz::UTC),
        at: Some(at),
        reason: effect.step.clone(),
    }))
}

fn plan(effect: &Effect, at: Timestamp) -> Record {
    let on = at.date_in(chrono_tz::Tz::UTC);
    Record::Plan(Plan { id: id(effect), change: PlanChange::Offered(offer(effect)), on, at: Some(at) })
}

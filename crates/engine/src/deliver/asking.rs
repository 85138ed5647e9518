//! What a check of some effects may know, and the guard's answer to each: asked in the order of their places, every contact
//! counting for what is asked behind it.

use super::stated;
use crate::facts::Loaded;
use crate::library::{Bundle, Pin};
use crate::priority::{self, Rank};
use crate::{Engine, Error, db};
use recobro_kernel::case::Case;
use recobro_kernel::effect::{Effect, EffectKind};
use recobro_kernel::facts::{ContactMade, Facts};
use recobro_kernel::guard::{self, Judgement, Verdict};
use recobro_kernel::ids::{CustomerId, GroupId};
use recobro_kernel::time::Timestamp;
use recobro_store::contacts::{self, ContactRow};
use recobro_store::outbox::OutboxRow;
use recobro_store::{CaseNo, Tx};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What a check of some rows may know, loaded by a fixed number of queries under the locks of their customers.
pub(crate) struct Asking {
    pub(super) cases: BTreeMap<CaseNo, Case>,
    pub(super) bundles: HashMap<Pin, Arc<Bundle>>,
    pub(super) loaded: Loaded,
}

/// The answer to one row.
pub(super) struct Judged {
    pub(super) at: Timestamp,
    pub(super) facts: Facts,
    pub(super) judgement: Judgement,
    /// What the contact adds to the ledger.
    pub(super) contact: Option<ContactRow>,
}

impl Asking {
    pub(crate) async fn of(engine: &Engine, tx: &mut Tx, rows: &[OutboxRow]) -> Result<Self, Error> {
        let customers: Vec<CustomerId> = db::unique(&rows.iter().map(|row| row.customer.clone()).collect::<Vec<_>>());
        contacts::lock_budget(tx, &customers).await?;
        Self::seen(engine, tx, rows).await
    }

    /// The same without the locks, for an answer that lets nothing leave.
    pub(crate) async fn seen(engine: &Engine, tx: &mut Tx, rows: &[OutboxRow]) -> Result<Self, Error> {
        let customers: Vec<CustomerId> = db::unique(&rows.iter().map(|row| row.customer.clone()).collect::<Vec<_>>());
        let cases = db::seen_cases(tx, &rows.iter().map(|row| row.no).collect::<Vec<_>>()).await?;
        let invoices: Vec<_> = rows.iter().map(|row| row.invoice.clone()).collect();
        let mut loaded = db::load_facts(engine, tx, (&invoices, &customers), engine.clock.now()).await?;
        // What a check before this one noted of the same effects is no contact made: each counts again as it passes.
        loaded.forget(&rows.iter().map(|row| row.id.to_string()).collect());
        let pins: Vec<(Pin, &str)> =
            cases.values().map(|case| ((case.bundle, case.content), &*case.playbook)).collect();
        let bundles = engine.bundles(tx, &pins).await?;
        Ok(Self { cases, bundles, loaded })
    }

    fn bundle(&self, row: &OutboxRow) -> Option<(&Case, &Bundle)> {
        let case = self.cases.get(&row.no)?;
        Some((case, self.bundles.get(&(case.bundle, case.content))?))
    }

    /// The place of a row in the queue of its customer; nothing where the ledger lost its invoice or customer.
    pub(crate) fn rank(&self, engine: &Engine, row: &OutboxRow, effect: &Effect) -> Option<Rank> {
        let facts = self.loaded.facts(&row.invoice, row.due_at.max(engine.clock.now()), &engine.settings)?;
        let (_, bundle) = self.bundle(row)?;
        Some(priority::rank(effect.class, level(bundle, effect), &facts))
    }

    /// Asks the guard; what it allows counts for what is asked after it.
    pub(crate) fn judge(&mut self, engine: &Engine, row: &OutboxRow, effect: &Effect) -> Option<(Facts, Judgement)> {
        let case = self.cases.get(&row.no)?;
        let bundle = self.bundles.get(&(case.bundle, case.content))?;
        let judged = judge(engine, (case, bundle), (row, effect), &mut self.loaded)?;
        Some((judged.facts, judged.judgement))
    }
}

/// Asks the guard of one row, and notes what it allows for the rows behind it.
pub(super) fn judge(
    engine: &Engine,
    (case, bundle): (&Case, &Bundle),
    (row, effect): (&OutboxRow, &Effect),
    loaded: &mut Loaded,
) -> Option<Judged> {
    let at = row.due_at.max(engine.clock.now());
    let facts = loaded.facts(&row.invoice, at, &engine.settings)?;
    let judgement = guard::dispatch(effect, &bundle.compiled.playbook, case, &facts, &engine.shelf.law, at);
    let judgement = stated::kept(engine, bundle, (effect, &facts), judgement);
    let allowed = judgement.verdict == Verdict::Allow;
    let contact = if allowed { spend(row, effect, &facts, at, loaded) } else { None };
    Some(Judged { at, facts, judgement, contact })
}

/// The effect of a row. What was tried in a message leaves again in that message: it is one with it, and with no other.
pub(crate) fn effect_of(row: &OutboxRow) -> Result<Effect, Error> {
    let mut effect: Effect = serde_json::from_str(&row.payload)
        .map_err(|cause| Error::Corrupt { what: format!("effect {}", row.id), cause: cause.to_string() })?;
    if let Some(key) = row.bundle.as_ref().filter(|_| effect.bundled) {
        effect.group = GroupId::derive(&["message", key]);
    }
    Ok(effect)
}

/// Rows with their effects in the order in which they are asked: what is due at the same instant by its place in the
/// queue of its customer.
pub(super) fn in_turn(
    engine: &Engine,
    asking: &Asking,
    rows: Vec<OutboxRow>,
) -> Result<Vec<(OutboxRow, Effect)>, Error> {
    let mut found = rows.into_iter().map(|row| Ok((effect_of(&row)?, row))).collect::<Result<Vec<_>, Error>>()?;
    let crowded = priority::crowded(found.iter().map(|(_, row)| (&row.customer, row.due_at)));
    let crowded = |row: &OutboxRow| crowded.contains(&(row.customer.clone(), row.due_at));
    // Only those that share an instant with others of their customer need a place.
    found.sort_by_cached_key(|(effect, row)| {
        let place = if crowded(row) { asking.rank(engine, row, effect) } else { None };
        (row.due_at, place, row.id)
    });
    Ok(found.into_iter().map(|(effect, row)| (row, effect)).collect())
}

/// The level of the text that an effect sends.
pub(super) fn level(bundle: &Bundle, effect: &Effect) -> u8 {
    bundle.compiled.playbook.templates.get(&effect.subject).map_or(0, |info| info.level)
}

/// A contact's row of the ledger, noted for the checks behind it.
pub(super) fn spend(
    row: &OutboxRow,
    effect: &Effect,
    facts: &Facts,
    at: Timestamp,
    loaded: &mut Loaded,
) -> Option<ContactRow> {
    let channel = effect.channel.filter(|_| effect.kind == EffectKind::Contact)?;
    let (class, group, invoice) = (effect.class, effect.group, effect.invoice.clone());
    let contact = ContactMade { at, on: facts.today, channel, class, group, invoice, talk: false, left: false };
    loaded.foresee(&effect.customer, effect.id.to_string(), contact);
    Some(ContactRow {
        id: effect.id.to_string(),
        customer: effect.customer.clone(),
        invoice: effect.invoice.clone(),
        no: row.no,
        channel: channel.name().to_owned(),
        class: effect.class.name().to_owned(),
        stage: effect.stage.clone(),
        step: effect.step.clone(),
        group: effect.group,
        at,
        local_on: facts.today,
        state: "claimed".to_owned(),
        talk: false,
    })
}

//! What this worker carries: effects that it committed itself, on lanes where a key twice is one act, handed over right
//! after that commit. The outcome and the case's next turn are one commit, so nobody has to claim either.
//!
//! The table knows each of them as being sent from its birth on, under a lease of this worker: whoever loses what it
//! carries costs one lease, and the sweep hands over again under the same key. Contacts are never carried.

use super::{Handing, Outcome, Settling, evidence, hand_over, outcome_event, settle};
use crate::advance::Desk;
use crate::db::{self, Claimed};
use crate::facts::Loaded;
use crate::library::{Bundle, Pin};
use crate::people::Nobody;
use crate::run::{AGAIN_MAX, Tick, pause};
use crate::{Engine, Error};
use recobro_kernel::case::Case;
use recobro_kernel::effect::{Effect, EffectKind};
use recobro_kernel::event::Event;
use recobro_kernel::facts::{Class, Facts};
use recobro_kernel::guard::{self, Verdict};
use recobro_kernel::ids::{CustomerId, EffectId, Hash, InvoiceId};
use recobro_kernel::time::Timestamp;
use recobro_store::outbox::{LedgerMark, OutboxRow, Settled, State};
use recobro_store::{CaseNo, Tx, events};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A case that nobody has to claim: its only effect under way is in this worker's hands.
pub(crate) struct Carried {
    no: CaseNo,
    head: Hash,
    case: Case,
    handing: Handing,
}

/// A case with the outcome that it goes on with.
struct Going {
    one: Claimed,
    settling: Settling,
    event: Event,
    mark: LedgerMark,
}

impl Carried {
    /// Takes an effect up; its case has the number and the head of the commit.
    pub(crate) fn new(no: CaseNo, head: Hash, case: Case, mut handing: Handing) -> Self {
        handing.row.no = no;
        Self { no, head, case, handing }
    }
}

/// Whether an effect that a turn has just ordered needs no claim: no contact, nothing that a rule of the guard speaks of,
/// on a lane where a key twice is one act.
pub(crate) fn carries(engine: &Engine, effect: &Effect, (case, bundle): (&Case, &Bundle), facts: &Facts) -> bool {
    let light = match effect.kind {
        EffectKind::Request => effect.class == Class::Transactional,
        EffectKind::Notify => true,
        EffectKind::Contact | EffectKind::Placement => false,
    };
    let idempotent = || engine.channels.get(&effect.lane).is_some_and(|channel| channel.idempotent());
    if !light || !idempotent() {
        return false;
    }
    let at = effect.ordered_at;
    let judged = guard::dispatch(effect, &bundle.compiled.playbook, case, facts, &engine.shelf.law, at);
    judged.verdict == Verdict::Allow && judged.findings.is_empty()
}

/// The effect as it is handed over; its row is what the commit writes.
pub(crate) fn handing(
    engine: &Engine,
    effect: Effect,
    (case, bundle): (&Case, &Bundle),
    facts: &Arc<Facts>,
    loaded: &Loaded,
) -> Handing {
    let at = effect.ordered_at;
    let row = OutboxRow {
        id: effect.id,
        no: CaseNo(0),
        customer: effect.customer.clone(),
        invoice: effect.invoice.clone(),
        lane: effect.lane.clone(),
        payload: String::new(),
        state: State::Leased,
        due_at: at,
        fence: 1,
        lease_until: None,
        owner: None,
        tries: 0,
        reason: None,
        bundle: None,
    };
    super::prepare(engine, super::Ready { row, effect, at, case, bundle, facts: Arc::clone(facts) }, loaded, &[])
}

/// Hands over what is carried, and takes the turns that its outcomes lead to. Says whether there was anything.
///
/// # Errors
/// [`Error::Store`], [`Error::Bundle`].
pub(crate) async fn go_on(engine: &Engine, tick: &mut Tick) -> Result<bool, Error> {
    let carried = engine.take_carried();
    if carried.is_empty() {
        return Ok(false);
    }
    let mut cases = BTreeMap::new();
    let mut handings = Vec::with_capacity(carried.len());
    for Carried { no, head, case, handing } in carried {
        cases.insert(handing.effect.id, (no, head, case));
        handings.push(handing);
    }
    let settling = hand_over(engine, handings, tick).await?;
    let copy = settling.clone();
    match turn_over(engine, settling, cases, tick).await {
        Ok(()) => Ok(true),
        Err(Error::Store(error)) if error.may_retry() => {
            tick.begun.clear();
            pause(&error).await;
            settle_surely(engine, &copy).await?;
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

/// The cases hear of the outcomes later, by claims of their own.
pub(crate) async fn settle_surely(engine: &Engine, settling: &[Settling]) -> Result<(), Error> {
    for _ in 1..AGAIN_MAX {
        match settle_once(engine, settling).await {
            Err(Error::Store(error)) if error.may_retry() => pause(&error).await,
            done => return done,
        }
    }
    settle_once(engine, settling).await
}

async fn settle_once(engine: &Engine, settling: &[Settling]) -> Result<(), Error> {
    let mut tx = engine.store.begin().await?;
    settle(engine, &mut tx, settling).await?;
    tx.commit().await?;
    Ok(())
}

/// Outcomes and the turns behind them, in one commit.
async fn turn_over(
    engine: &Engine,
    settling: Vec<Settling>,
    mut cases: BTreeMap<EffectId, (CaseNo, Hash, Case)>,
    tick: &mut Tick,
) -> Result<(), Error> {
    let (mut going, mut plain) = (Vec::new(), Vec::new());
    for one in settling {
        let known = if one.outcome.ends() { cases.remove(&one.handing.effect.id) } else { None };
        match known {
            Some(known) => going.push(going_on(known, one)),
            None => plain.push(one),
        }
    }
    // Where one connection writes, it is not held while turns are thought out. Whatever comes in between stays unread.
    let mut tx = if engine.store.is_shared() { engine.store.begin().await? } else { engine.store.read().await? };
    read_news(engine, &mut tx, &mut going).await?;
    let thought = think(engine, &mut tx, going, tick).await?;
    if !engine.store.is_shared() {
        drop(tx);
        tx = engine.store.begin().await?;
    }
    if let Some(thought) = thought {
        plain.extend(thought.write(&mut tx, tick).await?);
    }
    settle(engine, &mut tx, &plain).await?;
    tx.commit().await?;
    engine.settings.faults.pass("carried.committed")?;
    engine.carry(tick);
    Ok(())
}

fn going_on((no, head, case): (CaseNo, Hash, Case), settling: Settling) -> Going {
    let (event, mark) = outcome_event(&settling);
    let due_at = settling.handing.at;
    let one = Claimed { no, head, case, due_at, events: Vec::new(), later: None, carried: true };
    Going { one, settling, event, mark }
}

/// What has come for these cases meanwhile is taken with the outcome.
async fn read_news(engine: &Engine, tx: &mut Tx, going: &mut [Going]) -> Result<(), Error> {
    let numbers: Vec<CaseNo> = going.iter().map(|going| going.one.no).collect();
    if numbers.is_empty() {
        return Ok(());
    }
    let mut news = events::unread(tx, &numbers, Timestamp::MAX).await?;
    let now = engine.clock.now();
    for Going { one, event, .. } in going {
        if let Some(rows) = news.remove(&one.no) {
            (one.events, one.later) = db::split_news(rows, now)?;
        }
        one.events.push(event.clone());
    }
    Ok(())
}

/// Turns that are decided and not written.
struct Thought<'a> {
    desk: Desk<'a>,
    told: BTreeMap<CaseNo, (Settling, Event, LedgerMark)>,
}

async fn think<'a>(
    engine: &'a Engine,
    tx: &mut Tx,
    going: Vec<Going>,
    tick: &Tick,
) -> Result<Option<Thought<'a>>, Error> {
    if going.is_empty() {
        return Ok(None);
    }
    let invoices: Vec<InvoiceId> = going.iter().map(|going| going.one.case.invoice.clone()).collect();
    let customers: Vec<CustomerId> = going.iter().map(|going| going.one.case.customer.clone()).collect();
    let loaded = db::load_facts(engine, tx, (&invoices, &customers), engine.clock.now()).await?;
    let pins: Vec<(Pin, &str)> =
        going.iter().map(|Going { one, .. }| ((one.case.bundle, one.case.content), &*one.case.playbook)).collect();
    let bundles = engine.bundles(tx, &pins).await?;
    let mut desk = Desk::new(engine, &Nobody, loaded).carrying(tick);
    let mut told = BTreeMap::new();
    for Going { one, settling, event, mark } in going {
        desk.take_turn(&one, &bundles[&(one.case.bundle, one.case.content)]);
        told.insert(one.no, (settling, event, mark));
    }
    Ok(Some(Thought { desk, told }))
}

impl Thought<'_> {
    /// Commits the turns with their outcomes; answers what must be settled without a turn.
    async fn write(mut self, tx: &mut Tx, tick: &mut Tick) -> Result<Vec<Settling>, Error> {
        let mut settled: Vec<Settled> = Vec::new();
        let mut owners = BTreeMap::new();
        for turn in self.desk.unwritten() {
            let Some((settling, event, mark)) = turn.no.and_then(|no| self.told.remove(&no)) else { continue };
            // A turn that has read its outcome settles it; one that was parked leaves it unread.
            let before = turn.consumed.len();
            turn.consumed.retain(|id| *id != event.id);
            let is_read = turn.consumed.len() < before;
            let news = if is_read { None } else { Some(db::event_row(settling.handing.row.no, &event)?) };
            settled.push(evidence(&settling, mark, news));
            owners.insert(turn.case.id, settling);
        }
        for (id, _) in self.desk.write_settling(tx, tick, &settled).await? {
            owners.remove(&id);
        }
        // Whose case moved first hears of it as of any other news.
        Ok(self.told.into_values().map(|(settling, ..)| settling).chain(owners.into_values()).collect())
    }
}

impl Outcome {
    /// Whether it is the last word about an effect that nobody has to look after.
    fn ends(&self) -> bool {
        match self {
            Self::Accepted(_) | Self::Refused(_) | Self::Failed(_) => true,
            Self::Unknown(_) | Self::Later(..) => false,
        }
    }
}

/// Hands over what is still carried when a worker stops; the cases hear of it when somebody works again.
///
/// # Errors
/// [`Error::Store`].
pub(crate) async fn put_down(engine: &Engine, tick: &mut Tick) -> Result<(), Error> {
    loop {
        let handings: Vec<Handing> = engine.take_carried().into_iter().map(|carried| carried.handing).collect();
        if handings.is_empty() {
            return Ok(());
        }
        let settling = hand_over(engine, handings, tick).await?;
        settle_surely(engine, &settling).await?;
    }
}

//! The tick that lets effects leave: claimed with lease and fence, asked once more under the customer's budget, rendered,
//! handed over with no transaction open, settled. The only caller of a channel.
//!
//! Only a case waits: an effect that may not leave now goes back to its case as `outcome.returned` and spends nothing.
//! In real time the check is asked twice: at the claim, and again in the transition to `sending`, and only as much is
//! claimed as leaves at once ([`Channel::slice`]), so that news stop what has not begun. A virtual run does both in one
//! transaction, because nothing can come between.
//!
//! What a dead worker left as `sending` may have left the house: it is handed over again under its key where the lane is
//! idempotent and the guard lets it go now, else unknown; never held back.

mod asking;
mod carried;
mod stated;
mod together;

pub(crate) use carried::{Carried, carries, go_on, handing, put_down, settle_surely};

pub(crate) use asking::{Asking, effect_of};
pub(crate) use stated::Wanted;

use crate::db;
use crate::facts::Loaded;
use crate::library::Bundle;
use crate::observe::Act;
use crate::render::{Line, Recipient, Rendering, render};
use crate::run::{Span, Tick};
use crate::{Engine, Error};
use crate::{catch_up, explain};
use asking::{Judged, in_turn, judge, spend};
use recobro_connectors::channel::{Channel, Delivery, LANES, Outgoing};
use recobro_kernel::case::Case;
use recobro_kernel::effect::{Effect, EffectKind};
use recobro_kernel::event::Event;
use recobro_kernel::facts::Facts;
use recobro_kernel::guard::{Judgement, Verdict};
use recobro_kernel::ids::{CustomerId, EffectId, EventId};
use recobro_kernel::time::Timestamp;
use recobro_kernel::value::Value;
use recobro_store::contacts::{self};
use recobro_store::events::NewEvent;
use recobro_store::outbox::{self, Communication, LedgerMark, OutboxRow, Settled};
use recobro_store::{Tx, verdicts};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Effects of one claim, with those that leave in the same messages.
const BATCH: i64 = 1_000;

/// Effects that a claim begins with.
const CLAIM: i64 = 500;

/// Why nobody knows.
const DIED: &str = "the worker died while it was handing over";

/// The shortest pause of what was not even tried, and of a lane where nothing could be, seconds.
const NOT_TRIED_S: i64 = 60;

/// An effect that passed the check and is about to be handed over.
#[derive(Clone)]
pub(crate) struct Handing {
    row: OutboxRow,
    effect: Effect,
    at: Timestamp,
    item: Result<Outgoing, String>,
    act: Act,
    /// What leaves in the same message: it shares its outcome.
    carried: Vec<Handing>,
}

impl Handing {
    /// A message and what it took along, each alone: the last check decides anew what leaves together.
    fn apart(mut self) -> Vec<Self> {
        let mut all = std::mem::take(&mut self.carried);
        all.insert(0, self);
        all
    }
}

/// What became of an effect.
#[derive(Clone)]
enum Outcome {
    /// Taken by the other side.
    Accepted(String),
    /// Refused for good.
    Refused(String),
    /// Tries exhausted, or it cannot be rendered.
    Failed(String),
    /// Nobody knows.
    Unknown(String),
    /// Tried again later, with this many tries counted.
    Later(Timestamp, i64, String),
}

/// A handed-over effect with its outcome: what the next transaction settles.
#[derive(Clone)]
pub(crate) struct Settling {
    handing: Handing,
    outcome: Outcome,
    /// The effect whose message took it along.
    carried_by: Option<EffectId>,
    /// Real in a run with rendering: the bytes that left.
    bytes: Option<Vec<u8>>,
}

/// Claims effects due at or before the span's horizon and asks the guard. What may leave is marked `sending` in the same
/// transaction by a virtual run ([`mark_sending`]); in a real one [`check_again`] does that.
///
/// # Errors
/// [`Error::Store`], [`Error::Bundle`].
pub(crate) async fn claim(engine: &Engine, tx: &mut Tx, span: Span, tick: &mut Tick) -> Result<Vec<Handing>, Error> {
    engine.settings.faults.pass("deliver.before_claim")?;
    // Whatever has come may forbid what is about to leave, or count against it. It is read first, and nothing is claimed
    // in vain meanwhile.
    if span.sliced && engine.news_waits(tx).await? {
        return Ok(Vec::new());
    }
    let (lease, _) = lease(engine, tx).await?;
    let mut rows = Vec::new();
    for (lanes, limit) in shares(engine, span) {
        rows.extend(outbox::claim(tx, span.horizon, &lanes, limit, &lease).await?);
    }
    // What leaves together is claimed together, however small the slice.
    for (lane, customers) in together::mates(&rows)? {
        let room = BATCH - i64::try_from(rows.len()).unwrap_or(BATCH);
        if room > 0 {
            rows.extend(outbox::claim_of(tx, span.horizon, (&lane, &customers), room, &lease).await?);
        }
    }
    if span.sliced {
        rows = catch_up::keep_back(engine, tx, rows, tick).await?;
        rows = together::only_decided(engine, tx, rows).await?;
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let handings = check(engine, tx, rows, Ask::Guard, tick).await?;
    engine.settings.faults.pass("deliver.claimed")?;
    Ok(handings)
}

/// What is claimed together: in virtual time everything; in real time of each slow lane only what leaves at once, so
/// that nothing claimed waits behind a minute of others. Lanes that rest are left out.
fn shares(engine: &Engine, span: Span) -> Vec<(Vec<String>, i64)> {
    if !span.sliced {
        return vec![(Vec::new(), CLAIM)];
    }
    let now = engine.clock.now();
    let rests = engine.rests.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let awake = LANES.iter().filter(|lane| rests.get(**lane).is_none_or(|until| *until <= now));
    let (mut wide, mut shares) = (Vec::new(), Vec::new());
    for lane in awake {
        match engine.channels.get(*lane).and_then(|channel| channel.slice()) {
            Some(slice) => shares.push((vec![(*lane).to_owned()], i64::try_from(slice.max(1)).unwrap_or(BATCH))),
            None => wide.push((*lane).to_owned()),
        }
    }
    if !wide.is_empty() {
        shares.push((wide, CLAIM));
    }
    shares
}

/// A lease that begins now, and now: by the database's clock where several processes compare theirs in real time, since
/// a process whose clock is wrong must not take over what another one is just sending.
pub(crate) async fn lease(engine: &Engine, tx: &mut Tx) -> Result<(outbox::Lease, Timestamp), Error> {
    let mut now = engine.clock.now();
    if !engine.clock.is_virtual() {
        now = outbox::database_now(tx).await?.unwrap_or(now);
    }
    let until = now.plus_us(engine.lease_us());
    Ok((outbox::Lease { owner: engine.settings.worker.clone(), until }, now))
}

/// The second check, in the transition to `sending` of a real run: what may no longer leave goes back to its case.
///
/// # Errors
/// [`Error::Store`], [`Error::Bundle`].
pub(crate) async fn check_again(
    engine: &Engine,
    tx: &mut Tx,
    handings: Vec<Handing>,
    tick: &mut Tick,
) -> Result<Vec<Handing>, Error> {
    // Whoever lost its lease has no say any more, and writes nothing: neither a check's result nor a row of the ledger,
    // which is the other worker's by now.
    let handings: Vec<Handing> = handings.into_iter().flat_map(Handing::apart).collect();
    let claimed: Vec<_> = handings.iter().map(|handing| (handing.row.id, handing.row.fence)).collect();
    let held = outbox::hold(tx, &claimed).await?;
    warn_stale(claimed.len() - held.len());
    let handings: Vec<Handing> = handings.into_iter().filter(|handing| held.contains(&handing.row.id)).collect();
    if handings.is_empty() {
        return Ok(handings);
    }
    if engine.news_waits(tx).await? {
        give_back(engine, tx, &handings, "news is being read", tick).await?;
        return Ok(Vec::new());
    }
    let handings = wait_for_news(engine, tx, handings, tick).await?;
    let rows = handings.into_iter().map(|handing| handing.row).collect();
    let handings = check(engine, tx, rows, Ask::Guard, tick).await?;
    let handings = mark_sending(engine, tx, handings).await?;
    engine.settings.faults.pass("deliver.sending")?;
    Ok(handings)
}

/// What a case has not read yet may hold back what it ordered before: a promise, a dispute, an opt-out. The effect goes
/// back, and the case decides again with its news.
async fn wait_for_news(
    engine: &Engine,
    tx: &mut Tx,
    handings: Vec<Handing>,
    tick: &mut Tick,
) -> Result<Vec<Handing>, Error> {
    let now = engine.clock.now();
    let numbers = db::unique(&handings.iter().map(|handing| handing.row.no).collect::<Vec<_>>());
    let unread = recobro_store::events::next_of(tx, &numbers).await?;
    let is_waiting = |handing: &Handing| unread.get(&handing.row.no).is_some_and(|at| *at <= now);
    let (waiting, ready): (Vec<_>, Vec<_>) = handings.into_iter().partition(is_waiting);
    if !waiting.is_empty() {
        give_back(engine, tx, &waiting, "news of the case is being read", tick).await?;
    }
    Ok(ready)
}

/// What was allowed at the claim goes back to its cases, to be decided again at once. The log must not end with a yes to
/// what did not leave.
async fn give_back(
    engine: &Engine,
    tx: &mut Tx,
    handings: &[Handing],
    rule: &str,
    tick: &mut Tick,
) -> Result<(), Error> {
    let policy = engine.shelf.law.policy_hash().to_string();
    let (mut back, mut asked) = (Vec::new(), Vec::new());
    for Handing { row, effect, at, .. } in handings {
        back.push(returned(row, effect, *at, rule.to_owned(), Some(*at))?);
        let verdict = Verdict::Defer { until: *at, rule: rule.to_owned() };
        let judged = Judgement { verdict, findings: Vec::new(), moved: Vec::new() };
        asked.extend(explain::row(effect, &judged, *at, &policy));
    }
    tick.progress.returned += back.len() as u64;
    verdicts::put(tx, &asked).await?;
    outbox::settle(tx, &back).await?;
    Ok(())
}

/// The last write before the hand-over; the lease begins anew. Answers what is still ours to hand over.
///
/// # Errors
/// [`Error::Store`].
pub(crate) async fn mark_sending(engine: &Engine, tx: &mut Tx, handings: Vec<Handing>) -> Result<Vec<Handing>, Error> {
    if handings.is_empty() {
        return Ok(handings);
    }
    let (lease, _) = lease(engine, tx).await?;
    let all = |handing: &Handing| {
        // The key of a message is written before it leaves: whoever hands it over again, it is the same one.
        let key = handing.effect.bundled.then(|| handing.effect.key.unwrap_or(handing.effect.id));
        let carried = handing.carried.iter().map(|one| (one.row.id, one.row.fence, key));
        std::iter::once((handing.row.id, handing.row.fence, key)).chain(carried).collect::<Vec<_>>()
    };
    let rows: Vec<_> = handings.iter().flat_map(all).collect();
    let held = outbox::mark_sending(tx, &rows, lease.until).await?;
    // All of them were locked by the check: what another worker took over is gone as a whole.
    let lost: BTreeSet<_> = rows.iter().zip(held).filter(|(_, held)| !held).map(|(row, _)| *row).collect();
    Ok(handings.into_iter().filter(|handing| all(handing).iter().all(|row| !lost.contains(row))).collect())
}

/// What the guard's word means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// What may not leave goes back to its case.
    Guard,
    /// It may have left already, so it is never recorded as held back; but it goes again only where it may.
    Again,
}

/// Asks the guard of every row, in order, each contact counting for the ones behind it. What may not leave is settled
/// as returned; what may has its row in the contact ledger.
async fn check(
    engine: &Engine,
    tx: &mut Tx,
    rows: Vec<OutboxRow>,
    ask: Ask,
    tick: &mut Tick,
) -> Result<Vec<Handing>, Error> {
    let asking = Asking::of(engine, tx, &rows).await?;
    let rows = in_turn(engine, &asking, rows)?;
    let Asking { cases, bundles, mut loaded } = asking;
    let (mut handings, mut returns, mut spent) = (Vec::new(), Vec::new(), Vec::new());
    let mut bundled = Vec::new();
    let (mut asked, mut doubts) = (Vec::new(), Vec::new());
    let policy = engine.shelf.law.policy_hash().to_string();
    for (row, effect) in rows {
        let Some(case) = cases.get(&row.no) else { continue };
        let bundle = &bundles[&(case.bundle, case.content)];
        let Some(judged) = judge(engine, (case, bundle), (&row, &effect), &mut loaded) else { continue };
        let Judged { at, facts, mut judgement, contact } = judged;
        if ask == Ask::Again {
            doubt(&mut judgement.verdict);
        }
        asked.extend(explain::row(&effect, &judgement, at, &policy));
        if ask == Ask::Again && judgement.verdict != Verdict::Allow {
            // Its row of the ledger stays, and counts for what is asked behind it.
            spend(&row, &effect, &facts, at, &mut loaded);
            doubts.push(unknown(&row, at)?);
            continue;
        }
        spent.extend(contact);
        match judgement.verdict {
            Verdict::Allow => {
                let ready = Ready { row, effect, at, case, bundle, facts: Arc::new(facts) };
                if ready.effect.bundled {
                    bundled.push(ready);
                } else {
                    handings.push(prepare(engine, ready, &loaded, &[]));
                }
            }
            Verdict::Defer { until, rule } => returns.push(returned(&row, &effect, at, rule, Some(until))?),
            Verdict::Forbid { rule } => returns.push(returned(&row, &effect, at, rule, None)?),
        }
    }
    handings.extend(together::merge(engine, bundled, &loaded, &mut spent));
    if !asked.is_empty() {
        verdicts::put(tx, &asked).await?;
    }
    if !spent.is_empty() {
        contacts::put(tx, &spent).await?;
    }
    if !doubts.is_empty() {
        outbox::mark_unknown(tx, &doubts, DIED).await?;
    }
    if !returns.is_empty() {
        tick.progress.returned += returns.len() as u64;
        outbox::settle(tx, &returns).await?;
    }
    Ok(handings)
}

/// What may have left already and does not go again is not told as held back.
fn doubt(verdict: &mut Verdict) {
    match verdict {
        Verdict::Allow => {}
        Verdict::Defer { rule, .. } | Verdict::Forbid { rule } => {
            *rule = format!("{rule}; it may have left before, and is not handed over again");
        }
    }
}

/// An effect that passed the check, with what it is rendered from.
struct Ready<'a> {
    row: OutboxRow,
    effect: Effect,
    at: Timestamp,
    case: &'a Case,
    bundle: &'a Bundle,
    facts: Arc<Facts>,
}

/// Renders a message; `lines` are the invoices that it is about, where there are several.
fn prepare(engine: &Engine, ready: Ready<'_>, loaded: &Loaded, lines: &[Line]) -> Handing {
    let Ready { row, effect, at, case, bundle, facts } = ready;
    let facts = &*facts;
    let recipient = recipient(&effect, loaded);
    let templates = &bundle.templates;
    let interest = loaded.statement(&effect.invoice, facts.today);
    let interest = interest.as_ref();
    let registry = &bundle.compiled.playbook.facts;
    let settings = &engine.settings;
    let opt_out = stated::wants_opt_out(engine, bundle, &effect, facts);
    let with = Rendering { facts, interest, registry, recipient: &recipient, templates, settings, at, lines, opt_out };
    let item = render(&effect, &with);
    let act = act(&effect, case, facts, at);
    Handing { row, effect, at, item, act, carried: Vec::new() }
}

/// The effect goes back to its case, spends nothing.
pub(crate) fn returned(
    row: &OutboxRow,
    effect: &Effect,
    at: Timestamp,
    rule: String,
    not_before: Option<Timestamp>,
) -> Result<Settled, Error> {
    let mut fields = vec![("effect", Value::text(effect.id.to_string())), ("rule", Value::text(rule))];
    fields.extend(not_before.map(|until| ("not_before", Value::text(until.to_string()))));
    let news = news(row, "outcome.returned", at, fields)?;
    let mark = LedgerMark::Goes;
    Ok(Settled { effect: row.id, no: row.no, fence: row.fence, mark, communication: None, news: Some(news) })
}

fn news(row: &OutboxRow, name: &str, at: Timestamp, fields: Vec<(&str, Value)>) -> Result<NewEvent, Error> {
    db::event_row(row.no, &own_news(row, name, at, fields))
}

/// An effect that goes back to its case keeps its id when it is ordered again, so its news are told apart by time and try.
fn own_news(row: &OutboxRow, name: &str, at: Timestamp, fields: Vec<(&str, Value)>) -> Event {
    let nth = format!("{}/{}/{}", row.tries, row.due_at, at);
    let id = EventId::derive(&["worker", name, &row.id.to_string(), &nth]);
    db::own_event(id, name, at, fields)
}

fn recipient(effect: &Effect, loaded: &Loaded) -> Recipient {
    let points = loaded.points.get(&effect.customer);
    let point = effect.to.as_ref().and_then(|id| points?.iter().find(|point| point.fact.id == *id));
    let name = loaded.clients.get(&effect.customer).map_or("", |client| &client.record.name);
    match point {
        Some(point) => Recipient {
            name: if point.name.is_empty() { name.to_owned() } else { point.name.clone() },
            role: point.fact.role.clone(),
            address: point.address.clone(),
        },
        None => Recipient { name: name.to_owned(), role: effect.role.clone(), address: String::new() },
    }
}

/// Hands over, lane by lane, with no transaction open. Answers what became of each.
///
/// # Errors
/// [`Error::Fault`] only: what a channel says is an outcome.
pub(crate) async fn hand_over(
    engine: &Engine,
    handings: Vec<Handing>,
    tick: &mut Tick,
) -> Result<Vec<Settling>, Error> {
    let mut lanes: BTreeMap<String, Vec<Handing>> = BTreeMap::new();
    for handing in handings {
        lanes.entry(handing.effect.lane.clone()).or_default().push(handing);
    }
    let mut settling = Vec::new();
    for (lane, handings) in lanes {
        let Some(channel) = engine.channels.get(&lane) else {
            let refused = || Outcome::Refused(format!("no channel serves the lane {lane}"));
            settling.extend(handings.into_iter().flat_map(|handing| finish(handing, &refused(), None, tick)));
            continue;
        };
        let (mut ready, mut items) = (Vec::new(), Vec::new());
        for mut handing in handings {
            match composed(&**channel, &mut handing, engine.settings.render) {
                Ok(item) => {
                    items.push(item);
                    ready.push(handing);
                }
                Err(reason) => settling.extend(finish(handing, &Outcome::Failed(reason), None, tick)),
            }
        }
        let answers = if items.is_empty() { Vec::new() } else { channel.deliver(&items).await };
        rest_where_nothing_was_tried(engine, &lane, &answers);
        let mut answers = answers.into_iter();
        engine.settings.faults.pass("deliver.delivered")?;
        for (handing, item) in ready.into_iter().zip(items) {
            let silent = || Delivery::Unknown { reason: "the channel did not answer for this item".to_owned() };
            let outcome = outcome(&handing, answers.next().unwrap_or_else(silent));
            settling.extend(finish(handing, &outcome, item.raw, tick));
        }
    }
    Ok(settling)
}

/// A relay that is away costs one slice of time, not one per slice: its lane rests, the others go on.
fn rest_where_nothing_was_tried(engine: &Engine, lane: &str, answers: &[Delivery]) {
    let mut reasons = answers.iter().map(|answer| match answer {
        Delivery::NotTried { reason } => Some(reason),
        Delivery::Accepted { .. } | Delivery::Refused { .. } | Delivery::Retry { .. } | Delivery::Unknown { .. } => {
            None
        }
    });
    if let Some(Some(reason)) = reasons.next()
        && reasons.all(|reason| reason.is_some())
    {
        tracing::warn!(lane, reason, "nothing could be handed over; the lane rests for {NOT_TRIED_S} seconds");
        let until = engine.clock.now().plus_us(NOT_TRIED_S * 1_000_000);
        let mut rests = engine.rests.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        rests.insert(lane.to_owned(), until);
    }
}

/// The item with the exact bytes that leave.
fn composed(channel: &dyn Channel, handing: &mut Handing, render: bool) -> Result<Outgoing, String> {
    let mut item = std::mem::replace(&mut handing.item, Err(String::new()))?;
    if render {
        item.raw = Some(channel.render(&item)?);
    }
    Ok(item)
}

/// A transient failure is tried again after a growing pause, as often as its step says.
fn outcome(handing: &Handing, answer: Delivery) -> Outcome {
    match answer {
        Delivery::Accepted { reference } => Outcome::Accepted(reference),
        Delivery::Refused { reason } => Outcome::Refused(reason),
        Delivery::Unknown { reason } => Outcome::Unknown(reason),
        // Nothing was said of the try before, which a dead worker had begun.
        Delivery::NotTried { reason } if handing.row.state == outbox::State::Sending => Outcome::Unknown(reason),
        Delivery::NotTried { reason } => {
            let pause_us = handing.effect.retry.first_s.max(NOT_TRIED_S).saturating_mul(1_000_000);
            Outcome::Later(handing.at.plus_us(pause_us), handing.row.tries, reason)
        }
        Delivery::Retry { reason } => {
            let retry = handing.effect.retry;
            let before = u32::try_from(handing.row.tries).unwrap_or(u32::MAX);
            if before + 1 >= retry.times {
                return Outcome::Failed(format!("{reason} ({} tries)", before + 1));
            }
            let factor = i64::from(retry.factor.max(1)).saturating_pow(before);
            let pause_us = retry.first_s.saturating_mul(factor).saturating_mul(1_000_000);
            Outcome::Later(handing.at.plus_us(pause_us), handing.row.tries + 1, reason)
        }
    }
}

/// What became of a message, and of what it took along.
fn finish(mut handing: Handing, outcome: &Outcome, bytes: Option<Vec<u8>>, tick: &mut Tick) -> Vec<Settling> {
    let (leader, carried) = (handing.effect.id, std::mem::take(&mut handing.carried));
    let state = outcome.state();
    if matches!(outcome, Outcome::Accepted(_)) && handing.effect.kind == EffectKind::Contact {
        tick.progress.contacts += 1;
    }
    if !state.is_empty() && handing.effect.kind != EffectKind::Notify {
        state.clone_into(&mut handing.act.state);
        tick.acts.push(handing.act.clone());
    }
    let mut all = vec![Settling { handing, outcome: outcome.clone(), carried_by: None, bytes }];
    let along = |handing| Settling { handing, outcome: outcome.clone(), carried_by: Some(leader), bytes: None };
    all.extend(carried.into_iter().map(along));
    all
}

impl Outcome {
    fn state(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Refused(_) => "refused",
            Self::Failed(_) => "failed",
            Self::Unknown(_) => "unknown",
            Self::Later(..) => "",
        }
    }
}

/// Settles what was handed over: evidence, contact ledger, news for the case. An unknown outcome keeps its row. What
/// another worker has taken over meanwhile is left to it: nothing of it is written or counted.
///
/// # Errors
/// [`Error::Store`].
pub(crate) async fn settle(engine: &Engine, tx: &mut Tx, settling: &[Settling]) -> Result<(), Error> {
    let customers: Vec<CustomerId> = settling.iter().map(|one| one.handing.effect.customer.clone()).collect();
    if !customers.is_empty() {
        contacts::lock_budget(tx, &db::unique(&customers)).await?;
    }
    let (mut done, mut later, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for one in settling {
        match &one.outcome {
            Outcome::Later(due_at, tries, reason) => {
                let row = &one.handing.row;
                let (effect, fence, reason) = (row.id, row.fence, reason.clone());
                later.push(outbox::Later { effect, fence, due_at: *due_at, tries: *tries, reason });
            }
            Outcome::Unknown(reason) => unknown.push((one, reason)),
            Outcome::Accepted(_) | Outcome::Refused(_) | Outcome::Failed(_) => done.push(one),
        }
    }
    let mut counted = Vec::new();
    if !done.is_empty() {
        let rows = done.iter().map(|one| settled(one)).collect::<Result<Vec<_>, Error>>()?;
        let held = outbox::settle(tx, &rows).await?;
        warn_stale(held.iter().filter(|held| !**held).count());
        let accepted = done.iter().zip(held).filter(|(one, held)| *held && one.is_accepted_contact());
        counted.extend(accepted.map(|(one, _)| one.handing.effect.customer.clone()));
    }
    if !later.is_empty() {
        let held = outbox::retry_later(tx, &later).await?;
        warn_stale(held.iter().filter(|held| !**held).count());
        let ours = later.iter().zip(held).filter(|(_, held)| *held);
        contacts::delete(tx, &ours.map(|(row, _)| row.effect.to_string()).collect::<Vec<_>>()).await?;
    }
    for (one, reason) in unknown {
        // Rare, and each has its own reason: one statement each.
        if outbox::mark_unknown(tx, &[settled(one)?], reason).await? == [true] && one.carried_by.is_none() {
            counted.push(one.handing.effect.customer.clone());
        }
    }
    count_contacts(tx, &counted).await?;
    note_offers(engine, tx, settling).await?;
    engine.settings.faults.pass("deliver.settled")
}

/// Plans and discounts that were offered, also where nobody knows whether the word came: a customer may take them.
async fn note_offers(engine: &Engine, tx: &mut Tx, settling: &[Settling]) -> Result<(), Error> {
    let may_have_left = |one: &&Settling| matches!(one.outcome, Outcome::Accepted(_) | Outcome::Unknown(_));
    let rows: Vec<_> = settling
        .iter()
        .filter(may_have_left)
        .filter_map(|one| {
            let Handing { effect, at, .. } = &one.handing;
            crate::offer::record(effect, *at).map(|record| crate::receive::inbound_row("worker", &record, *at))
        })
        .collect();
    if !rows.is_empty() {
        recobro_store::inbound::insert(tx, &rows, engine.clock.now()).await?;
    }
    Ok(())
}

impl Settling {
    fn is_accepted_contact(&self) -> bool {
        matches!(self.outcome, Outcome::Accepted(_))
            && self.handing.effect.channel.is_some()
            && self.carried_by.is_none()
    }
}

fn warn_stale(stale: usize) {
    if stale > 0 {
        tracing::warn!(stale, "effects were taken over by another worker; its outcome counts");
    }
}

/// `contacts.total` of the customers moves with what left.
async fn count_contacts(tx: &mut Tx, counted: &[CustomerId]) -> Result<(), Error> {
    if counted.is_empty() {
        return Ok(());
    }
    let mut tallies = recobro_store::customers::aggregates(tx, &db::unique(counted)).await?;
    for customer in counted {
        tallies.entry(customer.clone()).or_default().contacts_total += 1;
    }
    recobro_store::customers::put_aggregates(tx, &tallies).await?;
    Ok(())
}

fn settled(one: &Settling) -> Result<Settled, Error> {
    let (event, mark) = outcome_event(one);
    let news = Some(db::event_row(one.handing.row.no, &event)?);
    Ok(evidence(one, mark, news))
}

/// The outcome as the case hears it, and what it means for the contact ledger.
fn outcome_event(one: &Settling) -> (Event, LedgerMark) {
    let Settling { handing, outcome, carried_by, .. } = one;
    let Handing { row, effect, at, .. } = handing;
    let mut fields = vec![("effect", Value::text(effect.id.to_string()))];
    fields.extend(carried_by.map(|leader| ("bundle", Value::text(leader.to_string()))));
    let (name, mark) = match outcome {
        Outcome::Accepted(reference) => {
            fields.push(("ref", Value::text(reference)));
            fields.push(("channel", Value::text(&effect.lane)));
            ("outcome.accepted", LedgerMark::Counts)
        }
        Outcome::Refused(reason) => {
            fields.push(("reason", Value::text(reason)));
            ("outcome.refused", LedgerMark::Goes)
        }
        Outcome::Failed(reason) | Outcome::Later(_, _, reason) => {
            fields.push(("reason", Value::text(reason)));
            ("outcome.failed", LedgerMark::Goes)
        }
        Outcome::Unknown(reason) => {
            fields.push(("reason", Value::text(reason)));
            ("outcome.unknown", LedgerMark::Counts)
        }
    };
    (own_news(row, name, *at, fields), mark)
}

/// What is written of a hand-over beside its news.
fn evidence(one: &Settling, mark: LedgerMark, news: Option<NewEvent>) -> Settled {
    let Settling { handing, outcome, bytes, .. } = one;
    let Handing { row, effect, at, .. } = handing;
    let reference = if let Outcome::Accepted(reference) = outcome { Some(reference.clone()) } else { None };
    let communication = Communication {
        effect: row.id,
        no: row.no,
        customer: effect.customer.clone(),
        invoice: effect.invoice.clone(),
        lane: effect.lane.clone(),
        step: effect.step.clone(),
        to: effect.to.clone(),
        state: outcome.state().to_owned(),
        reference,
        bytes: bytes.clone(),
        at: *at,
    };
    let communication = Some(communication);
    Settled { effect: row.id, no: row.no, fence: row.fence, mark, communication, news }
}

/// What a sweep found.
pub(crate) struct Swept {
    /// Taken over: to be handed over again under the same keys.
    pub(crate) again: Vec<Handing>,
    /// Rows that were looked at.
    pub(crate) rows: usize,
}

/// Looks after what a dead worker held: what it had only claimed is ready again; what may have left goes again with the
/// same key on idempotent lanes where it may, and is unknown else. In real time a case reads its news first.
///
/// # Errors
/// [`Error::Store`].
pub(crate) async fn sweep(engine: &Engine, tx: &mut Tx, is_real: bool, tick: &mut Tick) -> Result<Swept, Error> {
    // What has come and is not routed yet may forbid what is about to go again.
    if is_real && engine.news_waits(tx).await? {
        return Ok(Swept { again: Vec::new(), rows: 0 });
    }
    let lanes = engine.channels.iter().filter(|(_, channel)| channel.idempotent());
    let idempotent: Vec<String> = lanes.map(|(lane, _)| lane.clone()).collect();
    let (lease, now) = lease(engine, tx).await?;
    let found = outbox::sweep(tx, now, &idempotent, &lease, BATCH).await?;
    let rows = found.freed + found.again.len() + found.unsure.len();
    if !found.unsure.is_empty() {
        let at = |row: &OutboxRow| row.due_at.max(engine.clock.now());
        let unsure = found.unsure.iter().map(|row| unknown(row, at(row))).collect::<Result<Vec<_>, Error>>()?;
        outbox::mark_unknown(tx, &unsure, DIED).await?;
        note_unsure(engine, tx, &found.unsure).await?;
    }
    let mut again = found.again;
    if again.is_empty() {
        return Ok(Swept { again: Vec::new(), rows });
    }
    // The try that was interrupted is the one that goes on.
    for row in &mut again {
        row.tries = (row.tries - 1).max(0);
    }
    if is_real {
        again = without_news(engine, tx, again).await?;
    }
    Ok(Swept { again: check(engine, tx, again, Ask::Again, tick).await?, rows })
}

/// What goes again on no lane but an idempotent one is in the log as well: no rule was asked, and this one decides.
async fn note_unsure(engine: &Engine, tx: &mut Tx, rows: &[OutboxRow]) -> Result<(), Error> {
    let policy = engine.shelf.law.policy_hash().to_string();
    let mut noted = Vec::new();
    for row in rows {
        let mut verdict = Verdict::Forbid { rule: format!("no second try on the lane {}", row.lane) };
        doubt(&mut verdict);
        let judged = Judgement { verdict, findings: Vec::new(), moved: Vec::new() };
        let at = row.due_at.max(engine.clock.now());
        noted.extend(explain::row(&effect_of(row)?, &judged, at, &policy));
    }
    verdicts::put(tx, &noted).await?;
    Ok(())
}

/// What a case has not read yet may forbid it: it stays in the lease, and is looked at again behind that. A case that is
/// paused or parked reads on when a person lets it; until then nobody would know what became of its effect, so a person
/// is asked now.
async fn without_news(engine: &Engine, tx: &mut Tx, again: Vec<OutboxRow>) -> Result<Vec<OutboxRow>, Error> {
    let numbers = db::unique(&again.iter().map(|row| row.no).collect::<Vec<_>>());
    let unread = recobro_store::events::next_of(tx, &numbers).await?;
    let now = engine.clock.now();
    let is_read = |row: &OutboxRow| unread.get(&row.no).is_none_or(|at| *at > now);
    let (ready, waiting): (Vec<_>, Vec<_>) = again.into_iter().partition(is_read);
    if waiting.is_empty() {
        return Ok(ready);
    }
    let numbers = db::unique(&waiting.iter().map(|row| row.no).collect::<Vec<_>>());
    let cases = db::seen_cases(tx, &numbers).await?;
    let is_stopped =
        |row: &&OutboxRow| cases.get(&row.no).is_some_and(|case| case.paused.is_some() || case.trouble.is_some());
    let unsure = waiting.iter().filter(is_stopped).map(|row| unknown(row, row.due_at.max(now)));
    let unsure = unsure.collect::<Result<Vec<_>, Error>>()?;
    if !unsure.is_empty() {
        outbox::mark_unknown(tx, &unsure, DIED).await?;
    }
    Ok(ready)
}

/// Nobody knows whether it left, and nobody but a person can say.
fn unknown(row: &OutboxRow, at: Timestamp) -> Result<Settled, Error> {
    let fields = vec![("effect", Value::text(row.id.to_string())), ("reason", Value::text(DIED))];
    let news = Some(news(row, "outcome.unknown", at, fields)?);
    let (effect, no, fence) = (row.id, row.no, row.fence);
    Ok(Settled { effect, no, fence, mark: LedgerMark::Counts, communication: None, news })
}

fn act(effect: &Effect, case: &Case, facts: &Facts, at: Timestamp) -> Act {
    Act {
        kind: "contact",
        at,
        on: facts.today,
        invoice: effect.invoice.to_string(),
        customer: effect.customer.to_string(),
        playbook: case.playbook.clone(),
        version: case.version,
        stage: effect.stage.clone(),
        step: effect.step.clone(),
        channel: effect.lane.clone(),
        class: effect.class.name().to_owned(),
        state: String::new(),
        balance: facts.invoice.money(facts.invoice.balance_minor).to_decimal().to_string(),
        currency: facts.invoice.currency.code().to_owned(),
        days_past_due: (facts.today - facts.invoice.due).num_days(),
    }
}

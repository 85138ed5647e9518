//! After an outage: what is late and much waits for a person, who releases it in tranches.
//!
//! A case whose time passed more than a day ago is late. Where more cases than the threshold are late at once, what each
//! of them orders is born held, also when its hours let it be ordered only tomorrow, until it is released. A released
//! contact goes back to its case, which decides it again with the facts of that moment; what was paid, promised or
//! disputed meanwhile takes its contacts back as always. What was ordered on time and lay ready through the outage is held
//! at its claim by the same threshold. Real time only: a virtual run is never late.

use crate::db::{self, Claimed};
use crate::deliver::{self, Asking};
use crate::operate::Who;
use crate::priority::Rank;
use crate::run::{Span, Tick};
use crate::{Engine, Error};
use recobro_kernel::effect::{Effect, EffectKind};
use recobro_kernel::guard::Verdict;
use recobro_kernel::ids::EffectId;
use recobro_kernel::money::Money;
use recobro_kernel::record::Record;
use recobro_kernel::time::{HOUR_US, Timestamp};
use recobro_store::catch_up::{self, Totals};
use recobro_store::outbox::{self, OutboxRow, State};
use recobro_store::{CaseNo, Tx};
use std::collections::{BTreeMap, BTreeSet};

/// What was due longer ago than this is late, microseconds: a worker that runs once a day is never late.
const LATE_US: i64 = 24 * HOUR_US;

/// What a late case orders within a week comes of its lateness (hours, holidays, gaps); later it is as any other's.
const STALE_US: i64 = 7 * 24 * HOUR_US;

/// Held effects looked at together.
const PAGE: i64 = 1_000;

/// Which cases of a batch order what waits for a person.
#[derive(Default)]
pub(crate) struct Holding {
    cases: BTreeSet<CaseNo>,
    late: Vec<CaseNo>,
    superseded: i64,
}

impl Holding {
    /// Looks at what was claimed; a batch in virtual time pays nothing for it.
    pub(crate) async fn of(engine: &Engine, tx: &mut Tx, span: Span, claimed: &[Claimed]) -> Result<Self, Error> {
        if !span.sliced || engine.settings.catch_up_above == 0 {
            return Ok(Self::default());
        }
        let before = span.now.plus_us(-LATE_US);
        let late: Vec<CaseNo> = claimed.iter().filter(|one| one.due_at < before).map(|one| one.no).collect();
        let late = if late.is_empty() || !holds(engine, tx, before, late.len()).await? { Vec::new() } else { late };
        let numbers: Vec<CaseNo> = claimed.iter().map(|one| one.no).collect();
        let mut cases = catch_up::held(tx, &numbers, span.now.plus_us(-STALE_US)).await?;
        cases.extend(&late);
        Ok(Self { cases, late, superseded: 0 })
    }

    /// Whether what a case orders waits.
    pub(crate) fn holds(&self, no: CaseNo) -> bool {
        self.cases.contains(&no)
    }

    /// Notes what a late turn left out.
    pub(crate) fn note(&mut self, no: CaseNo, records: &[Record]) {
        if self.holds(no) {
            let given_way = records.iter().filter(|record| matches!(record, Record::Superseded { .. })).count();
            self.superseded += i64::try_from(given_way).unwrap_or(0);
        }
    }

    /// Writes which cases wait.
    pub(crate) async fn write(&self, tx: &mut Tx, at: Timestamp) -> Result<(), Error> {
        if !self.late.is_empty() {
            catch_up::hold(tx, &self.late, at).await?;
        }
        let late = i64::try_from(self.late.len()).unwrap_or(0);
        if late > 0 || self.superseded > 0 {
            catch_up::count(tx, Totals { late, superseded: self.superseded }).await?;
        }
        Ok(())
    }
}

/// Whether late cases wait for a person: from when more than the threshold are late until none is left.
async fn holds(engine: &Engine, tx: &mut Tx, before: Timestamp, claimed: usize) -> Result<bool, Error> {
    let above = i64::try_from(engine.settings.catch_up_above).unwrap_or(i64::MAX - 1);
    let claimed = i64::try_from(claimed).unwrap_or(i64::MAX - 1);
    // Counted beyond both: whether there are more than a person is asked for, and whether any are left behind this batch.
    let left = catch_up::late(tx, before, above.max(claimed) + 1).await?;
    let begun = catch_up::since(tx).await?.is_some();
    if !begun && left <= above {
        return Ok(false);
    }
    if !begun {
        let now = engine.clock.now();
        catch_up::begin(tx, now).await?;
        tracing::warn!(
            more_than = above,
            "late cases after an outage: what they order waits for `recobro outbox release`"
        );
    }
    if left <= claimed {
        catch_up::end(tx).await?;
    }
    Ok(true)
}

/// Holds what was ready before an outage and is claimed only now, where more than the threshold is. Answers the rows that
/// go on.
pub(crate) async fn keep_back(
    engine: &Engine,
    tx: &mut Tx,
    rows: Vec<OutboxRow>,
    tick: &mut Tick,
) -> Result<Vec<OutboxRow>, Error> {
    let before = engine.clock.now().plus_us(-LATE_US);
    let above = i64::try_from(engine.settings.catch_up_above).unwrap_or(i64::MAX - 1);
    if above == 0 || rows.iter().all(|row| row.due_at >= before) {
        return Ok(rows);
    }
    let (mut late, mut on_time) = (Vec::new(), Vec::new());
    for row in rows {
        let effect = deliver::effect_of(&row)?;
        let waits = row.due_at < before && effect.kind == EffectKind::Contact && !effect.class.is_exempt();
        if waits { &mut late } else { &mut on_time }.push(row);
    }
    // What waits already counts, so that the last ones of many do not leave as few.
    let others = catch_up::late_effects(tx, before, above + 1).await?;
    if others + i64::try_from(late.len()).unwrap_or(0) <= above {
        on_time.extend(late);
        on_time.sort_by_key(|row| (row.due_at, row.id));
        return Ok(on_time);
    }
    tracing::warn!(held = late.len(), "contacts of before an outage wait for `recobro outbox release`");
    outbox::keep_back(tx, &late.iter().map(|row| row.id).collect::<Vec<_>>()).await?;
    tick.kept_back = true;
    Ok(on_time)
}

/// What waits, and what would leave if it were released now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// Contacts held that were asked about.
    pub held: u64,
    /// All that are held.
    pub all: u64,
    /// Would leave at once, by channel.
    pub leaves: BTreeMap<String, u64>,
    /// Would leave later, because of hours, gaps and caps.
    pub later: u64,
    /// The last of these.
    pub last: Option<Timestamp>,
    /// Would not leave, by rule.
    pub blocked: BTreeMap<String, u64>,
    /// What the contacts ask for, by currency; an invoice once.
    pub amounts: Vec<Money>,
    /// Customers they go to.
    pub customers: u64,
    /// Cases taken too late by the last outage.
    pub late: i64,
    /// Their steps that gave way to a later one.
    pub superseded: i64,
    /// Cases whose contact is still to come, and waits then.
    pub to_come: i64,
}

/// A held contact with its place in the queue.
struct Held {
    row: OutboxRow,
    effect: Effect,
    rank: Rank,
}

impl Engine {
    /// What a release of the first `tranche` contacts would do now, or of all.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Bundle`].
    pub async fn forecast(&self, tranche: Option<usize>) -> Result<Forecast, Error> {
        // Reads only, and locks nobody: a forecast of thousands must not stand in the way of the work.
        let mut tx = self.store.read().await?;
        let held = queue(self, &mut tx).await?;
        let forecast = foretell(self, &mut tx, first(&held, tranche)).await?;
        let totals = catch_up::totals(&mut tx).await?;
        let cases: BTreeSet<CaseNo> = held.iter().map(|one| one.row.no).collect();
        let to_come = catch_up::cases(&mut tx).await? - i64::try_from(cases.len()).unwrap_or(0);
        tx.rollback().await?;
        let all = held.len() as u64;
        Ok(Forecast { all, late: totals.late, superseded: totals.superseded, to_come: to_come.max(0), ..forecast })
    }

    /// Gives the first `tranche` held contacts back to their cases, or all, and says how many: each is decided again with
    /// the facts of now. The record of each case names who released it, and why.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Bundle`].
    pub async fn release(&self, tranche: Option<usize>, who: &Who) -> Result<u64, Error> {
        let mut tx = self.store.begin().await?;
        let held = queue(self, &mut tx).await?;
        let chosen = first(&held, tranche);
        let mut released = 0;
        for page in chosen.chunks(usize::try_from(PAGE).unwrap_or(1)) {
            released += give_back(self, &mut tx, page, who).await?;
        }
        if tranche.is_none() {
            catch_up::release_all(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(released)
    }
}

/// Every held contact, in the order of release.
async fn queue(engine: &Engine, tx: &mut Tx) -> Result<Vec<Held>, Error> {
    let mut queue = Vec::new();
    let mut after = String::new();
    loop {
        let rows = outbox::list(tx, Some(State::Held), &after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = last.id.to_string();
        let asking = Asking::seen(engine, tx, &rows).await?;
        for row in rows {
            let effect = deliver::effect_of(&row)?;
            // A row whose invoice the ledger lost comes last.
            let rank = asking.rank(engine, &row, &effect);
            let rank = rank.unwrap_or((u8::MAX, std::cmp::Reverse(0), chrono::NaiveDate::MAX, std::cmp::Reverse(0)));
            queue.push(Held { row, effect, rank });
        }
    }
    queue.sort_by_key(|one| (one.rank, one.row.id));
    Ok(queue)
}

/// The first of a queue, with what leaves in the same messages.
fn first(held: &[Held], tranche: Option<usize>) -> Vec<&Held> {
    let Some(tranche) = tranche else { return held.iter().collect() };
    let (chosen, rest) = held.split_at(tranche.min(held.len()));
    let groups: BTreeSet<_> = chosen.iter().filter(|one| one.effect.bundled).map(|one| one.effect.group).collect();
    chosen.iter().chain(rest.iter().filter(|one| one.effect.bundled && groups.contains(&one.effect.group))).collect()
}

/// Asks the guard of each in order, every contact counting for the ones behind it; writes nothing.
async fn foretell(engine: &Engine, tx: &mut Tx, chosen: Vec<&Held>) -> Result<Forecast, Error> {
    let mut forecast = Forecast { held: chosen.len() as u64, ..Forecast::default() };
    let (mut customers, mut asked) = (BTreeSet::new(), BTreeMap::new());
    for page in pages(chosen) {
        let rows: Vec<OutboxRow> = page.iter().map(|one| one.row.clone()).collect();
        let mut asking = Asking::seen(engine, tx, &rows).await?;
        for one in &page {
            let Some((facts, judged)) = asking.judge(engine, &one.row, &one.effect) else { continue };
            match judged.verdict {
                Verdict::Allow => *forecast.leaves.entry(one.row.lane.clone()).or_default() += 1,
                Verdict::Defer { until, .. } if until < Timestamp::MAX && until > engine.clock.now() => {
                    forecast.later += 1;
                    forecast.last = forecast.last.max(Some(until));
                }
                Verdict::Defer { rule, .. } | Verdict::Forbid { rule } => {
                    *forecast.blocked.entry(rule).or_default() += 1;
                    continue;
                }
            }
            customers.insert(one.row.customer.clone());
            asked.insert(one.row.invoice.clone(), facts.invoice.money(facts.invoice.claimable_minor()));
        }
    }
    forecast.customers = customers.len() as u64;
    forecast.amounts = totals(asked.into_values());
    Ok(forecast)
}

/// Cuts the queue so that every customer is whole in one page: what one customer gets counts for nobody else.
fn pages(mut chosen: Vec<&Held>) -> Vec<Vec<&Held>> {
    chosen.sort_by(|a, b| (&a.row.customer, a.rank, a.row.id).cmp(&(&b.row.customer, b.rank, b.row.id)));
    let most = usize::try_from(PAGE).unwrap_or(1);
    let mut pages: Vec<Vec<&Held>> = Vec::new();
    for customer in chosen.chunk_by(|a, b| a.row.customer == b.row.customer) {
        match pages.last_mut().filter(|page| page.len() + customer.len() <= most) {
            Some(page) => page.extend(customer),
            None => pages.push(customer.to_vec()),
        }
    }
    pages
}

/// Sums by currency.
fn totals(amounts: impl Iterator<Item = Money>) -> Vec<Money> {
    let mut sums: BTreeMap<_, i64> = BTreeMap::new();
    for amount in amounts {
        *sums.entry(amount.currency).or_default() += amount.minor;
    }
    sums.into_iter().map(|(currency, minor)| Money::new(minor, currency)).collect()
}

async fn give_back(engine: &Engine, tx: &mut Tx, page: &[&Held], who: &Who) -> Result<u64, Error> {
    let ids: Vec<EffectId> = page.iter().map(|one| one.row.id).collect();
    let now = engine.clock.now();
    let why = if who.why.is_empty() { String::new() } else { format!(": {}", who.why) };
    let mut returns = Vec::new();
    for row in outbox::take_held(tx, &ids).await? {
        let rule = format!("held after an outage, released by {}{why}", who.recorded());
        returns.push(deliver::returned(&row, &deliver::effect_of(&row)?, now, rule, Some(now))?);
    }
    let cases: Vec<CaseNo> = db::unique(&returns.iter().map(|one| one.no).collect::<Vec<_>>());
    catch_up::release(tx, &cases).await?;
    outbox::settle(tx, &returns).await?;
    Ok(returns.len() as u64)
}

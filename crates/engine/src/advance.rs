//! The tick that decides: claims due and woken cases, takes one turn each, commits them together. The only caller of
//! `kernel::decide`.
//!
//! A case's logical now is the latest of its due time, its newest event and the clock. Cases of one customer are taken
//! in time order, and what the earlier ones of a batch order is foreseen by the later ones.

use crate::catch_up::Holding;
use crate::db::{self, Claimed};
use crate::deliver::{self, Carried, Handing};
use crate::explain;
use crate::facts::Loaded;
use crate::library::{Bundle, Pin};
use crate::observe::Act;
use crate::people::{Answer, OpenTask, People};
use crate::priority::{crowded, rank_of_case};
use crate::route::ANSWER;
use crate::route::answer::Answered;
use crate::run::{Span, Tick};
use crate::turn;
use crate::{Engine, Error};
use recobro_kernel::case::Case;
use recobro_kernel::decide::{Decided, Entry, Follow, Input, Turn, decide, enter, enter_parked, park};
use recobro_kernel::effect::EffectKind;
use recobro_kernel::facts::{ContactMade, Facts};
use recobro_kernel::ids::{CaseId, CustomerId, Hash, InvoiceId};
use recobro_kernel::record::Inheritance;
use recobro_kernel::time::Timestamp;
use recobro_store::commit::{TurnCommit, commit_turns};
use recobro_store::inbound::{self, NewInbound};
use recobro_store::outbox::{self, Settled};
use recobro_store::verdicts::{self, VerdictRow};
use recobro_store::wake::{self, WakeAt};
use recobro_store::{CaseNo, Tx};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The shortest sleep after a turn that recorded nothing, microseconds.
const REST_US: i64 = 1_000_000;

/// Turns of one call of the store.
const COMMIT_MAX: usize = 1_000;

/// A rule that hits the wall clock so often parks its case.
const ABORTS_MAX: u32 = 3;

/// Why a case is parked whose rule is too slow.
const SLOW: &str = "slow rule: stopped three times by the time limit of rules";

/// Cases of one customer that lie further apart than this are taken in different batches, microseconds.
const SAME_TIME_US: i64 = 15 * 60 * 1_000_000;

/// The turns of one transaction: what they may know, whom they ask, what they want written.
pub(crate) struct Desk<'a> {
    engine: &'a Engine,
    people: &'a dyn People,
    loaded: Loaded,
    commits: Vec<TurnCommit>,
    rests: Vec<(CaseNo, Option<WakeAt>)>,
    acts: Vec<Act>,
    answers: Vec<(Timestamp, Answered)>,
    opened: u64,
    finished: u64,
    following: Option<CaseId>,
    /// What the turns held back, for the log.
    restraints: Vec<(CaseId, VerdictRow)>,
    holding: Holding,
    /// What this worker may carry, under which lease; nothing in virtual time.
    carrying: Option<Carrying>,
    /// What it will carry once its turns are written: index of the turn, the case behind it, its effect.
    begun: Vec<(usize, Case, Handing)>,
}

/// How much a desk may take up, under which lease.
struct Carrying {
    lease: outbox::Lease,
    room: usize,
}

/// Takes the turns of due and woken cases at or before the span's horizon. Says how many cases were looked at.
///
/// # Errors
/// [`Error::Store`], [`Error::Bundle`].
pub(crate) async fn advance(
    engine: &Engine,
    tx: &mut Tx,
    span: Span,
    people: &dyn People,
    tick: &mut Tick,
) -> Result<usize, Error> {
    let mut claimed = in_order(engine, tx, span).await?;
    if claimed.is_empty() {
        return Ok(0);
    }
    let holding = Holding::of(engine, tx, span, &claimed).await?;
    let invoices: Vec<InvoiceId> = claimed.iter().map(|c| c.case.invoice.clone()).collect();
    let customers: Vec<CustomerId> = claimed.iter().map(|c| c.case.customer.clone()).collect();
    let loaded = db::load_facts(engine, tx, (&invoices, &customers), span.now).await?;
    let pins: Vec<(Pin, &str)> = claimed.iter().map(|c| ((c.case.bundle, c.case.content), &*c.case.playbook)).collect();
    let bundles = engine.bundles(tx, &pins).await?;
    let mut desk = Desk { holding, ..Desk::new(engine, people, loaded).carrying(tick) };
    desk.queue(&mut claimed, &bundles);
    for one in &claimed {
        desk.take_turn(one, &bundles[&(one.case.bundle, one.case.content)]);
    }
    desk.write(tx, tick).await?;
    Ok(claimed.len())
}

/// Claims, and keeps of each customer only what lies within the same quarter of an hour as its earliest case, so that
/// nothing of a customer is decided before something earlier of the same customer has had its consequences.
async fn in_order(engine: &Engine, tx: &mut Tx, span: Span) -> Result<Vec<Claimed>, Error> {
    let mut claimed = db::claim_due(tx, span.horizon, engine.settings.batch, span.sliced).await?;
    if claimed.len() >= engine.settings.batch {
        // Something earlier may not have been claimed: only the first cell is sure to be complete enough.
        let until = claimed.iter().map(|one| one.due_at).min().map_or(span.cell_end, |first| first.max(span.cell_end));
        claimed.retain(|one| one.due_at <= until);
    }
    claimed.sort_by_key(|one| (one.due_at, one.case.id));
    let mut first: BTreeMap<CustomerId, Timestamp> = BTreeMap::new();
    claimed.retain(|one| {
        let earliest = *first.entry(one.case.customer.clone()).or_insert(one.due_at);
        one.due_at <= earliest.plus_us(SAME_TIME_US)
    });
    Ok(claimed)
}

impl<'a> Desk<'a> {
    /// A desk with nothing decided yet.
    pub(crate) fn new(engine: &'a Engine, people: &'a dyn People, loaded: Loaded) -> Self {
        Self {
            engine,
            people,
            loaded,
            commits: Vec::new(),
            rests: Vec::new(),
            acts: Vec::new(),
            answers: Vec::new(),
            opened: 0,
            finished: 0,
            following: None,
            restraints: Vec::new(),
            holding: Holding::default(),
            carrying: None,
            begun: Vec::new(),
        }
    }

    /// What its turns order may be carried, as far as this worker's hands are free.
    pub(crate) fn carrying(mut self, tick: &Tick) -> Self {
        let room = self.engine.room().saturating_sub(tick.begun.len());
        self.carrying = tick.lease.clone().map(|lease| Carrying { lease, room });
        self
    }

    /// The turns as they will be written.
    pub(crate) fn unwritten(&mut self) -> &mut [TurnCommit] {
        &mut self.commits
    }

    /// Cases of one customer that wake at the same instant decide in the order of their place in its queue: the first
    /// one takes the slot that is free.
    fn queue(&self, claimed: &mut [Claimed], bundles: &HashMap<Pin, Arc<Bundle>>) {
        let crowded = crowded(claimed.iter().map(|one| (&one.case.customer, one.due_at)));
        if crowded.is_empty() {
            return;
        }
        let crowded = |one: &Claimed| crowded.contains(&(one.case.customer.clone(), one.due_at));
        let place = |one: &Claimed| {
            let facts = self.facts(&one.case.invoice, one.due_at.max(self.engine.clock.now()))?;
            let playbook = &bundles.get(&(one.case.bundle, one.case.content))?.compiled.playbook;
            Some(rank_of_case(&one.case, playbook, &facts))
        };
        claimed.sort_by_cached_key(|one| (one.due_at, if crowded(one) { place(one) } else { None }, one.case.id));
    }

    /// The snapshot of an invoice at an instant.
    pub(crate) fn facts(&self, invoice: &InvoiceId, now: Timestamp) -> Option<Arc<Facts>> {
        self.loaded.facts(invoice, now, &self.engine.settings).map(Arc::new)
    }

    pub(crate) fn take_turn(&mut self, one: &Claimed, bundle: &Bundle) {
        let newest = one.events.iter().map(|event| event.at).max().unwrap_or(one.due_at);
        let now = one.due_at.max(newest).max(self.engine.clock.now());
        let Some(facts) = self.facts(&one.case.invoice, now) else {
            tracing::error!(case_id = %one.case.id, "the ledger has no invoice or customer for this case");
            self.rests.extend((!one.carried).then_some((one.no, None)));
            return;
        };
        let input = self.input(bundle, &facts, now);
        let decided = (0..ABORTS_MAX).find_map(|_| match decide(&input, &one.case, &one.events) {
            Decided::Turn(turn) => Some(*turn),
            Decided::Slow(_) => None,
        });
        let turn = match decided {
            None => park(&input, &one.case, &one.events, SLOW),
            Some(turn) => match self.leads_nowhere(&turn) {
                Some(cause) => park(&input, &one.case, &one.events, &cause),
                None => turn,
            },
        };
        self.settle(Some(one), turn, bundle, &facts);
    }

    /// A hand-over to a playbook that is not published must not end the case: nobody would go on with the invoice.
    fn leads_nowhere(&self, turn: &Turn) -> Option<String> {
        let name = &turn.follow.as_ref()?.handover.playbook;
        let gone = self.engine.shelf.current_bundle(name).is_none();
        gone.then(|| {
            format!(
                "handover to `{name}`, which is not published; publish it, then `recobro case retry {}`",
                turn.case.id
            )
        })
    }

    fn input<'b>(&self, bundle: &'b Bundle, facts: &'b Arc<Facts>, now: Timestamp) -> Input<'b>
    where
        'a: 'b,
    {
        Input {
            playbook: &bundle.compiled.playbook,
            rules: &*bundle.compiled.rules,
            law: &self.engine.shelf.law,
            facts,
            now,
            rhai: recobro_playbook::RHAI_VERSION,
        }
    }

    /// Opens a case with its first turn. A rule that is too slow three times opens nothing and is told to the log.
    pub(crate) fn open(&mut self, bundle: &Bundle, entry: &Entry, facts: &Arc<Facts>, now: Timestamp) {
        let input = self.input(bundle, facts, now);
        let entered = (0..ABORTS_MAX).find_map(|_| match enter(&input, entry) {
            Decided::Turn(turn) => Some(*turn),
            Decided::Slow(_) => None,
        });
        if let Some(turn) = entered {
            let turn = match self.leads_nowhere(&turn) {
                Some(cause) => enter_parked(&input, entry, &cause),
                None => turn,
            };
            self.opened += 1;
            self.settle(None, turn, bundle, facts);
        } else {
            tracing::error!(case_id = %entry.case, "rules were stopped three times by their time limit at the entry");
        }
    }

    /// Notes what a turn wants written; what it orders is foreseen by later turns, its tasks are shown to people, a
    /// linked case is opened beside it.
    fn settle(&mut self, before: Option<&Claimed>, mut turn: Turn, bundle: &Bundle, facts: &Arc<Facts>) {
        let now = turn.body.at;
        for effect in turn.effects.iter().filter(|effect| effect.kind == EffectKind::Contact) {
            if let Some(channel) = effect.channel {
                let (class, group, invoice) = (effect.class, effect.group, effect.invoice.clone());
                let contact =
                    ContactMade { at: now, on: facts.today, channel, class, group, invoice, talk: false, left: false };
                self.loaded.foresee(&effect.customer, effect.id.to_string(), contact);
            }
        }
        for task in &turn.opened {
            let open = OpenTask {
                case: turn.case.id,
                invoice: &facts.invoice.id,
                customer: &facts.customer.id,
                task,
                claimable: facts.invoice.money(facts.invoice.claimable_minor()),
                zone: facts.customer.time_zone,
            };
            let answer = self.people.answer(&open);
            self.answers.extend(answer.map(|(at, answer)| (at.max(now), answered(&open, answer, bundle))));
            self.acts.push(task_act(&turn.case, task, bundle, facts));
        }
        if turn.case.is_finished() && !before.is_some_and(|one| one.case.is_finished()) {
            self.finished += 1;
        }
        if !turn.restraints.is_empty() {
            let policy = self.engine.shelf.law.policy_hash().to_string();
            let rows = turn.restraints.iter().map(|one| explain::restraint(&turn.case, one, now, &policy));
            self.restraints.extend(rows.map(|row| (turn.case.id, row)));
        }
        let follow = turn.follow.take();
        let old = turn.case.id;
        let held = before.is_some_and(|one| self.holding.holds(one.no));
        if let Some(one) = before {
            self.holding.note(one.no, &turn.body.records);
        }
        let carried = if held { None } else { self.take_up(&turn, bundle, facts) };
        let birth = match (&carried, held) {
            (Some(_), _) => self.carrying.as_ref().map_or(turn::Born::Ready, |with| turn::Born::Carried(&with.lease)),
            (None, true) => turn::Born::Held,
            (None, false) => turn::Born::Ready,
        };
        match turn::commit(before, &turn, &bundle.compiled.playbook, self.following, birth) {
            turn::Written::Turn(commit) => {
                self.begun.extend(carried.map(|handing| (self.commits.len(), turn.case, handing)));
                self.commits.push(*commit);
            }
            turn::Written::Rest(no, wake) => {
                // A turn that did nothing must not be due again at once.
                let later = |wake: WakeAt| WakeAt { due_at: wake.due_at.max(now.plus_us(REST_US)), ..wake };
                // Of a carried case nobody holds the wake-up.
                self.rests.extend((!before.is_some_and(|one| one.carried)).then(|| (no, wake.map(later))));
            }
        }
        if let Some(follow) = follow {
            self.follow(follow, old, facts, now);
        }
    }

    /// The one effect of a turn, where this worker can see to it itself.
    fn take_up(&mut self, turn: &Turn, bundle: &Bundle, facts: &Arc<Facts>) -> Option<Handing> {
        let carrying = self.carrying.as_mut().filter(|carrying| carrying.room > 0)?;
        let [effect] = &turn.effects[..] else { return None };
        let alone = turn.case.in_flight.len() == 1 && turn.follow.is_none();
        if !alone || !deliver::carries(self.engine, effect, (&turn.case, bundle), facts) {
            return None;
        }
        carrying.room -= 1;
        Some(deliver::handing(self.engine, effect.clone(), (&turn.case, bundle), facts, &self.loaded))
    }

    fn follow(&mut self, follow: Follow, old: CaseId, facts: &Arc<Facts>, now: Timestamp) {
        let name = &follow.handover.playbook;
        let Some(bundle) = self.engine.shelf.current_bundle(name) else {
            // `leads_nowhere` was asked before: a shelf does not change while a turn is taken.
            tracing::error!(case_id = %old, playbook = %name, "handed over to a playbook that is not published");
            return;
        };
        // The id follows from the case before, so that a repeated turn opens the same one.
        let case = CaseId::derive(&[facts.invoice.id.as_str(), "after", &old.to_string()]);
        let entry = Entry {
            case,
            defaults: Vec::new(),
            continues: Some(follow.inherits),
            at_stage: follow.handover.at,
            chosen: None,
        };
        self.following = Some(old);
        self.open(&bundle, &entry, facts, now);
        self.following = None;
    }

    /// Commits the turns. A case that moved past its revision keeps its wake-up and is taken again. Answers the numbers
    /// of the cases written.
    pub(crate) async fn write(self, tx: &mut Tx, tick: &mut Tick) -> Result<Vec<(CaseId, CaseNo)>, Error> {
        self.write_settling(tx, tick, &[]).await
    }

    /// Commits the turns with the outcomes that they took.
    pub(crate) async fn write_settling(
        self,
        tx: &mut Tx,
        tick: &mut Tick,
        settled: &[Settled],
    ) -> Result<Vec<(CaseId, CaseNo)>, Error> {
        assert!(settled.is_empty() || self.commits.len() <= COMMIT_MAX, "an outcome goes with its turn");
        self.engine.settings.faults.pass("advance.before_commit")?;
        let (mut numbers, mut lost) = (Vec::new(), BTreeSet::new());
        for part in self.commits.chunks(COMMIT_MAX) {
            let committed = commit_turns(tx, part, settled).await?;
            for (turn, no) in part.iter().zip(&committed.cases) {
                if let Some(no) = no {
                    numbers.push((turn.case.id, *no));
                } else {
                    lost.insert(turn.case.id);
                    tracing::warn!(case_id = %turn.case.id, "the case moved first; it is taken again");
                }
            }
        }
        let known: BTreeMap<CaseId, CaseNo> = numbers.iter().copied().collect();
        for (turn, case, handing) in self.begun {
            let head = self.commits[turn].history.hash;
            tick.begun.extend(known.get(&case.id).map(|no| Carried::new(*no, head, case, handing)));
        }
        wake::put(tx, &self.rests).await?;
        // What a turn held back is told of turns that were taken.
        let kept = self.restraints.into_iter().filter(|(case, _)| !lost.contains(case)).map(|(_, row)| row);
        verdicts::put(tx, &kept.collect::<Vec<_>>()).await?;
        self.holding.write(tx, self.engine.clock.now()).await?;
        receive_answers(tx, &self.answers, self.engine.clock.now()).await?;
        tick.progress.turns += self.commits.len() as u64;
        tick.progress.tasks += self.acts.len() as u64;
        tick.progress.opened += self.opened;
        tick.progress.finished += self.finished;
        tick.acts.extend(self.acts);
        Ok(numbers)
    }
}

/// Scripted answers are inbound rows of a later time, stored in the commit that opened the task.
async fn receive_answers(tx: &mut Tx, answers: &[(Timestamp, Answered)], now: Timestamp) -> Result<(), Error> {
    let mut rows = Vec::new();
    for (at, answered) in answers {
        rows.push(answer_row("people", answered, *at)?);
    }
    if !rows.is_empty() {
        inbound::insert(tx, &rows, now).await?;
    }
    Ok(())
}

/// An answer as an inbound row; one task is answered once.
pub(crate) fn answer_row(source: &str, answered: &Answered, at: Timestamp) -> Result<NewInbound, Error> {
    let body = serde_json::to_string(answered)
        .map_err(|cause| Error::Corrupt { what: "an answer".to_owned(), cause: cause.to_string() })?;
    Ok(NewInbound {
        source: source.to_owned(),
        kind: ANSWER.0.to_owned(),
        external_id: answered.task.to_string(),
        hash: Hash::of(body.as_bytes()),
        body,
        at,
        rank: ANSWER.1,
    })
}

fn answered(open: &OpenTask<'_>, answer: Answer, bundle: &Bundle) -> Answered {
    Answered {
        task: open.task.id,
        kind: open.task.kind.clone(),
        step: open.task.step.clone(),
        stage: turn::stage_of(&bundle.compiled.playbook, &open.task.step).to_owned(),
        case: open.case,
        invoice: open.invoice.clone(),
        customer: open.customer.clone(),
        with: None,
        by_all: open.task.by.clone(),
        who: format!("person:{}", open.task.assignee),
        answer,
    }
}

/// What a linked case takes over after a returned payment.
pub(crate) fn inherit_returned(old: &Case) -> Inheritance {
    Inheritance {
        case: old.id,
        reason: "returned payment".to_owned(),
        held_days: old.clock.held_days,
        skipped_days: old.clock.skipped_days,
        marks: (*old.marks).clone(),
        holds: Vec::new(),
        vars: (*old.vars).clone(),
        splits: old.splits.clone(),
        generation: old.generation,
        channel: None,
    }
}

fn task_act(case: &Case, task: &recobro_kernel::effect::NewTask, bundle: &Bundle, facts: &Facts) -> Act {
    let playbook = &bundle.compiled.playbook;
    let stage = turn::stage_of(playbook, &task.step);
    Act {
        kind: "task",
        at: task.opened_at,
        on: facts.today,
        invoice: facts.invoice.id.to_string(),
        customer: facts.customer.id.to_string(),
        playbook: case.playbook.clone(),
        version: case.version,
        stage: stage.to_owned(),
        step: task.step.clone(),
        channel: task.kind.clone(),
        class: String::new(),
        state: "opened".to_owned(),
        balance: facts.invoice.money(facts.invoice.balance_minor).to_decimal().to_string(),
        currency: facts.invoice.currency.code().to_owned(),
        days_past_due: (facts.today - facts.invoice.due).num_days(),
    }
}

//! The loops: one over virtual time, one over real time. Both repeat one round: settle what was handed over, route,
//! meet limits, advance, claim what may leave, then hand over with no transaction open. In virtual time that is one
//! transaction; in real time each tick has its own, so that workers that share a database never hold the locks of two.
//!
//! A virtual run takes everything due within a cell of a quarter of an hour in time order. Where neither news nor a
//! limit comes in between, a round looks on to the end of the day: cases of different customers do not touch
//! each other, and those of one customer are taken cell by cell. What is next is read from the database alone, so a
//! killed run goes on as if it had not been.

use crate::clock::Stopwatch;
use crate::deliver::{self, Settling};
use crate::observe::Act;
use crate::people::{Nobody, People};
use crate::{Engine, Error, advance, limits, replan, route};
use recobro_kernel::time::{HOUR_US, Timestamp};
use recobro_store::{Tx, inbound, meta, outbox, wake};
use std::time::Duration;
use tokio::sync::watch;

/// How far a virtual run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Everything due at or before the instant is done; the clock ends there.
    At(Timestamp),
    /// Until nothing is due any more at any time: no case sleeps, no news waits.
    Done,
}

/// What a run has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Virtual time reached.
    pub now: Timestamp,
    /// Turns committed.
    pub turns: u64,
    /// Inbound rows routed.
    pub routed: u64,
    /// Cases opened.
    pub opened: u64,
    /// Cases finished.
    pub finished: u64,
    /// Contacts handed over and accepted.
    pub contacts: u64,
    /// Effects sent back by the dispatch check.
    pub returned: u64,
    /// Tasks opened.
    pub tasks: u64,
    /// Rounds made.
    pub quanta: u64,
    /// Transactions committed by a virtual run.
    pub commits: u64,
    /// Seconds of real time.
    pub seconds: f64,
}

/// Tells a run to stop: send `true`.
pub type Stop = watch::Receiver<bool>;

/// The piece of time that a round looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// Where it begins: the clock.
    pub(crate) now: Timestamp,
    /// News at or before this are taken.
    pub(crate) cell_end: Timestamp,
    /// Cases and effects due at or before this are taken.
    pub(crate) horizon: Timestamp,
    /// In real time: of a slow lane no more is claimed than leaves at once.
    pub(crate) sliced: bool,
}

/// What one round adds up.
#[derive(Default)]
pub(crate) struct Tick {
    /// Sums of the run.
    pub(crate) progress: Progress,
    /// Acts to tell after the commit.
    pub(crate) acts: Vec<Act>,
    /// A claim held something for a person: more of it may be behind.
    pub(crate) kept_back: bool,
    /// Under what this worker carries what it orders; nothing in virtual time.
    pub(crate) lease: Option<outbox::Lease>,
    /// What it will carry once the open transaction is committed.
    pub(crate) begun: Vec<deliver::Carried>,
}

impl Tick {
    /// Takes over what another pair of hands added up.
    fn add(&mut self, other: Self) {
        let (sum, more) = (&mut self.progress, other.progress);
        sum.turns += more.turns;
        sum.opened += more.opened;
        sum.finished += more.finished;
        sum.contacts += more.contacts;
        sum.returned += more.returned;
        sum.tasks += more.tasks;
        self.acts.extend(other.acts);
    }
}

/// The earliest instants at which anything is due.
#[derive(Clone, Copy, Debug)]
struct Next {
    inbound: Option<Timestamp>,
    limit: Option<Timestamp>,
    wake: Option<Timestamp>,
    outbox: Option<Timestamp>,
}

impl Next {
    async fn read(tx: &mut Tx) -> Result<Self, Error> {
        Ok(Self {
            inbound: inbound::next_at(tx).await?,
            limit: limits::next_at(tx).await?,
            wake: wake::next_at(tx).await?,
            outbox: outbox::next_due(tx).await?,
        })
    }

    fn earliest(self) -> Option<Timestamp> {
        [self.inbound, self.limit, self.wake, self.outbox].into_iter().flatten().min()
    }
}

/// What a round found to do.
struct Round {
    handings: Vec<deliver::Handing>,
    worked: bool,
    done: bool,
}

/// How often a piece of real work is begun again in a row when another worker was faster or the database was away.
pub(crate) const AGAIN_MAX: u32 = 10;

/// Rounds of one virtual transaction.
const ROUNDS_MAX: u32 = 32;

/// Turns after which a virtual transaction is committed.
const TURNS_MAX: u64 = 500;

/// Rounds in a row that find something due and do nothing: more is a bug, and would never end.
const IDLE_MAX: u32 = 10;

/// Passes over what is carried before a round looks at anything else: news must not wait behind it.
const CARRY_PASSES: u32 = 8;

/// Routing passes of one transaction.
const ROUTE_PASSES: u32 = 8;

/// A day in microseconds.
const DAY_US: i64 = 24 * HOUR_US;

/// The pause after another worker was faster.
pub(crate) const CONFLICT_PAUSE: Duration = Duration::from_millis(20);

/// The longest sleep of a real run between two looks at the database.
const SLEEP_MAX: Duration = Duration::from_secs(1);

impl Engine {
    /// Plays virtual time: claims everything due, cell by cell, until `until`. `progress` is called after each round.
    ///
    /// A run that was killed goes on where it stopped: what is next is read from the database alone.
    ///
    /// # Errors
    /// [`Error`]; what was committed stays.
    pub async fn run_virtual(
        &self,
        until: Until,
        people: &dyn People,
        stop: Option<Stop>,
        progress: &mut (dyn FnMut(&Progress) + Send),
    ) -> Result<Progress, Error> {
        let watch = Stopwatch::start();
        let mut tick = Tick::default();
        let mut settling = self.hand_over_again(&mut tick).await?;
        replan::compare(self).await?;
        while replan::step(self).await?.is_some() {}
        loop {
            let stopping = stop.as_ref().is_some_and(|stop| *stop.borrow());
            let mut tx = self.store.begin().await?;
            deliver::settle(self, &mut tx, &std::mem::take(&mut settling)).await?;
            let round = if stopping {
                Round { handings: Vec::new(), worked: false, done: true }
            } else {
                self.virtual_rounds(&mut tx, until, people, &mut tick).await?
            };
            if self.clock.is_virtual() {
                meta::put_virtual_now(&mut tx, self.clock.now()).await?;
            }
            tx.commit().await?;
            self.settings.faults.pass("round.committed")?;
            settling = deliver::hand_over(self, round.handings, &mut tick).await?;
            self.tell_observer(&mut tick);
            tick.progress.now = self.clock.now();
            tick.progress.commits += 1;
            tick.progress.seconds = watch.seconds();
            progress(&tick.progress);
            if round.done && settling.is_empty() {
                return Ok(tick.progress);
            }
        }
    }

    /// What a killed run was handing over is handed over again with the same keys before anything else, so that its
    /// outcomes are decided together with the same news as they would have been.
    async fn hand_over_again(&self, tick: &mut Tick) -> Result<Vec<Settling>, Error> {
        let mut tx = self.store.begin().await?;
        let mut handings = Vec::new();
        loop {
            let swept = deliver::sweep(self, &mut tx, false, tick).await?;
            handings.extend(swept.again);
            if swept.rows == 0 {
                break;
            }
        }
        tx.commit().await?;
        deliver::hand_over(self, handings, tick).await
    }

    /// Rounds up to the next hand-over in one transaction: a commit costs more than the rounds in it.
    async fn virtual_rounds(
        &self,
        tx: &mut Tx,
        until: Until,
        people: &dyn People,
        tick: &mut Tick,
    ) -> Result<Round, Error> {
        let (from, mut idle) = (tick.progress.turns, 0);
        for _ in 1..ROUNDS_MAX {
            let round = self.virtual_round(tx, until, people, tick).await?;
            if round.done || !round.handings.is_empty() || tick.progress.turns - from >= TURNS_MAX {
                return Ok(round);
            }
            idle = if round.worked { 0 } else { idle + 1 };
            if idle > IDLE_MAX {
                return Err(Error::Stuck(self.clock.now()));
            }
        }
        self.virtual_round(tx, until, people, tick).await
    }

    async fn virtual_round(
        &self,
        tx: &mut Tx,
        until: Until,
        people: &dyn People,
        tick: &mut Tick,
    ) -> Result<Round, Error> {
        let next = Next::read(tx).await?;
        let limit = match until {
            Until::At(at) => at,
            Until::Done => Timestamp::MAX,
        };
        let Some(at) = next.earliest().filter(|at| *at <= limit) else {
            if let Until::At(at) = until {
                self.clock.move_to(at);
            }
            return Ok(Round { handings: Vec::new(), worked: false, done: true });
        };
        self.clock.move_to(at);
        tick.progress.quanta += 1;
        let span = self.span(next, limit);
        let mut round = self.round(tx, span, next, people, tick).await?;
        round.handings = deliver::mark_sending(self, tx, round.handings).await?;
        Ok(round)
    }

    /// The cell of the clock; beyond it up to the end of the day where nothing comes in between.
    fn span(&self, next: Next, limit: Timestamp) -> Span {
        let now = self.clock.now();
        let cell_us = self.settings.quantum_minutes.max(1) * 60 * 1_000_000;
        let end_of = |unit_us: i64| Timestamp::from_us((now.as_us().div_euclid(unit_us) + 1) * unit_us - 1);
        let cell_end = end_of(cell_us).min(limit);
        // What waits in the outbox is tried again: its contact counts for whatever comes after it on that day.
        let between = [next.inbound, next.limit, next.outbox].into_iter().flatten().min();
        let horizon = match between {
            // News of this cell may bring more news; look no further than the cell.
            Some(at) if at <= cell_end => cell_end,
            Some(at) => end_of(DAY_US).min(at.plus_us(-1)),
            None => end_of(DAY_US),
        };
        Span { now, cell_end, horizon: horizon.min(limit).max(cell_end), sliced: false }
    }

    /// One round in one transaction.
    async fn round(
        &self,
        tx: &mut Tx,
        span: Span,
        next: Next,
        people: &dyn People,
        tick: &mut Tick,
    ) -> Result<Round, Error> {
        let due = |at: Option<Timestamp>, until: Timestamp| at.is_some_and(|at| at <= until);
        let mut worked = false;
        if due(next.inbound, span.cell_end) {
            worked = true;
            // Rows about an invoice wait for its case, so one instant may need several passes; a mountain of rows is
            // committed piece by piece.
            for pass in 1.. {
                match route::route(self, tx, span, people, tick).await? {
                    route::Left::Nothing => break,
                    route::Left::Some if pass < ROUTE_PASSES => {}
                    route::Left::Some | route::Left::Many => {
                        return Ok(Round { handings: Vec::new(), worked, done: false });
                    }
                }
            }
        }
        if due(next.limit, span.cell_end) {
            worked |= limits::meet(self, tx, span.cell_end).await? > 0;
        }
        let advanced = advance::advance(self, tx, span, people, tick).await?;
        // What a customer's cases order at the same time leaves in one message: all of them decide first.
        let deciding = advanced > 0 && due(wake::next_at(tx).await?, span.now);
        let handings = if deciding {
            Vec::new()
        } else if advanced > 0 || due(next.outbox, span.horizon) {
            deliver::claim(self, tx, span, tick).await?
        } else {
            Vec::new()
        };
        worked |= advanced > 0 || !handings.is_empty();
        Ok(Round { handings, worked, done: false })
    }

    fn tell_observer(&self, tick: &mut Tick) {
        let acts = std::mem::take(&mut tick.acts);
        if let Some(observer) = &self.settings.observer {
            for act in &acts {
                observer.act(act);
            }
        }
    }

    /// Works in real time until told to stop; what is in flight is finished or left to its lease.
    ///
    /// # Errors
    /// [`Error`] where the database is gone.
    pub async fn run_real(
        &self,
        mut stop: Stop,
        progress: &mut (dyn FnMut(&Progress) + Send),
    ) -> Result<Progress, Error> {
        let watch = Stopwatch::start();
        let mut tick = Tick::default();
        while !*stop.borrow() {
            let worked = self.surely_real_round(&mut tick).await?;
            self.note(&mut tick, watch, progress);
            if !worked {
                // A changed flag ends the sleep early; a lost sender means that nobody can stop us but the process.
                let _ = tokio::time::timeout(SLEEP_MAX, stop.changed()).await;
            }
        }
        deliver::put_down(self, &mut tick).await?;
        Ok(tick.progress)
    }

    /// Works in real time until nothing is due now, or until told to stop: what the rounds themselves order is done too.
    ///
    /// # Errors
    /// [`Error`] where the database is gone.
    pub async fn run_due(&self, stop: &Stop, progress: &mut (dyn FnMut(&Progress) + Send)) -> Result<Progress, Error> {
        let watch = Stopwatch::start();
        let mut tick = Tick::default();
        self.note(&mut tick, watch, progress);
        while !*stop.borrow() && self.surely_real_round(&mut tick).await? {
            self.note(&mut tick, watch, progress);
        }
        deliver::put_down(self, &mut tick).await?;
        Ok(tick.progress)
    }

    fn note(&self, tick: &mut Tick, watch: Stopwatch, progress: &mut (dyn FnMut(&Progress) + Send)) {
        tick.progress.now = self.clock.now();
        tick.progress.seconds = watch.seconds();
        progress(&tick.progress);
    }

    /// One round in real time: everything due by now, handed over and settled. Says whether there was anything to do.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn round_once(&self) -> Result<bool, Error> {
        self.surely_real_round(&mut Tick::default()).await
    }

    /// A round; begun again where another worker was faster. What a round had committed before stays and is not repeated.
    async fn surely_real_round(&self, tick: &mut Tick) -> Result<bool, Error> {
        for _ in 1..AGAIN_MAX {
            match self.real_round(tick).await {
                Err(Error::Store(error)) if error.may_retry() => pause(&error).await,
                done => return done,
            }
        }
        self.real_round(tick).await
    }

    async fn real_round(&self, tick: &mut Tick) -> Result<bool, Error> {
        tick.begun.clear();
        replan::compare(self).await?;
        let mut tx = self.store.begin().await?;
        let next = Next::read(&mut tx).await?;
        tick.lease = Some(deliver::lease(self, &mut tx).await?.0);
        tx.commit().await?;
        let now = self.clock.now();
        let span = Span { now, cell_end: now, horizon: now, sliced: true };
        tick.progress.quanta += 1;
        let mut worked = self.real_news(span, next, tick).await?;
        // Outcomes before new starts: the less is under way when a worker dies.
        worked |= self.carry_on(tick).await?;
        let mut tx = self.store.begin().await?;
        let advanced = advance::advance(self, &mut tx, span, &Nobody, tick).await?;
        tx.commit().await?;
        self.carry(tick);
        // Behind the news: it may forbid what a dead worker was handing over.
        let mut tx = self.store.begin().await?;
        let swept = deliver::sweep(self, &mut tx, true, tick).await?;
        tx.commit().await?;
        worked |= swept.rows > 0;
        worked |= self.hand_over_and_settle(swept.again, tick).await?;
        let mut tx = self.store.begin().await?;
        let handings = deliver::claim(self, &mut tx, span, tick).await?;
        tx.commit().await?;
        self.tell_observer(tick);
        worked |= advanced > 0 || std::mem::take(&mut tick.kept_back);
        if advanced < self.settings.batch {
            worked |= replan::step(self).await?.is_some();
        }
        if handings.is_empty() {
            return Ok(worked);
        }
        self.settings.faults.pass("deliver.claim_committed")?;
        let mut tx = self.store.begin().await?;
        let handings = deliver::check_again(self, &mut tx, handings, tick).await?;
        tx.commit().await?;
        self.hand_over_and_settle(handings, tick).await?;
        Ok(true)
    }

    /// Goes on with what is carried, several batches at a time: while the database works for one, another is decided.
    async fn carry_on(&self, tick: &mut Tick) -> Result<bool, Error> {
        let lease = tick.lease.clone();
        let hand = || Box::pin(self.one_hand(lease.clone()));
        let (first, second, third) = tokio::join!(hand(), hand(), hand());
        let mut worked = false;
        for (passes, of_hand) in [first?, second?, third?] {
            worked |= passes > 0;
            tick.add(of_hand);
        }
        Ok(worked)
    }

    async fn one_hand(&self, lease: Option<outbox::Lease>) -> Result<(u32, Tick), Error> {
        let mut tick = Tick { lease, ..Tick::default() };
        for passes in 0..CARRY_PASSES {
            if !deliver::go_on(self, &mut tick).await? {
                return Ok((passes, tick));
            }
        }
        Ok((CARRY_PASSES, tick))
    }

    async fn next_news(&self) -> Result<Option<Timestamp>, Error> {
        let mut tx = self.store.read().await?;
        Ok(recobro_store::inbound::next_at(&mut tx).await?)
    }

    /// Routes what came and meets the limits that passed. Says whether there was anything.
    async fn real_news(&self, span: Span, next: Next, tick: &mut Tick) -> Result<bool, Error> {
        let due = |at: Option<Timestamp>| at.is_some_and(|at| at <= span.now);
        let routed = tick.progress.routed;
        if due(next.inbound) {
            // Rows about an invoice wait for its case: one instant may need several passes.
            for _ in 0..ROUTE_PASSES {
                let mut tx = self.store.begin().await?;
                let left = route::route(self, &mut tx, span, &Nobody, tick).await?;
                tx.commit().await?;
                self.carry(tick);
                if left == route::Left::Nothing || self.room() == 0 {
                    break;
                }
            }
        }
        let mut met = 0;
        if due(next.limit) && !due(self.next_news().await?) {
            // Money that keeps a promise or a plan may be among what is not routed yet.
            let mut tx = self.store.begin().await?;
            met = limits::meet(self, &mut tx, span.cell_end).await?;
            tx.commit().await?;
        }
        Ok(tick.progress.routed > routed || met > 0)
    }

    /// Hands over and settles; settling alone is begun again on a conflict, because the hand-over cannot be.
    async fn hand_over_and_settle(&self, handings: Vec<deliver::Handing>, tick: &mut Tick) -> Result<bool, Error> {
        if handings.is_empty() {
            return Ok(false);
        }
        let settling = deliver::hand_over(self, handings, tick).await?;
        let done = deliver::settle_surely(self, &settling).await;
        self.tell_observer(tick);
        done.map(|()| true)
    }
}

/// A moment for the other worker, or for the database to come back.
pub(crate) async fn pause(error: &recobro_store::Error) {
    tracing::warn!(%error, "the same work is begun again");
    let pause = if matches!(error, recobro_store::Error::Unavailable(_)) { SLEEP_MAX } else { CONFLICT_PAUSE };
    tokio::time::sleep(pause).await;
}

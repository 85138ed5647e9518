//! Plays a random world with the real engine: channels that fail, people who answer, workers that stand still or die.
//! What is handed on to the checker was seen outside of the engine, or is a row that anybody can read.

use super::books::{class_of, notice_of};
use super::dates::{At, plus, wall};
use super::judge::{Act, Contact, Facts, News, What};
use super::portfolio::{Portfolio, stamp};
use super::random::{Random, hash};
use super::staff::{Dialling, Tried, except};
use async_trait::async_trait;
use chrono::NaiveDate;
use recobro_connectors::channel::{Channel, Delivery, LANES, Outgoing};
use recobro_connectors::source::record::{OutsideEvent, Record};
use recobro_engine::faults::Faults;
use recobro_engine::{Answer, Channels, Clock, Engine, Error, OpenTask, People, Settings, Until, Who};
use recobro_kernel::time::{HOUR_US, Timestamp};
use recobro_playbook::Library;
use recobro_store::tasks::TaskRow;
use recobro_store::{Options, Store, contacts, meta, outbox, promises, tasks, wake};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// How a world is played.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each spoils or adds one thing, and any of them go together")]
pub(crate) struct How {
    /// In rounds as in real time, else as a virtual run.
    pub(crate) rounds: bool,
    /// Workers stand still and die, channels fail.
    pub(crate) rough: bool,
    /// The engine never hears of money, nor of times that do not suit.
    pub(crate) deaf: bool,
    /// The checker never hears of exceptions.
    pub(crate) secret: bool,
    /// In rounds: people open the number before they answer for a call.
    pub(crate) dials: bool,
}

/// A message that left.
#[derive(Clone, Debug)]
struct Left {
    at: At,
    item: Outgoing,
}

/// What is seen from outside.
#[derive(Default)]
struct Seen {
    left: Vec<Left>,
    /// Refused for good: its slot is not given back to what was told to wait for the next one.
    refused: Vec<Left>,
    keys: BTreeSet<String>,
    tries: BTreeMap<String, u64>,
}

/// Where messages leave.
struct Lane {
    name: String,
    seed: u64,
    rough: bool,
    seen: Arc<Mutex<Seen>>,
    /// The hour of the world, in rounds.
    hour: Option<Clock>,
}

#[async_trait]
impl Channel for Lane {
    fn lane(&self) -> &str {
        &self.name
    }
    fn idempotent(&self) -> bool {
        self.name != "voice"
    }
    fn slice(&self) -> Option<usize> {
        (self.name != "letter").then_some(3)
    }
    fn render(&self, item: &Outgoing) -> Result<Vec<u8>, String> {
        Ok(item.text.clone().into_bytes())
    }
    async fn deliver(&self, items: &[Outgoing]) -> Vec<Delivery> {
        let mut seen = self.seen.lock().unwrap();
        items
            .iter()
            .map(|item| {
                let tries = seen.tries.entry(item.key.clone()).or_default();
                *tries += 1;
                let drawn = hash(self.seed, &format!("{}/{tries}", item.key)) % 100;
                // What it took before it takes again, or it is away; it never says that it has nothing.
                let known = seen.keys.contains(&item.key);
                let answer = match drawn_answer(drawn, self.rough && self.name != "staff", &item.key) {
                    Delivery::Retry { .. } | Delivery::Refused { .. } if known => drawn_answer(99, false, &item.key),
                    answer => answer,
                };
                let leaves = matches!(answer, Delivery::Accepted { .. } | Delivery::Unknown { .. });
                // The same key twice is one message.
                if leaves && seen.keys.insert(item.key.clone()) {
                    let at = self.hour.as_ref().map_or(item.at, Clock::now).to_utc();
                    seen.left.push(Left { at, item: item.clone() });
                }
                if matches!(answer, Delivery::Refused { .. }) {
                    seen.refused.push(Left { at: item.at.to_utc(), item: item.clone() });
                }
                answer
            })
            .collect()
    }
}

fn drawn_answer(drawn: u64, rough: bool, key: &str) -> Delivery {
    let reason = "a bad day".to_owned();
    match drawn {
        0..=5 if rough => Delivery::Retry { reason },
        6..=8 if rough => Delivery::Refused { reason },
        9 if rough => Delivery::Unknown { reason },
        10..=12 if rough => Delivery::NotTried { reason },
        _ => Delivery::Accepted { reference: format!("ref-{key}") },
    }
}

/// People who answer some of their work.
struct Staff {
    seed: u64,
    /// By task: when, and what.
    said: Mutex<BTreeMap<String, (Timestamp, Answer)>>,
}

impl Staff {
    /// The same answer to the same task, whoever asks.
    fn think(
        &self,
        id: &str,
        kind: &str,
        subject: &str,
        opened: Timestamp,
        today: NaiveDate,
    ) -> Option<(Timestamp, Answer)> {
        let drawn = hash(self.seed, id);
        let outcome = match (kind, drawn % 10) {
            ("call", 0..=3) => "no_answer",
            ("call", 4..=6) => "reached",
            ("call", 7) => "promised",
            ("call", 8) => "voicemail",
            ("approve", 0..=6) => "approved",
            ("approve", 7) => "rejected",
            ("fix", _) if subject == "resolve-unknown-outcome" => "sent",
            _ => return None,
        };
        let at = opened.plus_us(i64::try_from(drawn / 16 % 300 + 5).unwrap() * 60 * 1_000_000);
        let days = i64::try_from(drawn / 8_192 % 9).unwrap();
        let date = (outcome == "promised").then(|| plus(today, 3 + days));
        let said = (at, Answer { outcome: outcome.to_owned(), date, ..Answer::default() });
        self.said.lock().unwrap().insert(id.to_owned(), said.clone());
        Some(said)
    }
}

impl People for Staff {
    fn answer(&self, open: &OpenTask<'_>) -> Option<(Timestamp, Answer)> {
        let today = open.task.opened_at.date_in(open.zone);
        self.think(&open.task.id.to_string(), &open.task.kind, &open.task.subject, open.task.opened_at, today)
    }
}

/// A world while it is played.
struct Stage<'a> {
    portfolio: &'a Portfolio,
    library: &'a Library,
    seed: u64,
    how: How,
    dir: tempfile::TempDir,
    clock: Clock,
    seen: Arc<Mutex<Seen>>,
    staff: Staff,
    dialling: Dialling,
    /// Exceptions asked for.
    exceptions: usize,
    random: Random,
    news: Vec<(At, News)>,
    proven: BTreeSet<String>,
    /// When nobody worked.
    outages: Vec<(At, At)>,
}

/// What a world left behind.
pub(crate) struct Played {
    pub(crate) facts: Facts,
    pub(crate) outages: Vec<(At, At)>,
    pub(crate) engine: Engine,
    pub(crate) end: At,
    _dir: tempfile::TempDir,
}

/// Plays a portfolio for so many days from a day on.
pub(crate) async fn play(
    portfolio: &Portfolio,
    library: &Library,
    (start, days): (NaiveDate, i64),
    seed: u64,
    how: How,
) -> Played {
    let begin: Timestamp = format!("{start}T00:00:00Z").parse().unwrap();
    let mut stage = Stage {
        portfolio,
        library,
        seed,
        how,
        dir: tempfile::tempdir().unwrap(),
        clock: Clock::virtual_at(begin.plus_us(-24 * HOUR_US)),
        seen: Arc::default(),
        staff: Staff { seed, said: Mutex::default() },
        dialling: Dialling::of(seed),
        exceptions: 0,
        random: Random::of(seed ^ 0xabcd),
        news: Vec::new(),
        proven: BTreeSet::new(),
        outages: Vec::new(),
    };
    let end = begin.plus_us(days * 24 * HOUR_US);
    let engine = if how.rounds { stage.rounds(end).await } else { stage.virtual_run(end).await };
    // What the last outage kept waiting is done too.
    let (engine, end) = if how.rounds { (stage.drain(engine).await, stage.clock.now()) } else { (engine, end) };
    stage.hand_on(engine, end.to_utc()).await
}

impl Stage<'_> {
    async fn engine(&self, faults: Faults) -> Result<Engine, Error> {
        let url = format!("sqlite://{}", Path::new(self.dir.path()).join("world.db").display());
        let store = Store::open(&url, Options { durable: false, create: true }).await.unwrap();
        let mut channels = Channels::new();
        for lane in LANES {
            let hour = self.how.rounds.then(|| self.clock.clone());
            let (name, seen) = ((*lane).to_owned(), Arc::clone(&self.seen));
            channels.insert(name.clone(), Arc::new(Lane { name, seed: self.seed, rough: self.how.rough, seen, hour }));
        }
        let settings = Settings {
            worker: "worker".to_owned(),
            faults,
            payment_link: "https://pay.example.com".to_owned(),
            ..Settings::default()
        };
        Engine::start(store, self.library, channels, settings, self.clock.clone()).await
    }

    fn faults(&mut self) -> Faults {
        if self.how.rough && self.random.chance(500) {
            Faults::at(u64::try_from(self.random.between(2, 160)).unwrap())
        } else {
            Faults::none()
        }
    }

    fn hears(&self, news: &[News]) -> bool {
        !self.how.deaf || !news.iter().any(|news| matches!(news, News::Paid { .. } | News::Inconvenient { .. }))
    }

    /// All news is in the ledger from the beginning, each with its time.
    async fn virtual_run(&mut self, end: Timestamp) -> Engine {
        let engine = self.engine(Faults::none()).await.unwrap();
        let rows: Vec<Record> =
            self.portfolio.items.iter().filter(|item| self.hears(&item.news)).map(|item| item.record.clone()).collect();
        engine.receive("test", &mut rows.into_iter()).await.unwrap();
        // A virtual run takes the news of a quarter of an hour at its beginning: what ends a dispute is known from there.
        let known = |at: At, news: &News| match news {
            News::Agreed { .. } => at - chrono::Duration::seconds(at.timestamp().rem_euclid(900)),
            _ => at,
        };
        let items = self.portfolio.items.iter();
        self.news.extend(items.flat_map(|item| item.news.iter().map(|news| (known(item.at, news), news.clone()))));
        drop(engine);
        loop {
            let until = self.clock.now().plus_us(self.random.between(40, 500) * HOUR_US).min(end);
            let engine = self.until(until).await;
            if until >= end {
                return engine;
            }
            if self.how.rough && self.random.chance(400) {
                let hours = *self.random.pick(&[1, 5, 14, 30, 60, 100, 200]);
                self.stand_still(&engine, hours).await;
            }
            self.prove(&engine).await;
            self.except(&engine, 500).await;
        }
    }

    /// Two people lift a rule, now and then.
    async fn except(&mut self, engine: &Engine, per_mille: u64) {
        if !self.random.chance(per_mille) {
            return;
        }
        self.exceptions += 1;
        let customers = self.portfolio.customers.clone();
        let facts = Facts { customers, ..Facts::default() };
        let now = self.clock.now().to_utc();
        let news = except(engine, &mut self.random, &facts, self.exceptions).await;
        if !self.how.secret {
            self.news.extend(news.into_iter().map(|news| (now, news)));
        }
    }

    /// Up to an instant, however often the worker dies on the way.
    async fn until(&mut self, until: Timestamp) -> Engine {
        loop {
            let faults = self.faults();
            let done = match self.engine(faults).await {
                Ok(engine) => {
                    let run = engine.run_virtual(Until::At(until), &self.staff, None, &mut |_| {}).await;
                    if run.is_ok() {
                        return engine;
                    }
                    run.map(|_| ())
                }
                Err(error) => Err(error),
            };
            assert!(matches!(done, Err(Error::Fault(_))), "{done:?}");
        }
    }

    async fn stand_still(&mut self, engine: &Engine, hours: i64) {
        let from = self.clock.now();
        self.clock.move_to(from.plus_us(hours * HOUR_US));
        let mut tx = engine.store().begin().await.unwrap();
        meta::put_virtual_now(&mut tx, self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        self.outages.push((from.to_utc(), self.clock.now().to_utc()));
    }

    /// The post proves some of the letters that carry a notice.
    async fn prove(&mut self, engine: &Engine) {
        let now = self.clock.now();
        let letters: Vec<Outgoing> = self
            .seen
            .lock()
            .unwrap()
            .left
            .iter()
            .filter(|one| one.item.lane == "letter")
            .map(|one| one.item.clone())
            .collect();
        for item in letters {
            let (debt, step) = (item.meta["invoice"].clone(), item.meta["step"].clone());
            let Some(kind) = notice_of(&item.meta["subject"]) else { continue };
            if !self.proven.insert(item.key.clone()) || self.random.chance(300) {
                continue;
            }
            let found = self.portfolio.debts.iter().find(|one| one.id == debt).unwrap();
            let zone = self.portfolio.customers.iter().find(|one| one.id == found.customer).unwrap().zone;
            let on = now.date_in(zone);
            let fields = [
                ("step", step),
                ("channel", "letter".to_owned()),
                ("proof", "receipt".to_owned()),
                ("on", on.to_string()),
            ];
            let record = Record::Event(OutsideEvent {
                id: format!("proof-{}", item.key),
                event: "contact.delivered".to_owned(),
                customer: None,
                invoice: Some(debt.clone()),
                on,
                at: Some(now),
                fields: fields.into_iter().map(|(name, text)| (name.to_owned(), text)).collect(),
            });
            receive(engine, "post", record).await;
            self.news.push((now.to_utc(), News::Noticed { debt, kind, proven: true }));
        }
    }

    /// Round by round, from one due instant to the next, news coming in as it happens.
    async fn rounds(&mut self, end: Timestamp) -> Engine {
        let mut engine = self.engine(Faults::none()).await.unwrap();
        let (mut heard, mut answered) = (0, BTreeSet::new());
        while self.clock.now() < end {
            let now = self.clock.now();
            while let Some(item) = self.portfolio.items.get(heard).filter(|item| stamp(item.at) <= now) {
                heard += 1;
                self.news.extend(item.news.iter().map(|news| (now.to_utc(), news.clone())));
                if self.hears(&item.news) {
                    receive(&engine, "test", item.record.clone()).await;
                }
            }
            let waits = self.answer(&engine, &mut answered).await;
            engine = self.drain(engine).await;
            if self.random.chance(100) {
                self.prove(&engine).await;
            }
            self.except(&engine, 15).await;
            // Workers that died have taken their time: what is heard next is heard after what has left since.
            let now = self.clock.now();
            let next = self.portfolio.items.get(heard).map(|item| stamp(item.at));
            let due = next_due(&engine).await;
            let late = self.random.between(1, 90) * 1_000_000;
            let at = [next, due, waits].into_iter().flatten().min().unwrap_or(end).max(now).plus_us(late);
            // Nothing is lost if somebody looks now and then.
            let at = at.min(now.plus_us(12 * HOUR_US));
            if self.how.rough && self.random.chance(12) {
                let hours = *self.random.pick(&[3, 14, 40, 70, 150]);
                self.clock.move_to(now.plus_us(hours * HOUR_US));
                self.outages.push((now.to_utc(), self.clock.now().to_utc()));
            } else {
                self.clock.move_to(at);
            }
        }
        engine
    }

    /// Rounds until nothing is due; a worker that dies is followed by another one, now and then much later.
    async fn drain(&mut self, mut engine: Engine) -> Engine {
        if self.how.rough && self.random.chance(60) {
            drop(engine);
            let point = u64::try_from(self.random.between(2, 40)).unwrap();
            engine = match self.engine(Faults::at(point)).await {
                Ok(engine) => engine,
                Err(_) => self.engine(Faults::none()).await.unwrap(),
            };
        }
        for _ in 0..200 {
            match engine.round_once().await {
                Ok(true) => {}
                Ok(false) => return engine,
                Err(Error::Fault(_)) => {
                    drop(engine);
                    if self.random.chance(300) {
                        let from = self.clock.now();
                        self.clock.move_to(from.plus_us(*self.random.pick(&[2, 15, 60]) * HOUR_US));
                        self.outages.push((from.to_utc(), self.clock.now().to_utc()));
                    }
                    engine = self.engine(Faults::none()).await.unwrap();
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        panic!("two hundred rounds at one instant, seed {}", self.seed);
    }

    /// Answers what is due; says when the next answer comes.
    async fn answer(&mut self, engine: &Engine, answered: &mut BTreeSet<String>) -> Option<Timestamp> {
        let now = self.clock.now();
        let mut tx = engine.store().read().await.unwrap();
        let open = tasks::Filter { open: true, ..tasks::Filter::default() };
        let rows = tasks::list(&mut tx, &open, None, 1_000).await.unwrap();
        drop(tx);
        let mut next: Option<Timestamp> = None;
        for row in &rows {
            let id = row.task.id.to_string();
            if answered.contains(&id) {
                continue;
            }
            let zone = self.portfolio.customers.iter().find(|one| one.id == row.customer.as_str()).unwrap().zone;
            let today = row.task.opened_at.date_in(zone);
            let said = self.staff.think(&id, &row.task.kind, &row.task.subject, row.task.opened_at, today);
            let Some((at, said)) = said else { continue };
            // Only what is answered below was said.
            self.staff.said.lock().unwrap().remove(&id);
            let is_call = row.task.kind == "call";
            let dials = self.how.dials && is_call;
            let at = if dials { self.dialling.at(&id, at) } else { at };
            if at > now {
                next = Some(next.map_or(at, |next| next.min(at)));
                continue;
            }
            let with = |other: &&TaskRow| other.task.together.is_some() && other.task.together == row.task.together;
            let together: Vec<&TaskRow> =
                rows.iter().filter(with).filter(|other| dials && other.task.id != row.task.id).collect();
            if dials {
                let talks = matches!(said.outcome.as_str(), "reached" | "promised");
                if let Tried::Later(at) = self.dialling.open(engine, row, &together, talks).await {
                    next = Some(next.map_or(at, |next| next.min(at)));
                    continue;
                }
            }
            answered.insert(id.clone());
            let who = Who { name: "person:ana".to_owned(), why: String::new() };
            // One that promises a day that is past by now is refused.
            if !dials {
                if engine.task_done(row.task.id, &said, &who).await.is_ok() {
                    self.staff.said.lock().unwrap().insert(id, (now, said));
                }
                continue;
            }
            // Who dialled has talked all the same, about all that was called about in one go.
            let talked = Answer { outcome: "reached".to_owned(), ..Answer::default() };
            for said in [said, talked] {
                let Ok(done) = engine.task_done_together(row.task.id, &said, &who).await else { continue };
                self.staff.said.lock().unwrap().insert(id, (now, said));
                for other in together.iter().filter(|other| done.with.contains(&other.invoice)) {
                    answered.insert(other.task.id.to_string());
                    self.dialling.take_along(other.task.id.to_string());
                }
                break;
            }
        }
        next
    }

    /// What was seen and what stands in the tables, as plain facts.
    async fn hand_on(self, engine: Engine, end: At) -> Played {
        let mut facts = Facts {
            customers: self.portfolio.customers.clone(),
            debts: self.portfolio.debts.clone(),
            news: self.news,
            ..Facts::default()
        };
        let mut tx = engine.store().read().await.unwrap();
        let rows = contacts::list(&mut tx, (Timestamp::from_us(0), ""), 100_000).await.unwrap();
        let groups: BTreeMap<String, String> = rows.iter().map(|row| (row.id.clone(), row.group.to_string())).collect();
        let work = tasks::list(&mut tx, &tasks::Filter::default(), None, 100_000).await.unwrap();
        drop(tx);
        let said = self.staff.said.into_inner().unwrap();
        for row in work {
            let shown = self.dialling.was_shown(&row.task.id.to_string());
            let said = said.get(&row.task.id.to_string()).filter(|(at, _)| at.to_utc() < end);
            told(&mut facts, &row, (said, shown), &groups);
        }
        self.dialling.hand_on(&mut facts, &groups);
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        for left in seen.left {
            sorted(&mut facts, &left, &groups);
        }
        for (seq, contact) in facts.contacts.iter_mut().enumerate() {
            contact.seq = seq;
        }
        facts.doubts = doubts(&facts, &rows);
        let debts = facts.debts.clone();
        let mut beside = Facts { debts, ..Facts::default() };
        for refused in seen.refused {
            sorted(&mut beside, &refused, &groups);
        }
        facts.doubts.append(&mut beside.contacts);
        facts.news.sort_by_key(|(at, _)| *at);
        Played { facts, outages: self.outages, engine, end, _dir: self.dir }
    }
}

/// A worker that dies behind its commit is told once more, and knows it already.
async fn receive(engine: &Engine, source: &str, record: Record) {
    if engine.receive(source, &mut std::iter::once(record.clone())).await.is_err() {
        engine.receive(source, &mut std::iter::once(record)).await.unwrap();
    }
}

/// Rows of the contact ledger of which nobody saw the message: a worker died, and it may have left.
fn doubts(facts: &Facts, rows: &[contacts::ContactRow]) -> Vec<Contact> {
    let unseen = |row: &&contacts::ContactRow| {
        let same = |one: &Contact| {
            one.customer == row.customer.as_str()
                && one.channel == row.channel
                && (one.at - row.at.to_utc()).num_seconds().abs() < 120
        };
        row.channel != "call" && !facts.contacts.iter().any(same)
    };
    let doubt = |(seq, row): (usize, &contacts::ContactRow)| Contact {
        at: row.at.to_utc(),
        seq: 1_000_000 + seq,
        what: What::Message,
        channel: row.channel.clone(),
        class: if row.class == "dunning" || row.class == "legal_notice" { "dunning" } else { "courtesy" },
        customer: row.customer.to_string(),
        debts: vec![row.invoice.to_string()],
        role: "billing".to_owned(),
        step: row.step.clone(),
        run: row.id.clone(),
    };
    rows.iter().filter(unseen).enumerate().map(doubt).collect()
}

/// When the engine's own tables say that something is due.
async fn next_due(engine: &Engine) -> Option<Timestamp> {
    let mut tx = engine.store().read().await.unwrap();
    let all = [
        wake::next_at(&mut tx).await.unwrap(),
        outbox::next_due(&mut tx).await.unwrap(),
        promises::next_at(&mut tx).await.unwrap(),
    ];
    all.into_iter().flatten().min()
}

/// A task: calls asked for and made, approvals given.
fn told(
    facts: &mut Facts,
    row: &tasks::TaskRow,
    (said, shown): (Option<&(Timestamp, Answer)>, bool),
    groups: &BTreeMap<String, String>,
) {
    let id = row.task.id.to_string();
    let debt = row.invoice.to_string();
    let answer = said.map(|(at, answer)| (at.to_utc(), answer.outcome.as_str(), answer.date));
    if let Some((at, "approved", _)) = answer {
        facts.news.push((at, News::Approved { debt: debt.clone() }));
    }
    if row.task.kind != "call" {
        return;
    }
    let contact = |at, what| Contact {
        at,
        seq: 0,
        what,
        channel: "call".to_owned(),
        class: "dunning",
        customer: row.customer.to_string(),
        debts: vec![debt.clone()],
        role: "billing".to_owned(),
        step: row.task.step.clone(),
        run: groups.get(&id).unwrap_or(&id).clone(),
    };
    facts.contacts.push(contact(row.task.opened_at.to_utc(), What::AskedToCall));
    if let Some((at, outcome, date)) = answer {
        // The number that was shown is the call.
        if !shown {
            facts.contacts.push(contact(at, What::Called(matches!(outcome, "reached" | "promised"))));
        }
        if let Some(date) = date {
            // Said in the call, which had begun.
            facts.news.push((at + chrono::Duration::microseconds(1), News::Promised { debt, date }));
        }
    }
}

/// A message, by what it is.
fn sorted(facts: &mut Facts, left: &Left, groups: &BTreeMap<String, String>) {
    let Left { at, item } = left;
    let (subject, debt, step) = (&item.meta["subject"], item.meta["invoice"].clone(), item.meta["step"].clone());
    match item.lane.as_str() {
        "staff" => {}
        "legal" | "agency" | "request" => {
            let what = match (item.lane.as_str(), subject.as_str()) {
                (_, "placement.recall" | "supply.restore") => return,
                ("legal", _) => "escalate",
                ("agency", _) => "outsource",
                (_, other) => other,
            };
            facts.acts.push(Act { at: *at, what: what.to_owned(), debt });
        }
        lane => {
            let customer = item.meta["customer"].clone();
            let mut debts: Vec<String> = vec![debt.clone()];
            // Every invoice that the text names by its number.
            let named = |one: &&super::judge::Debt| item.text.contains(&format!("N-{};", one.id)) && one.id != debt;
            debts.extend(facts.debts.iter().filter(named).map(|one| one.id.clone()));
            if let Some(kind) = notice_of(subject) {
                facts.news.push((*at, News::Noticed { debt, kind, proven: false }));
            }
            let run = if step.starts_with("whenever/") { groups.get(&item.key) } else { None };
            facts.contacts.push(Contact {
                at: *at,
                seq: 0,
                what: What::Message,
                channel: lane.to_owned(),
                class: class_of(subject),
                customer,
                debts,
                role: if item.to_address.starts_with("attorney") { "attorney" } else { "billing" }.to_owned(),
                step,
                run: run.unwrap_or(&item.key).clone(),
            });
        }
    }
}

/// The local date of an instant at a customer.
pub(crate) fn date_of(facts: &Facts, customer: &str, at: At) -> NaiveDate {
    wall(at, facts.customer(customer).zone).date()
}

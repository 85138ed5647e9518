//! A small world for the engine's tests: the shipped playbooks, a database in a temporary folder, channels that note
//! what leaves and answer as told.

use async_trait::async_trait;
use recobro_connectors::channel::{Channel, Delivery, LANES, Outgoing};
use recobro_connectors::source::record::{
    ContactPoint, Customer, Dispute, DisputeChange, Invoice, OutsideEvent, Payment, Promise, Record, Reply,
};
use recobro_engine::faults::Faults;
use recobro_engine::{
    Act, Answer, Channels, Clock, Engine, Error, Nobody, Observer, OpenTask, People, Settings, Until,
};
use recobro_kernel::facts::Channel as By;
use recobro_kernel::money::{Currency, Money};
use recobro_kernel::time::Timestamp;
use recobro_playbook::Library;
use recobro_store::cases::{CaseRow, Filter};
use recobro_store::{CaseNo, Options, Store};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

/// The shipped library, checked once.
pub(crate) fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let files = recobro_playbook::read_dir(&root).unwrap();
        let checked = recobro_playbook::check(&files);
        let names: Vec<_> = checked.library.playbooks.iter().map(|p| p.playbook.name.clone()).collect();
        assert!(
            names.contains(&"general".to_owned()),
            "{}",
            recobro_playbook::report::text(&checked.diagnostics, &files)
        );
        checked.library
    })
}

/// A playbook whose only act is to hand the case over to `general`.
const HANDING_OVER: &str = "
playbook: probe
version: 1
title: One rule at a time
owner: credit-control
currency: EUR
calendar: es-business
policy: [eu-b2b]
applies_to: {customer.kind: business, priority: 90}
contact: {locales: [= customer.locale, es], hours: 09:00-18:00}
stages:
  - stage: only
    steps:
      - {handover: {playbook: general, at: firm}, day: 10}
whenever:
  - event: invoice.paid
    do: [{send: thank-you, via: [email]}]
    then: {finish: paid}
";

/// The shipped library with [`HANDING_OVER`], with and without the playbook it hands over to.
pub(crate) fn handing_over() -> (Library, Library) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = recobro_playbook::read_dir(&root).unwrap();
    files.insert("workflows/probe.yaml".to_owned(), HANDING_OVER.as_bytes().to_vec());
    let checked = recobro_playbook::check(&files);
    let all = checked.library;
    let names: Vec<_> = all.playbooks.iter().map(|p| p.playbook.name.as_str()).collect();
    assert!(names.contains(&"probe"), "{}", recobro_playbook::report::text(&checked.diagnostics, &files));
    let playbooks = all.playbooks.iter().filter(|p| p.playbook.name != "general").cloned().collect();
    let (law, facts, templates) = (Arc::clone(&all.law), Arc::clone(&all.facts), all.templates.clone());
    (all, Library { playbooks, law, facts, templates, selection: None })
}

/// The shipped library without its playbooks, and with these files.
pub(crate) fn library_of(own: &[(&str, &str)]) -> Library {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = recobro_playbook::read_dir(&root).unwrap();
    let playbook = |file: &str| file.matches('/').count() == 1 && file.starts_with("workflows/");
    files.retain(|file, _| !playbook(file) || file == "workflows/requests.yaml");
    files.extend(own.iter().map(|(file, text)| ((*file).to_owned(), text.as_bytes().to_vec())));
    let checked = recobro_playbook::check(&files);
    let errors: Vec<_> = checked.diagnostics.into_iter().filter(recobro_playbook::Diagnostic::is_error).collect();
    assert!(errors.is_empty(), "{}", recobro_playbook::report::text(&errors, &files));
    checked.library
}

/// Notes what leaves one lane and answers as told; accepts where nothing was told.
pub(crate) struct Lane {
    name: String,
    out: Arc<Mutex<Vec<Outgoing>>>,
    answers: Arc<Mutex<VecDeque<Delivery>>>,
    idempotent: bool,
    slice: Option<usize>,
}

#[async_trait]
impl Channel for Lane {
    fn lane(&self) -> &str {
        &self.name
    }
    fn idempotent(&self) -> bool {
        self.idempotent
    }
    fn slice(&self) -> Option<usize> {
        self.slice
    }
    fn render(&self, item: &Outgoing) -> Result<Vec<u8>, String> {
        Ok(item.text.clone().into_bytes())
    }
    async fn deliver(&self, items: &[Outgoing]) -> Vec<Delivery> {
        let mut answers = self.answers.lock().unwrap();
        let mut out = self.out.lock().unwrap();
        items
            .iter()
            .map(|item| {
                let answer = answers
                    .pop_front()
                    .unwrap_or_else(|| Delivery::Accepted { reference: format!("ref-{}", item.key) });
                if matches!(answer, Delivery::Accepted { .. } | Delivery::Unknown { .. }) {
                    out.push(item.clone());
                }
                answer
            })
            .collect()
    }
}

#[derive(Default)]
struct Notes(Mutex<Vec<Act>>);

impl Observer for Notes {
    fn act(&self, act: &Act) {
        self.0.lock().unwrap().push(act.clone());
    }
}

/// A database, what left it, and what happened.
pub(crate) struct World {
    dir: tempfile::TempDir,
    /// Where it is not a file of its own.
    url: Option<String>,
    pub(crate) email: Arc<Mutex<Vec<Outgoing>>>,
    pub(crate) staff: Arc<Mutex<Vec<Outgoing>>>,
    pub(crate) requests: Arc<Mutex<Vec<Outgoing>>>,
    pub(crate) answers: Arc<Mutex<VecDeque<Delivery>>>,
    pub(crate) idempotent: bool,
    pub(crate) slice: Option<usize>,
    pub(crate) faults: Faults,
    catch_up_above: usize,
    /// Cases of one batch.
    pub(crate) batch: usize,
    acts: Arc<Notes>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            url: None,
            email: Arc::default(),
            staff: Arc::default(),
            requests: Arc::default(),
            answers: Arc::default(),
            idempotent: true,
            slice: None,
            faults: Faults::none(),
            catch_up_above: 1_000,
            batch: 200,
            acts: Arc::default(),
        }
    }

    /// A world whose process dies at the n-th fault point; 0 only counts them.
    pub(crate) fn dying_at(n: u64) -> Self {
        let mut world = Self::new();
        world.faults = Faults::at(n);
        world
    }

    /// A world in which more late cases than this wait for a person.
    pub(crate) fn holding_above(catch_up_above: usize) -> Self {
        Self { catch_up_above, ..Self::new() }
    }

    /// A world on a database of its own on PostgreSQL.
    pub(crate) async fn shared() -> Self {
        let create = || recobro_testkit::postgres::cluster().database();
        Self { url: Some(tokio::task::spawn_blocking(create).await.unwrap()), ..Self::new() }
    }

    fn url(&self) -> String {
        self.url.clone().unwrap_or_else(|| format!("sqlite://{}", self.dir.path().join("test.db").display()))
    }

    /// A second handle on the database, as another process has it.
    pub(crate) async fn store(&self) -> Store {
        Store::open(&self.url(), Options { durable: false, create: true }).await.unwrap()
    }

    pub(crate) async fn engine(&self) -> Engine {
        self.try_engine().await.unwrap()
    }

    pub(crate) async fn try_engine(&self) -> Result<Engine, Error> {
        self.worker("worker", self.faults.clone()).await
    }

    pub(crate) async fn try_engine_with(&self, library: &Library) -> Result<Engine, Error> {
        self.worker_of("worker", self.faults.clone(), library).await
    }

    /// One of several workers, each with its own connections and clock.
    pub(crate) async fn worker(&self, name: &str, faults: Faults) -> Result<Engine, Error> {
        self.worker_of(name, faults, library()).await
    }

    pub(crate) async fn worker_of(&self, name: &str, faults: Faults, library: &Library) -> Result<Engine, Error> {
        let store = self.store().await;
        let mut channels = Channels::new();
        for lane in LANES {
            let out = match *lane {
                "email" => Arc::clone(&self.email),
                "staff" => Arc::clone(&self.staff),
                "request" => Arc::clone(&self.requests),
                _ => Arc::default(),
            };
            let answers = if *lane == "email" { Arc::clone(&self.answers) } else { Arc::default() };
            let lane = (*lane).to_owned();
            channels.insert(
                lane.clone(),
                Arc::new(Lane { name: lane, out, answers, idempotent: self.idempotent, slice: self.slice }),
            );
        }
        let observer: Arc<dyn Observer> = Arc::clone(&self.acts) as Arc<dyn Observer>;
        let settings = Settings {
            worker: name.to_owned(),
            faults,
            catch_up_above: self.catch_up_above,
            batch: self.batch,
            observer: Some(observer),
            payment_link: "https://pay.example.com/{invoice}".to_owned(),
            ..Settings::default()
        };
        Engine::start(store, library, channels, settings, Clock::virtual_at(Timestamp::from_us(0))).await
    }

    /// Receives rows and plays to the end of a date.
    pub(crate) async fn play(&self, rows: Vec<Record>, until: Option<&str>) -> Engine {
        self.play_with(rows, until, &Nobody).await
    }

    pub(crate) async fn play_with(&self, rows: Vec<Record>, until: Option<&str>, people: &dyn People) -> Engine {
        let engine = self.engine().await;
        engine.receive("test", &mut rows.into_iter()).await.unwrap();
        run(&engine, until, people).await.unwrap();
        engine
    }

    /// Contacts and tasks as `date kind step channel state`.
    pub(crate) fn acts(&self) -> Vec<String> {
        let acts = self.acts.0.lock().unwrap();
        acts.iter().map(|a| format!("{} {} {} {} {}", a.on, a.kind, a.step, a.channel, a.state)).collect()
    }

    pub(crate) fn contacts(&self) -> Vec<String> {
        self.acts().into_iter().filter(|act| act.contains(" contact ")).collect()
    }
}

pub(crate) async fn run(engine: &Engine, until: Option<&str>, people: &dyn People) -> Result<(), Error> {
    let until = until.map_or(Until::Done, |day| Until::At(format!("{day}T23:00:00Z").parse().unwrap()));
    engine.run_virtual(until, people, None, &mut |_| {}).await.map(|_| ())
}

pub(crate) async fn cases(engine: &Engine) -> Vec<CaseRow> {
    let mut tx = engine.store().read().await.unwrap();
    recobro_store::cases::list(&mut tx, &Filter::default(), CaseNo(0), 1_000).await.unwrap()
}

pub(crate) async fn outcomes(engine: &Engine) -> Vec<(String, Option<String>)> {
    cases(engine).await.into_iter().map(|case| (case.invoice.0, case.outcome)).collect()
}

/// What must be equal however often a run was killed: contacts, tasks, cases, balances, history heads aside.
pub(crate) async fn state(engine: &Engine) -> BTreeMap<String, String> {
    let mut tx = engine.store().read().await.unwrap();
    let mut state = BTreeMap::new();
    for row in recobro_store::contacts::list(&mut tx, (Timestamp::from_us(0), ""), 1_000).await.unwrap() {
        state.insert(format!("contact {}", row.id), format!("{} {} {} {}", row.at, row.step, row.channel, row.state));
    }
    for row in recobro_store::tasks::list(&mut tx, &recobro_store::tasks::Filter::default(), None, 1_000).await.unwrap()
    {
        let value = format!("{} {} {:?} {:?}", row.task.opened_at, row.task.step, row.outcome, row.closed_by);
        state.insert(format!("task {}", row.task.id), value);
    }
    for row in recobro_store::cases::list(&mut tx, &Filter::default(), CaseNo(0), 1_000).await.unwrap() {
        let value = format!("{} {:?} {} {} {:?}", row.status.name(), row.outcome, row.rev, row.step, row.next_at);
        state.insert(format!("case {}", row.id), value);
        let invoices = recobro_store::invoices::get(&mut tx, std::slice::from_ref(&row.invoice)).await.unwrap();
        state.insert(format!("invoice {}", row.invoice), invoices[&row.invoice].balance_minor.to_string());
    }
    state
}

pub(crate) fn customer(id: &str) -> Record {
    Record::Customer(Customer {
        id: id.to_owned(),
        name: format!("Customer {id}"),
        kind: "business".to_owned(),
        segment: "standard".to_owned(),
        country: "FR".to_owned(),
        subdivision: None,
        locale: "en".to_owned(),
        time_zone: chrono_tz::Europe::Paris,
        risk: None,
        account_manager: None,
        vulnerable: false,
        tags: Vec::new(),
        contact_points: vec![ContactPoint {
            channel: By::Email,
            address: format!("{}@example.com", id.to_lowercase()),
            role: "billing".to_owned(),
            name: None,
        }],
        x: std::collections::BTreeMap::new(),
    })
}

pub(crate) fn invoice(id: &str, customer: &str, issued: &str, due: &str) -> Record {
    Record::Invoice(Invoice {
        id: id.to_owned(),
        number: format!("N-{id}"),
        customer: customer.to_owned(),
        issued: issued.parse().unwrap(),
        due: due.parse().unwrap(),
        amount: euro(100_000),
        product: String::new(),
        reference: String::new(),
        x: std::collections::BTreeMap::new(),
        at: None,
    })
}

pub(crate) fn payment(id: &str, invoice: &str, minor: i64, on: &str) -> Record {
    Record::Payment(Payment {
        id: id.to_owned(),
        invoice: Some(invoice.to_owned()),
        invoices: Vec::new(),
        customer: None,
        amount: euro(minor),
        on: on.parse().unwrap(),
        at: None,
        reference: String::new(),
    })
}

pub(crate) fn dispute(id: &str, invoice: &str, on: &str, closed: Option<&str>) -> Record {
    let change = match closed {
        None => DisputeChange::Opened { reason: "quality".to_owned(), amount: None, owner: None, answer_by: None },
        Some(outcome) => DisputeChange::Closed { outcome: outcome.to_owned(), credit: None },
    };
    Record::Dispute(Dispute {
        id: id.to_owned(),
        invoice: invoice.to_owned(),
        change,
        on: on.parse().unwrap(),
        at: None,
    })
}

pub(crate) fn promise(id: &str, invoice: &str, made_on: &str, date: &str) -> Record {
    Record::Promise(Promise {
        id: id.to_owned(),
        customer: None,
        invoices: vec![invoice.to_owned()],
        made_on: made_on.parse().unwrap(),
        date: date.parse().unwrap(),
        amount: None,
        method: None,
        by: None,
        at: None,
    })
}

pub(crate) fn reply(id: &str, customer: &str, kind: &str, at: &str) -> Record {
    let at: Timestamp = at.parse().unwrap();
    Record::Reply(Reply {
        id: id.to_owned(),
        customer: Some(customer.to_owned()),
        invoice: None,
        channel: "email".to_owned(),
        kind: kind.to_owned(),
        on: at.date_in(chrono_tz::Europe::Paris),
        at: Some(at),
        text: String::new(),
    })
}

pub(crate) fn outside(id: &str, event: &str, invoice: &str, at: &str, fields: &[(&str, &str)]) -> Record {
    let at: Timestamp = at.parse().unwrap();
    Record::Event(OutsideEvent {
        id: id.to_owned(),
        event: event.to_owned(),
        customer: None,
        invoice: Some(invoice.to_owned()),
        on: at.date_in(chrono_tz::Europe::Paris),
        at: Some(at),
        fields: fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
    })
}

fn euro(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

/// Agents who do all their work two hours after it was opened.
pub(crate) struct Agents;

impl People for Agents {
    fn answer(&self, open: &OpenTask<'_>) -> Option<(Timestamp, Answer)> {
        let at = open.task.opened_at.plus_us(2 * recobro_kernel::time::HOUR_US);
        let outcome = match open.task.kind.as_str() {
            "approve" => "approved",
            "call" => "no_answer",
            _ => "other",
        };
        Some((at, Answer { outcome: outcome.to_owned(), ..Answer::default() }))
    }
}

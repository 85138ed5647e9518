//! A world of one invoice: the real engine on a real database under a virtual clock.

use crate::program::root;
use chrono::{Days, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;
use recobro_connectors::channel;
use recobro_connectors::source::record::{ContactPoint, Customer, Invoice, Record};
use recobro_engine::{Answer, Channels, Clock, Engine, Nobody, Settings, Until, Who};
use recobro_kernel::event::{Event, FieldType, find};
use recobro_kernel::facts::Channel;
use recobro_kernel::ids::{CaseId, CustomerId, EventId};
use recobro_kernel::money::Money;
use recobro_kernel::record::TurnBody;
use recobro_kernel::time::Timestamp;
use recobro_kernel::value::Value;
use recobro_store::events::NewEvent;
use recobro_store::{CaseNo, Options, Store, cases, customers, events, history, meta, tasks};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The source's name in scenarios.
pub(crate) const SOURCE: &str = "scenario";
/// The one invoice.
pub(crate) const NUMBER: &str = "INV-1042";

/// A world.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) engine: Engine,
    pub(crate) zone: Tz,
    pub(crate) customer: Customer,
    pub(crate) invoice: Invoice,
    asked: u32,
}

/// A case with its turns.
pub(crate) struct Played {
    pub(crate) state: recobro_kernel::case::Case,
    pub(crate) turns: Vec<TurnBody>,
}

/// The zone of a country, where the scenario names none.
pub(crate) fn zone_of(country: &str) -> Tz {
    match country {
        "PT" => Tz::Europe__Lisbon,
        "FR" => Tz::Europe__Paris,
        "DE" => Tz::Europe__Berlin,
        "IT" => Tz::Europe__Rome,
        "GB" => Tz::Europe__London,
        _ => Tz::Europe__Madrid,
    }
}

/// A usable point on every channel, or on the given ones.
pub(crate) fn points(only: Option<&[String]>) -> Vec<ContactPoint> {
    let wanted = |channel: &Channel| only.is_none_or(|names| names.iter().any(|name| name == channel.name()));
    let point = |channel: Channel| ContactPoint {
        channel,
        address: match channel {
            Channel::Email => "pago@cliente.example".to_owned(),
            Channel::Letter => "Calle Mayor 1, Madrid".to_owned(),
            Channel::Call | Channel::Sms | Channel::Voice | Channel::Whatsapp => "+34 600000000".to_owned(),
        },
        role: "billing".to_owned(),
        name: None,
    };
    Channel::ALL.into_iter().filter(wanted).map(point).collect()
}

/// The shipped library, with one more file.
fn files(own: Option<(&str, &str)>) -> recobro_playbook::Files {
    let mut files = recobro_playbook::read_dir(&root()).unwrap();
    if let Some((name, text)) = own {
        files.insert(format!("workflows/{name}.yaml"), text.as_bytes().to_vec());
    }
    files
}

fn channels() -> Channels {
    let open = |lane: &&str| {
        ((*lane).to_owned(), channel::open(&channel::Settings::new(lane, "null:")).expect("null serves every lane"))
    };
    channel::LANES.iter().map(open).collect()
}

impl World {
    /// Opens a world; nothing is known in it yet.
    pub(crate) async fn open(own: Option<(&str, &str)>, customer: Customer, invoice: Invoice) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let files = files(own);
        let checked = recobro_playbook::check(&files);
        let errors: Vec<_> = checked
            .diagnostics
            .into_iter()
            .filter(|diagnostic| diagnostic.severity == recobro_playbook::Severity::Error)
            .collect();
        if !errors.is_empty() {
            return Err(recobro_playbook::report::text(&errors, &files));
        }
        let url = format!("sqlite://{}", folder.path().join("world.db").display());
        let store = Store::open(&url, Options { durable: false, create: true }).await.map_err(said)?;
        let settings = Settings { worker: "scenario".to_owned(), ..Settings::default() };
        let clock = Clock::virtual_at(Timestamp::from_us(0));
        let engine = Engine::start(store, &checked.library, channels(), settings, clock).await.map_err(said)?;
        let zone = customer.time_zone;
        Ok(Self { folder, engine, zone, customer, invoice, asked: 0 })
    }

    pub(crate) fn db(&self) -> PathBuf {
        self.folder.path().join("world.db")
    }

    /// A local time of the customer.
    pub(crate) fn local(&self, text: &str) -> Result<Timestamp, String> {
        let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M")
            .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S"))
            .map_err(|error| format!("`{text}`: {error}"))?;
        Ok(Timestamp::at_local(time.date(), time.time(), self.zone))
    }

    pub(crate) async fn receive(&self, records: Vec<Record>) -> Result<(), String> {
        self.engine.receive(SOURCE, &mut records.into_iter()).await.map(drop).map_err(said)
    }

    pub(crate) async fn until(&self, until: Until) -> Result<(), String> {
        self.engine.run_virtual(until, &Nobody, None, &mut |_| {}).await.map(drop).map_err(said)
    }

    /// Plays up to an instant, itself excluded, and stands at it.
    pub(crate) async fn just_before(&self, at: Timestamp) -> Result<(), String> {
        self.until(Until::At(at.plus_us(-1))).await?;
        self.engine.clock().move_to(at);
        Ok(())
    }

    /// The worker is off until an instant.
    pub(crate) async fn down_until(&self, at: Timestamp) -> Result<(), String> {
        self.engine.clock().move_to(at);
        let mut tx = self.engine.store().begin().await.map_err(said)?;
        meta::put_virtual_now(&mut tx, at).await.map_err(said)?;
        tx.commit().await.map_err(said)
    }

    pub(crate) fn invoice_record(&self) -> Record {
        Record::Invoice(self.invoice.clone())
    }

    pub(crate) fn money(&self, text: &str) -> Result<Money, String> {
        Money::parse(text, self.invoice.amount.currency).map_err(said)
    }

    async fn ids(&self) -> Result<Vec<(CaseNo, CaseId)>, String> {
        let mut tx = self.engine.store().read().await.map_err(said)?;
        let all = cases::list(&mut tx, &cases::Filter::default(), CaseNo(0), 1000).await.map_err(said)?;
        Ok(all.into_iter().map(|row| (row.no, row.id)).collect())
    }

    /// The newest case.
    pub(crate) async fn case(&self) -> Result<(CaseNo, CaseId), String> {
        self.ids().await?.pop().ok_or_else(|| "no case was opened".to_owned())
    }

    /// News of the catalogue, straight to the newest case.
    pub(crate) async fn event(
        &mut self,
        name: &str,
        at: Timestamp,
        fields: &BTreeMap<String, String>,
    ) -> Result<(), String> {
        let kind = find(name).ok_or_else(|| format!("no event `{name}` in the catalogue"))?;
        let mut values = BTreeMap::new();
        for (field, of) in kind.fields {
            let field = field.trim_end_matches('?');
            if let Some(text) = fields.get(field) {
                values.insert(field.to_owned(), value(*of, text)?);
            }
        }
        self.asked += 1;
        let id = EventId::derive(&[SOURCE, &self.asked.to_string()]);
        let event = Event { id, name: name.to_owned(), at, actor: format!("source:{SOURCE}"), fields: values };
        let body = serde_json::to_string(&event).map_err(said)?;
        let (no, _) = self.case().await?;
        let mut tx = self.engine.store().begin().await.map_err(said)?;
        events::insert(&mut tx, &[NewEvent { no, id, at, body }]).await.map_err(said)?;
        tx.commit().await.map_err(said)
    }

    /// A person's answer to the open work of a step.
    pub(crate) async fn answer(&self, step: &str, mut answer: Answer, who: &str) -> Result<(), String> {
        let mut tx = self.engine.store().read().await.map_err(said)?;
        let filter = tasks::Filter::default();
        let all = tasks::list(&mut tx, &filter, None, 1000).await.map_err(said)?;
        drop(tx);
        let names = |row: &&tasks::TaskRow| is_step(&row.task.step, step) || row.task.subject == step;
        let found = all.iter().filter(names).max_by_key(|row| (row.outcome.is_none(), row.task.opened_at));
        let found = found.ok_or_else(|| format!("no work of `{step}` was opened"))?;
        answer.seen = Some(found.task.seen.to_string());
        let who = Who { name: format!("person:{who}"), why: String::new() };
        self.engine.task_done(found.task.id, &answer, &who).await.map_err(said)
    }

    pub(crate) async fn operate(&self, act: &str, stage: &str, by: &str, why: &str) -> Result<(), String> {
        let (_, case) = self.case().await?;
        let who = Who { name: format!("person:{by}"), why: why.to_owned() };
        let done = match act {
            "pause" => self.engine.pause(case, &who).await,
            "resume" => self.engine.resume(case, &who).await,
            "skip" => self.engine.skip(case, &who).await,
            "retry" => self.engine.retry(case, &who).await,
            "cancel" => self.engine.cancel(case, &who).await,
            "goto" => self.engine.goto(case, stage, &who).await,
            other => return Err(format!("no operator's act `{other}`")),
        };
        done.map_err(said)
    }

    /// Sets counts that no ledger row of the scenario made.
    pub(crate) async fn count(&self, set: impl FnOnce(&mut customers::Aggregates)) -> Result<(), String> {
        let id = CustomerId::from(self.customer.id.as_str());
        let mut tx = self.engine.store().begin().await.map_err(said)?;
        let known = cases::list(&mut tx, &cases::Filter::default(), CaseNo(0), 1).await.map_err(said)?;
        let id = known.first().map_or(id, |row| row.customer.clone());
        let mut rows = customers::aggregates(&mut tx, std::slice::from_ref(&id)).await.map_err(said)?;
        let mut row = rows.remove(&id).unwrap_or_default();
        set(&mut row);
        customers::put_aggregates(&mut tx, &BTreeMap::from([(id, row)])).await.map_err(said)?;
        tx.commit().await.map_err(said)
    }

    /// Every case with its turns, in order of entry.
    pub(crate) async fn played(&self) -> Result<Vec<Played>, String> {
        let nos: Vec<CaseNo> = self.ids().await?.into_iter().map(|(no, _)| no).collect();
        let mut tx = self.engine.store().read().await.map_err(said)?;
        let mut all = Vec::new();
        for claimed in cases::load(&mut tx, &nos).await.map_err(said)? {
            let state = serde_json::from_str(&claimed.state).map_err(said)?;
            let rows = history::of_case(&mut tx, claimed.no, 0, 100_000).await.map_err(said)?;
            let mut turns = Vec::new();
            for row in rows {
                turns.push(serde_json::from_str(&row.body).map_err(said)?);
            }
            all.push(Played { state, turns });
        }
        Ok(all)
    }

    /// Why the invoice has no case.
    pub(crate) async fn unmatched(&self) -> Result<String, String> {
        let mut tx = self.engine.store().read().await.map_err(said)?;
        let rows = recobro_store::unmatched::list(&mut tx, "", 10).await.map_err(said)?;
        let parked = recobro_store::inbound::parked(&mut tx, 0, 10).await.map_err(said)?;
        let mut text: Vec<String> = rows.into_iter().map(|row| row.reason).collect();
        text.extend(parked.into_iter().map(|row| format!("{}: {}", row.inbound.kind, row.reason)));
        Ok(text.join("; "))
    }
}

/// Whether a path names a step by its local id or as a whole.
pub(crate) fn is_step(path: &str, wanted: &str) -> bool {
    path == wanted || path.rsplit('/').next() == Some(wanted) || path.ends_with(&format!("/{wanted}"))
}

pub(crate) fn said(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

fn value(of: FieldType, text: &str) -> Result<Value, String> {
    Ok(match of {
        FieldType::Amount => Value::Decimal(text.parse().map_err(said)?),
        FieldType::Date => Value::Date(text.parse().map_err(said)?),
        FieldType::Text | FieldType::OneOf(_) => Value::Text(text.to_owned()),
        FieldType::Texts => Value::List(text.split(", ").map(|one| Value::Text(one.to_owned())).collect()),
    })
}

/// The invoice of a scenario.
pub(crate) fn invoice(amount: Money, issued: NaiveDate, due: NaiveDate, product: &str) -> Invoice {
    Invoice {
        id: NUMBER.to_owned(),
        number: NUMBER.to_owned(),
        customer: "C-1".to_owned(),
        issued,
        due,
        amount,
        product: product.to_owned(),
        reference: format!("RF-{NUMBER}"),
        x: std::collections::BTreeMap::new(),
        at: None,
    }
}

/// Some days earlier.
pub(crate) fn before(date: NaiveDate, days: u64) -> NaiveDate {
    date.checked_sub_days(Days::new(days)).unwrap_or(date)
}

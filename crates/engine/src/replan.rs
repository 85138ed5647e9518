//! A changed calendar or policy reaches the cases that sleep: whoever waits for a day that the old law named is told,
//! works its day out anew, and says in its history which files had changed.
//!
//! What changed is seen when a worker begins to carry cases on, so that two workers with two states of the files do not
//! take turns for ever: the one that began last is right. Who only lists or answers work compares nothing. Then one page
//! of customers after the other, each in a commit with the place reached, behind all other work; whoever starts next goes
//! on where a dead worker stopped. Days that were given to people (until when work is open, a promised date) stay as they
//! were given.

use crate::{Engine, Error, db};
use recobro_connectors::source::record::Customer;
use recobro_kernel::case::{Case, Phase};
use recobro_kernel::guard::policy::{Kind, is_at};
use recobro_kernel::ids::{CustomerId, EventId, Hash};
use recobro_kernel::law::Law;
use recobro_kernel::playbook::Playbook;
use recobro_kernel::time::Timestamp;
use recobro_kernel::value::Value;
use recobro_store::{CaseNo, Tx, cases, customers, events, meta};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};

/// Where the parts of the law stand that the cases were planned with.
const PARTS: &str = "law.parts";

/// Where a re-planning stands while it goes on.
const OPEN: &str = "law.replan";

/// Customers looked at together.
const PAGE: i64 = 250;

/// What a worker knows of re-planning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Replanning {
    /// It has not compared its law yet.
    #[default]
    Unknown,
    /// Cases are being told.
    Open,
    /// All were told.
    Done,
}

impl Engine {
    fn replanning(&self) -> MutexGuard<'_, Replanning> {
        self.replans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A calendar or a policy, as far as it matters who is to hear of its change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    hash: Hash,
    /// Countries, subdivisions, `EU`; empty where only playbooks that name it keep it.
    places: BTreeSet<String>,
    /// Whether deadlines follow from it, which run on while a case is held or paused.
    #[serde(default)]
    deadlines: bool,
}

/// A re-planning that goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Replan {
    /// Files, each with its short hashes before and after.
    changed: BTreeSet<String>,
    /// Calendars, and policies without a place: playbooks that name one keep it wherever their customers are.
    #[serde(default)]
    names: BTreeSet<String>,
    /// Where they bind or bound by themselves.
    places: BTreeSet<String>,
    /// Whether a deadline may have changed.
    #[serde(default)]
    deadlines: bool,
    /// When the change was seen: the same change once more is another one.
    since: Timestamp,
    /// The last customer whose cases were told.
    after: String,
    told: u64,
}

impl Replan {
    fn is_at_home(&self, customer: &Customer) -> bool {
        let subdivision = customer.subdivision.as_deref();
        self.places.iter().any(|wanted| is_at(wanted, &customer.country, subdivision))
    }

    /// Whether a playbook names what changed.
    fn is_named_by(&self, playbook: &Playbook) -> bool {
        let file = playbook.calendar.split('/').next().unwrap_or_default();
        let policies = playbook.policies.iter().map(|name| format!("policy {name}"));
        policies.chain([format!("calendar {file}")]).any(|name| self.names.contains(&name))
    }

    /// Whether its next day may be another one by the new law. What is held, paused or parked sleeps to no day of the
    /// law, but its deadlines run on.
    fn moves(&self, case: &Case) -> bool {
        let to_a_deadline = case.wake.as_ref().is_some_and(|wake| wake.reason.starts_with("deadline "));
        let is_stopped = case.is_held() || case.paused.is_some() || case.trouble.is_some();
        self.deadlines || to_a_deadline || (!is_stopped && waits_for_a_day(case))
    }

    /// Takes up what changed: everybody is looked at again.
    fn add(&mut self, name: &str, before: Option<&Part>, now: Option<&Part>) {
        let short = |part: Option<&Part>| part.map_or_else(|| "none".to_owned(), |part| part.hash.short());
        self.changed.insert(format!("{name} {} -> {}", short(before), short(now)));
        for part in [before, now].into_iter().flatten() {
            // A policy with a place binds there and nowhere else, whoever names it.
            if part.places.is_empty() || name.starts_with("calendar ") {
                self.names.insert(name.to_owned());
            }
            self.deadlines |= part.deadlines;
            self.places.extend(part.places.iter().cloned());
        }
        self.after.clear();
    }
}

/// Policies that bind who collects, and calendars, by file: the parts of a country stand in the file of the country.
fn parts(law: &Law) -> BTreeMap<String, Part> {
    let binding = law.policies.values().filter(|policy| policy.is_for(law.collector));
    let policies = binding.map(|policy| {
        let places = policy.jurisdictions.iter().cloned().collect();
        let deadlines = policy.rules.iter().any(|rule| matches!(rule.kind, Kind::Deadline(_)));
        (format!("policy {}", policy.name), Part { hash: policy.hash, places, deadlines })
    });
    let mut parts: BTreeMap<String, Part> = policies.collect();
    for calendar in law.calendars.values() {
        let file = calendar.name.split('/').next().unwrap_or(&calendar.name);
        let new = || Part { hash: calendar.hash, places: BTreeSet::new(), deadlines: false };
        let part = parts.entry(format!("calendar {file}")).or_insert_with(new);
        part.places.extend(calendar.country.iter().cloned());
    }
    parts
}

/// A value of `meta` as it was read, to be changed only as long as it is the same.
struct Seen<T> {
    text: Option<String>,
    value: Option<T>,
}

async fn read<T: for<'de> Deserialize<'de>>(tx: &mut Tx, key: &str) -> Result<Seen<T>, Error> {
    let text = meta::get(tx, key).await?;
    let value = text.as_deref().map(serde_json::from_str).transpose();
    let value = value.map_err(|cause| Error::Corrupt { what: format!("meta {key}"), cause: cause.to_string() })?;
    Ok(Seen { text, value })
}

/// Writes a value unless another worker did since it was read, and says so.
async fn swap<T: Serialize>(tx: &mut Tx, key: &str, before: Option<&str>, value: &T) -> Result<bool, Error> {
    let text = serde_json::to_string(value).expect("plain data");
    Ok(meta::swap(tx, key, before, Some(&text)).await?)
}

/// Compares the law at hand, once per worker, with the one that the cases were planned with. A database that never had one
/// has no plans.
pub(crate) async fn compare(engine: &Engine) -> Result<(), Error> {
    if *engine.replanning() != Replanning::Unknown {
        return Ok(());
    }
    let now = parts(&engine.shelf.law);
    let mut tx = engine.store.begin().await?;
    loop {
        let seen: Seen<BTreeMap<String, Part>> = read(&mut tx, PARTS).await?;
        if seen.value.as_ref() == Some(&now) {
            break;
        }
        // Who writes the parts holds them until its commit: of two that start together the second sees those of the first.
        if !swap(&mut tx, PARTS, seen.text.as_deref(), &now).await? {
            continue;
        }
        if let Some(before) = &seen.value {
            open(engine, &mut tx, before, &now).await?;
        }
        break;
    }
    let open = meta::get(&mut tx, OPEN).await?.is_some();
    tx.commit().await?;
    *engine.replanning() = if open { Replanning::Open } else { Replanning::Done };
    Ok(())
}

/// Opens a re-planning, or adds to the one that goes on in another worker.
async fn open(
    engine: &Engine,
    tx: &mut Tx,
    before: &BTreeMap<String, Part>,
    now: &BTreeMap<String, Part>,
) -> Result<(), Error> {
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    loop {
        let seen: Seen<Replan> = read(tx, OPEN).await?;
        let mut replan = seen.value.unwrap_or_default();
        replan.since = engine.clock.now();
        for name in names.iter().filter(|name| before.get(**name) != now.get(**name)) {
            replan.add(name, before.get(*name), now.get(*name));
        }
        if swap(tx, OPEN, seen.text.as_deref(), &replan).await? {
            tracing::info!(changed = ?replan.changed, "the law changed: sleeping cases are planned again");
            return Ok(());
        }
    }
}

/// Tells the cases of the next page of customers, and says how many; nothing once all were told.
pub(crate) async fn step(engine: &Engine) -> Result<Option<u64>, Error> {
    if *engine.replanning() != Replanning::Open {
        return Ok(None);
    }
    let mut tx = engine.store.begin().await?;
    let seen: Seen<Replan> = read(&mut tx, OPEN).await?;
    let Some(mut replan) = seen.value else {
        *engine.replanning() = Replanning::Done;
        return Ok(None);
    };
    let page = customers::list(&mut tx, &replan.after, PAGE).await?;
    let (told, ours) = match page.last() {
        None => (None, meta::swap(&mut tx, OPEN, seen.text.as_deref(), None).await?),
        Some(last) => {
            replan.after.clone_from(&last.id.0);
            let customers = page.into_iter().map(|row| Ok((row.id.clone(), db::customer_of(row)?)));
            let told = tell(engine, &mut tx, &replan, &customers.collect::<Result<_, Error>>()?).await?;
            replan.told += told;
            (Some(told), swap(&mut tx, OPEN, seen.text.as_deref(), &replan).await?)
        }
    };
    if !ours {
        // Another worker took this page, or saw another change and begins anew: its place counts.
        tx.rollback().await?;
        return Ok(Some(0));
    }
    engine.settings.faults.pass("replan.page")?;
    tx.commit().await?;
    if told.is_none() {
        *engine.replanning() = Replanning::Done;
        tracing::info!(told = replan.told, "all sleeping cases that a changed law can touch were told");
    }
    Ok(told)
}

async fn tell(
    engine: &Engine,
    tx: &mut Tx,
    replan: &Replan,
    page: &BTreeMap<CustomerId, Customer>,
) -> Result<u64, Error> {
    let ids: Vec<CustomerId> = page.keys().cloned().collect();
    let open: BTreeMap<CaseNo, CustomerId> =
        cases::open_of_customers(tx, &ids).await?.into_iter().map(|(customer, no, _)| (no, customer)).collect();
    let numbers: Vec<CaseNo> = open.keys().copied().collect();
    let changed = replan.changed.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let mut news = Vec::new();
    for (no, case) in db::seen_cases(tx, &numbers).await?.into_iter().filter(|(_, case)| replan.moves(case)) {
        let at_home = open.get(&no).and_then(|id| page.get(id)).is_some_and(|customer| replan.is_at_home(customer));
        if !at_home && !named(engine, tx, replan, &case).await? {
            continue;
        }
        let id = EventId::derive(&["law", &changed, &replan.since.to_string(), &case.id.to_string()]);
        let fields = vec![("changed", Value::text(&changed))];
        news.push(db::event_row(no, &db::own_event(id, "law.changed", engine.clock.now(), fields))?);
    }
    if !news.is_empty() {
        events::insert(tx, &news).await?;
    }
    Ok(news.len() as u64)
}

/// Whether the playbook of a case names what changed; read from the database at most once per bundle and process.
async fn named(engine: &Engine, tx: &mut Tx, replan: &Replan, case: &Case) -> Result<bool, Error> {
    let pin = (case.bundle, case.content);
    let found = engine.bundles(tx, &[(pin, &case.playbook)]).await;
    match found {
        Ok(found) => Ok(found.get(&pin).is_some_and(|bundle| replan.is_named_by(&bundle.compiled.playbook))),
        // A turn of it says what is wrong; here it stands in nobody's way.
        Err(Error::Bundle { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Whether the day of its next step follows from a calendar or a limit.
fn waits_for_a_day(case: &Case) -> bool {
    case.is_deferred() || (case.wake.is_some() && case.cursor.phase == Phase::Pending)
}

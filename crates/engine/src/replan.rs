//! A changed calendar or policy reaches the cases that sleep: whoever waits for a day that the old law named is told,
//! works its day out anew, and says in its history which files had changed.
//!
//! What changed is seen when a worker starts, so that two workers with two states of the files do not take turns for
//! ever: the one that started last is right. Then one page of customers after the other, each in a commit with the
//! place reached, behind all other work; whoever starts next goes on where a dead worker stopped. Days that were given
//! to people (until when work is open, a promised date) stay as they were given.

use crate::{Engine, Error, db};
use recobro_kernel::case::{Case, Phase};
use recobro_kernel::guard::policy::is_at;
use recobro_kernel::ids::{CustomerId, EventId, Hash};
use recobro_kernel::law::Law;
use recobro_kernel::time::Timestamp;
use recobro_kernel::value::Value;
use recobro_store::{CaseNo, Tx, cases, customers, events, meta};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

/// Where the parts of the law stand that the cases were planned with.
const PARTS: &str = "law.parts";

/// Where a re-planning stands while it goes on.
const OPEN: &str = "law.replan";

/// Customers looked at together.
const PAGE: i64 = 250;

/// A calendar or a policy, as far as it matters who is to hear of its change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    hash: Hash,
    /// Countries, subdivisions, `EU`; empty means anywhere.
    places: BTreeSet<String>,
}

/// A re-planning that goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Replan {
    /// Files, each with its short hashes before and after.
    changed: BTreeSet<String>,
    /// Where they bind or bound; empty means anywhere.
    places: BTreeSet<String>,
    everywhere: bool,
    /// When the change was seen: the same change once more is another one.
    since: Timestamp,
    /// The last customer whose cases were told.
    after: String,
    told: u64,
}

impl Replan {
    fn touches(&self, country: &str, subdivision: Option<&str>) -> bool {
        self.everywhere || self.places.iter().any(|wanted| is_at(wanted, country, subdivision))
    }

    /// Takes up what changed: everybody is looked at again.
    fn add(&mut self, name: &str, before: Option<&Part>, now: Option<&Part>) {
        let short = |part: Option<&Part>| part.map_or_else(|| "none".to_owned(), |part| part.hash.short());
        self.changed.insert(format!("{name} {} -> {}", short(before), short(now)));
        for part in [before, now].into_iter().flatten() {
            self.everywhere |= part.places.is_empty();
            self.places.extend(part.places.iter().cloned());
        }
        self.after.clear();
    }
}

/// Policies and calendars by file: the parts of a country stand in the file of the country.
fn parts(law: &Law) -> BTreeMap<String, Part> {
    let policies = law.policies.values().map(|policy| {
        let places = policy.jurisdictions.iter().cloned().collect();
        (format!("policy {}", policy.name), Part { hash: policy.hash, places })
    });
    let mut parts: BTreeMap<String, Part> = policies.collect();
    for calendar in law.calendars.values() {
        let file = calendar.name.split('/').next().unwrap_or(&calendar.name);
        let new = || Part { hash: calendar.hash, places: BTreeSet::new() };
        let part = parts.entry(format!("calendar {file}")).or_insert_with(new);
        part.places.extend(calendar.country.iter().cloned());
    }
    parts
}

async fn read<T: for<'de> Deserialize<'de>>(tx: &mut Tx, key: &str) -> Result<Option<T>, Error> {
    let Some(text) = meta::get(tx, key).await? else { return Ok(None) };
    let read = serde_json::from_str(&text);
    read.map(Some).map_err(|cause| Error::Corrupt { what: format!("meta {key}"), cause: cause.to_string() })
}

async fn write<T: Serialize>(tx: &mut Tx, key: &str, value: &T) -> Result<(), Error> {
    meta::put(tx, key, &serde_json::to_string(value).expect("plain data")).await?;
    Ok(())
}

/// Compares the law at hand with the one that the cases were planned with. A database that never had one has no plans.
pub(crate) async fn begin(engine: &Engine, tx: &mut Tx) -> Result<(), Error> {
    let now = parts(&engine.shelf.law);
    let before: Option<BTreeMap<String, Part>> = read(tx, PARTS).await?;
    let mut open: Option<Replan> = read(tx, OPEN).await?;
    if before.as_ref() != Some(&now) {
        if let Some(before) = &before {
            let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
            let replan = open.get_or_insert_default();
            replan.since = engine.clock.now();
            for name in names.into_iter().filter(|name| before.get(*name) != now.get(*name)) {
                replan.add(name, before.get(name), now.get(name));
            }
            tracing::info!(changed = ?replan.changed, "the law changed: sleeping cases are planned again");
            write(tx, OPEN, replan).await?;
        }
        write(tx, PARTS, &now).await?;
    }
    engine.replans.store(open.is_some(), Ordering::Relaxed);
    Ok(())
}

/// Tells the cases of the next page of customers, and says how many; nothing once all were told.
pub(crate) async fn step(engine: &Engine) -> Result<Option<u64>, Error> {
    if !engine.replans.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let mut tx = engine.store.begin().await?;
    let Some(mut replan) = read::<Replan>(&mut tx, OPEN).await? else {
        engine.replans.store(false, Ordering::Relaxed);
        return Ok(None);
    };
    let page = customers::list(&mut tx, &replan.after, PAGE).await?;
    let told = match page.last() {
        None => {
            meta::forget(&mut tx, OPEN).await?;
            engine.replans.store(false, Ordering::Relaxed);
            tracing::info!(told = replan.told, "all sleeping cases that a changed law can touch were told");
            None
        }
        Some(last) => {
            replan.after.clone_from(&last.id.0);
            let mut touched = Vec::new();
            for row in page {
                let (id, record) = (row.id.clone(), db::customer_of(row)?);
                if replan.touches(&record.country, record.subdivision.as_deref()) {
                    touched.push(id);
                }
            }
            let told = tell(engine, &mut tx, &replan, &touched).await?;
            replan.told += told;
            write(&mut tx, OPEN, &replan).await?;
            Some(told)
        }
    };
    engine.settings.faults.pass("replan.page")?;
    tx.commit().await?;
    Ok(told)
}

async fn tell(engine: &Engine, tx: &mut Tx, replan: &Replan, touched: &[CustomerId]) -> Result<u64, Error> {
    if touched.is_empty() {
        return Ok(0);
    }
    let open = cases::open_of_customers(tx, touched).await?;
    let numbers: Vec<CaseNo> = open.iter().map(|(_, no, _)| *no).collect();
    let changed = replan.changed.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let mut news = Vec::new();
    for (no, case) in db::seen_cases(tx, &numbers).await?.into_iter().filter(|(_, case)| waits_for_a_day(case)) {
        let id = EventId::derive(&["law", &changed, &replan.since.to_string(), &case.id.to_string()]);
        let fields = vec![("changed", Value::text(&changed))];
        news.push(db::event_row(no, &db::own_event(id, "law.changed", engine.clock.now(), fields))?);
    }
    if !news.is_empty() {
        events::insert(tx, &news).await?;
    }
    Ok(news.len() as u64)
}

/// Whether the day of its next step follows from a calendar or a limit.
fn waits_for_a_day(case: &Case) -> bool {
    case.is_deferred() || (case.wake.is_some() && case.cursor.phase == Phase::Pending)
}

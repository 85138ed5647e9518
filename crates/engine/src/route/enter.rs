//! New cases: the playbook is selected, the bundle pinned, the first turn taken, all in the transaction of the news.

use super::book::{Book, Origin};
use crate::advance::{Desk, inherit_returned};
use crate::db;
use crate::library::Pin;
use crate::people::People;
use crate::run::Tick;
use crate::{Engine, Error};
use recobro_kernel::case::Case;
use recobro_kernel::decide::Entry;
use recobro_kernel::facts::Facts;
use recobro_kernel::ids::{CaseId, CustomerId, InvoiceId};
use recobro_kernel::time::Timestamp;
use recobro_kernel::value::Value;
use recobro_store::unmatched::{self, UnmatchedRow};
use recobro_store::{Tx, cases};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Opens the cases that the book's rows ask for. Says how many.
pub(super) async fn enter(
    engine: &Engine,
    tx: &mut Tx,
    book: &mut Book,
    people: &dyn People,
    tick: &mut Tick,
) -> Result<usize, Error> {
    let wants: BTreeMap<InvoiceId, Timestamp> = book
        .entering
        .iter()
        .map(|(id, at)| (id, *at))
        .chain(book.reopening.iter().map(|(id, (at, _))| (id, *at)))
        .filter(|(id, _)| book.bills.get(*id).is_some_and(|bill| bill.is_open() && bill.case.is_none()))
        .map(|(id, at)| (id.clone(), at))
        .collect();
    if wants.is_empty() {
        return Ok(0);
    }
    let ids: Vec<InvoiceId> = wants.keys().cloned().collect();
    let customers: Vec<CustomerId> = ids.iter().map(|id| CustomerId(book.bills[id].record.customer.clone())).collect();
    let loaded = db::load_facts(engine, tx, (&ids, &customers), engine.clock.now()).await?;
    let before = cases_before(tx, book).await?;
    let pins: Vec<(Pin, &str)> = before.values().map(|case| ((case.bundle, case.content), &*case.playbook)).collect();
    let bundles = engine.bundles(tx, &pins).await?;
    let mut desk = Desk::new(engine, people, loaded).carrying(tick);
    let mut unmatched = Vec::new();
    let mut opened = BTreeMap::new();
    for (id, at) in wants {
        let now = at.max(engine.clock.now());
        let Some(facts) = desk.facts(&id, now) else { continue };
        let ordinal = book.bills[&id].cases + 1;
        let case = CaseId::derive(&[id.as_str(), &ordinal.to_string()]);
        let old = before.get(&id).filter(|_| book.reopening.contains_key(&id));
        let (bundle, chosen) = match old {
            Some(old) => (Arc::clone(&bundles[&(old.bundle, old.content)]), None),
            None => match crate::select::select(&engine.shelf, &facts, now) {
                Ok((playbook, choice)) => {
                    let bundle = engine.shelf.get(crate::library::pin(&playbook));
                    (bundle.expect("a current playbook is on the shelf"), Some(choice))
                }
                Err(reason) => {
                    unmatched.push(unmatched_row(&facts, reason, now));
                    continue;
                }
            },
        };
        let (defaults, continues) = (defaults(book, &facts), old.map(inherit_returned));
        let entry = Entry { case, defaults, continues, at_stage: None, chosen };
        desk.open(&bundle, &entry, &facts, now);
        opened.insert(id, (case, now));
    }
    let numbers = desk.write(tx, tick).await?;
    book.numbers.extend(numbers);
    tell_reopened(book, &opened);
    for (id, (case, at)) in &opened {
        book.tell_standing(id, *case, *at);
    }
    unmatched::delete(tx, &opened.keys().cloned().collect::<Vec<_>>()).await?;
    if !unmatched.is_empty() {
        unmatched::put(tx, &unmatched).await?;
    }
    Ok(opened.len())
}

/// The finished cases that a linked one continues.
async fn cases_before(tx: &mut Tx, book: &Book) -> Result<BTreeMap<InvoiceId, Case>, Error> {
    if book.reopening.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids: Vec<InvoiceId> = book.reopening.keys().cloned().collect();
    let latest = cases::latest_of(tx, &ids).await?;
    let loaded = db::seen_cases(tx, &latest.values().map(|(no, _)| *no).collect::<Vec<_>>()).await?;
    Ok(loaded.into_values().map(|case| (case.invoice.clone(), case)).collect())
}

/// The linked case hears what brought it about.
fn tell_reopened(book: &mut Book, opened: &BTreeMap<InvoiceId, (CaseId, Timestamp)>) {
    for (id, (at, by)) in book.reopening.clone() {
        let Some((case, _)) = opened.get(&id) else { continue };
        let key = case.to_string();
        let origin = Origin { source: "worker", kind: "reopened", key: &key, at };
        book.tell(*case, "invoice.reopened", &origin, vec![("by", Value::text(by))]);
    }
}

fn defaults(book: &Book, facts: &Facts) -> Vec<String> {
    book.clients.get(&facts.customer.id).map(|client| client.defaults.clone()).unwrap_or_default()
}

fn unmatched_row(facts: &Facts, reason: String, now: Timestamp) -> UnmatchedRow {
    UnmatchedRow { invoice: facts.invoice.id.clone(), customer: facts.customer.id.clone(), reason, since: now }
}

//! Limits that pass by themselves. Disputes not answered in time are told once. Promises are judged once, when the ledger's as-of has passed their limit: kept, partly kept or broken. A promise on
//! an invoice with an open dispute waits for its end.

use crate::db;
use crate::route::book::Origin;
use crate::{Engine, Error};
use chrono::NaiveDate;
use chrono_tz::Tz;
use recobro_kernel::law::Law;
use recobro_kernel::time::Timestamp;
use recobro_store::{Tx, disputes, incentives, promises};

/// Promises of one batch.
const BATCH: i64 = 500;

/// The last day of grace, and the instant after it when the promise is judged.
///
/// The date itself and the grace both last to the end of their local day, counted in the customer's calendar.
pub(crate) fn limit(
    law: &Law,
    country: &str,
    subdivision: Option<&str>,
    zone: Tz,
    date: NaiveDate,
) -> (NaiveDate, Timestamp) {
    let calendar = law.calendar_for(country, subdivision, "");
    let on = calendar.add(date, law.promise_grace());
    let after = recobro_kernel::case::shift(on, 1);
    (on, Timestamp::start_of(after, zone))
}

/// When the next promise is judged, the next dispute overdue or the next discount over.
///
/// # Errors
/// [`Error::Store`].
pub(crate) async fn next_at(tx: &mut Tx) -> Result<Option<Timestamp>, Error> {
    // A promise that waits for the end of a dispute has no limit of its own.
    let promise = promises::next_at(tx).await?.filter(|at| *at < Timestamp::MAX);
    let others = [disputes::next_at(tx).await?, incentives::next_at(tx).await?];
    Ok(promise.into_iter().chain(others.into_iter().flatten()).min())
}

/// Meets every limit at or before `until`: promises are judged, overdue disputes told, discounts ended. Says how many were looked at.
///
/// # Errors
/// [`Error::Store`].
pub(crate) async fn meet(engine: &Engine, tx: &mut Tx, until: Timestamp) -> Result<usize, Error> {
    let judged = judge(engine, tx, until).await?;
    Ok(judged + tell_overdue(engine, tx, until).await? + expire(engine, tx, until).await?)
}

/// Ends the discounts whose last day is over.
async fn expire(engine: &Engine, tx: &mut Tx, until: Timestamp) -> Result<usize, Error> {
    let due = incentives::due(tx, until, BATCH).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let mut keys = db::Keys::default();
    for row in &due {
        keys.invoices.insert(row.invoice.0.clone());
        keys.customers.insert(row.customer.clone());
    }
    let mut book = db::load_book(engine, tx, &keys).await?;
    for row in &due {
        book.expire_incentive(&row.id, engine.clock.now());
    }
    db::save(tx, &book, engine.clock.now()).await?;
    db::tell(tx, &book.events, &book.numbers).await?;
    Ok(due.len())
}

/// Tells the cases of disputes whose day of answer is over.
async fn tell_overdue(engine: &Engine, tx: &mut Tx, until: Timestamp) -> Result<usize, Error> {
    let due = disputes::overdue(tx, until, BATCH).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let mut keys = db::Keys::default();
    for row in &due {
        keys.invoices.insert(row.invoice.0.clone());
        keys.customers.insert(row.customer.clone());
    }
    let mut book = db::load_book(engine, tx, &keys).await?;
    for row in &due {
        book.tell_overdue(&row.id, engine.clock.now());
    }
    db::save(tx, &book, engine.clock.now()).await?;
    db::tell(tx, &book.events, &book.numbers).await?;
    Ok(due.len())
}

/// Judges what is due at or before `until`. Says how many were looked at.
///
/// # Errors
/// [`Error::Store`].
async fn judge(engine: &Engine, tx: &mut Tx, until: Timestamp) -> Result<usize, Error> {
    let due = promises::due(tx, until, BATCH).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let count = due.len();
    let mut book = db::load_pledged(engine, tx, due).await?;
    for index in 0..book.pledges.len() {
        let pledge = &book.pledges[index];
        if pledge.status != "open" || pledge.limit_at > until {
            continue;
        }
        if pledge.invoices.iter().any(|id| book.is_disputed(id)) {
            book.postpone(index);
            continue;
        }
        let id = pledge.id.clone();
        let at = pledge.limit_at.max(engine.clock.now());
        book.judge(index, &Origin { source: "worker", kind: "promise", key: &id, at });
    }
    db::save(tx, &book, engine.clock.now()).await?;
    db::tell(tx, &book.events, &book.numbers).await?;
    tracing::debug!(judged = count, "engine.promise");
    engine.settings.faults.pass("promise.judged")?;
    Ok(count)
}

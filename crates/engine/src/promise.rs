//! Promises are judged once, when the ledger's as-of has passed their limit: kept, partly kept or broken. A promise on
//! an invoice with an open dispute waits for its end.

use crate::db;
use crate::route::book::Origin;
use crate::{Engine, Error};
use chrono::NaiveDate;
use chrono_tz::Tz;
use recobro_kernel::law::Law;
use recobro_kernel::schedule::end_of;
use recobro_kernel::time::Timestamp;
use recobro_store::{Tx, promises};

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
    (on, end_of(on, zone))
}

/// Judges what is due at or before `until`. Says how many were looked at.
///
/// # Errors
/// [`Error::Store`].
pub(crate) async fn judge(engine: &Engine, tx: &mut Tx, until: Timestamp) -> Result<usize, Error> {
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
    db::save_and_tell(tx, &book, engine.clock.now()).await?;
    tracing::debug!(judged = count, "engine.promise");
    engine.settings.faults.pass("promise.judged")?;
    Ok(count)
}

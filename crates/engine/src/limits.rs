//! What falls due by itself: promises are judged, disputes not answered in time told, discounts ended, plans looked at,
//! exceptions begun.

use crate::db::{self, Keys};
use crate::{Engine, Error, exceptions, plan, promise};
use recobro_kernel::time::Timestamp;
use recobro_store::{Tx, disputes, incentives, plans, promises};

/// Rows of one batch.
const BATCH: i64 = 500;

/// When the next of them falls due.
///
/// # Errors
/// [`Error::Store`].
pub(crate) async fn next_at(tx: &mut Tx) -> Result<Option<Timestamp>, Error> {
    // A promise that waits for the end of a dispute has no limit of its own.
    let promise = promises::next_at(tx).await?.filter(|at| *at < Timestamp::MAX);
    let others = [disputes::next_at(tx).await?, incentives::next_at(tx).await?, plans::next_at(tx).await?];
    let exception = recobro_store::exceptions::next_at(tx).await?;
    Ok(promise.into_iter().chain(exception).chain(others.into_iter().flatten()).min())
}

/// Meets every limit at or before `until`. Says how many were looked at.
///
/// # Errors
/// [`Error::Store`].
pub(crate) async fn meet(engine: &Engine, tx: &mut Tx, until: Timestamp) -> Result<usize, Error> {
    let mut met = promise::judge(engine, tx, until).await?;
    met += tell_overdue(engine, tx, until).await?;
    met += expire(engine, tx, until).await?;
    met += exceptions::begin(engine, tx, until).await?;
    Ok(met + plan::look(engine, tx, until).await?)
}

/// Ends the discounts whose last day is over.
async fn expire(engine: &Engine, tx: &mut Tx, until: Timestamp) -> Result<usize, Error> {
    let due = incentives::due(tx, until, BATCH).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let keys = Keys::of(due.iter().map(|row| (&row.customer, [&row.invoice])));
    let mut book = db::load_book(engine, tx, &keys).await?;
    for row in &due {
        book.expire_incentive(&row.id, engine.clock.now());
    }
    db::save_and_tell(tx, &book, engine.clock.now()).await?;
    Ok(due.len())
}

/// Tells the cases of disputes whose day of answer is over.
async fn tell_overdue(engine: &Engine, tx: &mut Tx, until: Timestamp) -> Result<usize, Error> {
    let due = disputes::overdue(tx, until, BATCH).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let keys = Keys::of(due.iter().map(|row| (&row.customer, [&row.invoice])));
    let mut book = db::load_book(engine, tx, &keys).await?;
    for row in &due {
        book.tell_overdue(&row.id, engine.clock.now());
    }
    db::save_and_tell(tx, &book, engine.clock.now()).await?;
    Ok(due.len())
}

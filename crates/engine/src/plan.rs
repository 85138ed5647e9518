//! Plans are looked at on their days: an instalment is announced, missed, or ends the plan; an offer expires.

use crate::db;
use crate::route::book::Origin;
use crate::{Engine, Error};
use chrono::NaiveDate;
use recobro_kernel::ids::CustomerId;
use recobro_kernel::time::Timestamp;
use recobro_store::debits::DebitFile;
use recobro_store::plans::PlanRow;
use recobro_store::{Tx, debits, plans};
use std::collections::{BTreeMap, BTreeSet};

/// Plans of one batch.
const BATCH: i64 = 500;

/// Looks at what is due at or before `until`. Says how many plans there were.
///
/// # Errors
/// [`Error::Store`].
pub(crate) async fn look(engine: &Engine, tx: &mut Tx, until: Timestamp) -> Result<usize, Error> {
    let due = plans::due(tx, until, BATCH).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let count = due.len();
    let mut book = db::load_planned(engine, tx, &due).await?;
    let patience = engine.shelf.law.plan_patience();
    for row in due {
        // The book was read under the customer's lock: what another worker looked at meanwhile says so there.
        let known = book.scheme(&row.id).and_then(|scheme| scheme.row.watch_at.zip(Some(scheme.row.default_after)));
        let Some((watch_at, default_after)) = known.filter(|(at, _)| *at <= until) else { continue };
        let patience = recobro_kernel::plan::Patience { default_after, ..patience };
        let at = watch_at.max(engine.clock.now());
        let key = format!("{}@{}", row.id, watch_at);
        book.look_at_plan(&row.id, patience, &Origin { source: "worker", kind: "plan", key: &key, at });
    }
    db::save_and_tell(tx, &book, engine.clock.now()).await?;
    tracing::debug!(plans = count, "engine.plan");
    engine.settings.faults.pass("plan.looked")?;
    Ok(count)
}

impl Engine {
    /// Keeps a file of direct debits and notes that its instalments, by plan and ordinal from 1, are in it. Says whether
    /// all of them were free; else nothing is kept.
    ///
    /// The file stands in the database before it stands on a disk, in the transaction that takes its instalments: whoever
    /// dies in between finds it there, and two runs at once cannot collect the same money twice.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn collect(
        &self,
        customers: &[CustomerId],
        instalments: &[(String, i64)],
        file: &DebitFile,
    ) -> Result<bool, Error> {
        let mut tx = self.store.begin().await?;
        recobro_store::contacts::lock_budget(&mut tx, &db::unique(customers)).await?;
        if plans::collected(&mut tx, instalments, &file.message).await? < instalments.len() {
            tx.rollback().await?;
            return Ok(false);
        }
        debits::put(&mut tx, file).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Plans with instalments to collect by a day, and why some of them are not collected now: people hold them back, the
    /// customer is protected, or contests an invoice. Asked of the ledger after all that waits was taken up, without a
    /// trace: what was paid this morning is not collected.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn debits(&self, by: NaiveDate, most: i64) -> Result<(Vec<PlanRow>, BTreeMap<String, String>), Error> {
        let mut tx = self.store.begin().await?;
        self.route_waiting(&mut tx).await?;
        let rows = plans::debits(&mut tx, by, "", most).await?;
        let plans: BTreeSet<String> = rows.iter().map(|row| row.id.clone()).collect();
        let book = db::load_book(self, &mut tx, &db::Keys { plans, ..db::Keys::default() }).await?;
        tx.rollback().await?;
        let now = self.clock.now();
        let kept_back = rows.iter().filter_map(|row| Some((row.id.clone(), book.why_not_collected(&row.id, now)?)));
        let kept_back = kept_back.collect();
        Ok((rows, kept_back))
    }
}

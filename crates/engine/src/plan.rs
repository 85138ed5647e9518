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

/// An instalment in a file of direct debits, as it was when the file was worked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Plan.
    pub plan: String,
    /// Its place in the plan, from 1.
    pub ordinal: i64,
    /// What is collected, minor units.
    pub minor: i64,
    /// The mandate, as the plan keeps it.
    pub mandate: Option<String>,
}

impl Collection {
    fn is_in(&self, row: &PlanRow) -> bool {
        let part = usize::try_from(self.ordinal - 1).ok().and_then(|index| row.instalments.get(index));
        let rest = part.map(|part| part.amount_minor - part.paid_minor);
        row.status == "active" && row.mandate == self.mandate && rest == Some(self.minor)
    }
}

impl Engine {
    /// Keeps a file of direct debits and notes that its instalments are in it. Says whether all of them are free and as
    /// they were when the file was worked out; else nothing is kept.
    ///
    /// The file stands in the database before it stands on a disk, in the transaction that takes its instalments: whoever
    /// dies in between finds it there, and two runs at once cannot collect the same money twice.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn collect(
        &self,
        customers: &[CustomerId],
        instalments: &[Collection],
        file: &DebitFile,
    ) -> Result<bool, Error> {
        let mut tx = self.store.begin().await?;
        let kept = self.collect_in(&mut tx, customers, instalments, file).await?;
        if kept {
            tx.commit().await?;
        } else {
            tx.rollback().await?;
        }
        Ok(kept)
    }

    /// Under the customers' lock nothing comes in between: what changed since the file was worked out is seen here.
    async fn collect_in(
        &self,
        tx: &mut Tx,
        customers: &[CustomerId],
        instalments: &[Collection],
        file: &DebitFile,
    ) -> Result<bool, Error> {
        recobro_store::contacts::lock_budget(tx, &db::unique(customers)).await?;
        if self.news_waits(tx).await? {
            return Ok(false);
        }
        let ids = db::unique(&instalments.iter().map(|one| one.plan.clone()).collect::<Vec<_>>());
        let rows = plans::get(tx, &ids).await?;
        let keys = db::Keys { plans: ids.into_iter().collect(), ..db::Keys::default() };
        let book = db::load_book(self, tx, &keys).await?;
        let now = self.clock.now();
        let is_same = |one: &Collection| {
            rows.iter().any(|row| row.id == one.plan && one.is_in(row))
                && book.why_not_collected(&one.plan, now).is_none()
        };
        if !instalments.iter().all(is_same) {
            return Ok(false);
        }
        let marks: Vec<(String, i64)> = instalments.iter().map(|one| (one.plan.clone(), one.ordinal)).collect();
        if plans::collected(tx, &marks, &file.message).await? < marks.len() {
            return Ok(false);
        }
        debits::put(tx, file).await?;
        Ok(true)
    }

    /// Plans with instalments to collect by a day, and why some of them are not collected now: people hold them back, the
    /// customer is protected, or contests an invoice. Nothing while news waits to be taken up: what was paid this morning
    /// is not collected.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn debits(&self, by: NaiveDate, most: i64) -> Result<Option<Debits>, Error> {
        let mut tx = self.store.begin().await?;
        if self.news_waits(&mut tx).await? {
            tx.rollback().await?;
            return Ok(None);
        }
        let rows = plans::debits(&mut tx, by, "", most).await?;
        let plans: BTreeSet<String> = rows.iter().map(|row| row.id.clone()).collect();
        let book = db::load_book(self, &mut tx, &db::Keys { plans, ..db::Keys::default() }).await?;
        tx.rollback().await?;
        let now = self.clock.now();
        let why = |row: &PlanRow| Some((row.id.clone(), book.why_not_collected(&row.id, now)?));
        let kept_back = rows.iter().filter_map(why).collect();
        Ok(Some(Debits { rows, kept_back }))
    }
}

/// What may be collected, and what not.
#[derive(Clone, Debug)]
pub struct Debits {
    /// Plans with instalments due.
    pub rows: Vec<PlanRow>,
    /// Why a plan is not collected, by its id.
    pub kept_back: BTreeMap<String, String>,
}

//! News that a case has not taken yet.

use crate::{CaseNo, Result, Tx};
use recobro_kernel::ids::EventId;
use recobro_kernel::time::Timestamp;
use std::collections::BTreeMap;

/// One item of news for one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Case.
    pub no: CaseNo,
    /// Id: the dedup key.
    pub id: EventId,
    /// When it happened; its case is woken for this instant.
    pub at: Timestamp,
    /// JSON of `kernel::event::Event`.
    pub body: String,
}

/// Stores news and wakes their cases (no later than the news' instant, ahead of timers). Answers per row whether it
/// was new; a known id changes nothing. Finished cases are woken too: the engine decides.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx, rows: &[NewEvent]) -> Result<Vec<bool>> { todo!() }

/// Returns the unread news of cases with an instant at or before `until`, in order of arrival.
///
/// # Errors
/// Those of the database.
pub async fn unread(tx: &mut Tx, nos: &[CaseNo], until: Timestamp) -> Result<BTreeMap<CaseNo, Vec<NewEvent>>> { todo!() }

/// Returns for each case the instant of its earliest unread news.
///
/// # Errors
/// Those of the database.
pub async fn next_of(tx: &mut Tx, nos: &[CaseNo]) -> Result<BTreeMap<CaseNo, Timestamp>> { todo!() }

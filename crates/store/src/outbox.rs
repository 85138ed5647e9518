//! Effects that are ordered and not settled. A row is deleted when its effect is settled; evidence stays in history and
//! in `communications`.

use crate::events::NewEvent;
use crate::{CaseNo, Result, Tx};
use recobro_kernel::ids::{CustomerId, EffectId, InvoiceId};
use recobro_kernel::time::Timestamp;

/// Where an effect is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// To be claimed when due.
    Ready,
    /// Claimed, nothing left the house.
    Leased,
    /// The hand-over may have begun.
    Sending,
    /// Nobody knows whether it left: a person or the provider must say.
    Unknown,
    /// Stopped by an operator.
    Held,
}

impl State {
    /// The name lists show.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Leased => "leased",
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Held => "held",
        }
    }
}

/// How a new effect is born.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Birth {
    /// To be claimed from this instant on.
    Ready {
        /// Instant.
        due_at: Timestamp,
    },
    /// Carried by the worker that commits it, with fence 1.
    Carried {
        /// The worker.
        owner: String,
        /// End of its lease.
        lease_until: Timestamp,
    },
}

/// An effect to insert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEffect {
    /// Id.
    pub id: EffectId,
    /// Customer.
    pub customer: CustomerId,
    /// Invoice.
    pub invoice: InvoiceId,
    /// Lane.
    pub lane: String,
    /// JSON of `kernel::effect::Effect`.
    pub payload: String,
    /// How it is born.
    pub birth: Birth,
}

/// An effect in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Id.
    pub id: EffectId,
    /// Case.
    pub no: CaseNo,
    /// Customer.
    pub customer: CustomerId,
    /// Invoice.
    pub invoice: InvoiceId,
    /// Lane.
    pub lane: String,
    /// JSON of the effect.
    pub payload: String,
    /// Where it is.
    pub state: State,
    /// Earliest hand-over.
    pub due_at: Timestamp,
    /// Fence: moves with each claim.
    pub fence: i64,
    /// End of the lease.
    pub lease_until: Option<Timestamp>,
    /// Who holds it.
    pub owner: Option<String>,
    /// Tries begun.
    pub tries: i64,
    /// Cause of the last failure or of the unknown outcome.
    pub reason: Option<String>,
}

/// A lease to give.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The worker.
    pub owner: String,
    /// Its end.
    pub until: Timestamp,
}

/// What is kept of a hand-over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Communication {
    /// Effect.
    pub effect: EffectId,
    /// Case.
    pub no: CaseNo,
    /// Customer.
    pub customer: CustomerId,
    /// Invoice.
    pub invoice: InvoiceId,
    /// Lane.
    pub lane: String,
    /// Step.
    pub step: String,
    /// Contact point, by id.
    pub to: Option<String>,
    /// `accepted`, `refused`, `failed`, `unknown`, later `delivered`, `bounced`.
    pub state: String,
    /// The provider's reference.
    pub reference: Option<String>,
    /// The rendered bytes.
    pub bytes: Option<Vec<u8>>,
    /// When it was handed over.
    pub at: Timestamp,
}

/// What becomes of the contact ledger's row when its effect is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerMark {
    /// It left, or may have left: the row stays and counts.
    Counts,
    /// It did not leave: the row goes.
    Goes,
}

/// An effect whose outcome is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Effect.
    pub effect: EffectId,
    /// Its case.
    pub no: CaseNo,
    /// The fence the caller holds.
    pub fence: i64,
    /// The contact ledger.
    pub mark: LedgerMark,
    /// Evidence; nothing where nothing was handed over.
    pub communication: Option<Communication>,
    /// Outcome as news for the case; nothing when the case's next turn is committed together with it.
    pub news: Option<NewEvent>,
}

/// Claims effects due at or before `now`, ordered by due time and id, with a lease and a new fence.
///
/// `lanes` limits the claim; empty means all lanes.
///
/// # Errors
/// Those of the database.
pub async fn claim(tx: &mut Tx, now: Timestamp, lanes: &[String], limit: i64, lease: &Lease) -> Result<Vec<OutboxRow>> { todo!() }

/// Marks claimed effects as `sending`, the last commit before the hand-over; counts a try. Answers per row whether the
/// fence still held.
///
/// # Errors
/// Those of the database.
pub async fn mark_sending(tx: &mut Tx, rows: &[(EffectId, i64)]) -> Result<Vec<bool>> { todo!() }

/// Settles effects: deletes the rows, keeps the evidence, inserts the outcome news and wakes the cases. Answers per row
/// whether the fence still held; where not, nothing of it was written.
///
/// # Errors
/// Those of the database.
pub async fn settle(tx: &mut Tx, rows: &[Settled]) -> Result<Vec<bool>> { todo!() }

/// Puts effects back for a later try; answers per row whether the fence still held.
///
/// # Errors
/// Those of the database.
pub async fn retry_later(tx: &mut Tx, rows: &[Later]) -> Result<Vec<bool>> { todo!() }

/// A later try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    /// Effect.
    pub effect: EffectId,
    /// Fence.
    pub fence: i64,
    /// Not before.
    pub due_at: Timestamp,
    /// Why.
    pub reason: String,
}

/// Marks effects as unknown, kept until somebody resolves them; inserts the news. `Settled::mark` is `Counts`.
///
/// # Errors
/// Those of the database.
pub async fn mark_unknown(tx: &mut Tx, rows: &[Settled], reason: &str) -> Result<Vec<bool>> { todo!() }

/// Frees effects whose lease ended before `now`, at most `limit`: leased ones, and `sending` ones of idempotent lanes,
/// are ready again with the same key; the others are returned in state `Sending` and must be given to [`mark_unknown`].
///
/// # Errors
/// Those of the database.
pub async fn sweep(tx: &mut Tx, now: Timestamp, idempotent_lanes: &[String], limit: i64) -> Result<Vec<OutboxRow>> { todo!() }

/// Frees at once everything that owners other than `owner` hold (single-process databases at start).
///
/// # Errors
/// Those of the database.
pub async fn end_leases(tx: &mut Tx, owner: &str, now: Timestamp) -> Result<i64> { todo!() }

/// Returns the earliest due time of a ready effect.
///
/// # Errors
/// Those of the database.
pub async fn next_due(tx: &mut Tx) -> Result<Option<Timestamp>> { todo!() }

/// Lists effects after an id, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx, state: Option<State>, after: &str, limit: i64) -> Result<Vec<OutboxRow>> { todo!() }

/// Returns effects by id, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, ids: &[EffectId]) -> Result<Vec<OutboxRow>> { todo!() }

/// Returns the effects of a case, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn of_case(tx: &mut Tx, no: CaseNo) -> Result<Vec<OutboxRow>> { todo!() }

/// Returns what was handed over for a case, oldest first, without the rendered bytes.
///
/// # Errors
/// Those of the database.
pub async fn communications_of(tx: &mut Tx, no: CaseNo, limit: i64) -> Result<Vec<Communication>> { todo!() }

/// Returns one hand-over with its rendered bytes.
///
/// # Errors
/// Those of the database.
pub async fn communication(tx: &mut Tx, effect: EffectId) -> Result<Option<Communication>> { todo!() }

//! Effects that are ordered and not settled. A row is deleted when its effect is settled; evidence stays in history and
//! in `communications`.

use crate::events::NewEvent;
use crate::sql::{Arg, Bulk, Query, Row, Tail, args, columns, listed, locked, newest, texts};
use crate::{CaseNo, Result, Tx};
use crate::{commit, contacts, events};
use recobro_kernel::ids::{CustomerId, EffectId, InvoiceId};
use recobro_kernel::time::Timestamp;
use std::collections::BTreeSet;

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
    /// The state of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

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
    /// Held until a person releases it.
    Held {
        /// When it would have been due.
        due_at: Timestamp,
    },
    /// Carried by the worker that commits it, with fence 1: on its way from the commit on, for idempotent lanes only.
    Carried {
        /// When it was ordered.
        due_at: Timestamp,
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
    /// The key of the message that it left in with others, once it was tried.
    pub bundle: Option<String>,
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
macro_rules! fields {
    () => {
        "id, no, customer, invoice, lane, payload, status, due_at, fence, lease_until, owner, tries, reason, bundle"
    };
}

/// By `outbox_ready`.
const READY: Query = locked!(
    "outbox.ready",
    "SELECT id FROM outbox WHERE status = 0 AND due_at <= $1 ORDER BY due_at, id LIMIT $2",
    " FOR UPDATE SKIP LOCKED"
);

/// By `outbox_ready`.
const READY_ON: Query = listed!(
    "outbox.ready_on",
    "SELECT id FROM outbox WHERE status = 0 AND due_at <= $2 AND lane",
    "ORDER BY due_at, id LIMIT $3",
    " FOR UPDATE SKIP LOCKED"
);

const LEASE: Query = listed!(
    "outbox.lease",
    "UPDATE outbox SET status = 1, fence = fence + 1, lease_until = $2, owner = $3 WHERE id",
    concat!("RETURNING ", fields!())
);

/// Claims effects due at or before `now`, ordered by due time and id, with a lease and a new fence.
///
/// `lanes` limits the claim; empty means all lanes.
///
/// # Errors
/// Those of the database.
pub async fn claim(tx: &mut Tx, now: Timestamp, lanes: &[String], limit: i64, lease: &Lease) -> Result<Vec<OutboxRow>> {
    let ready = if lanes.is_empty() {
        tx.rows(&READY, args![now, limit]).await?
    } else {
        tx.rows(&READY_ON, vec![texts(lanes), now.into(), limit.into()]).await?
    };
    leased(tx, ready, lease).await
}

/// Gives rows found by id to a worker, ordered by due time and id.
async fn leased(tx: &mut Tx, found: Vec<Row>, lease: &Lease) -> Result<Vec<OutboxRow>> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let ids = found.into_iter().map(|mut row| row.next()).collect::<Result<Vec<String>>>()?;
    let args = vec![Arg::Texts(ids), lease.until.into(), (&lease.owner).into()];
    let mut claimed = tx.rows(&LEASE, args).await?.iter_mut().map(read).collect::<Result<Vec<_>>>()?;
    claimed.sort_by_key(|row| (row.due_at, row.id));
    Ok(claimed)
}

const TAKE_HELD: Query = listed!(
    "outbox.take_held",
    "UPDATE outbox SET status = 1, fence = fence + 1 WHERE status = 4 AND id",
    concat!("RETURNING ", fields!())
);

/// Takes held effects, at most 1,000, with a new fence: they must be settled in the same transaction. What somebody
/// else took or recalled meanwhile is left out. Ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn take_held(tx: &mut Tx, effects: &[EffectId]) -> Result<Vec<OutboxRow>> {
    let mut taken =
        tx.rows(&TAKE_HELD, vec![texts(effects)]).await?.iter_mut().map(read).collect::<Result<Vec<_>>>()?;
    taken.sort_by_key(|row| row.id);
    Ok(taken)
}

/// By `outbox_customer`.
const READY_OF: Query = listed!(
    "outbox.ready_of",
    "SELECT id FROM outbox WHERE status = 0 AND lane IN ('email', 'letter', 'sms', 'voice', 'whatsapp') AND lane = $2
       AND due_at <= $3 AND customer",
    "ORDER BY due_at, id LIMIT $4",
    " FOR UPDATE SKIP LOCKED"
);

/// Claims what else is ready for customers on a lane, as [`claim`] does.
///
/// # Errors
/// Those of the database.
pub async fn claim_of(
    tx: &mut Tx,
    now: Timestamp,
    (lane, customers): (&str, &[CustomerId]),
    limit: i64,
    lease: &Lease,
) -> Result<Vec<OutboxRow>> {
    let args = vec![texts(customers), lane.into(), now.into(), limit.into()];
    let ready = tx.rows(&READY_OF, args).await?;
    leased(tx, ready, lease).await
}

const PUT_BACK: Query = listed!(
    "outbox.put_back",
    "UPDATE outbox SET status = 0, lease_until = NULL, owner = NULL WHERE status = 1 AND id",
    ""
);

/// Makes effects ready again that this transaction claimed, as if it had not.
///
/// # Errors
/// Those of the database.
pub async fn put_back(tx: &mut Tx, effects: &[EffectId]) -> Result<()> {
    tx.run(&PUT_BACK, vec![texts(effects)]).await?;
    Ok(())
}

const KEEP_BACK: Query = listed!(
    "outbox.keep_back",
    "UPDATE outbox SET status = 4, lease_until = NULL, owner = NULL WHERE status = 1 AND id",
    ""
);

/// Holds effects for a person that this transaction claimed.
///
/// # Errors
/// Those of the database.
pub async fn keep_back(tx: &mut Tx, effects: &[EffectId]) -> Result<()> {
    tx.run(&KEEP_BACK, vec![texts(effects)]).await?;
    Ok(())
}

static HOLD: Bulk = Bulk::new(
    "outbox.hold",
    columns!(id Text, fence Int),
    Tail::Locking(
        "SELECT outbox.id FROM x JOIN outbox ON outbox.id = x.id AND outbox.fence = x.fence
         WHERE outbox.status = 1 ORDER BY outbox.id LIMIT 1000",
        "FOR UPDATE OF outbox",
    ),
);

/// Returns which of these claimed effects, at most 1,000, still belong to who holds the fence. On PostgreSQL they stay
/// locked until the commit, so that nobody can take them over in between.
///
/// # Errors
/// Those of the database.
pub async fn hold(tx: &mut Tx, rows: &[(EffectId, i64)]) -> Result<BTreeSet<EffectId>> {
    let args = newest(rows, |row| row.0).flat_map(|(id, fence)| args![*id, *fence]).collect();
    ids(tx.bulk(&HOLD, args).await?)
}

static SENDING: Bulk = Bulk::new(
    "outbox.sending",
    columns!(id Text, fence Int, lease_until Int, bundle Text),
    Tail::Text(
        "UPDATE outbox SET status = 2, tries = tries + 1, lease_until = x.lease_until, bundle = x.bundle FROM x
         WHERE outbox.id = x.id AND outbox.fence = x.fence AND outbox.status = 1 RETURNING outbox.id",
    ),
);

/// Marks claimed effects as `sending`, each with the key of the message that it leaves in where it shares one, the last commit before the hand-over; counts a try, and the lease begins anew.
/// Answers per row whether the fence still held.
///
/// # Errors
/// Those of the database.
pub async fn mark_sending(
    tx: &mut Tx,
    rows: &[(EffectId, i64, Option<EffectId>)],
    until: Timestamp,
) -> Result<Vec<bool>> {
    let args = newest(rows, |row| row.0)
        .flat_map(|(id, fence, key)| args![*id, *fence, until, key.map(|key| key.to_string())])
        .collect();
    let held = ids(tx.bulk(&SENDING, args).await?)?;
    Ok(rows.iter().map(|(id, ..)| held.contains(id)).collect())
}
/// Settles effects: deletes the rows, keeps the evidence, inserts the outcome news and wakes the cases. Answers per row
/// whether the fence still held; where not, nothing of it was written.
///
/// # Errors
/// Those of the database.
pub async fn settle(tx: &mut Tx, rows: &[Settled]) -> Result<Vec<bool>> {
    let done = commit::commit_turns(tx, &[], rows).await?;
    Ok((0..rows.len()).map(|i| !done.stale.contains(&i)).collect())
}
static LATER: Bulk = Bulk::new(
    "outbox.later",
    columns!(id Text, fence Int, due_at Int, tries Int, reason Text),
    Tail::Text(
        "UPDATE outbox SET status = 0, due_at = x.due_at, tries = x.tries, reason = x.reason, lease_until = NULL, owner = NULL FROM x
         WHERE outbox.id = x.id AND outbox.fence = x.fence AND outbox.status IN (1, 2) RETURNING outbox.id",
    ),
);

/// Puts effects back for a later try; answers per row whether the fence still held.
///
/// # Errors
/// Those of the database.
pub async fn retry_later(tx: &mut Tx, rows: &[Later]) -> Result<Vec<bool>> {
    let args = newest(rows, |row| row.effect).flat_map(|l| args![l.effect, l.fence, l.due_at, l.tries, &l.reason]);
    let held = ids(tx.bulk(&LATER, args.collect()).await?)?;
    Ok(rows.iter().map(|row| held.contains(&row.effect)).collect())
}

/// A later try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    /// Effect.
    pub effect: EffectId,
    /// Fence.
    pub fence: i64,
    /// Not before.
    pub due_at: Timestamp,
    /// Tries that count from now on.
    pub tries: i64,
    /// Why.
    pub reason: String,
}
static UNKNOWN: Bulk = Bulk::new(
    "outbox.unknown",
    columns!(id Text, fence Int, reason Text),
    Tail::Text(
        "UPDATE outbox SET status = 3, reason = x.reason, lease_until = NULL, owner = NULL FROM x
         WHERE outbox.id = x.id AND outbox.fence = x.fence AND outbox.status IN (1, 2) RETURNING outbox.id",
    ),
);

/// Marks effects as unknown, kept until somebody resolves them; inserts the news. `Settled::mark` is `Counts`.
///
/// # Errors
/// Those of the database.
pub async fn mark_unknown(tx: &mut Tx, rows: &[Settled], reason: &str) -> Result<Vec<bool>> {
    let args = newest(rows, |row| row.effect).flat_map(|s| args![s.effect, s.fence, reason]).collect();
    let held = ids(tx.bulk(&UNKNOWN, args).await?)?;
    let won: Vec<&Settled> = rows.iter().filter(|row| held.contains(&row.effect)).collect();
    let effects: Vec<String> = won.iter().map(|row| row.effect.to_string()).collect();
    contacts::mark(tx, &effects, "unknown").await?;
    keep(tx, won.iter().filter_map(|row| row.communication.as_ref())).await?;
    let news: Vec<NewEvent> = won.iter().filter_map(|row| row.news.clone()).collect();
    events::insert(tx, &news).await?;
    Ok(rows.iter().map(|row| held.contains(&row.effect)).collect())
}
/// By `outbox_leased`.
const EXPIRED: Query = locked!(
    "outbox.expired",
    concat!(
        "SELECT ",
        fields!(),
        " FROM outbox WHERE status IN (1, 2) AND lease_until < $1 \
         ORDER BY lease_until, id LIMIT $2"
    ),
    " FOR UPDATE SKIP LOCKED"
);

const FREE: Query = listed!(
    "outbox.free",
    "UPDATE outbox SET status = 0, fence = fence + 1, lease_until = NULL, owner = NULL WHERE id",
    ""
);

const TAKE_OVER: Query = listed!(
    "outbox.take_over",
    "UPDATE outbox SET fence = fence + 1, lease_until = $2, owner = $3 WHERE id",
    concat!("RETURNING ", fields!())
);

/// What was found with a lease that had ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Nothing had left: ready again.
    pub freed: usize,
    /// May have left by an idempotent lane: still `sending`, taken over with a new fence, to be handed over again with
    /// the same key. Ordered by due time and id.
    pub again: Vec<OutboxRow>,
    /// May have left by another lane: must be given to [`mark_unknown`].
    pub unsure: Vec<OutboxRow>,
}

/// Looks after effects whose lease ended before `now`, at most `limit`. What nobody can have handed over loses its row
/// of the contact ledger too; what may have left is never made ready, because ready effects are asked, and recalled.
///
/// # Errors
/// Those of the database.
pub async fn sweep(
    tx: &mut Tx,
    now: Timestamp,
    idempotent_lanes: &[String],
    lease: &Lease,
    limit: i64,
) -> Result<Swept> {
    let mut rows = tx.rows(&EXPIRED, args![now, limit]).await?;
    let expired = rows.iter_mut().map(read).collect::<Result<Vec<_>>>()?;
    let (sending, free): (Vec<_>, Vec<_>) = expired.into_iter().partition(|row| row.state == State::Sending);
    if !free.is_empty() {
        let ids: Vec<EffectId> = free.iter().map(|row| row.id).collect();
        tx.run(&FREE, vec![texts(&ids)]).await?;
        contacts::delete(tx, &ids.iter().map(ToString::to_string).collect::<Vec<_>>()).await?;
    }
    let (same, unsure): (Vec<_>, Vec<_>) = sending.into_iter().partition(|row| idempotent_lanes.contains(&row.lane));
    let mut again = Vec::new();
    if !same.is_empty() {
        let ids: Vec<EffectId> = same.iter().map(|row| row.id).collect();
        let args = vec![texts(&ids), lease.until.into(), (&lease.owner).into()];
        again = tx.rows(&TAKE_OVER, args).await?.iter_mut().map(read).collect::<Result<Vec<_>>>()?;
        again.sort_by_key(|row| (row.due_at, row.id));
    }
    Ok(Swept { freed: free.len(), again, unsure })
}
/// The clock that all workers of a shared database see.
const NOW: Query = Query {
    name: "outbox.now",
    sqlite: "SELECT NULL",
    postgres: "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT",
    locking: "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT",
};

/// The time of the database's own clock, by which several processes compare their leases; nothing on SQLite, which
/// belongs to one process.
///
/// # Errors
/// Those of the database.
pub async fn database_now(tx: &mut Tx) -> Result<Option<Timestamp>> {
    Ok(tx.row(&NOW, args![]).await?.map(|mut row| row.next()).transpose()?.flatten())
}
const END_LEASES: Query = Query::new(
    "outbox.end_leases",
    "UPDATE outbox SET lease_until = $2 WHERE status IN (1, 2) AND (owner IS NULL OR owner <> $1)",
);

/// Ends at once every lease that owners other than `owner` hold, for [`sweep`] (single-process databases at start).
///
/// # Errors
/// Those of the database.
pub async fn end_leases(tx: &mut Tx, owner: &str, now: Timestamp) -> Result<i64> {
    tx.run(&END_LEASES, args![owner, now.plus_us(-1)]).await
}
/// By `outbox_ready`.
const NEXT: Query = Query::new("outbox.next", "SELECT due_at FROM outbox WHERE status = 0 ORDER BY due_at, id LIMIT 1");

/// Returns the earliest due time of a ready effect.
///
/// # Errors
/// Those of the database.
pub async fn next_due(tx: &mut Tx) -> Result<Option<Timestamp>> {
    tx.row(&NEXT, args![]).await?.map(|mut row| row.next()).transpose()
}
const LIST: Query = Query::new(
    "outbox.list",
    concat!("SELECT ", fields!(), " FROM outbox WHERE id > $1 AND (status = $2 OR $2 IS NULL) ORDER BY id LIMIT $3"),
);

/// Lists effects after an id, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx, state: Option<State>, after: &str, limit: i64) -> Result<Vec<OutboxRow>> {
    let state = state.map(State::number);
    tx.rows(&LIST, args![after, state, limit]).await?.iter_mut().map(read).collect()
}
const GET: Query = listed!("outbox.get", concat!("SELECT ", fields!(), " FROM outbox WHERE id"), "ORDER BY id");

/// Returns effects by id, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, ids: &[EffectId]) -> Result<Vec<OutboxRow>> {
    tx.rows(&GET, vec![texts(ids)]).await?.iter_mut().map(read).collect()
}
/// By `outbox_case`.
const OF_CASE: Query =
    Query::new("outbox.of_case", concat!("SELECT ", fields!(), " FROM outbox WHERE no = $1 ORDER BY id LIMIT 1000"));

/// Returns the effects of a case, ordered by id.
///
/// # Errors
/// Those of the database.
pub async fn of_case(tx: &mut Tx, no: CaseNo) -> Result<Vec<OutboxRow>> {
    tx.rows(&OF_CASE, args![no]).await?.iter_mut().map(read).collect()
}
/// By `communications_case`.
const COMMUNICATIONS_OF: Query = Query::new(
    "outbox.communications_of",
    "SELECT effect, no, customer, invoice, lane, step, point, state, reference, NULL, at FROM communications
     WHERE no = $1 ORDER BY at, effect LIMIT $2",
);

/// Returns what was handed over for a case, oldest first, without the rendered bytes.
///
/// # Errors
/// Those of the database.
pub async fn communications_of(tx: &mut Tx, no: CaseNo, limit: i64) -> Result<Vec<Communication>> {
    tx.rows(&COMMUNICATIONS_OF, args![no, limit]).await?.iter_mut().map(read_communication).collect()
}
const COMMUNICATION: Query = Query::new(
    "outbox.communication",
    "SELECT effect, no, customer, invoice, lane, step, point, state, reference, bytes, at FROM communications
     WHERE effect = $1 ORDER BY effect LIMIT 1",
);

/// Returns one hand-over with its rendered bytes.
///
/// # Errors
/// Those of the database.
pub async fn communication(tx: &mut Tx, effect: EffectId) -> Result<Option<Communication>> {
    tx.row(&COMMUNICATION, args![effect]).await?.as_mut().map(read_communication).transpose()
}

static INSERT: Bulk = Bulk::insert(
    "outbox.insert",
    "outbox",
    columns!(id Text, no Int, customer Text, invoice Text, lane Text, payload Text, status Int, due_at Int, fence Int,
             lease_until Int, owner Text, tries Int),
    "ON CONFLICT DO NOTHING",
);

/// Inserts effects of cases; a known id changes nothing, because one id is one act for ever.
pub(crate) async fn insert(tx: &mut Tx, rows: impl Iterator<Item = (CaseNo, &NewEffect)>) -> Result<()> {
    let rows = rows.flat_map(|(no, e)| {
        let (state, due_at, fence, lease_until, owner) = match &e.birth {
            Birth::Ready { due_at } => (State::Ready, *due_at, 0_i64, None, None),
            Birth::Held { due_at } => (State::Held, *due_at, 0, None, None),
            Birth::Carried { due_at, owner, lease_until } => {
                (State::Sending, *due_at, 1, Some(*lease_until), Some(owner))
            }
        };
        let tries = i64::from(state == State::Sending);
        args![
            e.id,
            no,
            &e.customer,
            &e.invoice,
            &e.lane,
            &e.payload,
            state.number(),
            due_at,
            fence,
            lease_until,
            owner,
            tries
        ]
    });
    tx.bulk(&INSERT, rows.collect()).await?;
    Ok(())
}

static DELETE_FENCED: Bulk = Bulk::new(
    "outbox.delete_fenced",
    columns!(id Text, fence Int),
    Tail::Text(
        "DELETE FROM outbox WHERE status IN (1, 2, 3)
           AND (id, fence) IN (SELECT x.id, x.fence FROM x WHERE x.id IS NOT NULL) RETURNING id",
    ),
);

/// Deletes settled effects whose fence still holds, and says which they were.
pub(crate) async fn delete_fenced(tx: &mut Tx, rows: &[&Settled]) -> Result<BTreeSet<EffectId>> {
    let args = newest(rows, |row| row.effect).flat_map(|row| args![row.effect, row.fence]).collect();
    ids(tx.bulk(&DELETE_FENCED, args).await?)
}

const DELETE: Query = listed!("outbox.delete", "DELETE FROM outbox WHERE id", "");

/// Deletes effects that a person resolved.
pub(crate) async fn delete(tx: &mut Tx, effects: &[EffectId]) -> Result<()> {
    if !effects.is_empty() {
        tx.run(&DELETE, vec![texts(effects)]).await?;
    }
    Ok(())
}

const RECALL: Query = listed!("outbox.recall", "DELETE FROM outbox WHERE status IN (0, 1, 4) AND id", "RETURNING id");

/// Deletes effects that are not being handed over, with their rows in the contact ledger.
pub(crate) async fn recall(tx: &mut Tx, effects: &[EffectId]) -> Result<()> {
    if effects.is_empty() {
        return Ok(());
    }
    let gone = ids(tx.rows(&RECALL, vec![texts(effects)]).await?)?;
    contacts::delete(tx, &gone.iter().map(ToString::to_string).collect::<Vec<_>>()).await
}

static KEEP: Bulk = Bulk::upsert(
    "outbox.keep",
    "communications",
    columns!(effect Text, no Int, customer Text, invoice Text, lane Text, step Text, point Text, state Text,
             reference Text, bytes Bytes, at Int),
    "effect",
);

/// Keeps the evidence of hand-overs.
pub(crate) async fn keep(tx: &mut Tx, rows: impl Iterator<Item = &Communication>) -> Result<()> {
    let rows: Vec<&Communication> = rows.collect();
    let args = newest(&rows, |row| row.effect).flat_map(|c| {
        args![
            c.effect,
            c.no,
            &c.customer,
            &c.invoice,
            &c.lane,
            &c.step,
            c.to.as_ref(),
            &c.state,
            c.reference.as_ref(),
            c.bytes.clone(),
            c.at
        ]
    });
    tx.bulk(&KEEP, args.collect()).await?;
    Ok(())
}

impl State {
    const ALL: [Self; 5] = [Self::Ready, Self::Leased, Self::Sending, Self::Unknown, Self::Held];

    fn number(self) -> i64 {
        match self {
            Self::Ready => 0,
            Self::Leased => 1,
            Self::Sending => 2,
            Self::Unknown => 3,
            Self::Held => 4,
        }
    }
}

impl crate::sql::Read for State {
    fn read(cell: crate::sql::Cell) -> std::result::Result<Self, String> {
        let number = i64::read(cell)?;
        Self::ALL.into_iter().find(|s| s.number() == number).ok_or_else(|| format!("unknown state {number}"))
    }
}

fn ids(rows: Vec<Row>) -> Result<BTreeSet<EffectId>> {
    rows.into_iter().map(|mut row| row.next()).collect()
}

fn read(row: &mut Row) -> Result<OutboxRow> {
    Ok(OutboxRow {
        id: row.next()?,
        no: row.next()?,
        customer: row.next()?,
        invoice: row.next()?,
        lane: row.next()?,
        payload: row.next()?,
        state: row.next()?,
        due_at: row.next()?,
        fence: row.next()?,
        lease_until: row.next()?,
        owner: row.next()?,
        tries: row.next()?,
        reason: row.next()?,
        bundle: row.next()?,
    })
}

fn read_communication(row: &mut Row) -> Result<Communication> {
    Ok(Communication {
        effect: row.next()?,
        no: row.next()?,
        customer: row.next()?,
        invoice: row.next()?,
        lane: row.next()?,
        step: row.next()?,
        to: row.next()?,
        state: row.next()?,
        reference: row.next()?,
        bytes: row.next()?,
        at: row.next()?,
    })
}

crate::sql::statements! {READY, READY_ON, READY_OF, LEASE, TAKE_HELD, PUT_BACK, KEEP_BACK, EXPIRED, FREE, TAKE_OVER, NOW, END_LEASES, NEXT, LIST, GET, OF_CASE, COMMUNICATIONS_OF, COMMUNICATION, DELETE, RECALL ; HOLD, SENDING, LATER, UNKNOWN, INSERT, DELETE_FENCED, KEEP}

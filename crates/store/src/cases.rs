//! Cases: the claim, and the lists people read.

use crate::sql::{Query, Row, args, listed, numbers, texts};
use crate::wake;
use crate::{CaseNo, Result, Tx};
use recobro_kernel::case::Status;
use recobro_kernel::ids::{CaseId, CustomerId, Hash, InvoiceId};
use recobro_kernel::time::Timestamp;
use std::collections::BTreeMap;

/// A claimed case: what a turn starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Number.
    pub no: CaseNo,
    /// Id.
    pub id: CaseId,
    /// Invoice.
    pub invoice: InvoiceId,
    /// Customer.
    pub customer: CustomerId,
    /// Pinned logic.
    pub bundle: Hash,
    /// Pinned templates.
    pub content: Hash,
    /// Revision.
    pub rev: u64,
    /// Hash of its last history row.
    pub head: Hash,
    /// The snapshot, JSON of `kernel::case::Case`.
    pub state: String,
    /// The instant it was woken for; nothing for a case loaded by id.
    pub due_at: Option<Timestamp>,
}

/// A case in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseRow {
    /// Number; also the key for `after`.
    pub no: CaseNo,
    /// Id.
    pub id: CaseId,
    /// Invoice.
    pub invoice: InvoiceId,
    /// Customer.
    pub customer: CustomerId,
    /// Playbook.
    pub playbook: String,
    /// Its version.
    pub version: u32,
    /// Revision.
    pub rev: u64,
    /// Status.
    pub status: Status,
    /// Outcome.
    pub outcome: Option<String>,
    /// Stage.
    pub stage: String,
    /// Step.
    pub step: String,
    /// Next look.
    pub next_at: Option<Timestamp>,
    /// Why then.
    pub next_reason: String,
    /// When it entered.
    pub entered_at: Timestamp,
    /// When it moved last.
    pub moved_at: Timestamp,
}

/// Which cases to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Status.
    pub status: Option<Status>,
    /// Playbook.
    pub playbook: Option<String>,
    /// Customer.
    pub customer: Option<CustomerId>,
    /// Invoice.
    pub invoice: Option<InvoiceId>,
    /// Outcome.
    pub outcome: Option<String>,
}
macro_rules! state {
    () => {
        "no, id, invoice, customer, bundle, content, rev, head, state"
    };
}

/// By the primary key.
const LOAD: Query =
    listed!("cases.load", concat!("SELECT ", state!(), " FROM cases WHERE no"), "ORDER BY no", " FOR UPDATE");

/// Claims cases to wake at or before `until`: news first, then timers, each ordered by time; at most `limit`.
///
/// Their wake rows stay until [`crate::commit::commit_turns`] or [`crate::wake::put`] moves them. On PostgreSQL they
/// are locked until the end of the transaction and rows of other workers are passed over.
///
/// # Errors
/// Those of the database.
pub async fn claim_due(tx: &mut Tx, until: Timestamp, limit: i64) -> Result<Vec<Claimed>> {
    let due = wake::due(tx, until, limit).await?;
    claimed(tx, due).await
}

/// Claims what else is due of these customers, as [`claim_due`] does.
///
/// # Errors
/// Those of the database.
pub async fn claim_due_of(tx: &mut Tx, customers: &[CustomerId], until: Timestamp, limit: i64) -> Result<Vec<Claimed>> {
    let due = wake::due_of(tx, customers, until, limit).await?;
    claimed(tx, due).await
}

/// The cases of wakes, in their order.
async fn claimed(tx: &mut Tx, due: Vec<(CaseNo, Timestamp)>) -> Result<Vec<Claimed>> {
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let nos: Vec<CaseNo> = due.iter().map(|(no, _)| *no).collect();
    let found = load(tx, &nos).await?;
    let mut found: BTreeMap<CaseNo, Claimed> = found.into_iter().map(|case| (case.no, case)).collect();
    let take = |(no, due_at)| found.remove(&no).map(|case| Claimed { due_at: Some(due_at), ..case });
    Ok(due.into_iter().filter_map(take).collect())
}
/// Loads cases by number, ordered by number (locked on PostgreSQL in a write transaction).
///
/// # Errors
/// Those of the database.
pub async fn load(tx: &mut Tx, nos: &[CaseNo]) -> Result<Vec<Claimed>> {
    tx.rows(&LOAD, vec![numbers(nos)]).await?.iter_mut().map(read).collect()
}
const SEEN: Query = listed!("cases.seen", concat!("SELECT ", state!(), " FROM cases WHERE no"), "ORDER BY no");

/// The same without locks, for a check that changes no case.
///
/// # Errors
/// Those of the database.
pub async fn seen(tx: &mut Tx, nos: &[CaseNo]) -> Result<Vec<Claimed>> {
    tx.rows(&SEEN, vec![numbers(nos)]).await?.iter_mut().map(read).collect()
}
const BY_ID: Query =
    Query::new("cases.by_id", concat!("SELECT ", state!(), " FROM cases WHERE id = $1 ORDER BY no LIMIT 1"));

/// Loads one case by id.
///
/// # Errors
/// Those of the database.
pub async fn by_id(tx: &mut Tx, id: CaseId) -> Result<Option<Claimed>> {
    tx.row(&BY_ID, args![id]).await?.as_mut().map(read).transpose()
}
/// By `cases_open`.
const OPEN_OF: Query =
    listed!("cases.open_of", "SELECT invoice, no, id FROM cases WHERE finished = 0 AND invoice", "ORDER BY invoice");

/// Returns the open case of each invoice that has one.
///
/// # Errors
/// Those of the database.
pub async fn open_of(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<BTreeMap<InvoiceId, (CaseNo, CaseId)>> {
    keyed(tx.rows(&OPEN_OF, vec![texts(invoices)]).await?)
}
/// By `cases_invoice`.
const LATEST_OF: Query = listed!(
    "cases.latest_of",
    "SELECT invoice, no, id FROM cases WHERE no IN (SELECT MAX(l.no) FROM cases l WHERE l.invoice",
    "GROUP BY l.invoice) ORDER BY invoice"
);

/// Returns the newest case of each invoice, open or finished: what news that come after the end go to.
///
/// # Errors
/// Those of the database.
pub async fn latest_of(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<BTreeMap<InvoiceId, (CaseNo, CaseId)>> {
    keyed(tx.rows(&LATEST_OF, vec![texts(invoices)]).await?)
}
/// By `cases_customer`.
const OPEN_OF_CUSTOMERS: Query = listed!(
    "cases.open_of_customers",
    "SELECT customer, no, id FROM cases WHERE finished = 0 AND customer",
    "ORDER BY customer, no LIMIT 100000"
);

/// Returns the open cases of customers, ordered by customer and number.
///
/// # Errors
/// Those of the database.
pub async fn open_of_customers(tx: &mut Tx, customers: &[CustomerId]) -> Result<Vec<(CustomerId, CaseNo, CaseId)>> {
    let mut rows = tx.rows(&OPEN_OF_CUSTOMERS, vec![texts(customers)]).await?;
    rows.iter_mut().map(|row| Ok((row.next()?, row.next()?, row.next()?))).collect()
}
/// What is left of a case, or runs of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LifeRow {
    /// Customer.
    pub customer: CustomerId,
    /// Invoice.
    pub invoice: InvoiceId,
    /// Playbook.
    pub playbook: String,
    /// Whether it is over.
    pub finished: bool,
    /// The last turn.
    pub moved_at: Timestamp,
}

/// By `cases_customer`.
const LIVES: Query = listed!(
    "cases.lives",
    "SELECT customer, invoice, playbook, finished, moved_at FROM cases WHERE customer",
    "ORDER BY customer, no LIMIT 1000000"
);

/// Returns all cases of customers, ordered by customer and number, with their last turns.
///
/// # Errors
/// Those of the database.
pub async fn lives(tx: &mut Tx, customers: &[CustomerId]) -> Result<Vec<LifeRow>> {
    let mut rows = tx.rows(&LIVES, vec![texts(customers)]).await?;
    rows.iter_mut()
        .map(|row| {
            Ok(LifeRow {
                customer: row.next()?,
                invoice: row.next()?,
                playbook: row.next()?,
                finished: row.next()?,
                moved_at: row.next()?,
            })
        })
        .collect()
}

/// By `cases_invoice`.
const COUNT_OF: Query =
    listed!("cases.count_of", "SELECT invoice, COUNT(*) FROM cases WHERE invoice", "GROUP BY invoice ORDER BY invoice");

/// Returns how many cases an invoice ever had: the ordinal of the next one's id.
///
/// # Errors
/// Those of the database.
pub async fn count_of(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<BTreeMap<InvoiceId, i64>> {
    let mut counts: BTreeMap<InvoiceId, i64> = invoices.iter().map(|invoice| (invoice.clone(), 0)).collect();
    for mut row in tx.rows(&COUNT_OF, vec![texts(invoices)]).await? {
        counts.insert(row.next()?, row.next()?);
    }
    Ok(counts)
}
macro_rules! listing {
    ($name:literal, $by:literal) => {
        Query::new(
            $name,
            concat!(
                "SELECT no, id, invoice, customer, playbook, version, rev, status, outcome, stage, step, next_at, \
                   next_reason, entered_at, moved_at \
                 FROM cases WHERE no > $1 AND (status = $2 OR $2 IS NULL) AND (playbook = $3 OR $3 IS NULL) \
                   AND (outcome = $4 OR $4 IS NULL) AND ",
                $by,
                " ORDER BY no LIMIT $7"
            ),
        )
    };
}

/// By the primary key.
const LIST: Query = listing!("cases.list", "(customer = $5 OR $5 IS NULL) AND (invoice = $6 OR $6 IS NULL)");

/// By `cases_customer`.
const LIST_OF_CUSTOMER: Query = listing!("cases.list_of_customer", "customer = $5 AND (invoice = $6 OR $6 IS NULL)");

/// By `cases_invoice`.
const LIST_OF_INVOICE: Query = listing!("cases.list_of_invoice", "invoice = $6 AND (customer = $5 OR $5 IS NULL)");

/// Lists cases after a number, ordered by number.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx, filter: &Filter, after: CaseNo, limit: i64) -> Result<Vec<CaseRow>> {
    let query = match (&filter.invoice, &filter.customer) {
        (Some(_), _) => &LIST_OF_INVOICE,
        (None, Some(_)) => &LIST_OF_CUSTOMER,
        (None, None) => &LIST,
    };
    let args = args![
        after,
        filter.status,
        filter.playbook.as_ref(),
        filter.outcome.as_ref(),
        filter.customer.as_ref(),
        filter.invoice.as_ref(),
        limit
    ];
    tx.rows(query, args).await?.iter_mut().map(read_row).collect()
}
macro_rules! in_turn {
    ($name:literal, $from:literal) => {
        Query::new(
            $name,
            concat!(
                "SELECT c.no, c.id, c.invoice, c.customer, c.playbook, c.version, c.rev, c.status, c.outcome, c.stage, \
                   c.step, c.next_at, c.next_reason, c.entered_at, c.moved_at",
                $from
            ),
        )
    };
}

/// By `wake_due`, which holds what sleeps in the order in which it wakes.
const WAKING: Query = in_turn!(
    "cases.waking",
    ", w.priority, w.due_at FROM wake w JOIN cases c ON c.no = w.no \
     WHERE (w.priority, w.due_at, w.no) > ($1, $2, $3) AND c.finished = 0 AND (c.status = $4 OR $4 IS NULL) \
       AND (c.playbook = $5 OR $5 IS NULL) ORDER BY w.priority, w.due_at, w.no LIMIT $6"
);

/// By `cases_open`.
const RESTING: Query = in_turn!(
    "cases.resting",
    " FROM cases c WHERE c.finished = 0 AND c.invoice > $1 AND (c.status = $2 OR $2 IS NULL) \
       AND (c.playbook = $3 OR $3 IS NULL) AND NOT EXISTS (SELECT 1 FROM wake w WHERE w.no = c.no) \
     ORDER BY c.invoice LIMIT $4"
);

/// By the primary key, backwards.
const FINISHED: Query = in_turn!(
    "cases.finished",
    " FROM cases c WHERE c.no < $1 AND c.finished = 1 AND (c.outcome = $2 OR $2 IS NULL) \
       AND (c.playbook = $3 OR $3 IS NULL) ORDER BY c.no DESC LIMIT $4"
);

/// Where a listing in turn goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Open cases by their next look; behind this priority, instant and number.
    Waking(i64, Timestamp, CaseNo),
    /// Open cases that nothing but news will wake; behind this invoice.
    Resting(InvoiceId),
    /// Finished cases, newest first; before this number.
    Finished(CaseNo),
}

impl Turn {
    /// Before the first of all.
    #[must_use]
    pub fn first() -> Self {
        Self::Waking(-1, Timestamp::from_us(0), CaseNo(0))
    }
}

/// Lists one page of cases: open ones by their next look, open ones without one, finished ones, newest first. The
/// place to go on from comes with it; nothing behind the last. Customer and invoice of the filter are not asked.
///
/// # Errors
/// Those of the database.
pub async fn in_turn(tx: &mut Tx, filter: &Filter, after: &Turn, limit: i64) -> Result<(Vec<CaseRow>, Option<Turn>)> {
    let (query, args) = match after {
        Turn::Waking(priority, due_at, no) => {
            (&WAKING, args![*priority, *due_at, *no, filter.status, filter.playbook.as_ref(), limit])
        }
        Turn::Resting(invoice) => (&RESTING, args![invoice, filter.status, filter.playbook.as_ref(), limit]),
        Turn::Finished(no) => (&FINISHED, args![*no, filter.outcome.as_ref(), filter.playbook.as_ref(), limit]),
    };
    let mut found = tx.rows(query, args).await?;
    let rows: Vec<CaseRow> = found.iter_mut().map(read_row).collect::<Result<_>>()?;
    let full = i64::try_from(rows.len()).is_ok_and(|count| count == limit);
    let next = match (after, rows.last().zip(found.last_mut()).filter(|_| full)) {
        // The place comes with the row: asked for afterwards, a case that woke meanwhile would have none.
        (Turn::Waking(..), Some((last, row))) => Some(Turn::Waking(row.next()?, row.next()?, last.no)),
        (Turn::Waking(..), None) => Some(Turn::Resting(InvoiceId::from(""))),
        (Turn::Resting(_), Some((last, _))) => Some(Turn::Resting(last.invoice.clone())),
        (Turn::Resting(_), None) => Some(Turn::Finished(CaseNo(i64::MAX))),
        (Turn::Finished(_), last) => last.map(|(last, _)| Turn::Finished(last.no)),
    };
    Ok((rows, next))
}
/// By `cases_open`.
const COUNT_OPEN: Query = Query::new("cases.count_open", "SELECT COUNT(*) FROM cases WHERE finished = 0 LIMIT 1");

/// Returns how many cases are open.
///
/// # Errors
/// Those of the database.
pub async fn count_open(tx: &mut Tx) -> Result<i64> {
    Ok(tx.row(&COUNT_OPEN, args![]).await?.map(|mut row| row.next()).transpose()?.unwrap_or(0))
}

fn keyed(mut rows: Vec<Row>) -> Result<BTreeMap<InvoiceId, (CaseNo, CaseId)>> {
    rows.iter_mut().map(|row| Ok((row.next()?, (row.next()?, row.next()?)))).collect()
}

fn read(row: &mut Row) -> Result<Claimed> {
    Ok(Claimed {
        no: row.next()?,
        id: row.next()?,
        invoice: row.next()?,
        customer: row.next()?,
        bundle: row.next()?,
        content: row.next()?,
        rev: row.next()?,
        head: row.next()?,
        state: row.next()?,
        due_at: None,
    })
}

fn read_row(row: &mut Row) -> Result<CaseRow> {
    Ok(CaseRow {
        no: row.next()?,
        id: row.next()?,
        invoice: row.next()?,
        customer: row.next()?,
        playbook: row.next()?,
        version: row.next()?,
        rev: row.next()?,
        status: row.next()?,
        outcome: row.next()?,
        stage: row.next()?,
        step: row.next()?,
        next_at: row.next()?,
        next_reason: row.next()?,
        entered_at: row.next()?,
        moved_at: row.next()?,
    })
}

crate::sql::statements! {LOAD, SEEN, BY_ID, OPEN_OF, LATEST_OF, OPEN_OF_CUSTOMERS, LIVES, COUNT_OF, LIST, LIST_OF_CUSTOMER, LIST_OF_INVOICE, WAKING, RESTING, FINISHED, COUNT_OPEN ; }

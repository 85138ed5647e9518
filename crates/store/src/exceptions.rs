//! Exceptions: rules of policies that two people lift for a customer or a class of them, and every act on them.

use crate::sql::{Bulk, Query, Row, args, columns, listed, locked, newest, texts};
use crate::{Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::ids::CustomerId;
use recobro_kernel::time::Timestamp;

/// An exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionRow {
    /// Its name.
    pub id: String,
    /// `policy/rule`.
    pub rule: String,
    /// The customer; nothing where it is for a class.
    pub customer: Option<CustomerId>,
    /// The tests of a class, one a line: `customer.segment=key`.
    pub class: Option<String>,
    /// Reason code.
    pub reason: String,
    /// What people should know; never in history.
    pub note: String,
    /// First day.
    pub from_on: NaiveDate,
    /// Last day.
    pub until_on: NaiveDate,
    /// `asked`, `approved`, `refused` or `ended`.
    pub status: String,
    /// Who asked for it.
    pub asked_by: String,
    /// When.
    pub asked_at: Timestamp,
    /// Who approved or refused it.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// Who ended it before its last day.
    pub ended_by: Option<String>,
    /// When.
    pub ended_at: Option<Timestamp>,
    /// When the cases that wait because of the rule are to be told, while they were not.
    pub tell_at: Option<Timestamp>,
}

/// One act on an exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActRow {
    /// The exception.
    pub exception: String,
    /// From 1.
    pub ordinal: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// `asked`, `approved`, `refused`, `ended` or `began`.
    pub act: String,
    /// Why.
    pub why: String,
}

static UPSERT: Bulk = Bulk::upsert(
    "exceptions.upsert",
    "exceptions",
    columns!(id Text, rule Text, customer Text, class Text, reason Text, note Text, from_on Text, until_on Text,
             status Text, asked_by Text, asked_at Int, decided_by Text, decided_at Int, ended_by Text, ended_at Int,
             tell_at Int),
    "id",
);

/// Writes exceptions; a known name is overwritten.
///
/// # Errors
/// Those of the database.
pub async fn upsert(tx: &mut Tx, rows: &[ExceptionRow]) -> Result<()> {
    let rows = newest(rows, |row| &row.id).flat_map(|e| {
        args![
            &e.id,
            &e.rule,
            e.customer.as_ref(),
            e.class.as_ref(),
            &e.reason,
            &e.note,
            e.from_on,
            e.until_on,
            &e.status,
            &e.asked_by,
            e.asked_at,
            e.decided_by.as_ref(),
            e.decided_at,
            e.ended_by.as_ref(),
            e.ended_at,
            e.tell_at
        ]
    });
    tx.bulk(&UPSERT, rows.collect()).await?;
    Ok(())
}

static NOTE: Bulk = Bulk::insert(
    "exceptions.note",
    "exception_log",
    columns!(exception Text, ordinal Int, at Int, who Text, act Text, why Text),
    "",
);

/// Writes acts; one that has the ordinal of another is an error.
///
/// # Errors
/// Those of the database.
pub async fn note(tx: &mut Tx, rows: &[ActRow]) -> Result<()> {
    let rows = rows.iter().flat_map(|a| args![&a.exception, a.ordinal, a.at, &a.who, &a.act, &a.why]);
    tx.bulk(&NOTE, rows.collect()).await?;
    Ok(())
}

const ACTS: Query = listed!(
    "exceptions.acts",
    "SELECT exception, ordinal, at, who, act, why FROM exception_log WHERE exception",
    "ORDER BY exception, ordinal LIMIT 100000"
);

/// Returns what was done with exceptions, in order.
///
/// # Errors
/// Those of the database.
pub async fn acts(tx: &mut Tx, ids: &[String]) -> Result<Vec<ActRow>> {
    let mut rows = tx.rows(&ACTS, vec![texts(ids)]).await?;
    rows.iter_mut()
        .map(|row| {
            Ok(ActRow {
                exception: row.next()?,
                ordinal: row.next()?,
                at: row.next()?,
                who: row.next()?,
                act: row.next()?,
                why: row.next()?,
            })
        })
        .collect()
}

macro_rules! fields {
    () => {
        "id, rule, customer, class, reason, note, from_on, until_on, status, asked_by, asked_at, decided_by, \
         decided_at, ended_by, ended_at, tell_at"
    };
}

/// The row is locked: two people who answer at the same time do so one after the other.
const GET: Query =
    locked!("exceptions.get", concat!("SELECT ", fields!(), " FROM exceptions WHERE id = $1"), " FOR UPDATE");

/// Returns an exception by name.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, id: &str) -> Result<Option<ExceptionRow>> {
    tx.row(&GET, args![id]).await?.map(|mut row| read(&mut row)).transpose()
}

/// By `exceptions_standing`: exceptions are few, because two people make each.
const STANDING: Query = listed!(
    "exceptions.standing",
    concat!(
        "SELECT ",
        fields!(),
        " FROM exceptions WHERE status IN ('approved', 'ended') AND until_on >= $2 AND (customer IS NULL OR customer"
    ),
    ") ORDER BY id LIMIT 100000"
);

/// Returns exceptions that were approved and last to a day or longer: those of customers, and those of classes. Which of
/// them stands at an instant is for the caller to see.
///
/// # Errors
/// Those of the database.
pub async fn standing(tx: &mut Tx, customers: &[CustomerId], on: NaiveDate) -> Result<Vec<ExceptionRow>> {
    tx.rows(&STANDING, vec![texts(customers), on.into()]).await?.iter_mut().map(read).collect()
}

const LIST: Query = Query::new(
    "exceptions.list",
    concat!(
        "SELECT ",
        fields!(),
        " FROM exceptions WHERE id > $1 AND ($2 = '' OR status = $2) AND ($3 = '' OR (status = 'approved' \
         AND until_on >= $3)) ORDER BY id LIMIT $4"
    ),
);

/// Returns exceptions after a name, ordered by name: of a status, and those that stand or will stand on a day, where
/// that is asked.
///
/// # Errors
/// Those of the database.
pub async fn list(
    tx: &mut Tx,
    (status, lasting): (&str, Option<NaiveDate>),
    after: &str,
    limit: i64,
) -> Result<Vec<ExceptionRow>> {
    let lasting = lasting.map(|on| on.to_string()).unwrap_or_default();
    tx.rows(&LIST, args![after, status, lasting.as_str(), limit]).await?.iter_mut().map(read).collect()
}

/// By `exceptions_tell`.
const UNTOLD: Query = locked!(
    "exceptions.untold",
    concat!("SELECT ", fields!(), " FROM exceptions WHERE tell_at <= $1 ORDER BY tell_at, id LIMIT $2"),
    " FOR UPDATE SKIP LOCKED"
);

/// Returns exceptions of which cases are to be told at an instant, ordered by that time.
///
/// # Errors
/// Those of the database.
pub async fn untold(tx: &mut Tx, until: Timestamp, limit: i64) -> Result<Vec<ExceptionRow>> {
    tx.rows(&UNTOLD, args![until, limit]).await?.iter_mut().map(read).collect()
}

/// By `exceptions_tell`.
const NEXT: Query = Query::new(
    "exceptions.next",
    "SELECT tell_at FROM exceptions WHERE tell_at IS NOT NULL ORDER BY tell_at, id LIMIT 1",
);

/// Returns the first instant at which cases are to be told of an exception.
///
/// # Errors
/// Those of the database.
pub async fn next_at(tx: &mut Tx) -> Result<Option<Timestamp>> {
    tx.row(&NEXT, args![]).await?.map(|mut row| row.next()).transpose()
}

fn read(row: &mut Row) -> Result<ExceptionRow> {
    Ok(ExceptionRow {
        id: row.next()?,
        rule: row.next()?,
        customer: row.next()?,
        class: row.next()?,
        reason: row.next()?,
        note: row.next()?,
        from_on: row.next()?,
        until_on: row.next()?,
        status: row.next()?,
        asked_by: row.next()?,
        asked_at: row.next()?,
        decided_by: row.next()?,
        decided_at: row.next()?,
        ended_by: row.next()?,
        ended_at: row.next()?,
        tell_at: row.next()?,
    })
}

crate::sql::statements! {ACTS, GET, STANDING, LIST, UNTOLD, NEXT ; UPSERT, NOTE}

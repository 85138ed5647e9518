//! The append-only record, read. Only [`crate::commit`] writes it.

use crate::sql::{Query, args};
use crate::{CaseNo, Result, Tx};
use recobro_kernel::ids::Hash;
use recobro_kernel::time::Timestamp;

/// One turn of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRow {
    /// Sequence number of its first record.
    pub seq: u64,
    /// Revision it made.
    pub rev: u64,
    /// Logical time.
    pub at: Timestamp,
    /// Who caused it.
    pub actor: String,
    /// Event or effect that caused it.
    pub cause: Option<String>,
    /// The exact stored bytes.
    pub body: String,
    /// Hash of the row before.
    pub prev: Hash,
    /// Hash of this row.
    pub hash: Hash,
}
/// By the unique key; `rev` grows with `seq`.
const OF_CASE: Query = Query::new(
    "history.of_case",
    "SELECT seq, rev, at, actor, cause, body, prev, hash FROM history WHERE no = $1 AND rev > $2 ORDER BY seq LIMIT $3",
);

/// Returns the rows of a case after a revision, in order.
///
/// # Errors
/// Those of the database.
pub async fn of_case(tx: &mut Tx, no: CaseNo, after_rev: u64, limit: i64) -> Result<Vec<HistoryRow>> {
    let mut rows = tx.rows(&OF_CASE, args![no, after_rev, limit]).await?;
    rows.iter_mut()
        .map(|row| {
            Ok(HistoryRow {
                seq: row.next()?,
                rev: row.next()?,
                at: row.next()?,
                actor: row.next()?,
                cause: row.next()?,
                body: row.next()?,
                prev: row.next()?,
                hash: row.next()?,
            })
        })
        .collect()
}

crate::sql::statements! {OF_CASE ; }

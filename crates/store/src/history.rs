//! The append-only record, read. Only [`crate::commit`] writes it.

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

/// Returns the rows of a case after a revision, in order.
///
/// # Errors
/// Those of the database.
pub async fn of_case(tx: &mut Tx, no: CaseNo, after_rev: u64, limit: i64) -> Result<Vec<HistoryRow>> { todo!() }

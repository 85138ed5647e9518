//! Calendars, policies and templates by content hash, never deleted, so that a decision can be run again.

use crate::{Result, Tx};
use recobro_kernel::ids::Hash;
use recobro_kernel::time::Timestamp;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtefactRow {
    /// Hash of the bytes.
    pub hash: Hash,
    /// `calendar`, `policy` or `template`.
    pub kind: String,
    /// Path.
    pub name: String,
    /// The bytes.
    pub body: Vec<u8>,
    /// When it was first seen.
    pub at: Timestamp,
}

/// Keeps files; known ones change nothing.
///
/// # Errors
/// Those of the database.
pub async fn put(tx: &mut Tx, rows: &[ArtefactRow]) -> Result<()> { todo!() }

/// Returns a file by its hash.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, hash: Hash) -> Result<Option<ArtefactRow>> { todo!() }

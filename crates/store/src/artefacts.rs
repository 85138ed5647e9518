//! Calendars, policies and templates by content hash, never deleted, so that a decision can be run again.

use crate::sql::{Bulk, Query, args, columns, newest};
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
static PUT: Bulk = Bulk::insert(
    "artefacts.put",
    "artefacts",
    columns!(hash Bytes, kind Text, name Text, body Bytes, at Int),
    "ON CONFLICT DO NOTHING",
);

/// Keeps files; known ones change nothing.
///
/// # Errors
/// Those of the database.
pub async fn put(tx: &mut Tx, rows: &[ArtefactRow]) -> Result<()> {
    let rows = newest(rows, |row| row.hash).flat_map(|a| args![a.hash, &a.kind, &a.name, a.body.clone(), a.at]);
    tx.bulk(&PUT, rows.collect()).await?;
    Ok(())
}
const GET: Query = Query::new(
    "artefacts.get",
    "SELECT hash, kind, name, body, at FROM artefacts WHERE hash = $1 ORDER BY hash LIMIT 1",
);

/// Returns a file by its hash.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, hash: Hash) -> Result<Option<ArtefactRow>> {
    let Some(mut row) = tx.row(&GET, args![hash]).await? else { return Ok(None) };
    Ok(Some(ArtefactRow {
        hash: row.next()?,
        kind: row.next()?,
        name: row.next()?,
        body: row.next()?,
        at: row.next()?,
    }))
}

crate::sql::statements! {GET ; PUT}

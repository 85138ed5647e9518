//! Published playbooks, addressed by their content.

use crate::{Result, Tx};
use recobro_kernel::ids::Hash;
use recobro_kernel::time::Timestamp;

/// A version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRow {
    /// Hash of the logic.
    pub bundle: Hash,
    /// Hash of the templates.
    pub content: Hash,
    /// Name.
    pub name: String,
    /// Version.
    pub version: u32,
    /// JSON: path to text of every file it was made of.
    pub sources: String,
    /// Who published it.
    pub author: String,
    /// When.
    pub published_at: Timestamp,
}

/// Publishes versions; a known pair of bundle and content changes nothing but becomes the current one of its name.
///
/// # Errors
/// Those of the database.
pub async fn publish(tx: &mut Tx, rows: &[VersionRow]) -> Result<()> { todo!() }

/// Returns a version by its two hashes.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, bundle: Hash, content: Hash) -> Result<Option<VersionRow>> { todo!() }

/// Returns the current version of every playbook, ordered by name.
///
/// # Errors
/// Those of the database.
pub async fn current(tx: &mut Tx) -> Result<Vec<VersionRow>> { todo!() }

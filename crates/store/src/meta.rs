//! Single values of the whole database: `virtual_now`, `incarnation`, ...

use crate::{Result, Tx};
use recobro_kernel::time::Timestamp;

/// Returns a value.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, key: &str) -> Result<Option<String>> { todo!() }

/// Writes a value.
///
/// # Errors
/// Those of the database.
pub async fn put(tx: &mut Tx, key: &str, value: &str) -> Result<()> { todo!() }

/// Returns the instant a virtual run has reached.
///
/// # Errors
/// Those of the database.
pub async fn virtual_now(tx: &mut Tx) -> Result<Option<Timestamp>> { todo!() }

/// Moves the virtual clock, in the same transaction as the work done up to then.
///
/// # Errors
/// Those of the database.
pub async fn put_virtual_now(tx: &mut Tx, at: Timestamp) -> Result<()> { todo!() }

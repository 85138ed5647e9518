//! Single values of the whole database: `virtual_now`, `incarnation`, ...

use crate::sql::{Query, args};
use crate::{Error, Result, Tx};
use recobro_kernel::time::Timestamp;
const VIRTUAL_NOW: &str = "virtual_now";

const GET: Query = Query::new("meta.get", "SELECT value FROM meta WHERE key = $1 ORDER BY key LIMIT 1");

/// Returns a value.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, key: &str) -> Result<Option<String>> {
    tx.row(&GET, args![key]).await?.map(|mut row| row.next()).transpose()
}
const PUT: Query = Query::new(
    "meta.put",
    "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
);

/// Writes a value.
///
/// # Errors
/// Those of the database.
pub async fn put(tx: &mut Tx, key: &str, value: &str) -> Result<()> {
    tx.run(&PUT, args![key, value]).await?;
    Ok(())
}

const PUT_FIRST: Query =
    Query::new("meta.put_first", "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING");
const SWAP: Query = Query::new("meta.swap", "UPDATE meta SET value = $3 WHERE key = $1 AND value = $2");
const TAKE_THIS: Query = Query::new("meta.take_this", "DELETE FROM meta WHERE key = $1 AND value = $2");

/// Changes a value that is still `before`, nothing meaning that there is none, and says whether it was: what another
/// worker wrote since it was read stays as it is. Who was first holds the row until its commit.
///
/// # Errors
/// Those of the database.
pub async fn swap(tx: &mut Tx, key: &str, before: Option<&str>, after: Option<&str>) -> Result<bool> {
    let changed = match (before, after) {
        (None, None) => return Ok(get(tx, key).await?.is_none()),
        (None, Some(after)) => tx.run(&PUT_FIRST, args![key, after]).await?,
        (Some(before), Some(after)) => tx.run(&SWAP, args![key, before, after]).await?,
        (Some(before), None) => tx.run(&TAKE_THIS, args![key, before]).await?,
    };
    Ok(changed > 0)
}

/// Returns the instant a virtual run has reached.
///
/// # Errors
/// Those of the database.
pub async fn virtual_now(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let Some(text) = get(tx, VIRTUAL_NOW).await? else { return Ok(None) };
    let us = text.parse().map_err(|e: std::num::ParseIntError| Error::Corrupt {
        what: format!("meta.{VIRTUAL_NOW}"),
        cause: e.to_string(),
    })?;
    Ok(Some(Timestamp::from_us(us)))
}
/// Moves the virtual clock, in the same transaction as the work done up to then.
///
/// # Errors
/// Those of the database.
pub async fn put_virtual_now(tx: &mut Tx, at: Timestamp) -> Result<()> {
    put(tx, VIRTUAL_NOW, &at.as_us().to_string()).await
}
const TAKE_AWAY: Query = Query::new("meta.take_away", "DELETE FROM meta WHERE key = $1");

/// Takes a value away.
///
/// # Errors
/// Those of the database.
pub async fn forget(tx: &mut Tx, key: &str) -> Result<()> {
    tx.run(&TAKE_AWAY, args![key]).await?;
    Ok(())
}
const ADD: Query = Query::new(
    "meta.add",
    "INSERT INTO meta (key, value) VALUES ($1, $2)
     ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(meta.value AS BIGINT) + $3 AS TEXT)",
);

/// Adds to a number.
///
/// # Errors
/// Those of the database.
pub async fn add(tx: &mut Tx, key: &str, more: i64) -> Result<()> {
    tx.run(&ADD, args![key, more.to_string(), more]).await?;
    Ok(())
}
const FORGET: Query = Query::new("meta.forget", "DELETE FROM meta WHERE key IN ('virtual_now', 'virtual_horizon')");

/// Forgets that the database was ever played: from now on the machine's time holds.
///
/// # Errors
/// Those of the database.
pub async fn forget_virtual(tx: &mut Tx) -> Result<()> {
    tx.run(&FORGET, args![]).await?;
    Ok(())
}

crate::sql::statements! {GET, PUT, PUT_FIRST, SWAP, TAKE_THIS, ADD, TAKE_AWAY, FORGET ; }

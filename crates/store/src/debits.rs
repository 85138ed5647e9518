//! The files of direct debits: kept as they were made, so that a lost one is written again to the byte.

use crate::sql::{Bulk, Query, Row, args, columns};
use crate::{Result, Tx};
use recobro_kernel::money::Currency;
use recobro_kernel::time::Timestamp;

/// A file for the bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebitFile {
    /// Its message id.
    pub message: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// By whom.
    pub made_by: String,
    /// Number of instalments in it.
    pub instalments: i64,
    /// Their sum.
    pub amount_minor: i64,
    /// Currency of the sum.
    pub currency: Currency,
    /// The file.
    pub body: String,
}

static PUT: Bulk = Bulk::insert(
    "debits.put",
    "debit_files",
    columns!(message Text, made_at Int, made_by Text, instalments Int, amount_minor Int, currency Text, body Text),
    "ON CONFLICT (message) DO NOTHING",
);

/// Keeps a file.
///
/// # Errors
/// Those of the database.
pub async fn put(tx: &mut Tx, file: &DebitFile) -> Result<()> {
    let row = args![
        &file.message,
        file.made_at,
        &file.made_by,
        file.instalments,
        file.amount_minor,
        file.currency,
        &file.body
    ];
    tx.bulk(&PUT, row.into_iter().collect()).await?;
    Ok(())
}

const GET: Query = Query::new(
    "debits.get",
    "SELECT message, made_at, made_by, instalments, amount_minor, currency, body FROM debit_files WHERE message = $1",
);

/// Returns a file by its message id.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx, message: &str) -> Result<Option<DebitFile>> {
    tx.rows(&GET, args![message]).await?.iter_mut().map(read).next().transpose()
}

/// A scan: few files are made.
const LIST: Query = Query::new(
    "debits.list",
    "SELECT message, made_at, made_by, instalments, amount_minor, currency, '' FROM debit_files
     ORDER BY made_at DESC, message LIMIT $1",
);

/// Returns files without their bodies, the newest first.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx, limit: i64) -> Result<Vec<DebitFile>> {
    tx.rows(&LIST, args![limit]).await?.iter_mut().map(read).collect()
}

fn read(row: &mut Row) -> Result<DebitFile> {
    Ok(DebitFile {
        message: row.next()?,
        made_at: row.next()?,
        made_by: row.next()?,
        instalments: row.next()?,
        amount_minor: row.next()?,
        currency: row.next()?,
        body: row.next()?,
    })
}

crate::sql::statements! {GET, LIST ; PUT}

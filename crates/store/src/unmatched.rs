//! Invoices that no playbook applies to, with the reason, until one does.

use crate::sql::{Bulk, Query, args, columns, listed, newest, texts};
use crate::{Result, Tx};
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::time::Timestamp;

/// An invoice without a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmatchedRow {
    /// Invoice.
    pub invoice: InvoiceId,
    /// Customer.
    pub customer: CustomerId,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}
static PUT: Bulk = Bulk::insert(
    "unmatched.put",
    "unmatched",
    columns!(invoice Text, customer Text, reason Text, since Int),
    "ON CONFLICT (invoice) DO UPDATE SET customer = excluded.customer, reason = excluded.reason",
);

/// Writes invoices without a playbook; a known one keeps `since`.
///
/// # Errors
/// Those of the database.
pub async fn put(tx: &mut Tx, rows: &[UnmatchedRow]) -> Result<()> {
    let rows = newest(rows, |row| &row.invoice).flat_map(|u| args![&u.invoice, &u.customer, &u.reason, u.since]);
    tx.bulk(&PUT, rows.collect()).await?;
    Ok(())
}
const DELETE: Query = listed!("unmatched.delete", "DELETE FROM unmatched WHERE invoice", "");

/// Removes invoices that found a playbook or are settled.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<()> {
    if !invoices.is_empty() {
        tx.run(&DELETE, vec![texts(invoices)]).await?;
    }
    Ok(())
}
const LIST: Query = Query::new(
    "unmatched.list",
    "SELECT invoice, customer, reason, since FROM unmatched WHERE invoice > $1 ORDER BY invoice LIMIT $2",
);

/// Lists them after an invoice id, ordered by it.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx, after: &str, limit: i64) -> Result<Vec<UnmatchedRow>> {
    let mut rows = tx.rows(&LIST, args![after, limit]).await?;
    rows.iter_mut()
        .map(|row| {
            Ok(UnmatchedRow { invoice: row.next()?, customer: row.next()?, reason: row.next()?, since: row.next()? })
        })
        .collect()
}

crate::sql::statements! {DELETE, LIST ; PUT}

//! Charges that somebody decided not to ask for.

use crate::sql::{Bulk, Query, Row, args, columns, listed, newest, texts};
use crate::{Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::ids::InvoiceId;
use recobro_kernel::time::Timestamp;

/// A waiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaiverRow {
    /// Id.
    pub id: String,
    /// Source.
    pub source: String,
    /// Invoice.
    pub invoice: InvoiceId,
    /// `interest`, `fixed_sum` or `all`.
    pub kind: String,
    /// How much; all that had come about by the day where nothing is said.
    pub amount_minor: Option<i64>,
    /// Why.
    pub reason: String,
    /// Day from which it holds.
    pub waived_on: NaiveDate,
    /// When we knew.
    pub known_at: Timestamp,
}
static UPSERT: Bulk = Bulk::upsert(
    "waivers.upsert",
    "waivers",
    columns!(id Text, source Text, invoice Text, kind Text, amount_minor Int, reason Text, waived_on Text,
             known_at Int),
    "id",
);

/// Writes waivers; a known id is overwritten.
///
/// # Errors
/// Those of the database.
pub async fn upsert(tx: &mut Tx, rows: &[WaiverRow]) -> Result<()> {
    let rows = newest(rows, |row| &row.id)
        .flat_map(|w| args![&w.id, &w.source, &w.invoice, &w.kind, w.amount_minor, &w.reason, w.waived_on, w.known_at]);
    tx.bulk(&UPSERT, rows.collect()).await?;
    Ok(())
}

/// By `waivers_invoice`.
const OF_INVOICES: Query = listed!(
    "waivers.of_invoices",
    "SELECT id, source, invoice, kind, amount_minor, reason, waived_on, known_at FROM waivers WHERE invoice",
    "ORDER BY invoice, waived_on, id LIMIT 100000"
);

/// Returns the waivers of invoices, ordered by invoice, day and id.
///
/// # Errors
/// Those of the database.
pub async fn of_invoices(tx: &mut Tx, invoices: &[InvoiceId]) -> Result<Vec<WaiverRow>> {
    let read = |row: &mut Row| {
        Ok(WaiverRow {
            id: row.next()?,
            source: row.next()?,
            invoice: row.next()?,
            kind: row.next()?,
            amount_minor: row.next()?,
            reason: row.next()?,
            waived_on: row.next()?,
            known_at: row.next()?,
        })
    };
    tx.rows(&OF_INVOICES, vec![texts(invoices)]).await?.iter_mut().map(read).collect()
}

crate::sql::statements! {OF_INVOICES ; UPSERT}

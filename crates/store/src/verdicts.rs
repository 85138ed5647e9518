//! What the guard answered before a contact left, was held back, or was not ordered: the record of restraint and of
//! permission.

use crate::sql::{Bulk, Query, Row, args, columns, newest};
use crate::{Result, Tx};
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::time::Timestamp;

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictRow {
    /// The effect, or the task of a call; `case/step/channel` where a turn did not even order it.
    pub effect: String,
    /// When it was asked.
    pub at: Timestamp,
    /// Customer.
    pub customer: CustomerId,
    /// Invoice.
    pub invoice: InvoiceId,
    /// Channel; the lane of an act that is no contact.
    pub channel: String,
    /// Class.
    pub class: String,
    /// The step's path.
    pub step: String,
    /// `allow`, `defer` or `forbid`.
    pub verdict: String,
    /// The binding rule; where it was allowed empty, or the exceptions thanks to which it was.
    pub rule: String,
    /// Earliest next try.
    pub until_at: Option<Timestamp>,
    /// What every rule answered, as JSON.
    pub findings: String,
    /// Hash of the policies in force.
    pub policy: String,
}

static UPSERT: Bulk = Bulk::upsert(
    "verdicts.upsert",
    "verdicts",
    columns!(effect Text, at Int, customer Text, invoice Text, channel Text, class Text, verdict Text, rule Text,
             until_at Int, findings Text, policy Text, step Text),
    "effect, at",
);

/// Writes answers; the second check of the same instant replaces the first.
///
/// # Errors
/// Those of the database.
pub async fn put(tx: &mut Tx, rows: &[VerdictRow]) -> Result<()> {
    let rows = newest(rows, |row| (&row.effect, row.at)).flat_map(|v| {
        args![
            &v.effect,
            v.at,
            &v.customer,
            &v.invoice,
            &v.channel,
            &v.class,
            &v.verdict,
            &v.rule,
            v.until_at,
            &v.findings,
            &v.policy,
            &v.step
        ]
    });
    tx.bulk(&UPSERT, rows.collect()).await?;
    Ok(())
}

/// By `verdicts_customer`.
const OF_CUSTOMER: Query = Query::new(
    "verdicts.of_customer",
    "SELECT effect, at, customer, invoice, channel, class, verdict, rule, until_at, findings, policy, step
     FROM verdicts
     WHERE customer = $1 AND at >= $2 AND at < $3 ORDER BY at DESC, effect LIMIT $4",
);

/// Returns the answers about a customer between two instants, the newest first.
///
/// # Errors
/// Those of the database.
pub async fn of_customer(
    tx: &mut Tx,
    customer: &CustomerId,
    (from, to): (Timestamp, Timestamp),
    limit: i64,
) -> Result<Vec<VerdictRow>> {
    tx.rows(&OF_CUSTOMER, args![customer, from, to, limit]).await?.iter_mut().map(read).collect()
}

fn read(row: &mut Row) -> Result<VerdictRow> {
    Ok(VerdictRow {
        effect: row.next()?,
        at: row.next()?,
        customer: row.next()?,
        invoice: row.next()?,
        channel: row.next()?,
        class: row.next()?,
        verdict: row.next()?,
        rule: row.next()?,
        until_at: row.next()?,
        findings: row.next()?,
        policy: row.next()?,
        step: row.next()?,
    })
}

crate::sql::statements! {OF_CUSTOMER ; UPSERT}

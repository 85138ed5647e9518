//! What customers said about channels: today only that they want nothing by one.

use crate::sql::{Bulk, Query, args, columns, listed, newest, texts};
use crate::{Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::ids::CustomerId;
use recobro_kernel::time::Timestamp;

/// An opt-out of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOut {
    /// Customer.
    pub customer: CustomerId,
    /// Channel.
    pub channel: String,
    /// Who told us.
    pub source: String,
    /// Day they said it.
    pub booked_on: NaiveDate,
    /// When we knew.
    pub known_at: Timestamp,
}

static PUT: Bulk = Bulk::insert(
    "consents.put",
    "consents",
    columns!(id Text, customer Text, channel Text, kind Text, given Int, source Text, booked_on Text, known_at Int),
    "ON CONFLICT (id) DO NOTHING",
);

/// Writes opt-outs; the first of a channel stays.
///
/// # Errors
/// Those of the database.
pub async fn opt_out(tx: &mut Tx, rows: &[OptOut]) -> Result<()> {
    let args = newest(rows, |row| (&row.customer, &row.channel)).flat_map(|row| {
        let id = format!("{}/{}/all", row.customer, row.channel);
        args![id, &row.customer, &row.channel, "all", false, &row.source, row.booked_on, row.known_at]
    });
    tx.bulk(&PUT, args.collect()).await?;
    Ok(())
}

/// By `contact_points_customer` and `consents_customer`.
const CLOSE: Query = listed!(
    "consents.close",
    "UPDATE contact_points SET usable = 0 WHERE usable = 1 AND EXISTS (SELECT 1 FROM consents c
       WHERE c.customer = contact_points.customer AND c.channel = contact_points.channel AND c.given = 0)
     AND customer",
    ""
);

/// Closes the addresses of channels that their customers want nothing by, those that came after the opt-out as well.
///
/// # Errors
/// Those of the database.
pub async fn close_points(tx: &mut Tx, customers: &[CustomerId]) -> Result<()> {
    tx.run(&CLOSE, vec![texts(customers)]).await?;
    Ok(())
}

crate::sql::statements! {CLOSE ; PUT}

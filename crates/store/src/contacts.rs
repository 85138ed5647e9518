//! The contact ledger and its budget rows: who was contacted when, by which channel. Unknown outcomes count.

use crate::sql::{Bulk, Query, Row, args, columns, listed, newest, texts};
use crate::{CaseNo, Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::ids::{CustomerId, GroupId, InvoiceId};
use recobro_kernel::time::Timestamp;
use std::collections::BTreeMap;

/// One contact made or about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactRow {
    /// Effect id, or task id for a call.
    pub id: String,
    /// Customer.
    pub customer: CustomerId,
    /// Invoice.
    pub invoice: InvoiceId,
    /// Case.
    pub no: CaseNo,
    /// Channel.
    pub channel: String,
    /// Class.
    pub class: String,
    /// Stage of its step.
    pub stage: String,
    /// Step.
    pub step: String,
    /// Group.
    pub group: GroupId,
    /// When.
    pub at: Timestamp,
    /// Date at the customer's place.
    pub local_on: NaiveDate,
    /// `claimed`, `sent` or `unknown`.
    pub state: String,
    /// Somebody was talked to.
    pub talk: bool,
}
static BUDGET: Bulk =
    Bulk::insert("contacts.budget", "contact_budget", columns!(customer Text), "ON CONFLICT DO NOTHING");

const LOCK_BUDGET: Query = listed!(
    "contacts.lock_budget",
    "SELECT customer FROM contact_budget WHERE customer",
    "ORDER BY customer",
    " FOR UPDATE"
);

/// Locks customers until the end of the transaction, in order of id: by their budget rows, which are made where missing.
/// Whoever reads contacts, balances or counts of a customer in order to write them holds this first, after rows of
/// inbound or outbox and before rows of invoices, cases and wake. Nothing to do on SQLite, which has one writer.
///
/// # Errors
/// Those of the database.
pub async fn lock_budget(tx: &mut Tx, customers: &[CustomerId]) -> Result<()> {
    if !tx.is_postgres() {
        return Ok(());
    }
    tx.bulk(&BUDGET, newest(customers, CustomerId::as_str).flat_map(|id| args![id]).collect()).await?;
    tx.rows(&LOCK_BUDGET, vec![texts(customers)]).await?;
    Ok(())
}
static PUT: Bulk = Bulk::upsert(
    "contacts.put",
    "contacts_made",
    columns!(id Text, customer Text, invoice Text, no Int, channel Text, class Text, stage Text, step Text, grp Text,
             at Int, local_on Text, state Text, talk Int),
    "id",
);

/// Inserts contacts in the claim transaction; a known id is overwritten (a later try moves its time).
///
/// # Errors
/// Those of the database.
pub async fn put(tx: &mut Tx, rows: &[ContactRow]) -> Result<()> {
    let rows = newest(rows, |row| &row.id).flat_map(|c| {
        args![
            &c.id,
            &c.customer,
            &c.invoice,
            c.no,
            &c.channel,
            &c.class,
            &c.stage,
            &c.step,
            c.group,
            c.at,
            c.local_on,
            &c.state,
            c.talk
        ]
    });
    tx.bulk(&PUT, rows.collect()).await?;
    Ok(())
}
const DELETE: Query = listed!("contacts.delete", "DELETE FROM contacts_made WHERE id", "");

/// Deletes contacts that did not leave.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx, ids: &[String]) -> Result<()> {
    if !ids.is_empty() {
        tx.run(&DELETE, vec![texts(ids)]).await?;
    }
    Ok(())
}
const MARK: Query = listed!("contacts.mark", "UPDATE contacts_made SET state = $2 WHERE id", "");

/// Sets the state of contacts.
///
/// # Errors
/// Those of the database.
pub async fn mark(tx: &mut Tx, ids: &[String], state: &str) -> Result<()> {
    if !ids.is_empty() {
        tx.run(&MARK, vec![texts(ids), state.into()]).await?;
    }
    Ok(())
}
macro_rules! fields {
    () => {
        "id, customer, invoice, no, channel, class, stage, step, grp, at, local_on, state, talk"
    };
}

/// By `contacts_made_customer`.
const SINCE: Query = listed!(
    "contacts.since",
    concat!("SELECT ", fields!(), " FROM contacts_made WHERE at >= $2 AND customer"),
    "ORDER BY at DESC, id DESC LIMIT 1000000"
);

/// Returns contacts of customers at or after an instant, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn since(
    tx: &mut Tx,
    customers: &[CustomerId],
    since: Timestamp,
) -> Result<BTreeMap<CustomerId, Vec<ContactRow>>> {
    let mut found: BTreeMap<CustomerId, Vec<ContactRow>> = BTreeMap::new();
    for mut row in tx.rows(&SINCE, vec![texts(customers), since.into()]).await? {
        let contact = read(&mut row)?;
        found.entry(contact.customer.clone()).or_default().push(contact);
    }
    // Read from the newest, so that the bound could only ever leave out what counts least.
    for contacts in found.values_mut() {
        contacts.reverse();
    }
    Ok(found)
}
/// A scan: for reports and exports.
const LIST: Query = Query::new(
    "contacts.list",
    concat!(
        "SELECT ",
        fields!(),
        " FROM contacts_made WHERE at > $1 OR (at = $1 AND id > $2) ORDER BY at, id LIMIT $3"
    ),
);

/// Returns all contacts after an instant and id, ordered by instant and id.
///
/// # Errors
/// Those of the database.
pub async fn list(tx: &mut Tx, after: (Timestamp, &str), limit: i64) -> Result<Vec<ContactRow>> {
    tx.rows(&LIST, args![after.0, after.1, limit]).await?.iter_mut().map(read).collect()
}

fn read(row: &mut Row) -> Result<ContactRow> {
    Ok(ContactRow {
        id: row.next()?,
        customer: row.next()?,
        invoice: row.next()?,
        no: row.next()?,
        channel: row.next()?,
        class: row.next()?,
        stage: row.next()?,
        step: row.next()?,
        group: row.next()?,
        at: row.next()?,
        local_on: row.next()?,
        state: row.next()?,
        talk: row.next()?,
    })
}

crate::sql::statements! {LOCK_BUDGET, DELETE, MARK, SINCE, LIST ; BUDGET, PUT}

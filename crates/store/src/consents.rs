//! What customers said about channels, word by word: nothing is overwritten, the last word holds.

use crate::error::Error;
use crate::sql::{Bulk, Query, Row, args, columns, listed, newest, texts};
use crate::{Result, Tx};
use chrono::NaiveDate;
use recobro_kernel::consent::Word;
use recobro_kernel::ids::CustomerId;
use recobro_kernel::time::Timestamp;

/// A word about a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentRow {
    /// Id, made of where it comes from: the same word again is the same row.
    pub id: String,
    /// Customer.
    pub customer: CustomerId,
    /// Channel.
    pub channel: String,
    /// `all`, `courtesy` or `dunning`.
    pub purpose: String,
    /// The word.
    pub word: Word,
    /// Who told us.
    pub source: String,
    /// Day they said it; day we knew where nobody knows it.
    pub booked_on: NaiveDate,
    /// When they said it.
    pub said_at: Timestamp,
    /// Whether anybody knows when: a grant of unknown day takes no opt-out back.
    pub dated: bool,
    /// Where it can be read.
    pub evidence: String,
    /// Who took it down.
    pub said_by: String,
    /// When we knew.
    pub known_at: Timestamp,
}

static PUT: Bulk = Bulk::insert(
    "consents.put",
    "consents",
    columns!(id Text, customer Text, channel Text, kind Text, given Int, source Text, booked_on Text, known_at Int,
             word Text, said_at Int, dated Int, evidence Text, said_by Text),
    "ON CONFLICT (id) DO NOTHING",
);

/// Writes words; a known id stays as it is.
///
/// # Errors
/// Those of the database.
pub async fn put(tx: &mut Tx, rows: &[ConsentRow]) -> Result<()> {
    let args = newest(rows, |row| &row.id).flat_map(|row| {
        args![
            &row.id,
            &row.customer,
            &row.channel,
            &row.purpose,
            row.word == Word::Granted,
            &row.source,
            row.booked_on,
            row.known_at,
            row.word.name(),
            row.said_at,
            row.dated,
            &row.evidence,
            &row.said_by
        ]
    });
    tx.bulk(&PUT, args.collect()).await?;
    Ok(())
}

/// By `consents_customer`.
const OF_CUSTOMERS: Query = listed!(
    "consents.of_customers",
    "SELECT id, customer, channel, kind, word, source, booked_on, said_at, dated, evidence, said_by, known_at
     FROM consents WHERE customer",
    "ORDER BY customer, said_at, known_at, id LIMIT 100000"
);

/// Returns every word of customers, of each the oldest first: by when it was said, then by when we knew.
///
/// # Errors
/// Those of the database; [`Error::Corrupt`].
pub async fn of_customers(tx: &mut Tx, customers: &[CustomerId]) -> Result<Vec<ConsentRow>> {
    tx.rows(&OF_CUSTOMERS, vec![texts(customers)]).await?.iter_mut().map(read).collect()
}

fn read(row: &mut Row) -> Result<ConsentRow> {
    let (id, customer, channel, purpose): (String, _, _, _) = (row.next()?, row.next()?, row.next()?, row.next()?);
    let word: String = row.next()?;
    let word = Word::parse(&word)
        .ok_or_else(|| Error::Corrupt { what: format!("consent {id}"), cause: format!("no word `{word}`") })?;
    Ok(ConsentRow {
        id,
        customer,
        channel,
        purpose,
        word,
        source: row.next()?,
        booked_on: row.next()?,
        said_at: row.next()?,
        dated: row.next()?,
        evidence: row.next()?,
        said_by: row.next()?,
        known_at: row.next()?,
    })
}

crate::sql::statements! {OF_CUSTOMERS ; PUT}

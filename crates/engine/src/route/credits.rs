//! Credit notes find their invoice by its name; what the invoice does not owe any more stays with its customer.

use super::book::{Book, Note, Origin};
use super::{Parked, named};
use recobro_connectors::source::record::Credit;
use recobro_store::inbound::Inbound;

/// A credit note's key among the money of its source: a payment may have the same id.
pub(super) fn key(external_id: &str) -> String {
    format!("credit/{external_id}")
}

/// Takes a credit note.
pub(super) fn take(book: &mut Book, row: &Inbound, credit: &Credit, origin: &Origin<'_>) -> Result<(), Parked> {
    let external_id = key(&row.external_id);
    let stands = book.unapplied.contains_key(&format!("{}:{external_id}", row.source));
    if stands || book.booked.iter().any(|one| one.source == row.source && one.external_id == external_id) {
        return Err(
            "the credit note was booked before with other values; book another one for the difference".to_owned()
        );
    }
    let id = named(book, &credit.invoice)?;
    let owed = book.bills[&id].record.amount.currency;
    if credit.amount.currency != owed {
        return Err(format!("the invoice is owed in {owed}, the credit note is in {}", credit.amount.currency));
    }
    if credit.amount.minor <= 0 {
        return Err(format!("{} cannot be credited", credit.amount));
    }
    let dispute = match credit.dispute.as_deref() {
        None => None,
        Some(name) => {
            let found = book.find_dispute(&id, &row.source, name);
            Some(found.ok_or_else(|| format!("no dispute `{name}` on invoice `{id}`"))?)
        }
    };
    let note = Note { external_id, minor: credit.amount.minor, on: credit.on, reason: credit.reason.clone() };
    book.credit(&id, note, dispute.as_deref(), origin);
    Ok(())
}

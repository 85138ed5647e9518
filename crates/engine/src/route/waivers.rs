//! Charges that somebody decided not to ask for: they stand beside the invoice, and every statement reads them.

use super::book::{Book, Origin, scoped};
use super::{Parked, named};
use recobro_connectors::source::record::Waiver;
use recobro_store::waivers::WaiverRow;

/// Takes a waiver. The same one changed takes the place of what it said before.
pub(super) fn take(book: &mut Book, waiver: &Waiver, origin: &Origin<'_>) -> Result<(), Parked> {
    let id = named(book, &waiver.invoice)?;
    let owed = book.bills[&id].record.amount.currency;
    if let Some(amount) = waiver.amount.filter(|amount| amount.currency != owed || amount.minor <= 0) {
        return Err(format!("{amount} cannot be waived on an invoice in {owed}"));
    }
    book.waived.push(WaiverRow {
        id: scoped(origin.source, &waiver.id),
        source: origin.source.to_owned(),
        invoice: id,
        kind: waiver.kind.clone(),
        amount_minor: waiver.amount.map(|amount| amount.minor),
        reason: waiver.reason.clone(),
        waived_on: waiver.on,
        known_at: origin.at,
    });
    Ok(())
}

//! What customers say about being contacted: a word about a channel becomes a row, times of the week a fact of theirs.

use super::book::{Book, Origin};
use super::{Parked, unknown};
use recobro_connectors::source::record::{Consent, Said};
use recobro_kernel::ids::CustomerId;

/// Takes a word.
pub(super) fn take(book: &mut Book, consent: &Consent, origin: &Origin<'_>) -> Result<(), Parked> {
    let customer = CustomerId(consent.customer.clone());
    if !book.clients.contains_key(&customer) {
        return Err(unknown("customer", customer.as_str()));
    }
    match &consent.said {
        Said::Channel { channel, purpose, word } => book.say(&customer, (*channel, purpose, *word), consent, origin),
        Said::Times { preferred, inconvenient } => {
            book.take_times(&customer, preferred.as_deref(), inconvenient.as_deref(), origin);
        }
    }
    Ok(())
}

//! What sources and people say about disputes.

use super::book::{Book, Ending, Origin, Quarrel, scoped};
use super::{Parked, named};
use recobro_connectors::source::record::{Dispute, DisputeChange};
use recobro_kernel::ids::InvoiceId;
use recobro_kernel::money::Money;

/// Takes one word about a dispute.
pub(super) fn take(book: &mut Book, dispute: &Dispute, origin: &Origin<'_>) -> Result<(), Parked> {
    let id = named(book, &dispute.invoice)?;
    let known = book.find_dispute(&id, origin.source, &dispute.id);
    let none = || format!("no open dispute `{}` on invoice `{}`", dispute.id, dispute.invoice);
    match &dispute.change {
        DisputeChange::Opened { reason, amount, owner, answer_by } => {
            let amount_minor = contested(book, &id, *amount)?;
            let own = scoped(origin.source, &dispute.id);
            let new = Quarrel::new(own, id, (reason, amount_minor), (dispute.on, origin.source));
            book.open_dispute(Quarrel { owner: owner.clone(), answer_by: *answer_by, ..new }, origin);
            Ok(())
        }
        DisputeChange::Closed { outcome, credit } => {
            let owed = book.bills[&id].record.amount.currency;
            let wrong = |money: &Money| money.minor < 0 || money.currency != owed || outcome != "accepted";
            if let Some(money) = credit.filter(wrong) {
                return Err(format!(
                    "{money} cannot be credited with a dispute that is {outcome}, on an invoice in {owed}"
                ));
            }
            let known = known.ok_or_else(none)?;
            if let Some((money, most)) = credit.zip(book.creditable(&known)).filter(|(money, most)| money.minor > *most)
            {
                return Err(format!(
                    "{money} is more than the dispute is about: {} of it may still be credited; what goes beyond is a \
                     credit note of its own (`recobro payment credit`)",
                    Money::new(most, owed)
                ));
            }
            let ending = Ending { outcome, credit: credit.map(|money| money.minor), on: dispute.on };
            if book.close_dispute(&known, ending, origin) { Ok(()) } else { Err(none()) }
        }
        DisputeChange::Assigned { owner, answer_by } => {
            if book.assign_dispute(&known.ok_or_else(none)?, owner, *answer_by) { Ok(()) } else { Err(none()) }
        }
    }
}

/// The contested part: what is said, else all that is owed.
fn contested(book: &Book, id: &InvoiceId, amount: Option<Money>) -> Result<i64, Parked> {
    let bill = &book.bills[id];
    let owed = bill.record.amount.currency;
    match amount {
        None => Ok(bill.balance_minor),
        Some(amount) if amount.minor > 0 && amount.currency == owed => Ok(amount.minor),
        Some(amount) => Err(format!("{amount} cannot be contested on an invoice in {owed}")),
    }
}

//! Discounts for paying early, as sources and people offer them.

use super::book::{Book, Origin, scoped};
use super::{Parked, named};
use recobro_connectors::source::record::Incentive;
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::money::Money;
use recobro_store::incentives::IncentiveRow;
use rust_decimal::{Decimal, RoundingStrategy};

/// Takes an offer. The same one changed takes the place of what it said, while it is open.
pub(super) fn take(book: &mut Book, incentive: &Incentive, origin: &Origin<'_>) -> Result<(), Parked> {
    let invoice = named(book, &incentive.invoice)?;
    let id = scoped(origin.source, &incentive.id);
    if let Some(known) = book.incentives.get(&id).filter(|known| known.status != "open") {
        return Err(format!("the discount was {} before; a new one needs an id of its own", known.status));
    }
    if incentive.until < incentive.on {
        return Err(format!("the discount ends on {}, before {}", incentive.until, incentive.on));
    }
    let amount_minor = discount(book, &invoice, incentive)?;
    let customer = CustomerId(book.bills[&invoice].record.customer.clone());
    book.open_incentive(IncentiveRow {
        id,
        source: origin.source.to_owned(),
        invoice,
        customer,
        percent: incentive.percent.clone(),
        amount_minor,
        opened_on: incentive.on,
        until_on: incentive.until,
        expires_at: None,
        reason: incentive.reason.clone(),
        status: "open".to_owned(),
        taken_on: None,
        known_at: origin.at,
    });
    Ok(())
}

/// The discount: what is said, or the percentage of what is owed, half a cent up.
fn discount(book: &Book, invoice: &InvoiceId, incentive: &Incentive) -> Result<i64, Parked> {
    let bill = &book.bills[invoice];
    let (balance, owed) = (bill.balance_minor, bill.record.amount.currency);
    let minor = match (&incentive.percent, incentive.amount) {
        (_, Some(amount)) if amount.currency == owed => amount.minor,
        (_, Some(amount)) => {
            return Err(format!("the invoice is owed in {owed}, the discount is in {}", amount.currency));
        }
        (Some(percent), None) => {
            let percent: Decimal = percent.parse().map_err(|_| format!("`{percent}` is no percentage"))?;
            let exact = Decimal::from(balance) * percent / Decimal::ONE_HUNDRED;
            let cents = exact.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
            cents.to_string().parse().map_err(|_| format!("{percent} percent of {balance} cannot be counted"))?
        }
        (None, None) => return Err("the discount names neither a percentage nor an amount".to_owned()),
    };
    if minor > 0 && minor < balance {
        return Ok(minor);
    }
    let (discount, balance) = (Money::new(minor, owed), Money::new(balance, owed));
    Err(format!("a discount of {discount} does not fit an invoice that owes {balance}"))
}

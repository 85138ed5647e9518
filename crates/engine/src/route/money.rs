//! Money finds its invoices: those it names, else those its reference names, else by rule among the customer's open
//! ones. What finds none stays with its customer as unapplied cash until a person matches it; nothing is guessed.

use super::book::{Book, Booked, Origin};
use super::{Parked, named, unknown};
use recobro_connectors::source::record::{Match, Payment};
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::money::Money;
use recobro_store::inbound::Inbound;

/// What may be done with money that names no invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Only where the amount is that of one invoice, or of all together.
    Exact,
    /// As well: the oldest due first.
    OldestFirst,
}

impl Rule {
    /// The policies' word for it, `law.allocation`.
    pub(crate) fn of(law: &recobro_kernel::law::Law) -> Self {
        match law.value("allocation").and_then(recobro_kernel::value::Value::as_text) {
            Some("oldest_first") => Self::OldestFirst,
            Some(_) | None => Self::Exact,
        }
    }
}

/// Words of a payer's reference that may be an invoice's number or reference.
pub(super) fn words(reference: &str) -> impl Iterator<Item = &str> {
    let edges: &[char] = &['.', ':', '#', '(', ')', '"', '\''];
    let words = reference.split(|c: char| c.is_whitespace() || c == ',' || c == ';');
    words.map(move |word| word.trim_matches(edges)).filter(|word| word.len() >= 3 && word.chars().any(char::is_numeric))
}

/// Takes a payment, or money taken back.
pub(super) fn take(
    book: &mut Book,
    row: &Inbound,
    payment: &Payment,
    origin: &Origin<'_>,
    rule: Rule,
) -> Result<(), Parked> {
    // A version that was parked booked nothing; what counts is whether the payment stands in the ledger.
    let is_same = |booked: &Booked| booked.source == row.source && booked.external_id == row.external_id;
    let stands = book.unapplied.contains_key(&format!("{}:{}", row.source, row.external_id));
    if stands || book.booked.iter().any(is_same) {
        return Err("the payment was booked before with other values; book a return and a new payment".to_owned());
    }
    if payment.amount.minor < 0 {
        return take_back(book, row, payment, origin);
    }
    let invoices = if payment.names().next().is_some() { meant(book, payment)? } else { found(book, payment, rule)? };
    let customer = match (invoices.first(), &payment.customer) {
        (Some(id), _) => Some(CustomerId(book.bills[id].record.customer.clone())),
        (None, customer) => customer.clone().map(CustomerId),
    };
    let parts = settle(book, &invoices, payment.amount.minor, payment, origin);
    book.booked.push(booked(row, payment, customer, parts, origin));
    Ok(())
}

/// The invoices that a payment names. A name nobody knows parks it whole: half a payment is hard to explain.
fn meant(book: &Book, payment: &Payment) -> Result<Vec<InvoiceId>, Parked> {
    let mut invoices = Vec::new();
    for name in payment.names() {
        let id = named(book, name)?;
        same_currency(book, &id, payment.amount)?;
        if !invoices.contains(&id) {
            invoices.push(id);
        }
    }
    // Money is one customer's: what is left of it must stay with somebody.
    let mut owners = invoices.iter().map(|id| &book.bills[id].record.customer);
    if let Some(first) = owners.next()
        && let Some(other) = owners.find(|owner| *owner != first)
    {
        return Err(format!("the payment names invoices of `{first}` and of `{other}`; book one for each"));
    }
    let owner = invoices.first().map(|id| &book.bills[id].record.customer);
    if let Some((owner, said)) = owner.zip(payment.customer.as_ref()).filter(|(owner, said)| owner != said) {
        return Err(format!(
            "the payment is said to be of `{said}`, the invoice is of `{owner}`; leave one of them out"
        ));
    }
    Ok(invoices)
}

fn same_currency(book: &Book, id: &InvoiceId, amount: Money) -> Result<(), Parked> {
    let owed = book.bills[id].record.amount.currency;
    if owed == amount.currency {
        return Ok(());
    }
    Err(format!("the invoice is owed in {owed}, the payment is in {}", amount.currency))
}

/// The invoices that a payment without names must mean; none where that is open.
fn found(book: &Book, payment: &Payment, rule: Rule) -> Result<Vec<InvoiceId>, Parked> {
    let fits = |id: &InvoiceId| {
        let bill = &book.bills[id];
        bill.is_open()
            && bill.record.amount.currency == payment.amount.currency
            && payment.customer.as_ref().is_none_or(|customer| *customer == bill.record.customer)
    };
    let mut by_word: Vec<InvoiceId> = words(&payment.reference).filter_map(|word| book.find(word)).collect();
    by_word.retain(fits);
    by_word.dedup();
    // Words may name a stranger's invoice by chance: what points to several customers points nowhere.
    let mut owners: Vec<&String> = by_word.iter().map(|id| &book.bills[id].record.customer).collect();
    owners.dedup();
    if owners.len() == 1 {
        return Ok(by_word);
    }
    let Some(customer) = &payment.customer else { return Ok(Vec::new()) };
    if !book.clients.contains_key(&CustomerId(customer.clone())) {
        return Err(unknown("customer", customer));
    }
    let mut open: Vec<&InvoiceId> = book.bills.keys().filter(|id| fits(id)).collect();
    open.sort_by_key(|id| (book.bills[*id].record.due, (*id).clone()));
    let paid = payment.amount.minor;
    let balance = |id: &InvoiceId| book.bills[id].balance_minor;
    // A few cents less than is owed is that invoice, or all of them: the rule that writes cents off takes the rest.
    let meets = |owed: i64, tolerance: i64| (0..=tolerance).contains(&(owed - paid));
    let tolerance = |id: &InvoiceId| book.bills[id].tolerance_minor;
    let exact: Vec<&InvoiceId> = open.iter().copied().filter(|id| balance(id) == paid).collect();
    let near = || open.iter().copied().filter(|id| meets(balance(id), tolerance(id))).collect();
    let equal: Vec<&InvoiceId> = if exact.is_empty() { near() } else { exact };
    let last = open.last().map_or(0, |id| tolerance(id));
    let chosen = match (equal.as_slice(), rule) {
        ([one], _) => vec![*one],
        // Several of the same amount: the oldest would be a guess that a customer may not share.
        (_, Rule::OldestFirst) => open,
        ([], Rule::Exact) if meets(open.iter().map(|id| balance(id)).sum(), last) => open,
        (_, Rule::Exact) => Vec::new(),
    };
    Ok(chosen.into_iter().cloned().collect())
}

/// Settles invoices in order as far as the money goes. Says how much each took.
fn settle(
    book: &mut Book,
    invoices: &[InvoiceId],
    minor: i64,
    payment: &Payment,
    origin: &Origin<'_>,
) -> Vec<(InvoiceId, i64)> {
    let mut left = minor;
    let mut parts = Vec::new();
    for id in invoices {
        let after = book.receive_money(id, left, payment.on, origin);
        if after < left {
            parts.push((id.clone(), left - after));
        }
        left = after;
    }
    parts
}

fn booked(
    row: &Inbound,
    payment: &Payment,
    customer: Option<CustomerId>,
    parts: Vec<(InvoiceId, i64)>,
    origin: &Origin<'_>,
) -> Booked {
    Booked {
        source: origin.source.to_owned(),
        external_id: row.external_id.clone(),
        kind: if payment.amount.minor < 0 { "return" } else { "payment" },
        customer,
        amount: payment.amount,
        parts,
        reference: payment.reference.clone(),
        on: payment.on,
        known_at: origin.at,
    }
}

/// Money taken back says from which invoice.
fn take_back(book: &mut Book, row: &Inbound, payment: &Payment, origin: &Origin<'_>) -> Result<(), Parked> {
    let invoices = meant(book, payment)?;
    let [id] = invoices.as_slice() else {
        return Err("money taken back must name the one invoice it had settled".to_owned());
    };
    let bill = &book.bills[id];
    let customer = CustomerId(bill.record.customer.clone());
    // No more than money had settled: the rest lowers what is unapplied; what was credited does not come back.
    let forgiven = book.forgiven.get(id).copied().unwrap_or(0) + book.forgiven_now(id);
    let settled = bill.record.amount.minor - bill.balance_minor - forgiven;
    let back = settled.min(-payment.amount.minor);
    if back <= 0 {
        return Err("nothing was paid on the invoice that could be taken back".to_owned());
    }
    book.return_money(id, back, payment.on, &payment.reference, origin);
    book.booked.push(booked(row, payment, Some(customer), vec![(id.clone(), -back)], origin));
    Ok(())
}

/// Takes a person's word on what unapplied money settles. It counts from the day of the money.
pub(super) fn take_match(book: &mut Book, matching: &Match, origin: &Origin<'_>) -> Result<(), Parked> {
    let Some(known) = book.unapplied.get(&matching.payment) else {
        return Err(format!("no payment `{}`", matching.payment));
    };
    let known = known.clone();
    let (currency, on, left) = (known.currency, known.booked_on, known.unallocated_minor);
    let wanted = matching.amount.map_or(left, |amount| amount.minor);
    if let Some(amount) = matching.amount.filter(|amount| amount.currency != currency) {
        return Err(format!("the payment is in {currency}, not in {}", amount.currency));
    }
    if wanted <= 0 || wanted > left {
        let (wanted, left) = (Money::new(wanted, currency), Money::new(left, currency));
        return Err(format!("{wanted} cannot be matched: {left} of the payment settles nothing yet"));
    }
    let id = named(book, &matching.invoice)?;
    same_currency(book, &id, Money::new(wanted, currency))?;
    let taken = if known.kind == "credit" {
        book.receive_credit(&id, wanted, on, origin)
    } else {
        wanted - book.receive_money(&id, wanted, on, origin)
    };
    if taken == 0 {
        return Err(format!("nothing is owed on invoice `{id}`"));
    }
    let customer = CustomerId(book.bills[&id].record.customer.clone());
    book.apply_rest(&matching.payment, id, customer, taken, origin.at);
    Ok(())
}

#[cfg(test)]
mod tests;

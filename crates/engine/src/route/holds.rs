//! News of holds: what a person says becomes a row, or a reason why it cannot.

use super::book::holds::PATHS;
use super::book::{Book, Origin};
use super::{Parked, named, unknown};
use recobro_connectors::source::record::{Hold, HoldChange};
use recobro_kernel::ids::CustomerId;
use recobro_store::holds::HoldRow;

/// Takes news of a hold.
pub(super) fn take(book: &mut Book, hold: &Hold, origin: &Origin<'_>) -> Result<(), Parked> {
    match &hold.change {
        HoldChange::Placed { .. } => {
            if let Some(known) = book.holds.iter().find(|known| known.row.id == hold.id) {
                let state = if known.row.released_on.is_some() { "was released" } else { "stands" };
                return Err(format!("hold `{}` {state}; another one needs an id of its own", hold.id));
            }
            let row = row(book, hold, origin)?;
            book.place_hold(row, origin);
            Ok(())
        }
        HoldChange::Released { by } => {
            let by = by.clone().unwrap_or_else(|| origin.source.to_owned());
            if book.release_hold(&hold.id, &by, hold.on, origin) {
                Ok(())
            } else {
                Err(format!("no hold `{}` stands that could be released", hold.id))
            }
        }
    }
}

fn row(book: &Book, hold: &Hold, origin: &Origin<'_>) -> Result<HoldRow, Parked> {
    let HoldChange::Placed { invoice, customer, class, reason, owner, until, note } = &hold.change else {
        return Err("the hold is not placed".to_owned());
    };
    let invoice = invoice.as_deref().map(|name| named(book, name)).transpose()?;
    let owner_of = invoice.as_ref().map(|id| CustomerId(book.bills[id].record.customer.clone()));
    let customer = owner_of.or_else(|| customer.clone().map(CustomerId));
    if let Some(id) = customer.as_ref().filter(|id| !book.clients.contains_key(*id)) {
        return Err(unknown("customer", id.as_str()));
    }
    for test in class {
        let path = test.split_once('=').map_or(test.as_str(), |(path, _)| path.trim());
        if !PATHS.contains(&path) {
            return Err(format!("`{path}` names no class; it may be {}", PATHS.join(", ")));
        }
    }
    let scope = match (&invoice, class.is_empty()) {
        (Some(_), _) => "invoice",
        (None, true) => "customer",
        (None, false) => "class",
    };
    let tests: Vec<String> = class
        .iter()
        .filter_map(|test| test.split_once('='))
        .map(|(path, value)| format!("{}={}", path.trim(), value.trim()))
        .collect();
    Ok(HoldRow {
        id: hold.id.clone(),
        source: origin.source.to_owned(),
        scope: scope.to_owned(),
        invoice,
        customer,
        class: (!tests.is_empty()).then(|| tests.join("\n")),
        reason: reason.clone(),
        note: note.clone(),
        owner: owner.clone(),
        from_on: hold.on,
        until_on: *until,
        released_on: None,
        released_by: None,
        known_at: origin.at,
    })
}

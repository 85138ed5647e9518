//! What somebody else reports: an agency, a lawyer, a shop. The case hears it; addresses go to the customer's contact
//! points and not into an event, which is history and holds nothing personal.

use super::book::{Book, Origin};
use super::{Parked, named, unknown};
use chrono::NaiveDate;
use recobro_connectors::source::record::{ContactPoint, OutsideEvent};
use recobro_kernel::event::{self, FieldType, Scope};
use recobro_kernel::facts::Channel;
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::value::Value;

/// Fields that are addresses of a person, and the channel they open.
const ADDRESSES: &[(&str, Channel)] = &[("email", Channel::Email), ("address", Channel::Letter)];

/// What holds every case of the customer, those that are opened later as well.
const STOPS: &[&str] = &["attorney.named", "contact.cease_requested", "customer.deceased", "customer.insolvent"];

/// A customer in need was reported.
pub(super) const HARDSHIP: &str = "hardship.reported";

/// Takes a report.
pub(super) fn take(book: &mut Book, report: &OutsideEvent, origin: &Origin<'_>) -> Result<(), Parked> {
    let kind = event::find(&report.event).ok_or_else(|| format!("`{}` is no event", report.event))?;
    let invoice = report.invoice.as_deref().map(|name| named(book, name)).transpose()?;
    let customer = match (&report.customer, &invoice) {
        (Some(customer), _) => CustomerId(customer.clone()),
        (None, Some(id)) => CustomerId(book.bills[id].record.customer.clone()),
        (None, None) => return Err("the event names neither a customer nor an invoice".to_owned()),
    };
    if !book.clients.contains_key(&customer) {
        return Err(unknown("customer", customer.as_str()));
    }
    let fields = fields(kind.fields, report)?;
    match (kind.name, kind.scope, invoice) {
        ("promise.cancelled", _, Some(id)) => cancel(book, &id, origin),
        (_, Scope::Customer, _) => {
            if kind.name == "attorney.named" {
                name_attorney(book, &customer, report);
            }
            if STOPS.contains(&kind.name)
                && let Some(client) = book.clients.get_mut(&customer)
            {
                client.tally_changed |= client.tally.stops.insert(kind.name.to_owned());
            }
            if kind.name == HARDSHIP {
                let zone = book.clients[&customer].record.time_zone;
                let said = report.fields.get("kind").map(String::as_str);
                book.take_hardship(&customer, said, origin.at.date_in(zone), origin);
                return Ok(());
            }
            book.tell_customer(&customer, kind.name, origin, &fields);
            Ok(())
        }
        (name, _, Some(id)) if book.bills[&id].case.is_none() => {
            Err(format!("`{name}` is about invoice `{id}`, which has no open case"))
        }
        (name, _, Some(id)) => {
            book.tell_invoice(&id, name, origin, fields);
            Ok(())
        }
        (name, _, None) => Err(format!("`{name}` is about one invoice; name it")),
    }
}

/// The promise ends by the customer's word. What it held goes on at once.
fn cancel(book: &mut Book, invoice: &InvoiceId, origin: &Origin<'_>) -> Result<(), Parked> {
    if book.cancel_promises(invoice, origin) { Ok(()) } else { Err("no promise is open on the invoice".to_owned()) }
}

fn name_attorney(book: &mut Book, customer: &CustomerId, report: &OutsideEvent) {
    for (field, channel) in ADDRESSES {
        if let Some(address) = report.fields.get(*field) {
            let name = report.fields.get("name").cloned();
            let point = ContactPoint { channel: *channel, address: address.clone(), role: "attorney".to_owned(), name };
            book.named_points.push((customer.clone(), point));
        }
    }
}

/// The event's fields with their types; personal ones stay outside.
fn fields(
    known: &'static [(&'static str, FieldType)],
    report: &OutsideEvent,
) -> Result<Vec<(&'static str, Value)>, Parked> {
    let is_personal = |name: &str| report.event == "attorney.named" && ["name", "email", "address"].contains(&name);
    let mut fields = Vec::new();
    for (field, of) in known {
        let name = field.trim_end_matches('?');
        let Some(text) = report.fields.get(name).filter(|_| !is_personal(name)) else { continue };
        fields.push((name, value(*of, text).ok_or_else(|| format!("{name}: `{text}` cannot be read"))?));
    }
    Ok(fields)
}

fn value(of: FieldType, text: &str) -> Option<Value> {
    match of {
        FieldType::Amount => text.parse().ok().map(Value::Decimal),
        FieldType::Date => text.parse::<NaiveDate>().ok().map(Value::Date),
        FieldType::Text => Some(Value::text(text)),
        FieldType::OneOf(names) => names.contains(&text).then(|| Value::text(text)),
        FieldType::Texts => {
            Some(Value::List(text.split(';').map(str::trim).filter(|t| !t.is_empty()).map(Value::text).collect()))
        }
    }
}

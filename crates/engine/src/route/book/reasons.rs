//! Why customers are late, as they say it, and whom the law protects.

use super::{Book, Origin};
use chrono::NaiveDate;
use recobro_kernel::ids::CustomerId;
use recobro_kernel::value::Value;
use recobro_store::customers::LateReason;

/// The kind of hardship that puts a customer under protection.
pub(crate) const VULNERABLE: &str = "vulnerable";

impl Book {
    /// Notes why a customer is late; what was said last counts, whatever order it comes in.
    pub(crate) fn note_reason(&mut self, customer: &CustomerId, reason: &str, on: NaiveDate) {
        let Some(client) = self.clients.get_mut(customer) else { return };
        if client.tally.late_reason.as_ref().is_none_or(|known| known.on <= on) {
            client.tally.late_reason = Some(LateReason { reason: reason.to_owned(), on });
            client.tally_changed = true;
        }
    }

    /// Somebody is in need: their cases hear it, after they know whether the customer is under protection.
    pub(crate) fn take_hardship(
        &mut self,
        customer: &CustomerId,
        kind: Option<&str>,
        on: NaiveDate,
        origin: &Origin<'_>,
    ) {
        self.note_reason(customer, "hardship", on);
        if kind == Some(VULNERABLE) {
            self.protect(customer, on, origin);
        }
        let kind: Vec<_> = kind.map(|kind| ("kind", Value::text(kind))).into_iter().collect();
        self.tell_customer(customer, "hardship.reported", origin, &kind);
    }

    /// The customer is under protection from now on, and no import takes that back.
    fn protect(&mut self, customer: &CustomerId, on: NaiveDate, origin: &Origin<'_>) {
        let Some(client) = self.clients.get_mut(customer) else { return };
        if client.tally.vulnerable_on.is_none() {
            client.tally.vulnerable_on = Some(on);
            client.tally_changed = true;
        }
        if client.record.vulnerable {
            return;
        }
        let before = client.record.clone();
        client.record.vulnerable = true;
        client.changed = true;
        let fields =
            [("field", VULNERABLE), ("from", "false"), ("to", "true")].map(|(name, text)| (name, Value::text(text)));
        self.tell_customer(customer, "customer.changed", origin, &fields);
        self.reclass(&before, customer, origin);
    }
}

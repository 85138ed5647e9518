//! Credit notes in the working set: the invoice owes less than it said, which is no payment of anybody.

use super::{Book, Booked, Origin};
use chrono::NaiveDate;
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::money::Money;
use recobro_kernel::value::Value;

/// A credit note about to be booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// Its key among the money of its source.
    pub(crate) external_id: String,
    /// How much, minor units.
    pub(crate) minor: i64,
    /// Day of booking.
    pub(crate) on: NaiveDate,
    /// Why, for people.
    pub(crate) reason: String,
}

impl Book {
    /// Books a credit note for an invoice, and for the dispute it answers. What the invoice does not owe any more stays
    /// with the customer, unapplied.
    pub(crate) fn credit(&mut self, id: &InvoiceId, note: Note, dispute: Option<&str>, origin: &Origin<'_>) {
        let Some(bill) = self.bills.get(id) else { return };
        let (customer, amount) = (CustomerId(bill.record.customer.clone()), Money::new(note.minor, bill.currency()));
        self.fill_disputes(id, note.minor, dispute);
        let taken = self.receive_credit(id, note.minor, note.on, origin);
        let parts = if taken > 0 { vec![(id.clone(), taken)] } else { Vec::new() };
        self.booked.push(Booked {
            source: origin.source.to_owned(),
            external_id: note.external_id,
            kind: "credit",
            customer: Some(customer),
            amount,
            parts,
            reference: note.reason,
            on: note.on,
            known_at: origin.at,
        });
    }

    /// Lowers an invoice by a credit and tells its case. Says how much it took.
    pub(crate) fn receive_credit(&mut self, id: &InvoiceId, minor: i64, on: NaiveDate, origin: &Origin<'_>) -> i64 {
        let Some(bill) = self.bills.get(id) else { return 0 };
        let (was_open, taken) = (bill.is_open(), minor.min(bill.balance_minor).max(0));
        let contested = self.contested(id);
        self.rebase_plans(id, -taken);
        let claimable = self.change_bill(id, |bill| {
            bill.balance_minor -= taken;
            bill.contest(contested);
        });
        if taken > 0 {
            self.tell_credited(id, was_open, claimable, origin);
            self.write_off_rest(id, on, origin);
        }
        taken
    }

    /// News of a credit: the invoice is closed by it, or asks for less.
    fn tell_credited(&mut self, id: &InvoiceId, was_open: bool, (before, after): (i64, i64), origin: &Origin<'_>) {
        if was_open && !self.bills[id].is_open() {
            self.tell_invoice(id, "invoice.closed", origin, vec![("by", Value::text("credit"))]);
            self.drop_promises(id, origin);
            return;
        }
        self.tell_invoice(id, "invoice.changed", origin, vec![("field", Value::text("amount"))]);
        if before > 0 && after <= 0 && self.plan_of(id).is_none() {
            self.tell_invoice(id, "claimable.zero", origin, Vec::new());
        }
        self.tell_claimable(id, before, after, origin);
    }

    /// What credit notes, discounts and write-offs took off an invoice in this batch, minor units.
    pub(crate) fn forgiven_now(&self, id: &InvoiceId) -> i64 {
        let booked = self.booked.iter().filter(|one| !matches!(one.kind, "payment" | "return"));
        booked.flat_map(|one| &one.parts).filter(|(invoice, _)| invoice == id).map(|(_, minor)| minor).sum()
    }
}

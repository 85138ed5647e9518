//! Disputes in the working set: opened, closed, and what they keep from being asked for.

use super::{Book, Origin};
use chrono::NaiveDate;
use recobro_kernel::ids::InvoiceId;
use recobro_kernel::money::{Currency, Money};
use recobro_kernel::time::Timestamp;
use recobro_kernel::value::Value;

/// A dispute in the working set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quarrel {
    /// Id.
    pub(crate) id: String,
    /// Invoice.
    pub(crate) invoice: InvoiceId,
    /// Reason code.
    pub(crate) reason: String,
    /// Disputed part, minor units.
    pub(crate) amount_minor: i64,
    /// Day it was opened.
    pub(crate) opened_on: NaiveDate,
    /// Day it was closed.
    pub(crate) closed_on: Option<NaiveDate>,
    /// How it ended.
    pub(crate) outcome: Option<String>,
    /// Source of the row.
    pub(crate) source: String,
    /// Row must be written.
    pub(crate) changed: bool,
}

impl Quarrel {
    /// Fields of `dispute.opened`.
    pub(super) fn opened(&self, currency: Currency) -> Vec<(&'static str, Value)> {
        let amount = Value::Decimal(Money::new(self.amount_minor, currency).to_decimal());
        vec![("reason", Value::text(self.reason.as_str())), ("amount", amount)]
    }
}

impl Book {
    /// Opens a dispute over a part or all of an invoice.
    pub(crate) fn open_dispute(&mut self, quarrel: Quarrel, origin: &Origin<'_>) {
        if self.quarrels.iter().any(|known| known.id == quarrel.id) {
            return;
        }
        let id = quarrel.invoice.clone();
        let contested = self.contested(&id) + quarrel.amount_minor;
        self.change_bill(&id, |bill| bill.contest(contested));
        let Some(bill) = self.bills.get(&id) else { return };
        let fields = quarrel.opened(bill.currency());
        self.quarrels.push(quarrel);
        for pledge in self.pledges.iter_mut().filter(|p| p.is_open() && p.invoices.contains(&id)) {
            pledge.limit_at = Timestamp::MAX;
            pledge.changed = true;
        }
        self.tell_invoice(&id, "dispute.opened", origin, fields);
    }

    /// What open disputes contest of an invoice, minor units.
    pub(super) fn contested(&self, invoice: &InvoiceId) -> i64 {
        let open = self.quarrels.iter().filter(|q| q.invoice == *invoice && q.closed_on.is_none());
        open.map(|q| q.amount_minor).sum()
    }

    /// Whether a dispute on the invoice is open.
    pub(crate) fn is_disputed(&self, invoice: &InvoiceId) -> bool {
        self.quarrels.iter().any(|q| q.invoice == *invoice && q.closed_on.is_none())
    }

    /// Closes a dispute. Says whether it was open.
    pub(crate) fn close_dispute(&mut self, dispute: &str, outcome: &str, on: NaiveDate, origin: &Origin<'_>) -> bool {
        let Some(quarrel) = self.quarrels.iter_mut().find(|q| q.id == dispute && q.closed_on.is_none()) else {
            return false;
        };
        quarrel.closed_on = Some(on);
        quarrel.outcome = Some(outcome.to_owned());
        quarrel.changed = true;
        let (id, minor, reason) = (quarrel.invoice.clone(), quarrel.amount_minor, quarrel.reason.clone());
        let contested = self.contested(&id);
        let (before, after) = self.change_bill(&id, |bill| bill.contest(contested));
        self.free_promises(&id);
        let Some(bill) = self.bills.get(&id) else { return true };
        let fields =
            vec![("outcome", Value::text(outcome)), ("amount", bill.amount(minor)), ("reason", Value::text(reason))];
        self.tell_invoice(&id, "dispute.closed", origin, fields);
        self.tell_claimable(&id, before, after, origin);
        true
    }
}

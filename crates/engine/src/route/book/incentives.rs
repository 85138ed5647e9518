//! Discounts for paying early in the working set: offered, taken by a payment in time, expired.

use super::{Book, Origin};
use chrono::NaiveDate;
use recobro_kernel::ids::InvoiceId;
use recobro_kernel::schedule::end_of;
use recobro_kernel::time::Timestamp;
use recobro_store::incentives::IncentiveRow;

impl Book {
    /// Offers a discount, or says an open one anew.
    pub(crate) fn open_incentive(&mut self, mut row: IncentiveRow) {
        row.expires_at = Some(end_of(row.until_on, self.zone_of(&row.invoice)));
        self.moved_incentives.insert(row.id.clone());
        self.incentives.insert(row.id.clone(), row);
    }

    /// A payment that leaves no more than a discount takes it, where it is dated in time. Says how much that was.
    ///
    /// The day of the money counts: one that becomes known after the last day still takes it.
    pub(super) fn take_incentive(&mut self, invoice: &InvoiceId, on: NaiveDate, origin: &Origin<'_>) -> i64 {
        let Some(bill) = self.bills.get(invoice) else { return 0 };
        let rest = bill.balance_minor;
        let fits = |row: &&IncentiveRow| {
            row.invoice == *invoice
                && row.status != "taken"
                && row.opened_on <= on
                && on <= row.until_on
                && rest <= row.amount_minor
        };
        let Some(id) = self.incentives.values().find(fits).map(|row| row.id.clone()).filter(|_| rest > 0) else {
            return 0;
        };
        let value = bill.amount(rest);
        self.change_bill(invoice, |bill| {
            bill.balance_minor = 0;
            bill.contest(0);
        });
        for row in self.incentives.values_mut().filter(|row| row.invoice == *invoice) {
            if row.id == id {
                "taken".clone_into(&mut row.status);
                row.taken_on = Some(on);
                // What was really taken: money that comes back takes it with it.
                row.amount_minor = rest;
            } else if row.status == "open" {
                "expired".clone_into(&mut row.status);
            }
            row.expires_at = None;
            self.moved_incentives.insert(row.id.clone());
        }
        let reason = self.incentives.get(&id).map(|row| row.reason.clone()).unwrap_or_default();
        self.book_by_rule(invoice, ("discount", format!("discount/{id}")), rest, &reason, (on, origin.at));
        self.tell_invoice(invoice, "incentive.taken", origin, vec![("amount", value)]);
        rest
    }

    /// Money that had taken a discount comes back: the discount goes with it. Says how much that was.
    pub(super) fn lose_incentive(&mut self, invoice: &InvoiceId, on: NaiveDate, origin: &Origin<'_>) -> i64 {
        let zone = self.zone_of(invoice);
        let taken = |row: &&mut IncentiveRow| row.invoice == *invoice && row.status == "taken";
        let Some(row) = self.incentives.values_mut().find(taken) else { return 0 };
        let is_open = on <= row.until_on;
        if is_open { "open" } else { "expired" }.clone_into(&mut row.status);
        row.taken_on = None;
        row.expires_at = is_open.then(|| end_of(row.until_on, zone));
        let (id, minor) = (row.id.clone(), row.amount_minor);
        let key = format!("discount/{id}/back/{}/{}", origin.source, origin.key);
        self.moved_incentives.insert(id);
        self.book_by_rule(invoice, ("discount", key), -minor, "the payment came back", (on, origin.at));
        minor
    }

    /// The last day of an offer is over: the case hears it once.
    pub(crate) fn expire_incentive(&mut self, id: &str, now: Timestamp) {
        let Some(row) = self.incentives.get_mut(id) else { return };
        let Some(at) = row.expires_at.take() else { return };
        "expired".clone_into(&mut row.status);
        let invoice = row.invoice.clone();
        self.moved_incentives.insert(id.to_owned());
        let origin = Origin { source: "worker", kind: "expired", key: id, at: at.max(now) };
        self.tell_invoice(&invoice, "incentive.expired", &origin, Vec::new());
    }
}

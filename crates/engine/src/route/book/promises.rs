//! Promises in the working set: made, taken over, kept, judged, cancelled.

use super::{Bill, Book, Origin, Pledge};
use chrono::NaiveDate;
use recobro_kernel::ids::InvoiceId;
use recobro_kernel::schedule::end_of;
use recobro_kernel::time::Timestamp;

impl Book {
    /// Promises that cover the invoice are kept as soon as their amount is reached.
    pub(super) fn credit_promises(&mut self, id: &InvoiceId, minor: i64, on: NaiveDate, origin: &Origin<'_>) {
        let mut kept = Vec::new();
        for pledge in self.pledges.iter_mut().filter(|p| p.is_met_by(id, on)) {
            pledge.paid_minor += minor;
            pledge.changed = true;
            if pledge.paid_minor >= pledge.amount.minor {
                "kept".clone_into(&mut pledge.status);
                kept.push(pledge.clone());
            }
        }
        for pledge in kept {
            self.tell_kept(&pledge, origin);
        }
    }

    /// A promise has matured: what it promised and what was paid of it count from now on.
    fn count_promise(&mut self, pledge: &Pledge, kept: bool) {
        if let Some(client) = self.clients.get_mut(&pledge.customer) {
            let tally = &mut client.tally;
            *(if kept { &mut tally.kept_promises } else { &mut tally.broken_promises }) += 1;
            let (currency, promised) = (pledge.amount.currency.code(), pledge.amount.minor);
            *tally.promised_minor.entry(currency.to_owned()).or_default() += promised;
            *tally.honoured_minor.entry(currency.to_owned()).or_default() += pledge.paid_minor.clamp(0, promised);
            client.tally_changed = true;
        }
    }

    /// The promise waits for the end of a dispute.
    pub(crate) fn postpone(&mut self, index: usize) {
        let pledge = &mut self.pledges[index];
        pledge.limit_at = Timestamp::MAX;
        pledge.changed = true;
    }

    /// Promises that waited for the end of a dispute get their limit back.
    pub(super) fn free_promises(&mut self, invoice: &InvoiceId) {
        if self.is_disputed(invoice) {
            return;
        }
        let zone = self.zone_of(invoice);
        for pledge in self.pledges.iter_mut().filter(|p| p.is_open() && p.invoices.contains(invoice)) {
            pledge.limit_at = end_of(pledge.limit_on, zone);
            pledge.changed = true;
        }
    }

    /// Makes a promise; it supersedes the open ones of the same invoices. One that covers others as well goes on for
    /// those, without what the new one took over.
    pub(crate) fn make_promise(&mut self, mut pledge: Pledge, origin: &Origin<'_>) {
        if let Some(known) = self.pledges.iter_mut().find(|known| known.id == pledge.id) {
            if !known.is_open() {
                return;
            }
            // It comes again, changed: what it says now holds, what was paid stays paid.
            let paid_minor = known.paid_minor;
            *known = Pledge { paid_minor, invoices: known.invoices.clone(), ..pledge };
            let (fields, invoices) = (known.made(), known.invoices.clone());
            self.tell_covered(&invoices, "promise.made", origin, &fields);
            return;
        }
        self.supersede(&pledge.invoices, origin);
        let fields = pledge.made();
        let invoices = pledge.invoices.clone();
        if invoices.iter().any(|id| self.is_disputed(id)) {
            pledge.limit_at = Timestamp::MAX;
        }
        self.pledges.push(pledge);
        self.tell_covered(&invoices, "promise.made", origin, &fields);
    }

    /// A plan takes the place of promises for its invoices; for others they go on.
    pub(super) fn take_over_promises(&mut self, invoices: &[InvoiceId], origin: &Origin<'_>) {
        let taken = |pledge: &Pledge| -> Vec<InvoiceId> {
            pledge.invoices.iter().filter(|id| invoices.contains(id)).cloned().collect()
        };
        let gone: Vec<_> = self.pledges.iter().filter(|p| p.is_open()).map(|p| (taken(p), p.fields())).collect();
        self.supersede(invoices, origin);
        for (taken, fields) in gone {
            self.tell_covered(&taken, "promise.cancelled", origin, &fields);
        }
    }

    fn supersede(&mut self, invoices: &[InvoiceId], origin: &Origin<'_>) {
        let mut kept = Vec::new();
        for old in self.pledges.iter_mut().filter(|old| old.is_open()) {
            let (taken, rest): (Vec<InvoiceId>, Vec<InvoiceId>) =
                old.invoices.iter().cloned().partition(|id| invoices.contains(id));
            if taken.is_empty() {
                continue;
            }
            old.changed = true;
            if rest.is_empty() {
                "superseded".clone_into(&mut old.status);
                continue;
            }
            let less: i64 = taken.iter().filter_map(|id| self.bills.get(id)).map(Bill::claimable_minor).sum();
            old.amount.minor = (old.amount.minor - less).max(1);
            old.invoices = rest;
            if old.paid_minor >= old.amount.minor {
                "kept".clone_into(&mut old.status);
                kept.push(old.clone());
            }
            self.uncovered.extend(taken.into_iter().map(|id| (old.id.clone(), id)));
        }
        for pledge in kept {
            self.tell_kept(&pledge, origin);
        }
    }

    fn tell_kept(&mut self, pledge: &Pledge, origin: &Origin<'_>) {
        self.count_promise(pledge, true);
        let mut fields = pledge.fields();
        fields.push(pledge.paid());
        self.tell_covered(&pledge.invoices, "promise.kept", origin, &fields);
    }

    /// Cancels the open promises of an invoice. Says whether there was one.
    pub(crate) fn cancel_promises(&mut self, invoice: &InvoiceId, origin: &Origin<'_>) -> bool {
        let mut cancelled = Vec::new();
        for pledge in self.pledges.iter_mut().filter(|p| p.is_open() && p.invoices.contains(invoice)) {
            "cancelled".clone_into(&mut pledge.status);
            pledge.changed = true;
            cancelled.push(pledge.clone());
        }
        for pledge in &cancelled {
            self.tell_covered(&pledge.invoices, "promise.cancelled", origin, &pledge.fields());
        }
        !cancelled.is_empty()
    }

    /// A promise for nothing but what was credited is kept by nobody and broken by nobody.
    pub(super) fn drop_promises(&mut self, invoice: &InvoiceId, origin: &Origin<'_>) {
        let is_over = |id: &InvoiceId| self.bills.get(id).is_some_and(|bill| !bill.is_open());
        let over = |p: &Pledge| p.is_open() && p.invoices.contains(invoice) && p.invoices.iter().all(is_over);
        if self.pledges.iter().any(over) {
            self.cancel_promises(invoice, origin);
        }
    }

    /// Judges a promise whose limit has passed: kept, partly kept or broken. Only kept ones are good news.
    pub(crate) fn judge(&mut self, index: usize, origin: &Origin<'_>) {
        let pledge = &mut self.pledges[index];
        pledge.changed = true;
        let kept = pledge.paid_minor >= pledge.amount.minor;
        let status = match (kept, pledge.paid_minor > 0) {
            (true, _) => "kept",
            (false, true) => "partly_kept",
            (false, false) => "broken",
        };
        status.clone_into(&mut pledge.status);
        let pledge = pledge.clone();
        self.count_promise(&pledge, kept);
        let mut fields = pledge.fields();
        fields.push(pledge.paid());
        let name = if kept { "promise.kept" } else { "promise.broken" };
        self.tell_covered(&pledge.invoices, name, origin, &fields);
    }
}

//! Disputes in the working set: opened, closed, and what they keep from being asked for.

use super::{Book, Note, Origin};
use chrono::NaiveDate;
use recobro_kernel::ids::InvoiceId;
use recobro_kernel::money::{Currency, Money};
use recobro_kernel::schedule::end_of;
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
    /// Who answers it on our side.
    pub(crate) owner: Option<String>,
    /// Day by which it is to be answered.
    pub(crate) answer_by: Option<NaiveDate>,
    /// What credit notes have answered it with, minor units.
    pub(crate) credited_minor: i64,
    /// Accepted, and the rest of its credit is still to come.
    pub(crate) awaits_credit: bool,
    /// First instant after the day of the answer, while nobody was told of it.
    pub(crate) overdue_at: Option<Timestamp>,
    /// Source of the row.
    pub(crate) source: String,
    /// Row must be written.
    pub(crate) changed: bool,
}

/// How a dispute ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending<'a> {
    /// `accepted`, `rejected` or `withdrawn`.
    pub(crate) outcome: &'a str,
    /// What is credited with an accepted one, minor units; a credit note is still to come where nothing is said.
    pub(crate) credit: Option<i64>,
    /// The day.
    pub(crate) on: NaiveDate,
}

impl Quarrel {
    /// A dispute as it begins, over a part for a reason.
    pub(crate) fn new(
        id: String,
        invoice: InvoiceId,
        (reason, amount_minor): (&str, i64),
        (opened_on, source): (NaiveDate, &str),
    ) -> Self {
        Self {
            id,
            invoice,
            reason: reason.to_owned(),
            amount_minor,
            opened_on,
            closed_on: None,
            outcome: None,
            owner: None,
            answer_by: None,
            credited_minor: 0,
            awaits_credit: false,
            overdue_at: None,
            source: source.to_owned(),
            changed: true,
        }
    }

    /// What it keeps from being asked for, minor units.
    fn contests(&self) -> i64 {
        let counts = self.closed_on.is_none() || self.awaits_credit;
        if counts { (self.amount_minor - self.credited_minor).max(0) } else { 0 }
    }

    /// Takes a part of a credit note. Says how much is left of it.
    fn fill(&mut self, minor: i64) -> i64 {
        let taken = minor.min(self.amount_minor - self.credited_minor).max(0);
        self.credited_minor += taken;
        self.awaits_credit &= self.credited_minor < self.amount_minor;
        self.changed |= taken > 0;
        minor - taken
    }

    /// Whether an ending changes anything: of an open dispute any, later only what is said about a missing credit.
    fn may_end(&self, ending: &Ending<'_>) -> bool {
        self.closed_on.is_none() || (self.awaits_credit && ending.outcome == "accepted" && ending.credit.is_some())
    }

    /// Fields of `dispute.opened`.
    pub(super) fn opened(&self, currency: Currency) -> Vec<(&'static str, Value)> {
        let amount = Value::Decimal(Money::new(self.amount_minor, currency).to_decimal());
        vec![("reason", Value::text(self.reason.as_str())), ("amount", amount)]
    }
}

impl Book {
    /// Opens a dispute over a part or all of an invoice.
    pub(crate) fn open_dispute(&mut self, mut quarrel: Quarrel, origin: &Origin<'_>) {
        if self.quarrels.iter().any(|known| known.id == quarrel.id) {
            return;
        }
        let id = quarrel.invoice.clone();
        let (answer_by, overdue_at) = self.answer_by(&id, quarrel.opened_on, quarrel.answer_by);
        (quarrel.answer_by, quarrel.overdue_at) = (Some(answer_by), Some(overdue_at));
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

    /// What disputes keep from being asked for, minor units: open ones, and accepted ones whose credit is to come.
    pub(crate) fn contested(&self, invoice: &InvoiceId) -> i64 {
        self.quarrels.iter().filter(|q| q.invoice == *invoice).map(Quarrel::contests).sum()
    }

    /// The last day to answer a dispute, said or by the law's time, and the first instant after it.
    fn answer_by(&self, invoice: &InvoiceId, opened: NaiveDate, said: Option<NaiveDate>) -> (NaiveDate, Timestamp) {
        let usual = || self.calendar_of(invoice).add(opened, self.law.dispute_answer());
        let last = said.unwrap_or_else(usual);
        (last, end_of(last, self.zone_of(invoice)))
    }

    /// The dispute of an invoice that a source means: its own, else by the whole id, else the only one of that id.
    pub(crate) fn find_dispute(&self, invoice: &InvoiceId, source: &str, name: &str) -> Option<String> {
        let of_invoice: Vec<&Quarrel> = self.quarrels.iter().filter(|q| q.invoice == *invoice).collect();
        let (own, whole) = (scoped(source, name), name);
        let exact = [own.as_str(), whole].into_iter().find(|id| of_invoice.iter().any(|q| q.id == *id));
        let others: Vec<&&Quarrel> = of_invoice.iter().filter(|q| q.id == scoped(&q.source, name)).collect();
        match (exact, others.as_slice()) {
            (Some(id), _) => Some(id.to_owned()),
            (None, [one]) => Some(one.id.clone()),
            (None, _) => None,
        }
    }

    /// A credit note answers the dispute it names, then the accepted ones that wait for theirs, old ones first.
    pub(super) fn fill_disputes(&mut self, invoice: &InvoiceId, minor: i64, named: Option<&str>) {
        let mut order: Vec<usize> = (0..self.quarrels.len()).collect();
        order.retain(|i| {
            let quarrel = &self.quarrels[*i];
            quarrel.invoice == *invoice && (quarrel.awaits_credit || named == Some(&quarrel.id))
        });
        order.sort_by_key(|i| {
            let quarrel = &self.quarrels[*i];
            (named != Some(&quarrel.id), quarrel.opened_on, quarrel.id.clone())
        });
        let mut left = minor;
        for index in order {
            left = self.quarrels[index].fill(left);
        }
    }

    /// Somebody else answers a dispute, or by another day. Says whether it is open.
    pub(crate) fn assign_dispute(&mut self, dispute: &str, owner: &str, answer_by: Option<NaiveDate>) -> bool {
        let Some(index) = self.quarrels.iter().position(|q| q.id == dispute && q.closed_on.is_none()) else {
            return false;
        };
        let (invoice, opened) = (self.quarrels[index].invoice.clone(), self.quarrels[index].opened_on);
        let limit = answer_by.map(|day| self.answer_by(&invoice, opened, Some(day)));
        let quarrel = &mut self.quarrels[index];
        quarrel.owner = Some(owner.to_owned());
        if let Some((day, overdue_at)) = limit {
            (quarrel.answer_by, quarrel.overdue_at) = (Some(day), Some(overdue_at));
        }
        quarrel.changed = true;
        true
    }

    /// The day of answer has passed: the case hears it once.
    pub(crate) fn tell_overdue(&mut self, dispute: &str, now: Timestamp) {
        let Some(quarrel) = self.quarrels.iter_mut().find(|q| q.id == dispute) else { return };
        let Some(at) = quarrel.overdue_at.take() else { return };
        quarrel.changed = true;
        if quarrel.closed_on.is_some() {
            return;
        }
        let mut fields = vec![("reason", Value::text(quarrel.reason.as_str()))];
        fields.extend(quarrel.owner.as_ref().map(|owner| ("owner", Value::text(owner))));
        let (invoice, key) = (quarrel.invoice.clone(), format!("{dispute}/{}", at.as_us()));
        let origin = Origin { source: "worker", kind: "overdue", key: &key, at: at.max(now) };
        self.tell_invoice(&invoice, "dispute.overdue", &origin, fields);
    }

    /// What may still be credited for a dispute, minor units.
    pub(crate) fn creditable(&self, dispute: &str) -> Option<i64> {
        let quarrel = self.quarrels.iter().find(|quarrel| quarrel.id == dispute)?;
        Some((quarrel.amount_minor - quarrel.credited_minor).max(0))
    }

    /// Whether a dispute on the invoice is open.
    pub(crate) fn is_disputed(&self, invoice: &InvoiceId) -> bool {
        self.quarrels.iter().any(|q| q.invoice == *invoice && q.closed_on.is_none())
    }

    /// Closes a dispute, with its credit note where one is said. Says whether there was anything to close.
    pub(crate) fn close_dispute(&mut self, dispute: &str, ending: Ending<'_>, origin: &Origin<'_>) -> bool {
        let Some(quarrel) = self.quarrels.iter_mut().find(|q| q.id == dispute && q.may_end(&ending)) else {
            return false;
        };
        let was_closed = quarrel.closed_on.is_some();
        quarrel.closed_on.get_or_insert(ending.on);
        quarrel.outcome = Some(ending.outcome.to_owned());
        quarrel.awaits_credit =
            ending.outcome == "accepted" && ending.credit.is_none() && quarrel.credited_minor < quarrel.amount_minor;
        quarrel.overdue_at = None;
        quarrel.changed = true;
        let (id, minor, reason) = (quarrel.invoice.clone(), quarrel.amount_minor, quarrel.reason.clone());
        let Some(bill) = self.bills.get(&id) else { return true };
        let fields = vec![
            ("outcome", Value::text(ending.outcome)),
            ("amount", bill.amount(minor)),
            ("reason", Value::text(reason.as_str())),
        ];
        if !was_closed {
            // One answer may close several.
            let key = format!("{}/{dispute}", origin.key);
            self.tell_invoice(&id, "dispute.closed", &Origin { key: &key, ..origin.clone() }, fields);
            self.free_promises(&id);
        }
        if let Some(credit) = ending.credit.filter(|credit| *credit > 0) {
            let note = Note { external_id: format!("credit/{dispute}"), minor: credit, on: ending.on, reason };
            self.credit(&id, note, Some(dispute), origin);
            return true;
        }
        let contested = self.contested(&id);
        let (before, after) = self.change_bill(&id, |bill| bill.contest(contested));
        self.tell_claimable(&id, before, after, origin);
        if after <= 0 && self.bills[&id].is_open() && contested > 0 && !self.is_disputed(&id) {
            // Nothing may be asked for until the credit note is there.
            self.tell_invoice(&id, "claimable.zero", origin, Vec::new());
        }
        true
    }
}

/// A source's id as the ledger keeps it: two sources may use the same.
pub(crate) fn scoped(source: &str, id: &str) -> String {
    format!("{source}:{id}")
}

//! The working set of one batch: the customers, invoices, promises and disputes that its rows touch, changed in memory
//! row by row, written back at once. Pure: rows in, ledger changes and events out.

mod consents;
mod credits;
mod disputes;
pub(crate) mod holds;
mod incentives;
mod own;
pub(crate) mod plans;
mod promises;
mod reasons;

pub(crate) use reasons::VULNERABLE;

pub(crate) use credits::Note;
pub(crate) use disputes::{Ending, Quarrel, scoped};

use chrono::{Datelike, NaiveDate};
use recobro_connectors::source::record::ContactPoint;
use recobro_kernel::calendar::Calendar;
use recobro_kernel::event::{self, Event};
use recobro_kernel::ids::{CaseId, CustomerId, EventId, InvoiceId};
use recobro_kernel::money::{Currency, Money};
use recobro_kernel::time::Timestamp;
use recobro_kernel::value::Value;
use recobro_store::CaseNo;
use recobro_store::customers::Aggregates;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Invoices paid late in the twelve months up to a date.
pub(crate) fn late_12m(tally: &Aggregates, today: NaiveDate) -> i64 {
    let from = month(today.checked_sub_months(chrono::Months::new(12)).unwrap_or(today));
    tally.late_by_month.range(from..).filter(|(m, _)| **m <= month(today)).map(|(_, count)| count).sum()
}

fn month(date: NaiveDate) -> String {
    format!("{:04}-{:02}", date.year(), date.month())
}

/// A customer in the working set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// As received.
    pub(crate) record: recobro_connectors::source::record::Customer,
    /// Aggregates.
    pub(crate) tally: Aggregates,
    /// Row must be written.
    pub(crate) changed: bool,
    /// Contact points must be written.
    pub(crate) points_changed: bool,
    /// Aggregates must be written.
    pub(crate) tally_changed: bool,
    /// Defaults taken for what nobody told us.
    pub(crate) defaults: Vec<String>,
    /// Source of the row.
    pub(crate) source: String,
}

/// An invoice in the working set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bill {
    /// As received.
    pub(crate) record: recobro_connectors::source::record::Invoice,
    /// Principal open, minor units.
    pub(crate) balance_minor: i64,
    /// Part under dispute.
    pub(crate) disputed_minor: i64,
    /// Agreed retention.
    pub(crate) retained_minor: i64,
    /// Part that a plan makes due later.
    pub(crate) not_due_minor: i64,
    /// Day of the last payment.
    pub(crate) last_payment_on: Option<NaiveDate>,
    /// Credited, cancelled or written off: as the ledger says it.
    pub(crate) closed_by: Option<String>,
    /// Its open case.
    pub(crate) case: Option<CaseId>,
    /// At or below this it counts as paid: the tolerance of its case's playbook, minor units.
    pub(crate) tolerance_minor: i64,
    /// Cases so far.
    pub(crate) cases: i64,
    /// Source of the row.
    pub(crate) source: String,
    /// Row must be written.
    pub(crate) changed: bool,
}

impl Bill {
    pub(crate) fn currency(&self) -> Currency {
        self.record.amount.currency
    }

    pub(crate) fn claimable_minor(&self) -> i64 {
        (self.balance_minor - self.disputed_minor - self.retained_minor - self.not_due_minor).max(0)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.closed_by.is_none() && self.balance_minor > self.tolerance_minor
    }

    /// Sets the contested part: never more than is owed, and again as much when more is owed again.
    fn contest(&mut self, minor: i64) {
        self.disputed_minor = minor.clamp(0, self.balance_minor.max(0));
    }

    fn amount(&self, minor: i64) -> Value {
        Value::Decimal(Money::new(minor, self.currency()).to_decimal())
    }
}

/// A promise in the working set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pledge {
    /// Id.
    pub(crate) id: String,
    /// Customer.
    pub(crate) customer: CustomerId,
    /// Invoices covered.
    pub(crate) invoices: Vec<InvoiceId>,
    /// Day it was made.
    pub(crate) made_on: NaiveDate,
    /// Day promised.
    pub(crate) date: NaiveDate,
    /// Amount, minor units.
    pub(crate) amount: Money,
    /// Paid so far, minor units.
    pub(crate) paid_minor: i64,
    /// Last day of grace.
    pub(crate) limit_on: NaiveDate,
    /// When it is judged; [`Timestamp::MAX`] while a dispute on one of its invoices is open.
    pub(crate) limit_at: Timestamp,
    /// Source of the row.
    pub(crate) source: String,
    /// `open kept partly_kept broken superseded cancelled`.
    pub(crate) status: String,
    /// How they mean to pay.
    pub(crate) method: Option<String>,
    /// Who promised.
    pub(crate) by: Option<String>,
    /// Row must be written.
    pub(crate) changed: bool,
}

impl Pledge {
    fn is_open(&self) -> bool {
        self.status == "open"
    }

    /// Whether money booked for an invoice on a day counts towards it.
    fn is_met_by(&self, invoice: &InvoiceId, on: NaiveDate) -> bool {
        self.is_open() && self.made_on <= on && on <= self.limit_on && self.invoices.contains(invoice)
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields = vec![
            ("date", Value::Date(self.date)),
            ("amount", Value::Decimal(self.amount.to_decimal())),
            ("invoices", Value::List(self.invoices.iter().map(|id| Value::text(id.as_str())).collect())),
        ];
        // Who promised stands in the promise's row: an event is history and holds no name.
        fields.extend(self.method.as_ref().map(|method| ("method", Value::text(method))));
        fields
    }

    /// Fields of `promise.made`.
    fn made(&self) -> Vec<(&'static str, Value)> {
        let mut fields = self.fields();
        fields.push(("limit", Value::Date(self.limit_on)));
        fields
    }

    fn paid(&self) -> (&'static str, Value) {
        ("paid", Value::Decimal(Money::new(self.paid_minor, self.amount.currency).to_decimal()))
    }
}

/// What a name in a file may mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// One invoice.
    One(InvoiceId),
    /// Several invoices carry it as number or reference.
    Several,
}

/// Money that was booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Booked {
    /// Source.
    pub(crate) source: String,
    /// The payment's id there.
    pub(crate) external_id: String,
    /// `payment`, `return`, `credit`, `discount`, `write_off`.
    pub(crate) kind: &'static str,
    /// Customer, where known.
    pub(crate) customer: Option<CustomerId>,
    /// Amount, below zero where it was taken back.
    pub(crate) amount: Money,
    /// What it settled; the rest is unapplied.
    pub(crate) parts: Vec<(InvoiceId, i64)>,
    /// What the payer wrote.
    pub(crate) reference: String,
    /// Day of booking.
    pub(crate) on: NaiveDate,
    /// When we learned of it.
    pub(crate) known_at: Timestamp,
}

/// Where a piece of news comes from: names its events for ever.
#[derive(Clone, Debug)]
pub(crate) struct Origin<'a> {
    /// Source: `csv`, `operate`, `worker`.
    pub(crate) source: &'a str,
    /// Kind of row.
    pub(crate) kind: &'a str,
    /// Its key there, with the content's hash where a row may come again changed.
    pub(crate) key: &'a str,
    /// Logical time of the news.
    pub(crate) at: Timestamp,
}

impl Origin<'_> {
    fn actor(&self) -> String {
        match self.source {
            "worker" => "worker".to_owned(),
            source if source.contains(':') => source.to_owned(),
            source => format!("source:{source}"),
        }
    }
}

/// The working set.
#[derive(Default)]
pub(crate) struct Book {
    /// Calendars and figures.
    pub(crate) law: std::sync::Arc<recobro_kernel::law::Law>,
    /// Customers by id.
    pub(crate) clients: BTreeMap<CustomerId, Client>,
    /// Invoices by id.
    pub(crate) bills: BTreeMap<InvoiceId, Bill>,
    /// Invoices by number and reference.
    pub(crate) names: HashMap<String, Named>,
    /// Open promises, old ones first.
    pub(crate) pledges: Vec<Pledge>,
    /// Offered and active plans, and those of this batch.
    pub(crate) schemes: Vec<plans::Scheme>,
    /// Holds that stand, and those of this batch.
    pub(crate) holds: Vec<holds::Standing>,
    /// Holds on classes that were placed or released in this batch.
    pub(crate) class_news: Vec<holds::ClassNews>,
    /// Invoices whose amounts changed since their plans looked.
    pub(crate) touched: BTreeSet<InvoiceId>,
    /// Open disputes and those of this batch.
    pub(crate) quarrels: Vec<Quarrel>,
    /// Open cases of each customer.
    pub(crate) cases_of: BTreeMap<CustomerId, Vec<CaseId>>,
    /// Open case of each invoice, also of those that only a promise covers.
    pub(crate) case_of: BTreeMap<InvoiceId, CaseId>,
    /// The database's number of each case.
    pub(crate) numbers: BTreeMap<CaseId, CaseNo>,
    /// What customers said about channels in this batch.
    pub(crate) said: Vec<recobro_store::consents::ConsentRow>,
    /// Addresses that somebody named for a customer: an attorney's.
    pub(crate) named_points: Vec<(CustomerId, ContactPoint)>,
    /// Invoices that a newer promise took out of an older one, by promise.
    pub(crate) uncovered: Vec<(String, InvoiceId)>,
    /// Money of this batch.
    pub(crate) booked: Vec<Booked>,
    /// Promises of this batch that came before and are open no more, with their status.
    pub(crate) judged: BTreeMap<String, String>,
    /// Payments that stand in the ledger, of those that come again or are matched.
    pub(crate) unapplied: BTreeMap<String, recobro_store::payments::PaymentRow>,
    /// What earlier batches took off invoices without money (credit notes, write-offs), where money is taken back.
    pub(crate) forgiven: BTreeMap<InvoiceId, i64>,
    /// Parts of earlier payments that were matched in this batch: payment, what it settled, when we knew.
    pub(crate) matched: Vec<(String, InvoiceId, i64, Timestamp)>,
    /// Discounts for paying early, by id.
    pub(crate) incentives: BTreeMap<String, recobro_store::incentives::IncentiveRow>,
    /// Those of them whose rows must be written.
    pub(crate) moved_incentives: BTreeSet<String>,
    /// Charges waived in this batch.
    pub(crate) waived: Vec<recobro_store::waivers::WaiverRow>,
    /// Calls that people made: rows of the contact ledger.
    pub(crate) calls: Vec<recobro_store::contacts::ContactRow>,
    /// News for cases, in order.
    pub(crate) events: Vec<(CaseId, Event)>,
    /// Invoices that want a case, with the time they enter.
    pub(crate) entering: BTreeMap<InvoiceId, Timestamp>,
    /// Invoices that are owed again after the end, and why: they want a linked case.
    pub(crate) reopening: BTreeMap<InvoiceId, (Timestamp, &'static str)>,
    /// Customers and invoices that were not known before this batch, by kind and name: parked rows may wait for them.
    pub(crate) arrived: BTreeSet<(&'static str, String)>,
}

impl Book {
    /// The invoice of an id, number or reference.
    pub(crate) fn find(&self, name: &str) -> Option<InvoiceId> {
        let id = InvoiceId(name.to_owned());
        if self.bills.contains_key(&id) {
            return Some(id);
        }
        match self.names.get(name)? {
            Named::One(id) => Some(id.clone()),
            Named::Several => None,
        }
    }

    /// Whether a name means several invoices, so that nobody can say which.
    pub(crate) fn is_ambiguous(&self, name: &str) -> bool {
        self.find(name).is_none() && self.names.get(name) == Some(&Named::Several)
    }

    /// Notes that an invoice carries a number or reference.
    pub(crate) fn name(&mut self, name: &str, id: &InvoiceId) {
        if name.is_empty() {
            return;
        }
        let named = self.names.entry(name.to_owned()).or_insert_with(|| Named::One(id.clone()));
        if !matches!(named, Named::One(known) if known == id) {
            *named = Named::Several;
        }
    }

    /// A new case hears what stands about its invoice: promises and disputes from before it was opened.
    pub(crate) fn tell_standing(&mut self, invoice: &InvoiceId, case: CaseId, at: Timestamp) {
        let Some(currency) = self.bills.get(invoice).map(Bill::currency) else { return };
        let promises = self.pledges.iter().filter(|p| p.is_open() && p.invoices.contains(invoice));
        let promises = promises.map(|p| ("promise.made", p.source.clone(), p.id.clone(), p.made()));
        let disputes = self.quarrels.iter().filter(|q| q.closed_on.is_none() && q.invoice == *invoice);
        let disputes = disputes.map(|q| ("dispute.opened", q.source.clone(), q.id.clone(), q.opened(currency)));
        let stops = self.client_of(invoice).map(|client| client.tally.stops.clone()).unwrap_or_default();
        let stops = stops.iter().filter_map(|stop| event::find(stop));
        let stops = stops.map(|kind| (kind.name, "worker".to_owned(), kind.name.to_owned(), Vec::new()));
        let plan = self.standing_plan(invoice);
        let holds = self.standing_holds(invoice, at);
        let all: Vec<_> = promises.chain(disputes).chain(stops).chain(plan).chain(holds).collect();
        for (name, source, key, fields) in all {
            self.tell(case, name, &Origin { source: &source, kind: "standing", key: &key, at }, fields);
        }
    }

    /// News for one case.
    pub(crate) fn tell(&mut self, case: CaseId, name: &str, origin: &Origin<'_>, fields: Vec<(&str, Value)>) {
        let id = EventId::derive(&[origin.source, origin.kind, origin.key, name, &case.to_string()]);
        let fields = fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect();
        let event = Event { id, name: name.to_owned(), at: origin.at, actor: origin.actor(), fields };
        self.events.push((case, event));
    }

    /// News for the open case of an invoice, if it has one.
    pub(crate) fn tell_invoice(
        &mut self,
        invoice: &InvoiceId,
        name: &str,
        origin: &Origin<'_>,
        fields: Vec<(&str, Value)>,
    ) {
        if let Some(case) = self.bills.get(invoice).and_then(|bill| bill.case) {
            self.tell(case, name, origin, fields);
        }
    }

    /// News for every open case of a customer.
    pub(crate) fn tell_customer(
        &mut self,
        customer: &CustomerId,
        name: &str,
        origin: &Origin<'_>,
        fields: &[(&str, Value)],
    ) {
        for case in self.cases_of.get(customer).cloned().unwrap_or_default() {
            self.tell(case, name, origin, fields.to_vec());
        }
    }

    /// News for the open cases of several invoices.
    fn tell_covered(&mut self, invoices: &[InvoiceId], name: &str, origin: &Origin<'_>, fields: &[(&str, Value)]) {
        for invoice in invoices {
            let case = self.bills.get(invoice).and_then(|bill| bill.case);
            if let Some(case) = case.or_else(|| self.case_of.get(invoice).copied()) {
                self.tell(case, name, origin, fields.to_vec());
            }
        }
    }

    /// Changes an invoice and keeps its customer's totals in step; says what contacts may ask for before and after.
    pub(crate) fn change_bill(&mut self, id: &InvoiceId, change: impl FnOnce(&mut Bill)) -> (i64, i64) {
        let Some(bill) = self.bills.get_mut(id) else { return (0, 0) };
        let share = |bill: &Bill| if bill.is_open() { (1, bill.balance_minor) } else { (0, 0) };
        let (before, claimable) = (share(bill), bill.claimable_minor());
        change(bill);
        bill.changed = true;
        self.touched.insert(id.clone());
        let (after, now_claimable) = (share(bill), bill.claimable_minor());
        let (customer, currency) = (CustomerId(bill.record.customer.clone()), bill.currency());
        if before != after
            && let Some(client) = self.clients.get_mut(&customer)
        {
            client.tally.open_invoices += after.0 - before.0;
            *client.tally.total_minor.entry(currency.code().to_owned()).or_default() += after.1 - before.1;
            client.tally.total_minor.retain(|_, minor| *minor != 0);
            client.tally_changed = true;
        }
        (claimable, now_claimable)
    }

    /// Books money for an invoice. Says what was left over because the invoice asks for less.
    pub(crate) fn receive_money(
        &mut self,
        id: &InvoiceId,
        amount_minor: i64,
        on: NaiveDate,
        origin: &Origin<'_>,
    ) -> i64 {
        let Some(bill) = self.bills.get(id) else { return amount_minor };
        let allocated = amount_minor.min(bill.balance_minor.max(0));
        if allocated <= 0 {
            return amount_minor;
        }
        let (was_open, due) = (bill.is_open(), bill.record.due);
        let customer = CustomerId(bill.record.customer.clone());
        let contested = self.contested(id);
        self.change_bill(id, |bill| {
            bill.balance_minor -= allocated;
            bill.contest(contested);
            bill.last_payment_on = bill.last_payment_on.max(Some(on));
        });
        let fields = vec![("amount", self.bills[id].amount(allocated)), ("on", Value::Date(on))];
        self.tell_invoice(id, "payment.received", origin, fields.clone());
        let discount = self.take_incentive(id, on, origin);
        let bill = &self.bills[id];
        let (paid, nothing_left) = (!bill.is_open(), bill.claimable_minor() <= 0);
        if paid && was_open {
            self.tell_invoice(id, "invoice.paid", origin, fields);
            if on > due
                && let Some(client) = self.clients.get_mut(&customer)
            {
                *client.tally.late_by_month.entry(month(on)).or_default() += 1;
                client.tally_changed = true;
            }
        } else if nothing_left && self.plan_of(id).is_none() {
            self.tell_invoice(id, "claimable.zero", origin, Vec::new());
        }
        // Who pays what was agreed keeps what was promised.
        self.credit_promises(id, allocated + discount, on, origin);
        self.write_off_rest(id, on, origin);
        amount_minor - allocated
    }

    /// A rest within the playbook's tolerance is written off by rule, so that the account shows why nothing is asked.
    fn write_off_rest(&mut self, id: &InvoiceId, on: NaiveDate, origin: &Origin<'_>) {
        let Some(bill) = self.bills.get(id) else { return };
        let rest = bill.balance_minor;
        if rest <= 0 || rest > bill.tolerance_minor {
            return;
        }
        self.change_bill(id, |bill| bill.balance_minor = 0);
        let key = format!("write-off/{id}/{}/{}", origin.source, origin.key);
        self.book_by_rule(id, ("write_off", key), rest, "within the playbook's tolerance", (on, origin.at));
    }

    /// The record of what a rule took off an invoice, or gave back to it: nobody's money.
    fn book_by_rule(
        &mut self,
        id: &InvoiceId,
        (kind, external_id): (&'static str, String),
        minor: i64,
        reason: &str,
        (on, known_at): (NaiveDate, Timestamp),
    ) {
        let Some(bill) = self.bills.get(id) else { return };
        self.booked.push(Booked {
            source: "worker".to_owned(),
            external_id,
            kind,
            customer: Some(CustomerId(bill.record.customer.clone())),
            amount: Money::new(minor, bill.currency()),
            parts: vec![(id.clone(), minor)],
            reference: reason.to_owned(),
            on,
            known_at,
        });
    }

    /// A part of an earlier payment settles an invoice after all.
    pub(crate) fn apply_rest(
        &mut self,
        payment: &str,
        invoice: InvoiceId,
        customer: CustomerId,
        minor: i64,
        at: Timestamp,
    ) {
        let Some(row) = self.unapplied.get_mut(payment) else { return };
        row.unallocated_minor -= minor;
        row.customer.get_or_insert(customer);
        self.matched.push((payment.to_owned(), invoice, minor, at));
    }

    /// Takes money back from an invoice. A finished case is continued by a linked one.
    pub(crate) fn return_money(
        &mut self,
        id: &InvoiceId,
        amount_minor: i64,
        on: NaiveDate,
        reason: &str,
        origin: &Origin<'_>,
    ) {
        let contested = self.contested(id);
        let lost = self.lose_incentive(id, on, origin);
        let (before, after) = self.change_bill(id, |bill| {
            bill.balance_minor += amount_minor + lost;
            bill.contest(contested);
        });
        // What came back was not paid: it counts no more towards a promise that is still to be judged.
        for pledge in self.pledges.iter_mut().filter(|p| p.is_open() && p.paid_minor > 0 && p.invoices.contains(id)) {
            pledge.paid_minor = (pledge.paid_minor - amount_minor).max(0);
            pledge.changed = true;
        }
        let Some(bill) = self.bills.get(id) else { return };
        let mut fields = vec![("amount", bill.amount(amount_minor)), ("on", Value::Date(on))];
        if is_code(reason) {
            fields.push(("reason", Value::text(reason)));
        }
        if bill.case.is_some() {
            self.tell_invoice(id, "payment.returned", origin, fields);
            self.tell_claimable(id, before, after, origin);
        } else if bill.cases > 0 && bill.is_open() {
            self.reopening.insert(id.clone(), (origin.at, "payment returned"));
        } else if bill.is_open() {
            self.entering.entry(id.clone()).or_insert(origin.at);
        }
    }

    fn tell_claimable(&mut self, id: &InvoiceId, before: i64, after: i64, origin: &Origin<'_>) {
        // Under a plan the hold `plan` keeps the case, and what may be asked for is only known once the plan has looked.
        if before <= 0 && after > 0 && self.plan_of(id).is_none() {
            self.tell_invoice(id, "claimable.positive", origin, Vec::new());
        }
    }

    /// Where the customer of an invoice lives.
    pub(crate) fn zone_of(&self, invoice: &InvoiceId) -> chrono_tz::Tz {
        self.client_of(invoice).map_or(chrono_tz::Tz::UTC, |client| client.record.time_zone)
    }

    /// The customer of an invoice.
    fn client_of(&self, invoice: &InvoiceId) -> Option<&Client> {
        self.clients.get(&CustomerId(self.bills.get(invoice)?.record.customer.clone()))
    }

    /// The calendar of an invoice's customer.
    fn calendar_of(&self, invoice: &InvoiceId) -> Arc<Calendar> {
        let record = self.client_of(invoice).map(|client| &client.record);
        let place = record.map_or(("", None), |record| (record.country.as_str(), record.subdivision.as_deref()));
        self.law.calendar_for(place.0, place.1, "")
    }

    /// Takes a customer's row; what changed reaches the open cases.
    pub(crate) fn take_customer(
        &mut self,
        mut record: recobro_connectors::source::record::Customer,
        defaults: Vec<String>,
        origin: &Origin<'_>,
    ) {
        let id = CustomerId(record.id.clone());
        let known = self.clients.get(&id).map(|client| client.record.x.clone()).unwrap_or_default();
        let own = own::merge(&known, &mut record.x);
        let Some(client) = self.clients.get_mut(&id) else {
            let client = Client {
                record,
                tally: Aggregates::default(),
                changed: true,
                points_changed: true,
                tally_changed: true,
                defaults,
                source: origin.source.to_owned(),
            };
            self.arrived.insert(("customer", id.0.clone()));
            self.clients.insert(id, client);
            return;
        };
        let mut record = record;
        // A ledger that does not know of it takes no protection away.
        record.vulnerable |= client.tally.vulnerable_on.is_some();
        let old = std::mem::replace(&mut client.record, record);
        client.changed |= old != client.record;
        client.points_changed = true;
        client.defaults = defaults;
        let new = client.record.clone();
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let pairs = [
            ("kind", old.kind.clone(), new.kind.clone()),
            ("segment", old.segment.clone(), new.segment.clone()),
            ("country", old.country.clone(), new.country.clone()),
            ("subdivision", text(&old.subdivision), text(&new.subdivision)),
            ("locale", old.locale.clone(), new.locale.clone()),
            ("time_zone", old.time_zone.name().to_owned(), new.time_zone.name().to_owned()),
            ("risk", text(&old.risk), text(&new.risk)),
            ("vulnerable", old.vulnerable.to_string(), new.vulnerable.to_string()),
        ];
        let pairs = pairs.into_iter().map(|(field, from, to)| (field.to_owned(), from, to));
        for (field, from, to) in pairs.filter(|(_, from, to)| from != to).chain(own) {
            let key = format!("{}/{field}", origin.key);
            let origin = Origin { key: &key, ..origin.clone() };
            let fields = [("field", Value::text(field)), ("from", Value::text(from)), ("to", Value::text(to))];
            self.tell_customer(&id, "customer.changed", &origin, &fields);
        }
        self.reclass(&old, &id, origin);
        self.offer_again(&id, origin.at);
    }

    /// Invoices of a changed customer that never had a case are offered again.
    fn offer_again(&mut self, customer: &CustomerId, at: Timestamp) {
        let unmatched = self.bills.iter().filter(|(_, bill)| {
            bill.record.customer == customer.as_str() && bill.case.is_none() && bill.cases == 0 && bill.is_open()
        });
        let again: Vec<InvoiceId> = unmatched.map(|(id, _)| id.clone()).collect();
        for id in again {
            self.entering.entry(id).or_insert(at);
        }
    }

    /// The customer answered on a day, in a reply that is named: the last reply moves, an opt-out closes the channel.
    pub(crate) fn take_reply(
        &mut self,
        customer: &CustomerId,
        (channel, kind): (&str, &str),
        (on, named): (NaiveDate, &str),
        origin: &Origin<'_>,
    ) {
        if let Some(client) = self.clients.get_mut(customer) {
            if kind != "auto" {
                client.tally.last_reply_on = client.tally.last_reply_on.max(Some(on));
                client.tally_changed = true;
            }
            if kind == "opt_out" {
                self.opt_out(customer, channel, (on, named), origin);
            }
        }
        let fields = [("channel", Value::text(channel)), ("kind", Value::text(kind))];
        self.tell_customer(customer, "reply.received", origin, &fields);
        if kind == "opt_out" {
            self.tell_customer(customer, "channel.opted_out", origin, &[("channel", Value::text(channel))]);
        }
    }

    /// An invoice that nobody knew: it wants a case.
    fn new_invoice(&mut self, id: InvoiceId, record: recobro_connectors::source::record::Invoice, origin: &Origin<'_>) {
        let bill = Bill {
            balance_minor: 0,
            disputed_minor: 0,
            retained_minor: 0,
            not_due_minor: 0,
            last_payment_on: None,
            closed_by: None,
            case: None,
            tolerance_minor: 0,
            cases: 0,
            source: origin.source.to_owned(),
            changed: true,
            record,
        };
        let amount = bill.record.amount.minor;
        self.arrived.insert(("invoice", id.0.clone()));
        self.arrived.insert(("invoice", bill.record.number.clone()));
        self.arrived.insert(("invoice", bill.record.reference.clone()));
        self.bills.insert(id.clone(), bill);
        self.change_bill(&id, |bill| bill.balance_minor = amount);
        if amount > 0 {
            self.entering.insert(id, origin.at);
        }
    }

    /// Takes an invoice's row: a new one wants a case, a changed one tells its case.
    pub(crate) fn take_invoice(
        &mut self,
        mut record: recobro_connectors::source::record::Invoice,
        origin: &Origin<'_>,
    ) {
        let id = InvoiceId(record.id.clone());
        let known = self.bills.get(&id).map(|bill| bill.record.x.clone()).unwrap_or_default();
        let own = own::merge(&known, &mut record.x);
        for name in [&record.number, &record.reference] {
            self.name(name, &id);
        }
        let Some(bill) = self.bills.get(&id) else {
            return self.new_invoice(id, record, origin);
        };
        let (before_all, old) = (bill.clone(), bill.record.clone());
        let difference = record.amount.minor - old.amount.minor;
        let was_open = bill.is_open();
        let contested = self.contested(&id);
        self.rebase_plans(&id, difference);
        let (before, after) = self.change_bill(&id, |bill| {
            bill.balance_minor += difference;
            bill.contest(contested);
            bill.record = record.clone();
        });
        if old.due != record.due {
            let fields = vec![("from", Value::Date(old.due)), ("to", Value::Date(record.due))];
            self.tell_invoice(&id, "invoice.due_changed", origin, fields);
        }
        for (field, ..) in own {
            let key = format!("{}/{field}", origin.key);
            let origin = Origin { key: &key, ..origin.clone() };
            self.tell_invoice(&id, "invoice.changed", &origin, vec![("field", Value::text(field))]);
        }
        if difference != 0 {
            let open = self.bills[&id].is_open();
            if was_open && !open {
                self.tell_invoice(&id, "invoice.closed", origin, vec![("by", Value::text("credit"))]);
            } else {
                self.tell_invoice(&id, "invoice.changed", origin, vec![("field", Value::text("amount"))]);
                self.tell_claimable(&id, before, after, origin);
            }
        }
        self.reclass_invoice(&before_all, &id, origin);
        let bill = &self.bills[&id];
        if bill.case.is_none() && bill.is_open() {
            if bill.cases == 0 {
                self.entering.entry(id).or_insert(origin.at);
            } else if !was_open {
                self.reopening.entry(id).or_insert((origin.at, "amount raised"));
            }
        }
    }
}

/// Whether a bank's text is a reason code: what else it says may name a person, and stays out of history.
fn is_code(text: &str) -> bool {
    (2..=8).contains(&text.len()) && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

/// An address as the ledger stores it: its row is named by what it is, so that a re-import finds it.
pub(crate) fn point_id(customer: &str, point: &ContactPoint) -> String {
    let hash = recobro_kernel::ids::Hash::of(
        format!("{customer}\u{0}{}\u{0}{}\u{0}{}", point.channel.name(), point.role, point.address).as_bytes(),
    );
    format!("cp-{}", hash.short())
}

#[cfg(test)]
mod tests;

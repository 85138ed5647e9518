//! Plans in the working set: offered, agreed, paid in parts, missed, over.

use super::{Bill, Book, Origin};
use chrono::NaiveDate;
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::money::Money;
use recobro_kernel::plan::{self, Instalment, News, Part, Patience, Told};
use recobro_kernel::schedule::end_of;
use recobro_kernel::time::Timestamp;
use recobro_kernel::value::Value;
use recobro_store::plans::{CoveredRow, InstalmentRow, PlanRow};

/// A plan in the working set: its row, and whether it must be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scheme {
    /// The row.
    pub(crate) row: PlanRow,
    /// Row must be written.
    pub(crate) changed: bool,
}

impl Scheme {
    pub(crate) fn is_active(&self) -> bool {
        self.row.status == "active"
    }

    fn is_offered(&self) -> bool {
        self.row.status == "proposed"
    }

    pub(crate) fn covers(&self, invoice: &InvoiceId) -> bool {
        self.row.invoices.iter().any(|part| part.invoice == *invoice)
    }

    fn invoices(&self) -> Vec<InvoiceId> {
        self.row.invoices.iter().map(|part| part.invoice.clone()).collect()
    }

    fn amount(&self, minor: i64) -> Value {
        Value::Decimal(Money::new(minor, self.row.currency).to_decimal())
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![("plan", Value::text(&self.row.id))]
    }

    /// Fields of `plan.accepted`.
    fn agreed(&self) -> Vec<(&'static str, Value)> {
        let mut fields = self.fields();
        fields.extend(self.row.instalments.first().map(|one| ("due", Value::Date(one.due_on))));
        fields.push(("amount", self.amount(self.row.amount_minor)));
        fields
    }

    /// The plan ends, whichever way.
    fn end(&mut self, status: &str, on: NaiveDate) {
        status.clone_into(&mut self.row.status);
        self.row.ended_on = Some(on);
        self.row.watch_at = None;
        self.changed = true;
    }
}

/// The instalments of a row as the kernel reckons with them.
pub(crate) fn parts(rows: &[InstalmentRow]) -> Vec<Part> {
    let part = |row: &InstalmentRow| Part {
        instalment: Instalment { due: row.due_on, amount_minor: row.amount_minor },
        paid_minor: row.paid_minor,
        told: Told::parse(&row.told),
    };
    rows.iter().map(part).collect()
}

/// An agreed or offered date as a row.
pub(crate) fn instalment_row(one: &Instalment) -> InstalmentRow {
    InstalmentRow {
        due_on: one.due,
        amount_minor: one.amount_minor,
        paid_minor: 0,
        told: Told::Nothing.name().to_owned(),
        collected: None,
    }
}

impl Book {
    /// The plan of an id.
    pub(crate) fn scheme(&self, id: &str) -> Option<&Scheme> {
        self.schemes.iter().find(|scheme| scheme.row.id == id)
    }

    /// The active plan that covers an invoice.
    pub(crate) fn plan_of(&self, invoice: &InvoiceId) -> Option<&Scheme> {
        self.schemes.iter().find(|scheme| scheme.is_active() && scheme.covers(invoice))
    }

    /// An offer was made. It takes the place of older offers for the same invoices.
    pub(crate) fn offer_plan(&mut self, row: PlanRow, origin: &Origin<'_>) {
        let on = row.offered_on.unwrap_or_default();
        let (index, invoices) = self.put_scheme(row, (on, origin));
        let scheme = &self.schemes[index];
        let mut fields = scheme.fields();
        fields.extend(scheme.row.valid_until.map(|on| ("valid_until", Value::Date(on))));
        self.tell_planned(&invoices, "plan.offered", origin, &fields);
    }

    /// A plan was agreed: it takes the place of promises and offers, and makes what it covers due later.
    pub(crate) fn agree_plan(&mut self, row: PlanRow, origin: &Origin<'_>) {
        self.count_plan(&row.customer, 1);
        let on = row.agreed_on.unwrap_or_default();
        let (index, invoices) = self.put_scheme(row, (on, origin));
        self.take_over_promises(&invoices, origin);
        self.refresh_plan(index);
        let fields = self.schemes[index].agreed();
        self.tell_planned(&invoices, "plan.accepted", origin, &fields);
    }

    /// News for the cases that a plan covers. The first of them leads: only it writes to the customer.
    fn tell_planned(&mut self, invoices: &[InvoiceId], name: &str, origin: &Origin<'_>, fields: &[(&str, Value)]) {
        let mut lead = "yes";
        for invoice in invoices {
            let Some(case) = self.bills.get(invoice).and_then(|bill| bill.case) else { continue };
            let fields = fields.iter().cloned().chain([("lead", Value::text(lead))]).collect();
            self.tell(case, name, origin, fields);
            lead = "no";
        }
    }

    fn count_plan(&mut self, customer: &CustomerId, by: i64) {
        if let Some(client) = self.clients.get_mut(customer) {
            client.tally.open_plans = (client.tally.open_plans + by).max(0);
            client.tally_changed = true;
        }
    }

    /// Puts a plan in the place of what was known under its id, and of older offers for its invoices. Gives its place,
    /// and those invoices.
    fn put_scheme(&mut self, row: PlanRow, word: (NaiveDate, &Origin<'_>)) -> (usize, Vec<InvoiceId>) {
        self.schemes.retain(|known| known.row.id != row.id);
        let scheme = Scheme { row, changed: true };
        let invoices = scheme.invoices();
        self.withdraw_offers(&invoices, word);
        self.schemes.push(scheme);
        (self.schemes.len() - 1, invoices)
    }

    /// Older offers for the same invoices are over; what they covered beside those hears of it.
    fn withdraw_offers(&mut self, invoices: &[InvoiceId], (on, origin): (NaiveDate, &Origin<'_>)) {
        let mut gone = Vec::new();
        let offers = self.schemes.iter_mut().filter(|scheme| scheme.is_offered());
        for offer in offers.filter(|offer| invoices.iter().any(|id| offer.covers(id))) {
            offer.end("expired", on);
            let others: Vec<InvoiceId> = offer.invoices().into_iter().filter(|id| !invoices.contains(id)).collect();
            gone.push((others, offer.fields()));
        }
        for (others, fields) in gone {
            self.tell_planned(&others, "plan.expired", origin, &fields);
        }
    }

    /// The customer does not want the offer. Says whether it was open.
    pub(crate) fn decline_plan(&mut self, id: &str, on: NaiveDate, origin: &Origin<'_>) -> bool {
        self.close_plan(id, Scheme::is_offered, ("declined", "plan.declined"), (on, origin)).is_some()
    }

    /// People end an offer or a plan before its time. Says whether it was open.
    pub(crate) fn cancel_plan(&mut self, id: &str, reason: &str, on: NaiveDate, origin: &Origin<'_>) -> bool {
        let is_open = |scheme: &Scheme| scheme.is_offered() || scheme.is_active();
        let Some(index) = self.close_plan(id, is_open, ("cancelled", "plan.cancelled"), (on, origin)) else {
            return false;
        };
        reason.clone_into(&mut self.schemes[index].row.reason);
        true
    }

    /// Why the instalments of a plan are not collected now; nothing where they may be.
    pub(crate) fn why_not_collected(&self, plan: &str, now: Timestamp) -> Option<String> {
        let scheme = self.scheme(plan)?;
        let invoices = scheme.invoices();
        let on = now.date_in(self.zone_of(invoices.first()?));
        let client = self.clients.get(&scheme.row.customer)?;
        if let Some(stop) = client.tally.stops.iter().next() {
            return Some(stop.clone());
        }
        invoices.iter().find_map(|invoice| {
            let hold = self.hold_on(invoice, on).map(|row| format!("hold {} ({})", row.id, row.reason));
            let contested = || match (self.is_disputed(invoice), self.contested(invoice) > 0) {
                (true, _) => Some(format!("a dispute about {invoice} is open")),
                (false, true) => Some(format!("a dispute about {invoice} is accepted, its credit note is to come")),
                (false, false) => None,
            };
            hold.or_else(contested)
        })
    }

    /// Another mandate serves an active plan from now on: it is paid by direct debit. Says whether it is active.
    pub(crate) fn mandate_plan(&mut self, id: &str, mandate: String) -> bool {
        let Some(scheme) = self.schemes.iter_mut().find(|scheme| scheme.row.id == id && scheme.is_active()) else {
            return false;
        };
        scheme.row.mandate = Some(mandate);
        "direct_debit".clone_into(&mut scheme.row.method);
        scheme.changed = true;
        true
    }

    fn close_plan(
        &mut self,
        id: &str,
        is_open: impl Fn(&Scheme) -> bool,
        (status, event): (&str, &str),
        (on, origin): (NaiveDate, &Origin<'_>),
    ) -> Option<usize> {
        let index = self.schemes.iter().position(|scheme| scheme.row.id == id && is_open(scheme))?;
        self.end_plan(index, status, on, origin);
        let (fields, invoices) = (self.schemes[index].fields(), self.schemes[index].invoices());
        self.tell_planned(&invoices, event, origin, &fields);
        Some(index)
    }

    /// A plan is over: what is still open of its invoices is due at once.
    fn end_plan(&mut self, index: usize, status: &str, on: NaiveDate, origin: &Origin<'_>) {
        let was_active = self.schemes[index].is_active();
        self.schemes[index].end(status, on);
        if was_active {
            let customer = self.schemes[index].row.customer.clone();
            self.count_plan(&customer, -1);
        }
        for invoice in self.schemes[index].invoices().into_iter().filter(|_| was_active) {
            let Some(bill) = self.bills.get_mut(&invoice) else { continue };
            bill.set_not_due(0);
            // Nothing was said of it while the plan stood: whatever waits for money to ask for goes on.
            if bill.claimable_minor() > 0 {
                self.tell_invoice(&invoice, "claimable.positive", origin, Vec::new());
            }
        }
    }

    /// Plans hear of what a row changed about their invoices: money, credit, disputes.
    pub(crate) fn settle_plans(&mut self, origin: &Origin<'_>) {
        let touched = std::mem::take(&mut self.touched);
        if touched.is_empty() || self.schemes.is_empty() {
            return;
        }
        for index in 0..self.schemes.len() {
            let scheme = &self.schemes[index];
            if !scheme.is_active() || !touched.iter().any(|id| scheme.covers(id)) {
                continue;
            }
            self.refresh_plan(index);
            let scheme = &self.schemes[index];
            let is_paid = scheme.row.instalments.iter().all(|one| one.paid_minor >= one.amount_minor);
            let on = origin.at.date_in(self.zone_of(&scheme.row.invoices[0].invoice));
            if is_paid {
                self.complete_plan(index, on, origin);
                continue;
            }
            let is_disputed = self.waits_for_a_dispute(index);
            // A plan with an open dispute waits for its end, as promises do; else something may have changed: look.
            let watch_at = if is_disputed { None } else { Some(origin.at) };
            let scheme = &mut self.schemes[index];
            scheme.changed |= scheme.row.watch_at != watch_at;
            scheme.row.watch_at = watch_at;
        }
    }

    fn waits_for_a_dispute(&self, index: usize) -> bool {
        self.schemes[index].row.invoices.iter().any(|part| self.is_disputed(&part.invoice))
    }

    fn complete_plan(&mut self, index: usize, on: NaiveDate, origin: &Origin<'_>) {
        self.end_plan(index, "completed", on, origin);
        let scheme = &self.schemes[index];
        let mut fields = scheme.fields();
        fields.push(("amount", scheme.amount(scheme.row.amount_minor)));
        let invoices = scheme.invoices();
        self.tell_planned(&invoices, "plan.completed", origin, &fields);
    }

    /// What was paid towards a plan, and what it leaves due later of each invoice: both follow from the balances.
    fn refresh_plan(&mut self, index: usize) {
        let Self { schemes, bills, .. } = self;
        let scheme = &mut schemes[index];
        let paid_of = |part: &CoveredRow| {
            let balance = bills.get(&part.invoice).map_or(part.base_minor, |bill| bill.balance_minor);
            (part.base_minor.max(part.amount_minor) - balance).clamp(0, part.amount_minor)
        };
        let rest: Vec<(InvoiceId, i64)> =
            scheme.row.invoices.iter().map(|part| (part.invoice.clone(), part.amount_minor - paid_of(part))).collect();
        let open: i64 = rest.iter().map(|(_, minor)| minor).sum();
        let mut parts = parts(&scheme.row.instalments);
        plan::spread(&mut parts, scheme.row.amount_minor - open);
        scheme.changed |= take_parts(&mut scheme.row.instalments, &parts);
        // What was missed may be asked for, from the oldest invoice on; the rest is due later.
        let mut missed: i64 = parts.iter().filter(|part| part.is_missed()).map(Part::rest_minor).sum();
        for (invoice, rest) in rest {
            let asked = rest.min(missed);
            missed -= asked;
            if let Some(bill) = bills.get_mut(&invoice) {
                bill.set_not_due(rest - asked);
            }
        }
    }

    /// An invoice grew, or lost what was not paid: the plan reckons from there.
    pub(super) fn rebase_plans(&mut self, invoice: &InvoiceId, difference: i64) {
        for scheme in self.schemes.iter_mut().filter(|scheme| scheme.is_active()) {
            for part in scheme.row.invoices.iter_mut().filter(|part| part.invoice == *invoice) {
                // A credit takes first what the plan does not cover; only the rest counts as paid.
                part.base_minor += difference;
                scheme.changed = true;
            }
        }
    }

    /// Looks at a plan on a day: announces, misses, ends it. Says when to look again.
    pub(crate) fn look_at_plan(&mut self, id: &str, patience: Patience, origin: &Origin<'_>) {
        let Some(index) = self.schemes.iter().position(|scheme| scheme.row.id == id) else { return };
        let Some(first) = self.schemes[index].row.invoices.first().map(|part| part.invoice.clone()) else { return };
        let zone = self.zone_of(&first);
        let today = origin.at.date_in(zone);
        if self.schemes[index].is_offered() {
            if self.schemes[index].row.valid_until.is_some_and(|until| today > until) {
                self.close_plan(id, Scheme::is_offered, ("expired", "plan.expired"), (today, origin));
                return;
            }
            // The customer moved to where the day is longer.
            let until = self.schemes[index].row.valid_until.unwrap_or(today);
            self.schemes[index].row.watch_at = Some(end_of(until, zone));
            self.schemes[index].changed = true;
            return;
        }
        if !self.schemes[index].is_active() {
            return;
        }
        if self.waits_for_a_dispute(index) {
            self.schemes[index].row.watch_at = None;
            self.schemes[index].changed = true;
            return;
        }
        let mut parts = parts(&self.schemes[index].row.instalments);
        let (news, next) = plan::look(&mut parts, patience, &self.calendar_of(&first), today);
        let scheme = &mut self.schemes[index];
        take_parts(&mut scheme.row.instalments, &parts);
        scheme.row.watch_at = next.map(|day| Timestamp::start_of(day, zone));
        scheme.changed = true;
        self.refresh_plan(index);
        for one in news {
            self.tell_of_plan(index, one, &parts, (today, origin));
        }
    }

    fn tell_of_plan(&mut self, index: usize, news: News, parts: &[Part], (today, origin): (NaiveDate, &Origin<'_>)) {
        let scheme = &self.schemes[index];
        let (mut fields, invoices) = (scheme.fields(), scheme.invoices());
        let (name, part) = match news {
            News::Due(part) => ("plan.instalment_due", Some(part)),
            News::Missed(part) => ("plan.instalment_missed", Some(part)),
            News::Completed => return self.complete_plan(index, today, origin),
            News::Defaulted => {
                fields.push(("amount", scheme.amount(parts.iter().map(Part::rest_minor).sum())));
                self.end_plan(index, "defaulted", today, origin);
                ("plan.defaulted", None)
            }
        };
        let key = part.map_or_else(|| origin.key.to_owned(), |part| format!("{}/{}", origin.key, part + 1));
        if let Some(part) = part.map(|part| &parts[part]) {
            fields.push(("due", Value::Date(part.instalment.due)));
            fields.push(("amount", self.schemes[index].amount(part.rest_minor())));
        }
        self.tell_planned(&invoices, name, &Origin { key: &key, ..origin.clone() }, &fields);
    }

    /// What stands about an invoice as a case hears it that opens later.
    pub(super) fn standing_plan(&self, invoice: &InvoiceId) -> Option<super::holds::Heard> {
        let scheme = self.plan_of(invoice)?;
        let mut fields = scheme.agreed();
        // The customer has its confirmation.
        fields.push(("lead", Value::text("no")));
        Some(("plan.accepted", scheme.row.source.clone(), scheme.row.id.clone(), fields))
    }
}

/// Takes over what was paid and told. Says whether anything moved.
fn take_parts(rows: &mut [InstalmentRow], parts: &[Part]) -> bool {
    let mut moved = false;
    for (row, part) in rows.iter_mut().zip(parts) {
        moved |= row.paid_minor != part.paid_minor || row.told != part.told.name();
        row.paid_minor = part.paid_minor;
        part.told.name().clone_into(&mut row.told);
    }
    moved
}

impl Bill {
    fn set_not_due(&mut self, minor: i64) {
        self.changed |= self.not_due_minor != minor;
        self.not_due_minor = minor;
    }
}

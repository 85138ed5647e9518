//! Builds the kernel's snapshot of facts from what a batch loaded: one customer once, whatever the number of its cases.

use crate::Settings;
use crate::exceptions::stands;
use crate::route::book::holds::in_class;
use crate::route::book::{Bill, Client, late_12m};
use chrono::NaiveDate;
use recobro_kernel::facts::{
    ContactMade, ContactPoint, CustomerFacts, DisputeFacts, Exception, Facts, IncentiveFacts, InvoiceFacts, PlanFacts,
    PromiseFacts,
};
use recobro_kernel::guard::policy::Opening;
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::interest::{self, Debt, Statement, Waiver, Waives};
use recobro_kernel::law::Law;
use recobro_kernel::money::Currency;
use recobro_kernel::time::Timestamp;
use recobro_store::customers::Aggregates;
use recobro_store::exceptions::ExceptionRow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A contact point as stored; the address stays here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    /// What a decision may know.
    pub(crate) fact: ContactPoint,
    /// Who answers there.
    pub(crate) name: String,
    /// Address or number.
    pub(crate) address: String,
}

/// What a batch of cases may know, loaded by a fixed number of queries.
#[derive(Default)]
pub(crate) struct Loaded {
    /// Customers by id.
    pub(crate) clients: BTreeMap<CustomerId, Client>,
    /// Contact points by customer.
    pub(crate) points: HashMap<CustomerId, Vec<Point>>,
    /// Contacts of the customer, oldest first, each with the name of its row.
    pub(crate) contacts: HashMap<CustomerId, Vec<(String, ContactMade)>>,
    /// Invoices by id.
    pub(crate) bills: BTreeMap<InvoiceId, Bill>,
    /// Latest promise by invoice.
    pub(crate) promises: HashMap<InvoiceId, PromiseFacts>,
    /// Latest dispute by invoice.
    pub(crate) disputes: HashMap<InvoiceId, DisputeFacts>,
    /// Latest plan by invoice.
    pub(crate) plans: HashMap<InvoiceId, PlanFacts>,
    /// Money by day of booking, of invoices that had any.
    pub(crate) paid: HashMap<InvoiceId, Vec<(NaiveDate, i64)>>,
    /// Credit notes by day of booking, of invoices that had any.
    pub(crate) credited: HashMap<InvoiceId, Vec<(NaiveDate, i64)>>,
    /// Latest discount for paying early, by invoice.
    pub(crate) incentives: HashMap<InvoiceId, IncentiveFacts>,
    /// What is waived of the charges.
    pub(crate) waivers: HashMap<InvoiceId, Vec<Waiver>>,
    /// Exceptions that were approved, of the customers and of classes.
    pub(crate) exceptions: Vec<ExceptionRow>,
    /// Rates and calendars.
    pub(crate) law: Arc<Law>,
}

impl Loaded {
    /// The snapshot of one invoice at an instant; nothing where the ledger lost its invoice or customer.
    pub(crate) fn facts(&self, invoice: &InvoiceId, now: Timestamp, settings: &Settings) -> Option<Facts> {
        let bill = self.bills.get(invoice)?;
        let id = CustomerId(bill.record.customer.clone());
        let client = self.clients.get(&id)?;
        let today = now.date_in(client.record.time_zone);
        let contacts = self.contacts.get(&id).into_iter().flatten().map(|(_, contact)| contact.clone()).collect();
        let plan = self.plans.get(invoice).cloned();
        let mut customer = customer_facts(client, today);
        customer.assume_reachable = settings.assume_reachable;
        customer.contact_points =
            self.points.get(&id).map(|points| points.iter().map(|p| p.fact.clone()).collect()).unwrap_or_default();
        customer.exceptions = self.exceptions(bill, client, today, now);
        let mut invoice_facts = invoice_facts(bill);
        invoice_facts.charges_minor = self.statement(invoice, today).map_or(0, |statement| statement.charges_minor());
        Some(Facts {
            invoice: invoice_facts,
            customer,
            promise: self.promises.get(invoice).cloned(),
            dispute: self.disputes.get(invoice).cloned(),
            plan,
            incentive: self.incentives.get(invoice).cloned(),
            contacts,
            contacts_total: client.tally.contacts_total,
            today,
        })
    }

    /// The rules that are lifted for an invoice and its customer at an instant.
    fn exceptions(&self, bill: &Bill, client: &Client, today: NaiveDate, now: Timestamp) -> Vec<Exception> {
        let about = |row: &&ExceptionRow| match (&row.customer, &row.class) {
            (Some(id), _) => id.as_str() == client.record.id,
            (None, Some(class)) => in_class(class, Some(bill), &client.record),
            (None, None) => false,
        };
        let standing = self.exceptions.iter().filter(|row| stands(row, today, now)).filter(about);
        standing.map(|row| Exception { name: row.id.clone(), rule: row.rule.clone() }).collect()
    }

    /// Interest and fixed sum of an invoice as of a date; nothing where no table is for its customer.
    pub(crate) fn statement(&self, invoice: &InvoiceId, as_of: NaiveDate) -> Option<Statement> {
        let bill = self.bills.get(invoice).filter(|bill| bill.record.due < as_of)?;
        let customer = &self.clients.get(&CustomerId(bill.record.customer.clone()))?.record;
        let rates = self.law.rates_for(&customer.country, &customer.kind, bill.record.amount.currency)?;
        let paid = self.paid.get(invoice).cloned().unwrap_or_default();
        let waivers = self.waivers.get(invoice).cloned().unwrap_or_default();
        let debt = Debt { waivers, ..debt(bill, paid) };
        let credited = self.credited.get(invoice).map_or(&[][..], Vec::as_slice);
        Some(interest::statement(rates, &debt.less_credits(credited, as_of), as_of))
    }

    /// Leaves rows of the contact ledger out.
    pub(crate) fn forget(&mut self, rows: &std::collections::BTreeSet<String>) {
        for contacts in self.contacts.values_mut() {
            contacts.retain(|(row, _)| !rows.contains(row));
        }
    }

    /// Adds a contact that an earlier case of the batch has just ordered, so that later ones predict with it.
    pub(crate) fn foresee(&mut self, customer: &CustomerId, row: String, contact: ContactMade) {
        let contacts = self.contacts.entry(customer.clone()).or_default();
        contacts.retain(|(known, _)| *known != row);
        contacts.push((row, contact));
        if let Some(client) = self.clients.get_mut(customer) {
            client.tally.contacts_total += 1;
        }
    }
}

/// The customer as decisions see it. Missing facts have their recorded defaults.
pub(crate) fn customer_facts(client: &Client, today: NaiveDate) -> CustomerFacts {
    let record = &client.record;
    let tally = &client.tally;
    CustomerFacts {
        id: CustomerId(record.id.clone()),
        kind: record.kind.clone(),
        segment: record.segment.clone(),
        country: record.country.clone(),
        subdivision: record.subdivision.clone(),
        locale: record.locale.clone(),
        time_zone: record.time_zone,
        risk: record.risk.clone().unwrap_or_else(|| "medium".to_owned()),
        risk_score: risk_score(record.risk.as_deref().unwrap_or("medium")),
        account_manager: record.account_manager.clone(),
        vulnerable: record.vulnerable,
        has_open_plan: tally.open_plans > 0,
        late_payments_12m: late_12m(tally, today),
        broken_promises: tally.broken_promises,
        kept_promises: tally.kept_promises,
        matured_minor: matured(tally),
        late_reason: tally.late_reason.as_ref().map(|late| (late.reason.clone(), late.on)),
        open_invoices: tally.open_invoices,
        total_minor: tally.total_minor.iter().filter_map(|(code, m)| Some((code.parse().ok()?, *m))).collect(),
        last_reply_on: tally.last_reply_on,
        tags: record.tags.clone(),
        contact_points: Vec::new(),
        assume_reachable: false,
        inconvenient: times(tally.inconvenient_times.as_deref()),
        preferred: times(tally.preferred_times.as_deref()),
        exceptions: Vec::new(),
        x: record.x.clone(),
    }
}

/// Times of the week as they were said; they were read before they were stored.
fn times(said: Option<&str>) -> Vec<Opening> {
    said.and_then(|text| recobro_kernel::consent::hours(text).ok()).unwrap_or_default()
}

/// What promises that matured promised, and what was paid of it.
fn matured(tally: &Aggregates) -> BTreeMap<Currency, (i64, i64)> {
    let paid = |code: &String| tally.honoured_minor.get(code).copied().unwrap_or(0);
    tally
        .promised_minor
        .iter()
        .filter_map(|(code, promised)| Some((code.parse().ok()?, (*promised, paid(code)))))
        .collect()
}

/// The invoice as decisions see it.
pub(crate) fn invoice_facts(bill: &Bill) -> InvoiceFacts {
    let record = &bill.record;
    InvoiceFacts {
        id: InvoiceId(record.id.clone()),
        number: record.number.clone(),
        product: record.product.clone(),
        currency: record.amount.currency,
        issued: record.issued,
        due: record.due,
        amount_minor: record.amount.minor,
        balance_minor: bill.balance_minor,
        // They depend on the day: [`Loaded::facts`] adds them.
        charges_minor: 0,
        disputed_minor: bill.disputed_minor,
        retained_minor: bill.retained_minor,
        not_due_minor: bill.not_due_minor,
        last_payment_on: bill.last_payment_on,
        reference: if record.reference.is_empty() { record.number.clone() } else { record.reference.clone() },
        closed: bill.closed_by.is_some(),
        x: record.x.clone(),
    }
}

/// The debt that interest is computed from.
fn debt(bill: &Bill, paid: Vec<(NaiveDate, i64)>) -> Debt {
    let record = &bill.record;
    Debt {
        due: record.due,
        amount_minor: record.amount.minor,
        currency: record.amount.currency,
        paid,
        waivers: Vec::new(),
    }
}

/// A waiver as statements read it.
pub(crate) fn waiver_of(row: &recobro_store::waivers::WaiverRow) -> Option<Waiver> {
    let of = Waives::parse(&row.kind)?;
    Some(Waiver { on: row.waived_on, of, minor: row.amount_minor, reason: row.reason.clone() })
}

/// A score for a grade, where the ledger gives a grade only.
pub(crate) fn risk_score(risk: &str) -> i64 {
    match risk {
        "low" => 20,
        "high" => 80,
        _ => 50,
    }
}

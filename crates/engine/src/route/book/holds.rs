//! Holds that people place: the cases they are about hear of them, those that open later as well.

use super::{Bill, Book, Origin};
use chrono::NaiveDate;
use recobro_connectors::source::record::Customer;
use recobro_kernel::ids::{CaseId, CustomerId, InvoiceId};
use recobro_kernel::time::Timestamp;
use recobro_kernel::value::Value;
use recobro_store::holds::HoldRow;

/// A hold in the working set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The row.
    pub(crate) row: HoldRow,
    /// Row must be written.
    pub(crate) changed: bool,
}

/// A hold on a class: its cases hear of it page by page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClassNews {
    /// The hold, placed or released.
    pub(crate) hold: Standing,
    /// Source of the news.
    pub(crate) source: String,
    /// Kind of row.
    pub(crate) kind: String,
    /// Its key.
    pub(crate) key: String,
    /// When.
    pub(crate) at: Timestamp,
}

/// News that a case hears when it opens: source, key, fields.
pub(super) type Heard = (&'static str, String, String, Vec<(&'static str, Value)>);

impl Standing {
    fn lasts_to(&self, on: NaiveDate) -> bool {
        self.row.released_on.is_none() && on <= self.row.until_on
    }

    fn placed(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("hold", Value::text(&self.row.id)),
            ("reason", Value::text(&self.row.reason)),
            ("until", Value::Date(self.row.until_on)),
        ]
    }

    fn released(&self) -> Vec<(&'static str, Value)> {
        vec![("hold", Value::text(&self.row.id)), ("reason", Value::text(&self.row.reason))]
    }

    /// Whether it is about an invoice of a customer.
    fn is_about(&self, bill: &Bill, customer: &Customer) -> bool {
        match self.row.scope.as_str() {
            "invoice" => self.row.invoice.as_ref().is_some_and(|id| id.as_str() == bill.record.id),
            "customer" => self.row.customer.as_ref().is_some_and(|id| id.as_str() == bill.record.customer),
            _ => self.row.class.as_deref().is_some_and(|class| in_class(class, Some(bill), customer)),
        }
    }
}

/// What a class may be named by: paths as playbooks write them.
pub(crate) const PATHS: &[&str] = &[
    "customer.country",
    "customer.kind",
    "customer.locale",
    "customer.segment",
    "customer.subdivision",
    "customer.tags",
    "customer.vulnerable",
    "invoice.currency",
    "invoice.product",
];

/// Whether every test of a class is true, one a line. Without an invoice only what is said of the customer is asked.
pub(crate) fn in_class(class: &str, bill: Option<&Bill>, record: &Customer) -> bool {
    class.lines().all(|test| {
        let Some((path, value)) = test.split_once('=') else { return false };
        match path.trim() {
            "customer.country" => record.country == value,
            "customer.kind" => record.kind == value,
            "customer.locale" => record.locale == value,
            "customer.segment" => record.segment == value,
            "customer.subdivision" => record.subdivision.as_deref() == Some(value),
            "customer.tags" => record.tags.iter().any(|tag| tag == value),
            "customer.vulnerable" => record.vulnerable.to_string() == value,
            "invoice.currency" => bill.is_none_or(|bill| bill.record.amount.currency.code() == value),
            "invoice.product" => bill.is_none_or(|bill| bill.record.product == value),
            _ => false,
        }
    })
}

impl Book {
    /// People place a hold.
    pub(crate) fn place_hold(&mut self, row: HoldRow, origin: &Origin<'_>) {
        let hold = Standing { row, changed: true };
        self.tell_of_hold(&hold, origin);
        self.holds.push(hold);
    }

    /// The open cases in the book that a hold is about hear that it stands, or that it was released. Those of a class
    /// are too many for one book: it is kept for [`crate::route::classes`].
    fn tell_of_hold(&mut self, hold: &Standing, origin: &Origin<'_>) {
        if hold.row.scope == "class" {
            let (source, kind, key) = (origin.source.to_owned(), origin.kind.to_owned(), origin.key.to_owned());
            self.class_news.push(ClassNews { hold: hold.clone(), source, kind, key, at: origin.at });
        } else {
            self.tell_about(hold, origin);
        }
    }

    /// The open cases in the book that a hold is about hear that it stands, or that it was released.
    pub(crate) fn tell_about(&mut self, hold: &Standing, origin: &Origin<'_>) {
        let (name, fields) = if hold.row.released_on.is_some() {
            ("hold.released", hold.released())
        } else {
            ("hold.placed", hold.placed())
        };
        for case in self.cases_about(hold) {
            self.tell(case, name, origin, fields.clone());
        }
    }

    /// People release a hold before its end. Says whether it stood.
    pub(crate) fn release_hold(&mut self, id: &str, by: &str, on: NaiveDate, origin: &Origin<'_>) -> bool {
        let Some(index) = self.holds.iter().position(|hold| hold.row.id == id && hold.row.released_on.is_none()) else {
            return false;
        };
        let hold = &mut self.holds[index];
        hold.row.released_on = Some(on);
        hold.row.released_by = Some(by.to_owned());
        hold.changed = true;
        let hold = hold.clone();
        self.tell_of_hold(&hold, origin);
        true
    }

    /// Open cases of the invoices that a hold is about.
    fn cases_about(&self, hold: &Standing) -> Vec<CaseId> {
        let about = |bill: &&Bill| {
            let client = self.clients.get(&CustomerId(bill.record.customer.clone()));
            client.is_some_and(|client| hold.is_about(bill, &client.record))
        };
        self.bills.values().filter(about).filter_map(|bill| bill.case).collect()
    }

    /// A hold that stands on an invoice on a day.
    pub(crate) fn hold_on(&self, invoice: &InvoiceId, on: NaiveDate) -> Option<&HoldRow> {
        let (bill, client) = (self.bills.get(invoice)?, self.client_of(invoice)?);
        let about = |hold: &&Standing| hold.lasts_to(on) && hold.is_about(bill, &client.record);
        self.holds.iter().find(about).map(|hold| &hold.row)
    }

    /// The holds that a case hears of when it opens.
    pub(super) fn standing_holds(&self, invoice: &InvoiceId, at: Timestamp) -> Vec<Heard> {
        let (Some(bill), Some(client)) = (self.bills.get(invoice), self.client_of(invoice)) else { return Vec::new() };
        let on = at.date_in(client.record.time_zone);
        let holds = self.holds.iter().filter(|hold| hold.lasts_to(on) && hold.is_about(bill, &client.record));
        holds.map(|hold| ("hold.placed", hold.row.source.clone(), hold.row.id.clone(), hold.placed())).collect()
    }

    /// A customer who came into a class, or left it, hears of its holds.
    pub(super) fn reclass(&mut self, before: &Customer, customer: &CustomerId, origin: &Origin<'_>) {
        let Some(now) = self.clients.get(customer).map(|client| client.record.clone()) else { return };
        let bills = self.bills.values().filter(|bill| bill.record.customer == customer.as_str());
        let bills: Vec<Bill> = bills.filter(|bill| bill.case.is_some()).cloned().collect();
        for hold in self.class_holds(&now, origin) {
            for bill in &bills {
                let (was, is) = (hold.is_about(bill, before), hold.is_about(bill, &now));
                self.tell_moved(bill, &hold, (was, is), origin);
            }
        }
    }

    /// An invoice that came into a class, or left it, hears of its holds.
    pub(super) fn reclass_invoice(&mut self, before: &Bill, id: &InvoiceId, origin: &Origin<'_>) {
        let Some(now) = self.bills.get(id).filter(|bill| bill.case.is_some()).cloned() else { return };
        let Some(client) = self.client_of(id).map(|client| client.record.clone()) else { return };
        for hold in self.class_holds(&client, origin) {
            let (was, is) = (hold.is_about(before, &client), hold.is_about(&now, &client));
            self.tell_moved(&now, &hold, (was, is), origin);
        }
    }

    /// Holds on classes that last to the day of some news.
    fn class_holds(&self, customer: &Customer, origin: &Origin<'_>) -> Vec<Standing> {
        let on = origin.at.date_in(customer.time_zone);
        self.holds.iter().filter(|hold| hold.row.scope == "class" && hold.lasts_to(on)).cloned().collect()
    }

    fn tell_moved(&mut self, bill: &Bill, hold: &Standing, (was, is): (bool, bool), origin: &Origin<'_>) {
        let Some(case) = bill.case.filter(|_| was != is) else { return };
        let key = format!("{}/{}", origin.key, hold.row.id);
        let origin = Origin { key: &key, ..origin.clone() };
        let (name, fields) = if is { ("hold.placed", hold.placed()) } else { ("hold.released", hold.released()) };
        self.tell(case, name, &origin, fields);
    }
}

//! Normalised records become inbound rows; the same row again is answered as such, never taken twice.
//!
//! A civil date becomes 00:00 in the customer's zone. The zones of customers and invoices seen in this delivery are
//! remembered in 16 bytes each, so that a million rows fit; what an earlier delivery brought is looked up.

use crate::{Engine, Error};
use chrono_tz::Tz;
use recobro_connectors::source::record::Record;
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::time::Timestamp;

use recobro_store::inbound::{self, NewInbound, Receipt};
use recobro_store::{Tx, customers, invoices};
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashMap};
use std::hash::{Hash as _, Hasher as _};

/// Records of one transaction.
const BATCH: usize = 1_000;

/// What became of a delivery of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// New or changed rows.
    pub accepted: u64,
    /// Rows that were known with the same content.
    pub unchanged: u64,
}

/// Zones by a 64-bit name of customer or invoice.
#[derive(Default)]
struct Zones(HashMap<u64, Tz>);

impl Zones {
    fn key(kind: &str, name: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        (kind, name).hash(&mut hasher);
        hasher.finish()
    }

    fn put(&mut self, kind: &str, name: &str, zone: Tz) {
        self.0.insert(Self::key(kind, name), zone);
    }

    fn get(&self, kind: &str, name: &str) -> Option<Tz> {
        self.0.get(&Self::key(kind, name)).copied()
    }

    /// The zone of a record, if its customer or invoice is known here.
    fn of(&self, record: &Record) -> Option<Tz> {
        let invoice = |name: &str| self.get("invoice", name);
        let customer = |name: &str| self.get("customer", name);
        match record {
            Record::Customer(c) => Some(c.time_zone),
            Record::Invoice(i) => customer(&i.customer),
            Record::Payment(p) => p.names().find_map(invoice).or_else(|| p.customer.as_deref().and_then(customer)),
            Record::Match(_) => None,
            Record::Consent(c) => customer(&c.customer),
            Record::Dispute(d) => invoice(&d.invoice),
            Record::Incentive(i) => invoice(&i.invoice),
            Record::Waiver(w) => invoice(&w.invoice),
            Record::Credit(c) => invoice(&c.invoice),
            Record::Promise(p) => {
                p.customer.as_deref().and_then(customer).or_else(|| p.invoices.first().and_then(|name| invoice(name)))
            }
            Record::Reply(r) => {
                r.customer.as_deref().and_then(customer).or_else(|| r.invoice.as_deref().and_then(invoice))
            }
            Record::Event(e) => {
                e.customer.as_deref().and_then(customer).or_else(|| e.invoice.as_deref().and_then(invoice))
            }
            Record::Plan(_) | Record::Hold(_) => {
                let (first, owner) = named_by(record);
                owner.and_then(customer).or_else(|| first.and_then(invoice))
            }
        }
    }

    fn learn(&mut self, record: &Record) {
        match record {
            Record::Customer(c) => self.put("customer", &c.id, c.time_zone),
            Record::Invoice(i) => {
                if let Some(zone) = self.get("customer", &i.customer) {
                    self.put("invoice", &i.id, zone);
                    self.put("invoice", &i.number, zone);
                }
            }
            Record::Payment(_)
            | Record::Dispute(_)
            | Record::Promise(_)
            | Record::Reply(_)
            | Record::Event(_)
            | Record::Match(_)
            | Record::Plan(_)
            | Record::Hold(_)
            | Record::Credit(_)
            | Record::Waiver(_)
            | Record::Incentive(_)
            | Record::Consent(_) => {}
        }
    }
}

impl Engine {
    /// Stores records of one source as inbound rows, in batches; they are routed when their time has come.
    ///
    /// # Errors
    /// [`Error::Store`]; the batches before it stay, and taking the same records again is harmless.
    pub async fn receive(
        &self,
        source: &str,
        records: &mut (dyn Iterator<Item = Record> + Send),
    ) -> Result<Received, Error> {
        let mut zones = Zones::default();
        let mut received = Received::default();
        loop {
            let batch: Vec<Record> = records.take(BATCH).collect();
            if batch.is_empty() {
                return Ok(received);
            }
            let mut tx = self.store.begin().await?;
            look_up(&mut tx, &mut zones, &batch).await?;
            let rows: Vec<NewInbound> = batch.iter().map(|record| self.row(source, record, &mut zones)).collect();
            for receipt in inbound::insert(&mut tx, &rows, self.clock.now()).await? {
                match receipt {
                    Receipt::Accepted => received.accepted += 1,
                    Receipt::Unchanged => received.unchanged += 1,
                }
            }
            tx.commit().await?;
            self.settings.faults.pass("receive.committed")?;
        }
    }

    fn row(&self, source: &str, record: &Record, zones: &mut Zones) -> NewInbound {
        zones.learn(record);
        let zone = zones.of(record).unwrap_or(self.settings.creditor.time_zone);
        // A customer is known from the beginning of time; in a virtual run a changed one from now on.
        let at = record
            .at_in(zone)
            .unwrap_or_else(|| if self.clock.is_virtual() { self.clock.now() } else { Timestamp::default() });
        inbound_row(source, record, at)
    }

    /// The row that a record would be, looked up alone.
    pub(crate) async fn row_of(&self, tx: &mut Tx, source: &str, record: &Record) -> Result<NewInbound, Error> {
        let mut zones = Zones::default();
        look_up(tx, &mut zones, std::slice::from_ref(record)).await?;
        Ok(self.row(source, record, &mut zones))
    }
}

/// The first invoice and the customer that an agreement names.
fn named_by(record: &Record) -> (Option<&str>, Option<&str>) {
    match record {
        Record::Plan(plan) => {
            let (invoices, customer) = plan.names();
            (invoices.first().map(String::as_str), customer)
        }
        Record::Hold(hold) => hold.names(),
        _ => (None, None),
    }
}

/// A record as an inbound row.
pub(crate) fn inbound_row(source: &str, record: &Record, at: Timestamp) -> NewInbound {
    let body = record.body();
    NewInbound {
        source: source.to_owned(),
        kind: record.kind().to_owned(),
        external_id: record.external_id(),
        at,
        rank: i64::from(record.order()),
        hash: recobro_kernel::ids::Hash::of(body.as_bytes()),
        body,
    }
}

/// Zones of what earlier deliveries brought: two queries for a batch, none where everything is known.
async fn look_up(tx: &mut Tx, zones: &mut Zones, batch: &[Record]) -> Result<(), Error> {
    let mut clients: BTreeSet<CustomerId> = BTreeSet::new();
    let mut bills: BTreeSet<InvoiceId> = BTreeSet::new();
    let mut here = Zones::default();
    for record in batch {
        here.learn(record);
        if zones.of(record).is_some() || here.of(record).is_some() || record.at().is_some() {
            continue;
        }
        match record {
            Record::Invoice(i) => {
                clients.insert(CustomerId(i.customer.clone()));
            }
            Record::Payment(p) => bills.extend(p.names().map(InvoiceId::from)),
            Record::Dispute(d) => {
                bills.insert(InvoiceId(d.invoice.clone()));
            }
            Record::Credit(c) => {
                bills.insert(InvoiceId(c.invoice.clone()));
            }
            Record::Waiver(w) => {
                bills.insert(InvoiceId(w.invoice.clone()));
            }
            Record::Incentive(i) => {
                bills.insert(InvoiceId(i.invoice.clone()));
            }
            Record::Promise(p) => {
                clients.extend(p.customer.iter().map(|id| CustomerId(id.clone())));
                bills.extend(p.invoices.iter().map(|id| InvoiceId(id.clone())));
            }
            Record::Reply(r) => {
                clients.extend(r.customer.iter().map(|id| CustomerId(id.clone())));
                bills.extend(r.invoice.iter().map(|id| InvoiceId(id.clone())));
            }
            Record::Event(e) => {
                clients.extend(e.customer.iter().map(|id| CustomerId(id.clone())));
                bills.extend(e.invoice.iter().map(|id| InvoiceId(id.clone())));
            }
            Record::Plan(_) | Record::Hold(_) => {
                let (first, owner) = named_by(record);
                clients.extend(owner.map(|id| CustomerId(id.to_owned())));
                bills.extend(first.map(InvoiceId::from));
            }
            Record::Consent(c) => {
                clients.insert(CustomerId(c.customer.clone()));
            }
            Record::Customer(_) | Record::Match(_) => {}
        }
    }
    let mut owners: HashMap<CustomerId, Vec<String>> = HashMap::new();
    if !bills.is_empty() {
        let bills: Vec<InvoiceId> = bills.into_iter().collect();
        for row in invoices::get(tx, &bills).await?.into_values() {
            owners.entry(row.customer.clone()).or_default().push(row.id.0);
            clients.insert(row.customer);
        }
    }
    if clients.is_empty() {
        return Ok(());
    }
    let clients: Vec<CustomerId> = clients.into_iter().collect();
    for row in customers::get(tx, &clients).await?.into_values() {
        let Ok(zone) = row.time_zone.parse() else { continue };
        zones.put("customer", row.id.as_str(), zone);
        for invoice in owners.remove(&row.id).unwrap_or_default() {
            zones.put("invoice", &invoice, zone);
        }
    }
    Ok(())
}

//! Between the store's rows and the engine's nouns: loads and saves working sets, snapshots and outcomes, each in a
//! fixed number of queries whatever the size of the batch.

mod save;

pub(crate) use save::{event_row, own_event, save, save_and_tell, tell};

use crate::facts::{Loaded, Point};
use crate::route::book::holds::Standing;
use crate::route::book::plans::{Scheme, parts};
use crate::route::book::{Bill, Book, Client, Pledge, Quarrel};
use crate::{Engine, Error};
use recobro_connectors::source::record;
use recobro_kernel::case::Case;
use recobro_kernel::consent::Consent;
use recobro_kernel::event::Event;
use recobro_kernel::facts::{
    Channel, Class, ContactMade, ContactPoint, DisputeFacts, IncentiveFacts, PlanFacts, PromiseFacts,
};
use recobro_kernel::ids::{CustomerId, Hash, InvoiceId};
use recobro_kernel::money::{Currency, Money};
use recobro_kernel::time::Timestamp;
use recobro_store::contacts::ContactRow;
use recobro_store::customers::{ContactPointRow, CustomerRow};
use recobro_store::disputes::DisputeRow;
use recobro_store::facts::Wanted;
use recobro_store::invoices::InvoiceRow;
use recobro_store::plans::PlanRow;
use recobro_store::promises::PromiseRow;
use recobro_store::{CaseNo, Tx, cases, customers, events, holds, invoices, payments, plans, promises};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Cases that a batch takes at most to be whole by customer.
const CUSTOMERS_WHOLE: i64 = 1_000;

/// A case with its news, ready for a turn.
pub(crate) struct Claimed {
    /// The database's number.
    pub(crate) no: CaseNo,
    /// Hash of its last history row.
    pub(crate) head: Hash,
    /// The case.
    pub(crate) case: Case,
    /// Why now.
    pub(crate) due_at: Timestamp,
    /// Unread news in order of arrival.
    pub(crate) events: Vec<Event>,
    /// When the first news of a later moment is due: the case must not sleep past it.
    pub(crate) later: Option<Timestamp>,
    /// Its worker had it in its hands: nobody has locked it.
    pub(crate) carried: bool,
}

fn corrupt(what: impl Into<String>, cause: &dyn std::fmt::Display) -> Error {
    Error::Corrupt { what: what.into(), cause: cause.to_string() }
}

/// Reads a case's snapshot.
pub(crate) fn case_of(row: &cases::Claimed) -> Result<Case, Error> {
    serde_json::from_str(&row.state).map_err(|cause| corrupt(format!("state of case {}", row.id), &cause))
}

/// Claims cases to wake at or before an instant, with their unread news. Where more is due than `limit`, a worker in real
/// time also takes what else is due of the same customers: what they say together is decided together.
pub(crate) async fn claim_due(tx: &mut Tx, until: Timestamp, limit: usize, whole: bool) -> Result<Vec<Claimed>, Error> {
    let mut rows = cases::claim_due(tx, until, i64::try_from(limit).unwrap_or(i64::MAX)).await?;
    if whole && rows.len() == limit {
        let customers = unique(&rows.iter().map(|row| row.customer.clone()).collect::<Vec<_>>());
        let taken: BTreeSet<CaseNo> = rows.iter().map(|row| row.no).collect();
        let more = cases::claim_due_of(tx, &customers, until, CUSTOMERS_WHOLE).await?;
        rows.extend(more.into_iter().filter(|row| !taken.contains(&row.no)));
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<CaseNo> = rows.iter().map(|row| row.no).collect();
    let mut news = events::unread(tx, &numbers, Timestamp::MAX).await?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in rows {
        let case = case_of(&row)?;
        let (events, later) = split_news(news.remove(&row.no).unwrap_or_default(), until)?;
        let due_at = row.due_at.unwrap_or(until);
        claimed.push(Claimed { no: row.no, head: row.head, case, due_at, events, later, carried: false });
    }
    Ok(claimed)
}

/// The unread news up to an instant, and when the first one behind it is due.
pub(crate) fn split_news(
    rows: Vec<events::NewEvent>,
    until: Timestamp,
) -> Result<(Vec<Event>, Option<Timestamp>), Error> {
    let (mut unread, mut later) = (Vec::new(), None);
    for event in rows {
        if event.at > until {
            later = Some(later.map_or(event.at, |first: Timestamp| first.min(event.at)));
            continue;
        }
        let read = serde_json::from_str(&event.body);
        unread.push(read.map_err(|cause| corrupt(format!("event {}", event.id), &cause))?);
    }
    Ok((unread, later))
}

/// Cases by number, as they are now.
pub(crate) async fn seen_cases(tx: &mut Tx, numbers: &[CaseNo]) -> Result<BTreeMap<CaseNo, Case>, Error> {
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.is_empty() {
        return Ok(BTreeMap::new());
    }
    cases::seen(tx, &numbers).await?.iter().map(|row| Ok((row.no, case_of(row)?))).collect()
}

/// Loads what turns over these invoices may know.
pub(crate) async fn load_facts(
    engine: &Engine,
    tx: &mut Tx,
    (invoices, customers): (&[InvoiceId], &[CustomerId]),
    now: Timestamp,
) -> Result<Loaded, Error> {
    let since = engine.contacts_since(now);
    let wanted = Wanted {
        invoices: unique(invoices),
        customers: unique(customers),
        contacts_since: Some(since),
        // A day of slack: the customer's date may lie behind.
        exceptions_on: Some(recobro_kernel::case::shift(now.date_in(chrono_tz::Tz::UTC), -1)),
        promises: true,
        disputes: true,
        plans: true,
    };
    let found = recobro_store::facts::load(tx, &wanted).await?;
    let law = Arc::clone(&engine.shelf.law);
    let mut loaded = Loaded { law, exceptions: found.exceptions, ..Loaded::default() };
    let mut aggregates = found.aggregates;
    for (id, row) in found.customers {
        let tally = aggregates.remove(&id).unwrap_or_default();
        loaded.clients.insert(id, client_of(row, tally)?);
    }
    for (id, points) in found.points {
        let said = crate::consent::standing(found.consents.get(&id).map_or(&[][..], Vec::as_slice));
        let point = |row: ContactPointRow| point_of(row, &said);
        loaded.points.insert(id, points.into_iter().filter_map(point).collect());
    }
    for (id, rows) in found.contacts {
        loaded.contacts.insert(id, rows.into_iter().filter_map(contact_of).collect());
    }
    loaded.bills = found.invoices.into_iter().map(|(id, row)| (id, bill_of(row))).collect();
    let numbers = numbers_of(tx, &found.promises, &loaded.bills).await?;
    let promise = |row: PromiseRow| PromiseFacts {
        id: row.id,
        made_on: row.made_on,
        date: row.due_on,
        amount_minor: row.amount_minor,
        limit: row.limit_on,
        method: Some(row.method).filter(|method| !method.is_empty()),
        invoices: row.invoices.iter().filter_map(|id| numbers.get(id).cloned()).collect(),
        status: row.status,
    };
    loaded.promises = found.promises.into_iter().map(|(id, row)| (id, promise(row))).collect();
    let dispute = |row: DisputeRow| DisputeFacts { reason: row.reason, outcome: row.outcome, opened_on: row.opened_on };
    loaded.disputes = found.disputes.into_iter().map(|(id, row)| (id, dispute(row))).collect();
    loaded.paid = found.paid.into_iter().collect();
    loaded.plans = found.plans.into_iter().map(|(id, row)| (id, plan_facts(row))).collect();
    loaded.credited = found.credited.into_iter().collect();
    let incentive = |row: recobro_store::incentives::IncentiveRow| IncentiveFacts {
        amount_minor: row.amount_minor,
        until: row.until_on,
        status: row.status,
    };
    loaded.incentives = found.incentives.into_iter().map(|(id, row)| (id, incentive(row))).collect();
    let waivers = |rows: Vec<_>| rows.iter().filter_map(crate::facts::waiver_of).collect();
    loaded.waivers = found.waivers.into_iter().map(|(id, rows)| (id, waivers(rows))).collect();
    Ok(loaded)
}

fn plan_facts(row: PlanRow) -> PlanFacts {
    PlanFacts {
        parts: parts(&row.instalments),
        id: row.id,
        status: row.status,
        method: row.method,
        default_after: row.default_after,
        valid_until: row.valid_until,
        re_ages: row.re_ages,
    }
}

/// Printed numbers of the invoices that promises cover: of those that the batch did not load anyway in one query.
async fn numbers_of(
    tx: &mut Tx,
    promises: &BTreeMap<InvoiceId, PromiseRow>,
    known: &BTreeMap<InvoiceId, Bill>,
) -> Result<BTreeMap<InvoiceId, String>, Error> {
    let covered: BTreeSet<&InvoiceId> = promises.values().flat_map(|row| &row.invoices).collect();
    let of = |id: &InvoiceId| Some((id.clone(), known.get(id)?.record.number.clone()));
    let mut numbers: BTreeMap<_, _> = covered.iter().filter_map(|id| of(id)).collect();
    let others: Vec<InvoiceId> = covered.into_iter().filter(|id| !known.contains_key(*id)).cloned().collect();
    if !others.is_empty() {
        numbers.extend(invoices::get(tx, &others).await?.into_iter().map(|(id, row)| (id, row.number)));
    }
    Ok(numbers)
}

/// Ordered, without repeats.
pub(crate) fn unique<T: Ord + Clone>(items: &[T]) -> Vec<T> {
    items.iter().cloned().collect::<BTreeSet<T>>().into_iter().collect()
}

fn point_of(row: ContactPointRow, said: &BTreeMap<Channel, Consent>) -> Option<Point> {
    let channel = Channel::parse(&row.channel)?;
    let mut consent = said.get(&channel).cloned().unwrap_or_default();
    if row.role == "attorney" {
        // What customers refuse is about themselves: whom they named to speak for them is to be written to.
        consent.refused.clear();
    }
    let fact = ContactPoint { id: row.id, channel, role: row.role, usable: row.usable, consent };
    Some(Point { fact, name: row.name, address: row.address })
}

fn contact_of(row: ContactRow) -> Option<(String, ContactMade)> {
    let contact = ContactMade {
        at: row.at,
        on: row.local_on,
        channel: Channel::parse(&row.channel)?,
        class: Class::parse(&row.class)?,
        group: row.group,
        invoice: row.invoice,
        talk: row.talk,
        left: true,
    };
    Some((row.id, contact))
}

/// The customer of a row; its contact points are rows of their own.
pub(crate) fn customer_of(row: CustomerRow) -> Result<record::Customer, Error> {
    let time_zone = row.time_zone.parse().map_err(|cause| corrupt(format!("time zone of {}", row.id), &cause))?;
    Ok(record::Customer {
        id: row.id.0,
        name: row.name,
        kind: row.kind,
        segment: row.segment,
        country: row.country,
        subdivision: row.subdivision,
        locale: row.locale,
        time_zone,
        risk: Some(row.risk),
        account_manager: row.account_manager,
        vulnerable: row.vulnerable,
        tags: row.tags,
        contact_points: Vec::new(),
        x: row.x,
    })
}

fn client_of(mut row: CustomerRow, tally: customers::Aggregates) -> Result<Client, Error> {
    let (defaults, source) = (std::mem::take(&mut row.defaults), std::mem::take(&mut row.source));
    Ok(Client {
        record: customer_of(row)?,
        tally,
        changed: false,
        points_changed: false,
        tally_changed: false,
        defaults,
        source,
    })
}

fn bill_of(row: InvoiceRow) -> Bill {
    let record = record::Invoice {
        id: row.id.0,
        number: row.number,
        customer: row.customer.0,
        issued: row.issued_on,
        due: row.due_on,
        amount: Money::new(row.amount_minor, row.currency),
        product: row.product,
        reference: row.reference,
        x: row.x,
        at: None,
    };
    Bill {
        record,
        balance_minor: row.balance_minor,
        disputed_minor: row.disputed_minor,
        retained_minor: row.retained_minor,
        not_due_minor: row.not_due_minor,
        last_payment_on: row.last_payment_on,
        closed_by: row.closed,
        case: None,
        tolerance_minor: 0,
        cases: 0,
        source: row.source,
        changed: false,
    }
}

fn pledge_of(row: PromiseRow, currency: Currency) -> Pledge {
    let text = |text: String| if text.is_empty() { None } else { Some(text) };
    Pledge {
        id: row.id,
        customer: row.customer,
        invoices: row.invoices,
        made_on: row.made_on,
        date: row.due_on,
        amount: Money::new(row.amount_minor, currency),
        paid_minor: row.paid_minor,
        limit_on: row.limit_on,
        limit_at: row.limit_at,
        status: row.status,
        method: text(row.method),
        by: text(row.by),
        source: row.source,
        changed: false,
    }
}

fn quarrel_of(row: DisputeRow) -> Quarrel {
    Quarrel {
        id: row.id,
        invoice: row.invoice,
        reason: row.reason,
        amount_minor: row.amount_minor,
        opened_on: row.opened_on,
        closed_on: row.closed_on,
        outcome: row.outcome,
        owner: row.owner,
        answer_by: row.answer_by,
        credited_minor: row.credited_minor,
        awaits_credit: row.awaits_credit,
        overdue_at: row.overdue_at,
        source: row.source,
        changed: false,
    }
}

/// What a batch of rows names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    /// Invoices by id or number.
    pub(crate) invoices: BTreeSet<String>,
    /// Customers by id.
    pub(crate) customers: BTreeSet<CustomerId>,
    /// Payments that come, or that a person matches.
    pub(crate) payments: BTreeSet<String>,
    /// Whether money is taken back.
    pub(crate) returns: bool,
    /// Promises that come.
    pub(crate) promises: BTreeSet<String>,
    /// Plans that something happens to.
    pub(crate) plans: BTreeSet<String>,
    /// Holds that something happens to.
    pub(crate) holds: BTreeSet<String>,
    /// Customers whose open invoices are wanted (a promise over all of them, a changed customer).
    pub(crate) all_of: BTreeSet<CustomerId>,
    /// Customers whose open cases are told.
    pub(crate) told: BTreeSet<CustomerId>,
}

impl Keys {
    /// The keys of rows that each concern a customer and some of their invoices.
    pub(crate) fn of<'a, I: IntoIterator<Item = &'a InvoiceId>>(
        rows: impl Iterator<Item = (&'a CustomerId, I)>,
    ) -> Self {
        let mut keys = Self::default();
        for (customer, invoices) in rows {
            keys.customers.insert(customer.clone());
            keys.invoices.extend(invoices.into_iter().map(|id| id.0.clone()));
        }
        keys
    }
}

/// Loads the working set that a batch of rows names, to be changed in memory and written back by [`save()`].
///
/// On PostgreSQL the customers concerned are locked before anything is read that will be written: every writer of a
/// balance, a promise, a dispute or a count holds the lock of its customer, so nothing is lost between read and write.
/// The order is everywhere the same: rows of inbound or outbox, customers by id, everything else. A batch whose working
/// set widens locks once more, out of order; two workers may then wait for each other, which the database ends as a
/// conflict, and the transaction is run again.
pub(crate) async fn load_book(engine: &Engine, tx: &mut Tx, keys: &Keys) -> Result<Book, Error> {
    let mut book = Book { law: Arc::clone(&engine.shelf.law), ..Book::default() };
    let keys = &follow(tx, keys, &mut book).await?;
    lock_owners(tx, keys).await?;
    let ids: Vec<InvoiceId> = keys.invoices.iter().map(|id| InvoiceId(id.clone())).collect();
    if !ids.is_empty() {
        let found = invoices::get(tx, &ids).await?;
        let missing: Vec<String> = ids.iter().filter(|id| !found.contains_key(*id)).map(|id| id.0.clone()).collect();
        book.bills = found.into_iter().map(|(id, row)| (id, bill_of(row))).collect();
        if !missing.is_empty() {
            for row in invoices::by_name(tx, &missing).await? {
                book.name(&row.number, &row.id);
                book.name(&row.reference, &row.id);
                book.bills.entry(row.id.clone()).or_insert_with(|| bill_of(row));
            }
        }
    }
    if !keys.payments.is_empty() {
        let ids: Vec<String> = keys.payments.iter().cloned().collect();
        book.unapplied = payments::get(tx, &ids).await?.into_iter().map(|row| (row.id.clone(), row)).collect();
    }
    if !keys.promises.is_empty() {
        let ids: Vec<String> = keys.promises.iter().cloned().collect();
        let known = promises::get(tx, &ids).await?.into_iter().filter(|row| row.status != "open");
        book.judged = known.map(|row| (row.id, row.status)).collect();
    }
    if !keys.all_of.is_empty() {
        let all: Vec<CustomerId> = keys.all_of.iter().cloned().collect();
        for row in invoices::open_of(tx, &all).await? {
            book.bills.entry(row.id.clone()).or_insert_with(|| bill_of(row));
        }
    }
    let mut owners: BTreeSet<CustomerId> = keys.customers.union(&keys.all_of).cloned().collect();
    owners.extend(keys.told.iter().cloned());
    owners.extend(book.bills.values().map(|bill| CustomerId(bill.record.customer.clone())));
    let owners: Vec<CustomerId> = owners.into_iter().collect();
    load_clients(tx, &mut book, &owners).await?;
    load_plans(tx, &mut book, keys).await?;
    load_holds(engine, tx, &mut book, &owners).await?;
    if keys.returns {
        let ids: Vec<InvoiceId> = book.bills.keys().cloned().collect();
        book.forgiven = payments::forgiven(tx, &ids).await?;
    }
    load_claims(tx, &mut book).await?;
    load_open_cases(engine, tx, &mut book).await?;
    if !keys.told.is_empty() {
        let told: Vec<CustomerId> = keys.told.iter().cloned().collect();
        for (customer, no, case) in cases::open_of_customers(tx, &told).await? {
            book.numbers.insert(case, no);
            book.cases_of.entry(customer).or_default().push(case);
        }
    }
    Ok(book)
}

/// What plans and holds lead to that are only named by their id. Whose they are does not change, so this may be read
/// before the lock; the rest of them is read again under it.
async fn follow<'k>(tx: &mut Tx, keys: &'k Keys, book: &mut Book) -> Result<Cow<'k, Keys>, Error> {
    if keys.plans.is_empty() && keys.holds.is_empty() {
        return Ok(Cow::Borrowed(keys));
    }
    let mut keys = keys.clone();
    if !keys.plans.is_empty() {
        let ids: Vec<String> = keys.plans.iter().cloned().collect();
        for plan in plans::get(tx, &ids).await? {
            keys.customers.insert(plan.customer);
            keys.invoices.extend(plan.invoices.into_iter().map(|part| part.invoice.0));
        }
    }
    if !keys.holds.is_empty() {
        let ids: Vec<String> = keys.holds.iter().cloned().collect();
        let known = holds::get(tx, &ids).await?;
        for row in &known {
            match (&row.invoice, &row.customer) {
                (Some(invoice), _) => drop(keys.invoices.insert(invoice.0.clone())),
                (None, Some(customer)) => drop(keys.all_of.insert(customer.clone())),
                (None, None) => {}
            }
        }
        book.holds = known.into_iter().map(|row| Standing { row, changed: false }).collect();
    }
    Ok(Cow::Owned(keys))
}

/// The plans of the invoices in the book and those that are named, with all the invoices that they cover.
async fn load_plans(tx: &mut Tx, book: &mut Book, keys: &Keys) -> Result<(), Error> {
    let ids: Vec<InvoiceId> = book.bills.keys().cloned().collect();
    let mut rows = if ids.is_empty() { Vec::new() } else { plans::open_of(tx, &ids).await? };
    let named: Vec<String> = keys.plans.iter().filter(|id| !rows.iter().any(|row| row.id == **id)).cloned().collect();
    if !named.is_empty() {
        rows.extend(plans::get(tx, &named).await?);
    }
    let covered = rows.iter().flat_map(|row| row.invoices.iter().map(|part| part.invoice.clone()));
    let missing: Vec<InvoiceId> = unique(&covered.filter(|id| !book.bills.contains_key(id)).collect::<Vec<_>>());
    if !missing.is_empty() {
        for (id, row) in invoices::get(tx, &missing).await? {
            book.bills.entry(id).or_insert_with(|| bill_of(row));
        }
    }
    book.schemes = rows.into_iter().map(|row| Scheme { row, changed: false }).collect();
    Ok(())
}

/// The holds of the customers in the book and those of classes.
async fn load_holds(engine: &Engine, tx: &mut Tx, book: &mut Book, owners: &[CustomerId]) -> Result<(), Error> {
    if owners.is_empty() {
        return Ok(());
    }
    // A day of slack: the customer's date may lie behind.
    let on = recobro_kernel::case::shift(engine.clock.now().date_in(chrono_tz::Tz::UTC), -1);
    for row in holds::standing(tx, owners, on).await? {
        if !book.holds.iter().any(|known| known.row.id == row.id) {
            book.holds.push(Standing { row, changed: false });
        }
    }
    Ok(())
}

/// Locks the customers that are named, and those of the invoices that are named.
async fn lock_owners(tx: &mut Tx, keys: &Keys) -> Result<(), Error> {
    if !tx.is_shared() {
        return Ok(());
    }
    let ids: Vec<InvoiceId> = keys.invoices.iter().map(|id| InvoiceId(id.clone())).collect();
    let mut owners: BTreeSet<CustomerId> = keys.customers.union(&keys.all_of).cloned().collect();
    owners.extend(keys.told.iter().cloned());
    if !ids.is_empty() {
        // An invoice may be named by its id or its printed number; whose it is does not change.
        let names: Vec<String> = keys.invoices.iter().cloned().collect();
        owners.extend(invoices::get(tx, &ids).await?.into_values().map(|row| row.customer));
        owners.extend(invoices::by_name(tx, &names).await?.into_iter().map(|row| row.customer));
    }
    if !owners.is_empty() {
        recobro_store::contacts::lock_budget(tx, &owners.into_iter().collect::<Vec<_>>()).await?;
    }
    Ok(())
}

async fn load_clients(tx: &mut Tx, book: &mut Book, ids: &[CustomerId]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let rows = customers::get(tx, ids).await?;
    let mut tallies = customers::aggregates(tx, ids).await?;
    for (id, row) in rows {
        let tally = tallies.remove(&id).unwrap_or_default();
        book.clients.insert(id, client_of(row, tally)?);
    }
    Ok(())
}

/// Promises and disputes of the invoices in the book.
async fn load_claims(tx: &mut Tx, book: &mut Book) -> Result<(), Error> {
    let ids: Vec<InvoiceId> = book.bills.keys().cloned().collect();
    if ids.is_empty() {
        return Ok(());
    }
    for row in promises::open_of(tx, &ids).await? {
        let currency = row.invoices.iter().find_map(|id| book.bills.get(id)).map(|bill| bill.record.amount.currency);
        book.pledges.push(pledge_of(row, currency.unwrap_or(Currency::EUR)));
    }
    let incentives = recobro_store::incentives::of_invoices(tx, &ids).await?;
    book.incentives = incentives.into_iter().map(|row| (row.id.clone(), row)).collect();
    let disputes = recobro_store::disputes::of_invoices(tx, &ids).await?;
    book.quarrels = disputes.into_iter().map(quarrel_of).collect();
    Ok(())
}

/// Open cases of the invoices in the book and of those that its promises cover; how many cases each had.
async fn load_open_cases(engine: &Engine, tx: &mut Tx, book: &mut Book) -> Result<(), Error> {
    let covered = book.pledges.iter().flat_map(|pledge| pledge.invoices.iter().cloned());
    let ids: Vec<InvoiceId> = book.bills.keys().cloned().chain(covered).collect::<BTreeSet<_>>().into_iter().collect();
    if ids.is_empty() {
        return Ok(());
    }
    let open = cases::open_of(tx, &ids).await?;
    let counts = cases::count_of(tx, &ids).await?;
    // Cases are read for their playbook's tolerance only where any playbook has one.
    let pinned = if engine.shelf.has_tolerance() {
        seen_cases(tx, &open.values().map(|(no, _)| *no).collect::<Vec<_>>()).await?
    } else {
        BTreeMap::new()
    };
    for (invoice, (no, case)) in open {
        book.numbers.insert(case, no);
        book.case_of.insert(invoice.clone(), case);
        if let Some(bill) = book.bills.get_mut(&invoice) {
            bill.case = Some(case);
            if let Some(case) = pinned.get(&no) {
                bill.tolerance_minor = engine.shelf.tolerance_minor(
                    (case.bundle, case.content),
                    &case.playbook,
                    bill.record.amount.currency,
                );
            }
        }
    }
    for (invoice, count) in counts {
        if let Some(bill) = book.bills.get_mut(&invoice) {
            bill.cases = count;
        }
    }
    Ok(())
}

/// Loads the working set of promises that are due.
pub(crate) async fn load_pledged(engine: &Engine, tx: &mut Tx, due: Vec<PromiseRow>) -> Result<Book, Error> {
    let keys = Keys::of(due.iter().map(|row| (&row.customer, &row.invoices)));
    load_book(engine, tx, &keys).await
}

/// Loads the working set of plans that are to be looked at.
pub(crate) async fn load_planned(engine: &Engine, tx: &mut Tx, due: &[PlanRow]) -> Result<Book, Error> {
    let mut keys = Keys::of(due.iter().map(|row| (&row.customer, row.invoices.iter().map(|part| &part.invoice))));
    keys.plans.extend(due.iter().map(|row| row.id.clone()));
    load_book(engine, tx, &keys).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use recobro_kernel::consent::{Purpose, Word};

    #[test]
    fn who_refuses_a_channel_does_not_refuse_it_for_their_attorney() {
        let mut refused = Consent::default();
        refused.take(&Purpose::ALL, Word::Withdrawn);
        let said = BTreeMap::from([(Channel::Email, refused)]);
        let takes = |role: &str| {
            let row = ContactPointRow {
                id: "P".to_owned(),
                customer: CustomerId("C".to_owned()),
                channel: "email".to_owned(),
                role: role.to_owned(),
                name: String::new(),
                address: "a@example.com".to_owned(),
                usable: true,
                known_at: Timestamp::default(),
            };
            point_of(row, &said).unwrap().fact.takes(Class::Dunning)
        };
        assert!(!takes("billing"));
        assert!(takes("attorney"));
    }
}

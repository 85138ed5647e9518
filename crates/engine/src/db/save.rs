//! Working sets and news as rows: what a batch changed is written back in a fixed number of queries.

use super::{corrupt, unique};
use crate::Error;
use crate::route::book::{Bill, Book, Client, Pledge, Quarrel};
use recobro_connectors::source::record;
use recobro_kernel::event::Event;
use recobro_kernel::ids::{CaseId, CustomerId, EventId, InvoiceId};
use recobro_kernel::time::Timestamp;
use recobro_store::customers::{ContactPointRow, CustomerRow};
use recobro_store::disputes::DisputeRow;
use recobro_store::events::NewEvent;
use recobro_store::invoices::InvoiceRow;
use recobro_store::plans::PlanRow;
use recobro_store::promises::PromiseRow;
use recobro_store::{CaseNo, Tx, consents, customers, events, holds, invoices, payments, plans, promises};
use std::collections::BTreeMap;

/// Writes a working set back and hands its news to their cases.
pub(crate) async fn save_and_tell(tx: &mut Tx, book: &Book, now: Timestamp) -> Result<(), Error> {
    save(tx, book, now).await?;
    tell(tx, &book.events, &book.numbers).await
}

/// Writes a working set back; its news are handed on by [`tell`].
pub(crate) async fn save(tx: &mut Tx, book: &Book, now: Timestamp) -> Result<(), Error> {
    save_clients(tx, book, now).await?;
    let bills: Vec<InvoiceRow> =
        book.bills.values().filter(|bill| bill.changed).map(|bill| row_of(bill, now)).collect();
    if !bills.is_empty() {
        invoices::upsert(tx, &bills).await?;
    }
    save_money(tx, book).await?;
    let disputes: Vec<DisputeRow> =
        book.quarrels.iter().filter(|q| q.changed).filter_map(|quarrel| dispute_row(book, quarrel, now)).collect();
    if !disputes.is_empty() {
        recobro_store::disputes::upsert(tx, &disputes).await?;
    }
    let pledges: Vec<PromiseRow> =
        book.pledges.iter().filter(|p| p.changed).map(|pledge| promise_row(pledge, now)).collect();
    if !pledges.is_empty() {
        promises::upsert(tx, &pledges).await?;
    }
    let moved: Vec<_> = book.moved_incentives.iter().filter_map(|id| book.incentives.get(id).cloned()).collect();
    if !moved.is_empty() {
        recobro_store::incentives::upsert(tx, &moved).await?;
    }
    if !book.waived.is_empty() {
        recobro_store::waivers::upsert(tx, &book.waived).await?;
    }
    if !book.uncovered.is_empty() {
        promises::uncover(tx, &book.uncovered).await?;
    }
    let schemes = book.schemes.iter().filter(|scheme| scheme.changed);
    let schemes: Vec<PlanRow> = schemes.map(|scheme| PlanRow { known_at: now, ..scheme.row.clone() }).collect();
    plans::upsert(tx, &schemes).await?;
    let placed: Vec<_> = book.holds.iter().filter(|hold| hold.changed).map(|hold| hold.row.clone()).collect();
    if !placed.is_empty() {
        holds::upsert(tx, &placed).await?;
    }
    if !book.calls.is_empty() {
        recobro_store::contacts::put(tx, &book.calls).await?;
    }
    Ok(())
}

/// Hands news to their cases. News of a case without a number are for one that is not there any more.
pub(crate) async fn tell(
    tx: &mut Tx,
    news: &[(CaseId, Event)],
    numbers: &BTreeMap<CaseId, CaseNo>,
) -> Result<(), Error> {
    let rows: Vec<NewEvent> = news
        .iter()
        .filter_map(|(case, event)| numbers.get(case).map(|no| event_row(*no, event)))
        .collect::<Result<_, _>>()?;
    if !rows.is_empty() {
        events::insert(tx, &rows).await?;
    }
    Ok(())
}

/// An event as stored.
pub(crate) fn event_row(no: CaseNo, event: &Event) -> Result<NewEvent, Error> {
    let body = serde_json::to_string(event).map_err(|cause| corrupt(format!("event {}", event.id), &cause))?;
    Ok(NewEvent { no, id: event.id, at: event.at, body })
}

/// An event of the worker itself.
pub(crate) fn own_event(
    id: EventId,
    name: &str,
    at: Timestamp,
    fields: Vec<(&str, recobro_kernel::value::Value)>,
) -> Event {
    let fields = fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect();
    Event { id, name: name.to_owned(), at, actor: "worker".to_owned(), fields }
}

async fn save_clients(tx: &mut Tx, book: &Book, now: Timestamp) -> Result<(), Error> {
    let changed = book.clients.values().filter(|client| client.changed);
    let rows: Vec<CustomerRow> = changed.map(|client| customer_row(client, now)).collect();
    if !rows.is_empty() {
        customers::upsert(tx, &rows).await?;
    }
    let points: Vec<ContactPointRow> = book
        .clients
        .values()
        .filter(|client| client.points_changed)
        .flat_map(|client| point_rows(client, now))
        .collect();
    if !points.is_empty() {
        customers::replace_points(tx, &points).await?;
    }
    let named: Vec<ContactPointRow> =
        book.named_points.iter().map(|(customer, point)| point_row(customer, point, now)).collect();
    if !named.is_empty() {
        customers::upsert_points(tx, &named).await?;
    }
    if !book.said.is_empty() {
        consents::put(tx, &book.said).await?;
    }
    let tallies: BTreeMap<_, _> = book
        .clients
        .iter()
        .filter(|(_, client)| client.tally_changed)
        .map(|(id, client)| (id.clone(), client.tally.clone()))
        .collect();
    if !tallies.is_empty() {
        customers::put_aggregates(tx, &tallies).await?;
    }
    Ok(())
}

async fn save_money(tx: &mut Tx, book: &Book) -> Result<(), Error> {
    let mut rows = Vec::new();
    let mut allocations = Vec::new();
    for booked in &book.booked {
        let id = format!("{}:{}", booked.source, booked.external_id);
        let settled: i64 = booked.parts.iter().map(|(_, minor)| minor).sum();
        rows.push(payments::PaymentRow {
            id: id.clone(),
            source: booked.source.clone(),
            external_id: booked.external_id.clone(),
            kind: booked.kind.to_owned(),
            customer: booked.customer.clone(),
            invoice: booked.parts.first().map(|(invoice, _)| invoice.clone()),
            currency: booked.amount.currency,
            amount_minor: booked.amount.minor,
            unallocated_minor: booked.amount.minor - settled,
            reference: booked.reference.clone(),
            booked_on: booked.on,
            known_at: booked.known_at,
        });
        let part = |(ordinal, (invoice, minor)): (i64, &(InvoiceId, i64))| payments::AllocationRow {
            payment: id.clone(),
            ordinal,
            invoice: invoice.clone(),
            amount_minor: *minor,
            booked_on: booked.on,
            known_at: booked.known_at,
        };
        allocations.extend((1_i64..).zip(&booked.parts).map(part));
    }
    if !rows.is_empty() {
        payments::insert(tx, &rows).await?;
    }
    allocations.extend(save_matched(tx, book).await?);
    if !allocations.is_empty() {
        payments::allocate(tx, &allocations).await?;
    }
    Ok(())
}

/// Writes what is left of earlier payments, and gives their new allocations. They count from the day of the money.
async fn save_matched(tx: &mut Tx, book: &Book) -> Result<Vec<payments::AllocationRow>, Error> {
    if book.matched.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<String> = unique(&book.matched.iter().map(|(payment, ..)| payment.clone()).collect::<Vec<_>>());
    let mut last = payments::parts(tx, &ids).await?;
    let left: Vec<_> = ids
        .iter()
        .filter_map(|id| book.unapplied.get(id))
        .map(|row| (row.id.clone(), row.customer.clone(), row.unallocated_minor))
        .collect();
    payments::left(tx, &left).await?;
    let mut allocations = Vec::new();
    for (payment, invoice, minor, at) in &book.matched {
        let ordinal = last.entry(payment.clone()).or_default();
        *ordinal += 1;
        allocations.push(payments::AllocationRow {
            payment: payment.clone(),
            ordinal: *ordinal,
            invoice: invoice.clone(),
            amount_minor: *minor,
            booked_on: book.unapplied[payment].booked_on,
            known_at: *at,
        });
    }
    Ok(allocations)
}

fn customer_row(client: &Client, now: Timestamp) -> CustomerRow {
    let record = &client.record;
    let risk = record.risk.clone().unwrap_or_else(|| "medium".to_owned());
    CustomerRow {
        id: CustomerId(record.id.clone()),
        source: client.source.clone(),
        name: record.name.clone(),
        kind: record.kind.clone(),
        segment: record.segment.clone(),
        country: record.country.clone(),
        subdivision: record.subdivision.clone(),
        locale: record.locale.clone(),
        time_zone: record.time_zone.name().to_owned(),
        risk_score: crate::facts::risk_score(&risk),
        risk,
        account_manager: record.account_manager.clone(),
        vulnerable: record.vulnerable,
        tags: record.tags.clone(),
        defaults: client.defaults.clone(),
        x: record.x.clone(),
        booked_on: now.date_in(record.time_zone),
        known_at: now,
    }
}

fn point_rows(client: &Client, now: Timestamp) -> Vec<ContactPointRow> {
    let customer = CustomerId(client.record.id.clone());
    client.record.contact_points.iter().map(|point| point_row(&customer, point, now)).collect()
}

fn point_row(customer: &CustomerId, point: &record::ContactPoint, now: Timestamp) -> ContactPointRow {
    ContactPointRow {
        id: crate::route::book::point_id(customer.as_str(), point),
        customer: customer.clone(),
        channel: point.channel.name().to_owned(),
        role: point.role.clone(),
        name: point.name.clone().unwrap_or_default(),
        address: point.address.clone(),
        usable: true,
        known_at: now,
    }
}

fn row_of(bill: &Bill, now: Timestamp) -> InvoiceRow {
    let record = &bill.record;
    InvoiceRow {
        id: InvoiceId(record.id.clone()),
        customer: CustomerId(record.customer.clone()),
        source: bill.source.clone(),
        number: record.number.clone(),
        creditor: String::new(),
        product: record.product.clone(),
        currency: record.amount.currency,
        issued_on: record.issued,
        due_on: record.due,
        amount_minor: record.amount.minor,
        balance_minor: bill.balance_minor,
        charges_minor: 0,
        disputed_minor: bill.disputed_minor,
        retained_minor: bill.retained_minor,
        not_due_minor: bill.not_due_minor,
        last_payment_on: bill.last_payment_on,
        reference: record.reference.clone(),
        closed: bill.closed_by.clone(),
        defaults: Vec::new(),
        x: record.x.clone(),
        booked_on: record.issued,
        known_at: now,
    }
}

fn dispute_row(book: &Book, quarrel: &Quarrel, now: Timestamp) -> Option<DisputeRow> {
    let bill = book.bills.get(&quarrel.invoice)?;
    Some(DisputeRow {
        id: quarrel.id.clone(),
        source: quarrel.source.clone(),
        invoice: quarrel.invoice.clone(),
        customer: CustomerId(bill.record.customer.clone()),
        reason: quarrel.reason.clone(),
        amount_minor: quarrel.amount_minor,
        opened_on: quarrel.opened_on,
        closed_on: quarrel.closed_on,
        outcome: quarrel.outcome.clone(),
        known_at: now,
        owner: quarrel.owner.clone(),
        answer_by: quarrel.answer_by,
        credited_minor: quarrel.credited_minor,
        awaits_credit: quarrel.awaits_credit,
        overdue_at: quarrel.overdue_at,
    })
}

fn promise_row(pledge: &Pledge, now: Timestamp) -> PromiseRow {
    PromiseRow {
        id: pledge.id.clone(),
        source: pledge.source.clone(),
        customer: pledge.customer.clone(),
        invoices: pledge.invoices.clone(),
        made_on: pledge.made_on,
        due_on: pledge.date,
        limit_on: pledge.limit_on,
        limit_at: pledge.limit_at,
        amount_minor: pledge.amount.minor,
        paid_minor: pledge.paid_minor,
        method: pledge.method.clone().unwrap_or_default(),
        by: pledge.by.clone().unwrap_or_default(),
        status: pledge.status.clone(),
        judged_on: (pledge.status != "open").then(|| now.date_in(chrono_tz::Tz::UTC)),
        known_at: now,
    }
}

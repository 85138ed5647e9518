//! The ledger as people and programs see it: money, promises, disputes, and a customer's account as of any date.

use crate::failure::{Exit, Failure};
use chrono::NaiveDate;
use recobro_connectors::source::record::Record;
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::interest::{Waiver, Waives};
use recobro_kernel::money::{Currency, Money};
use recobro_kernel::time::Timestamp;
use recobro_store::customers::CustomerRow;
use recobro_store::disputes::DisputeRow;
use recobro_store::invoices::InvoiceRow;
use recobro_store::payments::{AllocationRow, PaymentRow, Settled};
use recobro_store::{Store, Tx, customers, disputes, inbound, invoices, payments, promises};
use serde::Serialize;
use std::collections::BTreeMap;

/// A part of a payment, or an invoice it could settle.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Part {
    /// Invoice.
    pub(crate) invoice: String,
    /// Amount.
    pub(crate) amount: String,
}

/// A payment as lists show it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PaymentLine {
    schema: &'static str,
    /// Id.
    pub(crate) payment: String,
    /// Customer, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) customer: Option<String>,
    /// Day of the money.
    pub(crate) on: NaiveDate,
    /// `payment`, `return`, `credit`, `write_off`.
    pub(crate) kind: String,
    /// Amount.
    pub(crate) amount: String,
    /// Currency.
    pub(crate) currency: String,
    /// What it settled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) settles: Vec<Part>,
    /// What settles nothing yet.
    pub(crate) unapplied: String,
    /// What the payer wrote.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) reference: String,
    /// Open invoices that it could settle, for unapplied money.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) candidates: Vec<Part>,
    /// The day from which it counts, while it is noted and not taken up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waits_for: Option<NaiveDate>,
}

fn line(row: PaymentRow) -> PaymentLine {
    let money = |minor: i64| Money::new(minor, row.currency);
    PaymentLine {
        schema: "recobro/v1/payment",
        amount: money(row.amount_minor).to_decimal().to_string(),
        unapplied: if row.unallocated_minor == 0 { String::new() } else { money(row.unallocated_minor).to_string() },
        currency: row.currency.to_string(),
        payment: row.id,
        customer: row.customer.map(|id| id.0),
        on: row.booked_on,
        kind: row.kind,
        settles: Vec::new(),
        reference: row.reference,
        candidates: Vec::new(),
        waits_for: None,
    }
}

/// A customer's money, oldest first, with what it settled; then what waits to be taken up.
pub(crate) async fn payments(store: &Store, customer: &str) -> Result<Vec<PaymentLine>, Failure> {
    let mut tx = store.read().await?;
    let customer = find_customer(&mut tx, customer).await?;
    let rows = payments::of_customers(&mut tx, std::slice::from_ref(&customer.id)).await?;
    let bills = invoices::of_customers(&mut tx, std::slice::from_ref(&customer.id)).await?;
    let ids: Vec<InvoiceId> = bills.iter().map(|row| row.id.clone()).collect();
    let mut settled: BTreeMap<String, Vec<AllocationRow>> = BTreeMap::new();
    for part in payments::allocations(&mut tx, &ids, NaiveDate::MIN).await? {
        settled.entry(part.payment.clone()).or_default().push(part);
    }
    let shown = |row: PaymentRow| {
        let (id, currency) = (row.id.clone(), row.currency);
        let mut line = line(row);
        line.settles =
            settled.remove(&id).unwrap_or_default().into_iter().map(|part| of_part(part, currency)).collect();
        line
    };
    let mut lines: Vec<PaymentLine> = rows.into_iter().map(shown).collect();
    lines.extend(waiting(&mut tx, &customer.id, &bills).await?);
    Ok(lines)
}

/// Most rows that are looked through for money that waits.
const AHEAD: i64 = 5_000;

/// A customer's money that is noted and not taken up: it is dated in time to come, or no run came since.
async fn waiting(tx: &mut Tx, customer: &CustomerId, bills: &[InvoiceRow]) -> Result<Vec<PaymentLine>, Failure> {
    let is_theirs =
        |name: &str| bills.iter().any(|bill| bill.id.0 == name || bill.number == name || bill.reference == name);
    let mut lines = Vec::new();
    for row in inbound::ahead(tx, "payment", AHEAD).await? {
        let Ok(Record::Payment(payment)) = Record::parse(&row.kind, &row.body) else { continue };
        if payment.customer.as_deref() != Some(customer.as_str()) && !payment.names().any(is_theirs) {
            continue;
        }
        lines.push(PaymentLine {
            schema: "recobro/v1/payment",
            payment: format!("{}:{}", row.source, row.external_id),
            customer: Some(customer.0.clone()),
            on: payment.on,
            kind: if payment.amount.minor < 0 { "return" } else { "payment" }.to_owned(),
            amount: payment.amount.to_decimal().to_string(),
            currency: payment.amount.currency.to_string(),
            settles: Vec::new(),
            unapplied: String::new(),
            candidates: Vec::new(),
            waits_for: Some(payment.on),
            reference: payment.reference,
        });
    }
    Ok(lines)
}

fn of_part(part: AllocationRow, currency: Currency) -> Part {
    Part { invoice: part.invoice.0, amount: Money::new(part.amount_minor, currency).to_decimal().to_string() }
}

/// Money that settles nothing yet, oldest first, with the open invoices of its customer.
pub(crate) async fn unapplied(store: &Store, limit: u32) -> Result<Vec<PaymentLine>, Failure> {
    let mut tx = store.read().await?;
    let rows = payments::unallocated(&mut tx, (NaiveDate::MIN, ""), i64::from(limit)).await?;
    let mut owners: Vec<CustomerId> = rows.iter().filter_map(|row| row.customer.clone()).collect();
    owners.sort();
    owners.dedup();
    let mut open: BTreeMap<CustomerId, Vec<InvoiceRow>> = BTreeMap::new();
    if !owners.is_empty() {
        for row in invoices::open_of(&mut tx, &owners).await? {
            open.entry(row.customer.clone()).or_default().push(row);
        }
    }
    let shown = |row: PaymentRow| {
        let currency = row.currency;
        let of_customer = row.customer.as_ref().and_then(|id| open.get(id)).into_iter().flatten();
        let fitting = of_customer.filter(|bill| bill.currency == currency);
        let candidates = fitting.map(|bill| Part {
            invoice: bill.number.clone(),
            amount: Money::new(bill.balance_minor, currency).to_decimal().to_string(),
        });
        let candidates = candidates.collect();
        PaymentLine { candidates, ..line(row) }
    };
    Ok(rows.into_iter().map(shown).collect())
}

/// A payment by its id; money that settles nothing yet also by its source's id of it, where only one source has it.
pub(crate) async fn payment(store: &Store, name: &str) -> Result<PaymentRow, Failure> {
    let mut tx = store.read().await?;
    if let Some(row) = payments::get(&mut tx, &[name.to_owned()]).await?.pop() {
        return Ok(row);
    }
    let mut found = payments::unallocated_named(&mut tx, name).await?;
    let ids: Vec<String> = found.iter().map(|row| row.id.clone()).collect();
    match (found.pop(), ids.len()) {
        (Some(row), 1) => Ok(row),
        (Some(_), _) => {
            Err(Failure::new(Exit::Conflict, format!("`{name}` may be {}", ids.join(" or ")))
                .help("write the whole id"))
        }
        (None, _) => Err(Failure::not_found(format!("no payment `{name}`"))
            .help("`recobro match list` shows unapplied money with its ids")),
    }
}

/// A promise as lists show it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PromiseLine {
    schema: &'static str,
    /// Id.
    pub(crate) promise: String,
    /// Customer.
    pub(crate) customer: String,
    /// Invoices it covers.
    pub(crate) invoices: Vec<String>,
    /// Day it was made.
    pub(crate) made_on: NaiveDate,
    /// Day promised.
    pub(crate) date: NaiveDate,
    /// Last day of grace.
    pub(crate) limit: NaiveDate,
    /// Amount.
    pub(crate) amount: String,
    /// Paid towards it.
    pub(crate) paid: String,
    /// Status.
    pub(crate) status: String,
}

/// Promises, ordered by id.
pub(crate) async fn promises(store: &Store, open: bool, limit: u32) -> Result<Vec<PromiseLine>, Failure> {
    let mut tx = store.read().await?;
    let rows = promises::list(&mut tx, open, "", i64::from(limit)).await?;
    let firsts: Vec<InvoiceId> = rows.iter().filter_map(|row| row.invoices.first().cloned()).collect();
    let bills = if firsts.is_empty() { BTreeMap::new() } else { invoices::get(&mut tx, &firsts).await? };
    let shown = |row: promises::PromiseRow| {
        let currency = row.invoices.first().and_then(|id| bills.get(id)).map_or(Currency::EUR, |bill| bill.currency);
        PromiseLine {
            schema: "recobro/v1/promise",
            promise: row.id,
            customer: row.customer.0,
            invoices: row.invoices.into_iter().map(|id| id.0).collect(),
            made_on: row.made_on,
            date: row.due_on,
            limit: row.limit_on,
            amount: Money::new(row.amount_minor, currency).to_string(),
            paid: Money::new(row.paid_minor, currency).to_string(),
            status: row.status,
        }
    };
    Ok(rows.into_iter().map(shown).collect())
}

/// A dispute as lists show it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DisputeLine {
    schema: &'static str,
    /// Id.
    pub(crate) dispute: String,
    /// Invoice.
    pub(crate) invoice: String,
    /// Customer.
    pub(crate) customer: String,
    /// Reason code.
    pub(crate) reason: String,
    /// Contested part.
    pub(crate) amount: String,
    /// Day it was opened.
    pub(crate) opened_on: NaiveDate,
    /// Day it was closed.
    pub(crate) closed_on: Option<NaiveDate>,
    /// How it ended.
    pub(crate) outcome: Option<String>,
    /// Who answers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    /// By when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answer_by: Option<NaiveDate>,
    /// That day is over.
    pub(crate) overdue: bool,
    /// What credit notes answered it with.
    pub(crate) credited: String,
    /// Accepted, and a credit note is still to come.
    pub(crate) awaits_credit: bool,
}

/// Disputes, ordered by id.
pub(crate) async fn disputes(
    store: &Store,
    open: bool,
    limit: u32,
    today: NaiveDate,
) -> Result<Vec<DisputeLine>, Failure> {
    let mut tx = store.read().await?;
    let rows = disputes::list(&mut tx, open, "", i64::from(limit)).await?;
    dispute_lines(&mut tx, rows, today).await
}

/// Disputes as people see them on a day.
pub(crate) async fn dispute_lines(
    tx: &mut Tx,
    rows: Vec<DisputeRow>,
    today: NaiveDate,
) -> Result<Vec<DisputeLine>, Failure> {
    let ids: Vec<InvoiceId> = rows.iter().map(|row| row.invoice.clone()).collect();
    let bills = if ids.is_empty() { BTreeMap::new() } else { invoices::get(tx, &ids).await? };
    let currency = |invoice: &InvoiceId| bills.get(invoice).map_or(Currency::EUR, |bill| bill.currency);
    let shown = |row: DisputeRow| DisputeLine {
        schema: "recobro/v1/dispute",
        amount: Money::new(row.amount_minor, currency(&row.invoice)).to_string(),
        credited: Money::new(row.credited_minor, currency(&row.invoice)).to_string(),
        owner: row.owner,
        overdue: row.closed_on.is_none() && row.answer_by.is_some_and(|day| day < today),
        answer_by: row.answer_by,
        awaits_credit: row.awaits_credit,
        dispute: row.id,
        invoice: row.invoice.0,
        customer: row.customer.0,
        reason: row.reason,
        opened_on: row.opened_on,
        closed_on: row.closed_on,
        outcome: row.outcome,
    };
    Ok(rows.into_iter().map(shown).collect())
}

/// A dispute by its id, or by the source's own id of it where only one source has it.
pub(crate) async fn dispute(store: &Store, name: &str) -> Result<DisputeRow, Failure> {
    let mut tx = store.read().await?;
    let mut found = disputes::named(&mut tx, name).await?;
    if let Some(exact) = found.iter().position(|row| row.id == name) {
        return Ok(found.swap_remove(exact));
    }
    let ids: Vec<String> = found.iter().map(|row| row.id.clone()).collect();
    match (found.pop(), ids.len()) {
        (Some(row), 1) => Ok(row),
        (Some(_), _) => {
            Err(Failure::new(Exit::Conflict, format!("`{name}` may be {}", ids.join(" or ")))
                .help("write the whole id"))
        }
        (None, _) => {
            Err(Failure::not_found(format!("no dispute `{name}`"))
                .help("`recobro dispute list` shows them with their ids"))
        }
    }
}

/// A discount for paying early as lists show it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct IncentiveLine {
    schema: &'static str,
    /// Id.
    pub(crate) incentive: String,
    /// Invoice.
    pub(crate) invoice: String,
    /// Customer.
    pub(crate) customer: String,
    /// The discount.
    pub(crate) amount: String,
    /// Percentage, where one was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) percent: Option<String>,
    /// Last day to pay.
    pub(crate) until: NaiveDate,
    /// `open`, `taken` or `expired`.
    pub(crate) status: String,
    /// Day of the payment that took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) taken_on: Option<NaiveDate>,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
}

/// Discounts for paying early, ordered by id.
pub(crate) async fn incentives(store: &Store, open: bool, limit: u32) -> Result<Vec<IncentiveLine>, Failure> {
    let mut tx = store.read().await?;
    let rows = recobro_store::incentives::list(&mut tx, open, "", i64::from(limit)).await?;
    let ids: Vec<InvoiceId> = rows.iter().map(|row| row.invoice.clone()).collect();
    let bills = if ids.is_empty() { BTreeMap::new() } else { invoices::get(&mut tx, &ids).await? };
    let shown = |row: recobro_store::incentives::IncentiveRow| IncentiveLine {
        schema: "recobro/v1/incentive",
        amount: Money::new(row.amount_minor, bills.get(&row.invoice).map_or(Currency::EUR, |bill| bill.currency))
            .to_string(),
        incentive: row.id,
        invoice: row.invoice.0,
        customer: row.customer.0,
        percent: row.percent,
        until: row.until_on,
        status: row.status,
        taken_on: row.taken_on,
        reason: row.reason,
    };
    Ok(rows.into_iter().map(shown).collect())
}

pub(crate) async fn find_customer(tx: &mut Tx, name: &str) -> Result<CustomerRow, Failure> {
    let mut found = customers::get(tx, &[CustomerId::from(name)]).await?;
    if let Some(row) = found.remove(&CustomerId::from(name)) {
        return Ok(row);
    }
    let meant = super::meant(&super::near_customers(tx, name).await?);
    Err(Failure::not_found(format!("no customer `{name}`"))
        .help(format!("{meant}write the id under which the customer was imported")))
}

/// A customer's account as it was on a day, as far as it was known at an instant.
pub(crate) struct Account {
    /// Whose.
    pub(crate) customer: CustomerRow,
    /// Invoices issued by that day, oldest due first.
    pub(crate) invoices: Vec<AccountLine>,
    /// Money that settled nothing yet, by currency, minor units.
    pub(crate) unapplied: BTreeMap<Currency, i64>,
    /// Money that is noted and not taken up.
    pub(crate) waiting: Vec<PaymentLine>,
}

/// An invoice in an account.
pub(crate) struct AccountLine {
    /// As it was issued; the amount is that of the day's knowledge.
    pub(crate) invoice: InvoiceRow,
    /// Money, credit notes and write-offs up to the day.
    pub(crate) parts: Vec<Settled>,
    /// What is waived of its charges.
    pub(crate) waivers: Vec<Waiver>,
    /// Contested on that day.
    pub(crate) disputed_minor: i64,
}

impl AccountLine {
    /// Principal open on that day.
    pub(crate) fn balance_minor(&self) -> i64 {
        self.invoice.amount_minor - self.parts.iter().map(|part| part.amount_minor).sum::<i64>()
    }

    /// What came in for it, less what went back.
    pub(crate) fn paid_minor(&self) -> i64 {
        self.of_kind("payment") + self.of_kind("return")
    }

    /// What parts of a kind took off it.
    pub(crate) fn of_kind(&self, kind: &str) -> i64 {
        self.parts.iter().filter(|part| part.kind == kind).map(|part| part.amount_minor).sum()
    }

    /// Money by day, or credit notes by day.
    pub(crate) fn days(&self, credits: bool) -> Vec<(NaiveDate, i64)> {
        days(&self.parts, credits)
    }
}

/// Reads an account. Amounts of invoices come from what was delivered by `known`, money and disputes from their days.
pub(crate) async fn account(
    store: &Store,
    customer: &str,
    as_of: NaiveDate,
    known: Timestamp,
) -> Result<Account, Failure> {
    let mut tx = store.read().await?;
    let customer = find_customer(&mut tx, customer).await?;
    let owner = std::slice::from_ref(&customer.id);
    let mut rows = invoices::of_customers(&mut tx, owner).await?;
    // What was known at an earlier time is told as it was then.
    let waiting = if known == Timestamp::MAX { waiting(&mut tx, &customer.id, &rows).await? } else { Vec::new() };
    rows.retain(|row| row.issued_on <= as_of);
    let ids: Vec<InvoiceId> = rows.iter().map(|row| row.id.clone()).collect();
    let amounts = amounts(&mut tx, &ids, known).await?;
    let all = payments::settled(&mut tx, &ids).await?;
    let mut parts = all.clone();
    parts.retain(|part| part.known_at <= known);
    let mut waived = waivers(&mut tx, &ids, known).await?;
    let quarrels = disputes::of_invoices(&mut tx, &ids).await?;
    let money = payments::of_customers(&mut tx, owner).await?;
    let mut lines: Vec<AccountLine> = Vec::new();
    for mut row in rows {
        match amounts.get(&row.id) {
            Some(Some(minor)) => row.amount_minor = *minor,
            Some(None) => continue,
            None => {}
        }
        let parts: Vec<Settled> =
            parts.iter().filter(|part| part.invoice == row.id && part.booked_on <= as_of).cloned().collect();
        let later: i64 = all
            .iter()
            .filter(|p| p.invoice == row.id && p.is_credit() && p.booked_on > as_of)
            .map(|p| p.amount_minor)
            .sum();
        let contested = quarrels.iter().filter(|q| q.invoice == row.id).map(|q| contested(q, as_of, later));
        let disputed_minor = contested.sum();
        lines.push(AccountLine {
            waivers: waived.remove(&row.id).unwrap_or_default(),
            invoice: row,
            parts,
            disputed_minor,
        });
    }
    lines.sort_by(|a, b| (a.invoice.due_on, &a.invoice.id).cmp(&(b.invoice.due_on, &b.invoice.id)));
    let mut unapplied: BTreeMap<Currency, i64> = BTreeMap::new();
    for row in money.into_iter().filter(|row| row.booked_on <= as_of && row.known_at <= known) {
        let settled: i64 = parts.iter().filter(|part| part.payment == row.id).map(|part| part.amount_minor).sum();
        if row.amount_minor != settled {
            *unapplied.entry(row.currency).or_default() += row.amount_minor - settled;
        }
    }
    Ok(Account { customer, invoices: lines, unapplied, waiting })
}

/// Money by day, or credit notes by day.
pub(crate) fn days(parts: &[Settled], credits: bool) -> Vec<(NaiveDate, i64)> {
    let parts = parts.iter().filter(|part| part.is_credit() == credits);
    parts.map(|part| (part.booked_on, part.amount_minor)).collect()
}

/// What was waived of invoices' charges, as far as it was known at an instant.
pub(crate) async fn waivers(
    tx: &mut Tx,
    ids: &[InvoiceId],
    known: Timestamp,
) -> Result<BTreeMap<InvoiceId, Vec<Waiver>>, Failure> {
    let mut found: BTreeMap<InvoiceId, Vec<Waiver>> = BTreeMap::new();
    for row in recobro_store::waivers::of_invoices(tx, ids).await?.into_iter().filter(|row| row.known_at <= known) {
        let of = Waives::parse(&row.kind).unwrap_or(Waives::All);
        let waiver = Waiver { on: row.waived_on, of, minor: row.amount_minor, reason: row.reason };
        found.entry(row.invoice).or_default().push(waiver);
    }
    Ok(found)
}

/// What a dispute kept from being asked for on a day; `later` is what credit notes after it took off the invoice.
fn contested(dispute: &DisputeRow, as_of: NaiveDate, later: i64) -> i64 {
    if dispute.opened_on > as_of {
        return 0;
    }
    let missing = dispute.amount_minor - (dispute.credited_minor - later.min(dispute.credited_minor));
    match dispute.closed_on.filter(|closed| *closed <= as_of) {
        None => missing,
        Some(_) if dispute.awaits_credit => missing,
        // Accepted, and answered by a credit note that came after the day.
        Some(_) => later.min(dispute.credited_minor),
    }
}

/// The amount of each invoice as last delivered by an instant; nothing for one that nobody had told us of yet.
async fn amounts(
    tx: &mut Tx,
    ids: &[InvoiceId],
    known: Timestamp,
) -> Result<BTreeMap<InvoiceId, Option<i64>>, Failure> {
    let mut amounts: BTreeMap<InvoiceId, Option<i64>> = BTreeMap::new();
    if ids.is_empty() {
        return Ok(amounts);
    }
    let keys: Vec<String> = ids.iter().map(|id| id.0.clone()).collect();
    let played = recobro_store::meta::virtual_now(tx).await?;
    for row in inbound::versions(tx, "invoice", &keys).await? {
        let amount = amounts.entry(InvoiceId(row.external_id)).or_default();
        // A virtual run plays what was imported by the machine's clock on the days it tells of.
        let is_played = played.is_some_and(|played| row.received_at > played);
        if known < if is_played { row.at } else { row.received_at } {
            continue;
        }
        if let Ok(Record::Invoice(invoice)) = Record::parse("invoice", &row.body) {
            *amount = Some(invoice.amount.minor);
        }
    }
    Ok(amounts)
}

/// Reads an instant, or the end of a day.
pub(crate) fn instant(text: &str, zone: chrono_tz::Tz) -> Result<Timestamp, Failure> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let day: NaiveDate = text.parse().map_err(|_| {
        Failure::new(Exit::Usage, format!("`{text}` is neither a date nor an instant"))
            .help("write 2026-06-30 or 2026-06-30T10:00:00Z")
    })?;
    Ok(Timestamp::start_of(day.succ_opt().unwrap_or(day), zone).plus_us(-1))
}

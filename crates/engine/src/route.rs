//! The tick that takes news: inbound rows become ledger rows, new cases and events for cases, in the order of their
//! instants. What names nothing we know is parked with the reason, never dropped.

pub(crate) mod answer;
pub(crate) mod book;
mod classes;
mod consents;
mod credits;
mod disputes;
mod enter;
mod holds;
mod incentives;
mod money;
mod outside;
pub(crate) mod plans;
mod waivers;

use crate::db::{self, Keys};
use crate::people::{Nobody, People};
use crate::run::{Span, Tick};
use crate::{Engine, Error};
use answer::Answered;
use book::{Book, Origin, Pledge, scoped};
use money::Rule;
use recobro_connectors::source::record::{self, Record};
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::money::Money;
use recobro_kernel::time::Timestamp;
use recobro_store::inbound::{self, Inbound};
use recobro_store::{Tx, tasks};

/// Rows of one batch.
const BATCH: i64 = 500;

/// Kind and rank of an answer to a task: after everything the outside world brought at the same instant.
pub(crate) const ANSWER: (&str, i64) = ("answer", 50);

/// A row, understood.
enum Item {
    /// What a source brought.
    Record(Box<Record>),
    /// What a person answered.
    Answer(Box<Answered>),
}

/// Why a row cannot be taken, for people.
type Parked = String;

/// What a pass of the tick left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// No row of this cell.
    Nothing,
    /// Rows that waited for what this pass made.
    Some,
    /// More rows than one pass takes.
    Many,
}

/// Routes rows at or before the span's cell. Says what is left of it.
///
/// # Errors
/// [`Error::Store`].
pub(crate) async fn route(
    engine: &Engine,
    tx: &mut Tx,
    span: Span,
    people: &dyn People,
    tick: &mut Tick,
) -> Result<Left, Error> {
    if !inbound::route_alone(tx).await? {
        return Ok(Left::Nothing);
    }
    let rows = inbound::unrouted(tx, span.cell_end, BATCH).await?;
    if rows.is_empty() {
        return Ok(Left::Nothing);
    }
    let full = i64::try_from(rows.len()).unwrap_or(i64::MAX) == BATCH;
    let mut items: Vec<(Inbound, Result<Item, Parked>)> = Vec::with_capacity(rows.len());
    for row in rows {
        let item = understand(&row);
        items.push((row, item));
    }
    let mut book = working_set(engine, tx, &items).await?;
    let answers = close_answered(tx, &items, &mut book).await?;
    let mut routed = Vec::new();
    let mut parked = Vec::new();
    let taken = {
        let mut taken = 0;
        for (row, item) in &items {
            let at = row.at.max(engine.clock.now());
            if touches_entering(&book, row, item, span.now) {
                break;
            }
            taken += 1;
            match item.as_ref().map_err(Clone::clone).and_then(|item| take(engine, &mut book, row, item, at, &answers))
            {
                Ok(()) => routed.push(row.id),
                Err(reason) => parked.push((row.id, reason)),
            }
        }
        taken
    };
    let now = engine.clock.now();
    db::save(tx, &book, now).await?;
    let opened = enter::enter(engine, tx, &mut book, people, tick).await?;
    db::tell(tx, &book.events, &book.numbers).await?;
    for news in &book.class_news {
        classes::tell(engine, tx, news).await?;
    }
    inbound::mark_routed(tx, &routed, now).await?;
    if !parked.is_empty() {
        inbound::park(tx, &parked, now).await?;
    }
    unpark(tx, &book).await?;
    engine.settings.faults.pass("route.before_commit")?;
    tick.progress.routed += taken as u64;
    tracing::debug!(rows = taken, events = book.events.len(), cases = opened, parked = parked.len(), "engine.route");
    Ok(match (full, taken < items.len()) {
        (true, _) => Left::Many,
        (false, true) => Left::Some,
        (false, false) => Left::Nothing,
    })
}

/// Everything that rows name, and what that leads to.
async fn working_set(engine: &Engine, tx: &mut Tx, items: &[(Inbound, Result<Item, Parked>)]) -> Result<Book, Error> {
    let mut keys = keys(items);
    let book = db::load_book(engine, tx, &keys).await?;
    if keys.widen(&book, items) { db::load_book(engine, tx, &keys).await } else { Ok(book) }
}

/// What a row would do to the ledger as it stands: the working set with the events that cases would hear, or why it
/// would be refused.
///
/// # Errors
/// [`Error::Store`].
pub(crate) async fn try_alone(engine: &Engine, tx: &mut Tx, row: Inbound) -> Result<Result<Book, Parked>, Error> {
    let at = row.at.max(engine.clock.now());
    let item = understand(&row);
    let items = vec![(row, item)];
    let mut book = working_set(engine, tx, &items).await?;
    let (row, item) = &items[0];
    let taken = match item {
        Ok(item) => take(engine, &mut book, row, item, at, &[]),
        Err(reason) => Err(reason.clone()),
    };
    Ok(taken.map(|()| book))
}

/// Rows that were parked because a customer or an invoice was missing are read again once it has come.
async fn unpark(tx: &mut Tx, book: &Book) -> Result<(), Error> {
    if book.arrived.is_empty() {
        return Ok(());
    }
    let reasons: Vec<String> = book.arrived.iter().map(|(what, name)| unknown(what, name)).collect();
    Ok(inbound::unpark(tx, &reasons).await?)
}

/// Offers invoices without a playbook to the current ones: after a publication.
///
/// # Errors
/// [`Error::Store`].
pub(crate) async fn offer_unmatched(engine: &Engine, tx: &mut Tx, tick: &mut Tick) -> Result<(), Error> {
    let mut after = String::new();
    loop {
        let rows = recobro_store::unmatched::list(tx, &after, BATCH).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after.clone_from(&last.invoice.0);
        let keys = Keys { invoices: rows.iter().map(|row| row.invoice.0.clone()).collect(), ..Keys::default() };
        let mut book = db::load_book(engine, tx, &keys).await?;
        book.entering = rows.into_iter().map(|row| (row.invoice, engine.clock.now())).collect();
        enter::enter(engine, tx, &mut book, &Nobody, tick).await?;
        db::tell(tx, &book.events, &book.numbers).await?;
    }
}

fn understand(row: &Inbound) -> Result<Item, Parked> {
    if row.kind == ANSWER.0 {
        return serde_json::from_str(&row.body).map(|a| Item::Answer(Box::new(a))).map_err(|e| e.to_string());
    }
    Record::parse(&row.kind, &row.body).map(|record| Item::Record(Box::new(record)))
}

/// What the rows name.
fn keys(items: &[(Inbound, Result<Item, Parked>)]) -> Keys {
    let mut keys = Keys::default();
    for (row, item) in items {
        match item {
            Ok(Item::Record(record)) => {
                keys.add(record);
                if let Record::Payment(payment) = &**record {
                    keys.payments.insert(format!("{}:{}", row.source, row.external_id));
                    keys.returns |= payment.amount.minor < 0;
                } else if let Record::Promise(promise) = &**record {
                    keys.promises.insert(scoped(&row.source, &promise.id));
                } else if let Record::Credit(_) = &**record {
                    keys.payments.insert(format!("{}:{}", row.source, credits::key(&row.external_id)));
                }
            }
            Ok(Item::Answer(answered)) => {
                keys.invoices.insert(answered.invoice.0.clone());
                keys.customers.insert(answered.customer.clone());
                if answered.answer.outcome == "hardship" {
                    keys.all_of.insert(answered.customer.clone());
                    keys.told.insert(answered.customer.clone());
                }
            }
            Err(_) => {}
        }
    }
    keys
}

impl Keys {
    fn add(&mut self, record: &Record) {
        match record {
            Record::Customer(customer) => {
                let id = CustomerId(customer.id.clone());
                self.told.insert(id.clone());
                self.customers.insert(id);
            }
            Record::Invoice(invoice) => {
                self.invoices.insert(invoice.id.clone());
                self.customers.insert(CustomerId(invoice.customer.clone()));
            }
            Record::Payment(payment) => {
                self.invoices.extend(payment.names().map(str::to_owned));
                if payment.names().next().is_none() {
                    self.invoices.extend(money::words(&payment.reference).map(str::to_owned));
                    self.all_of.extend(payment.customer.iter().map(|id| CustomerId(id.clone())));
                }
            }
            Record::Match(matching) => {
                self.invoices.insert(matching.invoice.clone());
                self.payments.insert(matching.payment.clone());
            }
            Record::Dispute(dispute) => {
                self.invoices.insert(dispute.invoice.clone());
            }
            Record::Credit(credit) => {
                self.invoices.insert(credit.invoice.clone());
            }
            Record::Waiver(waiver) => {
                self.invoices.insert(waiver.invoice.clone());
            }
            Record::Incentive(incentive) => {
                self.invoices.insert(incentive.invoice.clone());
            }
            Record::Promise(promise) => {
                self.invoices.extend(promise.invoices.iter().cloned());
                if let (true, Some(customer)) = (promise.invoices.is_empty(), &promise.customer) {
                    self.all_of.insert(CustomerId(customer.clone()));
                }
            }
            Record::Consent(consent) => {
                self.told.insert(CustomerId(consent.customer.clone()));
            }
            Record::Reply(reply) => {
                self.invoices.extend(reply.invoice.iter().cloned());
                self.told.extend(reply.customer.iter().map(|id| CustomerId(id.clone())));
            }
            Record::Event(event) => {
                self.invoices.extend(event.invoice.iter().cloned());
                let customer = || event.customer.iter().map(|id| CustomerId(id.clone()));
                self.told.extend(customer());
                // Protection moves the customer into classes and out of them, invoice by invoice.
                self.all_of.extend(customer().filter(|_| event.event == outside::HARDSHIP));
            }
            Record::Plan(plan) => {
                self.plans.insert(plan.id.clone());
                let (invoices, customer) = plan.names();
                self.invoices.extend(invoices.iter().cloned());
                self.all_of.extend(customer.filter(|_| invoices.is_empty()).map(|id| CustomerId(id.to_owned())));
            }
            Record::Hold(hold) => {
                self.holds.insert(hold.id.clone());
                let (invoice, customer) = hold.names();
                self.invoices.extend(invoice.map(str::to_owned));
                self.all_of.extend(customer.map(|id| CustomerId(id.to_owned())));
            }
        }
    }

    /// Customers found only through an invoice: a reply tells all their cases; a changed customer's invoices without a
    /// case are offered again. Says whether the book must be loaded again.
    fn widen(&mut self, book: &Book, items: &[(Inbound, Result<Item, Parked>)]) -> bool {
        let before = (self.told.len(), self.all_of.len());
        for (_, item) in items {
            let Ok(Item::Record(record)) = item else { continue };
            match &**record {
                Record::Reply(reply) if reply.customer.is_none() => self.tell_owner(book, reply.invoice.as_deref()),
                Record::Event(event) if event.customer.is_none() => {
                    self.tell_owner(book, event.invoice.as_deref());
                    if event.event == outside::HARDSHIP {
                        self.all_of.extend(owner_of(book, event.invoice.as_deref()));
                    }
                }
                Record::Customer(customer) => {
                    let id = CustomerId(customer.id.clone());
                    if book.clients.contains_key(&id) {
                        self.all_of.insert(id);
                    }
                }
                Record::Invoice(_)
                | Record::Payment(_)
                | Record::Match(_)
                | Record::Dispute(_)
                | Record::Promise(_)
                | Record::Reply(_)
                | Record::Event(_)
                | Record::Plan(_)
                | Record::Hold(_)
                | Record::Credit(_)
                | Record::Waiver(_)
                | Record::Incentive(_)
                | Record::Consent(_) => {}
            }
        }
        before != (self.told.len(), self.all_of.len())
    }

    fn tell_owner(&mut self, book: &Book, invoice: Option<&str>) {
        self.told.extend(owner_of(book, invoice));
    }
}

fn owner_of(book: &Book, invoice: Option<&str>) -> Option<CustomerId> {
    let bill = invoice.and_then(|name| book.find(name)).and_then(|id| book.bills.get(&id))?;
    Some(CustomerId(bill.record.customer.clone()))
}

/// A row about an invoice that enters in this batch waits for the next one, so that its case opens with the facts of
/// its own time. Old news (an import of the past) is taken at once: the case opens with what is known today.
fn touches_entering(book: &Book, row: &Inbound, item: &Result<Item, Parked>, now: Timestamp) -> bool {
    if row.at < now || book.entering.is_empty() {
        return false;
    }
    let is_entering = |name: &str| book.find(name).is_some_and(|id| book.entering.contains_key(&id));
    let Ok(Item::Record(record)) = item else { return false };
    match &**record {
        Record::Payment(payment) => payment.names().next().is_none() || payment.names().any(is_entering),
        Record::Match(matching) => is_entering(&matching.invoice),
        Record::Dispute(dispute) => is_entering(&dispute.invoice),
        Record::Credit(credit) => is_entering(&credit.invoice),
        Record::Waiver(waiver) => is_entering(&waiver.invoice),
        Record::Incentive(incentive) => is_entering(&incentive.invoice),
        Record::Promise(promise) => {
            promise.invoices.is_empty() || promise.invoices.iter().any(|name| is_entering(name))
        }
        Record::Reply(_) | Record::Event(_) | Record::Plan(_) | Record::Hold(_) => true,
        Record::Customer(_) | Record::Invoice(_) | Record::Consent(_) => false,
    }
}

/// Source of the answers that `operate::task_done` accepts.
pub(crate) const OPERATE: &str = "operate";

/// Closes the tasks that rows answer. Answers to an approval of several people are left to the case.
async fn close_answered(
    tx: &mut Tx,
    items: &[(Inbound, Result<Item, Parked>)],
    book: &mut Book,
) -> Result<Vec<recobro_kernel::ids::TaskId>, Error> {
    let answers: Vec<(&Inbound, &Answered)> = items
        .iter()
        .filter_map(|(row, item)| match item {
            Ok(Item::Answer(answered)) => Some((row, &**answered)),
            Ok(Item::Record(_)) | Err(_) => None,
        })
        .collect();
    if answers.is_empty() {
        return Ok(Vec::new());
    }
    let invoices: Vec<InvoiceId> = answers.iter().map(|(_, a)| a.invoice.clone()).collect();
    for (no, case) in recobro_store::cases::latest_of(tx, &db::unique(&invoices)).await?.into_values() {
        book.numbers.insert(case, no);
    }
    let single: Vec<&(&Inbound, &Answered)> = answers.iter().filter(|(_, a)| a.by_all.len() < 2).collect();
    let rows: Vec<tasks::Answer> = single
        .iter()
        .map(|(row, a)| tasks::Answer { id: a.task, outcome: a.answer.outcome.clone(), by: a.who.clone(), at: row.at })
        .collect();
    let open = tasks::answer(tx, &rows).await?;
    // Work that was closed meanwhile. An operator's own answer closed it when it was accepted: that one is in time.
    let late =
        single.iter().zip(open).filter(|((row, _), open)| !open && row.source != OPERATE).map(|((_, a), _)| a.task);
    Ok(late.collect())
}

fn take(
    engine: &Engine,
    book: &mut Book,
    row: &Inbound,
    item: &Item,
    at: Timestamp,
    late: &[recobro_kernel::ids::TaskId],
) -> Result<(), Parked> {
    let key = format!("{}#{}", row.external_id, row.version);
    let origin = Origin { source: &row.source, kind: &row.kind, key: &key, at };
    let taken = take_item(engine, book, (row, item), &origin, late);
    book.settle_plans(&origin);
    taken
}

fn take_item(
    engine: &Engine,
    book: &mut Book,
    (row, item): (&Inbound, &Item),
    origin: &Origin<'_>,
    late: &[recobro_kernel::ids::TaskId],
) -> Result<(), Parked> {
    match item {
        Item::Answer(answered) => {
            if late.contains(&answered.task) && answered.kind == "approve" {
                return Err("the approval was closed before it was answered".to_owned());
            }
            let limit = limit_of(engine, book, &answered.customer);
            book.take_answer(answered, origin, &limit);
            Ok(())
        }
        Item::Record(record) => match &**record {
            Record::Customer(customer) => {
                take_customer(book, customer, origin);
                Ok(())
            }
            Record::Invoice(invoice) => take_invoice(book, invoice, origin),
            Record::Payment(payment) => money::take(book, row, payment, origin, Rule::of(&engine.shelf.law)),
            // The same word again, said at another time.
            Record::Match(_) if row.version > 1 => Ok(()),
            Record::Match(matching) => money::take_match(book, matching, origin),
            Record::Dispute(dispute) => disputes::take(book, dispute, origin),
            Record::Promise(promise) => take_promise(engine, book, promise, origin),
            Record::Reply(reply) => take_reply(book, reply, origin),
            Record::Event(event) => outside::take(book, event, origin),
            Record::Plan(plan) => plans::take(book, plan, origin),
            Record::Hold(hold) => holds::take(book, hold, origin),
            Record::Credit(credit) => credits::take(book, row, credit, origin),
            Record::Incentive(incentive) => incentives::take(book, incentive, origin),
            Record::Waiver(waiver) => waivers::take(book, waiver, origin),
            Record::Consent(consent) => consents::take(book, consent, origin),
        },
    }
}

fn take_customer(book: &mut Book, customer: &record::Customer, origin: &Origin<'_>) {
    let mut customer = customer.clone();
    let mut defaults = Vec::new();
    if customer.risk.is_none() {
        customer.risk = Some("medium".to_owned());
        defaults.push("customer.risk = medium".to_owned());
    }
    book.take_customer(customer, defaults, origin);
}

/// Judgement of a date promised by a customer.
fn limit_of(
    engine: &Engine,
    book: &Book,
    customer: &CustomerId,
) -> impl Fn(chrono::NaiveDate) -> answer::Limit + use<> {
    let law = std::sync::Arc::clone(&engine.shelf.law);
    let place = book.clients.get(customer).map(|client| {
        let record = &client.record;
        (record.country.clone(), record.subdivision.clone(), record.time_zone)
    });
    let (country, subdivision, zone) =
        place.unwrap_or_else(|| (String::new(), None, engine.settings.creditor.time_zone));
    move |date| crate::promise::limit(&law, &country, subdivision.as_deref(), zone, date)
}

fn unknown(what: &str, name: &str) -> Parked {
    format!("no {what} `{name}`; it is taken again when that {what} is imported")
}

/// The invoice that a row names, or why nobody can say which it is.
fn named(book: &Book, name: &str) -> Result<InvoiceId, Parked> {
    if book.is_ambiguous(name) {
        return Err(format!("several invoices carry the number or reference `{name}`; say which one by its id"));
    }
    book.find(name).ok_or_else(|| unknown("invoice", name))
}

fn take_invoice(book: &mut Book, invoice: &record::Invoice, origin: &Origin<'_>) -> Result<(), Parked> {
    if !book.clients.contains_key(&CustomerId(invoice.customer.clone())) {
        return Err(unknown("customer", &invoice.customer));
    }
    let known = book.bills.get(&InvoiceId(invoice.id.clone()));
    if let Some(bill) = known.filter(|bill| bill.record.amount.currency != invoice.amount.currency) {
        let (old, new) = (bill.record.amount.currency, invoice.amount.currency);
        return Err(format!("the invoice is known in {old} and comes in {new}; cancel it and issue another"));
    }
    if let Some(bill) = known.filter(|bill| bill.record.customer != invoice.customer) {
        let (old, new) = (&bill.record.customer, &invoice.customer);
        return Err(format!("the invoice is known as `{old}`'s and comes as `{new}`'s; cancel it and issue another"));
    }
    book.take_invoice(invoice.clone(), origin);
    Ok(())
}

fn take_promise(
    engine: &Engine,
    book: &mut Book,
    promise: &record::Promise,
    origin: &Origin<'_>,
) -> Result<(), Parked> {
    let mut invoices = Vec::new();
    for name in &promise.invoices {
        invoices.push(named(book, name)?);
    }
    let customer = match (&promise.customer, invoices.first()) {
        (Some(customer), _) => CustomerId(customer.clone()),
        (None, Some(id)) => CustomerId(book.bills[id].record.customer.clone()),
        (None, None) => return Err("the promise names neither a customer nor an invoice".to_owned()),
    };
    if invoices.is_empty() {
        let open = |bill: &&book::Bill| bill.record.customer == customer.as_str() && bill.is_open();
        let mut all: Vec<&book::Bill> = book.bills.values().filter(open).collect();
        all.sort_by(|a, b| (a.record.due, &a.record.id).cmp(&(b.record.due, &b.record.id)));
        invoices = all.into_iter().map(|bill| InvoiceId(bill.record.id.clone())).collect();
    }
    let Some(first) = invoices.first() else {
        return Err(format!("nothing is open that the promise of `{customer}` could cover"));
    };
    if let Some(other) = invoices.iter().map(|id| &book.bills[id].record.customer).find(|owner| **owner != customer.0) {
        return Err(format!("the promise of `{customer}` names an invoice of `{other}`; note one for each"));
    }
    let currency = book.bills[first].record.amount.currency;
    if invoices.iter().any(|id| book.bills[id].record.amount.currency != currency) {
        return Err("the promise covers invoices in several currencies; split it".to_owned());
    }
    if let Some(known) = book.judged.get(&scoped(origin.source, &promise.id)) {
        return Err(format!("the promise was {known} before; a new one needs an id of its own"));
    }
    if let Some(amount) = promise.amount.filter(|amount| amount.minor <= 0) {
        return Err(format!("{amount} cannot be promised; an amount is more than 0"));
    }
    if let Some(amount) = promise.amount.filter(|amount| amount.currency != currency) {
        return Err(format!("the promise is in {}, the invoices are owed in {currency}", amount.currency));
    }
    let claimable: i64 = invoices.iter().map(|id| book.bills[id].claimable_minor()).sum();
    let owed = || invoices.iter().map(|id| book.bills[id].balance_minor.max(0)).sum();
    let whole = if claimable > 0 { claimable } else { owed() };
    let (limit_on, limit_at) = limit_of(engine, book, &customer)(promise.date);
    let pledge = Pledge {
        id: scoped(origin.source, &promise.id),
        customer,
        invoices,
        made_on: promise.made_on,
        date: promise.date,
        amount: promise.amount.unwrap_or(Money::new(whole, currency)),
        paid_minor: 0,
        limit_on,
        limit_at,
        source: origin.source.to_owned(),
        status: "open".to_owned(),
        method: promise.method.clone(),
        by: promise.by.clone(),
        changed: true,
    };
    book.make_promise(pledge, origin);
    Ok(())
}

fn take_reply(book: &mut Book, reply: &record::Reply, origin: &Origin<'_>) -> Result<(), Parked> {
    let invoice = reply.invoice.as_deref().and_then(|name| book.find(name));
    let customer = match (&reply.customer, invoice) {
        (Some(customer), _) => CustomerId(customer.clone()),
        (None, Some(id)) => CustomerId(book.bills[&id].record.customer.clone()),
        (None, None) => return Err("the reply names neither a customer nor an invoice that we know".to_owned()),
    };
    if !book.clients.contains_key(&customer) {
        return Err(unknown("customer", customer.as_str()));
    }
    // Who writes nothing but a word that ends messages has said it, whoever reads it.
    let is_stop = reply.kind == "text" && recobro_kernel::consent::ends_messages(&reply.text);
    let kind = if is_stop { "opt_out" } else { &reply.kind };
    book.take_reply(&customer, (&reply.channel, kind), (reply.on, &format!("reply {}", reply.id)), origin);
    Ok(())
}

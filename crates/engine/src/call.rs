//! Calls by people: the guard is asked when a person opens the number, because a call leaves by no outbox.
//!
//! A number that was opened counts as an attempt, like a message of which nobody knows whether it arrived: what the
//! person answers later says whether somebody was talked to.

use crate::facts::Loaded;
use crate::operate::Who;
use crate::{Engine, Error, db, explain};
use recobro_kernel::case::{Case, Work};
use recobro_kernel::facts::{Channel, Class, ContactMade, ContactPoint, Facts};
use recobro_kernel::guard::{self, Judgement, Verdict};
use recobro_kernel::ids::{CustomerId, GroupId, InvoiceId, TaskId};
use recobro_kernel::playbook::Playbook;
use recobro_kernel::record::Moved;
use recobro_kernel::time::Timestamp;
use recobro_store::contacts::{self, ContactRow};
use recobro_store::tasks::{self, TaskRow};
use recobro_store::{CaseNo, Tx, events, verdicts};
use std::collections::{BTreeMap, BTreeSet};

/// Opening the number again within this time is the same attempt, microseconds.
const SAME_CALL_US: i64 = 15 * 60 * 1_000_000;

/// Open calls to one customer that are looked at together.
const MOST_CALLS: i64 = 1_000;

/// What a person who opens the number of a call is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// Customer.
    pub customer: CustomerId,
    /// Their name, or that of the person who answers there.
    pub name: String,
    /// Whose number it is.
    pub role: String,
    /// The number; nothing where none is known and customers count as reachable.
    pub number: Option<String>,
    /// Invoices with an open call to the same customer that may be asked for now, the task's own first.
    pub invoices: Vec<String>,
    /// The guard's answer; the number is shown only if it allows.
    pub verdict: Verdict,
    /// Every limit that moved it, the last as binding.
    pub moved: Vec<Moved>,
    /// When it was asked.
    pub at: Timestamp,
    /// The customer's local time then.
    pub local: String,
}

/// A call with what the guard must know.
struct Asked {
    row: TaskRow,
    case: Case,
    work: Work,
    facts: Facts,
    loaded: Loaded,
    /// Open calls to the same customer that nothing keeps from being made now.
    beside: Vec<TaskRow>,
    /// What the ledger had of the customer.
    noted: Vec<(String, ContactMade)>,
    /// When its number was opened last, and as whose try.
    begun: Option<(Timestamp, GroupId)>,
}

impl Asked {
    /// The calls that are made in one go: its own first.
    fn in_one_go(&self) -> impl Iterator<Item = &TaskRow> {
        in_one_go(&self.row, &self.beside)
    }
}

fn in_one_go<'a>(row: &'a TaskRow, beside: &'a [TaskRow]) -> impl Iterator<Item = &'a TaskRow> {
    let name = row.task.together;
    std::iter::once(row).chain(beside.iter().filter(move |other| name.is_some() && other.task.together == name))
}

/// Calls with what says whether they may be made at all.
struct Ready {
    cases: BTreeMap<CaseNo, Case>,
    loaded: Loaded,
}

impl Ready {
    /// Whether nothing keeps an open call from being made, in whatever go; its case may know it no more.
    fn is(&self, row: &TaskRow) -> bool {
        let case = self.cases.get(&row.no);
        let known = case.and_then(|case| Some((case, case.work.iter().find(|work| work.id == row.task.id)?)));
        let bill = self.loaded.bills.get(&row.invoice);
        known
            .zip(bill)
            .is_some_and(|((case, work), bill)| guard::call_stopped(work, case, bill.claimable_minor()).is_none())
    }
}

impl Engine {
    /// Asks the guard whether a call may be made now; notes its answer, and the attempt where it allows.
    ///
    /// # Errors
    /// [`Error::NoTask`]; [`Error::Closed`]; [`Error::Refused`] for a task that is no call, and while news waits that
    /// could forbid it.
    pub async fn open_number(&self, task: TaskId, who: &Who) -> Result<Number, Error> {
        let mut tx = self.store.begin().await?;
        let row = tasks::get(&mut tx, task).await?.ok_or(Error::NoTask(task))?;
        if row.task.kind != "call" {
            return Err(Error::Refused(format!("task {task} is no call but `{}`: it has no number", row.task.kind)));
        }
        if let Some(outcome) = &row.outcome {
            return Err(Error::Closed { id: task, state: outcome.clone() });
        }
        contacts::lock_budget(&mut tx, std::slice::from_ref(&row.customer)).await?;
        let (number, contact) = self.ask_for_call(&mut tx, row).await?;
        tracing::info!(task = %task, who = who.name, verdict = explain::parts(&number.verdict).0, "number asked for");
        contacts::put(&mut tx, &contact).await?;
        tx.commit().await?;
        Ok(number)
    }

    /// What has come and is not read yet may be the payment that makes the call wrong.
    async fn no_news(&self, tx: &mut Tx, rows: &[&TaskRow]) -> Result<(), Error> {
        let now = self.clock.now();
        let cases: Vec<CaseNo> = rows.iter().map(|row| row.no).collect();
        let unread = events::next_of(tx, &cases).await?;
        if self.news_waits(tx).await? || unread.values().any(|at| *at <= now) {
            return Err(Error::Refused(
                "news waits to be taken up, and may say that nobody is to be called: `recobro run`, then again"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    async fn ask_for_call(&self, tx: &mut Tx, row: TaskRow) -> Result<(Number, Vec<ContactRow>), Error> {
        let now = self.clock.now();
        let asked = self.asked(tx, row, now).await?;
        self.no_news(tx, &std::iter::once(&asked.row).chain(&asked.beside).collect::<Vec<_>>()).await?;
        let pin = (asked.case.bundle, asked.case.content);
        let bundles = self.bundles(tx, &[(pin, &asked.case.playbook)]).await?;
        let playbook = &bundles[&pin].compiled.playbook;
        let (judged, point) = guard::call(&asked.work, playbook, &asked.case, &asked.facts, &self.shelf.law, now);
        self.keep_answer(tx, &asked, &judged, now).await?;
        let allowed = judged.verdict == Verdict::Allow;
        let shown = point.filter(|_| allowed).map(|point| point.id.clone());
        let contact = if allowed { attempt(&asked, now) } else { Vec::new() };
        Ok((number(&asked, (judged, shown, point), now), contact))
    }

    async fn asked(&self, tx: &mut Tx, row: TaskRow, now: Timestamp) -> Result<Asked, Error> {
        let lost = |what: &str| Error::Corrupt { what: format!("task {}", row.task.id), cause: format!("no {what}") };
        let (invoice, customer) = (&row.invoice, &row.customer);
        let open = tasks::Filter {
            open: true,
            kind: Some("call".to_owned()),
            customer: Some(customer.clone()),
            ..tasks::Filter::default()
        };
        let mut beside = tasks::list(tx, &open, None, MOST_CALLS).await?;
        beside.retain(|other| other.task.id != row.task.id);
        let mut ready = self.ready(tx, std::iter::once(&row).chain(&beside), now).await?;
        beside.retain(|other| ready.is(other));
        let case = ready.cases.remove(&row.no).ok_or_else(|| lost("case"))?;
        let work = case.work.iter().find(|work| work.id == row.task.id).cloned().ok_or_else(|| lost("open work"))?;
        let mut loaded = ready.loaded;
        let known = loaded.contacts.get(customer).cloned().unwrap_or_default();
        let begun = noted(&known, &row.task.id.to_string()).map(|made| (made.at, made.group));
        // The number looked at a second time is the same call; later it is another one, however often it was looked at.
        if begun.is_some_and(|(at, _)| is_same_call(at, now)) {
            loaded.forget(&in_one_go(&row, &beside).map(|row| row.task.id.to_string()).collect());
        }
        let facts = loaded.facts(invoice, now, &self.settings).ok_or_else(|| lost("invoice or customer"))?;
        Ok(Asked { row, case, work, facts, loaded, beside, noted: known, begun })
    }

    async fn keep_answer(&self, tx: &mut Tx, asked: &Asked, judged: &Judgement, now: Timestamp) -> Result<(), Error> {
        let row = &asked.row;
        let by = (Channel::Call.name(), Class::Dunning, row.task.step.as_str());
        let about = (&row.customer, &row.invoice);
        let policy = self.shelf.law.policy_hash().to_string();
        verdicts::put(tx, &[explain::row_of(row.task.id.to_string(), about, by, judged, now, &policy)]).await?;
        Ok(())
    }

    async fn ready(
        &self,
        tx: &mut Tx,
        rows: impl Iterator<Item = &TaskRow> + Clone,
        now: Timestamp,
    ) -> Result<Ready, Error> {
        let cases = db::seen_cases(tx, &rows.clone().map(|row| row.no).collect::<Vec<_>>()).await?;
        let invoices: Vec<InvoiceId> = rows.clone().map(|row| row.invoice.clone()).collect();
        let customers: Vec<CustomerId> = rows.map(|row| row.customer.clone()).collect();
        Ok(Ready { cases, loaded: db::load_facts(self, tx, (&invoices, &customers), now).await? })
    }

    /// Of what is done in one go, the ids of the calls that are not made now: nothing may be said of them.
    pub(crate) async fn not_called(
        &self,
        tx: &mut Tx,
        rows: &[TaskRow],
        now: Timestamp,
    ) -> Result<BTreeSet<TaskId>, Error> {
        let calls = rows.iter().filter(|row| row.task.kind == "call");
        if calls.clone().next().is_none() {
            return Ok(BTreeSet::new());
        }
        let ready = self.ready(tx, calls.clone(), now).await?;
        Ok(calls.filter(|row| !ready.is(row)).map(|row| row.task.id).collect())
    }
}

fn number(
    asked: &Asked,
    (judged, shown, point): (Judgement, Option<String>, Option<&ContactPoint>),
    now: Timestamp,
) -> Number {
    let customer = asked.row.customer.clone();
    let own = asked.row.invoice.clone();
    let others: BTreeSet<&InvoiceId> =
        asked.beside.iter().map(|row| &row.invoice).filter(|invoice| **invoice != own).collect();
    let known = asked.loaded.points.get(&customer);
    let at = shown.and_then(|id| known?.iter().find(|point| point.fact.id == id));
    let client = asked.loaded.clients.get(&customer).map_or("", |client| client.record.name.as_str());
    let zone = asked.facts.customer.time_zone;
    Number {
        name: at.map(|point| point.name.as_str()).filter(|name| !name.is_empty()).unwrap_or(client).to_owned(),
        role: point.map(|point| point.role.clone()).unwrap_or_default(),
        number: at.map(|point| point.address.clone()),
        invoices: std::iter::once(&own).chain(others).map(InvoiceId::to_string).collect(),
        customer,
        verdict: judged.verdict,
        moved: judged.moved,
        at: now,
        local: now.local(zone).format("%Y-%m-%d %H:%M").to_string(),
    }
}

/// The ledger's rows of an attempt, one for each invoice that it is about: the newest of a task bears its id, because its
/// answer will say how it ended. Looked at again within the same call it stays at the instant at which that began, and a
/// try of the task that began it, whichever of its tasks is looked at.
fn attempt(asked: &Asked, now: Timestamp) -> Vec<ContactRow> {
    let own = GroupId::of_call(asked.row.task.id);
    let zone = asked.facts.customer.time_zone;
    let begun = asked.begun.filter(|(at, _)| is_same_call(*at, now));
    let (at, group) = begun.unwrap_or((now, own));
    let mut rows = Vec::new();
    for row in asked.in_one_go() {
        let id = row.task.id.to_string();
        let one = |id: String, at: Timestamp, group: GroupId| ContactRow {
            id,
            customer: row.customer.clone(),
            invoice: row.invoice.clone(),
            no: row.no,
            channel: Channel::Call.name().to_owned(),
            class: Class::Dunning.name().to_owned(),
            stage: row.task.stage.clone(),
            step: row.task.step.clone(),
            // Every attempt of the task is one of its tries, which keep the playbook's own distance.
            group,
            at,
            local_on: at.date_in(zone),
            state: "claimed".to_owned(),
            talk: false,
        };
        let before = noted(&asked.noted, &id).filter(|made| made.at != at);
        rows.extend(before.map(|made| one(format!("{id}/{}", made.at.as_us()), made.at, made.group)));
        rows.push(one(id.clone(), at, group));
    }
    rows
}

/// Asks for an open call, for people, what [`Engine::open_number`] would: what the same call has noted itself holds
/// nothing back.
pub(crate) fn would_open(
    engine: &Engine,
    (work, case, playbook): (&Work, &Case, &Playbook),
    (mut facts, known): (Facts, &[(String, ContactMade)]),
    at: Timestamp,
) -> Judgement {
    let opened_at = noted(known, &work.id.to_string()).map(|made| made.at).filter(|before| is_same_call(*before, at));
    // All that was called in one go was noted at one instant.
    facts.contacts.retain(|made| made.channel != Channel::Call || Some(made.at) != opened_at);
    guard::call(work, playbook, case, &facts, &engine.shelf.law, at).0
}

/// What the ledger has under the id of a task.
fn noted<'a>(contacts: &'a [(String, ContactMade)], id: &str) -> Option<&'a ContactMade> {
    contacts.iter().find(|(known, _)| known == id).map(|(_, made)| made)
}

/// Whether a number opened before is still the same attempt.
fn is_same_call(before: Timestamp, now: Timestamp) -> bool {
    before.plus_us(SAME_CALL_US) > now
}

//! What the commands read from the database, in the shapes that people and programs see. Nothing here writes.

pub(crate) mod agreements;
mod ledger;

pub(crate) use ledger::*;

use crate::config::near;
use crate::failure::{Exit, Failure};
use chrono::NaiveDate;
use chrono_tz::Tz;
use recobro_connectors::source::record::Record;
use recobro_engine::Clock;
use recobro_kernel::case::{Case, Status};
use recobro_kernel::ids::{CaseId, CustomerId, InvoiceId, TaskId};
use recobro_kernel::money::{Currency, Money};
use recobro_kernel::playbook::{Outcome, Playbook};
use recobro_kernel::record::TurnBody;
use recobro_kernel::time::Timestamp;
use recobro_playbook::{Compiled, Files};
use recobro_store::invoices::InvoiceRow;
use recobro_store::{CaseNo, Store, Tx, cases, customers, inbound, invoices, playbooks, tasks, unmatched};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Rows of one page.
const PAGE: i64 = 500;

/// A case as lists show it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CaseRow {
    schema: &'static str,
    /// Id.
    pub(crate) id: String,
    /// Invoice.
    pub(crate) invoice: String,
    /// Customer.
    pub(crate) customer: String,
    /// Playbook.
    pub(crate) playbook: String,
    /// Its version.
    pub(crate) version: u32,
    /// Status.
    pub(crate) status: String,
    /// Stage.
    pub(crate) stage: Option<String>,
    /// Step.
    pub(crate) step: Option<String>,
    /// Outcome of a finished case.
    pub(crate) outcome: Option<String>,
    /// Next look.
    pub(crate) next_at: Option<Timestamp>,
    /// Why then.
    pub(crate) next_reason: Option<String>,
}

/// Which cases to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct CaseFilter {
    /// Status.
    pub(crate) status: Option<Status>,
    /// Outcome.
    pub(crate) outcome: Option<Outcome>,
    /// Playbook.
    pub(crate) playbook: Option<String>,
    /// Customer.
    pub(crate) customer: Option<String>,
}

/// A case with its snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Number in the database.
    pub(crate) no: CaseNo,
    /// Id.
    pub(crate) id: CaseId,
    /// Hash of its last turn.
    pub(crate) head: String,
    /// Snapshot.
    pub(crate) case: Case,
}

/// One turn as stored.
#[derive(Clone, Debug)]
pub(crate) struct HistoryRow {
    /// Stream.
    pub(crate) stream: String,
    /// Revision.
    pub(crate) rev: u64,
    /// Who caused it.
    pub(crate) actor: String,
    /// Hash before.
    pub(crate) prev: String,
    /// Hash.
    pub(crate) hash: String,
    body: TurnBody,
}

/// A case with everything needed to tell its story.
pub(crate) struct CaseFile {
    /// The pinned playbook.
    pub(crate) compiled: Arc<Compiled>,
    /// Customer's zone.
    pub(crate) zone: Tz,
    /// Customer's segment, risk and country.
    pub(crate) customer: (String, String, String),
    /// Printed number.
    pub(crate) number: String,
    /// Original amount.
    pub(crate) amount: Money,
    /// Principal open.
    pub(crate) balance: Money,
    /// Date due.
    pub(crate) due: NaiveDate,
    history: Vec<HistoryRow>,
}

/// A task as lists show it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TaskRow {
    schema: &'static str,
    /// Id.
    pub(crate) id: String,
    /// `call`, `task`, `approve` or `fix`.
    pub(crate) kind: String,
    /// What is to be done.
    pub(crate) subject: String,
    /// Case.
    pub(crate) case: String,
    /// Invoice.
    pub(crate) invoice: String,
    /// Customer.
    pub(crate) customer: String,
    /// Role or person.
    pub(crate) assignee: String,
    /// Answers it accepts.
    pub(crate) outcomes: Vec<String>,
    /// Hash of what is shown.
    pub(crate) seen: String,
    /// When it was opened.
    pub(crate) opened_at: Timestamp,
    /// Its limit.
    pub(crate) limit_at: Option<Timestamp>,
    /// Open work of the same customer with the same name here is done in one go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) together: Option<String>,
    /// Outcome; nothing while open.
    pub(crate) outcome: Option<String>,
    /// Who answered.
    pub(crate) closed_by: Option<String>,
    /// When it was closed.
    pub(crate) closed_at: Option<Timestamp>,
}

/// Which tasks to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskFilter {
    /// Role or person.
    pub(crate) assignee: Option<String>,
    /// Kind.
    pub(crate) kind: Option<String>,
    /// Closed ones too.
    pub(crate) closed: bool,
}

/// Who put news aside, why and when.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Aside {
    /// Who.
    pub(crate) by: String,
    /// Why.
    pub(crate) why: String,
    /// When.
    pub(crate) at: Timestamp,
}

/// An invoice without a case, or news that fits nothing.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct UnmatchedRow {
    schema: &'static str,
    /// By which news is dismissed; invoices have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// Invoice.
    pub(crate) invoice: String,
    /// Customer.
    pub(crate) customer: String,
    /// What is open of the invoice, or what the news says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) amount: Option<String>,
    /// Why.
    pub(crate) reason: String,
    /// Since when.
    pub(crate) since: Timestamp,
    /// Put aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dismissed: Option<Aside>,
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

impl From<cases::CaseRow> for CaseRow {
    fn from(row: cases::CaseRow) -> Self {
        Self {
            schema: "recobro/v1/case",
            id: row.id.to_string(),
            invoice: row.invoice.to_string(),
            customer: row.customer.to_string(),
            playbook: row.playbook,
            version: row.version,
            status: row.status.name().to_owned(),
            stage: some(row.stage),
            step: some(row.step),
            outcome: row.outcome.and_then(some),
            next_at: row.next_at,
            next_reason: some(row.next_reason),
        }
    }
}

impl Found {
    fn of(claimed: &cases::Claimed) -> Result<Self, Failure> {
        let case = serde_json::from_str(&claimed.state)
            .map_err(|error| Failure::new(Exit::Failed, format!("case {} cannot be read: {error}", claimed.id)))?;
        Ok(Self { no: claimed.no, id: claimed.id, head: claimed.head.to_string(), case })
    }

    /// As lists show it.
    pub(crate) fn row(&self, playbook: &Playbook) -> CaseRow {
        let case = &self.case;
        let step = playbook.steps.get(case.cursor.position).filter(|_| !case.is_finished());
        CaseRow {
            schema: "recobro/v1/case",
            id: case.id.to_string(),
            invoice: case.invoice.to_string(),
            customer: case.customer.to_string(),
            playbook: case.playbook.clone(),
            version: case.version,
            status: case.status.name().to_owned(),
            stage: step.and_then(|_| some(playbook.stage_name(case.cursor.position).to_owned())),
            step: step.map(|step| step.path.clone()),
            outcome: case.outcome.map(|outcome| outcome.name().to_owned()),
            next_at: case.wake.as_ref().map(|wake| wake.at),
            next_reason: case.wake.as_ref().map(|wake| wake.reason.clone()),
        }
    }
}

impl HistoryRow {
    /// The stored records.
    pub(crate) fn turn(&self) -> &TurnBody {
        &self.body
    }
}

impl CaseFile {
    /// The turns, oldest first.
    pub(crate) fn turns(&self) -> Vec<TurnBody> {
        self.history.iter().map(|row| row.body.clone()).collect()
    }

    /// The first line of `simulate`.
    pub(crate) fn headline(&self, found: &Found) -> String {
        let (segment, risk, country) = &self.customer;
        format!(
            "{} v{}   {}  {}  due {}   segment {segment}, risk {risk}, {country}",
            found.case.playbook,
            found.case.version,
            self.number,
            self.amount,
            self.due.format("%a %Y-%m-%d")
        )
    }
}

/// Lists cases: open ones by their next look, then finished ones, newest first.
pub(crate) async fn cases(store: &Store, filter: &CaseFilter, limit: u32) -> Result<Vec<CaseRow>, Failure> {
    let wanted = cases::Filter {
        status: filter.status,
        playbook: filter.playbook.clone(),
        customer: filter.customer.as_deref().map(CustomerId::from),
        invoice: None,
        outcome: filter.outcome.map(|outcome| outcome.name().to_owned()),
    };
    let mut tx = store.read().await?;
    if wanted.customer.is_some() {
        // One customer's cases are few: read whole, then put in order.
        let mut rows = cases::list(&mut tx, &wanted, CaseNo(0), i64::from(u32::MAX)).await?;
        let finished = |row: &cases::CaseRow| row.outcome.as_ref().is_some_and(|outcome| !outcome.is_empty());
        rows.sort_by_key(|row| (finished(row), row.next_at.is_none(), row.next_at, row.no));
        rows.truncate(limit as usize);
        return Ok(rows.into_iter().map(CaseRow::from).collect());
    }
    let only_finished = filter.outcome.is_some() || filter.status == Some(Status::Finished);
    let mut after = Some(if only_finished { cases::Turn::Finished(CaseNo(i64::MAX)) } else { cases::Turn::first() });
    let mut rows: Vec<CaseRow> = Vec::new();
    while let Some(turn) = after {
        let left = i64::from(limit) - i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let is_unwanted = matches!(turn, cases::Turn::Finished(_)) && filter.status.is_some() && !only_finished;
        if left <= 0 || is_unwanted {
            break;
        }
        let (page, next) = cases::in_turn(&mut tx, &wanted, &turn, left.min(PAGE)).await?;
        rows.extend(page.into_iter().map(CaseRow::from));
        after = next;
    }
    Ok(rows)
}

/// Finds a case by its id, its invoice's id or printed number; the newest where an invoice had several.
pub(crate) async fn find_case(store: &Store, name: &str) -> Result<Found, Failure> {
    let mut tx = store.read().await?;
    if let Ok(id) = name.parse::<CaseId>() {
        let claimed = cases::by_id(&mut tx, id).await?;
        return claimed.map_or_else(|| Err(no_case(name)), |claimed| Found::of(&claimed));
    }
    let mut ids = vec![InvoiceId::from(name)];
    let named = invoices::by_name(&mut tx, &[name.to_owned()]).await?;
    ids.extend(named.into_iter().map(|row| row.id));
    ids.sort();
    ids.dedup();
    let found = cases::latest_of(&mut tx, &ids).await?;
    let nos: Vec<CaseNo> = found.values().map(|(no, _)| *no).collect();
    if nos.len() > 1 {
        let list: Vec<&str> = found.keys().map(InvoiceId::as_str).collect();
        return Err(Failure::new(Exit::Conflict, format!("`{name}` names {} invoices", list.len()))
            .help(format!("use one of their ids: {}", list.join(", "))));
    }
    match cases::load(&mut tx, &nos).await?.first() {
        Some(claimed) => Found::of(claimed),
        None => Err(no_case(name)),
    }
}

/// The time of the database: that which was played, else the machine's.
pub(crate) async fn now(store: &Store) -> Result<Timestamp, Failure> {
    let mut tx = store.read().await?;
    let played = recobro_store::meta::virtual_now(&mut tx).await?;
    Ok(played.unwrap_or_else(|| Clock::Real.now()))
}

/// Finds an invoice by its id, printed number or payment reference.
pub(crate) async fn find_invoice(store: &Store, name: &str) -> Result<InvoiceRow, Failure> {
    let mut tx = store.read().await?;
    if let Some(row) = invoices::get(&mut tx, &[InvoiceId::from(name)]).await?.into_values().next() {
        return Ok(row);
    }
    let mut found = invoices::by_name(&mut tx, &[name.to_owned()]).await?;
    match (found.len(), found.pop()) {
        (1, Some(row)) => Ok(row),
        (0, _) | (_, None) => {
            let meant = meant(&near_invoices(&mut tx, name).await?);
            let help = "write its id, printed number or payment reference; `recobro case list` shows all cases";
            Err(Failure::not_found(format!("no invoice `{name}`")).help(format!("{meant}{help}")))
        }
        (count, Some(row)) => {
            let ids: Vec<String> = found.into_iter().chain([row]).map(|row| row.id.to_string()).collect();
            Err(Failure::new(Exit::Conflict, format!("`{name}` names {count} invoices"))
                .help(format!("use one of their ids: {}", ids.join(", "))))
        }
    }
}

/// The currency of an invoice that was imported by this id and is not taken up yet.
pub(crate) async fn currency_to_come(store: &Store, id: &str) -> Result<Option<Currency>, Failure> {
    let mut tx = store.read().await?;
    let newest = inbound::versions(&mut tx, "invoice", &[id.to_owned()]).await?.pop();
    Ok(match newest.map(|row| Record::parse(&row.kind, &row.body)) {
        Some(Ok(Record::Invoice(invoice))) => Some(invoice.amount.currency),
        _ => None,
    })
}

/// Most names that are looked through for what somebody meant.
const NEAR: i64 = 500;

/// Beginnings of a name that are looked under: all but its last letters, where most slips are, then its first half.
fn beginnings(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let lengths = [letters.len().saturating_sub(2), letters.len() / 2, usize::from(letters.len() > 1)];
    let mut all: Vec<String> = lengths.iter().map(|length| letters[..*length].iter().collect()).collect();
    all.dedup();
    all
}

/// Ids and printed numbers that differ from a name in two letters at most.
async fn near_invoices(tx: &mut Tx, name: &str) -> Result<Vec<String>, Failure> {
    for beginning in beginnings(name) {
        let end = format!("{beginning}\u{10ffff}");
        let close = near(name, invoices::names_between(tx, &beginning, &end, NEAR).await?);
        if !close.is_empty() {
            return Ok(close);
        }
    }
    Ok(Vec::new())
}

/// Customers' ids that differ from a name in two letters at most.
async fn near_customers(tx: &mut Tx, name: &str) -> Result<Vec<String>, Failure> {
    for beginning in beginnings(name) {
        let rows = customers::list(tx, &beginning, NEAR).await?;
        let close = near(name, rows.into_iter().map(|row| row.id.0));
        if !close.is_empty() {
            return Ok(close);
        }
    }
    Ok(Vec::new())
}

/// What somebody may have meant, as the beginning of a way out; nothing where nothing is near.
fn meant(close: &[String]) -> String {
    if close.is_empty() { String::new() } else { format!("did you mean {}? ", close.join(", ")) }
}

/// What may have been meant by a name that the ledger refused.
pub(crate) async fn meant_by(store: &Store, refusal: &str) -> Result<Option<String>, Failure> {
    let mut tx = store.read().await?;
    let name = |what: &str| refusal.strip_prefix(what)?.strip_suffix('`');
    let close = if let Some(name) = name("no invoice `") {
        near_invoices(&mut tx, name).await?
    } else if let Some(name) = name("no customer `") {
        near_customers(&mut tx, name).await?
    } else {
        Vec::new()
    };
    Ok(Some(meant(&close).trim_end().to_owned()).filter(|meant| !meant.is_empty()))
}

fn no_case(name: &str) -> Failure {
    Failure::not_found(format!("no case `{name}`"))
        .help("`recobro case list` shows all; `recobro unmatched` those that no playbook took")
}

/// A case's turns, oldest first.
pub(crate) async fn history(store: &Store, found: &Found) -> Result<Vec<HistoryRow>, Failure> {
    let mut tx = store.read().await?;
    history_in(&mut tx, found.no, found.id).await
}

async fn history_in(tx: &mut Tx, no: CaseNo, id: CaseId) -> Result<Vec<HistoryRow>, Failure> {
    let mut rows = Vec::new();
    let mut after = 0;
    loop {
        let page = recobro_store::history::of_case(tx, no, after, PAGE).await?;
        let full = i64::try_from(page.len()).is_ok_and(|count| count == PAGE);
        for row in page {
            after = row.rev;
            let body = serde_json::from_str(&row.body).map_err(|error| {
                Failure::new(Exit::Failed, format!("turn {} of case {id} cannot be read: {error}", row.rev))
            })?;
            rows.push(HistoryRow {
                stream: recobro_kernel::chain::case_stream(id),
                rev: row.rev,
                actor: row.actor,
                prev: row.prev.to_string(),
                hash: row.hash.to_string(),
                body,
            });
        }
        if !full {
            return Ok(rows);
        }
    }
}

/// Everything needed to tell a case's story.
pub(crate) async fn case_file(store: &Store, found: &Found) -> Result<CaseFile, Failure> {
    let mut tx = store.read().await?;
    let compiled = pinned(&mut tx, &found.case).await?;
    let invoice = invoices::get(&mut tx, std::slice::from_ref(&found.case.invoice)).await?.remove(&found.case.invoice);
    let invoice = invoice.ok_or_else(|| Failure::not_found(format!("no invoice {}", found.case.invoice)))?;
    let customer =
        customers::get(&mut tx, std::slice::from_ref(&found.case.customer)).await?.remove(&found.case.customer);
    let customer = customer.ok_or_else(|| Failure::not_found(format!("no customer {}", found.case.customer)))?;
    let history = history_in(&mut tx, found.no, found.id).await?;
    Ok(CaseFile {
        compiled,
        zone: customer.time_zone.parse().unwrap_or(Tz::UTC),
        customer: (customer.segment, customer.risk, customer.country),
        number: invoice.number,
        amount: Money::new(invoice.amount_minor, invoice.currency),
        balance: Money::new(invoice.balance_minor, invoice.currency),
        due: invoice.due_on,
        history,
    })
}

/// The playbook a case is pinned to, made again from its stored sources.
async fn pinned(tx: &mut Tx, case: &Case) -> Result<Arc<Compiled>, Failure> {
    let broken =
        |why: String| Failure::new(Exit::Failed, format!("playbook {} v{}: {why}", case.playbook, case.version));
    let row = playbooks::get(tx, case.bundle, case.content).await?;
    let row = row.ok_or_else(|| broken(format!("bundle {} is not in the database", case.bundle.short())))?;
    let sources: BTreeMap<String, String> = serde_json::from_str(&row.sources)?;
    let files: Files = sources.into_iter().map(|(path, text)| (path, text.into_bytes())).collect();
    recobro_playbook::compile_one(&files, &case.playbook).map_err(|problems| {
        broken(problems.first().map_or_else(String::new, |problem| format!("{} {}", problem.code, problem.message)))
    })
}

/// Calls `each` with every case and its turns, in order of entry.
pub(crate) async fn each_case(store: &Store, mut each: impl FnMut(&Found, &[TurnBody])) -> Result<(), Failure> {
    let mut tx = store.read().await?;
    let mut after = CaseNo(0);
    loop {
        let page = cases::list(&mut tx, &cases::Filter::default(), after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.no;
        let nos: Vec<CaseNo> = page.iter().map(|row| row.no).collect();
        for claimed in cases::load(&mut tx, &nos).await? {
            let found = Found::of(&claimed)?;
            let history = history_in(&mut tx, found.no, found.id).await?;
            let turns: Vec<TurnBody> = history.into_iter().map(|row| row.body).collect();
            each(&found, &turns);
        }
    }
}

/// Every invoice that has or had a case, and those without.
pub(crate) async fn all_invoices(store: &Store) -> Result<Vec<InvoiceRow>, Failure> {
    let mut tx = store.read().await?;
    let mut ids = BTreeSet::new();
    let mut after = CaseNo(0);
    loop {
        let page = cases::list(&mut tx, &cases::Filter::default(), after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.no;
        ids.extend(page.into_iter().map(|row| row.invoice));
    }
    let mut name = String::new();
    loop {
        let page = unmatched::list(&mut tx, &name, PAGE).await?;
        let Some(last) = page.last() else { break };
        last.invoice.as_str().clone_into(&mut name);
        ids.extend(page.into_iter().map(|row| row.invoice));
    }
    let ids: Vec<InvoiceId> = ids.into_iter().collect();
    let mut rows = Vec::new();
    for page in ids.chunks(500) {
        rows.extend(invoices::get(&mut tx, page).await?.into_values());
    }
    Ok(rows)
}

impl From<tasks::TaskRow> for TaskRow {
    fn from(row: tasks::TaskRow) -> Self {
        Self {
            schema: "recobro/v1/task",
            id: row.task.id.to_string(),
            kind: row.task.kind,
            subject: row.task.subject,
            case: row.case.to_string(),
            invoice: row.invoice.to_string(),
            customer: row.customer.to_string(),
            assignee: row.task.assignee,
            outcomes: row.task.outcomes,
            seen: row.task.seen.to_string(),
            opened_at: row.task.opened_at,
            limit_at: row.task.limit_at,
            together: row.task.together.map(|name| name.to_string()),
            outcome: row.outcome,
            closed_by: row.closed_by,
            closed_at: row.closed_at,
        }
    }
}

/// Lists tasks, oldest first.
pub(crate) async fn tasks(store: &Store, filter: &TaskFilter, limit: u32) -> Result<Vec<TaskRow>, Failure> {
    let wanted = tasks::Filter {
        open: !filter.closed,
        kind: filter.kind.clone(),
        assignee: filter.assignee.clone(),
        ..tasks::Filter::default()
    };
    let mut tx = store.read().await?;
    let mut rows: Vec<TaskRow> = Vec::new();
    let mut after = None;
    loop {
        let left = (i64::from(limit) - i64::try_from(rows.len()).unwrap_or(i64::MAX)).min(PAGE);
        if left <= 0 {
            return Ok(rows);
        }
        let page = tasks::list(&mut tx, &wanted, after, left).await?;
        let Some(last) = page.last() else { return Ok(rows) };
        after = Some((last.task.opened_at, last.task.id));
        rows.extend(page.into_iter().map(TaskRow::from));
    }
}

/// Finds a task by its id or the beginning of it.
pub(crate) async fn task(store: &Store, name: &str) -> Result<TaskRow, Failure> {
    let missing = || Failure::not_found(format!("no task `{name}`")).help("`recobro task list` shows the open ones");
    if let Ok(id) = name.parse::<TaskId>() {
        let mut tx = store.read().await?;
        return tasks::get(&mut tx, id).await?.map(TaskRow::from).ok_or_else(missing);
    }
    let all = tasks(store, &TaskFilter { closed: true, ..TaskFilter::default() }, u32::MAX).await?;
    let mut found: Vec<TaskRow> = all.into_iter().filter(|row| row.id.starts_with(name)).collect();
    match (found.len(), found.pop()) {
        (1, Some(row)) => Ok(row),
        (0, _) | (_, None) => Err(missing()),
        (count, _) => {
            Err(Failure::new(Exit::Conflict, format!("`{name}` begins {count} task ids")).help("write more of it"))
        }
    }
}

/// The invoices of open work that is done in one go with a task, its own first, with what is open of each.
pub(crate) async fn together(store: &Store, row: &TaskRow) -> Result<Vec<(String, Money)>, Failure> {
    let Some(name) = row.together.as_deref().and_then(|name| name.parse().ok()) else { return Ok(Vec::new()) };
    let mut tx = store.read().await?;
    let mut ids: Vec<InvoiceId> =
        tasks::open_together(&mut tx, name).await?.into_iter().map(|other| other.invoice).collect();
    ids.sort_by_key(|id| (id.as_str() != row.invoice, id.clone()));
    ids.dedup();
    let bills = invoices::get(&mut tx, &ids).await?;
    let open = |id: &InvoiceId| bills.get(id).map(|bill| Money::new(bill.balance_minor, bill.currency));
    Ok(ids.iter().filter_map(|id| Some((id.to_string(), open(id)?))).collect())
}

/// Lists invoices that no playbook took, then news that waits: unknown invoice, other currency, too much money.
pub(crate) async fn unmatched(store: &Store, limit: u32) -> Result<Vec<UnmatchedRow>, Failure> {
    let mut tx = store.read().await?;
    let rows = unmatched::list(&mut tx, "", i64::from(limit)).await?;
    let mut all: Vec<UnmatchedRow> = Vec::new();
    for page in rows.chunks(500) {
        let ids: Vec<InvoiceId> = page.iter().map(|row| row.invoice.clone()).collect();
        let bills = invoices::get(&mut tx, &ids).await?;
        all.extend(page.iter().map(|row| {
            let open = |bill: &InvoiceRow| Money::new(bill.balance_minor, bill.currency).to_string();
            UnmatchedRow {
                schema: "recobro/v1/unmatched",
                id: None,
                invoice: row.invoice.to_string(),
                customer: row.customer.to_string(),
                amount: bills.get(&row.invoice).map(open),
                reason: row.reason.clone(),
                since: row.since,
                dismissed: None,
            }
        }));
    }
    let room = i64::from(limit).saturating_sub(i64::try_from(all.len()).unwrap_or(i64::MAX));
    if room > 0 {
        all.extend(inbound::parked(&mut tx, 0, room).await?.into_iter().map(parked_row));
    }
    Ok(all)
}

fn parked_row(row: inbound::Parked) -> UnmatchedRow {
    // Every record that is about money says it in the same place.
    let amount = serde_json::from_str::<serde_json::Value>(&row.inbound.body).ok();
    let amount = amount.and_then(|body| serde_json::from_value::<Money>(body.get("amount")?.clone()).ok());
    UnmatchedRow {
        schema: "recobro/v1/unmatched",
        id: Some(row.inbound.id.to_string()),
        invoice: format!("{} {}", row.inbound.kind, row.inbound.external_id),
        customer: String::new(),
        amount: amount.map(|amount| amount.to_string()),
        reason: row.reason,
        since: row.inbound.received_at,
        dismissed: None,
    }
}

/// News that somebody put aside, in order of arrival.
pub(crate) async fn dismissed(store: &Store, limit: u32) -> Result<Vec<UnmatchedRow>, Failure> {
    let mut tx = store.read().await?;
    let rows = inbound::dismissed(&mut tx, 0, i64::from(limit)).await?;
    let shown = |row: inbound::Dismissed| UnmatchedRow {
        dismissed: Some(Aside { by: row.by, why: row.why, at: row.at }),
        ..parked_row(row.parked)
    };
    Ok(rows.into_iter().map(shown).collect())
}

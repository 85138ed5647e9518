//! Operators' acts. They only queue news: a pause, a skip or an approval is decided, recorded and chained like
//! everything else, with who and why.

use crate::people::Answer;
use crate::route::answer::Answered;
use crate::{Engine, Error, advance, db};
use recobro_kernel::ids::{CaseId, EventId, Hash, InvoiceId, TaskId};
use recobro_kernel::time::Timestamp;
use recobro_kernel::value::Value;
use recobro_store::inbound;
use recobro_store::tasks::{self, TaskRow};
use recobro_store::{Tx, cases, events};

/// Who acts, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// `person:ana`, or `cli:<os user>`, which is marked unauthenticated until accounts exist.
    pub name: String,
    /// Reason, for the record.
    pub why: String,
}

impl Who {
    /// The name as recorded: what nobody vouches for says so.
    pub(crate) fn recorded(&self) -> String {
        if self.name.starts_with("cli:") { format!("{} (unauthenticated)", self.name) } else { self.name.clone() }
    }
}

impl Engine {
    /// Stops a case until it is resumed.
    ///
    /// # Errors
    /// [`Error::NoCase`], [`Error::Store`].
    pub async fn pause(&self, case: CaseId, who: &Who) -> Result<(), Error> {
        self.act(case, "operator.pause", who, None).await
    }

    /// Lets a paused case go on.
    ///
    /// # Errors
    /// [`Error::NoCase`], [`Error::Store`].
    pub async fn resume(&self, case: CaseId, who: &Who) -> Result<(), Error> {
        self.act(case, "operator.resume", who, None).await
    }

    /// Leaves the current step out.
    ///
    /// # Errors
    /// [`Error::NoCase`], [`Error::Store`].
    pub async fn skip(&self, case: CaseId, who: &Who) -> Result<(), Error> {
        self.act(case, "operator.skip", who, None).await
    }

    /// Jumps to a stage ahead.
    ///
    /// # Errors
    /// [`Error::NoCase`], [`Error::Store`].
    pub async fn goto(&self, case: CaseId, stage: &str, who: &Who) -> Result<(), Error> {
        self.stage_ahead(case, stage).await?;
        self.act(case, "operator.goto", who, Some(stage)).await
    }

    /// A jump goes forward only: a stage that is not ahead is refused here, where the person still sees the answer.
    async fn stage_ahead(&self, case: CaseId, stage: &str) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        let row = cases::by_id(&mut tx, case).await?.ok_or(Error::NoCase(case))?;
        let case = db::case_of(&row)?;
        let pin = (case.bundle, case.content);
        let bundles = self.bundles(&mut tx, &[(pin, &case.playbook)]).await?;
        tx.commit().await?;
        let stages = &bundles[&pin].compiled.playbook.stages;
        let ahead =
            || stages.iter().filter(|ahead| ahead.first > case.cursor.position).map(|ahead| ahead.name.as_str());
        if ahead().any(|name| name == stage) {
            return Ok(());
        }
        let list = ahead().collect::<Vec<_>>().join(", ");
        Err(Error::Refused(format!("`{stage}` is no stage ahead of the case; ahead are: {list}")))
    }

    /// Evaluates a parked case again.
    ///
    /// # Errors
    /// [`Error::NoCase`], [`Error::Store`].
    pub async fn retry(&self, case: CaseId, who: &Who) -> Result<(), Error> {
        self.act(case, "operator.retry", who, None).await
    }

    /// Ends a case without the money.
    ///
    /// # Errors
    /// [`Error::NoCase`], [`Error::Store`].
    pub async fn cancel(&self, case: CaseId, who: &Who) -> Result<(), Error> {
        self.act(case, "operator.cancel", who, None).await
    }

    async fn act(&self, case: CaseId, name: &str, who: &Who, stage: Option<&str>) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        let row = cases::by_id(&mut tx, case).await?.ok_or(Error::NoCase(case))?;
        if db::case_of(&row)?.is_finished() {
            return Err(Error::Refused(format!("case {case} is finished; nothing can be done with it any more")));
        }
        // The same act twice on the same state of the case is one act.
        let rev = row.rev.to_string();
        let id = EventId::derive(&["operate", name, &case.to_string(), &rev, stage.unwrap_or("")]);
        let mut fields = vec![("who", Value::text(who.recorded())), ("why", Value::text(&who.why))];
        fields.extend(stage.map(|stage| ("stage", Value::text(stage))));
        let mut event = db::own_event(id, name, self.clock.now(), fields);
        event.actor = who.recorded();
        events::insert(&mut tx, &[db::event_row(row.no, &event)?]).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Puts a parked row aside: it stays with who and why, and is not taken again when what it names arrives.
    ///
    /// # Errors
    /// [`Error::NoNews`]; [`Error::Dismissed`] for a row that somebody put aside before.
    pub async fn dismiss(&self, row: i64, who: &Who) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        let was_parked = inbound::dismiss(&mut tx, row, &who.name, &who.why, self.clock.now()).await?;
        if !was_parked {
            let before = inbound::dismissed(&mut tx, row - 1, 1).await?.into_iter().next();
            return Err(match before.filter(|before| before.parked.inbound.id == row) {
                Some(before) => Error::Dismissed { row, by: before.by, at: before.at },
                None => Error::NoNews(row),
            });
        }
        tx.commit().await?;
        Ok(())
    }

    /// Answers a task: it closes at once; its outcome enters the ledger (promise, dispute, hardship) and reaches its
    /// case as news with the next round.
    ///
    /// # Errors
    /// [`Error::NoTask`]; [`Error::Closed`] with the current state for work that was already closed;
    /// [`Error::Refused`] for an outcome that the task does not know or that lacks its date or amount.
    pub async fn task_done(&self, task: TaskId, answer: &Answer, who: &Who) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        self.take_answer(&mut tx, task, answer, who).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Answers a task, and with it what is done in the same go: open calls to the same customer, or open work of the same
    /// name, where playbooks bundle. What was said of an amount or of one invoice closes the other calls as `reached`;
    /// calls about what may not be asked for now stay open.
    ///
    /// # Errors
    /// As [`Engine::task_done`].
    pub async fn task_done_together(&self, task: TaskId, answer: &Answer, who: &Who) -> Result<Together, Error> {
        let mut tx = self.store.begin().await?;
        let row = self.take_answer(&mut tx, task, answer, who).await?;
        let Some(name) = row.task.together else {
            tx.commit().await?;
            return Ok(Together::default());
        };
        let now = self.clock.now();
        let said = for_others(&row, answer);
        let (mut done, mut rows, mut closed) = (Together::default(), Vec::new(), Vec::new());
        let mut others = tasks::open_together(&mut tx, name).await?;
        others.retain(|other| other.task.id != task);
        let not_called = self.not_called(&mut tx, &others, now).await?;
        for other in others {
            if not_called.contains(&other.task.id) || fits(&other, &said, now).is_err() {
                done.left.push(other.invoice);
                continue;
            }
            let (id, outcome) = (other.task.id, said.outcome.clone());
            closed.push(tasks::Answer { id, outcome, by: who.recorded(), at: now });
            rows.push(advance::answer_row(crate::route::OPERATE, &answered(&other, &said, who, Some(task)), now)?);
            done.with.push(other.invoice);
        }
        if !closed.is_empty() {
            tasks::answer(&mut tx, &closed).await?;
            inbound::insert(&mut tx, &rows, now).await?;
        }
        done.outcome = said.outcome;
        tx.commit().await?;
        Ok(done)
    }

    async fn take_answer(&self, tx: &mut Tx, task: TaskId, answer: &Answer, who: &Who) -> Result<TaskRow, Error> {
        let row = tasks::get(tx, task).await?.ok_or(Error::NoTask(task))?;
        // What a person did after the case had closed the work (paid, timed out) still counts; an approval does not.
        let by_case = row.closed_by.is_none() && row.task.kind != "approve";
        if let Some(outcome) = row.outcome.as_ref().filter(|_| !by_case) {
            return Err(Error::Closed { id: task, state: state(&row, outcome) });
        }
        let now = self.clock.now();
        fits(&row, answer, now)?;
        if row.task.by.len() > 1 {
            let decision = answer.outcome.clone();
            let word = tasks::ApprovalRow { task, person: who.recorded(), seen: row.task.seen, decision, at: now };
            if !tasks::approve(tx, &word).await? {
                return Err(Error::Refused(format!("{} has answered already; another person must", who.recorded())));
            }
        } else {
            let outcome = answer.outcome.clone();
            tasks::answer(tx, &[tasks::Answer { id: task, outcome, by: who.recorded(), at: now }]).await?;
        }
        let mut inbound = advance::answer_row(crate::route::OPERATE, &answered(&row, answer, who, None), now)?;
        if row.task.by.len() > 1 {
            inbound.external_id = format!("{task}/{}", who.recorded());
        }
        inbound::insert(tx, &[inbound], now).await?;
        Ok(row)
    }
}

/// What one answer closed beside its own task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Together {
    /// Invoices whose work was closed with it.
    pub with: Vec<InvoiceId>,
    /// As what.
    pub outcome: String,
    /// Invoices whose work takes no such answer, or may not be asked for now, and stays open.
    pub left: Vec<InvoiceId>,
}

/// Answers of a call that are about one invoice.
const OF_ONE: [&str; 4] = ["disputed", "paid_claimed", "invoice_not_received", "wants_plan"];

/// What an answer says of the other work that was done in the same go.
fn for_others(row: &TaskRow, answer: &Answer) -> Answer {
    let of_one = OF_ONE.contains(&answer.outcome.as_str()) || answer.amount.is_some();
    if row.task.kind == "call" && of_one {
        Answer { outcome: "reached".to_owned(), date: None, amount: None, reason: None, seen: None }
    } else {
        Answer { seen: None, ..answer.clone() }
    }
}

fn answered(row: &TaskRow, answer: &Answer, who: &Who, with: Option<TaskId>) -> Answered {
    Answered {
        task: row.task.id,
        kind: row.task.kind.clone(),
        step: row.task.step.clone(),
        stage: row.task.stage.clone(),
        case: row.case,
        invoice: row.invoice.clone(),
        customer: row.customer.clone(),
        with,
        by_all: row.task.by.clone(),
        who: who.recorded(),
        answer: answer.clone(),
    }
}

fn state(row: &TaskRow, outcome: &str) -> String {
    let by = row.closed_by.as_ref().map_or_else(String::new, |by| format!(" by {by}"));
    let at = row.closed_at.map_or_else(String::new, |at| format!(" at {at}"));
    format!("{outcome}{by}{at}")
}

fn fits(row: &TaskRow, answer: &Answer, now: Timestamp) -> Result<(), Error> {
    let known = &row.task.outcomes;
    if !known.is_empty() && !known.contains(&answer.outcome) {
        let list = known.join(", ");
        return Err(Error::Refused(format!(
            "task {} takes no outcome `{}`; it takes {list}",
            row.task.id, answer.outcome
        )));
    }
    if answer.outcome == "promised" && answer.date.is_none() {
        return Err(Error::Refused("a promise needs its date: --date 2026-05-29".to_owned()));
    }
    // A day of slack, because the customer's date may lie behind ours.
    let earliest = now.to_utc().date_naive() - chrono::Days::new(1);
    if let Some(date) = answer.date.filter(|date| answer.outcome == "promised" && *date < earliest) {
        return Err(Error::Refused(format!("a promise cannot name a day that is past: {date}")));
    }
    if let Some(text) = &answer.amount
        && text.parse::<rust_decimal::Decimal>().is_err()
    {
        return Err(Error::Refused(format!("`{text}` is not an amount; write 1234.50")));
    }
    let amount = answer.amount.as_deref().and_then(|text| text.parse::<rust_decimal::Decimal>().ok());
    if amount.is_some_and(|amount| amount <= rust_decimal::Decimal::ZERO)
        && ["promised", "disputed"].contains(&answer.outcome.as_str())
    {
        return Err(Error::Refused("an amount is more than 0".to_owned()));
    }
    match &answer.seen {
        Some(seen) if row.task.kind == "approve" && !same(seen, row.task.seen) => {
            Err(Error::Refused("what was shown has changed since; look again and answer with its hash".to_owned()))
        }
        Some(_) | None => Ok(()),
    }
}

fn same(seen: &str, hash: Hash) -> bool {
    !seen.is_empty() && hash.to_string().starts_with(seen)
}

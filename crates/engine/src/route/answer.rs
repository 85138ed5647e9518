//! What people answer to their tasks: the ledger learns of promises, disputes and talks, the case hears of the rest.

use super::book::{Book, Ending, Origin, Pledge, Quarrel, VULNERABLE};
use crate::people::Answer;
use chrono::NaiveDate;
use chrono_tz::Tz;
use recobro_connectors::source::reasons;
use recobro_kernel::ids::{CaseId, CustomerId, GroupId, InvoiceId, TaskId};
use recobro_kernel::money::Money;
use recobro_kernel::step::is_talk;
use recobro_kernel::time::{Hours, Timestamp};
use recobro_kernel::value::Value;
use recobro_store::contacts::ContactRow;
use serde::{Deserialize, Serialize};

/// An answer as an inbound row carries it: complete, so that routing it asks no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answered {
    /// Task.
    pub(crate) task: TaskId,
    /// `call`, `task`, `approve`, `fix`.
    pub(crate) kind: String,
    /// Step that opened it.
    pub(crate) step: String,
    /// Stage of that step.
    pub(crate) stage: String,
    /// Case.
    pub(crate) case: CaseId,
    /// Invoice.
    pub(crate) invoice: InvoiceId,
    /// Customer.
    pub(crate) customer: CustomerId,
    /// The task whose answer was given for this one as well: it was one call, and counts as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) with: Option<TaskId>,
    /// Persons who must all answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) by_all: Vec<String>,
    /// Who answered.
    pub(crate) who: String,
    /// What they said.
    pub(crate) answer: Answer,
}

/// The judgement of a promise: last day of grace and the instant after it.
pub(crate) type Limit = (NaiveDate, Timestamp);

impl Book {
    /// Takes an answer. `limit` gives the judgement of a promised date.
    pub(crate) fn take_answer(&mut self, answered: &Answered, origin: &Origin<'_>, limit: &dyn Fn(NaiveDate) -> Limit) {
        let today = origin.at.date_in(self.zone_of(&answered.invoice));
        if answered.kind == "call" {
            self.note_call(answered, today, origin.at);
        }
        let zone = self.zone_of(&answered.invoice);
        self.tell(answered.case, "task.done", origin, fields(answered, zone));
        match answered.answer.outcome.as_str() {
            "promised" => self.promised(answered, today, origin, limit),
            "disputed" => self.disputed(answered, today, origin),
            "accepted" | "rejected" | "withdrawn" if answered.kind == "task" => {
                self.answered_disputes(answered, today, origin);
            }
            "paid_claimed" => {
                let amount = self.amount(answered).map(|money| ("amount", Value::Decimal(money.to_decimal())));
                let on = answered.answer.date.map(|date| ("on", Value::Date(date)));
                self.tell_invoice(&answered.invoice, "payment.claimed", origin, amount.into_iter().chain(on).collect());
            }
            "unaware" | "unable" | "unwilling" => {
                self.note_reason(&answered.customer, &answered.answer.outcome, today);
            }
            "hardship" => {
                // What else was said may be personal; that the law protects them is what decisions need.
                let kind = answered.answer.reason.as_deref().filter(|reason| *reason == VULNERABLE);
                self.take_hardship(&answered.customer, kind, today, origin);
            }
            "wrong_party" => {
                self.opt_out(&answered.customer, "call", (today, "wrong party"), origin);
            }
            _ => {}
        }
    }

    fn amount(&self, answered: &Answered) -> Option<Money> {
        let currency = self.bills.get(&answered.invoice)?.record.amount.currency;
        Money::parse(answered.answer.amount.as_deref()?, currency).ok()
    }

    fn note_call(&mut self, answered: &Answered, today: NaiveDate, at: Timestamp) {
        let Some(no) = self.numbers.get(&answered.case).copied() else { return };
        self.calls.push(ContactRow {
            id: answered.task.to_string(),
            customer: answered.customer.clone(),
            invoice: answered.invoice.clone(),
            no,
            channel: "call".to_owned(),
            class: "dunning".to_owned(),
            stage: answered.stage.clone(),
            step: answered.step.clone(),
            // One call about several invoices is an attempt and a talk about each of them, and one for the customer.
            group: GroupId::of_call(answered.with.unwrap_or(answered.task)),
            at,
            local_on: today,
            state: "sent".to_owned(),
            talk: is_talk(&answered.answer.outcome),
        });
        if let Some(client) = self.clients.get_mut(&answered.customer).filter(|_| answered.with.is_none()) {
            client.tally.contacts_total += 1;
            client.tally_changed = true;
        }
    }

    /// A promise given in a talk about one invoice covers that invoice.
    fn promised(
        &mut self,
        answered: &Answered,
        today: NaiveDate,
        origin: &Origin<'_>,
        limit: &dyn Fn(NaiveDate) -> Limit,
    ) {
        let (Some(date), Some(bill)) = (answered.answer.date, self.bills.get(&answered.invoice)) else { return };
        if !bill.is_open() {
            return;
        }
        let whole = if bill.claimable_minor() > 0 { bill.claimable_minor() } else { bill.balance_minor };
        let whole = Money::new(whole, bill.record.amount.currency);
        let (limit_on, limit_at) = limit(date);
        let pledge = Pledge {
            id: format!("task:{}", answered.task),
            customer: answered.customer.clone(),
            invoices: vec![answered.invoice.clone()],
            made_on: today,
            date,
            amount: self.amount(answered).unwrap_or(whole),
            paid_minor: 0,
            limit_on,
            limit_at,
            source: origin.source.to_owned(),
            status: "open".to_owned(),
            method: None,
            by: Some(answered.who.clone()),
            changed: true,
        };
        self.make_promise(pledge, origin);
    }

    fn disputed(&mut self, answered: &Answered, today: NaiveDate, origin: &Origin<'_>) {
        let Some(bill) = self.bills.get(&answered.invoice) else { return };
        let amount_minor = self.amount(answered).map_or(bill.claimable_minor(), |money| money.minor);
        let reason = answered.answer.reason.as_deref().and_then(reasons::code).unwrap_or("other");
        let id = format!("task:{}", answered.task);
        let told = (reason, amount_minor);
        let quarrel = Quarrel::new(id, answered.invoice.clone(), told, (today, origin.source));
        self.open_dispute(quarrel, origin);
    }

    /// Work on a dispute ends with its answer; an amount in it is what is credited.
    fn answered_disputes(&mut self, answered: &Answered, today: NaiveDate, origin: &Origin<'_>) {
        let open: Vec<String> = self
            .quarrels
            .iter()
            .filter(|q| q.invoice == answered.invoice && q.closed_on.is_none())
            .map(|q| q.id.clone())
            .collect();
        let outcome = answered.answer.outcome.as_str();
        let mut credit = self.amount(answered).filter(|_| outcome == "accepted").map(|money| money.minor);
        for dispute in open {
            self.close_dispute(&dispute, Ending { outcome, credit, on: today }, origin);
            // One amount is one credit note, whatever the number of disputes it answers.
            credit = credit.map(|_| 0);
        }
    }
}

fn fields(answered: &Answered, zone: Tz) -> Vec<(&'static str, Value)> {
    let answer = &answered.answer;
    let mut fields = vec![
        ("task", Value::text(answered.task.to_string())),
        ("outcome", Value::text(&answer.outcome)),
        ("by", Value::text(&answered.who)),
    ];
    fields.extend(answered.with.map(|task| ("with", Value::text(task.to_string()))));
    fields.extend(answer.date.map(|date| ("date", Value::Date(date))));
    if let (Some(date), "callback") = (answer.date, answer.outcome.as_str()) {
        let at = Timestamp::at_local(date, Hours::office().from, zone);
        fields.push(("at", Value::text(at.to_string())));
    }
    fields.extend(answer.amount.as_deref().and_then(|text| text.parse().ok()).map(|d| ("amount", Value::Decimal(d))));
    fields.extend(answer.reason.as_ref().map(|reason| ("reason", Value::text(reason))));
    fields
}

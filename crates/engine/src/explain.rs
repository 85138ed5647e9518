//! Why a customer may be contacted now, or why not and when next: the guard's own answer, asked by people.

use crate::{Engine, Error, db};
use recobro_kernel::case::{Case, Hold};
use recobro_kernel::effect::Effect;
use recobro_kernel::facts::{Channel, Class, ContactPoint, Facts};
use recobro_kernel::guard::{self, Finding, Judgement, Verdict};
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::playbook::Playbook;
use recobro_kernel::record::Moved;
use recobro_kernel::schedule::Wish;
use recobro_kernel::time::Timestamp;
use recobro_store::verdicts::VerdictRow;
use recobro_store::{Tx, cases, invoices};
use serde::Serialize;

/// A question about a contact.
#[derive(Clone, Debug)]
pub struct Question {
    /// Whom.
    pub customer: CustomerId,
    /// By which channels.
    pub channels: Vec<Channel>,
    /// With what kind of message.
    pub class: Class,
    /// When.
    pub at: Timestamp,
}

/// The answer for one invoice and channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Invoice.
    pub invoice: InvoiceId,
    /// Its number.
    pub number: String,
    /// Channel.
    pub channel: Channel,
    /// What keeps the case itself from contacting: `held`, `paused`, `nothing claimable`, ...
    pub stopped: Option<String>,
    /// Whether an address is known and open.
    pub reachable: bool,
    /// The guard's answer and that of every rule.
    pub verdict: Verdict,
    /// What every rule said.
    pub findings: Vec<Finding>,
    /// Every limit that moved it, the playbook's own as well.
    pub moved: Vec<Moved>,
}

impl Engine {
    /// Asks the guard about every open case of a customer, the oldest due first.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Bundle`].
    pub async fn explain(&self, question: &Question) -> Result<Vec<Answer>, Error> {
        let mut tx = self.store.begin().await?;
        let answers = ask(self, &mut tx, question).await?;
        tx.rollback().await?;
        Ok(answers)
    }
}

async fn ask(engine: &Engine, tx: &mut Tx, question: &Question) -> Result<Vec<Answer>, Error> {
    let owner = [question.customer.clone()];
    let mut open = cases::open_of_customers(tx, &owner).await?;
    open.sort_by_key(|(_, no, _)| *no);
    let numbers: Vec<_> = open.iter().map(|(_, no, _)| *no).collect();
    let found = db::seen_cases(tx, &numbers).await?;
    let ids: Vec<InvoiceId> = db::unique(&found.values().map(|case| case.invoice.clone()).collect::<Vec<_>>());
    let loaded = db::load_facts(engine, tx, (&ids, &owner), question.at).await?;
    let pins: Vec<_> = found.values().map(|case| ((case.bundle, case.content), &*case.playbook)).collect();
    let bundles = engine.bundles(tx, &pins).await?;
    let due = invoices::get(tx, &ids).await?;
    let mut answers = Vec::new();
    for case in found.values() {
        let Some(facts) = loaded.facts(&case.invoice, question.at, &engine.settings) else { continue };
        let playbook = &bundles[&(case.bundle, case.content)].compiled.playbook;
        for channel in &question.channels {
            let (reachable, judged) = weigh(engine, playbook, &facts, (*channel, question.class), question.at);
            answers.push(Answer {
                invoice: case.invoice.clone(),
                number: facts.invoice.number.clone(),
                channel: *channel,
                stopped: guard::stopped_by(case, &facts, question.class.is_exempt()).map(|why| holds(case, why)),
                reachable,
                verdict: judged.verdict,
                findings: judged.findings,
                moved: judged.moved,
            });
        }
    }
    answers.sort_by_key(|answer| (due.get(&answer.invoice).map(|row| row.due_on), answer.invoice.clone()));
    Ok(answers)
}

/// What keeps a case back, by name and to which day.
fn holds(case: &Case, why: &str) -> String {
    if why != "held" {
        return why.to_owned();
    }
    let one = |hold: &Hold| {
        let until = hold.until.or(hold.limit_at).map(|at| format!(" until {}", at.to_utc().date_naive()));
        let event = hold.event.as_ref().map(|event| format!(" until {event}"));
        format!("{}{}", hold.name, until.or(event).unwrap_or_default())
    };
    format!("held by {}", case.holds.iter().map(one).collect::<Vec<_>>().join(", "))
}

fn weigh(
    engine: &Engine,
    playbook: &Playbook,
    facts: &Facts,
    (channel, class): (Channel, Class),
    at: Timestamp,
) -> (bool, Judgement) {
    let point: Option<Option<&ContactPoint>> = guard::reach(facts, (channel, class), "billing");
    // Where nothing is open, what is closed is asked about: the answer names who closed it.
    let closed = || facts.customer.contact_points.iter().find(|known| known.channel == channel);
    let asked = point.unwrap_or_else(closed);
    let wish = Wish { channel: Some(channel), group: None, class, bundled: false };
    (point.is_some(), guard::weigh(playbook, facts, &engine.shelf.law, (wish, asked), at))
}

#[derive(Serialize)]
struct Said<'a> {
    rule: &'a str,
    verdict: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    why: &'a str,
}

/// The name of an answer, its binding rule, and when next.
#[must_use]
pub fn parts(verdict: &Verdict) -> (&'static str, &str, Option<Timestamp>) {
    match verdict {
        Verdict::Allow => ("allow", "", None),
        Verdict::Defer { until, rule } => ("defer", rule, Some(*until)),
        Verdict::Forbid { rule } => ("forbid", rule, None),
    }
}

/// An answer about a message as the log keeps it.
pub(crate) fn row(effect: &Effect, judged: &Judgement, at: Timestamp, policy: &str) -> Option<VerdictRow> {
    let about = (&effect.customer, &effect.invoice);
    Some(row_of(effect.id.to_string(), about, (effect.channel?, effect.class), judged, at, policy))
}

/// An answer as the log keeps it.
pub(crate) fn row_of(
    effect: String,
    (customer, invoice): (&CustomerId, &InvoiceId),
    (channel, class): (Channel, Class),
    judged: &Judgement,
    at: Timestamp,
    policy: &str,
) -> VerdictRow {
    let (verdict, rule, until_at) = parts(&judged.verdict);
    let said: Vec<Said<'_>> = judged
        .findings
        .iter()
        .map(|found| Said { rule: &found.rule, verdict: parts(&found.verdict).0, why: &found.why })
        .collect();
    VerdictRow {
        effect,
        at,
        customer: customer.clone(),
        invoice: invoice.clone(),
        channel: channel.name().to_owned(),
        class: class.name().to_owned(),
        verdict: verdict.to_owned(),
        rule: rule.to_owned(),
        until_at,
        findings: serde_json::to_string(&said).unwrap_or_default(),
        policy: policy.to_owned(),
    }
}

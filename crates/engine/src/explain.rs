//! Why a customer may be contacted now, or why not and when next: the guard's own answer, asked by people.

use crate::facts::Loaded;
use crate::library::{Bundle, Pin};
use crate::{Engine, Error, Settings, call, db};
use recobro_kernel::case::{Case, Hold};
use recobro_kernel::decide::Restraint;
use recobro_kernel::effect::Effect;
use recobro_kernel::facts::{Channel, Class, ContactPoint, Facts};
use recobro_kernel::guard::deadline::{self, Due};
use recobro_kernel::guard::{self, Asked, Finding, Judgement, Verdict};
use recobro_kernel::ids::{CustomerId, InvoiceId};
use recobro_kernel::playbook::Playbook;
use recobro_kernel::record::Moved;
use recobro_kernel::schedule::Wish;
use recobro_kernel::time::Timestamp;
use recobro_store::verdicts::VerdictRow;
use recobro_store::{CaseNo, Tx, cases};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

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

/// The answer about an act that is no contact, for one invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActAnswer {
    /// Invoice.
    pub invoice: InvoiceId,
    /// Its number.
    pub number: String,
    /// Whether its playbook has a step that does it.
    pub planned: bool,
    /// What keeps the case itself from going on.
    pub stopped: Option<String>,
    /// The guard's answer.
    pub verdict: Verdict,
    /// What every rule said.
    pub findings: Vec<Finding>,
    /// Every rule that it waits for, in order.
    pub moved: Vec<Moved>,
}

/// A deadline of an open case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Invoice.
    pub invoice: InvoiceId,
    /// Its number.
    pub number: String,
    /// `open`, `near`, `missed`, `met` or `met late`.
    pub state: &'static str,
    /// The deadline.
    pub due: Due,
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

    /// Asks the guard whether an act that is no contact may happen, for every open case of a customer.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Bundle`]; [`Error::Unknown`] for an act that no rule and no playbook knows.
    pub async fn explain_act(&self, customer: &CustomerId, act: &str, at: Timestamp) -> Result<Vec<ActAnswer>, Error> {
        let mut tx = self.store.read().await?;
        let open = Open::load(self, &mut tx, customer, at).await?;
        let law = &self.shelf.law;
        let mut known: BTreeSet<&str> = law
            .policies
            .values()
            .flat_map(|policy| &policy.rules)
            .flat_map(|rule| &rule.before)
            .map(String::as_str)
            .collect();
        let playbooks = open.bundles.values().map(|bundle| &bundle.compiled.playbook);
        known.extend(playbooks.flat_map(|playbook| playbook.steps.iter().filter_map(guard::act_of)));
        if !known.contains(act) {
            let all = known.into_iter().collect::<Vec<_>>().join(", ");
            return Err(Error::Unknown(format!("no policy and no playbook knows an act `{act}`; known are {all}")));
        }
        let answer = |(case, playbook, facts): (&Case, &Playbook, Facts)| {
            let judged = guard::act(act, playbook, case, &facts, law, at);
            ActAnswer {
                invoice: case.invoice.clone(),
                number: facts.invoice.number.clone(),
                planned: playbook.steps.iter().any(|step| guard::act_of(step) == Some(act)),
                stopped: guard::stopped_by(case, &facts, false).map(|why| holds(case, why)),
                verdict: judged.verdict,
                findings: judged.findings,
                moved: judged.moved,
            }
        };
        Ok(open.cases(at, &self.settings).into_iter().map(answer).collect())
    }

    /// Whether news waits that nobody has taken up: what the guard says may change with it.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn has_news(&self) -> Result<bool, Error> {
        let mut tx = self.store.read().await?;
        self.news_waits(&mut tx).await
    }

    /// The deadlines that have begun for a customer's open cases, met ones as well.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Bundle`].
    pub async fn deadlines(&self, customer: &CustomerId, at: Timestamp) -> Result<Vec<Running>, Error> {
        let mut tx = self.store.read().await?;
        let open = Open::load(self, &mut tx, customer, at).await?;
        Ok(running(self, &open, at))
    }
}

/// The open cases of a customer with what is known of them.
struct Open {
    cases: BTreeMap<CaseNo, Case>,
    loaded: Loaded,
    bundles: HashMap<Pin, Arc<Bundle>>,
}

impl Open {
    async fn load(engine: &Engine, tx: &mut Tx, customer: &CustomerId, at: Timestamp) -> Result<Self, Error> {
        let owner = [customer.clone()];
        let open = cases::open_of_customers(tx, &owner).await?;
        let cases = db::seen_cases(tx, &open.iter().map(|(_, no, _)| *no).collect::<Vec<_>>()).await?;
        let ids: Vec<InvoiceId> = db::unique(&cases.values().map(|case| case.invoice.clone()).collect::<Vec<_>>());
        let loaded = db::load_facts(engine, tx, (&ids, &owner), at).await?;
        let pins: Vec<_> = cases.values().map(|case| ((case.bundle, case.content), &*case.playbook)).collect();
        let bundles = engine.bundles(tx, &pins).await?;
        Ok(Self { cases, loaded, bundles })
    }

    /// Each case with its playbook and facts, the oldest due first.
    fn cases(&self, at: Timestamp, settings: &Settings) -> Vec<(&Case, &Playbook, Facts)> {
        let with_facts = self.cases.values().filter_map(|case| {
            let facts = self.loaded.facts(&case.invoice, at, settings)?;
            Some((case, &*self.bundles[&(case.bundle, case.content)].compiled.playbook, facts))
        });
        let mut all: Vec<_> = with_facts.collect();
        all.sort_by_key(|(case, _, facts)| (facts.invoice.due, case.invoice.clone()));
        all
    }
}

fn running(engine: &Engine, open: &Open, at: Timestamp) -> Vec<Running> {
    let mut found = Vec::new();
    for (case, playbook, facts) in open.cases(at, &engine.settings) {
        let law = &engine.shelf.law;
        let customer = &facts.customer;
        let calendar = law.calendar_for(&customer.country, customer.subdivision.as_deref(), &playbook.calendar);
        let asked = Asked {
            facts: &facts,
            marks: &case.marks,
            approvals: &case.approvals,
            position: None,
            calendar: &calendar,
            zone: customer.time_zone,
            law,
        };
        let (invoice, number) = (case.invoice.clone(), facts.invoice.number.clone());
        for due in deadline::of(&asked, &playbook.policies) {
            let state = due.state(facts.today);
            found.push(Running { invoice: invoice.clone(), number: number.clone(), state, due });
        }
    }
    found
}

async fn ask(engine: &Engine, tx: &mut Tx, question: &Question) -> Result<Vec<Answer>, Error> {
    let open = Open::load(engine, tx, &question.customer, question.at).await?;
    let mut answers = Vec::new();
    for (case, playbook, facts) in open.cases(question.at, &engine.settings) {
        for channel in &question.channels {
            if let Some(answer) = open_call(engine, &open, (case, playbook, &facts), (*channel, question)) {
                answers.push(answer);
                continue;
            }
            let (reachable, mut judged) = weigh(engine, playbook, &facts, (*channel, question.class), question.at);
            if !reachable && !matches!(judged.verdict, Verdict::Forbid { .. }) {
                judged.verdict = Verdict::Forbid { rule: "no open address on this channel".to_owned() };
            }
            answers.push(Answer {
                invoice: case.invoice.clone(),
                number: facts.invoice.number.clone(),
                channel: *channel,
                stopped: guard::stopped_by(case, &facts, question.class == Class::Transactional)
                    .map(|why| holds(case, why)),
                reachable,
                verdict: judged.verdict,
                findings: judged.findings,
                moved: judged.moved,
            });
        }
    }
    Ok(answers)
}

/// The answer to a call that waits for a person: the one that they would get when they open its number.
fn open_call(
    engine: &Engine,
    open: &Open,
    (case, playbook, facts): (&Case, &Playbook, &Facts),
    (channel, question): (Channel, &Question),
) -> Option<Answer> {
    let is_call = channel == Channel::Call && question.class == Class::Dunning;
    let work = case.work.iter().find(|work| is_call && work.kind == "call")?;
    let known = open.loaded.contacts.get(&question.customer).map_or(&[][..], Vec::as_slice);
    let judged = call::would_open(engine, (work, case, playbook), (facts.clone(), known), question.at);
    Some(Answer {
        invoice: case.invoice.clone(),
        number: facts.invoice.number.clone(),
        channel,
        stopped: None,
        reachable: guard::reach(facts, (channel, question.class), "billing").is_some(),
        verdict: judged.verdict,
        findings: judged.findings,
        moved: judged.moved,
    })
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
    /// The exception that allows what the rule would not have allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    exception: Option<&'a str>,
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
    // An act that is no contact is on record where a rule speaks of it.
    let lane = effect.channel.map(Channel::name);
    let lane = lane.or_else(|| (!judged.findings.is_empty()).then_some(effect.lane.as_str()))?;
    let about = (&effect.customer, &effect.invoice);
    Some(row_of(effect.id.to_string(), about, (lane, effect.class, &effect.step), judged, at, policy))
}

/// What a turn did not order, as the log keeps it: there is no effect, so it is known by case, step and channel.
pub(crate) fn restraint(case: &Case, one: &Restraint, at: Timestamp, policy: &str) -> VerdictRow {
    let judged = Judgement { verdict: one.verdict.clone(), findings: Vec::new(), moved: one.moved.clone() };
    let (step, about) = (&one.place.step, (&case.customer, &case.invoice));
    let key = format!("{}/{step}/{}", case.id, one.lane);
    row_of(key, about, (&one.lane, one.class, step), &judged, at, policy)
}

/// An answer as the log keeps it.
pub(crate) fn row_of(
    effect: String,
    (customer, invoice): (&CustomerId, &InvoiceId),
    (channel, class, step): (&str, Class, &str),
    judged: &Judgement,
    at: Timestamp,
    policy: &str,
) -> VerdictRow {
    let (verdict, rule, until_at) = parts(&judged.verdict);
    // The policies' rules name themselves; what the playbook and the customer asked for moved it all the same.
    let own: Vec<(&str, String)> = judged
        .moved
        .iter()
        .filter(|limit| !judged.findings.iter().any(|found| limit.rule.ends_with(&found.rule)))
        .map(|limit| (limit.rule.as_str(), format!("to {}", limit.until)))
        .collect();
    let rules = judged.findings.iter().map(|found| {
        let exception = found.exception.as_deref();
        Said { rule: &found.rule, verdict: parts(&found.verdict).0, why: &found.why, exception }
    });
    let limits = own.iter().map(|(rule, why)| Said { rule, verdict: "defer", why, exception: None });
    let said: Vec<Said<'_>> = rules.chain(limits).collect();
    // What passes thanks to an exception names it where else the binding rule stands.
    let exceptions: Vec<&str> = judged.exceptions().filter(|_| judged.verdict == Verdict::Allow).collect();
    let rule =
        if exceptions.is_empty() { rule.to_owned() } else { format!("allowed by exception {}", exceptions.join(", ")) };
    VerdictRow {
        effect,
        at,
        customer: customer.clone(),
        invoice: invoice.clone(),
        channel: channel.to_owned(),
        class: class.name().to_owned(),
        step: step.to_owned(),
        verdict: verdict.to_owned(),
        rule,
        until_at,
        findings: serde_json::to_string(&said).unwrap_or_default(),
        policy: policy.to_owned(),
    }
}

//! What people do in a world: they open numbers, at odd hours too, and lift rules by two, one of whom may say no.

use super::dates::plus;
use super::judge::{Contact, Facts, News, What};
use super::random::{Random, hash};
use recobro_engine::call::Number;
use recobro_engine::exceptions::{Answer, Wish};
use recobro_engine::{Engine, Who};
use recobro_kernel::guard::Verdict;
use recobro_kernel::ids::CustomerId;
use recobro_kernel::time::{HOUR_US, Timestamp};
use recobro_store::tasks::TaskRow;
use std::collections::{BTreeMap, BTreeSet};

/// A number asked for.
#[derive(Clone, Debug)]
struct Asked {
    task: String,
    contact: Contact,
    /// Why it was not shown.
    refused: Option<String>,
}

/// The people who dial.
#[derive(Default)]
pub(crate) struct Dialling {
    seed: u64,
    asked: Vec<Asked>,
    /// Calls that are tried later, and how often they were opened.
    later: BTreeMap<String, (Timestamp, u64)>,
    /// Calls that another one's answer closed.
    along: BTreeSet<String>,
}

/// What became of asking for a number.
pub(crate) enum Tried {
    /// It was shown: the person talks now.
    Shown,
    /// Not now.
    Later(Timestamp),
}

impl Dialling {
    pub(crate) fn of(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// When a call is dialled that people would answer for at an instant: one in three by somebody who works at night.
    pub(crate) fn at(&self, id: &str, at: Timestamp) -> Timestamp {
        let drawn = hash(self.seed, &format!("dial/{id}"));
        let late = if drawn.is_multiple_of(3) { i64::try_from(drawn / 3 % 14).unwrap() } else { 0 };
        self.later.get(id).map_or(at.plus_us(late * HOUR_US), |(next, _)| *next)
    }

    /// Asks for a number; says whether it was shown. Now and then nobody answers and it is tried again.
    pub(crate) async fn open(&mut self, engine: &Engine, row: &TaskRow, together: &[&TaskRow], talks: bool) -> Tried {
        let id = row.task.id.to_string();
        let now = engine.clock().now();
        let who = Who { name: "person:ana".to_owned(), why: String::new() };
        let opens = self.later.get(&id).map_or(0, |(_, opens)| *opens);
        let Ok(number) = engine.open_number(row.task.id, &who).await else {
            return self.wait(id, now.plus_us(HOUR_US / 6), opens);
        };
        let drawn = hash(self.seed, &format!("again/{id}/{opens}"));
        let again = drawn.is_multiple_of(3) && opens < 3;
        let shown = number.verdict == Verdict::Allow;
        let what = What::Opened(shown && talks && !again);
        let debts = std::iter::once(row).chain(together.iter().copied()).map(|row| row.invoice.to_string());
        // What the person is told to speak about.
        let debts = debts.filter(|debt| number.invoices.contains(debt)).collect();
        self.note(row, &number, (what, debts), now);
        match number.verdict {
            Verdict::Allow if !again => Tried::Shown,
            Verdict::Allow => {
                let hours = i64::try_from(drawn / 3 % 30).unwrap() + 1;
                self.wait(id, now.plus_us(hours * HOUR_US), opens + 1)
            }
            Verdict::Defer { until, .. } => self.wait(id, until.max(now.plus_us(HOUR_US / 60)), opens),
            Verdict::Forbid { .. } => self.wait(id, now.plus_us(20 * HOUR_US), opens),
        }
    }

    /// A call that was made in the same go as another one.
    pub(crate) fn take_along(&mut self, id: String) {
        self.along.insert(id);
    }

    fn wait(&mut self, id: String, next: Timestamp, opens: u64) -> Tried {
        self.later.insert(id, (next, opens));
        Tried::Later(next)
    }

    fn note(&mut self, row: &TaskRow, number: &Number, (what, debts): (What, Vec<String>), at: Timestamp) {
        let refused = match &number.verdict {
            Verdict::Allow => None,
            Verdict::Defer { rule, .. } | Verdict::Forbid { rule } if number.moved.is_empty() => Some(rule.clone()),
            _ => Some(number.moved.iter().map(|one| one.rule.clone()).collect::<Vec<_>>().join(", then ")),
        };
        let contact = Contact {
            at: at.to_utc(),
            seq: usize::MAX,
            what,
            channel: "call".to_owned(),
            class: "dunning",
            customer: row.customer.to_string(),
            debts,
            role: number.role.clone(),
            step: row.task.step.clone(),
            run: String::new(),
        };
        self.asked.push(Asked { task: row.task.id.to_string(), contact, refused });
    }

    /// Hands on what was shown and what was not. Each time is a try of its own; those of a handler's call are of one run
    /// with what answers it, and of a stage's call the time that was answered, the last one.
    pub(crate) fn hand_on(self, facts: &mut Facts, groups: &BTreeMap<String, String>) {
        let mut last: BTreeMap<String, usize> = BTreeMap::new();
        for (nth, one) in self.asked.iter().enumerate().filter(|(_, one)| one.refused.is_none()) {
            last.insert(one.task.clone(), nth);
        }
        let mut shown: Vec<Contact> = Vec::new();
        for (nth, Asked { task, contact, refused }) in self.asked.into_iter().enumerate() {
            let of_a_run = last.get(&task) == Some(&nth) || contact.step.starts_with("whenever/");
            let run = if of_a_run { groups.get(&task).unwrap_or(&task).clone() } else { format!("{task}/{nth}") };
            let contact = Contact { run, ..contact };
            match refused {
                None => match shown.iter_mut().find(|call| is_same_call(call, &contact)) {
                    Some(call) if contact.what == What::Opened(true) => call.what = contact.what,
                    Some(_) => {}
                    None => shown.push(contact),
                },
                Some(rule) => facts.kept.push((contact, rule)),
            }
        }
        facts.contacts.append(&mut shown);
    }

    /// Whether a call's number was shown: what its person says later is no further call.
    pub(crate) fn was_shown(&self, id: &str) -> bool {
        self.along.contains(id) || self.asked.iter().any(|one| one.refused.is_none() && one.task == id)
    }
}

/// A number looked at again within a quarter of an hour is one call, whichever of its debts' work it is opened from.
fn is_same_call(call: &Contact, again: &Contact) -> bool {
    call.customer == again.customer
        && (again.at - call.at).num_minutes() < 15
        && again.debts.first().is_some_and(|debt| call.debts.contains(debt))
}

/// Rules that two people can lift, by the checker's own name, with countries and kind they are asked for.
const LIFTED: &[(&str, &str, &[&str], &str)] = &[
    ("eu-consumer/one-a-day", "EU one a day", &["ES", "FR", "DE", "IT", "PT"], "person"),
    ("eu-consumer/hours", "EU hours", &["ES", "FR", "DE", "IT", "PT"], "person"),
    ("eu-consumer/talked-to", "EU after a talk", &["ES", "FR", "DE", "IT", "PT"], "person"),
    ("eu-b2b/one-a-day", "EU one a day", &["ES", "FR", "DE", "IT", "PT"], "business"),
    ("eu-b2b/hours", "EU hours", &["ES", "FR", "DE", "IT", "PT"], "business"),
    ("uk-consumer/one-a-day", "UK one a day", &["GB"], "person"),
    ("house/one-a-day", "house one a day", &["ES", "FR", "GB", "US", "CL", "CO"], ""),
];

/// What nobody lifts: law, and the customer's own word.
const LAW: &[(&str, &str)] =
    &[("us-reg-f/hours", "US"), ("us-reg-f/talked-to", "US"), ("cl-consumer/hours", "CL"), ("co-consumer/hours", "CO")];

/// Two people lift a rule for a customer, or try to; sometimes it is ended. What holds from now on is told.
pub(crate) async fn except(engine: &Engine, random: &mut Random, facts: &Facts, number: usize) -> Vec<News> {
    let customer = random.pick(&facts.customers).clone();
    let fits = |(_, _, places, kind): &&(&str, &'static str, &[&str], &str)| {
        places.contains(&customer.country) && (kind.is_empty() || *kind == customer.kind)
    };
    let fitting: Vec<_> = LIFTED.iter().filter(fits).collect();
    let today = engine.clock().now().date_in(customer.zone);
    let until = plus(today, random.between(1, 60));
    let wish = |name: String, rule: &str| Wish {
        name,
        rule: rule.to_owned(),
        customer: Some(CustomerId(customer.id.clone())),
        class: Vec::new(),
        reason: "goodwill".to_owned(),
        note: String::new(),
        from: None,
        until,
    };
    let person = |name: &str| Who { name: format!("person:{name}"), why: "agreed".to_owned() };
    for (rule, _) in LAW.iter().filter(|(_, country)| *country == customer.country && customer.kind == "person") {
        let asked = engine.ask_exception(&wish(format!("law-{number}"), rule), &person("ana"), false).await;
        assert!(asked.is_err(), "`{rule}` was lifted");
    }
    if fitting.is_empty() {
        return Vec::new();
    }
    let (rule, line, _, _) = **random.pick(&fitting);
    let name = format!("e-{number}");
    // The customer is not known yet.
    if engine.ask_exception(&wish(name.clone(), rule), &person("ana"), false).await.is_err() {
        return Vec::new();
    }
    let same = engine.answer_exception(&name, Answer::Approve, &person("ana"), false).await;
    assert!(same.is_err(), "who asked approved");
    if random.chance(300) {
        return Vec::new();
    }
    engine.answer_exception(&name, Answer::Approve, &person("ben"), false).await.unwrap();
    let mut news = vec![News::Lifted { customer: customer.id.clone(), line, until }];
    if random.chance(200) {
        engine.answer_exception(&name, Answer::End, &person("ana"), false).await.unwrap();
        news.push(News::Unlifted { customer: customer.id, line });
    }
    news
}

//! A small world around `decide`: a clock, an outbox that accepts, people who answer or do not.

use recobro_kernel::apply::fold;
use recobro_kernel::case::{Case, Status};
use recobro_kernel::consent::Consent;
use recobro_kernel::decide::{Decided, Entry, Follow, Input, Turn, decide, enter};
use recobro_kernel::effect::{Effect, NewTask, Retry};
use recobro_kernel::event::Event;
use recobro_kernel::expr::{Arg, Evaluation, Expr, ExprId, RuleError, Rules, View};
use recobro_kernel::facts::{Channel, Class, ContactMade, ContactPoint, CustomerFacts, Exception, Facts, InvoiceFacts};
use recobro_kernel::ids::{CaseId, EventId, GroupId, Hash};
use recobro_kernel::law::Law;
use recobro_kernel::money::Currency;
use recobro_kernel::playbook::{
    AppliesTo, Backlog, ContactRules, Handler, Options, Outcome, Outlet, Playbook, Roll, Stage, Step, TemplateInfo,
    Then, Verb, Via,
};
use recobro_kernel::record::{Record, TurnBody};
use recobro_kernel::time::{Hours, Span, Timestamp};
use recobro_kernel::value::{Type, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().expect("a literal")
}

/// Rules answered from a table: every expression is true unless it is named as failing.
struct TableRules {
    sources: Vec<String>,
    failing: Mutex<BTreeSet<String>>,
}

impl Rules for TableRules {
    fn eval(&self, id: ExprId, _: &View) -> Result<Evaluation, RuleError> {
        let source = &self.sources[id.0 as usize];
        if self.failing.lock().expect("no panic holds it").contains(source) {
            return Err(RuleError::Failed(format!("`{source}` has no answer")));
        }
        let value = Value::Bool(true);
        Ok(Evaluation { value, read: vec![], clauses: vec![], tables: vec![], notes: vec![], ops: 1 })
    }
}

fn step(id: &str, verb: Verb, next: usize) -> Step {
    Step {
        id: id.to_owned(),
        path: id.to_owned(),
        stage: None,
        file: "test.yaml".to_owned(),
        line: 1,
        verb,
        next,
        day: None,
        after: None,
        when: None,
        not_during: vec![],
        meanwhile: None,
        retry: Retry::default(),
        on_error: Outlet::Next,
        repeat: None,
        required: false,
        give_up: Span::working_days(10),
        options: Options { via: vec![Via::Channel(Channel::Email)], ..Options::default() },
    }
}

fn send(id: &str, next: usize) -> Step {
    step(id, Verb::Send(id.to_owned()), next)
}

fn template(class: Class) -> TemplateInfo {
    TemplateInfo {
        class,
        level: 1,
        notice: vec![],
        takes: BTreeMap::new(),
        files: Channel::ALL.into_iter().map(|channel| (channel, vec!["es".to_owned()])).collect(),
        hash: Hash::default(),
    }
}

/// Two reminders, a call, an approval that covers a notice, and the end; payment, dispute and promise are handled.
pub(crate) fn playbook() -> Playbook {
    let in_stage = |stage: usize, day: Option<i64>, step: Step| Step { stage: Some(stage), day, ..step };
    let mut first = in_stage(0, Some(1), send("first", 1));
    first.options.via.push(Via::Channel(Channel::Sms));
    let mut second = in_stage(0, Some(15), send("second", 2));
    second.when = Some(ExprId(0));
    second.on_error = Outlet::Steps(vec![3]);
    let mut call = in_stage(1, None, step("call", Verb::Call("call".to_owned()), 4));
    call.options.within = Some(Span::working_days(2));
    let mut fix = in_stage(0, None, step("fix", Verb::Task("fix".to_owned()), 2));
    fix.options.within = Some(Span::working_days(1));
    let mut approve = in_stage(1, Some(40), step("approve", Verb::Approve("approve".to_owned()), 5));
    approve.options.within = Some(Span::working_days(3));
    approve.options.by = vec!["lead".to_owned()];
    approve.options.covers = vec![5];
    approve.options.on_reject = Some(Outlet::Finish(Outcome::NeedsReview));
    let mut notice = in_stage(1, Some(50), send("notice", 6));
    notice.required = true;
    let finish = in_stage(1, None, step("finish", Verb::Finish(Outcome::Uncollected), 6));
    let mut hold = step("dispute-hold", Verb::Hold("dispute".to_owned()), 0);
    hold.options.at_most = Some(Span::days(9));
    let mut promise = step("promise-hold", Verb::Hold("promise".to_owned()), 0);
    promise.options.at_most = Some(Span::days(5));
    let handler = |event: &str, steps: Vec<usize>, then: Then| Handler {
        event: event.to_owned(),
        when: None,
        steps,
        then,
        file: "test.yaml".to_owned(),
        line: 1,
    };
    Playbook {
        name: "test".to_owned(),
        version: 1,
        title: "Test".to_owned(),
        owner: "desk".to_owned(),
        currency: Some(Currency::EUR),
        calendar: "weekdays".to_owned(),
        policies: vec![],
        facts: std::sync::Arc::default(),
        applies_to: AppliesTo::default(),
        contact: ContactRules {
            locales: vec![Arg::Const("es".to_owned())],
            hours: Hours::office(),
            caps: vec![],
            min_gap: Some(Span::days(3)),
            bundle: None,
        },
        tolerance: rust_decimal::Decimal::ZERO,
        backlog: None::<Backlog>,
        roll: Roll::Keep,
        vars: BTreeMap::new(),
        tables: vec![],
        stages: vec![
            Stage { name: "reminders".to_owned(), when: None, first: 0, line: 1 },
            Stage { name: "firm".to_owned(), when: None, first: 2, line: 2 },
        ],
        steps: vec![first, second, call, fix, approve, notice, finish, send("thanks", 0), hold, promise],
        cursor_len: 7,
        handlers: vec![
            handler("invoice.paid", vec![7], Then::Finish(Outcome::Paid)),
            handler("dispute.opened", vec![8], Then::Resume),
            handler("promise.made", vec![9], Then::Resume),
            handler("meeting.accepted", vec![7], Then::Resume),
        ],
        templates: [
            ("first", Class::Dunning),
            ("second", Class::Dunning),
            ("notice", Class::LegalNotice),
            ("thanks", Class::Courtesy),
        ]
        .into_iter()
        .map(|(name, class)| (name.to_owned(), template(class)))
        .collect(),
        requests: BTreeMap::new(),
        exprs: vec![Expr {
            source: "is_large".to_owned(),
            file: "test.yaml".to_owned(),
            line: 3,
            column: 7,
            returns: Type::Bool,
            params: Arc::default(),
            event: None,
        }],
        bundle: Hash::of(b"test"),
        content: Hash::of(b"texts"),
    }
}

fn facts() -> Facts {
    Facts {
        invoice: InvoiceFacts {
            id: "INV-1".into(),
            number: "INV-1".to_owned(),
            product: String::new(),
            currency: Currency::EUR,
            issued: "2026-04-04".parse().expect("a literal"),
            due: "2026-05-04".parse().expect("a literal"),
            amount_minor: 720_000,
            balance_minor: 720_000,
            charges_minor: 0,
            disputed_minor: 0,
            retained_minor: 0,
            not_due_minor: 0,
            last_payment_on: None,
            reference: "INV-1".to_owned(),
            closed: false,
            x: std::collections::BTreeMap::new(),
        },
        customer: CustomerFacts {
            id: "C-1".into(),
            kind: "business".to_owned(),
            segment: "standard".to_owned(),
            country: "ES".to_owned(),
            subdivision: None,
            locale: "es".to_owned(),
            time_zone: "Europe/Madrid".parse().expect("a zone"),
            risk: "medium".to_owned(),
            risk_score: 50,
            account_manager: None,
            vulnerable: false,
            has_open_plan: false,
            late_payments_12m: 0,
            broken_promises: 0,
            kept_promises: 0,
            matured_minor: BTreeMap::new(),
            late_reason: None,
            open_invoices: 1,
            total_minor: BTreeMap::new(),
            last_reply_on: None,
            tags: vec![],
            contact_points: vec![],
            assume_reachable: true,
            inconvenient: Vec::new(),
            preferred: Vec::new(),
            exceptions: Vec::new(),
            x: std::collections::BTreeMap::new(),
        },
        promise: None,
        dispute: None,
        plan: None,
        incentive: None,
        contacts: vec![],
        contacts_total: 0,
        today: "2026-04-20".parse().expect("a literal"),
    }
}

pub(crate) struct World {
    playbook: Playbook,
    rules: TableRules,
    law: Arc<Law>,
    facts: Facts,
    now: Timestamp,
    pub(crate) case: Case,
    bodies: Vec<TurnBody>,
    news: Vec<Event>,
    last: Option<Event>,
    outbox: Vec<Effect>,
    tasks: Vec<NewTask>,
    refused: BTreeSet<String>,
    shut: bool,
    follow: Option<Follow>,
    answers: BTreeMap<String, String>,
    /// Kind and step of every piece of work.
    pub(crate) opened: Vec<(String, String)>,
}

impl World {
    pub(crate) fn new(playbook: Playbook) -> Self {
        let entry =
            Entry { case: CaseId::derive(&["INV-1"]), defaults: vec![], continues: None, at_stage: None, chosen: None };
        Self::entering(playbook, &entry, at("2026-04-20T00:00:00Z"))
    }

    /// The linked case that a hand-over opens, under a playbook.
    pub(crate) fn linked(&self, playbook: Playbook) -> Self {
        let Follow { handover, inherits } = self.follow.clone().expect("the case was handed over");
        let case = CaseId::derive(&["INV-1", "after"]);
        let entry = Entry { case, defaults: vec![], continues: Some(inherits), at_stage: handover.at, chosen: None };
        Self::entering(playbook, &entry, self.now)
    }

    fn entering(playbook: Playbook, entry: &Entry, now: Timestamp) -> Self {
        let rules = TableRules {
            sources: playbook.exprs.iter().map(|expr| expr.source.clone()).collect(),
            failing: Mutex::default(),
        };
        let (law, mut facts) = (Arc::new(Law::default()), facts());
        facts.today = now.date_in(facts.customer.time_zone);
        let shared = Arc::new(facts.clone());
        let input = Input { playbook: &playbook, rules: &rules, law: &law, facts: &shared, now, rhai: "table" };
        let Decided::Turn(turn) = enter(&input, entry) else { panic!("a table is never slow") };
        let mut world = Self {
            case: turn.case.clone(),
            playbook,
            rules,
            law,
            facts,
            now,
            bodies: vec![],
            news: vec![],
            last: None,
            outbox: vec![],
            tasks: vec![],
            refused: BTreeSet::new(),
            shut: false,
            follow: None,
            answers: BTreeMap::new(),
            opened: vec![],
        };
        world.take(*turn);
        world
    }

    /// From the next turn on a law holds.
    pub(crate) fn under(&mut self, law: Law) {
        self.law = Arc::new(law);
    }

    /// From the next turn on a rule is lifted.
    pub(crate) fn lift(&mut self, rule: &str) {
        let exception = Exception { name: "EX-1".to_owned(), rule: rule.to_owned() };
        self.facts.customer.exceptions.push(exception);
    }

    pub(crate) fn clock_day(&self) -> i64 {
        self.case.clock.day(self.now, self.facts.customer.time_zone)
    }

    /// While the post is shut, what is ordered stays in the outbox.
    pub(crate) fn shut_the_post(&mut self, shut: bool) {
        self.shut = shut;
    }

    /// Holds what every turn must keep: determinism, the fold, the counts.
    fn turn(&mut self) {
        let (due, later): (Vec<_>, Vec<_>) = self.news.drain(..).partition(|event| event.at <= self.now);
        // The ledger knew before it told.
        if due.iter().any(|event| event.name == "invoice.paid") {
            self.facts.invoice.balance_minor = 0;
        }
        let mut facts = self.facts.clone();
        facts.today = self.now.date_in(facts.customer.time_zone);
        let shared = Arc::new(facts);
        let input = Input {
            playbook: &self.playbook,
            rules: &self.rules,
            law: &self.law,
            facts: &shared,
            now: self.now,
            rhai: "table",
        };
        let Decided::Turn(turn) = decide(&input, &self.case, &due) else { panic!("a table is never slow") };
        let Decided::Turn(again) = decide(&input, &self.case, &due) else { panic!("a table is never slow") };
        assert_eq!(turn.body, again.body, "decide is deterministic");
        assert_eq!(turn.effects, again.effects);
        self.news = due.into_iter().filter(|event| !turn.consumed.contains(&event.id)).chain(later).collect();
        self.take(*turn);
    }

    fn take(&mut self, turn: Turn) {
        if !turn.body.records.is_empty() {
            self.bodies.push(turn.body);
        }
        self.case = turn.case;
        self.follow = turn.follow.or(self.follow.take());
        assert_eq!(fold(&self.bodies).as_ref(), Some(&self.case), "the fold of the records is the case");
        assert_eq!(self.case.rev, self.bodies.len() as u64);
        let text = serde_json::to_string(&self.case).expect("a case is JSON");
        assert_eq!(serde_json::from_str::<Case>(&text).expect("and back"), self.case);
        let body = serde_json::to_string(self.bodies.last().expect("entered")).expect("a body is JSON");
        assert_eq!(&serde_json::from_str::<TurnBody>(&body).expect("and back"), self.bodies.last().expect("entered"));
        for effect in turn.effects {
            assert!(!self.outbox.iter().any(|old| old.id == effect.id), "one key, one effect");
            self.outbox.push(effect);
        }
        self.outbox.retain(|effect| !turn.recalls.contains(&effect.id));
        for task in turn.opened {
            self.opened.push((task.kind.clone(), task.step.clone()));
            self.tasks.push(task);
        }
        self.tasks.retain(|task| !turn.closed.iter().any(|closed| closed.id == task.id));
    }

    fn event(&mut self, name: &str, when: Timestamp, fields: &[(&str, Value)]) {
        let count = self.news.len() + self.bodies.len();
        let event = Event {
            id: EventId::derive(&[name, &when.to_string(), &count.to_string()]),
            name: name.to_owned(),
            at: when,
            actor: "test".to_owned(),
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        };
        self.last = Some(event.clone());
        self.news.push(event);
    }

    pub(crate) fn tell(&mut self, name: &str, when: &str, fields: &[(&str, Value)]) {
        self.event(name, at(when), fields);
    }

    pub(crate) fn tell_again(&mut self) {
        self.news.extend(self.last.clone());
    }

    pub(crate) fn pay(&mut self, when: &str) {
        let amount = Value::Decimal(rust_decimal::Decimal::new(720_000, 2));
        let on = Value::Date(at(when).to_utc().date_naive());
        self.tell("invoice.paid", when, &[("amount", amount), ("on", on)]);
    }

    pub(crate) fn operator(&mut self, act: &str, when: &str) {
        let fields = [("who", Value::text("ana")), ("why", Value::text("test"))];
        self.tell(&format!("operator.{act}"), when, &fields);
    }

    pub(crate) fn balance(&mut self, minor: i64) {
        self.facts.invoice.balance_minor = minor;
    }

    pub(crate) fn refuse(&mut self, lane: &str) {
        self.refused.insert(lane.to_owned());
    }

    pub(crate) fn answer(&mut self, kind: &str, outcome: &str) {
        self.answers.insert(kind.to_owned(), outcome.to_owned());
    }

    pub(crate) fn fail(&mut self, rule: &str) {
        self.rules.failing.lock().expect("no panic holds it").insert(rule.to_owned());
    }

    pub(crate) fn mend(&mut self) {
        self.rules.failing.lock().expect("no panic holds it").clear();
    }

    pub(crate) fn contact_made(&mut self, on: &str) {
        let on = on.parse().expect("a literal");
        self.facts.contacts.push(ContactMade {
            at: Timestamp::start_of(on, self.facts.customer.time_zone),
            on,
            channel: Channel::Email,
            class: Class::Dunning,
            group: GroupId::derive(&["other"]),
            invoice: "INV-2".into(),
            talk: false,
            left: true,
        });
    }

    /// The customer has an address on this channel alone.
    pub(crate) fn reachable_by(&mut self, channel: Channel) {
        let (id, role) = ("only".to_owned(), "billing".to_owned());
        self.facts.customer.contact_points =
            vec![ContactPoint { id, channel, role, usable: true, consent: Consent::default() }];
        self.facts.customer.assume_reachable = false;
    }

    /// The contact ledger counts a call.
    fn talked(&mut self, group: GroupId) {
        self.facts.contacts.push(ContactMade {
            at: self.now,
            on: self.now.date_in(self.facts.customer.time_zone),
            channel: Channel::Call,
            class: Class::Dunning,
            group,
            invoice: "INV-1".into(),
            talk: true,
            left: true,
        });
    }

    /// Hands over what is in the outbox; answers work where the test said so.
    fn deliver(&mut self) {
        let out = if self.shut { vec![] } else { std::mem::take(&mut self.outbox) };
        for effect in out {
            let refused = self.refused.contains(&effect.lane);
            let name = if refused { "outcome.refused" } else { "outcome.accepted" };
            if !refused && effect.kind == recobro_kernel::effect::EffectKind::Contact {
                self.facts.contacts.push(ContactMade {
                    at: self.now,
                    on: self.now.date_in(self.facts.customer.time_zone),
                    channel: effect.channel.expect("a contact has one"),
                    class: effect.class,
                    group: effect.group,
                    invoice: effect.invoice.clone(),
                    talk: false,
                    left: true,
                });
            }
            let fields = [
                ("effect", Value::text(effect.id.to_string())),
                ("channel", Value::text(&effect.lane)),
                ("reason", Value::text("test")),
            ];
            self.event(name, self.now, &fields);
        }
        for task in std::mem::take(&mut self.tasks) {
            match self.answers.get(&task.kind).cloned() {
                Some(outcome) => {
                    if task.kind == "call" {
                        self.talked(GroupId::of_call(task.id));
                    }
                    let fields = [
                        ("task", Value::text(task.id.to_string())),
                        ("outcome", Value::text(outcome)),
                        ("by", Value::text("ana")),
                    ];
                    self.event("task.done", self.now, &fields);
                }
                None => self.tasks.push(task),
            }
        }
    }

    fn next_at(&self) -> Option<Timestamp> {
        let news = self.news.iter().map(|event| event.at).min();
        let wake = self.case.wake.as_ref().map(|wake| wake.at);
        [news, wake].into_iter().flatten().min()
    }

    /// A turn at an instant; what waits in the outbox afterwards, nothing of it handed over.
    pub(crate) fn waiting_at(&mut self, when: &str) -> Vec<String> {
        self.now = at(when);
        self.turn();
        self.outbox.iter().map(|effect| effect.step.clone()).collect()
    }

    pub(crate) fn until(&mut self, when: &str) {
        self.advance_to(at(when));
    }

    fn advance_to(&mut self, end: Timestamp) {
        for _ in 0..10_000 {
            let Some(next) = self.next_at().filter(|next| *next < end) else { return };
            let stuck = self.case.status == Status::Attention || self.case.status == Status::Paused;
            if stuck && !self.news.iter().any(|event| event.at < end && event.name.starts_with("operator")) {
                return;
            }
            self.now = self.now.max(next);
            self.turn();
            self.deliver();
        }
        panic!("the case moves without end: {:?}", self.case);
    }

    pub(crate) fn run_to_the_end(&mut self) {
        self.advance_to(at("2040-01-01T00:00:00Z"));
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.bodies.iter().flat_map(|body| &body.records)
    }

    fn works(&self, kind: &str) -> impl Iterator<Item = &TurnBody> {
        self.bodies.iter().filter(move |body| {
            body.records.iter().any(|record| matches!(record, Record::WorkOpened { work, .. } if work.kind == kind))
        })
    }

    pub(crate) fn opened_at(&self, kind: &str) -> impl Iterator<Item = Timestamp> {
        self.works(kind).map(|body| body.at)
    }

    pub(crate) fn opened_on(&self, kind: &str) -> impl Iterator<Item = chrono::NaiveDate> {
        self.works(kind).map(|body| body.local)
    }

    /// How often an effect of a subject was ordered.
    pub(crate) fn ordered(&self, what: &str) -> usize {
        self.records().filter(|record| matches!(record, Record::Ordered { subject, .. } if subject == what)).count()
    }

    fn deliveries(&self) -> impl Iterator<Item = (&TurnBody, &str, &str)> {
        self.bodies.iter().flat_map(|body| {
            body.records.iter().filter_map(move |record| match record {
                Record::Sent { place, lane, .. } if lane != "staff" && !place.step.ends_with("/staff") => {
                    Some((body, place.step.as_str(), lane.as_str()))
                }
                _ => None,
            })
        })
    }

    pub(crate) fn sent(&self) -> Vec<&str> {
        self.deliveries().map(|(_, step, _)| step).collect()
    }

    pub(crate) fn sent_at<'a>(&'a self, step: &'a str) -> impl Iterator<Item = Timestamp> + 'a {
        self.deliveries().filter(move |(_, sent, _)| *sent == step).map(|(body, ..)| body.at)
    }

    pub(crate) fn lanes_of(&self, step: &str) -> Vec<&str> {
        self.deliveries().filter(|(_, sent, _)| *sent == step).map(|(_, _, lane)| lane).collect()
    }

    pub(crate) fn sent_on(&self, step: &str) -> String {
        let (body, ..) = self.deliveries().find(|(_, sent, _)| *sent == step).expect("it was sent");
        body.local.to_string()
    }

    /// A year of news in random order, drawn from a seed.
    pub(crate) fn play_at_random(&mut self, seed: u64) {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
        let mut draw = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let names = [
            "dispute.opened",
            "dispute.closed",
            "promise.made",
            "promise.broken",
            "promise.kept",
            "reply.received",
            "payment.received",
            "customer.changed",
            "invoice.due_changed",
            "contact.failed",
            "task.timed_out",
            "plan.accepted",
            "plan.completed",
            "customer.insolvent",
            "hardship.reported",
            "invoice.paid",
        ];
        if draw(3) == 0 {
            self.answer("approve", if draw(2) == 0 { "approved" } else { "rejected" });
        }
        self.answer("fix", "done");
        if draw(4) == 0 {
            self.refuse("email");
        }
        for _ in 0..draw(8) {
            let name = names[usize::try_from(draw(names.len() as u64)).expect("small")];
            let when = at("2026-04-21T00:00:00Z").plus_us(i64::try_from(draw(90 * 86_400)).expect("small") * 1_000_000);
            let date = Value::Date(when.to_utc().date_naive());
            self.event(name, when, &[("date", date.clone()), ("to", date)]);
            if draw(4) == 0 {
                self.tell_again();
            }
            if draw(3) == 0 {
                self.advance_to(when);
            }
        }
        self.advance_to(at("2026-12-31T00:00:00Z"));
        // What only people and the world outside can end.
        for name in ["promise.kept", "plan.completed", "dispute.closed"] {
            self.event(name, at("2027-01-01T08:00:00Z"), &[]);
        }
    }
}

//! What policies' rules answer: each kind of rule on days worked out by hand, in zones whose clocks change.

mod lifted;

use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use recobro_kernel::calendar::holidays::{Holidays, On, Rule as Holiday};
use recobro_kernel::calendar::{Calendar, MonthDay, Season};
use recobro_kernel::case::{Approval, End, Mark, Marks};
use recobro_kernel::consent::{Consent, Purpose, Word};
use recobro_kernel::facts::{Channel, Class, ContactMade, ContactPoint, CustomerFacts, Facts, InvoiceFacts};
use recobro_kernel::guard::policy::{
    Collector, Confidence, Counts, Kind, Of, Opening, Policy, Precondition, Rule, Term,
};
use recobro_kernel::guard::{Asked, Bound, Verdict};
use recobro_kernel::ids::{GroupId, Hash};
use recobro_kernel::law::Law;
use recobro_kernel::money::Currency;
use recobro_kernel::playbook::{AppliesTo, Cap, ContactRules, Playbook, Roll};
use recobro_kernel::schedule::{Place, Wish, limits};
use recobro_kernel::time::{Hours, Timestamp};
use recobro_kernel::value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

#[path = "guard/consent.rs"]
mod consent;

fn yearly(month: u32, day: u32) -> Holiday {
    Holiday::new("a holiday", vec![On::Yearly(MonthDay { month, day })])
}

fn on(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn hours(text: &str) -> Hours {
    text.parse().unwrap()
}

fn span(text: &str) -> recobro_kernel::time::Span {
    text.parse().unwrap()
}

/// A rule about everything, in force for ever, before every act.
fn rule(name: &str, kind: Kind) -> Rule {
    Rule {
        id: format!("probe/{name}"),
        kind,
        channels: [].into(),
        classes: [Class::Dunning, Class::LegalNotice].into(),
        before: ["escalate", "supply.cut"].map(str::to_owned).into(),
        applies: BTreeMap::new(),
        from: None,
        to: None,
        source: "test".to_owned(),
        confidence: Confidence::House,
        exceptions: true,
    }
}

fn opening(days: &[u8], text: &str) -> Opening {
    Opening { days: days.iter().copied().collect(), hours: hours(text) }
}

fn frequency(most: u32, per: &str, of: Of) -> Kind {
    Kind::Frequency { most, per: span(per), of, counts: Counts::Attempts, each: true }
}

/// A calendar on which people work every day but New Year's: windows of rules decide, not the playbook's.
fn every_day() -> Calendar {
    Calendar { working_days: (0..7).collect(), holidays: Holidays::new(vec![yearly(1, 1)]), ..Calendar::weekdays() }
}

fn point(channel: Channel, role: &str, opted_in: bool) -> ContactPoint {
    let mut consent = Consent::default();
    if opted_in {
        consent.take(&Purpose::ALL, Word::Granted);
    }
    ContactPoint { id: format!("{role}-{}", channel.name()), channel, role: role.to_owned(), usable: true, consent }
}

struct Scene {
    policy: Policy,
    calendar: Calendar,
    facts: Facts,
    marks: Marks,
    approvals: Vec<Approval>,
    playbook: Playbook,
}

impl Scene {
    fn new(rules: Vec<Rule>) -> Self {
        let policy =
            Policy { name: "probe".to_owned(), jurisdictions: vec!["CO".to_owned()], rules, ..Policy::default() };
        Self {
            policy,
            calendar: every_day(),
            facts: facts(),
            marks: Marks::default(),
            approvals: Vec::new(),
            playbook: playbook(),
        }
    }

    fn zone(mut self, zone: &str) -> Self {
        self.facts.customer.time_zone = zone.parse().unwrap();
        self
    }

    fn at(&self, text: &str) -> Timestamp {
        let (date, time) = text.split_once(' ').unwrap();
        let time = NaiveTime::parse_from_str(time, "%H:%M").unwrap();
        Timestamp::at_local(on(date), time, self.facts.customer.time_zone)
    }

    fn law(&self) -> Law {
        let values = [("wait".to_owned(), Value::Span(span("1 month")))].into();
        let policy = Policy { values, ..self.policy.clone() };
        Law { policies: [("probe".to_owned(), Arc::new(policy))].into(), ..Law::default() }
    }

    /// A contact before: local time, channel, and whether somebody was talked to.
    fn made(mut self, at: &str, channel: Channel, talk: bool) -> Self {
        let made = ContactMade {
            at: self.at(at),
            on: on(&at[..10]),
            channel,
            class: Class::Dunning,
            group: GroupId::derive(&[&self.facts.contacts.len().to_string()]),
            invoice: "INV-1".into(),
            talk,
            left: true,
        };
        self.facts.contacts.push(made);
        self
    }

    fn notice(mut self, kind: &str, given: &str, proven: Option<&str>) -> Self {
        let mark = Mark {
            end: End::Done,
            at: self.at(&format!("{given} 10:00")),
            on: on(given),
            held_days: 0,
            outcome: String::new(),
            sent: 1,
            sent_at: None,
            notice: vec![kind.to_owned()],
            proven_on: proven.map(on),
        };
        self.marks.steps.insert(format!("n{}", self.marks.steps.len()), mark);
        self
    }

    /// When a contact may leave, in local words; `now` where it may at once.
    fn may(&self, channel: Channel, at: &str) -> String {
        let (law, from, zone) = (self.law(), self.at(at), self.facts.customer.time_zone);
        let mut facts = self.facts.clone();
        facts.today = on(&at[..10]);
        let bound = Bound::of(&law, &[], &facts);
        let place = Place {
            playbook: &self.playbook,
            calendar: &self.calendar,
            staff: &self.calendar,
            zone,
            contacts: &facts.contacts,
            invoice: &facts.invoice.id,
            customer: "C",
            several: false,
            inconvenient: &[],
            preferred: &[],
            bound: &bound,
        };
        let wish = Wish { channel: Some(channel), group: None, class: Class::Dunning, bundled: false };
        let (until, _) = limits(place, &self.playbook.contact, wish, from);
        if until == from { "now".to_owned() } else { until.local(zone).format("%Y-%m-%d %H:%M").to_string() }
    }

    /// What the first rule alone says, whatever the playbook's own window is.
    fn alone(&self, channel: Channel, at: &str) -> Verdict {
        let law = self.law();
        let bound = Bound::of(&law, &[], &self.facts);
        let place = Place {
            playbook: &self.playbook,
            calendar: &self.calendar,
            staff: &self.calendar,
            zone: self.facts.customer.time_zone,
            contacts: &self.facts.contacts,
            invoice: &self.facts.invoice.id,
            inconvenient: &[],
            preferred: &[],
            customer: "C",
            several: false,
            bound: &bound,
        };
        let wish = Wish { channel: Some(channel), group: None, class: Class::Dunning, bundled: false };
        bound.findings(place, wish, None, &[], self.at(at)).remove(0).verdict
    }

    /// When an act may happen, in local words.
    fn may_act(&self, act: &str, at: &str) -> String {
        let law = self.law();
        let mut facts = self.facts.clone();
        facts.today = on(&at[..10]);
        let zone = facts.customer.time_zone;
        let asked = Asked {
            facts: &facts,
            marks: &self.marks,
            approvals: &self.approvals,
            position: Some(3),
            calendar: &self.calendar,
            zone,
            law: &law,
        };
        match Bound::of(&law, &[], &facts).before(act, self.at(at), &asked) {
            Verdict::Allow => "now".to_owned(),
            Verdict::Defer { until, .. } => until.local(zone).format("%Y-%m-%d %H:%M").to_string(),
            Verdict::Forbid { rule } => rule,
        }
    }

    fn closed(&self, point: &ContactPoint) -> Option<String> {
        let law = self.law();
        let bound = Bound::of(&law, &[], &self.facts);
        let wish = Wish { channel: Some(point.channel), group: None, class: Class::Dunning, bundled: false };
        let points = &self.facts.customer.contact_points;
        bound.closes(wish, point.channel, Some(point), points).map(str::to_owned)
    }

    /// Rules that bind on a day.
    fn binding(&self, date: &str) -> usize {
        let facts = Facts { today: on(date), ..self.facts.clone() };
        Bound::of(&self.law(), &[], &facts).rules().count()
    }
}

fn facts() -> Facts {
    Facts {
        invoice: InvoiceFacts {
            id: "INV-1".into(),
            number: "INV-1".to_owned(),
            product: "electricity".to_owned(),
            currency: Currency::EUR,
            issued: on("2026-04-04"),
            due: on("2026-05-04"),
            amount_minor: 10_000,
            balance_minor: 10_000,
            charges_minor: 0,
            disputed_minor: 0,
            retained_minor: 0,
            not_due_minor: 0,
            last_payment_on: None,
            reference: String::new(),
            closed: false,
            x: BTreeMap::new(),
        },
        customer: CustomerFacts {
            id: "C-1".into(),
            kind: "person".to_owned(),
            segment: "standard".to_owned(),
            country: "CO".to_owned(),
            subdivision: None,
            locale: "es".to_owned(),
            time_zone: Tz::America__Bogota,
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
            tags: Vec::new(),
            contact_points: Vec::new(),
            assume_reachable: true,
            inconvenient: Vec::new(),
            preferred: Vec::new(),
            exceptions: Vec::new(),
            x: BTreeMap::new(),
        },
        promise: None,
        dispute: None,
        plan: None,
        incentive: None,
        contacts: Vec::new(),
        contacts_total: 0,
        today: on("2026-05-04"),
    }
}

/// A playbook that has nothing to say about hours.
fn playbook() -> Playbook {
    let contact = ContactRules {
        locales: Vec::new(),
        hours: hours("00:00-23:59"),
        caps: Vec::new(),
        min_gap: None,
        bundle: None,
    };
    Playbook {
        name: "probe".to_owned(),
        version: 1,
        title: String::new(),
        owner: String::new(),
        currency: None,
        calendar: "weekdays".to_owned(),
        policies: Vec::new(),
        facts: Arc::default(),
        applies_to: AppliesTo::default(),
        contact,
        tolerance: rust_decimal::Decimal::ZERO,
        backlog: None,
        roll: Roll::Keep,
        vars: BTreeMap::new(),
        tables: Vec::new(),
        stages: Vec::new(),
        steps: Vec::new(),
        cursor_len: 0,
        handlers: Vec::new(),
        templates: BTreeMap::new(),
        requests: BTreeMap::new(),
        exprs: Vec::new(),
        bundle: Hash::default(),
        content: Hash::default(),
    }
}

#[test]
fn a_week_with_its_own_saturday_never_opens_on_sunday_or_a_holiday() {
    let open = vec![opening(&[0, 1, 2, 3, 4], "07:00-19:00"), opening(&[5], "08:00-15:00")];
    let mut scene = Scene::new(vec![rule("hours", Kind::Window { open, holidays: false })]);
    assert_eq!(scene.may(Channel::Sms, "2026-05-08 18:59"), "now", "Friday");
    assert_eq!(scene.may(Channel::Sms, "2026-05-08 19:00"), "2026-05-09 08:00", "the end is outside");
    assert_eq!(scene.may(Channel::Sms, "2026-05-09 07:30"), "2026-05-09 08:00");
    assert_eq!(scene.may(Channel::Sms, "2026-05-09 15:00"), "2026-05-11 07:00", "over Sunday");
    scene.calendar.holidays = Holidays::new(vec![yearly(5, 11)]);
    assert_eq!(scene.may(Channel::Sms, "2026-05-10 12:00"), "2026-05-12 07:00", "over Sunday and a holiday");
    let until = scene.at("2026-05-12 07:00");
    let rule = "hours probe/hours".to_owned();
    assert_eq!(scene.alone(Channel::Sms, "2026-05-11 12:00"), Verdict::Defer { until, rule }, "by the rule itself");
}

#[test]
fn every_day_of_the_week_may_include_holidays() {
    let window = |holidays| Kind::Window { open: vec![opening(&[0, 1, 2, 3, 4, 5, 6], "08:00-21:00")], holidays };
    assert_eq!(Scene::new(vec![rule("h", window(false))]).may(Channel::Call, "2026-01-01 12:00"), "2026-01-02 08:00");
    assert_eq!(Scene::new(vec![rule("h", window(true))]).alone(Channel::Call, "2026-01-01 12:00"), Verdict::Allow);
}

#[test]
fn working_days_are_those_of_the_debtors_calendar() {
    let mut scene =
        Scene::new(vec![rule("h", Kind::Window { open: vec![opening(&[], "08:00-20:00")], holidays: false })]);
    scene.calendar = Calendar { holidays: Holidays::new(vec![yearly(5, 1)]), ..Calendar::weekdays() };
    assert_eq!(scene.may(Channel::Email, "2026-04-30 20:00"), "2026-05-04 08:00", "holiday, Saturday, Sunday");
    assert_eq!(scene.may(Channel::Email, "2026-05-04 08:00"), "now");
}

/// Zones with the dates of two changes of the clock: whole hours, half an hour, and at midnight.
const NIGHTS: &[(&str, &str, &str)] = &[
    ("Europe/Madrid", "2026-03-29", "2026-10-25"),
    ("Europe/London", "2026-03-29", "2026-10-25"),
    ("Europe/Lisbon", "2026-03-29", "2026-10-25"),
    ("Atlantic/Azores", "2026-03-29", "2026-10-25"),
    ("America/New_York", "2026-03-08", "2026-11-01"),
    ("America/Los_Angeles", "2026-03-08", "2026-11-01"),
    ("America/Santiago", "2026-04-05", "2026-09-06"),
    ("America/Sao_Paulo", "2018-02-18", "2018-11-04"),
    ("Australia/Lord_Howe", "2026-04-05", "2026-10-04"),
    ("Africa/Cairo", "2026-04-24", "2026-10-30"),
];

#[test]
fn nights_on_which_the_clock_changes_open_at_eight_by_the_debtors_clock() {
    for (zone, first, second) in NIGHTS {
        for date in [on(first), on(second)] {
            let window = Kind::Window { open: vec![opening(&[0, 1, 2, 3, 4, 5, 6], "08:00-21:00")], holidays: true };
            let scene = Scene::new(vec![rule("h", window)]).zone(zone);
            let before = date.pred_opt().unwrap();
            assert_eq!(scene.may(Channel::Call, &format!("{before} 20:59")), "now", "{zone}");
            for late in ["21:00", "23:58"] {
                let found = scene.may(Channel::Call, &format!("{before} {late}"));
                assert_eq!(found, format!("{date} 08:00"), "{zone} {late}");
            }
            assert_eq!(scene.may(Channel::Call, &format!("{date} 03:30")), format!("{date} 08:00"), "{zone}");
            assert_eq!(scene.may(Channel::Call, &format!("{date} 20:59")), "now", "{zone}");
        }
    }
}

#[test]
fn a_rolling_week_ends_at_a_local_midnight_even_where_that_does_not_exist() {
    for (zone, first, second) in NIGHTS {
        for date in [on(first), on(second)] {
            let week_before = date - chrono::Days::new(7);
            let scene = Scene::new(vec![rule("calls", frequency(1, "7 days", Of::Invoice))]).zone(zone).made(
                &format!("{week_before} 23:30"),
                Channel::Call,
                false,
            );
            let found = scene.may(Channel::Call, &format!("{} 22:00", date.pred_opt().unwrap()));
            assert_eq!(&found[..10], date.to_string(), "{zone}");
            assert!(found.ends_with("00:00") || found.ends_with("01:00"), "{zone}: {found}");
        }
    }
}

#[test]
fn seven_calls_in_seven_days_and_the_day_of_the_talk_is_day_one() {
    let gap = Kind::Gap { gap: span("7 days"), of: Of::Invoice, after: Counts::Talks, other_channel: false };
    let rules = || {
        let calls = [Channel::Call, Channel::Voice];
        let seven = Rule { channels: calls.into(), ..rule("seven", frequency(7, "7 days", Of::Invoice)) };
        vec![seven, Rule { channels: calls.into(), ..rule("talked", gap.clone()) }]
    };
    let mut scene = Scene::new(rules());
    for day in 4..=9 {
        scene = scene.made(&format!("2026-05-0{day} 10:00"), Channel::Call, false);
    }
    assert_eq!(scene.may(Channel::Call, "2026-05-09 15:00"), "now", "the seventh");
    scene = scene.made("2026-05-09 15:00", Channel::Voice, false);
    assert_eq!(scene.may(Channel::Call, "2026-05-09 16:00"), "2026-05-11 00:00", "Monday's call has left the window");
    assert_eq!(scene.may(Channel::Email, "2026-05-09 16:00"), "now", "e-mails are not counted");

    let talked = Scene::new(rules()).made("2026-05-04 10:00", Channel::Call, true);
    assert_eq!(talked.may(Channel::Call, "2026-05-10 23:00"), "2026-05-11 00:00");
    assert_eq!(talked.may(Channel::Call, "2026-05-11 00:00"), "now");
    let missed = Scene::new(rules()).made("2026-05-04 10:00", Channel::Call, false);
    assert_eq!(missed.may(Channel::Call, "2026-05-04 11:00"), "now", "nobody answered: no gap");
    let mut other = Scene::new(rules()).made("2026-05-04 10:00", Channel::Call, true);
    other.facts.contacts[0].invoice = "INV-2".into();
    assert_eq!(other.may(Channel::Call, "2026-05-04 11:00"), "now", "another debt counts for itself");
}

#[test]
fn another_channel_waits_and_the_same_does_not() {
    let gap = Kind::Gap { gap: span("7 days"), of: Of::Customer, after: Counts::Attempts, other_channel: true };
    let scene = Scene::new(vec![rule("one-channel", gap)]).made("2026-05-04 10:00", Channel::Email, false);
    assert_eq!(scene.may(Channel::Sms, "2026-05-06 10:00"), "2026-05-11 00:00");
    assert_eq!(scene.may(Channel::Email, "2026-05-06 10:00"), "now");
}

#[test]
fn two_a_week_and_two_days_apart() {
    let gap = Kind::Gap { gap: span("2 days"), of: Of::Customer, after: Counts::Attempts, other_channel: false };
    let rules = vec![rule("two", frequency(2, "7 days", Of::Customer)), rule("apart", gap)];
    let scene = Scene::new(rules).made("2026-05-04 10:00", Channel::Sms, false);
    assert_eq!(scene.may(Channel::Email, "2026-05-05 10:00"), "2026-05-06 00:00");
    let scene = scene.made("2026-05-06 09:00", Channel::Email, false);
    assert_eq!(scene.may(Channel::Email, "2026-05-08 10:00"), "2026-05-11 00:00", "the third waits for the week");
}

#[test]
fn contacts_of_one_run_count_once_unless_each_counts() {
    let kind = |each| Kind::Frequency { most: 2, per: span("1 day"), of: Of::Customer, counts: Counts::Attempts, each };
    for (each, expected) in [(true, "2026-05-05 00:00"), (false, "now")] {
        let mut scene = Scene::new(vec![rule("f", kind(each))]).made("2026-05-04 09:00", Channel::Sms, false).made(
            "2026-05-04 09:00",
            Channel::Email,
            false,
        );
        scene.facts.contacts[1].group = scene.facts.contacts[0].group;
        assert_eq!(scene.may(Channel::Email, "2026-05-04 10:00"), expected, "{each}");
    }
}

#[test]
fn a_channel_that_must_be_asked_for_is_closed_until_it_is() {
    let asked = Scene::new(vec![rule("chosen", Kind::Consent { opted_in: true })]);
    assert_eq!(asked.closed(&point(Channel::Sms, "billing", false)).as_deref(), Some("probe/chosen"));
    assert_eq!(asked.closed(&point(Channel::Sms, "billing", true)), None);
    let refused = Scene::new(vec![rule("stop", Kind::Consent { opted_in: false })]);
    assert_eq!(refused.closed(&point(Channel::Sms, "billing", false)), None);
    let gone = ContactPoint { usable: false, ..point(Channel::Sms, "billing", true) };
    assert_eq!(refused.closed(&gone).as_deref(), Some("probe/stop"));
}

#[test]
fn once_an_attorney_is_there_nobody_else_is_contacted() {
    let only = Kind::Recipient { only: Some("attorney".to_owned()), never: vec!["third_party".to_owned()] };
    let mut scene = Scene::new(vec![rule("who", only)]);
    let billing = point(Channel::Email, "billing", false);
    assert_eq!(scene.closed(&billing), None, "no attorney yet");
    assert!(scene.closed(&point(Channel::Email, "third_party", false)).is_some());
    scene.facts.customer.contact_points = vec![point(Channel::Letter, "attorney", false)];
    assert!(scene.closed(&billing).is_some(), "by whatever channel the attorney is known");
    assert_eq!(scene.closed(&point(Channel::Letter, "attorney", false)), None);
}

fn notice_rule(delivered: bool, since: Option<Term>) -> Rule {
    let wanted =
        Precondition { notice: Some("masc_invitation".to_owned()), delivered, since, ..Precondition::default() };
    rule("masc", Kind::Precondition(Box::new(wanted)))
}

#[test]
fn a_month_runs_from_the_proven_day_to_the_end_of_a_shorter_one() {
    let since = || Some(Term::Law("wait".to_owned()));
    let scene = || Scene::new(vec![notice_rule(true, since())]);
    assert_eq!(
        scene().may_act("escalate", "2026-05-04 10:00"),
        "probe/masc: no proven notice `masc_invitation` was given"
    );
    let sent = scene().notice("masc_invitation", "2026-01-02", None);
    assert!(sent.may_act("escalate", "2026-05-04 10:00").starts_with("probe/masc"), "sent is not proven");
    let proven = |day| scene().notice("masc_invitation", "2026-01-02", Some(day));
    assert_eq!(
        proven("2026-01-31").may_act("escalate", "2026-02-20 10:00"),
        "2026-03-01 00:00",
        "28 February is the last"
    );
    assert_eq!(proven("2026-01-31").may_act("escalate", "2026-03-01 00:00"), "now");
    assert_eq!(proven("2026-01-15").may_act("escalate", "2026-02-15 23:59"), "2026-02-16 00:00");
    let twice = proven("2026-01-15").notice("masc_invitation", "2026-03-01", Some("2026-03-10"));
    assert_eq!(twice.may_act("escalate", "2026-03-20 10:00"), "2026-04-11 00:00", "a second one begins anew");
    assert_eq!(scene().may_act("outsource", "2026-05-04 10:00"), "now", "not before this act");
}

#[test]
fn a_notice_that_need_not_be_proven_counts_from_the_day_it_was_sent() {
    let scene = Scene::new(vec![notice_rule(false, Some(Term::Span(span("20 days"))))]).notice(
        "masc_invitation",
        "2026-05-04",
        None,
    );
    assert_eq!(scene.may_act("supply.cut", "2026-05-20 10:00"), "2026-05-25 00:00");
}

#[test]
fn so_many_people_must_have_approved_this_very_act() {
    let wanted = Precondition { approve: 2, ..Precondition::default() };
    let mut scene = Scene::new(vec![rule("people", Kind::Precondition(Box::new(wanted)))]);
    let approval = |by: &[&str], covers: usize| Approval {
        step: 1,
        at: Timestamp::default(),
        by: by.iter().map(|by| (*by).to_owned()).collect(),
        balance_minor: 10_000,
        content: Hash::default(),
        covers: vec![covers],
    };
    let answer = |scene: &Scene| scene.may_act("escalate", "2026-05-04 10:00");
    scene.approvals = vec![approval(&["ana"], 3)];
    assert_eq!(answer(&scene), "probe/people: nobody on record has approved it");
    scene.approvals = vec![approval(&["ana"], 3), approval(&["ana"], 3)];
    assert_ne!(answer(&scene), "now", "one person twice");
    scene.approvals = vec![approval(&["ana"], 3), approval(&["ben"], 4)];
    assert_ne!(answer(&scene), "now", "another step's approval");
    scene.approvals = vec![approval(&["ana", "ben"], 3)];
    assert_eq!(answer(&scene), "now");
}

#[test]
fn evidence_is_one_of_the_organisations_own_facts() {
    let wanted = Precondition { evidence: Some("invoice.x.masc_minutes".to_owned()), ..Precondition::default() };
    let mut scene = Scene::new(vec![rule("proof", Kind::Precondition(Box::new(wanted)))]);
    assert_eq!(scene.may_act("escalate", "2026-05-04 10:00"), "probe/proof: invoice.x.masc_minutes is not there");
    scene.facts.invoice.x.insert("masc_minutes".to_owned(), "doc-7".to_owned());
    assert_eq!(scene.may_act("escalate", "2026-05-04 10:00"), "now");
}

fn winter(reopen: Option<&str>) -> Calendar {
    let season =
        Season { from: MonthDay { month: 11, day: 1 }, to: MonthDay { month: 3, day: 31 }, reopen: reopen.map(span) };
    Calendar { seasons: [("winter-truce".to_owned(), season)].into(), ..Calendar::weekdays() }
}

#[test]
fn a_season_defers_to_its_end_and_the_days_after_it() {
    let truce = |forbid| Kind::Moratorium { season: Some("winter-truce".to_owned()), forbid, eves: false };
    let mut scene = Scene::new(vec![rule("truce", truce(false))]);
    scene.calendar = winter(None);
    assert_eq!(scene.may_act("supply.cut", "2025-10-31 10:00"), "now");
    assert_eq!(scene.may_act("supply.cut", "2025-11-01 10:00"), "2026-04-01 00:00");
    assert_eq!(scene.may_act("supply.cut", "2026-03-31 23:00"), "2026-04-01 00:00");
    scene.calendar = winter(Some("5 working days"));
    assert_eq!(
        scene.may_act("supply.cut", "2026-04-02 10:00"),
        "2026-04-07 00:00",
        "the fifth of April's working days"
    );
    scene.policy.rules = vec![rule("truce", truce(true))];
    assert_eq!(scene.may_act("supply.cut", "2026-01-10 10:00"), "probe/truce");
}

#[test]
fn never_on_a_free_day_nor_on_its_eve() {
    let mut scene = Scene::new(vec![rule("eves", Kind::Moratorium { season: None, forbid: false, eves: true })]);
    scene.calendar = Calendar { holidays: Holidays::new(vec![yearly(5, 13)]), ..Calendar::weekdays() };
    assert_eq!(scene.may_act("supply.cut", "2026-05-07 10:00"), "now", "Thursday");
    assert_eq!(scene.may_act("supply.cut", "2026-05-08 10:00"), "2026-05-11 00:00", "Friday is an eve");
    assert_eq!(scene.may_act("supply.cut", "2026-05-10 10:00"), "2026-05-11 00:00", "Sunday");
    assert_eq!(scene.may_act("supply.cut", "2026-05-12 10:00"), "2026-05-14 00:00", "the eve of a holiday, and it");
    scene.policy.rules = vec![rule("never", Kind::Moratorium { season: None, forbid: false, eves: false })];
    assert_eq!(scene.may_act("supply.cut", "2026-05-07 10:00"), "probe/never", "without a season: for good");
}

#[test]
fn a_rule_for_some_protects_whom_nobody_knows() {
    let applies = |path: &str, text: &str| -> BTreeMap<_, _> { [(path.to_owned(), vec![text.to_owned()])].into() };
    let never = || rule("never", Kind::Moratorium { season: None, forbid: true, eves: false });
    let main = Rule { applies: applies("invoice.x.residence", "main"), ..never() };
    let mut scene = Scene::new(vec![main]);
    assert_eq!(scene.may_act("supply.cut", "2026-05-04 10:00"), "probe/never", "not known");
    scene.facts.invoice.x.insert("residence".to_owned(), "second".to_owned());
    assert_eq!(scene.may_act("supply.cut", "2026-05-04 10:00"), "now");
    scene.facts.invoice.x.insert("residence".to_owned(), "main".to_owned());
    assert_eq!(scene.may_act("supply.cut", "2026-05-04 10:00"), "probe/never");
    let vulnerable = Rule { applies: applies("customer.vulnerable", "true"), ..never() };
    let mut scene = Scene::new(vec![vulnerable]);
    assert_eq!(scene.may_act("supply.cut", "2026-05-04 10:00"), "now", "known not to be");
    scene.facts.customer.vulnerable = true;
    assert_eq!(scene.may_act("supply.cut", "2026-05-04 10:00"), "probe/never");
}

#[test]
fn rules_and_policies_bind_between_their_days_both_included() {
    let kind = || frequency(1, "1 day", Of::Customer);
    let dated = Rule { from: Some(on("2026-02-01")), to: Some(on("2026-02-28")), ..rule("dated", kind()) };
    let mut scene = Scene::new(vec![dated, rule("always", kind())]);
    let counts = ["2026-01-31", "2026-02-01", "2026-02-28", "2026-03-01"].map(|date| scene.binding(date));
    assert_eq!(counts, [1, 2, 2, 1]);
    scene.policy.from = Some(on("2026-02-15"));
    scene.policy.to = Some(on("2026-02-20"));
    let counts = ["2026-02-14", "2026-02-15", "2026-02-20", "2026-02-21"].map(|date| scene.binding(date));
    assert_eq!(counts, [0, 2, 2, 0]);
}

#[test]
fn a_policy_binds_its_place_kind_product_and_collector_whatever_the_playbook_says() {
    let scene = |change: fn(&mut Scene)| {
        let mut scene = Scene::new(vec![rule("r", frequency(1, "1 day", Of::Customer))]);
        change(&mut scene);
        scene.binding("2026-05-04")
    };
    assert_eq!(scene(|_| ()), 1);
    assert_eq!(scene(|s| s.facts.customer.country = "CL".to_owned()), 0);
    assert_eq!(scene(|s| s.policy.jurisdictions = vec!["CO-DC".to_owned()]), 0);
    assert_eq!(
        scene(|s| {
            s.policy.jurisdictions = vec!["CO-DC".to_owned()];
            s.facts.customer.subdivision = Some("CO-DC".to_owned());
        }),
        1
    );
    let union = |country: &str| {
        let mut scene = Scene::new(vec![rule("r", frequency(1, "1 day", Of::Customer))]);
        scene.policy.jurisdictions = vec!["EU".to_owned()];
        country.clone_into(&mut scene.facts.customer.country);
        scene.binding("2026-05-04")
    };
    assert_eq!(["ES", "HR", "GB", "CH"].map(union), [1, 1, 0, 0]);
    assert_eq!(scene(|s| s.policy.debtor_kinds = vec!["business".to_owned()]), 0);
    assert_eq!(scene(|s| s.policy.products = vec!["gas".to_owned()]), 0);
    assert_eq!(scene(|s| s.policy.collectors = vec![Collector::ThirdParty]), 0, "we collect our own");
    assert_eq!(scene(|s| s.policy.jurisdictions = Vec::new()), 0, "nobody named it");
}

#[test]
fn a_figure_is_that_of_the_nearest_policy() {
    let policy = |name: &str, places: &[&str], kinds: &[&str], value: i64| {
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let policy = Policy {
            name: name.to_owned(),
            jurisdictions: list(places),
            debtor_kinds: list(kinds),
            values: [("n".to_owned(), Value::Int(value))].into(),
            ..Policy::default()
        };
        (name.to_owned(), Arc::new(policy))
    };
    let law = Law {
        policies: [
            policy("a-eu", &["EU"], &[], 1),
            policy("b-es", &["ES"], &["business"], 2),
            policy("c-ct", &["ES-CT"], &[], 3),
            policy("d-house", &[], &[], 4),
        ]
        .into(),
        ..Law::default()
    };
    let value = |country: &str, subdivision: Option<&str>, kind: &str| {
        let mut facts = facts();
        country.clone_into(&mut facts.customer.country);
        facts.customer.subdivision = subdivision.map(str::to_owned);
        kind.clone_into(&mut facts.customer.kind);
        law.value_for("n", &facts.customer, &facts.invoice, facts.today).cloned()
    };
    assert_eq!(value("FR", None, "business"), Some(Value::Int(1)));
    assert_eq!(value("ES", None, "business"), Some(Value::Int(2)));
    assert_eq!(value("ES", None, "person"), Some(Value::Int(1)), "the country's policy is for others");
    assert_eq!(value("ES", Some("ES-CT"), "business"), Some(Value::Int(3)));
    assert_eq!(value("US", None, "business"), Some(Value::Int(4)));
}

/// 24 hours end 24 hours later, a month on the same day of the next one, a working day on the next one.
#[test]
fn rolling_windows_run_by_the_hour_by_the_month_and_by_the_calendar() {
    let scene = |per: &str, made: &str| {
        let scene = Scene::new(vec![rule("few", frequency(1, per, Of::Customer))]);
        Scene { calendar: Calendar::weekdays(), ..scene.made(made, Channel::Email, false) }
    };
    let until = |scene: &Scene, at: &str| match scene.alone(Channel::Email, at) {
        Verdict::Defer { until, .. } => until.local(Tz::America__Bogota).format("%Y-%m-%d %H:%M").to_string(),
        other => format!("{other:?}"),
    };
    let day = scene("24 hours", "2026-05-04 15:00");
    assert_eq!(until(&day, "2026-05-05 10:00"), "2026-05-05 15:00");
    assert_eq!(until(&day, "2026-05-05 15:00"), "Allow");
    let month = scene("1 month", "2026-02-10 10:00");
    assert_eq!(until(&month, "2026-03-09 10:00"), "2026-03-10 00:00");
    assert_eq!(until(&month, "2026-03-10 10:00"), "Allow");
    assert_eq!(until(&scene("1 month", "2026-01-31 10:00"), "2026-02-27 10:00"), "2026-02-28 00:00");
    // A Friday: Saturday and Sunday are no working days.
    let working = scene("1 working day", "2026-05-08 10:00");
    assert_eq!(until(&working, "2026-05-10 10:00"), "2026-05-11 00:00");
    assert_eq!(until(&working, "2026-05-11 10:00"), "Allow");
    let weekend = scene("2 working days", "2026-05-07 10:00");
    assert_eq!(until(&weekend, "2026-05-09 10:00"), "2026-05-11 00:00");
    // A playbook's cap is counted the same way.
    let mut capped = Scene::new(Vec::new()).made("2026-05-04 15:00", Channel::Email, false);
    let cap = |per: &str| Cap { most: 1, per: span(per), channel: None };
    capped.playbook.contact.caps = vec![cap("24 hours")];
    assert_eq!(capped.may(Channel::Email, "2026-05-05 10:00"), "2026-05-05 15:00");
    capped.playbook.contact.caps = vec![cap("1 month")];
    assert_eq!(capped.may(Channel::Email, "2026-06-03 10:00"), "2026-06-04 00:00");
}

#[test]
fn a_figure_is_read_as_of_the_day_and_for_who_collects() {
    let policy = |name: &str, from: Option<&str>, to: Option<&str>, value: i64| Policy {
        name: name.to_owned(),
        jurisdictions: vec!["ES".to_owned()],
        from: from.map(|day| day.parse().unwrap()),
        to: to.map(|day| day.parse().unwrap()),
        values: [("n".to_owned(), Value::Int(value))].into(),
        ..Policy::default()
    };
    let old = policy("a-old", None, Some("2026-06-30"), 1);
    let new = policy("b-new", Some("2026-07-01"), None, 2);
    let agencies = Policy { collectors: vec![Collector::ThirdParty], ..policy("0-agencies", None, None, 3) };
    let policies = [old, new, agencies].map(|policy| (policy.name.clone(), Arc::new(policy)));
    let law = Law { policies: policies.into(), ..Law::default() };
    let mut facts = facts();
    facts.customer.country = "ES".to_owned();
    let value = |on: &str| law.value_for("n", &facts.customer, &facts.invoice, on.parse().unwrap()).cloned();
    assert_eq!(value("2026-06-30"), Some(Value::Int(1)));
    assert_eq!(value("2026-07-01"), Some(Value::Int(2)));
}

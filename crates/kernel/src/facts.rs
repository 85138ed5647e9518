//! What a decision may know: one snapshot per turn, and the registry of every fact's name and type.
//!
//! The registry is the only list of facts: the type check, the rhai roots, the references and the tests read it, through
//! [`Registry`], which adds the organisation's own.

mod own;

pub use own::{Known, OWN_ROOTS, OwnFact, OwnValues, Registry};

use crate::consent::Consent;
use crate::ids::{CustomerId, InvoiceId};
use crate::money::{Currency, Money};
use crate::plan::Part;
use crate::time::Timestamp;
use crate::value::{Type, Value};
use chrono::NaiveDate;
use chrono_tz::Tz;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// The channels a contact can leave by. `call` is a person's call, taken as a channel by caps and facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A call by a person.
    Call,
    /// E-mail.
    Email,
    /// A letter.
    Letter,
    /// A text message.
    Sms,
    /// A call by a machine.
    Voice,
    /// A WhatsApp message.
    Whatsapp,
}

impl Channel {
    /// Every channel, in alphabetical order.
    pub const ALL: [Self; 6] = [Self::Call, Self::Email, Self::Letter, Self::Sms, Self::Voice, Self::Whatsapp];

    /// The name playbooks use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Email => "email",
            Self::Letter => "letter",
            Self::Sms => "sms",
            Self::Voice => "voice",
            Self::Whatsapp => "whatsapp",
        }
    }

    /// The channel of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name() == name)
    }
}

/// What a message is: decides which checks of the dispatch it must pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Asks for money.
    Dunning,
    /// Friendly word without a demand.
    Courtesy,
    /// Confirms something the customer did.
    Transactional,
    /// A notice with legal effect.
    LegalNotice,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Dunning, Self::Courtesy, Self::Transactional, Self::LegalNotice];

    /// The name template headers use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dunning => "dunning",
            Self::Courtesy => "courtesy",
            Self::Transactional => "transactional",
            Self::LegalNotice => "legal_notice",
        }
    }

    /// The class of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// Courtesy and transactional messages pass the claimable and hold checks and the playbook's caps and gap.
    #[must_use]
    pub fn is_exempt(self) -> bool {
        matches!(self, Self::Courtesy | Self::Transactional)
    }
}

/// One invoice as the ledger knows it at the claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceFacts {
    /// The ledger's id.
    pub id: InvoiceId,
    /// Printed number.
    pub number: String,
    /// What was sold: `electricity`, `saas`, free text.
    pub product: String,
    /// Currency of every amount here.
    pub currency: Currency,
    /// Date of issue.
    pub issued: NaiveDate,
    /// Date due.
    pub due: NaiveDate,
    /// Original amount, minor units.
    pub amount_minor: i64,
    /// Principal still open, minor units.
    pub balance_minor: i64,
    /// Interest and fixed sums as of today, minor units.
    pub charges_minor: i64,
    /// Part under dispute, minor units.
    pub disputed_minor: i64,
    /// Agreed retention, minor units.
    pub retained_minor: i64,
    /// Part that a plan makes due later, minor units.
    pub not_due_minor: i64,
    /// Day of the last payment.
    pub last_payment_on: Option<NaiveDate>,
    /// Payment reference printed for the customer.
    pub reference: String,
    /// Whether the invoice was credited, cancelled or written off.
    pub closed: bool,
    /// The organisation's own facts, `invoice.x.*`.
    pub x: OwnValues,
}

impl InvoiceFacts {
    /// What contacts may ask for: balance less disputed, retained and not yet due by plan; never below zero.
    #[must_use]
    pub fn claimable_minor(&self) -> i64 {
        (self.balance_minor - self.disputed_minor - self.retained_minor - self.not_due_minor).max(0)
    }

    /// An amount of this invoice in its currency.
    #[must_use]
    pub fn money(&self, minor: i64) -> Money {
        Money::new(minor, self.currency)
    }
}

/// Where a customer can be reached on one channel. The address itself stays in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactPoint {
    /// The row's id; frozen into the effect when it is ordered.
    pub id: String,
    /// Channel.
    pub channel: Channel,
    /// `billing`, `decision_maker`, `legal`, `project`, `collection` or `attorney`.
    pub role: String,
    /// False after a hard bounce.
    pub usable: bool,
    /// What the customer said of this channel.
    pub consent: Consent,
}

impl ContactPoint {
    /// Whether messages of a class may go there, as far as it works and the customer's own word goes.
    #[must_use]
    pub fn takes(&self, class: Class) -> bool {
        self.usable && !self.consent.closes(class)
    }
}

/// A rule of a policy that two people lifted for a customer, for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Its name.
    pub name: String,
    /// `policy/rule`.
    pub rule: String,
}

/// The customer as the ledger knows them at the claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerFacts {
    /// The ledger's id.
    pub id: CustomerId,
    /// `business`, `person` or `public`.
    pub kind: String,
    /// The organisation's segment, `standard` where none is known.
    pub segment: String,
    /// ISO country.
    pub country: String,
    /// Subdivision after ISO 3166-2, if known.
    pub subdivision: Option<String>,
    /// Preferred language.
    pub locale: String,
    /// Time zone.
    pub time_zone: Tz,
    /// `low`, `medium` or `high`.
    pub risk: String,
    /// 0 to 100.
    pub risk_score: i64,
    /// Person in charge on our side.
    pub account_manager: Option<String>,
    /// Under protection.
    pub vulnerable: bool,
    /// An active plan exists.
    pub has_open_plan: bool,
    /// Invoices paid late in the last twelve months.
    pub late_payments_12m: i64,
    /// Promises broken so far.
    pub broken_promises: i64,
    /// Promises kept so far.
    pub kept_promises: i64,
    /// Promised and paid towards it by the promises that matured, by currency, minor units.
    pub matured_minor: BTreeMap<Currency, (i64, i64)>,
    /// Why they were late when they last said it, and the day.
    pub late_reason: Option<(String, NaiveDate)>,
    /// Open invoices.
    pub open_invoices: i64,
    /// Open principal per currency, minor units.
    pub total_minor: BTreeMap<Currency, i64>,
    /// Day of the last reply.
    pub last_reply_on: Option<NaiveDate>,
    /// Free labels.
    pub tags: Vec<String>,
    /// Where they can be reached. In a backtest, empty counts as reachable everywhere.
    pub contact_points: Vec<ContactPoint>,
    /// Every channel counts as reachable (backtest: said in its report).
    pub assume_reachable: bool,
    /// When they are known not to want any contact.
    pub inconvenient: Vec<crate::guard::policy::Opening>,
    /// When they like to be contacted, where the law leaves such a time.
    pub preferred: Vec<crate::guard::policy::Opening>,
    /// Rules that are lifted for them today.
    pub exceptions: Vec<Exception>,
    /// The organisation's own facts, `customer.x.*`.
    pub x: OwnValues,
}

impl CustomerFacts {
    /// Promises kept of those that matured; nothing while none has.
    fn kept_rate(&self) -> Option<Decimal> {
        share(self.kept_promises, self.kept_promises + self.broken_promises)
    }

    /// Paid of what matured promises promised in a currency; nothing while none has.
    fn kept_rate_amount(&self, currency: Currency) -> Option<Decimal> {
        let (promised, paid) = self.matured_minor.get(&currency)?;
        share(*paid, *promised)
    }
}

/// A part of a whole to four digits, 0 to 1.
fn share(part: i64, whole: i64) -> Option<Decimal> {
    Decimal::from(part).checked_div(Decimal::from(whole)).map(|share| share.round_dp(4).normalize())
}

/// A promise to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromiseFacts {
    /// The ledger's id.
    pub id: String,
    /// Day of the promise.
    pub made_on: NaiveDate,
    /// Day promised.
    pub date: NaiveDate,
    /// Amount, minor units of the invoice's currency.
    pub amount_minor: i64,
    /// Last day of grace: the promise is judged after it.
    pub limit: NaiveDate,
    /// How they mean to pay, if they said it.
    pub method: Option<String>,
    /// Numbers of the invoices that it covers.
    pub invoices: Vec<String>,
    /// `open kept partly_kept broken superseded cancelled`.
    pub status: String,
}

/// A dispute on the invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputeFacts {
    /// Reason code.
    pub reason: String,
    /// `accepted rejected withdrawn` once closed.
    pub outcome: Option<String>,
    /// Day it was opened.
    pub opened_on: NaiveDate,
}

/// A discount for paying early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncentiveFacts {
    /// How much, minor units of the invoice's currency.
    pub amount_minor: i64,
    /// Last day to pay.
    pub until: NaiveDate,
    /// `open taken expired`.
    pub status: String,
}

/// A payment plan that covers the invoice, or the offer of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanFacts {
    /// The ledger's id.
    pub id: String,
    /// `proposed active completed defaulted expired declined cancelled`.
    pub status: String,
    /// Its dates in order; of an offer those that it proposes.
    pub parts: Vec<Part>,
    /// How it is paid: `transfer`, `direct_debit`, `card`; empty if not said.
    pub method: String,
    /// So many instalments missed at the same time end it.
    pub default_after: i64,
    /// Last day on which an offer can be accepted.
    pub valid_until: Option<NaiveDate>,
    /// While it is active, days overdue count from its first missed instalment.
    pub re_ages: bool,
}

impl PlanFacts {
    /// Number of instalments.
    #[must_use]
    pub fn instalments(&self) -> i64 {
        count(self.parts.iter())
    }

    /// The first instalment that is not paid, else the last one.
    #[must_use]
    pub fn next(&self) -> Option<&Part> {
        self.parts.iter().find(|part| part.rest_minor() > 0).or(self.parts.last())
    }

    fn sum(&self, of: fn(&Part) -> i64) -> i64 {
        self.parts.iter().map(of).sum()
    }

    /// Whether days overdue are counted from its missed instalments instead of the invoice's due date.
    fn counts_anew(&self) -> bool {
        self.re_ages && self.status == "active"
    }

    fn first_missed(&self) -> Option<NaiveDate> {
        self.parts.iter().find(|part| part.is_missed()).map(|part| part.instalment.due)
    }
}

/// One contact made with the customer: a row of the contact ledger. Unknown outcomes count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactMade {
    /// When it was handed over, or is about to be.
    pub at: Timestamp,
    /// Date at the customer's place.
    pub on: NaiveDate,
    /// Channel.
    pub channel: Channel,
    /// Class of the message.
    pub class: Class,
    /// Contacts of one handler run share it.
    pub group: crate::ids::GroupId,
    /// Which invoice.
    pub invoice: InvoiceId,
    /// Whether a person was talked to.
    pub talk: bool,
    /// It is being handed over, or was: what has left can take no other message along.
    pub left: bool,
}

/// Everything a turn may know, read once at the claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The invoice.
    pub invoice: InvoiceFacts,
    /// Its customer.
    pub customer: CustomerFacts,
    /// Latest promise that covers the invoice.
    pub promise: Option<PromiseFacts>,
    /// Latest dispute.
    pub dispute: Option<DisputeFacts>,
    /// Latest plan.
    pub plan: Option<PlanFacts>,
    /// Latest discount for paying early.
    pub incentive: Option<IncentiveFacts>,
    /// The customer's contacts inside the longest rolling window any playbook names, oldest first.
    pub contacts: Vec<ContactMade>,
    /// All contacts ever, for `contacts.total`.
    pub contacts_total: i64,
    /// The turn's date at the customer's place; `days_overdue` is counted to it.
    pub today: NaiveDate,
}

impl Facts {
    /// Days since the due date; of a plan that re-ages, since its first missed instalment.
    #[must_use]
    pub fn days_overdue(&self) -> i64 {
        let from = match self.plan.as_ref().filter(|plan| plan.counts_anew()) {
            None => Some(self.invoice.due),
            Some(plan) => plan.first_missed(),
        };
        from.map_or(0, |from| (self.today - from).num_days().max(0))
    }

    fn since_reply(&self) -> impl Iterator<Item = &ContactMade> {
        let reply = self.customer.last_reply_on;
        self.contacts.iter().filter(move |contact| reply.is_none_or(|on| contact.on > on))
    }

    /// Contacts on a channel since the last reply.
    #[must_use]
    pub fn unanswered(&self, channel: Channel) -> i64 {
        count(self.since_reply().filter(|contact| contact.channel == channel))
    }

    fn since_talk(&self) -> impl Iterator<Item = &ContactMade> {
        let last = self.contacts.iter().rposition(|contact| contact.talk).map_or(0, |i| i + 1);
        self.contacts[last..].iter()
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> i64 {
    i64::try_from(items.count()).unwrap_or(i64::MAX)
}

/// Whether a fact may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Always there.
    Always,
    /// May be missing: `has(x)` or `??` first.
    Optional,
}

/// One line of the registry.
pub struct Fact {
    /// Path as playbooks write it.
    pub path: &'static str,
    /// Type, as a function because lists are not constants.
    pub of: fn() -> Type,
    /// May it be missing.
    pub presence: Presence,
    /// Personal data is recorded by reference, never by value.
    pub personal: bool,
    /// One sentence for references and hovers.
    pub doc: &'static str,
    /// Reads it from a snapshot.
    pub read: fn(&Facts) -> Value,
}

fn money(facts: &Facts, minor: i64) -> Value {
    Value::Decimal(facts.invoice.money(minor).to_decimal())
}

fn optional<T>(value: Option<T>, wrap: fn(T) -> Value) -> Value {
    value.map_or(Value::Missing, wrap)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn names(list: &[&str]) -> Type {
    Type::Enum(list.iter().map(|name| (*name).to_owned()).collect())
}

/// Why a customer is late: did not know, cannot, will not, is in need.
pub const LATE_REASONS: &[&str] = &["hardship", "unable", "unaware", "unwilling"];

/// Segments where the organisation names none of its own in `workflows/facts.yaml`.
pub const SEGMENTS: &[&str] = &["key", "sme", "standard"];

macro_rules! facts {
    ($($path:literal $presence:ident $of:expr, $doc:literal, $read:expr;)*) => {
        /// Every fact of the snapshot, ordered by path.
        pub const FACTS: &[Fact] = &[$(Fact {
            path: $path, of: || $of, presence: Presence::$presence, personal: false, doc: $doc, read: $read,
        }),*];
    };
}

facts! {
    "contacts.attempts_since_talk" Always Type::Int, "contacts and calls since somebody was talked to", |f| Value::Int(count(f.since_talk()));
    "contacts.calls" Always Type::Int, "calls made in the longest window", |f| Value::Int(count(f.contacts.iter().filter(|c| c.channel == Channel::Call)));
    "contacts.channels_since_talk" Always Type::Int, "different channels used since somebody was talked to", |f| {
        let channels: std::collections::BTreeSet<_> = f.since_talk().map(|c| c.channel).collect();
        Value::Int(count(channels.iter()))
    };
    "contacts.last_channel" Optional names(&["call", "email", "letter", "sms", "voice", "whatsapp"]), "channel of the last contact", |f| optional(f.contacts.last(), |c| text(c.channel.name()));
    "contacts.last_on" Optional Type::Date, "day of the last contact", |f| optional(f.contacts.last(), |c| Value::Date(c.on));
    "contacts.since_last_reply" Always Type::Int, "contacts since the customer last answered", |f| Value::Int(count(f.since_reply()));
    "contacts.talks" Always Type::Int, "talks with the customer in the longest window", |f| Value::Int(count(f.contacts.iter().filter(|c| c.talk)));
    "contacts.total" Always Type::Int, "all contacts with the customer so far", |f| Value::Int(f.contacts_total);
    "customer.account_manager" Optional Type::Text, "who looks after the customer on our side", |f| optional(f.customer.account_manager.as_deref(), text);
    "customer.broken_promises" Always Type::Int, "promises broken so far", |f| Value::Int(f.customer.broken_promises);
    "customer.country" Always Type::Text, "ISO country", |f| text(&f.customer.country);
    "customer.has_open_plan" Always Type::Bool, "an active payment plan exists", |f| Value::Bool(f.customer.has_open_plan);
    "customer.id" Always Type::Text, "the ledger's name of the customer", |f| text(f.customer.id.as_str());
    "customer.kept_promises" Always Type::Int, "promises kept so far", |f| Value::Int(f.customer.kept_promises);
    "customer.kept_rate" Optional Type::Decimal, "promises kept of those that matured, 0 to 1; missing while none has", |f| optional(f.customer.kept_rate(), Value::Decimal);
    "customer.kept_rate_amount" Optional Type::Decimal, "paid of what matured promises promised in the invoice's currency, 0 to 1; missing while none has", |f| optional(f.customer.kept_rate_amount(f.invoice.currency), Value::Decimal);
    "customer.kind" Always names(&["business", "person", "public"]), "business, person or public body", |f| text(&f.customer.kind);
    "customer.last_reply_on" Optional Type::Date, "day of the last reply", |f| optional(f.customer.last_reply_on, Value::Date);
    "customer.late_payments_12m" Always Type::Int, "invoices paid late in the last twelve months", |f| Value::Int(f.customer.late_payments_12m);
    "customer.late_reason" Optional names(LATE_REASONS), "why they were late when they last said it: did not know, cannot, will not, is in need", |f| optional(f.customer.late_reason.as_ref(), |(reason, _)| text(reason));
    "customer.late_reason_on" Optional Type::Date, "day they said it", |f| optional(f.customer.late_reason.as_ref(), |(_, on)| Value::Date(*on));
    "customer.locale" Always Type::Text, "preferred language", |f| text(&f.customer.locale);
    "customer.open_invoices" Always Type::Int, "open invoices", |f| Value::Int(f.customer.open_invoices);
    "customer.risk" Always names(&["low", "medium", "high"]), "risk grade", |f| text(&f.customer.risk);
    "customer.risk_score" Always Type::Int, "risk score, 0 to 100", |f| Value::Int(f.customer.risk_score);
    "customer.segment" Always names(SEGMENTS), "the organisation's segment", |f| text(&f.customer.segment);
    "customer.tags" Always Type::List(Box::new(Type::Text)), "free labels", |f| Value::List(f.customer.tags.iter().map(|t| text(t)).collect());
    "customer.time_zone" Always Type::Text, "time zone", |f| text(f.customer.time_zone.name());
    "customer.total_balance" Always Type::Decimal, "open principal in the invoice's currency", |f| money(f, f.customer.total_minor.get(&f.invoice.currency).copied().unwrap_or(0));
    "customer.vulnerable" Always Type::Bool, "under protection", |f| Value::Bool(f.customer.vulnerable);
    "dispute.opened_on" Always Type::Date, "day the dispute was opened", |f| optional(f.dispute.as_ref(), |d| Value::Date(d.opened_on));
    "dispute.outcome" Optional names(&["accepted", "rejected", "withdrawn"]), "how the dispute ended", |f| optional(f.dispute.as_ref().and_then(|d| d.outcome.as_deref()), text);
    "dispute.reason" Always Type::Text, "reason code of the dispute", |f| optional(f.dispute.as_ref(), |d| text(&d.reason));
    "incentive.amount" Always Type::Decimal, "discount for paying early", |f| f.incentive.as_ref().map_or(Value::Missing, |i| money(f, i.amount_minor));
    "incentive.status" Always names(&["open", "taken", "expired"]), "state of the discount", |f| optional(f.incentive.as_ref(), |i| text(&i.status));
    "incentive.until" Always Type::Date, "last day to pay with the discount", |f| optional(f.incentive.as_ref(), |i| Value::Date(i.until));
    "invoice.amount" Always Type::Decimal, "original amount", |f| money(f, f.invoice.amount_minor);
    "invoice.balance" Always Type::Decimal, "principal still open", |f| money(f, f.invoice.balance_minor);
    "invoice.charges" Always Type::Decimal, "interest and fixed sums as of today", |f| money(f, f.invoice.charges_minor);
    "invoice.claimable" Always Type::Decimal, "what contacts may ask for: balance less disputed, retained and not yet due by plan", |f| money(f, f.invoice.claimable_minor());
    "invoice.currency" Always Type::Text, "ISO currency", |f| text(f.invoice.currency.code());
    "invoice.days_overdue" Always Type::Int, "days since the due date, for law and templates; of a plan that re-ages, since its first missed instalment", |f| Value::Int(f.days_overdue());
    "invoice.disputed" Always Type::Bool, "any part is disputed", |f| Value::Bool(f.invoice.disputed_minor > 0);
    "invoice.disputed_amount" Always Type::Decimal, "part under dispute", |f| money(f, f.invoice.disputed_minor);
    "invoice.due" Always Type::Date, "date due", |f| Value::Date(f.invoice.due);
    "invoice.id" Always Type::Text, "the ledger's name of the invoice", |f| text(f.invoice.id.as_str());
    "invoice.issued" Always Type::Date, "date of issue", |f| Value::Date(f.invoice.issued);
    "invoice.last_payment_on" Optional Type::Date, "day of the last payment", |f| optional(f.invoice.last_payment_on, Value::Date);
    "invoice.number" Always Type::Text, "printed number", |f| text(&f.invoice.number);
    "invoice.product" Always Type::Text, "what was sold", |f| text(&f.invoice.product);
    "invoice.reference" Always Type::Text, "payment reference", |f| text(&f.invoice.reference);
    "invoice.retained" Always Type::Decimal, "agreed retention", |f| money(f, f.invoice.retained_minor);
    "plan.amount" Always Type::Decimal, "amount of the plan", |f| f.plan.as_ref().map_or(Value::Missing, |p| money(f, p.sum(|part| part.instalment.amount_minor)));
    "plan.default_after" Always Type::Int, "so many instalments missed at the same time end the plan", |f| optional(f.plan.as_ref(), |p| Value::Int(p.default_after));
    "plan.ends_on" Always Type::Date, "last instalment due", |f| optional(f.plan.as_ref().and_then(|p| p.parts.last()), |part| Value::Date(part.instalment.due));
    "plan.id" Always Type::Text, "the ledger's name of the plan", |f| optional(f.plan.as_ref(), |p| text(&p.id));
    "plan.instalments" Always Type::Int, "number of instalments", |f| optional(f.plan.as_ref(), |p| Value::Int(p.instalments()));
    "plan.method" Always Type::Text, "how it is paid: transfer, direct_debit, card; empty if not said", |f| optional(f.plan.as_ref(), |p| text(&p.method));
    "plan.missed" Always Type::Int, "instalments that are missed now", |f| optional(f.plan.as_ref(), |p| Value::Int(count(p.parts.iter().filter(|part| part.is_missed()))));
    "plan.next_amount" Always Type::Decimal, "what is missing of the next instalment", |f| f.plan.as_ref().and_then(PlanFacts::next).map_or(Value::Missing, |part| money(f, part.rest_minor()));
    "plan.next_due" Always Type::Date, "next instalment due", |f| optional(f.plan.as_ref().and_then(PlanFacts::next), |part| Value::Date(part.instalment.due));
    "plan.paid" Always Type::Decimal, "paid towards the plan so far", |f| f.plan.as_ref().map_or(Value::Missing, |p| money(f, p.sum(|part| part.paid_minor)));
    "plan.status" Always names(&["proposed", "active", "completed", "defaulted", "expired", "declined", "cancelled"]), "state of the plan", |f| optional(f.plan.as_ref(), |p| text(&p.status));
    "plan.valid_until" Optional Type::Date, "last day on which an offer can be accepted", |f| optional(f.plan.as_ref().and_then(|p| p.valid_until), Value::Date);
    "promise.amount" Always Type::Decimal, "amount promised", |f| f.promise.as_ref().map_or(Value::Missing, |p| money(f, p.amount_minor));
    "promise.date" Always Type::Date, "day promised", |f| optional(f.promise.as_ref(), |p| Value::Date(p.date));
    "promise.invoices" Always Type::List(Box::new(Type::Text)), "numbers of the invoices that it covers", |f| optional(f.promise.as_ref(), |p| Value::List(p.invoices.iter().map(|number| text(number)).collect()));
    "promise.limit" Always Type::Date, "last day of grace", |f| optional(f.promise.as_ref(), |p| Value::Date(p.limit));
    "promise.made_on" Always Type::Date, "day the promise was made", |f| optional(f.promise.as_ref(), |p| Value::Date(p.made_on));
    "promise.method" Optional Type::Text, "how they mean to pay", |f| optional(f.promise.as_ref().and_then(|p| p.method.as_deref()), text);
    "promise.status" Always names(&["open", "kept", "partly_kept", "broken", "superseded", "cancelled"]), "state of the promise", |f| optional(f.promise.as_ref(), |p| text(&p.status));
}

/// Roots that may be missing as a whole: `has(promise)` first, except in a handler of their own events.
pub const OPTIONAL_ROOTS: &[&str] = &["dispute", "incentive", "plan", "promise"];

/// The registry's line for a path.
#[must_use]
pub fn find(path: &str) -> Option<&'static Fact> {
    FACTS.binary_search_by(|fact| fact.path.cmp(path)).ok().map(|i| &FACTS[i])
}

/// Whether an optional root is there at all.
#[must_use]
pub fn has_root(facts: &Facts, root: &str) -> bool {
    match root {
        "promise" => facts.promise.is_some(),
        "dispute" => facts.dispute.is_some(),
        "plan" => facts.plan.is_some(),
        "incentive" => facts.incentive.is_some(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_missing_until_a_promise_has_matured() {
        assert_eq!(share(0, 0), None);
        assert_eq!(share(0, 3), Some(Decimal::ZERO));
        assert_eq!(share(2, 3).unwrap().to_string(), "0.6667");
        assert_eq!(share(5, 5), Some(Decimal::ONE));
    }

    #[test]
    fn the_registry_is_sorted_so_that_find_works() {
        assert!(FACTS.is_sorted_by(|a, b| a.path < b.path));
        assert_eq!(find("invoice.balance").unwrap().path, "invoice.balance");
        assert!(find("invoice.balanse").is_none());
    }
}

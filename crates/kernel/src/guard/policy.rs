//! What a policy says: rules as data, each with its source, in force between dates, for some debtors and places.

use crate::facts::{Channel, Class, CustomerFacts, InvoiceFacts};
use crate::time::{Hours, Span};
use crate::value::Value;
use chrono::NaiveDate;
use std::collections::{BTreeMap, BTreeSet};

/// Who collects: the creditor, or somebody else for the creditor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Collector {
    /// The creditor, under its own name.
    #[default]
    FirstParty,
    /// An agency, or a buyer of debts.
    ThirdParty,
}

impl Collector {
    /// The name in policies and settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstParty => "first_party",
            Self::ThirdParty => "third_party",
        }
    }

    /// The role of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::FirstParty, Self::ThirdParty].into_iter().find(|role| role.name() == name)
    }
}

/// A policy: figures and rules of one jurisdiction for some kinds of debtor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Name.
    pub name: String,
    /// For people.
    pub title: String,
    /// ISO countries or subdivisions it applies in, whatever a playbook says; empty: only where a playbook names it.
    pub jurisdictions: Vec<String>,
    /// Kinds of debtor it applies to; empty means all.
    pub debtor_kinds: Vec<String>,
    /// Who it binds; empty means both.
    pub collectors: Vec<Collector>,
    /// Products it is about; empty means all.
    pub products: Vec<String>,
    /// First day in force.
    pub from: Option<NaiveDate>,
    /// Last day in force.
    pub to: Option<NaiveDate>,
    /// `law.<name>` values.
    pub values: BTreeMap<String, Value>,
    /// Its rules, in the order of the file.
    pub rules: Vec<Rule>,
    /// Hash of the file.
    pub hash: crate::ids::Hash,
}

/// How sure the shipped figure is; counsel must review each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confidence {
    /// Read in a primary or official source.
    Verified,
    /// Known to those who wrote it, not read again.
    #[default]
    Known,
    /// A choice of the house, no law.
    House,
}

impl Confidence {
    /// The name in policies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Known => "known",
            Self::House => "house",
        }
    }

    /// The confidence of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Verified, Self::Known, Self::House].into_iter().find(|one| one.name() == name)
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `policy/rule`.
    pub id: String,
    /// What it asks.
    pub kind: Kind,
    /// Channels it is about; empty means every one.
    pub channels: BTreeSet<Channel>,
    /// Classes it is about and counts.
    pub classes: BTreeSet<Class>,
    /// Verbs and requests it comes before; only for what is no contact.
    pub before: BTreeSet<String>,
    /// Facts that must all hold, each one of some texts: `customer.vulnerable`, `invoice.x.residence`. A fact that is
    /// not known counts as holding: protection does not fall away for want of data.
    pub applies: BTreeMap<String, Vec<String>>,
    /// First day in force.
    pub from: Option<NaiveDate>,
    /// Last day in force.
    pub to: Option<NaiveDate>,
    /// Statute and article, or whose rule it is.
    pub source: String,
    /// How sure that is.
    pub confidence: Confidence,
    /// Two people may lift it for a customer or a class, for a time; asked through [`Rule::stands_because`].
    pub exceptions: bool,
}

/// The longest exception, in days: what must last longer is a change of the policy.
pub const EXCEPTION_DAYS: i64 = 90;

/// On which days of the week, and between which hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Monday is 0; empty means the working days of the debtor's calendar.
    pub days: BTreeSet<u8>,
    /// Local hours of the debtor.
    pub hours: Hours,
}

/// Whose contacts a rule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// All of the customer's.
    Customer,
    /// Those about the invoice.
    Invoice,
}

/// What a rule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Every try, whoever answered.
    Attempts,
    /// Talks with a person.
    Talks,
}

/// The kinds of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Contact only while one of the openings is open.
    Window {
        /// The openings.
        open: Vec<Opening>,
        /// Whether holidays of the debtor's place are open.
        holidays: bool,
    },
    /// At most so many contacts in a rolling time.
    Frequency {
        /// So many.
        most: u32,
        /// The rolling time, its last date included.
        per: Span,
        /// Of whom.
        of: Of,
        /// What is counted.
        counts: Counts,
        /// Contacts of one handler run count one by one, not together as one.
        each: bool,
    },
    /// A distance to the last contact.
    Gap {
        /// The distance; the date of the contact is day one.
        gap: Span,
        /// Of whom.
        of: Of,
        /// After what.
        after: Counts,
        /// Only a contact by another channel keeps this distance.
        other_channel: bool,
    },
    /// The customer's word on a channel.
    Consent {
        /// They must have asked for it; else it is enough that they did not refuse it.
        opted_in: bool,
    },
    /// Who may be contacted.
    Recipient {
        /// Only this role once somebody has it.
        only: Option<String>,
        /// Never these roles.
        never: Vec<String>,
    },
    /// What texts may not say, and what they must; asked when templates are checked.
    Content {
        /// Names of what is refused.
        refuse: Vec<String>,
        /// Names of statements that must be there.
        require: Vec<String>,
    },
    /// What must have happened before.
    Precondition(Box<Precondition>),
    /// Not in a season.
    Moratorium {
        /// Name of the season in the debtor's calendar; none for always.
        season: Option<String>,
        /// Not at all, instead of later.
        forbid: bool,
        /// Also not on a day that is no working day, nor on the eve of one.
        eves: bool,
    },
    /// Something must have happened by a day: it alerts, it never sends.
    Deadline(Box<Deadline>),
    /// How long personal data is kept.
    Retention {
        /// So long.
        keep: Span,
    },
}

/// A length of time, or the name of the figure that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// Written in the rule.
    Span(Span),
    /// `law.<name>`.
    Law(String),
}

/// What must have happened by a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// What is awaited.
    pub awaits: Awaited,
    /// So long ...
    pub within: Term,
    /// ... after this; its day is not counted.
    pub after: Begins,
    /// People hear of it so long before its last day.
    pub alert: Span,
}

/// What meets a deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// A notice of this kind is given.
    Notice(String),
    /// The dispute is answered.
    Dispute,
    /// The customer answers, whatever they say.
    Customer,
}

/// What a deadline runs from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begins {
    /// The invoice's date of issue.
    Issue,
    /// Its due date.
    Due,
    /// The first contact about it that left, or the first talk.
    FirstContact,
    /// The day its latest dispute was opened.
    Dispute,
    /// A notice of this kind: the day it was proven, else the day it was given.
    Notice(String),
}

/// What must be there before an adverse act.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precondition {
    /// A notice of this kind must have been given.
    pub notice: Option<String>,
    /// Its delivery must be proven.
    pub delivered: bool,
    /// So long ago.
    pub since: Option<Term>,
    /// So many people must have approved the act.
    pub approve: u32,
    /// A fact that must be there: `invoice.x.<name>` or `customer.x.<name>`.
    pub evidence: Option<String>,
}

impl Policy {
    /// Whether it binds contacts with a customer on a day; `named` where the playbook asks for it.
    #[must_use]
    pub fn binds(
        &self,
        customer: &CustomerFacts,
        invoice: &InvoiceFacts,
        on: NaiveDate,
        (named, collector): (bool, Collector),
    ) -> bool {
        let place = |wanted: &String| is_at(wanted, &customer.country, customer.subdivision.as_deref());
        let here = if self.jurisdictions.is_empty() { named } else { self.jurisdictions.iter().any(place) };
        let one_of = |list: &[String], word: &str| list.is_empty() || list.iter().any(|one| one == word);
        here && is_in_force(self.from, self.to, on)
            && one_of(&self.debtor_kinds, &customer.kind)
            // A product that nobody wrote down does not take a protection away.
            && (invoice.product.is_empty() || one_of(&self.products, &invoice.product))
            && self.is_for(collector)
    }

    /// Whether it is for who collects here.
    #[must_use]
    pub fn is_for(&self, collector: Collector) -> bool {
        self.collectors.is_empty() || self.collectors.contains(&collector)
    }
}

impl Policy {
    /// How narrowly it speaks for a customer on a day: 3 their subdivision, 2 their country, 1 the Union, 0 everywhere;
    /// nothing where it speaks for others, for other collectors, or not on that day.
    #[must_use]
    pub fn nearness(
        &self,
        customer: &CustomerFacts,
        invoice: &InvoiceFacts,
        (on, collector): (NaiveDate, Collector),
    ) -> Option<u8> {
        let one_of = |list: &[String], word: &str| list.is_empty() || list.iter().any(|one| one == word);
        if !self.is_in_force(on) || !(self.collectors.is_empty() || self.collectors.contains(&collector)) {
            return None;
        }
        if !one_of(&self.debtor_kinds, &customer.kind) || !one_of(&self.products, &invoice.product) {
            return None;
        }
        let place = |wanted: &String| {
            if customer.subdivision.as_deref() == Some(wanted) {
                Some(3)
            } else if *wanted == customer.country {
                Some(2)
            } else {
                is_member(wanted, &customer.country).then_some(1)
            }
        };
        if self.jurisdictions.is_empty() { Some(0) } else { self.jurisdictions.iter().filter_map(place).max() }
    }

    /// Whether it is in force on a day.
    #[must_use]
    pub fn is_in_force(&self, on: NaiveDate) -> bool {
        is_in_force(self.from, self.to, on)
    }

    /// Whether it speaks for somebody in a country: the country itself, a part of it, or the Union it is in.
    #[must_use]
    pub fn speaks_for(&self, country: &str) -> bool {
        self.jurisdictions.iter().any(|wanted| {
            is_member(wanted, country) || wanted.split_once('-').is_some_and(|(whole, _)| whole == country)
        })
    }
}

impl Rule {
    /// Whether it is in force for these facts.
    #[must_use]
    pub fn holds_for(&self, customer: &CustomerFacts, invoice: &InvoiceFacts, on: NaiveDate) -> bool {
        is_in_force(self.from, self.to, on)
            && self.applies.iter().all(|(path, wanted)| match fact(path, customer, invoice) {
                Some(found) => found.iter().any(|text| wanted.contains(text)),
                None => true,
            })
    }

    /// Why no exception can lift it; nothing where two people can.
    #[must_use]
    pub fn stands_because(&self) -> Option<&'static str> {
        match &self.kind {
            Kind::Consent { .. } => Some("it is the customer's own word, and only they can take it back"),
            Kind::Recipient { .. } => Some("who may be contacted is the right of others"),
            Kind::Content { .. } => Some("it speaks of texts; change the text"),
            Kind::Precondition(wanted) if wanted.approve > 0 => {
                Some("it asks for the decision of people on this very act; give it on the case")
            }
            Kind::Deadline(_) | Kind::Retention { .. } => Some("it holds no contact back"),
            Kind::Window { .. }
            | Kind::Frequency { .. }
            | Kind::Gap { .. }
            | Kind::Precondition(_)
            | Kind::Moratorium { .. } => {
                (!self.exceptions).then_some("its policy allows none; what law asks is lifted by nobody")
            }
        }
    }

    /// Whether it speaks of a contact: a channel that is not chosen yet is met by rules on every channel only.
    #[must_use]
    pub fn is_about(&self, channel: Option<Channel>, class: Class) -> bool {
        let channel = self.channels.is_empty() || channel.is_some_and(|channel| self.channels.contains(&channel));
        channel && self.classes.contains(&class)
    }
}

fn is_in_force(from: Option<NaiveDate>, to: Option<NaiveDate>, on: NaiveDate) -> bool {
    from.is_none_or(|from| from <= on) && to.is_none_or(|to| on <= to)
}

/// Countries of the Union as of 2020-02-01.
const UNION: &[&str] = &[
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

fn is_member(wanted: &str, country: &str) -> bool {
    wanted == country || (wanted == "EU" && UNION.contains(&country))
}

/// Whether a place of a policy or calendar (a country, a subdivision, the Union) is that of a customer.
#[must_use]
pub fn is_at(wanted: &str, country: &str, subdivision: Option<&str>) -> bool {
    is_member(wanted, country) || subdivision == Some(wanted)
}

/// Paths that `applies` may name, beside `customer.x.*` and `invoice.x.*`.
pub const PATHS: &[&str] = &[
    "customer.country",
    "customer.kind",
    "customer.segment",
    "customer.subdivision",
    "customer.tags",
    "customer.vulnerable",
    "invoice.currency",
    "invoice.product",
];

/// The texts of a fact; nothing where it is not known.
fn fact(path: &str, customer: &CustomerFacts, invoice: &InvoiceFacts) -> Option<Vec<String>> {
    let one = |text: &str| Some(vec![text.to_owned()]);
    match path {
        "customer.country" => one(&customer.country),
        "customer.kind" => one(&customer.kind),
        "customer.segment" => one(&customer.segment),
        "customer.subdivision" => customer.subdivision.as_deref().and_then(one),
        "customer.tags" => Some(customer.tags.clone()),
        "customer.vulnerable" => one(&customer.vulnerable.to_string()),
        "invoice.currency" => one(invoice.currency.code()),
        "invoice.product" => one(&invoice.product).filter(|_| !invoice.product.is_empty()),
        _ => own(path, customer, invoice).and_then(one),
    }
}

/// One of the organisation's own facts, where it is known.
pub(super) fn own<'f>(path: &str, customer: &'f CustomerFacts, invoice: &'f InvoiceFacts) -> Option<&'f str> {
    let text = match (path.strip_prefix("customer.x."), path.strip_prefix("invoice.x.")) {
        (Some(name), _) => customer.x.get(name),
        (None, Some(name)) => invoice.x.get(name),
        (None, None) => None,
    };
    text.map(String::as_str).filter(|text| !text.is_empty())
}

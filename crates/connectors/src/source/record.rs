//! The normalised records that every source makes: what `inbound` stores and what `route` reads.
//!
//! A record's body is canonical JSON (sorted keys, no spaces), so that its hash is the same for the same content on any
//! machine: a re-import is found by (source, kind, external id, hash). Days are civil; `at` is set where the source knows
//! the instant, else the engine takes 00:00 of the day in the customer's zone.

mod agreements;
mod consents;

pub use agreements::{Hold, HoldChange, Mandate, Plan, PlanChange, PlanOffer, PlanTerms};
pub use consents::{Consent, Said};

use chrono::NaiveDate;
use chrono_tz::Tz;
use recobro_kernel::facts::{Channel, OwnValues};
use recobro_kernel::ids::Hash;
use recobro_kernel::money::Money;
use recobro_kernel::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One item of news, normalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A customer, new or changed.
    Customer(Customer),
    /// An invoice, new or changed.
    Invoice(Invoice),
    /// Money received, or taken back.
    Payment(Payment),
    /// A dispute opened or closed.
    Dispute(Dispute),
    /// A promise to pay.
    Promise(Promise),
    /// An answer of the customer.
    Reply(Reply),
    /// What somebody else reports.
    Event(OutsideEvent),
    /// What unapplied money settles.
    Match(Match),
    /// A payment plan offered, agreed or ended.
    Plan(Plan),
    /// A hold placed or released.
    Hold(Hold),
    /// A credit note.
    Credit(Credit),
    /// Charges that are not asked for.
    Waiver(Waiver),
    /// A discount for paying early.
    Incentive(Incentive),
    /// What a customer says about being contacted.
    Consent(Consent),
}

/// Who owes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// The creditor's id of the customer.
    pub id: String,
    /// Name or company.
    pub name: String,
    /// `business`, `person` or `public`.
    pub kind: String,
    /// One of the kernel's segments.
    pub segment: String,
    /// ISO 3166 country.
    pub country: String,
    /// Subdivision after ISO 3166-2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdivision: Option<String>,
    /// Preferred language: `es`, `pt-BR`.
    pub locale: String,
    /// Where their day begins and ends.
    pub time_zone: Tz,
    /// `low`, `medium` or `high`, where the ledger knows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<String>,
    /// Person in charge on our side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_manager: Option<String>,
    /// Under protection.
    #[serde(default)]
    pub vulnerable: bool,
    /// Free labels, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Where they can be reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contact_points: Vec<ContactPoint>,
    /// The organisation's own facts by name, empty where the source took one away. What is not here is not changed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub x: OwnValues,
}

/// An address of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactPoint {
    /// By which channel; `call` for a number that people call.
    pub channel: Channel,
    /// The address or number.
    pub address: String,
    /// `billing`, `decision_maker`, `legal`, `project`, `collection` or `attorney`.
    pub role: String,
    /// Who answers there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What is owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invoice {
    /// The creditor's id of the invoice; its number where there is no other.
    pub id: String,
    /// Printed number.
    pub number: String,
    /// The customer's id.
    pub customer: String,
    /// Date of issue: the invoice is news at the beginning of that day.
    pub issued: NaiveDate,
    /// Date due.
    pub due: NaiveDate,
    /// Original amount.
    pub amount: Money,
    /// What was sold.
    #[serde(default)]
    pub product: String,
    /// Payment reference.
    #[serde(default)]
    pub reference: String,
    /// The organisation's own facts by name, empty where the source took one away. What is not here is not changed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub x: OwnValues,
    /// When it becomes news, where the source knows the instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// Money received; below zero where it was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    /// The bank's or the ledger's id of the payment.
    pub id: String,
    /// The invoice it settles, by the creditor's id or number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<String>,
    /// Several invoices that it settles, in this order, where there is more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invoices: Vec<String>,
    /// The customer who paid, where no invoice is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// How much.
    pub amount: Money,
    /// The day it was booked.
    pub on: NaiveDate,
    /// When it becomes news, where the source knows the instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What the payer wrote.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reference: String,
}

impl Payment {
    /// The invoices it names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.invoice.iter().chain(&self.invoices).map(String::as_str)
    }
}

/// A credit note: what was invoiced and is not owed after all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credit {
    /// The ledger's id of the credit note.
    pub id: String,
    /// The invoice it corrects, by the creditor's id, number or reference.
    pub invoice: String,
    /// How much, above zero.
    pub amount: Money,
    /// The day it was booked.
    pub on: NaiveDate,
    /// When it becomes news, where the source knows the instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Why: a code or a few words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The dispute it answers, where it answers one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispute: Option<String>,
}

/// Interest or a fixed sum that is not asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The source's id of it.
    pub id: String,
    /// The invoice, by the creditor's id, number or reference.
    pub invoice: String,
    /// `interest`, `fixed_sum` or `all`.
    pub kind: String,
    /// How much; all that had come about by the day where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// The day from which it holds.
    pub on: NaiveDate,
    /// When it becomes news, where the source knows the instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Why.
    pub reason: String,
}

/// A discount for paying early.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incentive {
    /// The source's id of it.
    pub id: String,
    /// The invoice, by the creditor's id, number or reference.
    pub invoice: String,
    /// Percent of what is owed when it is offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<String>,
    /// How much, where no percentage is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// The last day to pay.
    pub until: NaiveDate,
    /// The day it was offered.
    pub on: NaiveDate,
    /// When it becomes news, where the source knows the instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// A person's word on what money settles that was booked and found no invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Id of this word.
    pub id: String,
    /// The payment, by our id of it: `SOURCE:ID`.
    pub payment: String,
    /// The invoice, by id, number or reference.
    pub invoice: String,
    /// How much of it; all that is left where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// When it was said.
    pub at: Timestamp,
}

/// A dispute begins or ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dispute {
    /// The ledger's id of the dispute; both ends share it.
    pub id: String,
    /// The disputed invoice.
    pub invoice: String,
    /// Which end.
    pub change: DisputeChange,
    /// The day it happened.
    pub on: NaiveDate,
    /// When it becomes news, where the source knows the instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// Which end of a dispute, with its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DisputeChange {
    /// It begins.
    Opened {
        /// Reason code.
        reason: String,
        /// The disputed part; all that is open where it is not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        amount: Option<Money>,
        /// Who answers it on our side.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// The day by which it is to be answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer_by: Option<NaiveDate>,
    },
    /// It ends.
    Closed {
        /// `accepted`, `rejected` or `withdrawn`.
        outcome: String,
        /// What is credited with an accepted one; a credit note is still to come where it is not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credit: Option<Money>,
    },
    /// Somebody else answers it, or by another day.
    Assigned {
        /// Who.
        owner: String,
        /// By when; as before where it is not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer_by: Option<NaiveDate>,
    },
}

/// A promise to pay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// The source's id of the promise.
    pub id: String,
    /// The customer who promised, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// The invoices it covers; all open ones of the customer where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invoices: Vec<String>,
    /// The day it was made.
    pub made_on: NaiveDate,
    /// The day promised.
    pub date: NaiveDate,
    /// How much; all that is open where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// How they mean to pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Who promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it becomes news, where the source knows the instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// An answer of the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The source's id of the reply.
    pub id: String,
    /// The customer, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// The invoice it is about, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<String>,
    /// By which channel it came.
    pub channel: String,
    /// `text`, `auto`, `opt_out` or `paid_claim`.
    pub kind: String,
    /// The day it came.
    pub on: NaiveDate,
    /// When it came, where the source knows the instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What they wrote.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// Something that an agency, a lawyer, a shop or another system reports about an invoice or a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutsideEvent {
    /// The source's id of the report.
    pub id: String,
    /// The event's name: one of [`super::events::REPORTED`].
    pub event: String,
    /// Our id of the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// Our id, the printed number or the reference of the invoice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<String>,
    /// The day it happened.
    pub on: NaiveDate,
    /// The instant, where the source knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The event's fields as text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

/// The kinds of record, in the order in which they are routed where their instants are equal.
pub const KINDS: &[&str] = &[
    "customer",
    "invoice",
    "payment",
    "dispute",
    "promise",
    "reply",
    "event",
    "match",
    "plan",
    "hold",
    "credit",
    "waiver",
    "incentive",
    "consent",
];

macro_rules! each {
    ($record:expr, $inner:ident => $value:expr) => {
        match $record {
            Record::Customer($inner) => $value,
            Record::Invoice($inner) => $value,
            Record::Payment($inner) => $value,
            Record::Dispute($inner) => $value,
            Record::Promise($inner) => $value,
            Record::Reply($inner) => $value,
            Record::Event($inner) => $value,
            Record::Match($inner) => $value,
            Record::Plan($inner) => $value,
            Record::Hold($inner) => $value,
            Record::Credit($inner) => $value,
            Record::Waiver($inner) => $value,
            Record::Incentive($inner) => $value,
            Record::Consent($inner) => $value,
        }
    };
}

impl Record {
    /// The kind: one of [`KINDS`].
    #[must_use]
    pub fn kind(&self) -> &'static str {
        KINDS[usize::from(self.rank())]
    }

    /// Order among records of one instant: customers, invoices, payments, disputes, promises, replies, events, matches,
    /// plans, holds.
    #[must_use]
    pub fn rank(&self) -> u8 {
        match self {
            Self::Customer(_) => 0,
            Self::Invoice(_) => 1,
            Self::Payment(_) => 2,
            Self::Dispute(_) => 3,
            Self::Promise(_) => 4,
            Self::Reply(_) => 5,
            Self::Event(_) => 6,
            Self::Match(_) => 7,
            Self::Plan(_) => 8,
            Self::Hold(_) => 9,
            Self::Credit(_) => 10,
            Self::Waiver(_) => 11,
            Self::Incentive(_) => 12,
            Self::Consent(_) => 13,
        }
    }

    /// Place among records of one instant when they are routed: [`Record::rank`], but a customer's word on contacts comes
    /// with the customer, before anything is opened for them.
    #[must_use]
    pub fn order(&self) -> u8 {
        if matches!(self, Self::Consent(_)) { 0 } else { self.rank() }
    }

    /// The source's id of the record; what happens later to a dispute, a plan or a hold is a record of its own.
    #[must_use]
    pub fn external_id(&self) -> String {
        match self {
            Self::Dispute(dispute) => match dispute.change {
                DisputeChange::Opened { .. } => format!("{}#opened", dispute.id),
                DisputeChange::Closed { .. } => format!("{}#closed", dispute.id),
                DisputeChange::Assigned { .. } => format!("{}#assigned", dispute.id),
            },
            Self::Customer(customer) => customer.id.clone(),
            Self::Invoice(invoice) => invoice.id.clone(),
            Self::Payment(payment) => payment.id.clone(),
            Self::Promise(promise) => promise.id.clone(),
            Self::Reply(reply) => reply.id.clone(),
            Self::Event(event) => event.id.clone(),
            Self::Match(matching) => matching.id.clone(),
            Self::Plan(plan) => match &plan.change {
                // A mandate may change more than once.
                PlanChange::Mandated(mandate) => format!("{}#mandated/{}", plan.id, mandate.id),
                change => format!("{}#{}", plan.id, change.name()),
            },
            Self::Hold(hold) => format!("{}#{}", hold.id, hold.change.name()),
            Self::Credit(credit) => credit.id.clone(),
            Self::Waiver(waiver) => waiver.id.clone(),
            Self::Incentive(incentive) => incentive.id.clone(),
            Self::Consent(consent) => consent.id.clone(),
        }
    }

    /// The day of the news; a customer has none and is known from the beginning.
    #[must_use]
    pub fn on(&self) -> Option<NaiveDate> {
        match self {
            Self::Customer(_) | Self::Match(_) => None,
            Self::Invoice(invoice) => Some(invoice.issued),
            Self::Payment(payment) => Some(payment.on),
            Self::Dispute(dispute) => Some(dispute.on),
            Self::Promise(promise) => Some(promise.made_on),
            Self::Reply(reply) => Some(reply.on),
            Self::Event(event) => Some(event.on),
            Self::Plan(plan) => Some(plan.on),
            Self::Hold(hold) => Some(hold.on),
            Self::Credit(credit) => Some(credit.on),
            Self::Waiver(waiver) => Some(waiver.on),
            Self::Incentive(incentive) => Some(incentive.on),
            Self::Consent(consent) => consent.on,
        }
    }

    /// The instant of the news, where the source knows it.
    #[must_use]
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Customer(_) => None,
            Self::Invoice(invoice) => invoice.at,
            Self::Payment(payment) => payment.at,
            Self::Dispute(dispute) => dispute.at,
            Self::Promise(promise) => promise.at,
            Self::Reply(reply) => reply.at,
            Self::Event(event) => event.at,
            Self::Match(matching) => Some(matching.at),
            Self::Plan(plan) => plan.at,
            Self::Hold(hold) => hold.at,
            Self::Credit(credit) => credit.at,
            Self::Waiver(waiver) => waiver.at,
            Self::Incentive(incentive) => incentive.at,
            Self::Consent(consent) => consent.at,
        }
    }

    /// The instant of the news: [`Record::at`], else the first instant of [`Record::on`] in the customer's zone.
    #[must_use]
    pub fn at_in(&self, zone: Tz) -> Option<Timestamp> {
        self.at().or_else(|| self.on().map(|day| Timestamp::start_of(day, zone)))
    }

    /// The body as canonical JSON: keys sorted, no spaces.
    #[must_use]
    pub fn body(&self) -> String {
        // Through `Value`, whose objects are ordered maps: the order of fields in the code does not matter.
        let value = each!(self, inner => serde_json::to_value(inner));
        value.unwrap_or_default().to_string()
    }

    /// SHA-256 over the canonical body.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(self.body().as_bytes())
    }

    /// Reads a body of a kind back.
    ///
    /// # Errors
    /// When the kind is none of [`KINDS`] or the body is not one of its kind.
    pub fn parse(kind: &str, body: &str) -> Result<Self, String> {
        let read = match kind {
            "customer" => serde_json::from_str(body).map(Self::Customer),
            "invoice" => serde_json::from_str(body).map(Self::Invoice),
            "payment" => serde_json::from_str(body).map(Self::Payment),
            "dispute" => serde_json::from_str(body).map(Self::Dispute),
            "promise" => serde_json::from_str(body).map(Self::Promise),
            "reply" => serde_json::from_str(body).map(Self::Reply),
            "event" => serde_json::from_str(body).map(Self::Event),
            "match" => serde_json::from_str(body).map(Self::Match),
            "plan" => serde_json::from_str(body).map(Self::Plan),
            "hold" => serde_json::from_str(body).map(Self::Hold),
            "credit" => serde_json::from_str(body).map(Self::Credit),
            "waiver" => serde_json::from_str(body).map(Self::Waiver),
            "incentive" => serde_json::from_str(body).map(Self::Incentive),
            "consent" => serde_json::from_str(body).map(Self::Consent),
            other => return Err(format!("`{other}` is no kind of record")),
        };
        read.map_err(|error| format!("{kind}: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use recobro_kernel::money::Currency;

    fn dispute(change: DisputeChange) -> Record {
        let on = NaiveDate::from_ymd_opt(2026, 5, 4).unwrap();
        Record::Dispute(Dispute { id: "D1".to_owned(), invoice: "I1".to_owned(), change, on, at: None })
    }

    #[test]
    fn bodies_are_canonical_and_read_back() {
        let opened = dispute(DisputeChange::Opened {
            reason: "quality".to_owned(),
            amount: Some(Money::new(5, Currency::EUR)),
            owner: None,
            answer_by: None,
        });
        let body = r#"{"change":{"opened":{"amount":{"currency":"EUR","minor":5},"reason":"quality"}},"id":"D1","invoice":"I1","on":"2026-05-04"}"#;
        assert_eq!(opened.body(), body);
        assert_eq!(Record::parse("dispute", body).unwrap(), opened);
        assert_eq!(opened.hash(), Record::parse("dispute", body).unwrap().hash());
        assert!(Record::parse("dispute", &body.replace("\"on\"", "\"no\"")).is_err());
        assert!(Record::parse("telegram", body).is_err());
    }

    #[test]
    fn both_ends_of_a_dispute_have_their_own_id() {
        let closed = dispute(DisputeChange::Closed { outcome: "rejected".to_owned(), credit: None });
        assert_eq!(closed.external_id(), "D1#closed");
        assert_eq!(closed.kind(), "dispute");
    }

    #[test]
    fn a_day_begins_where_the_customer_lives() {
        let record = dispute(DisputeChange::Closed { outcome: "rejected".to_owned(), credit: None });
        let at = record.at_in(chrono_tz::Europe::Madrid).unwrap();
        assert_eq!(at.to_string(), "2026-05-03T22:00:00.000000Z");
    }
}

//! What people agree and what they keep back, as sources say it: plans and holds.

use chrono::NaiveDate;
use recobro_kernel::money::Money;
use recobro_kernel::plan::Instalment;
use recobro_kernel::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

/// A payment plan: offered, agreed, declined or cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The plan's id; what happens to it later names it again.
    pub id: String,
    /// What happens.
    pub change: PlanChange,
    /// The day it happened.
    pub on: NaiveDate,
    /// When it becomes news, where the source knows the instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl Plan {
    /// The invoices and the customer that it names.
    #[must_use]
    pub fn names(&self) -> (&[String], Option<&str>) {
        match &self.change {
            PlanChange::Offered(offer) => (&offer.invoices, offer.customer.as_deref()),
            PlanChange::Agreed(terms) => (&terms.invoices, terms.customer.as_deref()),
            PlanChange::Declined {} | PlanChange::Cancelled { .. } | PlanChange::Mandated(_) => (&[], None),
        }
    }
}

/// What happens to a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PlanChange {
    /// We offer one.
    Offered(PlanOffer),
    /// It is agreed: an offer is accepted, or people agreed without one.
    Agreed(Box<PlanTerms>),
    /// The customer does not want the offer.
    Declined {},
    /// The customer gave another mandate, or the one we have was written down wrong.
    Mandated(Mandate),
    /// It ends before its time, by people.
    Cancelled {
        /// Why, for people.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
}

impl PlanChange {
    /// The word for it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Offered(_) => "offered",
            Self::Agreed(_) => "agreed",
            Self::Declined {} => "declined",
            Self::Mandated(_) => "mandated",
            Self::Cancelled { .. } => "cancelled",
        }
    }
}

/// An offer with its limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanOffer {
    /// The customer, where no invoice is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// The invoices it covers; all open ones of the customer where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invoices: Vec<String>,
    /// Most instalments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_instalments: Option<i64>,
    /// The plan ends by this day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_by: Option<NaiveDate>,
    /// Last day on which it can be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<NaiveDate>,
    /// How it would be paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
}

/// What was agreed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanTerms {
    /// The customer, where neither an offer nor an invoice is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// The invoices it covers; those of the offer, else all open ones of the customer, where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invoices: Vec<String>,
    /// How much of them; all that is claimable where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// Number of equal instalments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instalments: Option<i64>,
    /// When the first one is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_on: Option<NaiveDate>,
    /// Their distance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// The dates one by one, instead of equal ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedule: Vec<Instalment>,
    /// How it is paid: `transfer`, `direct_debit`, `card`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Who agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// So many instalments missed at the same time end it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_after: Option<i64>,
    /// Days overdue count anew while it is active.
    #[serde(default)]
    pub re_ages: bool,
    /// The mandate of a direct debit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mandate: Option<Mandate>,
}

/// A customer's signed permission to collect by direct debit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mandate {
    /// Its reference, unique for the creditor.
    pub id: String,
    /// The day it was signed.
    pub signed_on: NaiveDate,
    /// The account.
    pub iban: String,
    /// The bank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bic: Option<String>,
    /// Who holds the account; the customer's name where nobody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
}

/// A hold that people place on an invoice, a customer or a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// The hold's id; its release names it again.
    pub id: String,
    /// Placed or released.
    pub change: HoldChange,
    /// The day it happened.
    pub on: NaiveDate,
    /// When it becomes news, where the source knows the instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl Hold {
    /// The invoice and the customer that it names.
    #[must_use]
    pub fn names(&self) -> (Option<&str>, Option<&str>) {
        match &self.change {
            HoldChange::Placed { invoice, customer, .. } => (invoice.as_deref(), customer.as_deref()),
            HoldChange::Released { .. } => (None, None),
        }
    }
}

/// Which end of a hold, with its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum HoldChange {
    /// It begins.
    Placed {
        /// The invoice it holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        invoice: Option<String>,
        /// The customer whose invoices it holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        customer: Option<String>,
        /// The class that it holds: every test must be true, `customer.country=ES`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        class: Vec<String>,
        /// Reason code.
        reason: String,
        /// Who answers for it.
        owner: String,
        /// Last day.
        until: NaiveDate,
        /// What people should know.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        note: String,
    },
    /// It ends before its last day.
    Released {
        /// Who said so, where the source knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
}

impl HoldChange {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Placed { .. } => "placed",
            Self::Released { .. } => "released",
        }
    }
}

//! What a customer says about being contacted: by which channel, for what, at which times.

use chrono::NaiveDate;
use recobro_kernel::consent::Word;
use recobro_kernel::facts::Channel;
use recobro_kernel::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A word of a customer, whoever reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// The source's id of it.
    pub id: String,
    /// Our id of the customer.
    pub customer: String,
    /// What they said.
    pub said: Said,
    /// The day they said it; nothing where the source knows none: then it never takes an opt-out back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<NaiveDate>,
    /// The instant, where the source knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Where it can be read: a form, a recording, a message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evidence: String,
    /// Who took it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What a customer said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Said {
    /// About a channel.
    Channel {
        /// Which.
        channel: Channel,
        /// For what: one of [`recobro_kernel::consent::Purpose::NAMES`].
        purpose: String,
        /// Which word.
        word: Word,
    },
    /// About times of the week; what is not said is not changed, and an empty text takes away.
    Times {
        /// When they like it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        preferred: Option<String>,
        /// When they want none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inconvenient: Option<String>,
    },
}

//! What the engine is told once, at its start. Only `cli` reads files and the environment; here are plain values.

use crate::consent::OptOutLink;
use crate::faults::Faults;
use chrono_tz::Tz;
use recobro_connectors::channel::Channel;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The channel of each lane: `email`, `sms`, `letter`, `whatsapp`, `voice`, `agency`, `legal`, `request`, `staff`.
pub type Channels = BTreeMap<String, Arc<dyn Channel>>;

/// Who is owed; shown by templates as `creditor.*`.
#[derive(Clone, Debug)]
pub struct Creditor {
    /// Name.
    pub name: String,
    /// Street, number, postal code.
    pub address: String,
    /// City.
    pub city: String,
    /// Account to pay to.
    pub iban: String,
    /// Zone of customers whose country and own zone are unknown.
    pub time_zone: Tz,
    /// Country of customers without one.
    pub country: String,
}

/// Who signs; shown by templates as `sender.*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// Name.
    pub name: String,
    /// Role.
    pub role: String,
    /// Telephone.
    pub phone: String,
    /// E-mail address, the `From` of messages.
    pub email: String,
}

/// What the engine is told once.
#[derive(Clone)]
pub struct Settings {
    /// Name of this worker in leases and records.
    pub worker: String,
    /// Who is owed.
    pub creditor: Creditor,
    /// Sender by role; [`Settings::default_sender`] where a role has none.
    pub senders: BTreeMap<String, Sender>,
    /// Sender of every other role.
    pub default_sender: Sender,
    /// Link to pay an invoice: `{invoice}` is replaced by its number; empty where there is none.
    pub payment_link: String,
    /// Where links lead that say no to messages; without it customers are told which word to answer.
    pub opt_out: Option<OptOutLink>,
    /// Backtest: a customer without contact points counts as reachable on every channel.
    pub assume_reachable: bool,
    /// False in a backtest: nothing is rendered, lanes take empty messages.
    pub render: bool,
    /// Rows, cases and effects of one batch.
    pub batch: usize,
    /// Where more cases than this are late at once after an outage, what they order waits for a person; 0 never holds.
    pub catch_up_above: usize,
    /// Width of a virtual quantum, minutes; the design says 15.
    pub quantum_minutes: i64,
    /// How long a claimed effect belongs to its worker, seconds; never less than its channels may take.
    pub lease_seconds: i64,
    /// Listener for contacts and tasks.
    pub observer: Option<Arc<dyn crate::observe::Observer>>,
    /// Fault points; [`Faults::none`] outside tests.
    pub faults: Faults,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            worker: "worker".to_owned(),
            creditor: Creditor {
                name: "Recobro".to_owned(),
                address: String::new(),
                city: String::new(),
                iban: String::new(),
                time_zone: Tz::Europe__Madrid,
                country: "ES".to_owned(),
            },
            senders: BTreeMap::new(),
            default_sender: Sender {
                name: "Credit control".to_owned(),
                role: "credit-control".to_owned(),
                phone: String::new(),
                email: "credit-control@example.com".to_owned(),
            },
            payment_link: String::new(),
            opt_out: None,
            assume_reachable: false,
            render: true,
            batch: 200,
            catch_up_above: 1_000,
            quantum_minutes: 15,
            lease_seconds: 300,
            observer: None,
            faults: Faults::none(),
        }
    }
}

//! The seam where contacts and requests leave: the trait, the registry of transports and what they are opened with.
//!
//! A channel is handed rendered items, each with a key that is the same on every try, and says of each what became of it.
//! It never decides whether something may leave, never reads our tables and never reads the clock.

mod file;
mod message;
mod null;
mod outbox;
mod smtp;

#[cfg(test)]
mod contract;

pub use message::compose;

use async_trait::async_trait;
use recobro_kernel::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The lanes that effects leave by.
pub const LANES: &[&str] = &["agency", "email", "legal", "letter", "request", "sms", "staff", "voice", "whatsapp"];

/// One rendered item, ready to leave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// The effect's id: the idempotency key, the same on every try.
    pub key: String,
    /// The lane: one of [`LANES`].
    pub lane: String,
    /// Subject of an e-mail, title of anything else; one line.
    pub subject_line: String,
    /// The text.
    pub text: String,
    /// The same text as HTML, where the lane can show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// The bytes of [`Channel::render`], kept as evidence; a channel that has them sends exactly these.
    #[serde(default, skip)]
    pub raw: Option<Vec<u8>>,
    /// Display name of the recipient; may be empty.
    pub to_name: String,
    /// Where it goes: an e-mail address, a number, a postal address, the name of an agency.
    pub to_address: String,
    /// Display name of the sender; may be empty.
    pub from_name: String,
    /// The sender's address.
    pub from_address: String,
    /// Where answers go, if elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// When it was handed over, for the Date header; the caller's clock.
    pub at: Timestamp,
    /// Further headers of an e-mail: names of letters, digits and hyphens.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// What the receiver of a file needs to know: case, invoice, step, values of a request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
}

/// What became of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The other side took it; `reference` is its name for it.
    Accepted {
        /// Queue id, file name, provider's id.
        reference: String,
    },
    /// Definitely not taken, and trying again would not help.
    Refused {
        /// For people: what and why.
        reason: String,
    },
    /// Definitely not taken; the same key may be tried again later.
    Retry {
        /// For people: what and why.
        reason: String,
    },
    /// Nothing was said of this item yet: the other side was away, or there was no time. Does not count as a try.
    NotTried {
        /// For people: what and why.
        reason: String,
    },
    /// It may have been taken. Never tried again blindly; counts as a contact.
    Unknown {
        /// For people: what was seen last.
        reason: String,
    },
}

/// A way out. One key handed over twice is one message, or the channel says it is not [`Channel::idempotent`].
#[async_trait]
pub trait Channel: Send + Sync {
    /// The lane it serves.
    fn lane(&self) -> &str;

    /// Whether the same key twice is one act at the other side.
    fn idempotent(&self) -> bool;

    /// How many items are handed over at once: before each slice it is asked again whether they may leave. Nothing where
    /// a hand-over takes no time worth speaking of.
    fn slice(&self) -> Option<usize> {
        Some(8)
    }

    /// The longest that one call of [`Channel::deliver`] may take; leases last longer.
    fn longest(&self) -> Duration {
        Duration::ZERO
    }

    /// The exact bytes that would leave, for evidence; [`Channel::deliver`] sends `raw` where it is set.
    ///
    /// # Errors
    /// The reason, for people, why this item can never leave: it becomes [`Delivery::Refused`].
    fn render(&self, item: &Outgoing) -> Result<Vec<u8>, String>;

    /// Hands items over and answers for each, in order. Bounded by the deadline it was opened with, per item.
    async fn deliver(&self, items: &[Outgoing]) -> Vec<Delivery>;
}

/// A password or token. Never shown by `Debug`; the caller resolves `env:` and `file:` references.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value that was resolved from its reference.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the one place that hands it over.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What a channel is opened with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The lane it serves.
    pub lane: String,
    /// `null:`, `file:DIR`, `outbox:DIR`, `smtp://HOST[:PORT]`, `smtps://HOST[:PORT]`, `smtp+plain://HOST[:PORT]`.
    pub transport: String,
    /// User and password of the relay.
    pub credentials: Option<(String, Secret)>,
    /// The longest one item may take.
    pub deadline: Duration,
    /// Whether an accepted file has reached the disk (fsync); a killed process loses nothing either way.
    pub durable: bool,
    /// Name given in EHLO.
    pub hello: String,
    /// A root certificate (PEM) to trust beside the public ones, for a relay with a certificate of one's own.
    pub root_certificate: Option<Vec<u8>>,
}

impl Settings {
    /// Settings of a lane and a transport, with a deadline of 60 s, durable, introducing itself as `localhost`.
    #[must_use]
    pub fn new(lane: &str, transport: &str) -> Self {
        Self {
            lane: lane.to_owned(),
            transport: transport.to_owned(),
            credentials: None,
            deadline: Duration::from_mins(1),
            durable: true,
            hello: "localhost".to_owned(),
            root_certificate: None,
        }
    }

    fn folder(&self) -> Result<PathBuf, OpenError> {
        let (_, rest) = self.transport.split_once(':').unwrap_or_default();
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path.is_empty() { Err(OpenError::NoFolder(self.transport.clone())) } else { Ok(PathBuf::from(path)) }
    }
}

/// Why a channel cannot be opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OpenError {
    /// The scheme names no transport.
    #[error("unknown transport `{0}`; write one of {known}", known = known_schemes())]
    UnknownTransport(String),
    /// The transport cannot serve the lane.
    #[error("transport `{0}` cannot serve the lane `{1}`")]
    WrongLane(String, String),
    /// A folder is needed.
    #[error("transport `{0}` names no folder; write for example `file:outbox/mail`")]
    NoFolder(String),
    /// The address of the relay does not parse.
    #[error("transport `{0}` is not HOST or HOST:PORT after the scheme")]
    BadHost(String),
    /// TLS could not be set up.
    #[error("TLS for `{0}` could not be set up: {1}")]
    Tls(String, String),
}

fn known_schemes() -> String {
    CHANNELS.iter().map(|kind| format!("`{}`", kind.example)).collect::<Vec<_>>().join(", ")
}

/// One line of the registry.
pub struct ChannelKind {
    /// What stands before the colon.
    pub scheme: &'static str,
    /// One example, for messages.
    pub example: &'static str,
    /// Lanes it can serve.
    pub lanes: &'static [&'static str],
    /// One sentence for references.
    pub doc: &'static str,
    /// Opens it.
    open: fn(&Settings) -> Result<Arc<dyn Channel>, OpenError>,
}

/// Every transport. Adding one is a file beside this one and a line here.
pub const CHANNELS: &[ChannelKind] = &[
    ChannelKind {
        scheme: "null",
        example: "null:",
        lanes: LANES,
        doc: "accepts everything at once and sends nothing (backtests)",
        open: null::open,
    },
    ChannelKind {
        scheme: "file",
        example: "file:outbox/mail",
        lanes: &["email"],
        doc: "writes one .eml file per e-mail into a folder",
        open: file::open,
    },
    ChannelKind {
        scheme: "smtp",
        example: "smtp://relay.example:587",
        lanes: &["email"],
        doc: "hands e-mail to a relay; STARTTLS is asked for and must be there",
        open: smtp::open_starttls,
    },
    ChannelKind {
        scheme: "smtps",
        example: "smtps://relay.example:465",
        lanes: &["email"],
        doc: "hands e-mail to a relay; TLS from the first byte",
        open: smtp::open_tls,
    },
    ChannelKind {
        scheme: "smtp+plain",
        example: "smtp+plain://127.0.0.1:25",
        lanes: &["email"],
        doc: "hands e-mail to a relay on this machine, without TLS",
        open: smtp::open_plain,
    },
    ChannelKind {
        scheme: "outbox",
        example: "outbox:outbox",
        lanes: LANES,
        doc: "writes one .json and one .txt file per act into DIR/<lane>",
        open: outbox::open,
    },
];

/// Opens the channel that the settings name.
///
/// # Errors
/// [`OpenError`] says what to write instead.
pub fn open(settings: &Settings) -> Result<Arc<dyn Channel>, OpenError> {
    let scheme = settings.transport.split(':').next().unwrap_or_default();
    let kind = CHANNELS
        .iter()
        .find(|kind| kind.scheme == scheme)
        .ok_or_else(|| OpenError::UnknownTransport(settings.transport.clone()))?;
    if !kind.lanes.contains(&settings.lane.as_str()) {
        return Err(OpenError::WrongLane(settings.transport.clone(), settings.lane.clone()));
    }
    (kind.open)(settings)
}

/// A key as a file name: what is not a letter, a digit, `-` or `_` becomes its code in hexadecimal.
fn file_name(key: &str) -> String {
    let mut name = String::with_capacity(key.len());
    for c in key.chars() {
        if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
            name.push(c);
        } else {
            let code = hex::encode(u32::from(c).to_be_bytes());
            name.push('%');
            name.push_str(code.trim_start_matches('0'));
        }
    }
    name
}

//! Every id of the product, one newtype each. Ids are derived from what they name, never random:
//! the same input gives the same ids on any machine, database and run.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Derives a version 8 UUID from a domain and the parts that name the thing.
///
/// Each part is framed by its length, so `("ab", "c")` and `("a", "bc")` differ.
#[must_use]
pub fn derive_uuid(domain: &str, parts: &[&str]) -> Uuid {
    let mut sha = Sha256::new();
    for part in std::iter::once(&domain).chain(parts) {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part.as_bytes());
    }
    let digest = sha.finalize();
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident = $domain:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Derives the id from the parts that name the thing.
            #[must_use]
            pub fn derive(parts: &[&str]) -> Self {
                Self(derive_uuid($domain, parts))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )*};
}

macro_rules! text_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

uuid_ids! {
    /// One durable workflow instance for one invoice.
    CaseId = "case";
    /// One outward act; also its idempotency key and the local part of its Message-ID.
    EffectId = "effect";
    /// One piece of work for a person.
    TaskId = "task";
    /// One item of news for a case. Equal ids are one event.
    EventId = "event";
    /// Contacts of one handler run share a group and count once for `min_gap`.
    GroupId = "group";
}

text_ids! {
    /// The creditor's name for the invoice: source and external key, for example `csv:INV-1042`.
    InvoiceId;
    /// The creditor's name for the customer who owes.
    CustomerId;
}

impl GroupId {
    /// The group under which the contact ledger counts a call.
    #[must_use]
    pub fn of_call(task: TaskId) -> Self {
        Self::derive(&["call", &task.to_string()])
    }
}

/// A SHA-256 digest: bundle, content, calendar, chain link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Hashes bytes as they are.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The first twelve hexadecimal digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        hex::encode(&self.0[..6])
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({})", self.short())
    }
}

impl FromStr for Hash {
    type Err = hex::FromHexError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_framed_so_that_moved_letters_differ() {
        assert_ne!(CaseId::derive(&["ab", "c"]), CaseId::derive(&["a", "bc"]));
        assert_eq!(CaseId::derive(&["a"]), CaseId::derive(&["a"]));
        assert_ne!(CaseId::derive(&["a"]).0, TaskId::derive(&["a"]).0);
    }
}

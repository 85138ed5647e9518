//! The hash chain of a stream: SHA-256 over domain, stream, sequence, previous hash and the exact stored bytes, each
//! field framed by its length.

use crate::ids::Hash;
use sha2::{Digest, Sha256};

const DOMAIN: &[u8] = b"recobro-history-v1";

/// The hash of one history row.
#[must_use]
pub fn link(stream: &str, seq: u64, prev: Hash, body: &[u8]) -> Hash {
    let mut sha = Sha256::new();
    for field in [DOMAIN, stream.as_bytes(), &seq.to_be_bytes(), &prev.0, body] {
        sha.update((field.len() as u64).to_be_bytes());
        sha.update(field);
    }
    Hash(sha.finalize().into())
}

/// The stream of a case.
#[must_use]
pub fn case_stream(case: crate::ids::CaseId) -> String {
    format!("case/{case}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_field_changes_the_link() {
        let base = link("case/a", 1, Hash::default(), b"body");
        assert_ne!(base, link("case/b", 1, Hash::default(), b"body"));
        assert_ne!(base, link("case/a", 2, Hash::default(), b"body"));
        assert_ne!(base, link("case/a", 1, base, b"body"));
        assert_ne!(base, link("case/a", 1, Hash::default(), b"bodY"));
    }
}

//! May this contact leave now? One function, asked when a turn predicts, at the claim and again before the hand-over.

use crate::case::Case;
use crate::effect::Effect;
use crate::facts::Facts;
use crate::law::Law;
use crate::playbook::Playbook;
use crate::time::Timestamp;

/// The guard's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may leave.
    Allow,
    /// Not before an instant.
    Defer {
        /// Earliest next try.
        until: Timestamp,
        /// Rule that moved it, the binding one.
        rule: String,
    },
    /// Not at all this way.
    Forbid {
        /// Rule that forbids it.
        rule: String,
    },
}

/// The dispatch check: something claimable, not held, not finished, reachable, inside the window, gap and caps kept?
///
/// `facts.contacts` must be the customer's contact ledger as locked by the claim, without this effect's own row.
#[must_use]
pub fn dispatch(_effect: &Effect, _playbook: &Playbook, _case: &Case, _facts: &Facts, _law: &Law, _now: Timestamp) -> Verdict {
    todo!()
}

//! When a case is looked at next: a row only while it sleeps to a time or has news.

use crate::{CaseNo, Result, Tx};
use recobro_kernel::time::Timestamp;

/// Which goes first when much is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// News: payments, replies, outcomes.
    News,
    /// A time has come.
    Timer,
}

impl Priority {
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::News => 0,
            Self::Timer => 1,
        }
    }
}

/// A wake-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WakeAt {
    /// When.
    pub due_at: Timestamp,
    /// How urgent.
    pub priority: Priority,
}

/// Sets or takes away the wake-up of cases whose turn wrote nothing.
///
/// # Errors
/// Those of the database.
pub async fn put(tx: &mut Tx, rows: &[(CaseNo, Option<WakeAt>)]) -> Result<()> { todo!() }

/// Returns the earliest wake-up of all.
///
/// # Errors
/// Those of the database.
pub async fn next_at(tx: &mut Tx) -> Result<Option<Timestamp>> { todo!() }

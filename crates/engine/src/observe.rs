//! A listener for acts as they happen: `backtest --contacts` writes one line for each. Nothing depends on it.

use chrono::NaiveDate;
use recobro_kernel::time::Timestamp;
use serde::Serialize;

/// A contact that was settled, or a task that was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Act {
    /// `contact` or `task`.
    pub kind: &'static str,
    /// When it left or was opened.
    pub at: Timestamp,
    /// Date at the customer's place.
    pub on: NaiveDate,
    /// Invoice.
    pub invoice: String,
    /// Customer.
    pub customer: String,
    /// Playbook.
    pub playbook: String,
    /// Its version.
    pub version: u32,
    /// Stage, empty in a handler.
    pub stage: String,
    /// Step.
    pub step: String,
    /// Channel or lane; the kind of a task (`call`, `task`, `approve`, `fix`).
    pub channel: String,
    /// Class of a contact, empty for a task.
    pub class: String,
    /// `accepted`, `refused`, `failed`, `unknown`; `opened` for a task.
    pub state: String,
    /// Principal open, major units with the currency's digits.
    pub balance: String,
    /// Currency.
    pub currency: String,
    /// Days since the due date.
    pub days_past_due: i64,
}

/// Listens to acts.
pub trait Observer: Send + Sync {
    /// Takes note of one act. Called after its commit.
    fn act(&self, act: &Act);
}

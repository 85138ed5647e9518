//! People in virtual runs: asked once for every task that opens, they answer at a time of their own.
//!
//! The answer is stored as a future inbound row in the commit that opened the task, so that a killed run repeats and
//! loses nothing. In a backtest [`Nobody`] answers: work takes its time-out path.

use chrono::NaiveDate;
use chrono_tz::Tz;
use recobro_kernel::effect::NewTask;
use recobro_kernel::ids::{CaseId, CustomerId, InvoiceId};
use recobro_kernel::money::Money;
use recobro_kernel::time::Timestamp;

/// A task as shown to those who may answer it.
#[derive(Clone, Debug)]
pub struct OpenTask<'a> {
    /// Case that opened it.
    pub case: CaseId,
    /// Invoice.
    pub invoice: &'a InvoiceId,
    /// Customer.
    pub customer: &'a CustomerId,
    /// The task itself.
    pub task: &'a NewTask,
    /// What contacts may ask for.
    pub claimable: Money,
    /// Customer's zone.
    pub zone: Tz,
}

/// What a person answers to a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Answer {
    /// One of the task's outcomes; `approved` or `rejected` for an approval.
    pub outcome: String,
    /// Date promised, or of a call back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<NaiveDate>,
    /// Amount promised, disputed or claimed as paid, major units as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// Reason code of a dispute or rejection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Hash of what was shown (`--seen`); an approval given with an old one is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
}

/// Scripted people of a virtual run.
pub trait People: Send + Sync {
    /// The answer to a task and when it comes, or nothing. Asked once, when the task opens; must depend on its
    /// arguments alone, so that a repeated run answers the same.
    fn answer(&self, task: &OpenTask<'_>) -> Option<(Timestamp, Answer)>;
}

/// Nobody answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl People for Nobody {
    fn answer(&self, _task: &OpenTask<'_>) -> Option<(Timestamp, Answer)> {
        None
    }
}

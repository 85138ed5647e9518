//! Operators' acts. They only queue events: a pause, a skip or an approval is decided, recorded and chained like
//! everything else, with who and why.

use crate::people::Answer;
use crate::{Engine, Error};
use recobro_kernel::ids::{CaseId, TaskId};

/// Who acts, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// `person:ana`, or `cli:<os user>`, which is marked unauthenticated until accounts exist.
    pub name: String,
    /// Reason, for the record.
    pub why: String,
}

impl Engine {
    /// Stops a case until it is resumed.
    ///
    /// # Errors
    /// [`Error::NoCase`], [`Error::Store`].
    pub async fn pause(&self, case: CaseId, who: &Who) -> Result<(), Error> {
        let _ = (case, who);
        todo!()
    }

    /// Lets a paused case go on.
    ///
    /// # Errors
    /// [`Error::NoCase`], [`Error::Store`].
    pub async fn resume(&self, case: CaseId, who: &Who) -> Result<(), Error> {
        let _ = (case, who);
        todo!()
    }

    /// Leaves the current step out.
    ///
    /// # Errors
    /// [`Error::NoCase`], [`Error::Store`].
    pub async fn skip(&self, case: CaseId, who: &Who) -> Result<(), Error> {
        let _ = (case, who);
        todo!()
    }

    /// Jumps to a stage ahead.
    ///
    /// # Errors
    /// [`Error::NoCase`], [`Error::Store`].
    pub async fn goto(&self, case: CaseId, stage: &str, who: &Who) -> Result<(), Error> {
        let _ = (case, stage, who);
        todo!()
    }

    /// Evaluates a parked case again.
    ///
    /// # Errors
    /// [`Error::NoCase`], [`Error::Store`].
    pub async fn retry(&self, case: CaseId, who: &Who) -> Result<(), Error> {
        let _ = (case, who);
        todo!()
    }

    /// Ends a case without the money.
    ///
    /// # Errors
    /// [`Error::NoCase`], [`Error::Store`].
    pub async fn cancel(&self, case: CaseId, who: &Who) -> Result<(), Error> {
        let _ = (case, who);
        todo!()
    }

    /// Answers a task: its outcome enters the ledger (promise, dispute, hardship) and reaches its case as news.
    ///
    /// # Errors
    /// [`Error::NoTask`]; [`Error::Closed`] with the current state for work that was already closed;
    /// [`Error::Refused`] for an outcome that the task does not know or that lacks its date or amount.
    pub async fn task_done(&self, task: TaskId, answer: &Answer, who: &Who) -> Result<(), Error> {
        let _ = (task, answer, who);
        todo!()
    }
}

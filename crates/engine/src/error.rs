//! What can go wrong for a caller of the engine.

use recobro_kernel::ids::{CaseId, TaskId};
use recobro_kernel::time::Timestamp;

/// Why the engine could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database answered with an error.
    #[error(transparent)]
    Store(#[from] recobro_store::Error),
    /// A pinned playbook no longer compiles: nothing is reinterpreted, the version must be mended or migrated.
    #[error("playbook {name} (bundle {bundle}) can no longer be compiled: {cause}")]
    Bundle {
        /// Name.
        name: String,
        /// Bundle.
        bundle: String,
        /// First diagnostic.
        cause: String,
    },
    /// A stored body cannot be read.
    #[error("{what} cannot be read: {cause}")]
    Corrupt {
        /// Which row.
        what: String,
        /// Why.
        cause: String,
    },
    /// No such case.
    #[error("no case {0}")]
    NoCase(CaseId),
    /// No such task.
    #[error("no task {0}")]
    NoTask(TaskId),
    /// The task was already closed.
    #[error("task {id} is closed: {state}")]
    Closed {
        /// Task.
        id: TaskId,
        /// How it ended.
        state: String,
    },
    /// No such exception.
    #[error("no exception `{0}`")]
    NoException(String),
    /// No such parked news.
    #[error("no news {0} waits")]
    NoNews(i64),
    /// The news was put aside before.
    #[error("news {row} was dismissed by {by} at {at}")]
    Dismissed {
        /// Row.
        row: i64,
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// Something that was named is not there.
    #[error("{0}")]
    Unknown(String),
    /// The name is somebody else's.
    #[error("{0}")]
    Taken(String),
    /// The answer does not fit the task.
    #[error("{0}")]
    Refused(String),
    /// Something is due and nothing takes it: a bug that would never end.
    #[error("the run is stuck at {0}: something is due there that nothing takes; report this with the database")]
    Stuck(Timestamp),
    /// A test's fault point.
    #[error("fault point {0}")]
    Fault(&'static str),
}

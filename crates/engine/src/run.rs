//! The loops: one over virtual time, one over real time. They call the ticks in order and own nothing else.

use crate::people::People;
use crate::{Engine, Error};
use recobro_kernel::time::Timestamp;
use tokio::sync::watch;

/// How far a virtual run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Everything due at or before the instant is done; the clock ends there.
    At(Timestamp),
    /// Until nothing is due any more at any time: no case sleeps, no news waits.
    Done,
}

/// What a run has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Virtual time reached.
    pub now: Timestamp,
    /// Turns committed.
    pub turns: u64,
    /// Inbound rows routed.
    pub routed: u64,
    /// Cases opened.
    pub opened: u64,
    /// Cases finished.
    pub finished: u64,
    /// Effects handed over and accepted.
    pub contacts: u64,
    /// Effects sent back by the dispatch check.
    pub returned: u64,
    /// Tasks opened.
    pub tasks: u64,
    /// Quanta visited.
    pub quanta: u64,
    /// Seconds of real time.
    pub seconds: f64,
}

/// Tells a real run to stop: send `true`.
pub type Stop = watch::Receiver<bool>;

impl Engine {
    /// Plays virtual time: claims everything due quantum by quantum until `until`. `progress` is called after each quantum.
    ///
    /// A run that was killed goes on where it stopped: what is next is read from the database alone.
    ///
    /// # Errors
    /// [`Error`]; what was committed stays.
    pub async fn run_virtual(
        &self,
        until: Until,
        people: &dyn People,
        stop: Option<Stop>,
        progress: &mut (dyn FnMut(&Progress) + Send),
    ) -> Result<Progress, Error> {
        let _ = (until, people, stop, progress);
        todo!()
    }

    /// Works in real time until told to stop; what is in flight is finished or left to its lease.
    ///
    /// # Errors
    /// [`Error`] where the database is gone.
    pub async fn run_real(&self, stop: Stop, progress: &mut (dyn FnMut(&Progress) + Send)) -> Result<Progress, Error> {
        let _ = (stop, progress);
        todo!()
    }
}

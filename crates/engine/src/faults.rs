//! Named fault points: where a test may end the run as if the process had died. Outside tests they do nothing.

use crate::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Every fault point by name. A new write point without a name here cannot be tested, so add it.
pub const POINTS: &[&str] = &[
    "receive.committed",
    "replan.page",
    "round.committed",
    "route.before_commit",
    "promise.judged",
    "plan.looked",
    "advance.before_commit",
    "deliver.before_claim",
    "deliver.claimed",
    "deliver.claim_committed",
    "deliver.sending",
    "deliver.delivered",
    "carried.committed",
    "deliver.settled",
];

/// Ends the run at the n-th fault point passed, or where a watcher says so.
#[derive(Clone, Default)]
pub struct Faults(Option<Seam>);

/// Asked at every fault point; false ends the run there.
pub type Watcher = dyn Fn(&'static str) -> bool + Send + Sync;

#[derive(Clone)]
enum Seam {
    Countdown(Arc<Countdown>),
    Watcher(Arc<Watcher>),
}

#[derive(Debug)]
struct Countdown {
    left: AtomicU64,
    passed: AtomicU64,
}

impl Faults {
    /// Nothing ever fails.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Dies at the `n`-th point passed, counted from 1; 0 never dies and only counts.
    #[must_use]
    pub fn at(n: u64) -> Self {
        let count = Countdown { left: AtomicU64::new(n), passed: AtomicU64::new(0) };
        Self(Some(Seam::Countdown(Arc::new(count))))
    }

    /// Asks a watcher at every point: it may let another worker act right there, or end this one.
    #[must_use]
    pub fn watched(watcher: Arc<Watcher>) -> Self {
        Self(Some(Seam::Watcher(watcher)))
    }

    /// Points passed so far.
    #[must_use]
    pub fn passed(&self) -> u64 {
        match &self.0 {
            Some(Seam::Countdown(count)) => count.passed.load(Ordering::SeqCst),
            Some(Seam::Watcher(_)) | None => 0,
        }
    }

    /// Passes a point.
    ///
    /// # Errors
    /// [`Error::Fault`] where the test says so.
    pub fn pass(&self, point: &'static str) -> Result<(), Error> {
        debug_assert!(POINTS.contains(&point), "{point} is not registered in POINTS");
        let count = match &self.0 {
            None => return Ok(()),
            Some(Seam::Watcher(watcher)) => return if watcher(point) { Ok(()) } else { Err(Error::Fault(point)) },
            Some(Seam::Countdown(count)) => count,
        };
        count.passed.fetch_add(1, Ordering::SeqCst);
        match count.left.load(Ordering::SeqCst) {
            0 => Ok(()),
            1 => {
                count.left.store(0, Ordering::SeqCst);
                Err(Error::Fault(point))
            }
            left => {
                count.left.store(left - 1, Ordering::SeqCst);
                Ok(())
            }
        }
    }
}

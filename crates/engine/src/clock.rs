//! The only place that reads the clock. A virtual run moves a clock of its own, kept in `meta.virtual_now`.

use recobro_kernel::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

/// Real time, or the time of a virtual run.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock, truncated to microseconds.
    Real,
    /// Moved by the run itself.
    Virtual(Arc<AtomicI64>),
}

impl Clock {
    /// A virtual clock at an instant.
    #[must_use]
    pub fn virtual_at(at: Timestamp) -> Self {
        Self::Virtual(Arc::new(AtomicI64::new(at.as_us())))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::Real => {
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_us(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Self::Virtual(us) => Timestamp::from_us(us.load(Ordering::SeqCst)),
        }
    }

    /// Whether this is the time of a virtual run.
    #[must_use]
    pub fn is_virtual(&self) -> bool {
        matches!(self, Self::Virtual(_))
    }

    /// Moves a virtual clock forward; never back. Nothing happens to the real one.
    pub fn move_to(&self, at: Timestamp) {
        if let Self::Virtual(us) = self {
            us.fetch_max(at.as_us(), Ordering::SeqCst);
        }
    }
}

/// Elapsed real time of a run, for figures shown to people; never for decisions.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// Seconds since the start.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

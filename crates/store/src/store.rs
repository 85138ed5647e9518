//! Opening a database and its transactions.

use crate::Result;

/// How to open a database.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Every commit reaches the disk. False only for temporary databases.
    pub durable: bool,
    /// Make the SQLite file if it is missing.
    pub create: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { durable: true, create: true }
    }
}

/// A database, cheap to clone.
#[derive(Clone)]
pub struct Store {}

/// A transaction: of the writer, or a read-only snapshot. Dropped without [`Tx::commit`] it is rolled back.
pub struct Tx {}

impl Store {
    /// Opens `sqlite://FILE` or `postgres://...`, brings the schema up to date and proves the settings.
    ///
    /// # Errors
    /// [`crate::Error::InUse`] if another process owns the SQLite file; any other variant by its words.
    pub async fn open(url: &str, options: Options) -> Result<Self> {
        let _ = (url, options);
        todo!()
    }

    /// Begins a write. On SQLite it waits for the one writer.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`].
    pub async fn begin(&self) -> Result<Tx> {
        todo!()
    }

    /// Begins a read of one consistent snapshot; never waits for a writer.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`].
    pub async fn read(&self) -> Result<Tx> {
        todo!()
    }

    /// Whether several processes may work on it at once (PostgreSQL).
    #[must_use]
    pub fn is_shared(&self) -> bool {
        todo!()
    }

    /// Writes everything out and gives the file back.
    pub async fn close(self) {
        todo!()
    }
}

impl Tx {
    /// Commits; on return the work is on disk.
    ///
    /// # Errors
    /// [`crate::Error::Conflict`], [`crate::Error::Unavailable`] (the outcome is unknown then: read the revision again).
    pub async fn commit(self) -> Result<()> {
        todo!()
    }

    /// Takes everything back.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`].
    pub async fn rollback(self) -> Result<()> {
        todo!()
    }
}

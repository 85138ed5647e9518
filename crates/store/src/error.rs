//! What can go wrong for a caller of the store.

use std::path::PathBuf;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL names no database that is known here.
    #[error("`{url}` is no database URL; write sqlite://FILE or postgres://USER@HOST/NAME")]
    Url {
        /// As given.
        url: String,
    },
    /// Another process owns the file.
    #[error("{path} is in use by another recobro process; stop it first, or use PostgreSQL for several workers")]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// The file or its folder cannot be used.
    #[error("{path} cannot be opened")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A setting did not take; SQLite ignores wrong values in silence, so they are read back.
    #[error("the database refuses {setting}: wanted {wanted}, found {found}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// Asked for.
        wanted: String,
        /// Read back.
        found: String,
    },
    /// The schema is newer than this program, or a migration failed.
    #[error("the database's schema does not fit this program")]
    Schema(#[source] sqlx::migrate::MigrateError),
    /// Another worker was faster or the database broke a deadlock: run the whole transaction again.
    #[error("another worker was faster; the same transaction may succeed now")]
    Conflict(#[source] sqlx::Error),
    /// The database is away; the same call may succeed later.
    #[error("the database is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// A statement failed: a bug, or a full disk.
    #[error("the database refused a statement")]
    Database(#[source] sqlx::Error),
    /// A stored value cannot be read.
    #[error("{what} in the database cannot be read: {cause}")]
    Corrupt {
        /// Table and column.
        what: String,
        /// Why.
        cause: String,
    },
}

impl Error {
    /// Whether running the whole transaction again may succeed.
    #[must_use]
    pub fn may_retry(&self) -> bool {
        matches!(self, Self::Conflict(_) | Self::Unavailable(_))
    }
}

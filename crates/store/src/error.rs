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

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        let code = match &error {
            E::Database(database) => database.code().map(std::borrow::Cow::into_owned),
            _ => None,
        };
        match (&error, code.as_deref()) {
            // PostgreSQL: serialization failure, deadlock, unique key of another worker. SQLite: busy, its unique keys.
            (_, Some("40001" | "40P01" | "23505" | "5" | "1555" | "2067" | "517")) => Self::Conflict(error),
            // PostgreSQL: shutting down, starting up, read-only after a failover, out of connections.
            (_, Some("57P01" | "57P02" | "57P03" | "25006" | "53300" | "08006" | "08003"))
            | (E::Io(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::Tls(_), _) => {
                Self::Unavailable(error)
            }
            _ => Self::Database(error),
        }
    }
}

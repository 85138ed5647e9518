//! SQLite: one process owns the file, one connection writes, others read.
//!
//! Writers queue up for the one connection. Whoever commits while others wait leaves the transaction open for them
//! (their work stands in a savepoint of its own) and is answered when the last of the group has really committed: one
//! sync to the disk for all.

use crate::store::{Options, STATEMENTS};
use crate::{Error, Result};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

/// Connections for readers.
const READERS: u32 = 4;
/// Commits that share one sync at most, so that the first does not wait for ever.
const GROUP_MAX: usize = 32;

/// The file.
#[derive(Clone)]
pub(crate) struct Sqlite {
    shared: Arc<Shared>,
    readers: SqlitePool,
}

struct Shared {
    writer: Arc<Mutex<Writer>>,
    /// Tasks that wait for the writer.
    queued: AtomicUsize,
    /// Held as long as the database is open; freed by the operating system whatever happens to the process.
    _lock: File,
}

/// The writing connection and what is open on it.
struct Writer {
    conn: Option<SqliteConnection>,
    /// A transaction is open.
    open: bool,
    /// The current session's work stands in a savepoint after that of others.
    nested: bool,
    /// A session ended without commit or rollback.
    torn: bool,
    /// Sessions that committed into the open transaction and wait for the sync.
    group: Vec<oneshot::Sender<std::result::Result<(), String>>>,
}

impl Sqlite {
    pub(crate) async fn open(path: &Path, options: Options) -> Result<Self> {
        let lock = own_soon(path, options.create).await?;
        let sync = if options.durable { SqliteSynchronous::Full } else { SqliteSynchronous::Off };
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(sync)
            .foreign_keys(false)
            .busy_timeout(Duration::from_secs(5))
            .statement_cache_capacity(STATEMENTS)
            .pragma("cache_size", "-65536")
            .pragma("temp_store", "MEMORY")
            .pragma("wal_autocheckpoint", "4000");
        let mut conn = connect.connect().await?;
        prove(&mut conn, options).await?;
        sqlx::migrate!("../../migrations/sqlite").run(&mut conn).await.map_err(Error::Schema)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            .connect_lazy_with(connect.read_only(true));
        let writer = Writer { conn: Some(conn), open: false, nested: false, torn: false, group: Vec::new() };
        let shared = Shared { writer: Arc::new(Mutex::new(writer)), queued: AtomicUsize::new(0), _lock: lock };
        Ok(Self { shared: Arc::new(shared), readers })
    }

    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    pub(crate) async fn begin(&self) -> Result<Session> {
        let ticket = Ticket::take(&self.shared);
        let guard = Arc::clone(&self.shared.writer).lock_owned().await;
        ticket.served();
        let mut session = Session { guard: Some(guard), shared: Arc::clone(&self.shared) };
        session.writer().start().await?;
        Ok(session)
    }

    pub(crate) async fn close(self) {
        self.readers.close().await;
        let mut writer = self.shared.writer.lock().await;
        if let Err(error) = writer.mend().await {
            tracing::warn!(%error, "the last group of commits failed");
        }
        if let Some(conn) = writer.conn.take() {
            // Nothing is lost if this fails: what was committed is in the log, which the next start reads.
            if let Err(error) = conn.close().await {
                tracing::warn!(%error, "closing the database failed");
            }
        }
    }
}

/// A place in the queue for the writer; a task that gives up in between must not leave a group waiting for it.
struct Ticket(Option<Arc<Shared>>);

impl Ticket {
    fn take(shared: &Arc<Shared>) -> Self {
        shared.queued.fetch_add(1, Ordering::SeqCst);
        Self(Some(Arc::clone(shared)))
    }

    fn served(mut self) {
        if let Some(shared) = self.0.take() {
            shared.queued.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take()
            && shared.queued.fetch_sub(1, Ordering::SeqCst) == 1
        {
            finish_later(Arc::clone(&shared.writer));
        }
    }
}

/// Commits a group whose last member went away.
fn finish_later(writer: Arc<Mutex<Writer>>) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(async move {
            if let Err(error) = writer.lock().await.mend().await {
                tracing::warn!(%error, "finishing a group of commits failed");
            }
        });
    }
}

/// The writer, held.
pub(crate) struct Session {
    guard: Option<OwnedMutexGuard<Writer>>,
    shared: Arc<Shared>,
}

impl Session {
    fn writer(&mut self) -> &mut Writer {
        self.guard.as_mut().expect("a session holds the writer until it ends")
    }

    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        self.writer().conn.as_mut().expect("a session never outlives the connection")
    }

    pub(crate) async fn commit(mut self) -> Result<()> {
        let waited_for = self.shared.queued.load(Ordering::SeqCst) > 0;
        let writer = self.writer();
        if !waited_for || writer.group.len() + 1 >= GROUP_MAX {
            let result = writer.commit().await;
            self.guard = None;
            return result;
        }
        if writer.nested {
            writer.run("RELEASE turn").await?;
            writer.nested = false;
        }
        let (done, synced) = oneshot::channel();
        writer.group.push(done);
        self.guard = None;
        match synced.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(cause)) => Err(Error::Unavailable(sqlx::Error::Protocol(cause))),
            Err(_) => Err(Error::Unavailable(sqlx::Error::WorkerCrashed)),
        }
    }

    pub(crate) async fn rollback(mut self) -> Result<()> {
        let waited_for = self.shared.queued.load(Ordering::SeqCst) > 0;
        let writer = self.writer();
        writer.torn = true;
        let result = if waited_for && !writer.group.is_empty() { writer.undo().await } else { writer.mend().await };
        self.guard = None;
        result
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            guard.torn = true;
            drop(guard);
            finish_later(Arc::clone(&self.shared.writer));
        }
    }
}

impl Writer {
    async fn run(&mut self, text: &'static str) -> Result<()> {
        let conn = self.conn.as_mut().ok_or(Error::Unavailable(sqlx::Error::PoolClosed))?;
        sqlx::query(text).execute(conn).await?;
        Ok(())
    }

    /// Begins a session: a transaction of its own, or a savepoint behind the work of a waiting group.
    async fn start(&mut self) -> Result<()> {
        self.undo().await?;
        if self.open {
            self.run("SAVEPOINT turn").await?;
            self.nested = true;
        } else {
            self.run("BEGIN IMMEDIATE").await?;
            self.open = true;
        }
        Ok(())
    }

    /// Takes back what a torn session left.
    async fn undo(&mut self) -> Result<()> {
        if !self.torn {
            return Ok(());
        }
        if self.nested {
            self.run("ROLLBACK TO turn").await?;
            self.run("RELEASE turn").await?;
            self.nested = false;
        } else if self.open {
            self.run("ROLLBACK").await?;
            self.open = false;
        }
        self.torn = false;
        Ok(())
    }

    /// Takes back what a torn session left and commits what waits. Nothing to do while a session is at work.
    async fn mend(&mut self) -> Result<()> {
        self.undo().await?;
        if self.group.is_empty() { Ok(()) } else { self.commit().await }
    }

    /// Commits the open transaction and answers everyone in it.
    async fn commit(&mut self) -> Result<()> {
        let result = self.run("COMMIT").await;
        if result.is_err() {
            // A commit that failed (disk full) leaves the transaction open; nobody was answered yet.
            if let Err(error) = self.run("ROLLBACK").await {
                tracing::warn!(%error, "taking back a failed commit failed");
            }
        }
        (self.open, self.nested) = (false, false);
        for waiting in self.group.drain(..) {
            // A member that went away needs no answer.
            let _ = waiting.send(result.as_ref().copied().map_err(ToString::to_string));
        }
        result
    }
}

/// Waits a moment for a command that is just ending.
const PATIENCE: (u32, Duration) = (20, Duration::from_millis(25));

/// Owns the file; one that another command is about to leave is waited for.
async fn own_soon(path: &Path, create: bool) -> Result<File> {
    for _ in 0..PATIENCE.0 {
        match own(path, create) {
            Err(Error::InUse { .. }) => tokio::time::sleep(PATIENCE.1).await,
            owned => return owned,
        }
    }
    own(path, create)
}

/// Owns the file: creates it for its user only and locks a file beside it.
///
/// Not the database file itself: closing a second handle of it would drop SQLite's own locks.
fn own(path: &Path, create: bool) -> Result<File> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    if !create && !path.exists() {
        return Err(fail(path)(std::io::ErrorKind::NotFound.into()));
    }
    let lock_path = PathBuf::from(format!("{}.lock", path.display()));
    let lock = private().open(&lock_path).map_err(fail(&lock_path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Error::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => return Err(fail(&lock_path)(source)),
    }
    drop(private().open(path).map_err(fail(path))?);
    restrict(path).map_err(fail(path))?;
    Ok(lock)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn restrict(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn restrict(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Reads the settings back: SQLite ignores a wrong value in silence.
async fn prove(conn: &mut SqliteConnection, options: Options) -> Result<()> {
    let sync: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *conn).await?;
    let wanted = if options.durable { 2 } else { 0 };
    if sync != wanted {
        return Err(Error::Setting { setting: "synchronous", wanted: wanted.to_string(), found: sync.to_string() });
    }
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(conn).await?;
    if mode != "wal" {
        return Err(Error::Setting { setting: "journal_mode", wanted: "wal".to_owned(), found: mode });
    }
    Ok(())
}

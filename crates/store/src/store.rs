//! Opening a database and its transactions.

use crate::sql::{Arg, Bulk, Query, Row};
use crate::sqlite::{Session, Sqlite};
use crate::{Error, Result};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::SqliteArguments;
use sqlx::{PgConnection, Postgres, SqliteConnection, Transaction};
use std::time::Duration;

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
pub struct Store(Backend);

#[derive(Clone)]
enum Backend {
    Sqlite(Sqlite),
    Postgres(PgPool),
}

/// A transaction: of the writer, or a read-only snapshot. Dropped without [`Tx::commit`] it is rolled back.
///
/// On SQLite there is one writer: whoever holds a write transaction must not wait for another.
pub struct Tx(Kind);

enum Kind {
    Writer(Session),
    Reader(Transaction<'static, sqlx::Sqlite>),
    Postgres(Transaction<'static, Postgres>),
    Snapshot(Transaction<'static, Postgres>),
}

/// Connections to PostgreSQL per process.
const CONNECTIONS: u32 = 8;
/// More statements than the store has, so that none is ever prepared twice on one connection.
pub(crate) const STATEMENTS: usize = 1_000;

impl Store {
    /// Opens `sqlite://FILE` or `postgres://...`, brings the schema up to date and proves the settings.
    ///
    /// # Errors
    /// [`crate::Error::InUse`] if another process owns the SQLite file; any other variant by its words.
    pub async fn open(url: &str, options: Options) -> Result<Self> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            return Ok(Self(Backend::Sqlite(Sqlite::open(path.as_ref(), options).await?)));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self(Backend::Postgres(open_postgres(url).await?)));
        }
        Err(Error::Url { url: hide_password(url) })
    }

    /// Begins a write. On SQLite it waits for the one writer.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`].
    pub async fn begin(&self) -> Result<Tx> {
        Ok(Tx(match &self.0 {
            Backend::Sqlite(sqlite) => Kind::Writer(sqlite.begin().await?),
            Backend::Postgres(pool) => Kind::Postgres(pool.begin().await?),
        }))
    }

    /// Begins a read of one consistent snapshot; never waits for a writer.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`].
    pub async fn read(&self) -> Result<Tx> {
        const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
        Ok(Tx(match &self.0 {
            Backend::Sqlite(sqlite) => Kind::Reader(sqlite.readers().begin().await?),
            Backend::Postgres(pool) => Kind::Snapshot(pool.begin_with(SNAPSHOT).await?),
        }))
    }

    /// Whether several processes may work on it at once (PostgreSQL).
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.0, Backend::Postgres(_))
    }

    /// Writes everything out and gives the file back.
    pub async fn close(self) {
        match self.0 {
            Backend::Sqlite(sqlite) => sqlite.close().await,
            Backend::Postgres(pool) => pool.close().await,
        }
    }
}

async fn open_postgres(url: &str) -> Result<PgPool> {
    let connect: PgConnectOptions = url.parse().map_err(|_| Error::Url { url: hide_password(url) })?;
    // A plan made once for an empty table stays a sequential scan as the table grows; planning a batch costs 0.1 ms.
    let connect = connect
        .application_name("recobro")
        .statement_cache_capacity(STATEMENTS)
        .options([("plan_cache_mode", "force_custom_plan"), ("idle_in_transaction_session_timeout", "60000")]);
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(30))
        .connect_with(connect)
        .await?;
    sqlx::migrate!("../../migrations/postgres").run(&pool).await.map_err(Error::Schema)?;
    Ok(pool)
}

/// The URL without what stands between the user's name and the host.
fn hide_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(host)) if scheme < host => format!("{}***{}", &url[..scheme + 3], &url[host..]),
        _ => url.to_owned(),
    }
}

impl Tx {
    /// Commits; on return the work is on disk.
    ///
    /// # Errors
    /// [`crate::Error::Conflict`], [`crate::Error::Unavailable`] (the outcome is unknown then: read the revision again).
    pub async fn commit(self) -> Result<()> {
        match self.0 {
            Kind::Writer(session) => session.commit().await,
            Kind::Reader(tx) => Ok(tx.commit().await?),
            Kind::Postgres(tx) | Kind::Snapshot(tx) => Ok(tx.commit().await?),
        }
    }

    /// Takes everything back.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`].
    pub async fn rollback(self) -> Result<()> {
        match self.0 {
            Kind::Writer(session) => session.rollback().await,
            Kind::Reader(tx) => Ok(tx.rollback().await?),
            Kind::Postgres(tx) | Kind::Snapshot(tx) => Ok(tx.rollback().await?),
        }
    }

    /// Whether other processes may write at the same time (PostgreSQL).
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.is_postgres()
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.0, Kind::Postgres(_) | Kind::Snapshot(_))
    }

    /// Runs a query and reads its rows.
    pub(crate) async fn rows(&mut self, query: &'static Query, args: Vec<Arg>) -> Result<Vec<Row>> {
        #[cfg(test)]
        crate::tests::ran(query.name);
        let text = if matches!(self.0, Kind::Postgres(_)) { query.locking } else { query.postgres };
        match self.connection() {
            Conn::Sqlite(conn) => sqlite_rows(conn, query.name, query.sqlite, sqlite_args(args)?).await,
            Conn::Postgres(conn) => postgres_rows(conn, query.name, text, postgres_args(args)?).await,
        }
    }

    /// Runs a query of at most one row.
    pub(crate) async fn row(&mut self, query: &'static Query, args: Vec<Arg>) -> Result<Option<Row>> {
        Ok(self.rows(query, args).await?.into_iter().next())
    }

    /// Runs a statement; answers the number of rows it touched.
    pub(crate) async fn run(&mut self, query: &'static Query, args: Vec<Arg>) -> Result<i64> {
        #[cfg(test)]
        crate::tests::ran(query.name);
        let touched = match self.connection() {
            Conn::Sqlite(conn) => {
                sqlx::query_with(query.sqlite, sqlite_args(args)?).execute(conn).await?.rows_affected()
            }
            Conn::Postgres(conn) => {
                sqlx::query_with(query.postgres, postgres_args(args)?).execute(conn).await?.rows_affected()
            }
        };
        Ok(i64::try_from(touched).unwrap_or(i64::MAX))
    }

    /// Runs a statement over rows given flat, and reads what it returns. Nothing is run for no rows.
    pub(crate) async fn bulk(&mut self, bulk: &'static Bulk, rows: Vec<Arg>) -> Result<Vec<Row>> {
        assert_eq!(rows.len() % bulk.columns.len(), 0, "{} was given torn rows", bulk.name);
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        #[cfg(test)]
        crate::tests::ran(bulk.name);
        match self.connection() {
            Conn::Sqlite(conn) => {
                let mut answer = Vec::new();
                for (text, args) in bulk.for_sqlite(rows)? {
                    answer.extend(sqlite_rows(conn, bulk.name, text, args).await?);
                }
                Ok(answer)
            }
            Conn::Postgres(conn) => {
                let (text, args) = bulk.for_postgres(rows)?;
                postgres_rows(conn, bulk.name, text, args).await
            }
        }
    }

    /// Whether the database accepts a text.
    #[cfg(test)]
    pub(crate) async fn prepare(&mut self, name: &str, text: &'static str) {
        use sqlx::{Executor, SqlSafeStr};
        let answer = match self.connection() {
            Conn::Sqlite(conn) => conn.prepare(text.into_sql_str()).await.map(drop),
            Conn::Postgres(conn) => conn.prepare(text.into_sql_str()).await.map(drop),
        };
        answer.unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// The tables of a SQLite database with their columns, less locks and arrival numbers.
    #[cfg(test)]
    pub(crate) async fn tables(&mut self) -> Vec<(String, Vec<String>)> {
        const COLUMNS: Query = Query::new(
            "test.columns",
            "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE '_sqlx%'
               AND m.name <> 'contact_budget' ORDER BY m.name, c.cid",
        );
        let mut tables: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new();
        for mut row in self.rows(&COLUMNS, Vec::new()).await.unwrap() {
            let (table, column): (String, String) = (row.next().unwrap(), row.next().unwrap());
            let arrival =
                matches!((table.as_str(), column.as_str()), ("inbound", "id") | ("events", "seq") | (_, "no"));
            let columns = tables.entry(table).or_default();
            if !arrival {
                columns.push(column);
            }
        }
        tables.into_iter().collect()
    }

    /// The rows of a table as text, sorted.
    #[cfg(test)]
    pub(crate) async fn dump(&mut self, table: &str, columns: &[String]) -> Vec<String> {
        let text: &'static str = format!("SELECT {} FROM {table}", columns.join(", ")).leak();
        let query: &'static Query = Box::leak(Box::new(Query::new("test.dump", text)));
        let rows = self.rows(query, Vec::new()).await.unwrap();
        let mut rows: Vec<String> = rows.into_iter().map(|row| format!("{:?}", row.into_cells())).collect();
        rows.sort_unstable();
        rows
    }

    fn connection(&mut self) -> Conn<'_> {
        match &mut self.0 {
            Kind::Writer(session) => Conn::Sqlite(session.connection()),
            Kind::Reader(tx) => Conn::Sqlite(tx),
            Kind::Postgres(tx) | Kind::Snapshot(tx) => Conn::Postgres(tx),
        }
    }
}

enum Conn<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

fn sqlite_args(args: Vec<Arg>) -> Result<SqliteArguments> {
    let mut bound = SqliteArguments::default();
    args.into_iter().try_for_each(|arg| arg.add_sqlite(&mut bound))?;
    Ok(bound)
}

fn postgres_args(args: Vec<Arg>) -> Result<PgArguments> {
    let mut bound = PgArguments::default();
    args.into_iter().try_for_each(|arg| arg.add_postgres(&mut bound))?;
    Ok(bound)
}

async fn sqlite_rows(
    conn: &mut SqliteConnection,
    name: &'static str,
    text: &'static str,
    args: SqliteArguments,
) -> Result<Vec<Row>> {
    let rows = sqlx::query_with(text, args).fetch_all(conn).await?;
    rows.iter().map(|row| Row::of_sqlite(name, row)).collect()
}

async fn postgres_rows(
    conn: &mut PgConnection,
    name: &'static str,
    text: &'static str,
    args: PgArguments,
) -> Result<Vec<Row>> {
    let rows = sqlx::query_with(text, args).fetch_all(conn).await?;
    rows.iter().map(|row| Row::of_postgres(name, row)).collect()
}

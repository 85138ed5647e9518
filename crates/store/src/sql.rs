//! Statements and values, one shape for both databases. Nothing else in the crate speaks to sqlx.
//!
//! A [`Query`] is one text, or a pair where the databases differ. A [`Bulk`] works on a table `x` of rows that come as
//! arrays on PostgreSQL and as multi-row VALUES on SQLite, in a ladder of fixed sizes so that each text is prepared
//! once; short batches are filled up with NULL rows, hence `WHERE x.<key> IS NOT NULL` in every tail.

use crate::{CaseNo, Error, Result};
use chrono::NaiveDate;
use recobro_kernel::case::Status;
use recobro_kernel::ids::{CaseId, CustomerId, EffectId, EventId, GroupId, Hash, InvoiceId, TaskId};
use recobro_kernel::money::Currency;
use recobro_kernel::time::Timestamp;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, Column, Database, Row as _, TypeInfo, ValueRef};
use std::fmt::Write;
use std::sync::OnceLock;

/// One statement.
pub(crate) struct Query {
    pub(crate) name: &'static str,
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
    /// In a PostgreSQL write transaction: the same with row locks.
    pub(crate) locking: &'static str,
}

impl Query {
    /// One text for both.
    pub(crate) const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, sqlite: text, postgres: text, locking: text }
    }
}

/// A query that locks its rows in a PostgreSQL write transaction.
macro_rules! locked {
    ($name:literal, $text:expr, $lock:expr) => {
        $crate::sql::Query { name: $name, sqlite: $text, postgres: $text, locking: concat!($text, $lock) }
    };
}
/// A query over a list that is bound as `$1`: an array on PostgreSQL, JSON on SQLite.
macro_rules! listed {
    ($name:literal, $before:expr, $after:expr) => {
        $crate::sql::listed!($name, $before, $after, "")
    };
    ($name:literal, $before:expr, $after:expr, $lock:expr) => {
        $crate::sql::Query {
            name: $name,
            sqlite: concat!($before, " IN (SELECT value FROM json_each($1)) ", $after),
            postgres: concat!($before, " = ANY($1) ", $after),
            locking: concat!($before, " = ANY($1) ", $after, $lock),
        }
    };
}
pub(crate) use {listed, locked};

/// Storage type of a bulk column.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Int,
    Text,
    Bytes,
}

/// The columns of a bulk statement: `columns!(no Int, body Text)`.
macro_rules! columns {
    ($($name:ident $kind:ident),* $(,)?) => { &[$((stringify!($name), $crate::sql::Kind::$kind)),*] };
}
pub(crate) use columns;

/// A statement over many rows.
pub(crate) struct Bulk {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [(&'static str, Kind)],
    pub(crate) tail: Tail,
    texts: OnceLock<Texts>,
}

/// What is done with the rows.
pub(crate) enum Tail {
    /// This statement over `x`.
    Text(&'static str),
    /// A statement over `x` with row locks on PostgreSQL.
    Locking(&'static str, &'static str),
    /// Inserted into a table, all columns, with what follows.
    Insert(&'static str, &'static str),
    /// Inserted; a known key is overwritten. Keys must differ within one batch: see [`newest`].
    Upsert(&'static str, &'static str),
}

/// The last row of each key, in order of the keys.
pub(crate) fn newest<'a, T, K: Ord>(rows: &'a [T], key: impl Fn(&'a T) -> K) -> impl Iterator<Item = &'a T> {
    let by_key: std::collections::BTreeMap<K, &'a T> = rows.iter().map(|row| (key(row), row)).collect();
    by_key.into_values()
}

struct Texts {
    postgres: &'static str,
    sqlite: [&'static str; LADDER.len()],
}

/// Rows per statement on SQLite.
const LADDER: [usize; 5] = [1, 10, 50, 100, 200];

impl Bulk {
    pub(crate) const fn new(name: &'static str, columns: &'static [(&'static str, Kind)], tail: Tail) -> Self {
        Self { name, columns, tail, texts: OnceLock::new() }
    }

    /// Inserts all columns into the table; `rest` is the conflict clause and RETURNING.
    pub(crate) const fn insert(
        name: &'static str,
        table: &'static str,
        columns: &'static [(&'static str, Kind)],
        rest: &'static str,
    ) -> Self {
        Self::new(name, columns, Tail::Insert(table, rest))
    }

    /// Inserts all columns into the table; rows of a known key are overwritten.
    pub(crate) const fn upsert(
        name: &'static str,
        table: &'static str,
        columns: &'static [(&'static str, Kind)],
        key: &'static str,
    ) -> Self {
        Self::new(name, columns, Tail::Upsert(table, key))
    }

    // The texts live as long as the program, one set per statement: sqlx takes static texts without copying them.
    fn texts(&self) -> &Texts {
        self.texts.get_or_init(|| Texts {
            postgres: self.postgres_text().leak(),
            sqlite: LADDER.map(|rows| &*self.sqlite_text(rows).leak()),
        })
    }

    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    fn rest(&self, postgres: bool) -> String {
        let (names, key) = (self.names(), self.columns[0].0);
        match self.tail {
            Tail::Text(text) => text.to_owned(),
            Tail::Locking(text, lock) => format!("{text} {}", if postgres { lock } else { "" }),
            Tail::Insert(table, rest) => {
                format!("INSERT INTO {table} ({names}) SELECT {names} FROM x WHERE x.{key} IS NOT NULL {rest}")
            }
            Tail::Upsert(table, conflict) => {
                let keys: Vec<&str> = conflict.split(", ").collect();
                let others = self.columns.iter().map(|(name, _)| *name).filter(|name| !keys.contains(name));
                let sets: Vec<String> = others.map(|name| format!("{name} = excluded.{name}")).collect();
                format!(
                    "INSERT INTO {table} ({names}) SELECT {names} FROM x WHERE x.{key} IS NOT NULL \
                     ON CONFLICT ({conflict}) DO UPDATE SET {}",
                    sets.join(", ")
                )
            }
        }
    }

    fn postgres_text(&self) -> String {
        let of = |kind: Kind| match kind {
            Kind::Int => "bigint[]",
            Kind::Text => "text[]",
            Kind::Bytes => "bytea[]",
        };
        let arrays: Vec<String> =
            self.columns.iter().enumerate().map(|(i, (_, kind))| format!("${}::{}", i + 1, of(*kind))).collect();
        let names = self.names();
        format!(
            "WITH x({names}) AS (SELECT {names} FROM unnest({}) AS u({names})) {}",
            arrays.join(", "),
            self.rest(true)
        )
    }

    fn sqlite_text(&self, rows: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns.len()].join(","));
        let mut text = String::new();
        write!(text, "WITH x({}) AS (VALUES {}) {}", self.names(), vec![row; rows].join(","), self.rest(false))
            .expect("writing to a string cannot fail");
        text
    }

    /// The texts of both databases, for the test that prepares them.
    #[cfg(test)]
    pub(crate) fn all_texts(&self) -> (Vec<&'static str>, &'static str) {
        (self.texts().sqlite.to_vec(), self.texts().postgres)
    }

    /// The PostgreSQL statement and its arrays.
    pub(crate) fn for_postgres(&self, rows: Vec<Arg>) -> Result<(&'static str, PgArguments)> {
        let width = self.columns.len();
        let mut columns: Vec<Vec<Arg>> = (0..width).map(|_| Vec::with_capacity(rows.len() / width)).collect();
        for (i, arg) in rows.into_iter().enumerate() {
            columns[i % width].push(arg);
        }
        let mut args = PgArguments::default();
        for ((_, kind), column) in self.columns.iter().zip(columns) {
            match kind {
                Kind::Int => args.add(column.into_iter().map(Arg::into_int).collect::<Vec<_>>()),
                Kind::Text => args.add(column.into_iter().map(Arg::into_text).collect::<Vec<_>>()),
                Kind::Bytes => args.add(column.into_iter().map(Arg::into_bytes).collect::<Vec<_>>()),
            }
            .map_err(|e| Error::Database(sqlx::Error::Encode(e)))?;
        }
        Ok((self.texts().postgres, args))
    }

    /// The SQLite statements with their values, a full rung each.
    pub(crate) fn for_sqlite(&self, rows: Vec<Arg>) -> Result<Vec<(&'static str, SqliteArguments)>> {
        let width = self.columns.len();
        let mut left = rows.len() / width;
        let mut rows = rows.into_iter();
        let mut statements = Vec::new();
        while left > 0 {
            let rung = LADDER.iter().position(|&size| size >= left).unwrap_or(LADDER.len() - 1);
            let taken = left.min(LADDER[rung]);
            let mut args = SqliteArguments::default();
            args.reserve(LADDER[rung] * width, 0);
            for arg in rows.by_ref().take(taken * width) {
                arg.add_sqlite(&mut args)?;
            }
            for _ in 0..(LADDER[rung] - taken) * width {
                Arg::Int(None).add_sqlite(&mut args)?;
            }
            statements.push((self.texts().sqlite[rung], args));
            left -= taken;
        }
        Ok(statements)
    }
}

/// A value to bind.
#[derive(Clone, Debug)]
pub(crate) enum Arg {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    Ints(Vec<i64>),
    Texts(Vec<String>),
}

impl Arg {
    fn into_int(self) -> Option<i64> {
        match self {
            Self::Int(value) => value,
            other => unreachable!("a bulk column of integers got {other:?}"),
        }
    }

    fn into_text(self) -> Option<String> {
        match self {
            Self::Text(value) => value,
            other => unreachable!("a bulk column of texts got {other:?}"),
        }
    }

    fn into_bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Bytes(value) => value,
            other => unreachable!("a bulk column of bytes got {other:?}"),
        }
    }

    pub(crate) fn add_sqlite(self, args: &mut SqliteArguments) -> Result<()> {
        match self {
            Self::Int(value) => args.add(value),
            Self::Text(value) => args.add(value),
            Self::Bytes(value) => args.add(value),
            Self::Ints(values) => args.add(json(&values)),
            Self::Texts(values) => args.add(json(&values)),
        }
        .map_err(|e| Error::Database(sqlx::Error::Encode(e)))
    }

    pub(crate) fn add_postgres(self, args: &mut PgArguments) -> Result<()> {
        match self {
            Self::Int(value) => args.add(value),
            Self::Text(value) => args.add(value),
            Self::Bytes(value) => args.add(value),
            Self::Ints(values) => args.add(values),
            Self::Texts(values) => args.add(values),
        }
        .map_err(|e| Error::Database(sqlx::Error::Encode(e)))
    }
}

/// JSON of a plain value; cannot fail for the lists and maps of texts that are stored.
pub(crate) fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("lists and maps of plain values are JSON")
}

/// Binds values in order.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::sql::Arg::from($value)),*] };
}
pub(crate) use args;

macro_rules! arg_from {
    ($($of:ty => $variant:ident |$v:ident| $make:expr;)*) => {$(
        impl From<$of> for Arg {
            fn from($v: $of) -> Self { Self::$variant(Some($make)) }
        }
        impl From<Option<$of>> for Arg {
            fn from(v: Option<$of>) -> Self { Self::$variant(v.map(|$v| $make)) }
        }
    )*};
}

arg_from! {
    i64 => Int |v| v;
    u32 => Int |v| i64::from(v);
    bool => Int |v| i64::from(v);
    Timestamp => Int |v| v.as_us();
    CaseNo => Int |v| v.0;
    String => Text |v| v;
    &str => Text |v| v.to_owned();
    &String => Text |v| v.clone();
    NaiveDate => Text |v| v.to_string();
    Status => Text |v| v.name().to_owned();
    Currency => Text |v| v.code().to_owned();
    CaseId => Text |v| v.to_string();
    EffectId => Text |v| v.to_string();
    TaskId => Text |v| v.to_string();
    EventId => Text |v| v.to_string();
    GroupId => Text |v| v.to_string();
    &InvoiceId => Text |v| v.0.clone();
    &CustomerId => Text |v| v.0.clone();
    Hash => Bytes |v| v.0.to_vec();
    Vec<u8> => Bytes |v| v;
}

impl From<u64> for Arg {
    fn from(value: u64) -> Self {
        Self::Int(Some(i64::try_from(value).expect("revisions and sequence numbers stay far below 2^63")))
    }
}

impl From<&Vec<String>> for Arg {
    fn from(list: &Vec<String>) -> Self {
        Self::Text(Some(json(list)))
    }
}

/// A list of texts for [`listed`].
pub(crate) fn texts<T: ToString>(list: &[T]) -> Arg {
    Arg::Texts(list.iter().map(ToString::to_string).collect())
}

/// A list of case numbers for [`listed`].
pub(crate) fn numbers(list: &[CaseNo]) -> Arg {
    Arg::Ints(list.iter().map(|no| no.0).collect())
}

/// A value that was read.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A row, read column by column in the order of the query.
pub(crate) struct Row {
    query: &'static str,
    column: usize,
    cells: std::vec::IntoIter<Cell>,
}

impl Row {
    /// Takes the next column.
    pub(crate) fn next<T: Read>(&mut self) -> Result<T> {
        self.column += 1;
        let cell = self.cells.next().unwrap_or(Cell::Null);
        T::read(cell)
            .map_err(|cause| Error::Corrupt { what: format!("column {} of {}", self.column, self.query), cause })
    }

    /// Takes the next column, a JSON text.
    pub(crate) fn next_json<T: serde::de::DeserializeOwned>(&mut self) -> Result<T> {
        let text: String = self.next()?;
        serde_json::from_str(&text).map_err(|cause| Error::Corrupt {
            what: format!("column {} of {}", self.column, self.query),
            cause: cause.to_string(),
        })
    }

    #[cfg(test)]
    pub(crate) fn into_cells(self) -> Vec<Cell> {
        self.cells.collect()
    }

    pub(crate) fn of_sqlite(query: &'static str, row: &sqlx::sqlite::SqliteRow) -> Result<Self> {
        let cells = (0..row.len()).map(|i| {
            let raw = row.try_get_raw(i)?;
            let of = raw.type_info().name().to_owned();
            read_cell(row, i, raw.is_null(), &of)
        });
        Self::new(query, cells)
    }

    pub(crate) fn of_postgres(query: &'static str, row: &sqlx::postgres::PgRow) -> Result<Self> {
        let cells = (0..row.len()).map(|i| {
            let null = row.try_get_raw(i)?.is_null();
            read_cell(row, i, null, row.column(i).type_info().name())
        });
        Self::new(query, cells)
    }

    fn new(query: &'static str, cells: impl Iterator<Item = sqlx::Result<Cell>>) -> Result<Self> {
        let cells = cells.collect::<sqlx::Result<Vec<_>>>().map_err(Error::from)?;
        Ok(Self { query, column: 0, cells: cells.into_iter() })
    }
}

fn read_cell<'r, R>(row: &'r R, column: usize, null: bool, of: &str) -> sqlx::Result<Cell>
where
    R: sqlx::Row,
    usize: sqlx::ColumnIndex<R>,
    i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    String: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    Vec<u8>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    R::Database: Database,
{
    if null {
        return Ok(Cell::Null);
    }
    match of {
        "INTEGER" | "INT8" => row.try_get(column).map(Cell::Int),
        "BLOB" | "BYTEA" => row.try_get(column).map(Cell::Bytes),
        _ => row.try_get(column).map(Cell::Text),
    }
}

/// A type that a column can hold.
pub(crate) trait Read: Sized {
    fn read(cell: Cell) -> std::result::Result<Self, String>;
}

impl<T: Read> Read for Option<T> {
    fn read(cell: Cell) -> std::result::Result<Self, String> {
        match cell {
            Cell::Null => Ok(None),
            cell => T::read(cell).map(Some),
        }
    }
}

macro_rules! read {
    ($($variant:ident $of:ty, |$v:ident| $make:expr;)*) => {$(
        impl Read for $of {
            fn read(cell: Cell) -> std::result::Result<Self, String> {
                match cell {
                    Cell::$variant($v) => $make,
                    other => Err(format!("unexpected {other:?}")),
                }
            }
        }
    )*};
}

fn parse<T: std::str::FromStr>(text: &str) -> std::result::Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|e: T::Err| e.to_string())
}

read! {
    Int i64, |v| Ok(v);
    Int u64, |v| u64::try_from(v).map_err(|e| e.to_string());
    Int u32, |v| u32::try_from(v).map_err(|e| e.to_string());
    Int bool, |v| Ok(v != 0);
    Int Timestamp, |v| Ok(Timestamp::from_us(v));
    Int CaseNo, |v| Ok(CaseNo(v));
    Text String, |v| Ok(v);
    Text NaiveDate, |v| parse(&v);
    Text Currency, |v| parse(&v);
    Text CaseId, |v| parse(&v);
    Text EffectId, |v| parse(&v);
    Text TaskId, |v| parse(&v);
    Text EventId, |v| parse(&v);
    Text GroupId, |v| parse(&v);
    Text InvoiceId, |v| Ok(InvoiceId(v));
    Text CustomerId, |v| Ok(CustomerId(v));
    Text Status, |v| Status::ALL.into_iter().find(|s| s.name() == v).ok_or_else(|| format!("unknown status {v}"));
    Bytes Vec<u8>, |v| Ok(v);
    Bytes Hash, |v| v.try_into().map(Hash).map_err(|v: Vec<u8>| format!("{} bytes instead of 32", v.len()));
}

/// Lists a file's statements for the tests: queries, then bulk statements.
macro_rules! statements {
    ($($query:ident),* ; $($bulk:ident),*) => {
        #[cfg(test)]
        pub(crate) fn statements() -> (Vec<&'static $crate::sql::Query>, Vec<&'static $crate::sql::Bulk>) {
            (vec![$(&$query),*], vec![$(&$bulk),*])
        }
    };
}
pub(crate) use statements;

//! The database of Recobro: SQLite and PostgreSQL.

//! For development: a throwaway PostgreSQL.

pub mod postgres;

//! The database of Recobro: SQLite and PostgreSQL behind one set of functions.
//!
//! One file per aggregate; each query is a constant next to its only function. A function takes a [`Tx`]; the caller
//! commits. Nothing here decides: rows go in, rows come out. No function calls a channel, reads a clock or makes an id.
//!
//! Start reading at [`Store`], then [`commit`] (the hot path) and [`cases`] (the claim).

pub mod artefacts;
pub mod cases;
pub mod catch_up;
pub mod commit;
pub mod consents;
pub mod contacts;
pub mod customers;
pub mod debits;
pub mod disputes;
mod error;
pub mod events;
pub mod exceptions;
pub mod facts;
pub mod history;
pub mod holds;
pub mod inbound;
pub mod incentives;
pub mod invoices;
pub mod meta;
pub mod outbox;
pub mod payments;
pub mod plans;
pub mod playbooks;
pub mod promises;
pub mod report;
mod sql;
mod sqlite;
mod store;
pub mod tasks;
#[cfg(test)]
mod tests;
pub mod unmatched;
pub mod verdicts;
pub mod waivers;
pub mod wake;

pub use error::Error;
pub use store::{Options, Store, Tx};

/// The answer of every function here.
pub type Result<T> = std::result::Result<T, Error>;

/// The database's number of a case: key of its history, wake, events and effects. Never shown to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CaseNo(pub i64);

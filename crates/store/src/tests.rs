//! The contract of every query, on both databases.

mod agreements;
mod carried;
mod charges;
mod consents;
mod contract;
mod differential;
mod guard;
mod prepare;
mod world;

use std::collections::BTreeSet;
use std::sync::Mutex;

static RAN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// Notes that a statement was run.
pub(crate) fn ran(name: &'static str) {
    RAN.lock().unwrap().insert(name);
}

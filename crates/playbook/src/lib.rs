//! Reads and checks playbooks and evaluates their rules.

pub mod script;

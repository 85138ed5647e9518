//! Whole cases, golden ledgers, the command line and the kill test: one test binary of `cli`.

mod agreements;
mod calendars;
mod checks;
mod consent;
mod databases;
mod entries;
mod exceptions;
mod guard;
mod kill;
mod ledgers;
mod money;
mod program;
mod scenarios;
mod simulate;
mod surface;
mod together;
mod trial;
mod worker;
mod world;

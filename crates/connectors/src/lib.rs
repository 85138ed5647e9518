//! The edges: channels out, sources in, templates.
//!
//! What leaves goes through a [`channel::Channel`] with a key that never changes between tries; what comes in is read by
//! a source of [`source::SOURCES`] into the normalised records of [`source::record`]. [`template`] turns a template file
//! and a context into a subject, a text and its HTML; [`debit`] writes direct debits for the bank, [`ics`] reads holidays
//! that others publish.
//!
//! Nothing here reads our tables, decides anything, reads the clock or the environment: paths, secrets and times come in
//! as arguments. Start reading at [`channel`] and [`source`]; the mapping format for users is in `MAPPING.md`.

pub mod channel;
pub mod debit;
pub mod ics;
pub mod source;
pub mod template;

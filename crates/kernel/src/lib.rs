//! The pure heart of Recobro: what a case is, what may happen to it, and what it does next.
//!
//! No I/O, async, clock, randomness, YAML, rhai, SQL or logging stands here: arguments in, value out. Start reading at
//! [`decide`], which takes a case, its facts and its news and answers with records, effects and work; [`apply`] folds
//! records into a case. The verbs are in [`step`], the checked playbook in [`playbook`], the catalogue of facts in
//! [`facts`] and of events in [`event`].

pub mod apply;
pub mod calendar;
pub mod case;
pub mod chain;
pub mod consent;
pub mod decide;
pub mod effect;
pub mod event;
pub mod expr;
pub mod facts;
pub mod guard;
pub mod ids;
pub mod interest;
pub mod law;
pub mod money;
pub mod plan;
pub mod playbook;
pub mod record;
pub mod schedule;
pub mod step;
pub mod time;
pub mod value;

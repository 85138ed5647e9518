//! The worker: receives news, routes it, advances cases, delivers effects.
//!
//! It never parses a file, never speaks SQL, never decides what a playbook means: sources and channels are
//! `connectors`, the database is `store`, decisions are `kernel::decide`. Start reading at [`run`], the loop that calls
//! the ticks in order: [`deliver`], [`route`], [`promise`], [`advance`]. News enters by [`receive`], people by
//! [`operate`]. Everything is batched: a tick makes a fixed number of queries whatever the size of its batch.
//!
//! Absences that the code cannot show: no channel is called inside a transaction; no clock is read outside [`clock`];
//! no row is read one by one in a loop; no name, address or text of a message is logged or put into a history body.
//!
//! | span or event | fields | unit |
//! | --- | --- | --- |
//! | `engine.route` | `rows`, `events`, `cases`, `parked` | counts of one batch |
//! | `engine.advance` | `cases`, `turns`, `losers`, `slow` | counts of one batch |
//! | `engine.deliver` | `claimed`, `returned`, `accepted`, `refused`, `retried`, `unknown` | counts of one batch |
//! | `engine.promise` | `judged` | count of one batch |
//! | `engine.quantum` | `from`, `until` | instants |

mod advance;
pub mod call;
pub mod catch_up;
pub mod clock;
pub mod consent;
mod deliver;
pub mod exceptions;
pub mod explain;
mod facts;
pub mod faults;
mod library;
mod limits;
pub mod observe;
mod offer;
pub mod operate;
pub mod people;
pub mod plan;
pub mod preview;
mod priority;
mod promise;
pub mod receive;
mod route;
pub mod run;
mod select;
pub mod settings;

mod db;
mod engine;
mod error;
mod render;
mod replan;
pub mod retention;
mod turn;

pub use clock::Clock;
pub use engine::Engine;
pub use error::Error;
pub use observe::{Act, Observer};
pub use operate::Who;
pub use people::{Answer, Nobody, OpenTask, People};
pub use receive::Received;
pub use run::{Progress, Stop, Until};
pub use settings::{Channels, Creditor, Sender, Settings};

//! Background work: the event sequence, jobs as they fall due, sweeps. Inside `serve` or a process of its own; any
//! number at once over one database, and any of them may be killed at any time.

mod ages;
pub mod backend;
mod drain;
mod hooks;
pub mod reactions;
pub mod retention;
mod run;
pub mod schedule;

pub use drain::{drain, drain_with};
pub use reactions::{Done, React};
pub use run::{run, run_with};

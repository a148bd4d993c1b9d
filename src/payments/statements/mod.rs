//! Gateways' statements of a day (P8): read from a file or fetched, each line compared with the payment it speaks of and
//! with that payment's order and ledger. Fees are booked; what differs is written down and goes to a person.

mod compare;
mod here_only;
pub mod import;
pub mod model;
pub mod read;
pub mod schedule;
pub mod state;
mod store;

pub use import::{Progress, import_fetched, import_file, request, summary, work};
pub use model::{Difference, Run};

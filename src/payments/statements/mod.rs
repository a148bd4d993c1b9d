//! Gateways' statements of a day (P8): read from a file or fetched. What a line says is one fact, whatever file or day
//! says it, and each fact is compared with the payment it is about and with that payment's order and ledger. Fees are
//! booked; what differs is recorded and goes to a person.

mod compare;
mod facts;
mod fees;
pub mod import;
mod keep;
pub mod model;
pub mod read;
mod refunds;
pub mod schedule;
pub mod state;
mod store;
mod unmatched;

pub use import::{Progress, import_fetched, import_file, request, summary, work};
pub use model::{Difference, Run};

//! The GraphQL door, called as a client would call it.

pub mod client;
pub mod doors;
mod hostile;
mod limits;
mod operations;
mod persisted;
mod promises;
mod protocol;
mod purchase;
mod report;
mod schema;
mod stocked;
mod sync;
mod tickets;
pub mod wire;

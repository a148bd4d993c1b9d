//! The GraphQL door, called as a client would call it.

pub mod client;
mod hostile;
mod limits;
mod operations;
mod protocol;
mod purchase;
mod report;
mod schema;

//! Outgoing webhooks: events are sent to the endpoints of sellers and API clients, signed as Standard Webhooks say. Each
//! event that an endpoint wants becomes a row, by a cursor in the sequence of events, and is tried until it was taken or
//! given up.

pub mod deliver;
pub mod endpoint;
pub mod events;
pub mod fan_out;
pub mod kit;
mod model;
mod payload;
pub mod read;
pub mod replay;
pub mod retention;
mod secret;
pub mod state;
mod store;
pub mod tasks;
pub mod test;

pub use model::{HookAttempt, HookDelivery, HookEndpoint, HookOwner};

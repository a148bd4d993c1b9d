//! Outgoing webhooks, for sellers and API clients.

mod inputs;
mod mutations;
mod types;

pub use mutations::HookMutation;
pub use types::{HookEndpoint, list, list_of_client};

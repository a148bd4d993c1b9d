//! API clients: their own screen, and what admins do with them.

mod mutations;
mod types;

pub use mutations::ClientMutation;
pub use types::{ApiClient, ClientQuery, list};

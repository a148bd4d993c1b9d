//! Files that are sold: uploading and publishing them, the right to download one (a *grant*), links, counted
//! download sessions, and serving the bytes.

pub mod events;
pub mod grant;
pub mod model;
pub mod state;
pub mod store;

pub use grant::{grant, revoke};
pub use model::{GrantWant, Granted};
pub use state::GrantState;

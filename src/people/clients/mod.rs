//! API clients: machines that sell through the shop, by a secret of their own and within their scopes.

mod authenticate;
mod edit;
mod model;
mod read;
mod secret;
mod store;

pub use authenticate::authenticate;
pub use edit::{ApiClientEdit, ClientConnected, NewApiClient, create, rotate, update};
pub use model::{ApiClient, ApiClientState};
pub use read::{find, list};
pub use secret::is_secret;

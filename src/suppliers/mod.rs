//! Connections to suppliers, whose API makes goods for money: what is bought where, and the record of each purchase.
//! Whether a unit may have its goods is decided above, in fulfilment.

pub mod breaker;
pub mod call;
pub mod connection;
pub mod events;
pub mod jobs;
pub mod mapping;
mod model;
pub mod offers;
pub mod protocol;
pub mod read;
mod secret;
pub mod state;
pub mod store;
pub mod tasks;

pub use model::{PricedOffer, Purchase, Supplier, SupplierState};
pub use secret::opened as secrets_of;

//! Licences: keys that the seller's own software asks for. A key is used on devices, at most as many as were bought;
//! whether it is good now is the rule that every delivery goes by.

pub mod activate;
pub mod close;
pub mod deactivate;
pub mod device;
pub mod events;
pub mod jobs;
pub mod model;
pub mod read;
pub mod remove;
mod store;
pub mod validate;
pub mod verdict;

pub use model::{Activation, LicenceRow};

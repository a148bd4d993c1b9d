//! Where keys lie sealed: taken in, generated, claimed, revealed, let expire, voided.

pub mod claim;
mod model;
mod state;
mod store;

pub use state::{IllegalKeyChange, KeyChange, KeyState};

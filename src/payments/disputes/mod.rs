//! Buyers' disputes with their bank or gateway: a row each, with its own amount and outcome.

pub mod ask;
pub mod hear;
pub mod model;
pub mod state;
pub mod store;

pub use model::{Dispute, TrackedDispute};
pub use state::{DisputeChange, DisputeState};

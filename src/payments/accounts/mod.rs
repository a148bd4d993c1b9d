//! Accounts at gateways: one configured merchant identity each, built at start and again whenever their configuration
//! changes. Their rows in `gateway_account` are never deleted; one that is retired, or leaves the configuration, starts
//! nothing.

pub mod circuit;
pub mod keys;
pub mod needed;
pub mod pause;
mod registry;
pub mod reload;
pub mod store;

pub use registry::{Account, Accounts, Complaint, Spoken, faults};

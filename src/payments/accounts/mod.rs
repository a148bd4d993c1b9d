//! Accounts at gateways: one configured merchant identity each, built once at start. Their rows in
//! `gateway_account` are never deleted; one that leaves the configuration receives nothing new to start.

mod registry;
pub mod store;

pub use registry::{Account, Accounts, Complaint, faults};

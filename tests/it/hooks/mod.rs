//! Outgoing webhooks, with receivers of our own as the sellers' endpoints.

mod clients;
mod endpoints;
mod fairness;
mod kills;
mod pull;
pub mod receiver;
mod schedule;
pub mod shop;
mod state;

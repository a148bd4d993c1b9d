//! Dispense sells digital goods and delivers them by itself the moment the payment is real.
//!
//! The modules are in layer order; arrows go down only, and a test reads the `use crate::` lines to prove it.
//! What must go up leaves as an event row, which a worker reads.
//!
//! ```text
//! main → app → http, worker, demo → graphql, rest, sandbox → evidence → kinds → features → infra → base
//! features: mail, hooks, operations → delivery, licences → payments → fulfilment → orders → catalogue → goods → vault, files, suppliers → people → sellers → audit
//! ```

pub mod base;
pub mod config;
pub mod infra;

pub mod audit;

pub mod sellers;

pub mod people;

pub mod files;
pub mod suppliers;
pub mod vault;

pub mod catalogue;
pub mod delivery;
pub mod fulfilment;
pub mod goods;
pub mod hooks;
pub mod licences;
pub mod mail;
pub mod operations;
pub mod orders;
pub mod payments;

pub mod check;

pub mod kinds;

pub mod evidence;

pub mod graphql;
pub mod rest;
#[cfg(feature = "sandbox")]
pub mod sandbox;

#[cfg(feature = "demo")]
pub mod demo;
pub mod http;
pub mod worker;

pub mod app;

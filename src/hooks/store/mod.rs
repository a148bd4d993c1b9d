//! All SQL of webhooks that changes rows, and what is read under a lock.

mod claims;
mod deliveries;
mod endpoints;

pub(super) use claims::*;
pub(super) use deliveries::*;
pub(super) use endpoints::*;

//! All SQL of payments: what settling needs, one attempt at a time, refunds.

pub mod asked;
pub mod attempts;
pub mod inbox;
pub mod refused;
pub mod slice;

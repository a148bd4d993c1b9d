//! All SQL of notices: the inbox, what was refused, and what a slice reads and writes.

pub mod asked;
pub mod inbox;
pub mod refused;
pub mod slice;

//! All SQL that changes or locks orders, their lines and units.

mod orders;
mod units;

pub use orders::*;
pub use units::*;

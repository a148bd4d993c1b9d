//! Double entry for every movement of money. Each transaction sums to zero per currency; the database refuses one that
//! does not.

mod entries;
pub mod returned;

pub use entries::{Cause, allocation, captures, money_back};

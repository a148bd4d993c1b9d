//! Licences: keys that the seller's own software asks for.

mod asking;
mod buyer;
mod limits;
mod offline;
pub mod shop;
mod taken_back;
mod terms;

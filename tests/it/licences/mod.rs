//! Licences: keys that the seller's own software asks for.

mod asking;
mod buyer;
mod limits;
mod offline;
mod shop;
mod taken_back;
mod terms;

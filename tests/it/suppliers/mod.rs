//! Goods that are bought at suppliers, with the simulator as the supplier.

mod breaker;
mod callbacks;
mod connections;
mod deliveries;
mod kills;
mod races;
pub mod shop;
mod state;
mod troubles;

//! The shelf: pages of products, filtered and sorted.

pub mod listing;
pub mod read;

pub use listing::{Filter, Listing, Sort};

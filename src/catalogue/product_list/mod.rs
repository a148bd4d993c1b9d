//! Pages of products, filtered and sorted.

pub mod listing;
mod memory;
pub mod read;

pub use listing::{Filter, Listing, Sort};
pub use memory::ProductListCache;

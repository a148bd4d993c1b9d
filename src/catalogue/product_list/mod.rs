//! Pages of products, filtered and sorted.

pub mod kept;
pub mod listing;
mod memory;
pub mod read;
mod store;

pub use listing::{Filter, Listing, Sort};
pub use memory::ProductListCache;

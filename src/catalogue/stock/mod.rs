//! A seller's stock, counted to the last key.

mod read;

pub use read::{VariantStock, count_stock, list_stock, stock_keys};

//! The shop itself: what it is called, which languages and currencies it speaks.

mod queries;
pub mod types;

pub use queries::ShopQuery;

//! The screens of sellers: their products, stock, keys and sales.

mod keys;
mod queries;
mod types;

pub use keys::KeyMutation;
pub use queries::SellerQuery;
pub use types::KeyBatch;

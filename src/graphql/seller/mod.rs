//! The screens of sellers: their products, stock, keys and sales.

mod export;
mod imports;
mod keys;
mod queries;
mod stock;
mod types;

pub use export::ExportMutation;
pub use imports::ImportMutation;
pub use keys::KeyMutation;
pub use queries::SellerQuery;
pub use stock::StockMutation;
pub use types::KeyBatch;

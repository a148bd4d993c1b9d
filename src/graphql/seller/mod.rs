//! The screens of sellers: their products, stock, keys and sales.

mod export;
mod imports;
mod job_changes;
mod jobs;
mod keys;
mod queries;
mod recalls;
mod stock;
mod types;

pub use export::ExportMutation;
pub use imports::ImportMutation;
pub use job_changes::JobSubscription;
pub use jobs::JobQuery;
pub use keys::KeyMutation;
pub use queries::SellerQuery;
pub use recalls::RecallMutation;
pub use stock::StockMutation;
pub use types::KeyBatch;

//! Connections to suppliers, for those who sell what is bought there.

mod inputs;
mod mutations;
mod types;

pub use mutations::SupplierMutation;
pub use types::{Supplier, SupplierOffer, list, offers};

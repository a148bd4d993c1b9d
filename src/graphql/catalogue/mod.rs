//! What is sold: products, variants, goods, files.

mod files;
mod filter;
mod goods;
mod inputs;
mod mutations;
mod products;
mod queries;
mod secrets;
pub mod types;
mod variants;

pub use files::FileMutation;
pub use goods::{FileVersion, Goods};
pub use inputs::KeyFormatInput;
pub use mutations::{ProductMutation, seller};
pub use queries::{CatalogueQuery, find};
pub use secrets::SecretMutation;
pub use types::{Product, SellerProfile, Variant};

/// A page of products and what can be asked of it.
pub mod listing {
    pub use super::filter::{ProductFilter, ProductSort};
    pub use super::products::{AskedProducts, page};
}
pub use variants::VariantMutation;

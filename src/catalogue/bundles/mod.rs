//! What a bundle consists of: other variants of its seller, so many pieces of each. An order keeps what it was placed with.

pub mod edit;
mod model;
mod read;
mod store;

pub use edit::PartInput;
pub use model::BundlePart;
pub(super) use read::{PARTS, list_parts};

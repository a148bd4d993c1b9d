//! What can be sold. Adding a kind is one file here and its row in the registry. No other feature names a kind: they ask the
//! registry.

mod file;
pub mod intake;
mod key;
pub mod kind;
mod read;
mod registry;

pub use kind::{Available, Given, GoodsKind, LineGiven, Promise, Served, Supply, Wanted};
pub use registry::{available, codes, codes_of, find, ready, stocked, supply};

/// Codes of kinds, for the demo shop, which sells one of each.
pub mod code {
    pub use super::file::CODE as FILE;
    pub use super::key::CODE as KEY;
}

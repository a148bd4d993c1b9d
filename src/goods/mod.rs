//! What can be sold. Adding a kind is one file here and its row in the registry. No other feature names a kind: they ask the
//! registry.

mod bundle;
mod file;
mod key;
pub mod kind;
mod manual;
mod model;
mod read;
mod registry;
mod shared;
mod supplier;

// Codes of kinds, for the demo shop.
pub use bundle::CODE as BUNDLE;
pub use bundle::{of_parts, promise_of};
pub use file::CODE as FILE;
pub use key::CODE as KEY;
pub use kind::{
    AskedPart, AskedVariant, Available, Given, GoodsKind, LineGiven, Piece, Promise, Served, Supply, Wanted,
};
pub use model::Terms;
pub use registry::{available, codes, codes_of, find, ready, stocked, supply};
pub use supplier::CODE as SUPPLIER;

//! What can be sold. Adding a kind is one file here and its row in the registry.

mod file;
mod key;
pub mod kind;
pub mod read;
mod registry;

pub use kind::{Facts, Given, GoodsKind, Promise, Supply, Wanted};
pub use registry::{counted, find};

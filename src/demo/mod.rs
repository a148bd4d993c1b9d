//! The demo shop: its goods, and the story of one whole purchase that `dispense demo` plays.

mod bundle;
pub mod seed;
mod seller;
pub mod story;
#[cfg(feature = "sandbox")]
pub mod supplier;

mod child;
mod client;

pub use seed::seed;
pub use story::play;
#[cfg(feature = "sandbox")]
pub use supplier::seed_supplier;

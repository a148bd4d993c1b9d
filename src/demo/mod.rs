//! The demo shop: its goods, and the story of one whole purchase that `dispense demo` plays.

pub mod seed;
pub mod story;

mod buyer;
mod child;

pub use seed::seed;
pub use story::play;

//! Kinds of goods: terms that stay as they were bought, shared secrets, and what people hand over.

mod by_hand;
mod shared;
pub mod shop;
mod terms;

//! From paid to delivered: goods are assigned inside the transaction that settles the payment, filled when stock
//! comes, and taken back with a refund.

pub mod assign;
pub mod by_hand;
pub mod commit_import;
pub mod effects;
pub mod events;
pub mod fill;
pub mod fill_preview;
pub mod jobs;
pub mod key_texts;
pub mod low_stock;
pub mod publish_file;
pub mod publish_secret;
pub mod read;
pub mod release;
pub mod replace;
pub mod restock;
pub mod revoke;
mod store;
pub mod supplier;
pub mod tasks;
pub mod waiting;

pub use store::{Handed, HandedLine, PaidLine};

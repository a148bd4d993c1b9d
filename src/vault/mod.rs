//! Where keys are stored sealed: taken in, generated, held, claimed, revealed, let expire, given back.

pub mod batch;
pub mod bought;
pub mod claim;
pub mod events;
pub mod expire;
pub mod export;
pub mod fingerprints;
pub mod format;
pub mod freeze;
pub mod generate;
pub mod give_back;
pub mod import;
pub mod insert;
pub mod jobs;
pub mod layout;
mod lines;
pub mod model;
pub mod preview;
pub mod read;
pub mod recall;
mod records;
pub mod reserved;
pub mod restored;
pub mod retention;
pub mod reveal;
pub mod rewrap;
mod rows;
pub mod secrets;
pub mod signed;
pub mod state;
mod store;
pub mod tasks;

pub use format::KeyFormat;
pub use model::{Batch, ChangedKey, Origin};

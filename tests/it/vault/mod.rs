//! Keys: sealed, taken in, claimed, revealed.

mod claim;
pub mod fingerprints;
pub mod fixture;
mod format;
mod import;
mod life;
mod lines;
mod reveal;
mod state;
mod text;

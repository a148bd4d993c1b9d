//! Keys: sealed, taken in, claimed, revealed.

mod claim;
pub mod fixture;
mod format;
mod import;
mod life;
mod reveal;
mod state;

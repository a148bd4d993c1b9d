//! The chain of events that only grows, and the proof that nobody changed it.

mod read;
mod verify;

pub use verify::{Broken, ChainVerdict, Mark, verify};

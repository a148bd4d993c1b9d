//! Money on its way back: a row per refund at the gateway, whoever asked for it, and rows for what only a sum names.

pub mod arithmetic;
pub mod conclude;
pub mod hear;
pub mod model;
pub mod request;
pub mod retry;
pub mod state;
pub mod store;
pub mod sums;
mod whole_line;
pub mod work;

pub use model::{Basis, Refund};
pub use state::{RefundChange, RefundState};

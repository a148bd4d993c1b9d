//! Goods that are bought at suppliers: a purchase is sent, asked about and heard of outside any transaction, and what was
//! heard is applied under the order's lock.

mod apply;
mod buy;
mod callback;
mod give;
mod offers;
mod retry;
mod store;
mod sweep;

pub use buy::{NextLook, run};
pub use callback::{Callback, receive};
pub use offers::set_offers;
pub use retry::retry;
pub use sweep::sweep;

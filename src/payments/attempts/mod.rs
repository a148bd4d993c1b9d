//! Attempts to pay: started, asked about, closed, expired, each a row of its own.

pub mod ask;
pub mod cancel;
pub mod check_now;
pub mod checkout;
pub mod close;
pub mod expire;
pub mod hosted;
pub mod number;
pub mod return_url;
pub mod start;
pub mod store;
pub mod unstarted;

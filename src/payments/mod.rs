//! Payments: gateways and their accounts, notices in, orders settled, money out.

pub mod accounts;
pub mod ask;
pub mod cancel;
pub mod check_now;
pub mod checkout;
pub mod close;
pub mod decide;
pub mod decide_back;
pub mod gateway;
pub mod gateways;
pub mod hosted;
pub mod intake;
pub mod ledger;
pub mod model;
mod news;
pub mod orphans;
pub mod raw;
pub mod read;
pub mod receive;
pub mod refund;
pub mod refund_request;
pub mod refund_retry;
pub mod refuse;
pub mod replay;
pub mod settle;
pub mod start;
pub mod state;
pub mod statements;
pub mod store;
pub mod vectors;
pub mod word;

pub use model::{Payment, Refund};
pub use state::{PaymentChange, PaymentState, RefundChange, RefundState};

//! Payments: gateways and their accounts, notices in, orders settled, money out.

pub mod accounts;
pub mod ask;
pub mod cancel;
pub mod case;
pub mod check_now;
pub mod checkout;
pub mod close;
pub mod consequences;
pub mod cover;
pub mod decide;
pub mod disputes;
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
pub mod refunds;
pub mod refuse;
pub mod replay;
pub mod return_url;
pub mod settle;
pub mod start;
pub mod state;
pub mod statements;
pub mod store;
pub mod vectors;
pub mod word;

pub use model::Payment;
pub use refunds::{Refund, RefundChange, RefundState};
pub use state::{PaymentChange, PaymentState};

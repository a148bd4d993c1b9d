//! Payments: gateways and their accounts, notices in, orders settled, money out.

pub mod accounts;
pub mod attempts;
mod capture;
pub mod case;
pub mod consequences;
pub mod cover;
pub mod disputes;
pub mod events;
pub mod gateways;
pub mod jobs;
pub mod kit;
pub mod ledger;
pub mod messages;
pub mod model;
pub mod notices;
pub mod read;
pub mod refunds;
pub mod report;
pub mod restored;
pub mod retention;
pub mod standing;
pub mod state;
pub mod statements;
pub mod tasks;

pub use model::Payment;
pub use refunds::{Refund, RefundChange, RefundState};
pub use state::{PaymentChange, PaymentState};

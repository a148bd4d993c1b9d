//! Ways to pay, payments, refunds.

mod actions;
mod failure;
mod mutations;
mod queries;
mod refunds;
pub mod start;
pub mod types;

pub use actions::{Attribute, PaymentActionKind};
pub use mutations::PaymentMutation;
pub use queries::PaymentQuery;
pub use refunds::RefundMutation;
pub use types::{Payment, PaymentMethod, Refund};

//! The jobs of this feature.

use crate::base::ids::{PaymentId, RefundId, StatementRunId};
use crate::infra::effects::jobs::payloads;

payloads! {
    /// Asks the gateway about an open payment.
    "payment.check" pub struct CheckPayment { payment: PaymentId, }

    /// Sends a refund to the gateway, or asks what became of it.
    "refund.work" pub struct WorkRefund { refund: RefundId, }

    /// Asks the gateway how much of a payment went back.
    "refund.ask_sum" pub struct AskRefundSum { payment: PaymentId, }

    /// Asks the gateway about the disputes of a payment.
    "dispute.ask" pub struct AskDisputes { payment: PaymentId, }

    /// Fetches and compares a statement.
    "statement.import" pub struct ImportStatement { run: StatementRunId, }
}

//! Mails about money.

use crate::base::ids::RefundId;
use crate::infra::effects::messages::message_kinds;
use crate::infra::effects::record::record;

record! {
    pub struct Refunded {
        refund: RefundId,
        /// In minor units; none: as the refund is when the mail is sent.
        amount_minor: Option<i64>,
        currency: Option<String>,
    }
}

message_kinds! {
    /// Money went back.
    "refund_made" RefundMade(Refunded);
    /// A refund that was announced has failed.
    "refund_failed" RefundFailed(Refunded);
}

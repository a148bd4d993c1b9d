//! What is recorded of payments, refunds, disputes, statements, and restores of the shop.

use chrono::{DateTime, Utc};

use crate::base::ids::{DisputeId, PaymentId, RefundId, SellerId, StatementRunId};
use crate::infra::effects::events::event_kinds;
use crate::infra::effects::record::{Nothing, record};

record! {
    pub struct Started {
        /// The account at the gateway.
        account: String,
        /// Which attempt of the order, from 1.
        attempt: i32,
    }

    pub struct Captured {
        /// In minor units.
        amount_minor: i64,
        currency: String,
        /// Whether it pays for the order's lines.
        allocated: bool,
    }

    pub struct Allocated {
        /// The payment that paid for the lines before.
        instead_of: PaymentId,
    }

    pub struct Balance {
        /// Given back so far, in minor units.
        refunded_minor: i64,
        /// Lost to disputes so far, in minor units.
        lost_minor: i64,
    }

    pub struct Declined {
        /// The gateway's code; none when a notice or an answer reported it.
        code: Option<String>,
    }

    pub struct Requested {
        payment: PaymentId,
        /// In minor units of the payment's currency.
        amount_minor: i64,
        /// How many units were named.
        units: usize,
    }

    pub struct Moved {
        payment: PaymentId,
        /// In minor units of the payment's currency.
        amount_minor: i64,
    }

    pub struct OfPayment {
        payment: PaymentId,
    }

    pub struct OfAccount {
        /// The account at the gateway.
        account: String,
    }

    pub struct RefundFailed {
        /// The gateway's code, or ours.
        code: String,
    }

    pub struct Concluded {
        succeeded: bool,
    }

    pub struct StatementRequested {
        /// The account at the gateway.
        account: String,
        /// The day of the statement, `YYYY-MM-DD`.
        day: String,
        /// Open code: where it comes from.
        source: String,
    }

    pub struct OfStatement {
        /// The account at the gateway.
        account: String,
        /// The day of the statement, `YYYY-MM-DD`.
        day: String,
    }

    pub struct Replayed {
        /// The notice's number.
        notice: i64,
        /// What became of it.
        verdict: String,
    }

    pub struct Restored {
        /// Counts restores.
        epoch: i32,
        /// From when on the database does not know what happened.
        unknown_since: DateTime<Utc>,
        /// How many keys were taken out of sale.
        keys_frozen: i64,
    }

    pub struct Reopened {
        /// Counts restores.
        epoch: i32,
    }
}

event_kinds! {
    /// Events of payments.
    pub enum PaymentEvent {
        /// The payment was begun at its gateway.
        "payment.started" Started(PaymentId, Started),
        /// The gateway reports that nobody has paid yet.
        "payment.reopened" Reopened(PaymentId, Nothing),
        /// The money is on its way.
        "payment.pending" Pending(PaymentId, Nothing),
        /// The buyer agreed; the money is taken next.
        "payment.approved" Approved(PaymentId, Nothing),
        /// The money is here.
        "payment.captured" Captured(PaymentId, Captured),
        /// Another payment of the order pays for its lines now.
        "payment.allocated" Allocated(PaymentId, Allocated),
        /// The payment failed.
        "payment.failed" Failed(PaymentId, Declined),
        /// Whether the payment was begun at its gateway is not known.
        "payment.unknown" Unknown(PaymentId, Declined),
        /// The payment was closed unpaid.
        "payment.expired" Expired(PaymentId, Nothing),
        /// A part of the money went back.
        "payment.partially_refunded" PartiallyRefunded(PaymentId, Balance),
        /// All of the money went back.
        "payment.refunded" Refunded(PaymentId, Balance),
        /// The payment is disputed.
        "payment.disputed" Disputed(PaymentId, Balance),
        /// The money was lost to a dispute.
        "payment.lost" Lost(PaymentId, Balance),
        /// All of the money is here again.
        "payment.restored" Restored(PaymentId, Balance),
    }
}

event_kinds! {
    /// Events of refunds.
    pub enum RefundEvent {
        /// Staff asked for a refund.
        "refund.requested" Requested(RefundId, Requested),
        /// The gateway works on it.
        "refund.pending" Pending(RefundId, Nothing),
        /// What became of it is not known.
        "refund.unknown" Unknown(RefundId, Nothing),
        /// The money went back.
        "refund.succeeded" Succeeded(RefundId, Moved),
        /// The money did not go back, or came back.
        "refund.failed" Failed(RefundId, RefundFailed),
        /// Its amount was corrected.
        "refund.corrected" Corrected(RefundId, Moved),
        /// A refund known by a sum alone turned out to be this one.
        "refund.identified" Identified(RefundId, OfPayment),
        /// A person decided how it ended.
        "refund.concluded" Concluded(RefundId, Concluded),
    }
}

event_kinds! {
    /// Events of disputes.
    pub enum DisputeEvent {
        /// A bank asks; no money moves.
        "dispute.inquiry" Inquiry(DisputeId, Moved),
        /// A payment is disputed.
        "dispute.opened" Opened(DisputeId, Moved),
        /// The money stays.
        "dispute.won" Won(DisputeId, Moved),
        /// The money is gone.
        "dispute.lost" Lost(DisputeId, Moved),
        /// The dispute was given up.
        "dispute.withdrawn" Withdrawn(DisputeId, Moved),
    }
}

event_kinds! {
    /// Events of the evidence of disputes.
    pub enum EvidenceEvent {
        /// Staff collected the evidence of a dispute.
        "evidence.fetched" Fetched(DisputeId, Nothing),
    }
}

event_kinds! {
    /// Events of statements.
    pub enum StatementEvent {
        /// A statement is to be compared.
        "statement.requested" Requested(StatementRunId, StatementRequested),
        /// A statement was compared to its end.
        "statement.compared" Compared(StatementRunId, OfStatement),
        /// A statement could not be read.
        "statement.failed" Failed(StatementRunId, OfStatement),
    }
}

event_kinds! {
    /// Events of the shop as a whole.
    pub enum ShopEvent {
        /// A backup was restored: sales are held until the gateways were asked.
        "shop.restored" Restored(SellerId, Restored),
        /// The shop sells again.
        "shop.opened" Opened(SellerId, Reopened),
        /// Staff paused the sales of the shop.
        "shop.paused" Paused(SellerId, Nothing),
        /// Staff resumed the sales of the shop.
        "shop.resumed" Resumed(SellerId, Nothing),
        /// Staff paused payments through an account.
        "method.paused" MethodPaused(SellerId, OfAccount),
        /// Staff resumed payments through an account.
        "method.resumed" MethodResumed(SellerId, OfAccount),
        /// Staff had a stored notice judged again.
        "notice.replayed" NoticeReplayed(SellerId, Replayed),
    }
}

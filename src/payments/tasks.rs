//! What of money is put before a person.

use chrono::{DateTime, Utc};

use crate::base::ids::{DisputeId, PaymentId, RefundId, VariantId};
use crate::infra::effects::record::record;
use crate::infra::effects::tasks::task_kinds;

record! {
    pub struct Stray {
        /// The order's number.
        order: String,
        /// What was asked for.
        expected: String,
        /// What came.
        received: String,
        /// The account at the gateway.
        account: String,
    }

    pub struct OldTrade {
        /// The order's number.
        order: String,
        account: String,
        trade: Option<String>,
        /// What was reported of it.
        meaning: String,
        began_at: Option<DateTime<Utc>>,
        /// When the attempt began that carries the number.
        started_at: DateTime<Utc>,
    }

    pub struct OthersTrade {
        /// The order's number.
        order: String,
        account: String,
        trade: String,
        /// What was reported of it.
        meaning: String,
        payment_of_the_trade: PaymentId,
    }

    pub struct Foreign {
        account: String,
        /// Which fact is another's.
        reason: String,
    }

    pub struct Orphan {
        account: String,
        number: Option<String>,
        trade: Option<String>,
        /// What was reported.
        meaning: String,
        /// What the gateway answered when it was asked.
        gateway_says: String,
    }

    pub struct OfOrder {
        /// The order's number.
        order: String,
    }

    pub struct OfRefund {
        refund: RefundId,
    }

    pub struct Failed {
        refund: RefundId,
        /// The gateway's code, or ours.
        code: String,
    }

    pub struct Unclear {
        refund: RefundId,
        /// What the gateway answered.
        gateway: String,
    }

    pub struct Disputed {
        /// The order's number.
        order: String,
        /// The gateway's id of the dispute.
        dispute: Option<String>,
        /// The gateway's reason.
        reason: Option<String>,
    }

    pub struct Difference {
        account: String,
        /// The statement's day, `YYYY-MM-DD`.
        day: String,
        /// The trade or refund.
        subject: String,
        /// The amount in the statement.
        there: Option<String>,
        /// The amount in the books.
        here: Option<String>,
        /// Why it could not be read or booked.
        why: Option<String>,
    }

    pub struct Found {
        account: String,
        number: Option<String>,
        trade: String,
        refund: Option<String>,
        /// In minor units.
        amount_minor: Option<i64>,
        currency: Option<String>,
        at: Option<DateTime<Utc>>,
        /// Why the gateway's line could not be read.
        why: Option<String>,
    }

    pub struct Frozen {
        variant: VariantId,
        /// How many keys.
        keys: i64,
        /// Of which restore.
        epoch: i32,
    }
}

task_kinds! {
    /// Tasks of payments.
    pub const TASKS = [
        /// Money came for an order that is paid already: give it back.
        "payment_double" PaymentDouble(PaymentId, Stray),
        /// Money came that is not the amount asked for.
        "payment_wrong_amount" PaymentWrongAmount(PaymentId, Stray),
        /// Money came in another currency than was asked for.
        "payment_wrong_currency" PaymentWrongCurrency(PaymentId, Stray),
        /// Money came for an order that was cancelled: give it back.
        "payment_for_cancelled_order" PaymentForCancelledOrder(PaymentId, Stray),
        /// Money came for more than one buyer may have: give it back, or let it count.
        "payment_over_buyer_limit" PaymentOverBuyerLimit(PaymentId, Stray),
        /// A trade is older than the attempt whose number it carries: another database's sale, or a replay.
        "trade_older_than_attempt" TradeOlderThanAttempt(PaymentId, OldTrade),
        /// A message about one payment names the trade of another.
        "trade_of_another_payment" TradeOfAnotherPayment(PaymentId, OthersTrade),
        /// A genuine message names one of our payments and another account, merchant, application, mode or trade.
        "notice_foreign" NoticeForeign(PaymentId, Foreign),
        /// A genuine message names an order or a payment that is not known here.
        "notice_orphan" NoticeOrphan(String, Orphan),
        /// The money that paid for an order is gone, and other money of the order is here: which pays for the goods?
        "order_uncovered" OrderUncovered(PaymentId, OfOrder),
    ];
}

task_kinds! {
    /// Tasks of refunds.
    pub const REFUND_TASKS = [
        /// A refund failed: the buyer still waits for the money.
        "refund_failed" RefundFailed(RefundId, Failed),
        /// An answer about a refund was lost and the gateway does not report what became of it: look there.
        "refund_unclear" RefundUnclear(RefundId, Unclear),
        /// The gateway wants a person to complete a refund.
        "refund_needs_person" RefundNeedsPerson(RefundId, OfRefund),
        /// A refund has been open for longer than a day.
        "refund_overdue" RefundOverdue(RefundId, OfRefund),
        /// A part of the money was refunded at the gateway, and no report names its units.
        "refund_units_unknown" RefundUnitsUnknown(RefundId, OfRefund),
        /// A refund that had failed succeeded after all.
        "refund_succeeded_late" RefundSucceededLate(RefundId, OfRefund),
    ];
}

task_kinds! {
    /// Tasks of disputes.
    pub const DISPUTE_TASKS = [
        /// A bank asks about a payment: answer it at the gateway.
        "dispute_inquiry" DisputeInquiry(DisputeId, Disputed),
        /// A payment is disputed: answer it at the gateway.
        "payment_disputed" PaymentDisputed(DisputeId, Disputed),
        /// A dispute was won after it had been lost.
        "dispute_won_late" DisputeWonLate(DisputeId, Disputed),
        /// A dispute about a part of the money was lost: which units does it take?
        "dispute_lost_in_part" DisputeLostInPart(DisputeId, Disputed),
    ];
}

task_kinds! {
    /// Tasks of statements, and of the questions after a restore.
    pub const STATEMENT_TASKS = [
        /// The statement has money that the books do not have.
        "statement_paid_there_only" PaidThereOnly(String, Difference),
        /// The books have money that the statement does not have.
        "statement_paid_here_only" PaidHereOnly(String, Difference),
        /// Statement and books have different amounts.
        "statement_amount_differs" AmountDiffers(String, Difference),
        /// Statement and books have different refunds.
        "statement_refund_differs" RefundDiffers(String, Difference),
        /// A line of a statement could not be compared or booked.
        "statement_not_booked" NotBooked(String, Difference),
        /// A line of a statement could not be read.
        "statement_unreadable" Unreadable(String, Difference),
        /// After a restore: a payment at the gateway that is not known here.
        "restored_payment_unknown" RestoredPaymentUnknown(String, Found),
        /// After a restore: a refund at the gateway that is not known here.
        "restored_refund_unknown" RestoredRefundUnknown(String, Found),
        /// After a restore: keys that are out of sale until it is known whether they were sold.
        "restored_stock_frozen" RestoredStockFrozen(VariantId, Frozen),
    ];
}

//! What of paid lines is put before a person.

use chrono::{DateTime, Utc};

use crate::base::ids::{LineId, OrderId, VariantId};
use crate::infra::effects::record::{Nothing, record};
use crate::infra::effects::tasks::task_kinds;

record! {
    pub struct OfVariant {
        variant: VariantId,
    }
}

record! {
    pub struct StockIsLow {
        variant: VariantId,
        /// Keys that were left.
        available: i64,
        /// At how many the alert is given.
        threshold: i64,
    }
}

record! {
    pub struct LateVariant {
        variant: VariantId,
        /// Open code of what its buyers wait for: `AWAITING_STOCK`, `AWAITING_SUPPLIER`.
        state: String,
        /// Pieces that had waited for too long when this was opened.
        pieces: i64,
        /// Since when the one waits that has waited longest.
        since: DateTime<Utc>,
    }

    pub struct LateLine {
        variant: VariantId,
        /// Open code of what it waits for: `AWAITING_PERSON`, `IN_REVIEW`.
        state: String,
        since: DateTime<Utc>,
    }
}

task_kinds! {
    /// Tasks of fulfilment.
    pub const TASKS = [
        /// Paid lines wait for stock of this variant.
        "awaiting_stock" AwaitingStock(VariantId, OfVariant),
        /// A blocked buyer's order is paid: a person releases it with `orderRelease`, or gives the money back.
        "order_review" OrderReview(OrderId, Nothing),
        /// Few keys of this variant are left.
        "stock_low" StockLow(VariantId, StockIsLow),
        /// A paid line waits for a person.
        "delivery_by_hand" DeliveryByHand(LineId, OfVariant),
        /// A paid line could not be given its goods although there are some.
        "delivery_failed" DeliveryFailed(LineId, OfVariant),
        /// Buyers have waited for this variant for longer than `shop.waiting_alert_hours`; it ends by itself when none waits.
        "goods_overdue" GoodsOverdue(VariantId, LateVariant),
        /// A paid line has waited for a person for longer than `shop.waiting_alert_hours`; it ends by itself when it does not.
        "delivery_overdue" DeliveryOverdue(LineId, LateLine),
    ];
}

//! What of paid lines is put before a person.

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
    ];
}

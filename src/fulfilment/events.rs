//! What is recorded when lines get goods, wait for them, or lose them.

use crate::base::ids::{KeyId, LineId, UnitId, VariantId};
use crate::infra::effects::events::event_kinds;
use crate::infra::effects::record::record;

record! {
    pub struct Assigned {
        variant: VariantId,
        units: Vec<UnitId>,
        /// The keys among the goods.
        keys: Vec<KeyId>,
    }

    pub struct Awaiting {
        variant: VariantId,
        /// How many units wait.
        units: usize,
    }

    pub struct StockLevel {
        /// Keys that may be sold, counted to one above the threshold.
        available: i64,
        /// At how many an alert is given.
        threshold: i64,
    }

    pub struct Revoked {
        units: Vec<UnitId>,
    }
}

event_kinds! {
    /// Events of order lines.
    pub enum LineEvent {
        /// Units got their goods with the payment.
        "line.assigned" Assigned(LineId, Assigned),
        /// Units that waited got their goods.
        "line.filled" Filled(LineId, Assigned),
        /// Units wait for stock.
        "line.awaiting_stock" AwaitingStock(LineId, Awaiting),
        /// Units wait for a supplier.
        "line.awaiting_supplier" AwaitingSupplier(LineId, Awaiting),
        /// Units wait for a person.
        "line.awaiting_person" AwaitingPerson(LineId, Awaiting),
        /// Units lost their goods, or will get none.
        "line.revoked" Revoked(LineId, Revoked),
    }
}

event_kinds! {
    /// Events of the level of a variant's stock.
    pub enum StockLevelEvent {
        /// As few keys are left as the variant's alert says.
        "stock.low" Low(VariantId, StockLevel),
        /// There are more keys again than that, or nobody is alerted any more.
        "stock.restocked" Restocked(VariantId, StockLevel),
    }
}

//! The jobs of this feature.

use crate::base::ids::UnitId;
use crate::infra::effects::jobs::payloads;

payloads! {
    /// Buys a piece for a unit at a supplier, or asks what became of it.
    "suppliers.buy" pub struct BuyFromSupplier { piece: UnitId, }
}

//! What of suppliers is put before a person.

use crate::base::ids::{SupplierId, SupplierPurchaseId, UnitId, VariantId};
use crate::infra::effects::record::record;
use crate::infra::effects::tasks::task_kinds;

record! {
    pub struct SupplierTrouble {
        name: String,
        /// An open code.
        reason: String,
    }

    pub struct PurchaseTrouble {
        supplier: SupplierId,
        piece: UnitId,
        variant: VariantId,
        /// What it is called at the supplier.
        request: String,
        /// An open code.
        reason: String,
    }
}

task_kinds! {
    /// Tasks of suppliers.
    pub const TASKS = [
        /// A supplier's calls fail in a row; it ends by itself when one succeeds.
        "supplier_down" SupplierDown(SupplierId, SupplierTrouble),
        /// The program stopped buying at a supplier because of what it did: look at it, then set it active again.
        "supplier_paused" SupplierPaused(SupplierId, SupplierTrouble),
        /// A supplier does not say what became of a purchase; it ends by itself when it does.
        "supplier_silent" SupplierSilent(SupplierPurchaseId, PurchaseTrouble),
        /// A supplier delivered something that is not sold: a key that is known, a wrong number, a price above the agreed.
        /// What it delivered is in the vault, out of sale.
        "purchase_quarantined" PurchaseQuarantined(SupplierPurchaseId, PurchaseTrouble),
    ];
}

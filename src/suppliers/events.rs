//! What is recorded of suppliers and of what is bought there. Never an answer's text.

use crate::base::ids::{KeyId, SupplierId, SupplierPurchaseId, UnitId, VariantId};
use crate::infra::effects::events::event_kinds;
use crate::infra::effects::record::record;

record! {
    pub struct OfSupplier {
        name: String,
        /// Grows with each edit.
        version: i32,
    }

    pub struct Paused {
        /// An open code: what the supplier did.
        reason: String,
    }

    pub struct OffersOf {
        variant: VariantId,
        suppliers: Vec<SupplierId>,
    }

    pub struct OfPurchase {
        supplier: SupplierId,
        /// The piece that it is for.
        piece: UnitId,
        /// What it is called at the supplier.
        request: String,
    }

    pub struct Called {
        supplier: SupplierId,
        piece: UnitId,
        request: String,
        /// The number of the call, purchases and questions together.
        call: i32,
        /// What was heard: an open code.
        heard: String,
    }

    pub struct Bought {
        supplier: SupplierId,
        piece: UnitId,
        request: String,
        key: KeyId,
        /// Minor units; none when the supplier does not say.
        price_minor: Option<i64>,
        currency: String,
        /// False: the piece could not take it any more, and it is stock of its variant.
        given: bool,
    }

    pub struct Ended {
        supplier: SupplierId,
        piece: UnitId,
        request: String,
        /// An open code.
        reason: String,
    }
}

event_kinds! {
    /// Events of suppliers.
    pub enum SupplierEvent {
        /// A connection was made.
        "supplier.created" Created(SupplierId, OfSupplier),
        /// A connection was edited.
        "supplier.updated" Updated(SupplierId, OfSupplier),
        /// Its signing secret was changed.
        "supplier.secret_rotated" SecretRotated(SupplierId, OfSupplier),
        /// The program stopped buying there.
        "supplier.paused" Paused(SupplierId, Paused),
        /// Calls failed in a row: nothing is sent for a while.
        "supplier.down" Down(SupplierId, OfSupplier),
        /// It answers again.
        "supplier.up" Up(SupplierId, OfSupplier),
    }
}

event_kinds! {
    /// Events of where variants are bought.
    pub enum OfferEvent {
        /// Where the pieces of a variant are bought was changed.
        "supplier.offers_set" Set(VariantId, OffersOf),
    }
}

event_kinds! {
    /// Events of purchases at suppliers.
    pub enum PurchaseEvent {
        /// It is being sent.
        "purchase.sent" Sent(SupplierPurchaseId, OfPurchase),
        /// A call ended without an end of the purchase.
        "purchase.called" Called(SupplierPurchaseId, Called),
        /// The goods are in the vault.
        "purchase.delivered" Delivered(SupplierPurchaseId, Bought),
        /// The supplier said no.
        "purchase.refused" Refused(SupplierPurchaseId, Ended),
        /// The supplier delivered something that is not sold.
        "purchase.quarantined" Quarantined(SupplierPurchaseId, Ended),
        /// It was given up before anything was sent.
        "purchase.abandoned" Abandoned(SupplierPurchaseId, Ended),
    }
}

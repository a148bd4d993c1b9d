//! What is recorded of products and variants.

use crate::base::actor::Actor;
use crate::base::ids::{ProductId, VariantId};
use crate::catalogue::model::{Product, Variant};
use crate::infra::effects::events::{Event, NewEvent, event_kinds};
use crate::infra::effects::record::record;

record! {
    pub struct OfProduct {
        state: String,
        version: i32,
    }

    pub struct OfVariant {
        product: ProductId,
        state: String,
        version: i32,
    }
}

event_kinds! {
    /// Events of products.
    pub enum ProductEvent {
        /// A product was created.
        "product.created" Created(ProductId, OfProduct),
        /// A product was changed.
        "product.updated" Updated(ProductId, OfProduct),
        /// A product waits for review.
        "product.submitted" Submitted(ProductId, OfProduct),
        /// A product is on sale.
        "product.approved" Approved(ProductId, OfProduct),
        /// A review refused the product.
        "product.rejected" Rejected(ProductId, OfProduct),
        /// A product is sold no longer.
        "product.retired" Retired(ProductId, OfProduct),
        /// A product is not sold for now.
        "product.paused" Paused(ProductId, OfProduct),
        /// A product is sold again.
        "product.resumed" Resumed(ProductId, OfProduct),
    }
}

event_kinds! {
    /// Events of variants.
    pub enum VariantEvent {
        /// A variant was created.
        "variant.created" Created(VariantId, OfVariant),
        /// A variant was changed.
        "variant.updated" Updated(VariantId, OfVariant),
        /// A variant is sold no longer.
        "variant.retired" Retired(VariantId, OfVariant),
    }
}

/// An event of a product, as `kind` makes it.
pub(super) fn of_product(
    kind: fn(ProductId, OfProduct) -> ProductEvent,
    product: &Product,
    actor: &Actor,
) -> NewEvent {
    let body = OfProduct { state: product.state.as_str().into(), version: product.version };
    kind(product.id, body).by(actor.label()).of_seller(product.seller_id)
}

/// An event of a variant, as `kind` makes it.
pub(super) fn of_variant(
    kind: fn(VariantId, OfVariant) -> VariantEvent,
    variant: &Variant,
    actor: &Actor,
) -> NewEvent {
    let body = OfVariant {
        product: variant.product_id,
        state: variant.state.as_str().into(),
        version: variant.version,
    };
    kind(variant.id, body).by(actor.label()).of_seller(variant.seller_id)
}

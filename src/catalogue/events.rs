//! What the catalogue tells.

use serde_json::{Value, json};

use crate::base::actor::Actor;
use crate::catalogue::model::{Product, Variant};
use crate::infra::events::NewEvent;

pub(super) fn of_product(kind: &'static str, product: &Product, actor: &Actor) -> NewEvent {
    let body = json!({ "state": product.state.as_str(), "version": product.version });
    NewEvent::shop(kind, product.id.0, actor.label(), body).of_seller(product.seller_id)
}

pub(super) fn of_variant(kind: &'static str, variant: &Variant, actor: &Actor) -> NewEvent {
    let body: Value = json!({
        "product": variant.product_id.to_string(),
        "state": variant.state.as_str(),
        "version": variant.version,
    });
    NewEvent::shop(kind, variant.id.0, actor.label(), body).of_seller(variant.seller_id)
}

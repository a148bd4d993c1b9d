//! A product that is not sold for now. It stays where buyers find it and says why; its stock and its orders stay as they are.

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::ProductId;
use crate::base::outcome::{Outcome, Refusal};
use crate::base::text;
use crate::catalogue::events::{ProductEvent, of_product};
use crate::catalogue::model::Product;
use crate::catalogue::product::lock_own;
use crate::catalogue::state::ProductState;
use crate::catalogue::store::{self, ProductColumns};
use crate::infra::effects::events;
use crate::infra::kit::Kit;

/// Characters of a reason.
const LONGEST_REASON: usize = 500;

/// Pauses a product, or changes why it is paused. `NOT_FOUND`, `REASON_REQUIRED`, `INVALID` for one that is retired. A repeat
/// changes nothing.
pub async fn pause(kit: &Kit, actor: &Actor, id: ProductId, reason: &str) -> Outcome<Product> {
    let because = reason_of(reason)?;
    let mut tx = kit.db.begin().await?;
    let product = lock_own(&mut tx, actor, id, None).await?;
    if product.state == ProductState::Retired {
        return Err(Refusal::new(ErrorCode::Invalid, "a retired product is not sold any more")
            .at(["productId"])
            .into());
    }
    if product.paused_because.as_ref() == Some(&because) {
        return Ok(product);
    }
    let columns = ProductColumns {
        paused_because: Some(Some(because)),
        paused_at: Some(Some(product.paused_at.unwrap_or_else(|| kit.clock.now()))),
        ..Default::default()
    };
    let product = store::advance_product(&mut tx, &product, &columns).await?;
    events::append(&tx, &[of_product(ProductEvent::Paused, &product, actor)]).await?;
    tx.commit().await?;
    Ok(product)
}

/// Sells it again. `NOT_FOUND`; one that is not paused is left as it is.
pub async fn resume(kit: &Kit, actor: &Actor, id: ProductId) -> Outcome<Product> {
    let mut tx = kit.db.begin().await?;
    let product = lock_own(&mut tx, actor, id, None).await?;
    if product.paused_because.is_none() {
        return Ok(product);
    }
    let columns = ProductColumns { paused_because: Some(None), paused_at: Some(None), ..Default::default() };
    let product = store::advance_product(&mut tx, &product, &columns).await?;
    events::append(&tx, &[of_product(ProductEvent::Resumed, &product, actor)]).await?;
    tx.commit().await?;
    Ok(product)
}

/// The reason of a pause, as buyers read it: `REASON_REQUIRED`, `INVALID` when it is too long.
pub fn reason_of(reason: &str) -> Result<String, Refusal> {
    text::reason(reason, "reason", LONGEST_REASON, "buyers read why")
}

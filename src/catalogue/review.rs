//! The way of a product through review: submitted by its seller, approved or rejected by the shop, retired.

use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{ProductId, VariantId};
use crate::base::outcome::{Outcome, Refusal};
use crate::base::text;
use crate::catalogue::events::{ProductEvent, of_product};
use crate::catalogue::model::Product;
use crate::catalogue::product::{check_version, lock_own};
use crate::catalogue::read::{asked, parts_of};
use crate::catalogue::state::{ProductChange, VariantState};
use crate::catalogue::store::{self, ProductColumns};
use crate::goods::{self, AskedVariant, Available};
use crate::infra::effects::events;
use crate::infra::kit::Kit;

/// Asks the shop to look at a product. `NOT_SUBMITTABLE` says what it lacks; a repeat changes nothing.
pub async fn submit(kit: &Kit, actor: &Actor, id: ProductId) -> Outcome<Product> {
    let mut tx = kit.db.begin().await?;
    let product = lock_own(&mut tx, actor, id, None).await?;
    let state = product.state.after(ProductChange::Submit);
    let state = state.map_err(|e| Refusal::new(ErrorCode::NotSubmittable, e.to_string()))?;
    if state == product.state {
        return Ok(product);
    }
    must_be_complete(&mut tx, &product).await?;
    let columns = ProductColumns { state: Some(state), review_reason: Some(None), ..Default::default() };
    let product = store::advance_product(&mut tx, &product, &columns).await?;
    events::append(&tx, &[of_product(ProductEvent::Submitted, &product, actor)]).await?;
    tx.commit().await?;
    Ok(product)
}

/// Puts a product on sale. Staff only: `FORBIDDEN`; `NOT_IN_REVIEW`; `NOT_SUBMITTABLE` when it lost meanwhile what it
/// needs; a repeat changes nothing.
pub async fn approve(
    kit: &Kit,
    actor: &Actor,
    id: ProductId,
    expected_version: Option<i32>,
) -> Outcome<Product> {
    let mut tx = kit.db.begin().await?;
    let product = lock_as_staff(&mut tx, actor, id).await?;
    let state = product.state.after(ProductChange::Approve);
    let state = state.map_err(|e| Refusal::new(ErrorCode::NotInReview, e.to_string()))?;
    if state == product.state {
        return Ok(product);
    }
    check_version(expected_version, product.version)?;
    must_be_complete(&mut tx, &product).await?;
    let columns = ProductColumns { state: Some(state), review_reason: Some(None), ..Default::default() };
    let product = store::advance_product(&mut tx, &product, &columns).await?;
    events::append(&tx, &[of_product(ProductEvent::Approved, &product, actor)]).await?;
    tx.commit().await?;
    Ok(product)
}

/// Sends a product back with a reason. Staff only: `FORBIDDEN`; `REASON_REQUIRED`; `NOT_IN_REVIEW`.
pub async fn reject(kit: &Kit, actor: &Actor, id: ProductId, reason: &str) -> Outcome<Product> {
    let mut tx = kit.db.begin().await?;
    let product = lock_as_staff(&mut tx, actor, id).await?;
    let reason = text::reason(reason, "reason", 2_000, "the seller needs to know why")?;
    let state = product.state.after(ProductChange::Reject);
    let state = state.map_err(|e| Refusal::new(ErrorCode::NotInReview, e.to_string()))?;
    let columns =
        ProductColumns { state: Some(state), review_reason: Some(Some(reason)), ..Default::default() };
    let product = store::advance_product(&mut tx, &product, &columns).await?;
    events::append(&tx, &[of_product(ProductEvent::Rejected, &product, actor)]).await?;
    tx.commit().await?;
    Ok(product)
}

/// Takes a product off sale for ever; what was bought stays with its buyers. A repeat changes nothing.
pub async fn retire(kit: &Kit, actor: &Actor, id: ProductId) -> Outcome<Product> {
    let mut tx = kit.db.begin().await?;
    let product = lock_own(&mut tx, actor, id, None).await?;
    let state = product.state.after(ProductChange::Retire);
    let state = state.map_err(|e| Refusal::new(ErrorCode::Invalid, e.to_string()))?;
    if state == product.state {
        return Ok(product);
    }
    let columns = ProductColumns { state: Some(state), ..Default::default() };
    let product = store::advance_product(&mut tx, &product, &columns).await?;
    events::append(&tx, &[of_product(ProductEvent::Retired, &product, actor)]).await?;
    tx.commit().await?;
    Ok(product)
}

async fn lock_as_staff(conn: &mut AsyncPgConnection, actor: &Actor, id: ProductId) -> Outcome<Product> {
    if !actor.is_staff() {
        return Err(Refusal::new(ErrorCode::Forbidden, "products are reviewed by the shop").into());
    }
    let product = store::lock_product(conn, id).await?;
    Ok(product
        .ok_or_else(|| Refusal::new(ErrorCode::NotFound, "there is no such product").at(["productId"]))?)
}

/// What a product needs before anybody may buy it: a name, a variant, and for each variant a name where there are
/// several, a price that is valid now, and what its kind of goods asks for.
async fn must_be_complete(conn: &mut AsyncPgConnection, product: &Product) -> Outcome<()> {
    let lacks = |what: String| Refusal::new(ErrorCode::NotSubmittable, what).at(["productId"]);
    let variants = store::list_variants(conn, product.id).await?;
    let active: Vec<_> = variants.into_iter().filter(|v| v.state == VariantState::Active).collect();
    let ids: Vec<VariantId> = active.iter().map(|v| v.id).collect();
    let objects = ids.iter().map(|id| id.0).chain([product.id.0]).collect();
    let named = store::list_named(conn, objects, &product.default_locale).await?;
    if !named.contains(&product.id.0) {
        return Err(lacks(format!("the product has no name in `{}`", product.default_locale)).into());
    }
    if active.is_empty() {
        return Err(lacks("the product has no variant".into()).into());
    }
    let priced = store::list_priced(conn, product.id).await?;
    let parts = parts_of(conn, active.iter()).await?;
    let wants: Vec<AskedVariant<'_>> = active.iter().map(|v| asked(v, 1, &parts)).collect();
    let available = goods::available(conn, &wants).await?;
    for variant in &active {
        let which = variant.sku.clone().unwrap_or_else(|| variant.id.to_string());
        if active.len() > 1 && !named.contains(&variant.id.0) {
            return Err(lacks(format!("variant {which} has no name in `{}`", product.default_locale)).into());
        }
        if !priced.contains(&variant.id) {
            return Err(lacks(format!("variant {which} has no price that is valid now")).into());
        }
        let kind = goods::find(&variant.kind)
            .ok_or_else(|| lacks(format!("variant {which} is of no known kind")))?;
        if let Some(missing) = kind.lacks(available.get(&variant.id).copied().unwrap_or(Available::Missing)) {
            return Err(lacks(format!("variant {which}: {missing}")).into());
        }
    }
    Ok(())
}

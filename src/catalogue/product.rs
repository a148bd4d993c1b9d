//! A seller makes and edits a product.

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{ProductId, SellerId};
use crate::base::outcome::{Outcome, Refusal};
use crate::base::text;
use crate::catalogue::events::{ProductEvent, of_product};
use crate::catalogue::model::Product;
use crate::catalogue::state::ProductChange;
use crate::catalogue::store::{self, ProductColumns};
use crate::catalogue::texts::{self, TextInput};
use crate::infra::db::ResultExt;
use crate::infra::effects::events;
use crate::infra::kit::Kit;

/// Tags a product may have.
const MOST_TAGS: usize = 20;

/// A product to be made, as a draft.
#[derive(Clone, Debug)]
pub struct NewProduct {
    pub seller_id: SellerId,
    pub slug: String,
    /// The language texts fall back to: the shop's own when none is given.
    pub default_locale: Option<String>,
    pub tags: Vec<String>,
    pub texts: Vec<TextInput>,
}

/// An edit; `None` leaves things as they are.
#[derive(Clone, Debug, Default)]
pub struct ProductEdit {
    pub slug: Option<String>,
    pub default_locale: Option<String>,
    pub tags: Option<Vec<String>>,
    pub texts: Vec<TextInput>,
    /// The version that the editor saw.
    pub expected_version: Option<i32>,
}

/// `FORBIDDEN` for sellers whom the actor does not act for, `SLUG_TAKEN`, `INVALID`.
pub async fn create(kit: &Kit, actor: &Actor, new: NewProduct) -> Outcome<Product> {
    if !actor.sells_for(new.seller_id) {
        return Err(Refusal::new(ErrorCode::Forbidden, "you do not sell for this seller")
            .at(["sellerId"])
            .into());
    }
    let slug = text::slug(&new.slug, "slug")?;
    let locale = texts::locale(new.default_locale.as_deref().unwrap_or(&kit.config.shop.default_locale))?;
    let tags = check_tags(&new.tags)?;
    let checked = texts::check(&new.texts)?;
    let mut tx = kit.db.begin().await?;
    let id = ProductId(kit.clock.uuid());
    let product = store::insert_product(&mut tx, id, new.seller_id, &slug, locale, &tags)
        .await
        .on_constraint("product_slug_key", slug_taken)?;
    store::insert_texts(&mut tx, id.0, &checked).await?;
    events::append(&tx, &[of_product(ProductEvent::Created, &product, actor)]).await?;
    tx.commit().await?;
    Ok(product)
}

/// `NOT_FOUND`, `VERSION_CONFLICT`, `SLUG_TAKEN`, `INVALID`. Edited texts of a product on sale go to review again
/// when the shop says so (`shop.review_edits`).
pub async fn update(kit: &Kit, actor: &Actor, id: ProductId, edit: ProductEdit) -> Outcome<Product> {
    let slug = edit.slug.as_deref().map(|slug| text::slug(slug, "slug")).transpose()?;
    let locale = edit.default_locale.as_deref().map(texts::locale).transpose()?;
    let tags = edit.tags.as_deref().map(check_tags).transpose()?;
    let checked = texts::check(&edit.texts)?;
    let mut tx = kit.db.begin().await?;
    let product = lock_own(&mut tx, actor, id, edit.expected_version).await?;
    let state = revised(kit, &product, !checked.is_empty())?;
    let columns =
        ProductColumns { slug, default_locale: locale.map(str::to_owned), tags, state, ..Default::default() };
    let product = store::advance_product(&mut tx, &product, &columns)
        .await
        .on_constraint("product_slug_key", slug_taken)?;
    store::insert_texts(&mut tx, id.0, &checked).await?;
    events::append(&tx, &[of_product(ProductEvent::Updated, &product, actor)]).await?;
    tx.commit().await?;
    Ok(product)
}

/// Locks a product that the actor may edit. A foreign one looks like a missing one.
pub(super) async fn lock_own(
    conn: &mut diesel_async::AsyncPgConnection,
    actor: &Actor,
    id: ProductId,
    expected_version: Option<i32>,
) -> Outcome<Product> {
    let product = store::lock_product(conn, id).await?.filter(|p| actor.sells_for(p.seller_id));
    let product = product
        .ok_or_else(|| Refusal::new(ErrorCode::NotFound, "there is no such product").at(["productId"]))?;
    check_version(expected_version, product.version)?;
    Ok(product)
}

/// Refuses an edit of what somebody else edited meanwhile.
pub(super) fn check_version(expected: Option<i32>, found: i32) -> Result<(), Refusal> {
    match expected {
        Some(expected) if expected != found => {
            let text = format!("it was edited meanwhile: version {found} instead of {expected}");
            Err(Refusal::new(ErrorCode::VersionConflict, text).at(["expectedVersion"]))
        }
        _ => Ok(()),
    }
}

/// The state after an edit, if it changes. Retired products are not edited.
pub(super) fn revised(
    kit: &Kit,
    product: &Product,
    texts_change: bool,
) -> Result<Option<crate::catalogue::state::ProductState>, Refusal> {
    let after = product.state.after(ProductChange::Revise);
    let after =
        after.map_err(|_| Refusal::new(ErrorCode::Invalid, "a retired product is not edited any more"))?;
    let again = texts_change && kit.config.shop.review_edits;
    Ok((again && after != product.state).then_some(after))
}

fn slug_taken() -> Refusal {
    Refusal::new(ErrorCode::SlugTaken, "another product has this slug").at(["slug"])
}

/// Lower case, each once.
fn check_tags(tags: &[String]) -> Result<Vec<String>, Refusal> {
    let mut checked = Vec::new();
    for tag in tags {
        let tag = text::clean(tag, "tags", 40, false)?.to_lowercase();
        if !checked.contains(&tag) {
            checked.push(tag);
        }
    }
    if checked.len() > MOST_TAGS {
        return Err(
            Refusal::new(ErrorCode::Invalid, format!("a product has at most {MOST_TAGS} tags")).at(["tags"])
        );
    }
    Ok(checked)
}

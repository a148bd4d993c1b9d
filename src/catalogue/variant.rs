//! A seller makes, edits and retires variants of a product.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{ProductId, VariantId};
use crate::base::outcome::{Failure, Outcome, Refusal};
use crate::base::text::clean;
use crate::catalogue::bundles::{self, PartInput};
use crate::catalogue::events::{ProductEvent, VariantEvent, of_product, of_variant};
use crate::catalogue::jobs::CapRaised;
use crate::catalogue::model::{MailPolicy, Product, StockDisplay, Variant};
use crate::catalogue::prices::{self, PriceInput};
use crate::catalogue::product::{check_version, lock_own, revised};
use crate::catalogue::state::VariantChange;
use crate::catalogue::store::{self, ProductColumns, VariantColumns};
use crate::catalogue::texts::{self, TextInput};
use crate::goods::{self, Supply, Terms};
use crate::infra::db::ResultExt;
use crate::infra::effects::events;
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::kit::Kit;
use crate::vault::KeyFormat;
use crate::vault::format::MIN_BITS;

/// Minutes.
const LONGEST_RESERVATION: i32 = 1_440;

/// What is said of a variant; `None` leaves things as they are, or as they are by default. The inner `None` takes a
/// value away.
#[derive(Clone, Debug, Default)]
pub struct VariantEdit {
    /// Code of the kind of goods; only when it is made.
    pub kind: Option<String>,
    pub texts: Vec<TextInput>,
    /// All prices together.
    pub prices: Option<Vec<PriceInput>>,
    pub position: Option<i32>,
    pub sku: Option<Option<String>>,
    pub stock_display: Option<StockDisplay>,
    pub low_stock_threshold: Option<i32>,
    pub min_quantity: Option<i32>,
    pub max_quantity: Option<Option<i32>>,
    pub limit_per_buyer: Option<Option<i32>>,
    pub partial_delivery: Option<bool>,
    pub mail_policy: Option<MailPolicy>,
    pub fold_case: Option<bool>,
    pub key_format: Option<Option<KeyFormat>>,
    pub download_limit: Option<Option<i32>>,
    pub access_days: Option<Option<i32>>,
    pub updates_included: Option<bool>,
    pub bind_address: Option<bool>,
    pub warranty_days: Option<Option<i32>>,
    /// How often a piece is replaced under warranty at most.
    pub replacement_limit: Option<Option<i32>>,
    /// How many pieces of a shared secret are sold at most.
    pub sale_cap: Option<Option<i32>>,
    /// Whether it is sold while none of its suppliers answers.
    pub sold_while_down: Option<bool>,
    /// Whether keys are licences that the seller's software asks for, and on how many devices one is used.
    pub licensing: Option<bool>,
    pub activation_limit: Option<Option<i32>>,
    pub restock_unseen: Option<bool>,
    /// For how many minutes placing an order holds its keys.
    pub reservation_minutes: Option<Option<i32>>,
    /// At how many keys left an alert is given.
    pub low_stock_alert: Option<Option<i32>>,
    /// When new stock is expected.
    pub restock_expected_at: Option<Option<DateTime<Utc>>>,
    /// Of a bundle: all parts together.
    pub parts: Option<Vec<PartInput>>,
    /// The version that the editor saw.
    pub expected_version: Option<i32>,
}

/// `NOT_FOUND`, `INVALID`, `SKU_TAKEN`, `PRICE_INVALID`, `CURRENCY_NOT_SUPPORTED`.
pub async fn create(kit: &Kit, actor: &Actor, product: ProductId, new: VariantEdit) -> Outcome<Variant> {
    let kind = new.kind.as_deref().and_then(goods::find);
    let kind =
        kind.ok_or_else(|| Refusal::new(ErrorCode::Invalid, "this is no kind of goods").at(["kind"]))?.code();
    let mut tx = kit.db.begin().await?;
    let product = lock_own(&mut tx, actor, product, None).await?;
    let blank = store::insert_variant(&mut tx, VariantId(kit.clock.uuid()), &product, kind).await?;
    let variant = apply(&mut tx, kit, actor, &product, &blank, new).await?;
    events::append(&tx, &[of_variant(VariantEvent::Created, &variant, actor)]).await?;
    tx.commit().await?;
    Ok(variant)
}

/// `NOT_FOUND`, `VERSION_CONFLICT`, `KIND_NOT_CHANGEABLE`, and what `create` refuses.
pub async fn update(kit: &Kit, actor: &Actor, id: VariantId, edit: VariantEdit) -> Outcome<Variant> {
    let mut tx = kit.db.begin().await?;
    let (product, variant) = lock(&mut tx, actor, id).await?;
    check_version(edit.expected_version, variant.version)?;
    variant.state.after(VariantChange::Edit).map_err(|e| Refusal::new(ErrorCode::Invalid, e.to_string()))?;
    if edit.kind.as_ref().is_some_and(|kind| *kind != variant.kind) {
        let text = "what a variant sells is settled when it is made: make another";
        return Err(Refusal::new(ErrorCode::KindNotChangeable, text).at(["kind"]).into());
    }
    let before = variant.terms.sale_cap;
    let variant = apply(&mut tx, kit, actor, &product, &variant, edit).await?;
    if before.is_some() && variant.terms.sale_cap != before {
        jobs::add(&tx, &[CapRaised { variant: variant.id }.job()]).await?;
    }
    events::append(&tx, &[of_variant(VariantEvent::Updated, &variant, actor)]).await?;
    tx.commit().await?;
    Ok(variant)
}

/// Takes a variant off its product for ever. A repeat changes nothing.
pub async fn retire(kit: &Kit, actor: &Actor, id: VariantId) -> Outcome<Variant> {
    let mut tx = kit.db.begin().await?;
    let (product, variant) = lock(&mut tx, actor, id).await?;
    let state = variant.state.after(VariantChange::Retire);
    let state = state.map_err(|e| Refusal::new(ErrorCode::Invalid, e.to_string()))?;
    if state == variant.state {
        return Ok(variant);
    }
    let columns = VariantColumns { state: Some(state), ..Default::default() };
    let variant = store::advance_variant(&mut tx, &variant, &columns).await?;
    store::advance_product_time(&mut tx, product.id).await?;
    events::append(&tx, &[of_variant(VariantEvent::Retired, &variant, actor)]).await?;
    tx.commit().await?;
    Ok(variant)
}

/// The product's lock covers its variants, so the order of locks is always the same.
async fn lock(conn: &mut AsyncPgConnection, actor: &Actor, id: VariantId) -> Outcome<(Product, Variant)> {
    let missing =
        || Failure::from(Refusal::new(ErrorCode::NotFound, "there is no such variant").at(["variantId"]));
    let of = store::find_variant(conn, id).await?.ok_or_else(missing)?.product_id;
    let product = lock_own(conn, actor, of, None).await.map_err(|failure| match failure {
        Failure::Refused(_) => missing(),
        fault => fault,
    })?;
    let variant = store::find_variant(conn, id).await?.ok_or_else(missing)?;
    Ok((product, variant))
}

async fn apply(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    actor: &Actor,
    product: &Product,
    seen: &Variant,
    edit: VariantEdit,
) -> Outcome<Variant> {
    let checked = texts::check(&edit.texts)?;
    let prices = edit.prices.as_deref().map(|p| prices::check(p, &kit.config.shop.currencies)).transpose()?;
    let review = revised(kit, product, !checked.is_empty())?;
    if edit.fold_case.is_some_and(|fold| fold != seen.fold_case) && store::find_any_key(conn, seen.id).await?
    {
        let text = "keys are there already, compared by the other rule";
        return Err(Refusal::new(ErrorCode::Invalid, text).at(["foldCase"]).into());
    }
    let columns = columns(seen, &edit, kit.clock.now())?;
    let variant =
        store::advance_variant(conn, seen, &columns).await.on_constraint("variant_sku_key", || {
            Refusal::new(ErrorCode::SkuTaken, "another of your variants has this SKU").at(["sku"])
        })?;
    store::insert_texts(conn, seen.id.0, &checked).await?;
    if let Some(prices) = &prices {
        store::insert_prices(conn, seen.id, prices).await?;
    }
    if let Some(parts) = &edit.parts {
        bundles::edit::set(conn, &variant, parts).await?;
    }
    if goods::supply(&seen.kind) == Some(Supply::Parts) && (prices.is_some() || edit.parts.is_some()) {
        bundles::edit::must_be_priced(conn, &variant, edit.parts.is_some()).await?;
    }
    match review {
        None => {
            store::advance_product_time(conn, product.id).await?;
        }
        Some(state) => {
            let columns = ProductColumns { state: Some(state), ..Default::default() };
            let product = store::advance_product(conn, product, &columns).await?;
            events::append(conn, &[of_product(ProductEvent::Updated, &product, actor)]).await?;
        }
    }
    Ok(variant)
}

/// Checks the numbers as they will be together.
fn columns(seen: &Variant, edit: &VariantEdit, now: DateTime<Utc>) -> Result<VariantColumns, Refusal> {
    let refuse = |field: &str, text: &str| Err(Refusal::new(ErrorCode::Invalid, text).at([field]));
    let least = edit.min_quantity.unwrap_or(seen.min_quantity);
    let most = edit.max_quantity.unwrap_or(seen.max_quantity);
    if least < 1 || most.is_some_and(|most| most < least) {
        return refuse("minQuantity", "at least one is bought, and the most is not below the least");
    }
    for (field, value, lowest) in [
        ("limitPerBuyer", edit.limit_per_buyer.flatten(), 1),
        ("downloadLimit", edit.download_limit.flatten(), 1),
        ("accessDays", edit.access_days.flatten(), 1),
        ("warrantyDays", edit.warranty_days.flatten(), 0),
        ("replacementLimit", edit.replacement_limit.flatten(), 0),
        ("saleCap", edit.sale_cap.flatten(), 0),
        ("activationLimit", edit.activation_limit.flatten(), 1),
        ("lowStockThreshold", edit.low_stock_threshold, 0),
        ("lowStockAlert", edit.low_stock_alert.flatten(), 0),
    ] {
        if value.is_some_and(|value| value < lowest) {
            return refuse(field, &format!("`{field}` is {lowest} or more"));
        }
    }
    if edit.sale_cap.flatten().is_some() && goods::supply(&seen.kind) != Some(Supply::Shared) {
        return refuse("saleCap", "only shared secrets have a cap");
    }
    if edit.low_stock_alert.flatten().is_some() && goods::supply(&seen.kind) != Some(Supply::Keys) {
        return refuse("lowStockAlert", "only keys are counted");
    }
    if let Some(expected) = edit.restock_expected_at.flatten() {
        if !matches!(goods::supply(&seen.kind), Some(Supply::Keys | Supply::Shared)) {
            return refuse("restockExpectedAt", "only keys and shared secrets run out");
        }
        if expected <= now {
            return refuse("restockExpectedAt", "new stock is expected at a time to come");
        }
    }
    if let Some(minutes) = edit.reservation_minutes.flatten() {
        if goods::supply(&seen.kind) != Some(Supply::Keys) {
            return refuse("reservationMinutes", "only keys are held for an order");
        }
        if !(1..=LONGEST_RESERVATION).contains(&minutes) {
            let text = format!("keys are held for 1 to {LONGEST_RESERVATION} minutes");
            return refuse("reservationMinutes", &text);
        }
    }
    if edit.sold_while_down == Some(false) && goods::supply(&seen.kind) != Some(Supply::Supplier) {
        return refuse("soldWhileDown", "only what is bought at suppliers depends on them");
    }
    let licensing = edit.licensing.unwrap_or(seen.terms.licensing);
    if licensing && goods::supply(&seen.kind) != Some(Supply::Keys) {
        return refuse("licensing", "only keys are licences");
    }
    if !licensing && edit.activation_limit.flatten().is_some() {
        return refuse("activationLimit", "only licences have a limit of devices: turn `licensing` on");
    }
    let sku = match &edit.sku {
        Some(Some(sku)) => Some(Some(clean(sku, "sku", 60, false)?)),
        Some(None) => Some(None),
        None => None,
    };
    let fold_case = edit.fold_case.unwrap_or(seen.fold_case);
    let key_format = match &edit.key_format {
        Some(Some(format)) => {
            let weak = |r: Refusal| Refusal::new(ErrorCode::Invalid, r.message).at(["keyFormat"]);
            format.check(fold_case, MIN_BITS).map_err(weak)?;
            Some(serde_json::to_value(format).ok())
        }
        Some(None) => Some(None),
        None => None,
    };
    Ok(VariantColumns {
        position: edit.position,
        sku,
        state: None,
        stock_display: edit.stock_display,
        low_stock_threshold: edit.low_stock_threshold,
        min_quantity: edit.min_quantity,
        max_quantity: edit.max_quantity,
        limit_per_buyer: edit.limit_per_buyer,
        partial_delivery: edit.partial_delivery,
        mail_policy: edit.mail_policy,
        fold_case: edit.fold_case,
        key_format,
        bind_address: edit.bind_address,
        restock_unseen: edit.restock_unseen,
        reservation_minutes: edit.reservation_minutes,
        low_stock_alert: edit.low_stock_alert,
        restock_expected_at: edit.restock_expected_at,
        terms: Some(terms(&seen.terms, edit)),
    })
}

fn terms(seen: &Terms, edit: &VariantEdit) -> Terms {
    let licensing = edit.licensing.unwrap_or(seen.licensing);
    Terms {
        download_limit: edit.download_limit.unwrap_or(seen.download_limit),
        access_days: edit.access_days.unwrap_or(seen.access_days),
        updates_included: edit.updates_included.unwrap_or(seen.updates_included),
        warranty_days: edit.warranty_days.unwrap_or(seen.warranty_days),
        replacement_limit: edit.replacement_limit.unwrap_or(seen.replacement_limit),
        sale_cap: edit.sale_cap.unwrap_or(seen.sale_cap),
        sold_while_down: edit.sold_while_down.unwrap_or(seen.sold_while_down),
        licensing,
        activation_limit: edit.activation_limit.unwrap_or(seen.activation_limit).filter(|_| licensing),
    }
}

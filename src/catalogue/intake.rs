//! What sellers bring goes only to variants of theirs, of the kind that it is for.

use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::VariantId;
use crate::base::outcome::{Outcome, Refusal};
use crate::base::text;
use crate::catalogue::model::Variant;
use crate::catalogue::state::VariantState;
use crate::catalogue::store;
use crate::files::model::FileVersion;
use crate::files::publish::{self, NewVersion};
use crate::goods::{self, Supply};
use crate::infra::kit::Kit;
use crate::suppliers::PricedOffer;
use crate::suppliers::offers::{self, NewOffer};
use crate::vault::Batch;
use crate::vault::batch::{self, NewBatch};
use crate::vault::export::{self, Export, NewExport};
use crate::vault::model::KeyVariant;
use crate::vault::secrets::{self, SecretVersion};

/// Longest text of a shared secret, characters.
const LONGEST_SECRET: usize = 10_000;

/// Opens a batch of keys. `NOT_FOUND` for variants that the actor does not sell, `INVALID` for those that sell no keys or
/// are retired, and what [`batch::open`] refuses.
pub async fn open_batch(kit: &Kit, actor: &Actor, new: NewBatch) -> Outcome<Batch> {
    let mut tx = kit.db.begin().await?;
    let variant = key_variant(&mut tx, actor, new.variant_id).await?;
    let batch = batch::open(&mut tx, kit, actor, variant, new).await?;
    tx.commit().await?;
    Ok(batch)
}

/// A variant that takes keys of this actor. `NOT_FOUND`, `INVALID`.
pub async fn key_variant(conn: &mut AsyncPgConnection, actor: &Actor, id: VariantId) -> Outcome<KeyVariant> {
    let variant = store::find_variant(conn, id).await?;
    let variant = takes(variant, actor, Supply::Keys, "this variant takes no keys")?;
    if variant.state != VariantState::Active {
        let text = "this variant is retired and takes no keys";
        return Err(Refusal::new(ErrorCode::Invalid, text).at(["variantId"]).into());
    }
    Ok(KeyVariant {
        seller_id: variant.seller_id,
        fold_case: variant.fold_case,
        key_format: variant.key_format,
    })
}

/// Asks for a file of a variant's keys, retired or not. `NOT_FOUND`, `INVALID`, `REASON_REQUIRED`.
pub async fn ask_export(kit: &Kit, actor: &Actor, new: &NewExport) -> Outcome<Export> {
    let mut tx = kit.db.begin().await?;
    let variant = store::find_variant(&mut tx, new.variant_id).await?;
    let variant = takes(variant, actor, Supply::Keys, "this variant has no keys")?;
    let export = export::ask(&mut tx, kit, actor, variant.seller_id, new).await?;
    tx.commit().await?;
    Ok(export)
}

/// Publishes a version of a file, in the caller's transaction. `INVALID` for variants that sell no files, `NOT_FOUND`, and
/// what [`publish::publish_version`] refuses.
pub async fn publish_file(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    actor: &Actor,
    new: NewVersion,
) -> Outcome<FileVersion> {
    let variant = store::lock_variant(conn, new.variant_id).await?;
    let refusal = "only variants of files have file versions";
    let variant = takes(variant, actor, Supply::Files, refusal)?;
    let new = new.cleaned()?;
    let published = publish::publish_version(conn, kit, actor, variant.seller_id, &new).await?;
    if let Some((notes, locale)) = &new.notes {
        store::insert_notes(conn, published.id, *locale, notes).await?;
    }
    Ok(published)
}

/// Publishes a version of a shared secret, in the caller's transaction. `INVALID` for variants that sell none or are
/// retired, `NOT_FOUND`.
pub async fn publish_secret(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    actor: &Actor,
    id: VariantId,
    text: &str,
) -> Outcome<SecretVersion> {
    let text = text::clean(text, "secretText", LONGEST_SECRET, true)?;
    let variant = store::lock_variant(conn, id).await?;
    let refusal = "only variants of shared secrets have versions of a secret";
    let variant = takes(variant, actor, Supply::Shared, refusal)?;
    if variant.state != VariantState::Active {
        return Err(Refusal::new(ErrorCode::Invalid, "this variant is retired").at(["variantId"]).into());
    }
    secrets::publish(conn, kit, actor, (variant.seller_id, id), &text).await
}

/// Sets where a variant is bought, in the caller's transaction. `INVALID` for variants that are not bought at suppliers,
/// `NOT_FOUND`, `TOO_MANY`.
pub async fn set_offers(
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: VariantId,
    new: &[NewOffer],
) -> Outcome<Vec<PricedOffer>> {
    let variant = store::lock_variant(conn, id).await?;
    let refusal = "only variants that are bought at suppliers have offers of theirs";
    let variant = takes(variant, actor, Supply::Supplier, refusal)?;
    let set = offers::set(conn, actor, (variant.seller_id, id), new).await?;
    store::advance_product_time(conn, variant.product_id).await?;
    Ok(set)
}

/// The variant, when this actor sells it and its pieces come from there.
fn takes(found: Option<Variant>, actor: &Actor, supply: Supply, text: &str) -> Result<Variant, Refusal> {
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such variant").at(["variantId"]);
    let variant = found.filter(|variant| actor.sells_for(variant.seller_id)).ok_or_else(missing)?;
    match goods::supply(&variant.kind) == Some(supply) {
        true => Ok(variant),
        false => Err(Refusal::new(ErrorCode::Invalid, text).at(["variantId"])),
    }
}

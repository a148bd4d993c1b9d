//! Texts that were bought one by one become keys: sealed, and unique among all keys of their seller.

use diesel_async::AsyncPgConnection;

use crate::base::ids::{BatchId, KeyId, SellerId, SupplierId, VariantId};
use crate::base::outcome::Fault;
use crate::base::secret::Secret;
use crate::infra::data_keys;
use crate::infra::effects::events::{self, Event};
use crate::infra::kit::Kit;
use crate::infra::seal::SealedPlace;
use crate::vault::events::{BatchEvent, Opened};
use crate::vault::insert::SEALED_COLUMN;
use crate::vault::model::{Batch, Origin, SealedKey};
use crate::vault::store;

/// Where a text was bought, and for which variant.
#[derive(Clone, Copy, Debug)]
pub struct BoughtAt {
    pub seller_id: SellerId,
    pub variant_id: VariantId,
    pub supplier_id: SupplierId,
}

/// What became of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredText {
    /// It is a key of the variant's stock, until the caller does something else with it in the same transaction.
    New(KeyId),
    /// The seller has this text already: it is never sold again.
    Known(KeyId),
}

/// Stores a text in the caller's transaction. `folding` are the seller's variants in which keys that differ in case alone
/// are the same.
pub async fn store_text(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    at: BoughtAt,
    folding: &[VariantId],
    text: &Secret,
) -> Result<StoredText, Fault> {
    let batch = batch_of(conn, kit, at).await?;
    let data_key = data_keys::open(conn, &kit.sealer, [batch.data_key_id]).await?;
    let data_key =
        data_key.get(&batch.data_key_id).ok_or_else(|| Fault::bug("a batch without its data key"))?;
    let fold_case = folding.contains(&at.variant_id);
    let fingerprint = |fold| kit.sealer.fingerprint(at.seller_id.0, text.expose(), fold);
    let id = KeyId(kit.clock.uuid());
    let place = SealedPlace { column: SEALED_COLUMN, row: id.0, owner: at.variant_id.0 };
    let key = SealedKey {
        id,
        line: 1,
        fingerprint: fingerprint(fold_case),
        otherwise: fingerprint(!fold_case),
        sealed: kit.sealer.seal(data_key, place, text.expose().as_bytes())?,
        expires_at: None,
    };
    let prints = [key.fingerprint.to_vec(), key.otherwise.to_vec()];
    if !store::insert_keys(conn, &batch, &[key], folding).await?.is_empty() {
        data_keys::count_uses(conn, batch.data_key_id, 1).await?;
        store::advance_bought(conn, batch.id).await?;
        return Ok(StoredText::New(id));
    }
    let holder = store::find_holder(conn, at.seller_id, &prints).await?;
    holder.map(StoredText::Known).ok_or_else(|| Fault::bug("a text is neither new nor known"))
}

async fn batch_of(conn: &mut AsyncPgConnection, kit: &Kit, at: BoughtAt) -> Result<Batch, Fault> {
    if let Some(batch) = store::find_supplier_batch(conn, at.variant_id, at.supplier_id).await? {
        return Ok(batch);
    }
    let data_key = data_keys::create(conn, &kit.sealer, kit.clock.uuid()).await?;
    let id = BatchId(kit.clock.uuid());
    let of = (at.seller_id, at.variant_id, at.supplier_id);
    if store::insert_supplier_batch(conn, id, data_key.id, of).await? == 1 {
        let opened = Opened { variant: at.variant_id, origin: Origin::Bought.as_str().into() };
        let event = BatchEvent::Opened(id, opened).by("system").of_seller(at.seller_id);
        events::append(conn, &[event]).await?;
    }
    let batch = store::find_supplier_batch(conn, at.variant_id, at.supplier_id).await?;
    batch.ok_or_else(|| Fault::bug("a supplier's batch is gone"))
}

//! What sellers bring goes only to variants of the kind that it is for.

use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::VariantId;
use crate::base::outcome::{Outcome, Refusal};
use crate::base::text;
use crate::files::model::FileVersion;
use crate::files::publish::{self, NewVersion};
use crate::goods::kind::Supply;
use crate::goods::{read, registry};
use crate::infra::kit::Kit;
use crate::vault::Batch;
use crate::vault::batch::{self, NewBatch};
use crate::vault::secrets::{self, SecretVersion};

/// Longest text of a shared secret, characters.
const LONGEST_SECRET: usize = 10_000;

/// Opens a batch of keys. `INVALID` for variants that sell no keys, and what [`batch::open`] refuses.
pub async fn open_batch(kit: &Kit, actor: &Actor, new: NewBatch) -> Outcome<Batch> {
    must_take(kit, actor, new.variant_id, Supply::Keys, "this variant takes no keys").await?;
    batch::open(kit, actor, new).await
}

/// Publishes a version of a file. `INVALID` for variants that sell no files, and what [`publish::publish_version`]
/// refuses.
pub async fn publish_file(kit: &Kit, actor: &Actor, new: NewVersion) -> Outcome<FileVersion> {
    let text = "only variants of files have file versions";
    must_take(kit, actor, new.variant_id, Supply::Files, text).await?;
    publish::publish_version(kit, actor, new).await
}

/// Publishes a version of a shared secret, in the caller's transaction. `INVALID` for variants that sell none, and what
/// [`secrets::publish`] refuses.
pub async fn publish_secret(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    actor: &Actor,
    id: VariantId,
    text: &str,
) -> Outcome<SecretVersion> {
    let text = text::clean(text, "secretText", LONGEST_SECRET, true)?;
    let refusal = "only variants of shared secrets have versions of a secret";
    must_take_within(conn, actor, id, Supply::Shared, refusal).await?;
    secrets::publish(conn, kit, actor, id, &text).await
}

/// A variant's kind never changes, so it need not be looked at again under a lock. `NOT_FOUND`, `INVALID`.
async fn must_take(kit: &Kit, actor: &Actor, id: VariantId, supply: Supply, text: &str) -> Outcome<()> {
    must_take_within(&mut *kit.db.conn().await?, actor, id, supply, text).await
}

async fn must_take_within(
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    id: VariantId,
    supply: Supply,
    text: &str,
) -> Outcome<()> {
    let sold = read::find_sold(conn, id).await?;
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such variant").at(["variantId"]);
    let (_, kind) = sold.filter(|(seller, _)| actor.sells_for(*seller)).ok_or_else(missing)?;
    match registry::supply(&kind) == Some(supply) {
        true => Ok(()),
        false => Err(Refusal::new(ErrorCode::Invalid, text).at(["variantId"]).into()),
    }
}

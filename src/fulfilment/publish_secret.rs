//! A version of a shared secret comes in, and the lines that wait for it are filled.

use crate::base::actor::Actor;
use crate::base::ids::VariantId;
use crate::base::outcome::Outcome;
use crate::catalogue::intake;
use crate::fulfilment::jobs::Fill;
use crate::fulfilment::store;
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::kit::Kit;
use crate::vault::secrets::SecretVersion;

/// Publishes a text as the newest version of a variant's secret. Earlier buyers see it too when later versions belong to
/// their purchase. A repeat of the newest text answers the version that there is. `INVALID`, `NOT_FOUND`.
pub async fn publish_secret(kit: &Kit, actor: &Actor, id: VariantId, text: &str) -> Outcome<SecretVersion> {
    let mut tx = kit.db.begin().await?;
    // Before the variant's row, as a fill does it. Under this lock a line that begins to wait now either is seen here or
    // sees this version.
    store::lock_variant(&mut tx, id).await?;
    let version = intake::publish_secret(&mut tx, kit, actor, id, text).await?;
    if store::is_awaiting_stock(&mut tx, id).await? {
        jobs::add(&tx, &[Fill { variant: id }.job()]).await?;
    }
    crate::fault_point!("secret.published");
    tx.commit().await?;
    kit.bell.ring();
    Ok(version)
}

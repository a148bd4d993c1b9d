//! A version of a file comes in, and what was left to a person for want of one is served.

use crate::base::actor::Actor;
use crate::base::outcome::Outcome;
use crate::catalogue::intake;
use crate::files::model::FileVersion;
use crate::files::publish::NewVersion;
use crate::fulfilment::jobs::FilePublished;
use crate::fulfilment::store;
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::kit::Kit;

/// Publishes a complete upload as the newest version of a file of the variant; see [`intake::publish_file`].
pub async fn publish_file(kit: &Kit, actor: &Actor, new: NewVersion) -> Outcome<FileVersion> {
    let variant = new.variant_id;
    let mut tx = kit.db.begin().await?;
    let published = intake::publish_file(&mut tx, kit, actor, new).await?;
    // Under the lock, so that a unit which is left to a person now either is seen here or sees this version.
    store::lock_variant(&mut tx, variant).await?;
    if store::is_awaiting_person(&mut tx, variant).await? {
        jobs::add(&tx, &[FilePublished { variant }.job()]).await?;
    }
    tx.commit().await?;
    kit.bell.ring();
    Ok(published)
}

//! An upload becomes what buyers get.

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{FileId, FileVersionId, UploadId, VariantId};
use crate::base::outcome::{Outcome, Refusal};
use crate::base::text;
use crate::files::jobs::FilePublished;
use crate::files::model::{FileVersion, Upload};
use crate::files::state::UploadChange;
use crate::files::store;
use crate::files::{events, name, read, upload};
use crate::infra;
use crate::infra::db::{ResultExt, one};
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::kit::Kit;
use crate::infra::stock_lock;

/// A version to be published.
#[derive(Clone, Debug)]
pub struct NewVersion {
    pub variant_id: VariantId,
    pub upload_id: UploadId,
    /// The file this is a version of. `None`: the variant's file of the same name, or a new file.
    pub file_id: Option<FileId>,
    /// `None`: the upload's name.
    pub name: Option<String>,
    /// What the seller calls this version (`1.2.0`), unique within the file.
    pub version: String,
    /// Markdown, and the language it is in.
    pub notes: Option<(String, text::Locale)>,
}

/// Publishes a complete upload as the newest version of a file of the variant. Earlier buyers get it too when the
/// variant includes updates. Each upload is published once.
pub async fn publish_version(kit: &Kit, actor: &Actor, new: NewVersion) -> Outcome<FileVersion> {
    let not_found = |what: &str, field: &str| {
        Refusal::new(ErrorCode::NotFound, format!("there is no such {what}")).at([field])
    };
    let version = text::clean(&new.version, "version", 60, false)?;
    let notes = match &new.notes {
        Some((notes, locale)) => Some((text::clean(notes, "notes", 10_000, true)?, *locale)),
        None => None,
    };
    let mut tx = kit.db.begin().await?;
    // The lock makes two first versions of one name share a file.
    let variant = store::lock_variant(&mut tx, new.variant_id)
        .await?
        .filter(|v| actor.sells_for(v.seller_id))
        .ok_or_else(|| not_found("variant", "variantId"))?;
    let upload = store::lock_upload(&mut tx, new.upload_id)
        .await?
        .filter(|u| u.seller_id == variant.seller_id)
        .ok_or_else(|| not_found("upload", "uploadId"))?;
    upload::may(&upload, UploadChange::Publish).map_err(|r| r.at(["uploadId"]))?;
    let Upload { sha256: Some(sha256), blob: Some(blob), .. } = upload.clone() else {
        return Err(Refusal::new(ErrorCode::FileNotReady, "this upload has no content yet")
            .at(["uploadId"])
            .into());
    };
    let name = match &new.name {
        Some(typed) => name::typed(typed)?,
        None => upload.name.clone(),
    };
    let file = match new.file_id {
        Some(id) => {
            store::find_file(&mut tx, new.variant_id, id).await?.ok_or_else(|| not_found("file", "fileId"))?
        }
        None => match store::find_file_by_name(&mut tx, new.variant_id, &name).await? {
            Some(id) => id,
            None => {
                let id = FileId(kit.clock.uuid());
                store::insert_file(&mut tx, id, &variant, &name).await?;
                id
            }
        },
    };
    let published = FileVersion {
        id: FileVersionId(kit.clock.uuid()),
        seller_id: variant.seller_id,
        file_id: file,
        name,
        version,
        size: upload.size,
        sha256,
        content_type: upload.content_type.clone(),
        blob,
        published_at: kit.clock.now(),
        yanked_at: None,
    };
    store::insert_version(&mut tx, &published).await.on_constraint("file_version_name_key", || {
        Refusal::new(ErrorCode::Invalid, "this file has a version of that name already").at(["version"])
    })?;
    if let Some((notes, locale)) = &notes {
        store::insert_notes(&mut tx, published.id, *locale, notes).await?;
    }
    one(store::advance_upload_used(&mut tx, upload.id).await?, "upload")?;
    let rows = [
        events::upload(events::UploadEvent::Used, &upload, &actor.label()),
        events::published(&published, new.variant_id, actor),
    ];
    infra::effects::events::append(&tx, &rows).await?;
    // Under the lock, so that a unit which is left to a person now either is seen here or sees this version.
    stock_lock::take(&mut tx, new.variant_id).await?;
    if store::has_units_left_to_a_person(&mut tx, new.variant_id).await? {
        let follow = FilePublished { variant: new.variant_id }.job();
        jobs::add(&tx, &[follow]).await?;
    }
    tx.commit().await?;
    kit.bell.ring();
    Ok(published)
}

/// Stops serving a version, at once and also to those who are downloading it. Doing so twice is no error.
pub async fn yank_version(kit: &Kit, actor: &Actor, id: FileVersionId) -> Outcome<FileVersion> {
    let mut tx = kit.db.begin().await?;
    let mut version = read::find_version(&mut tx, id)
        .await?
        .filter(|v| actor.sells_for(v.seller_id))
        .ok_or_else(|| Refusal::new(ErrorCode::NotFound, "there is no such file version"))?;
    if store::advance_yanked(&mut tx, id).await? == 1 {
        infra::effects::events::append(&tx, &[events::yanked(&version, actor)]).await?;
        version.yanked_at = Some(kit.clock.now());
    }
    tx.commit().await?;
    Ok(version)
}

//! An upload becomes what buyers get.

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{FileId, FileVersionId, SellerId, UploadId, VariantId};
use crate::base::outcome::{Outcome, Refusal};
use crate::base::text;
use crate::files::model::{FileVersion, Upload};
use crate::files::state::UploadChange;
use crate::files::store;
use crate::files::{events, name, read, upload};
use crate::infra;
use crate::infra::db::{ResultExt, one};
use crate::infra::kit::Kit;
use diesel_async::AsyncPgConnection;

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

impl NewVersion {
    /// With its texts as they are stored. `INVALID`.
    pub fn cleaned(self) -> Result<Self, Refusal> {
        let version = text::clean(&self.version, "version", 60, false)?;
        let notes = match &self.notes {
            Some((notes, locale)) => Some((text::clean(notes, "notes", 10_000, true)?, *locale)),
            None => None,
        };
        Ok(Self { version, notes, ..self })
    }
}

/// Publishes a complete upload as the newest version of a file of the variant, in the caller's transaction: it has locked
/// the variant, so that two first versions of one name share a file, and writes the notes. Earlier buyers get it too when
/// the variant includes updates. Each upload is published once.
pub async fn publish_version(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    actor: &Actor,
    seller: SellerId,
    new: &NewVersion,
) -> Outcome<FileVersion> {
    let not_found = |what: &str, field: &str| {
        Refusal::new(ErrorCode::NotFound, format!("there is no such {what}")).at([field])
    };
    let upload = store::lock_upload(conn, new.upload_id)
        .await?
        .filter(|u| u.seller_id == seller)
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
            store::find_file(conn, new.variant_id, id).await?.ok_or_else(|| not_found("file", "fileId"))?
        }
        None => match store::find_file_by_name(conn, new.variant_id, &name).await? {
            Some(id) => id,
            None => {
                let id = FileId(kit.clock.uuid());
                store::insert_file(conn, id, (seller, new.variant_id), &name).await?;
                id
            }
        },
    };
    let published = FileVersion {
        id: FileVersionId(kit.clock.uuid()),
        seller_id: seller,
        file_id: file,
        name,
        version: new.version.clone(),
        size: upload.size,
        sha256,
        content_type: upload.content_type.clone(),
        blob,
        published_at: kit.clock.now(),
        yanked_at: None,
    };
    store::insert_version(conn, &published).await.on_constraint("file_version_name_key", || {
        Refusal::new(ErrorCode::Invalid, "this file has a version of that name already").at(["version"])
    })?;
    one(store::advance_upload_used(conn, upload.id).await?, "upload")?;
    let rows = [
        events::upload(events::UploadEvent::Used, &upload, &actor.label()),
        events::published(&published, new.variant_id, actor),
    ];
    infra::effects::events::append(conn, &rows).await?;
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

//! Bodies on their way into the shop. An upload is announced with its length and then sent in one piece: it is
//! complete or it is nothing.

use bytes::Bytes;
use chrono::TimeDelta;
use futures::{Stream, StreamExt};

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{SellerId, UploadId};
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::files::model::Upload;
use crate::files::state::{UploadChange, UploadState};
use crate::files::store;
use crate::files::{events, name, read};
use crate::infra;
use crate::infra::kit::Kit;

/// How long an upload may stay open, or complete and unused, hours.
const LIFE: i64 = 24;

/// What is announced.
#[derive(Clone, Debug)]
pub struct NewUpload {
    pub seller_id: SellerId,
    /// As typed; a path is cut to its last part.
    pub name: String,
    pub content_type: Option<String>,
    /// Bytes.
    pub size: u64,
}

/// Announces an upload. Only a seller may, up to `storage.largest_file`.
pub async fn create_upload(kit: &Kit, actor: &Actor, new: NewUpload) -> Outcome<Upload> {
    if !actor.sells_for(new.seller_id) {
        return Err(Refusal::new(ErrorCode::Forbidden, "only sellers upload files").into());
    }
    if new.size > kit.config.storage.largest_file {
        let text = format!("a file has at most {} bytes", kit.config.storage.largest_file);
        return Err(Refusal::new(ErrorCode::BodyTooLarge, text).at(["size"]).into());
    }
    let upload = Upload {
        id: UploadId(kit.clock.uuid()),
        seller_id: new.seller_id,
        user_id: actor.user_id(),
        name: name::typed(&new.name)?,
        content_type: name::media_type(new.content_type.as_deref().unwrap_or_default()),
        size: new.size as i64,
        received: 0,
        state: UploadState::Open,
        sha256: None,
        blob: None,
        expires_at: kit.clock.now() + TimeDelta::hours(LIFE),
    };
    let mut tx = kit.db.begin().await?;
    store::insert_upload(&mut tx, &upload).await?;
    infra::effects::events::append(
        &tx,
        &[events::upload(events::UploadEvent::Created, &upload, &actor.label())],
    )
    .await?;
    tx.commit().await?;
    Ok(upload)
}

/// The upload, for whoever sells for its seller; to others it does not exist.
pub async fn find_upload(kit: &Kit, actor: &Actor, id: UploadId) -> Outcome<Upload> {
    let mut conn = kit.db.conn().await?;
    match read::find_upload(&mut conn, id).await? {
        Some(upload) if actor.sells_for(upload.seller_id) => Ok(upload),
        _ => Err(Refusal::new(ErrorCode::NotFound, "there is no such upload").into()),
    }
}

/// Takes the whole body. One that is shorter or longer than announced, or that breaks off, leaves the upload open
/// and nothing behind.
pub async fn receive_upload<E: std::fmt::Display>(
    kit: &Kit,
    actor: &Actor,
    id: UploadId,
    mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> Outcome<Upload> {
    let upload = find_upload(kit, actor, id).await?;
    may(&upload, UploadChange::Finish)?;
    let mut blob = kit.blobs.create(kit.clock.uuid()).await?;
    while let Some(piece) = body.next().await {
        let broke_off = |e: E| Refusal::new(ErrorCode::LengthWrong, format!("the body broke off: {e}"));
        let piece = piece.map_err(broke_off)?;
        if blob.size() + piece.len() as u64 > upload.size as u64 {
            let text = format!("the body is longer than the {} bytes announced", upload.size);
            return Err(Refusal::new(ErrorCode::BodyTooLarge, text).into());
        }
        blob.write(&piece).await?;
    }
    if blob.size() != upload.size as u64 {
        let text = format!("the body has {} bytes in place of the {} announced", blob.size(), upload.size);
        return Err(Refusal::new(ErrorCode::LengthWrong, text).into());
    }
    let stored = blob.finish().await?;
    crate::fault_point!("upload.stored");
    let finished = Upload {
        state: UploadState::Complete,
        received: upload.size,
        sha256: Some(stored.sha256.to_vec()),
        blob: Some(stored.key.clone()),
        ..upload
    };
    match complete(kit, actor, &finished).await {
        Ok(()) => Ok(finished),
        Err(failure) => {
            // Another body of this upload came first. When the outcome is unknown the content stays, and the sweep
            // removes what nothing names.
            if matches!(failure, crate::base::outcome::Failure::Refused(_)) {
                kit.blobs.remove(&stored.key).await?;
            }
            Err(failure)
        }
    }
}

async fn complete(kit: &Kit, actor: &Actor, finished: &Upload) -> Outcome<()> {
    let mut tx = kit.db.begin().await?;
    if store::advance_upload_complete(&mut tx, finished).await? != 1 {
        return Err(Refusal::new(
            ErrorCode::Conflict,
            "this upload has its body already, or its time has passed",
        )
        .into());
    }
    infra::effects::events::append(
        &tx,
        &[events::upload(events::UploadEvent::Completed, finished, &actor.label())],
    )
    .await?;
    Ok(tx.commit().await?)
}

/// Gives an upload up. Doing so twice is no error; one that was published stays.
pub async fn remove_upload(kit: &Kit, actor: &Actor, id: UploadId) -> Outcome<()> {
    let upload = find_upload(kit, actor, id).await?;
    may(&upload, UploadChange::Expire)?;
    let mut tx = kit.db.begin().await?;
    let expired = store::advance_upload_expired(&mut tx, upload.id).await?;
    if expired.is_none() {
        return Err(Refusal::new(ErrorCode::Conflict, "this upload was used meanwhile").into());
    }
    infra::effects::events::append(
        &tx,
        &[events::upload(events::UploadEvent::Expired, &upload, &actor.label())],
    )
    .await?;
    tx.commit().await?;
    if let Some(key) = expired.and_then(|e| e.blob) {
        kit.blobs.remove(&key).await?;
    }
    Ok(())
}

/// The upload's state decides; the row's own condition decides again.
pub fn may(upload: &Upload, change: UploadChange) -> Result<(), Refusal> {
    match upload.state.after(change) {
        Ok(_) => Ok(()),
        Err(_) if change == UploadChange::Publish => Err(Refusal::new(
            ErrorCode::FileNotReady,
            "this upload has no content yet, or was published before",
        )),
        Err(_) => Err(Refusal::new(ErrorCode::Conflict, "this upload has its body already")),
    }
}

/// Ends uploads whose time has passed, and removes contents that nothing names; how many uploads ended.
pub async fn expire_uploads(kit: &Kit) -> Result<usize, Fault> {
    let mut tx = kit.db.begin().await?;
    let expired = store::claim_expired_uploads(&mut tx, 500).await?;
    let rows: Vec<_> =
        expired.iter().map(|u| events::upload(events::UploadEvent::Expired, u, "system")).collect();
    infra::effects::events::append(&tx, &rows).await?;
    tx.commit().await?;
    for key in expired.iter().filter_map(|u| u.blob.as_deref()) {
        kit.blobs.remove(key).await?;
    }
    let before = kit.clock.now() - TimeDelta::hours(LIFE);
    kit.blobs.remove_unfinished(before).await?;
    // A crash between a content's rename and its row leaves a content that nobody can reach.
    let listed: Vec<String> = kit.blobs.list(before).await?.into_iter().map(|l| l.key).collect();
    for keys in listed.chunks(1_000) {
        let mut conn = kit.db.conn().await?;
        let known = store::list_known_blobs(&mut conn, keys).await?;
        for key in keys.iter().filter(|key| !known.contains(*key)) {
            kit.blobs.remove(key).await?;
        }
    }
    Ok(expired.len())
}

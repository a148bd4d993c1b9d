//! What is recorded of files, of the right to download them, and of downloads.

use chrono::{DateTime, Utc};

use crate::base::actor::Actor;
use crate::base::ids::{FileId, FileVersionId, GrantId, UnitId, UploadId, VariantId};
use crate::files::model::{FileVersion, Granted, Upload};
use crate::infra::effects::events::{Event, NewEvent, event_kinds};
use crate::infra::effects::record::record;

record! {
    pub struct OfGrant {
        unit: UnitId,
        file: FileId,
        file_version: FileVersionId,
    }

    pub struct Extended {
        /// How many more downloads.
        more: i32,
        /// Until when, if a time was set.
        until: Option<DateTime<Utc>>,
    }

    pub struct OfUpload {
        /// In bytes.
        size: i64,
    }

    pub struct Published {
        file: FileId,
        variant: VariantId,
        sha256: String,
        /// In bytes.
        size: i64,
    }

    pub struct Yanked {
        file: FileId,
    }
}

event_kinds! {
    /// Events of the right to download a file.
    pub enum GrantEvent {
        /// The right was given.
        "grant.created" Created(GrantId, OfGrant),
        /// The right was taken back.
        "grant.revoked" Revoked(GrantId, OfGrant),
        /// Staff allowed more downloads, or a longer time.
        "grant.extended" Extended(GrantId, Extended),
    }
}

event_kinds! {
    /// Events of uploads.
    pub enum UploadEvent {
        /// An upload was announced.
        "upload.created" Created(UploadId, OfUpload),
        /// All bytes are here.
        "upload.completed" Completed(UploadId, OfUpload),
        /// A file was published from it.
        "upload.used" Used(UploadId, OfUpload),
        /// It was not used in time.
        "upload.expired" Expired(UploadId, OfUpload),
    }
}

event_kinds! {
    /// Events of versions of files.
    pub enum FileEvent {
        /// A version was published.
        "file.published" Published(FileVersionId, Published),
        /// A version was withdrawn.
        "file.yanked" Yanked(FileVersionId, Yanked),
    }
}

fn of_grant(kind: fn(GrantId, OfGrant) -> GrantEvent, grant: &Granted, actor: &str) -> NewEvent {
    let body = OfGrant { unit: grant.unit_id, file: grant.file_id, file_version: grant.file_version_id };
    kind(grant.id, body).by(actor).of_order(grant.order_id).of_seller(grant.seller_id)
}

/// One per grant.
pub(super) fn created(grants: &[Granted], actor: &str) -> Vec<NewEvent> {
    grants.iter().map(|g| of_grant(GrantEvent::Created, g, actor)).collect()
}

/// One per grant.
pub fn revoked(grants: &[Granted], actor: &str) -> Vec<NewEvent> {
    grants.iter().map(|g| of_grant(GrantEvent::Revoked, g, actor)).collect()
}

/// An event of an upload, as `kind` makes it.
pub(super) fn upload(kind: fn(UploadId, OfUpload) -> UploadEvent, upload: &Upload, actor: &str) -> NewEvent {
    kind(upload.id, OfUpload { size: upload.size }).by(actor).of_seller(upload.seller_id)
}

pub(super) fn published(version: &FileVersion, variant: VariantId, actor: &Actor) -> NewEvent {
    let (sha256, size) = (hex::encode(&version.sha256), version.size);
    FileEvent::Published(version.id, Published { file: version.file_id, variant, sha256, size })
        .by(actor.label())
        .of_seller(version.seller_id)
}

pub(super) fn yanked(version: &FileVersion, actor: &Actor) -> NewEvent {
    FileEvent::Yanked(version.id, Yanked { file: version.file_id })
        .by(actor.label())
        .of_seller(version.seller_id)
}

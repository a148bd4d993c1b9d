//! What the event rows of this feature say: ids and numbers only.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::base::actor::Actor;
use crate::base::ids::{DownloadSessionId, FileVersionId, VariantId};
use crate::downloads::model::{FileVersion, Granted, Standing, Upload};
use crate::infra::events::NewEvent;

fn of_grant(kind: &'static str, grant: &Granted, actor: &str) -> NewEvent {
    let body = json!({
        "unit": grant.unit_id.to_string(),
        "file": grant.file_id.to_string(),
        "file_version": grant.file_version_id.to_string(),
    });
    NewEvent::shop(kind, grant.id.0, actor, body).of_order(grant.order_id).of_seller(grant.seller_id)
}

/// `grant.created`, one per grant.
pub fn created(grants: &[Granted], actor: &str) -> Vec<NewEvent> {
    grants.iter().map(|g| of_grant("grant.created", g, actor)).collect()
}

/// `grant.revoked`, one per grant.
pub fn revoked(grants: &[Granted], actor: &str) -> Vec<NewEvent> {
    grants.iter().map(|g| of_grant("grant.revoked", g, actor)).collect()
}

/// `download.started`: a download was counted.
pub fn started(standing: &Standing, session: DownloadSessionId, version: FileVersionId) -> NewEvent {
    let body = json!({
        "grant": standing.grant_id.to_string(),
        "unit": standing.unit_id.to_string(),
        "file_version": version.to_string(),
        "used": standing.used + 1,
    });
    NewEvent::shop("download.started", session.0, "buyer", body)
        .of_order(standing.order_id)
        .of_seller(standing.seller_id)
}

/// `grant.extended`: staff gave more.
pub fn extended(standing: &Standing, more: i32, until: Option<DateTime<Utc>>, actor: &Actor) -> NewEvent {
    let body = json!({ "more": more, "until": until });
    NewEvent::shop("grant.extended", standing.grant_id.0, actor.label(), body)
        .of_order(standing.order_id)
        .of_seller(standing.seller_id)
}

/// `upload.created`, `upload.completed`, `upload.used`, `upload.expired`.
pub fn upload(kind: &'static str, upload: &Upload, actor: &str) -> NewEvent {
    NewEvent::shop(kind, upload.id.0, actor, json!({ "size": upload.size })).of_seller(upload.seller_id)
}

/// `file.published`.
pub fn published(version: &FileVersion, variant: VariantId, actor: &Actor) -> NewEvent {
    let body = json!({
        "file": version.file_id.to_string(),
        "variant": variant.to_string(),
        "sha256": hex::encode(&version.sha256),
        "size": version.size,
    });
    NewEvent::shop("file.published", version.id.0, actor.label(), body).of_seller(version.seller_id)
}

/// `file.yanked`.
pub fn yanked(version: &FileVersion, actor: &Actor) -> NewEvent {
    let body = json!({ "file": version.file_id.to_string() });
    NewEvent::shop("file.yanked", version.id.0, actor.label(), body).of_seller(version.seller_id)
}

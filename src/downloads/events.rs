//! What the event rows of this feature say: ids and numbers only.

use serde_json::json;

use crate::downloads::model::Granted;
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

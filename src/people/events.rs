//! What people did, as event rows: ids and codes only.

use serde_json::json;

use crate::base::actor::Role;
use crate::base::ids::{SessionId, UserId};
use crate::infra::events::NewEvent;

pub(super) fn registered(user: UserId) -> NewEvent {
    NewEvent::shop("user.registered", user.0, user.to_string(), json!({}))
}

pub(super) fn email_confirmed(user: UserId) -> NewEvent {
    NewEvent::shop("user.email_confirmed", user.0, user.to_string(), json!({}))
}

pub(super) fn password_changed(user: UserId, how: &'static str) -> NewEvent {
    NewEvent::shop("user.password_changed", user.0, user.to_string(), json!({ "how": how }))
}

pub(super) fn roles_changed(user: UserId, actor: String, before: &[Role], after: &[Role]) -> NewEvent {
    let names = |roles: &[Role]| roles.iter().map(|r| r.as_str()).collect::<Vec<_>>();
    let body = json!({ "before": names(before), "after": names(after) });
    NewEvent::shop("user.roles_changed", user.0, actor, body)
}

pub(super) fn state_changed(user: UserId, actor: String, before: &str, after: &str) -> NewEvent {
    NewEvent::shop("user.state_changed", user.0, actor, json!({ "before": before, "after": after }))
}

pub(super) fn session_started(session: SessionId, user: UserId) -> NewEvent {
    NewEvent::shop("session.started", session.0, user.to_string(), json!({ "user": user.to_string() }))
}

pub(super) fn session_ended(session: SessionId, actor: String, reason: &'static str) -> NewEvent {
    NewEvent::shop("session.ended", session.0, actor, json!({ "reason": reason }))
}

/// A spent refresh token came again after its successor was known to have arrived: one of the two was stolen.
pub(super) fn refresh_reused(session: SessionId, user: UserId) -> NewEvent {
    NewEvent::shop("session.refresh_reused", session.0, "guest", json!({ "user": user.to_string() }))
}

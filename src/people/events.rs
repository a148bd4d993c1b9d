//! What is recorded of people and their sessions: never an address, never a name.

use crate::base::actor::Role;
use crate::base::ids::{ApiClientId, SessionId, UserId};
use crate::infra::effects::events::{Event, NewEvent, event_kinds};
use crate::infra::effects::record::{Nothing, record};

record! {
    pub struct PasswordChanged {
        /// Open code: `change`, `reset`, `operator`.
        how: String,
    }

    pub struct RolesChanged {
        before: Vec<String>,
        after: Vec<String>,
    }

    pub struct StateChanged {
        before: String,
        after: String,
    }

    pub struct OfUser {
        user: UserId,
    }

    pub struct OfApiClient {
        /// What it may.
        scopes: Vec<String>,
        state: String,
        /// Grows with each edit.
        version: i32,
    }

    pub struct Ended {
        /// Open code.
        reason: String,
    }
}

event_kinds! {
    /// Events of people.
    pub enum UserEvent {
        /// A person registered.
        "user.registered" Registered(UserId, Nothing),
        /// A person proved the mail address.
        "user.email_confirmed" EmailConfirmed(UserId, Nothing),
        /// The password was changed.
        "user.password_changed" PasswordChanged(UserId, PasswordChanged),
        /// The roles were changed.
        "user.roles_changed" RolesChanged(UserId, RolesChanged),
        /// The person was suspended, or may sign in again.
        "user.state_changed" StateChanged(UserId, StateChanged),
    }
}

event_kinds! {
    /// Events of API clients.
    pub enum ApiClientEvent {
        /// A client was made.
        "api_client.created" Created(ApiClientId, OfApiClient),
        /// It was edited, retired or made active again.
        "api_client.updated" Updated(ApiClientId, OfApiClient),
        /// Its secret was changed.
        "api_client.secret_rotated" SecretRotated(ApiClientId, OfApiClient),
    }
}

event_kinds! {
    /// Events of sessions.
    pub enum SessionEvent {
        /// A person signed in.
        "session.started" Started(SessionId, OfUser),
        /// A session has ended.
        "session.ended" Ended(SessionId, Ended),
        /// A spent refresh token came again after its successor was known to have arrived: one of the two was stolen.
        "session.refresh_reused" RefreshReused(SessionId, OfUser),
    }
}

pub(super) fn registered(user: UserId) -> NewEvent {
    UserEvent::Registered(user, Nothing {}).by(user.to_string())
}

pub(super) fn email_confirmed(user: UserId) -> NewEvent {
    UserEvent::EmailConfirmed(user, Nothing {}).by(user.to_string())
}

pub(super) fn password_changed(user: UserId, how: &'static str) -> NewEvent {
    UserEvent::PasswordChanged(user, PasswordChanged { how: how.into() }).by(user.to_string())
}

pub(super) fn roles_changed(user: UserId, actor: String, before: &[Role], after: &[Role]) -> NewEvent {
    let names = |roles: &[Role]| roles.iter().map(|r| r.as_str().to_owned()).collect();
    UserEvent::RolesChanged(user, RolesChanged { before: names(before), after: names(after) }).by(actor)
}

pub(super) fn state_changed(user: UserId, actor: String, before: &str, after: &str) -> NewEvent {
    UserEvent::StateChanged(user, StateChanged { before: before.into(), after: after.into() }).by(actor)
}

pub(super) fn session_started(session: SessionId, user: UserId) -> NewEvent {
    SessionEvent::Started(session, OfUser { user }).by(user.to_string())
}

pub(super) fn session_ended(session: SessionId, actor: String, reason: &'static str) -> NewEvent {
    SessionEvent::Ended(session, Ended { reason: reason.into() }).by(actor)
}

pub(super) fn refresh_reused(session: SessionId, user: UserId) -> NewEvent {
    SessionEvent::RefreshReused(session, OfUser { user }).by("guest")
}

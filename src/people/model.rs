//! Rows of people and what actions return.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use crate::base::actor::Role;
use crate::base::ids::{SellerId, SessionId, UserId};
use crate::base::secret::Secret;
use crate::infra::db::schema::{app_user, session};
use crate::people::state::UserState;

crate::text_column!(UserState);

/// A person. The password's hash stays in the store.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = app_user)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub email_normalised: String,
    pub email_confirmed_at: Option<DateTime<Utc>>,
    pub name: Option<String>,
    pub locale: String,
    pub state: UserState,
    /// Grows with each change of password or roles.
    pub generation: i32,
    pub created_at: DateTime<Utc>,
}

/// A person with rights.
#[derive(Clone, Debug)]
pub struct Profile {
    pub user: User,
    pub roles: Vec<Role>,
    pub sellers: Vec<SellerId>,
}

/// A sign-in on a device.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = session)]
pub struct Session {
    pub id: SessionId,
    pub user_id: UserId,
    pub device: String,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// What a device keeps.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: Secret,
    pub access_expires_at: DateTime<Utc>,
    pub refresh: Secret,
    pub refresh_expires_at: DateTime<Utc>,
}

/// A sign-in that succeeded, or a refreshed one.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub user_id: UserId,
    pub session_id: SessionId,
    pub tokens: Tokens,
}

/// A person on the way in: what the password is compared with.
#[derive(QueryableByName)]
pub(super) struct Credentials {
    #[diesel(sql_type = SqlUuid)]
    pub id: UserId,
    #[diesel(sql_type = Nullable<Text>)]
    pub password_hash: Option<String>,
    #[diesel(sql_type = Text)]
    pub state: UserState,
    #[diesel(sql_type = Integer)]
    pub generation: i32,
    #[diesel(sql_type = Bool)]
    pub confirmed: bool,
    #[diesel(sql_type = Text)]
    pub email: String,
    #[diesel(sql_type = Text)]
    pub locale: String,
}

/// All that decides whether an access token is still good.
#[derive(QueryableByName)]
pub(super) struct SessionStanding {
    #[diesel(sql_type = SqlUuid)]
    pub user_id: UserId,
    #[diesel(sql_type = Bool)]
    pub session_ended: bool,
    #[diesel(sql_type = Integer)]
    pub session_generation: i32,
    #[diesel(sql_type = Integer)]
    pub generation: i32,
    #[diesel(sql_type = Text)]
    pub state: UserState,
    #[diesel(sql_type = Array<Text>)]
    pub roles: Vec<String>,
    #[diesel(sql_type = Array<SqlUuid>)]
    pub sellers: Vec<SellerId>,
    /// The refresh token that came with this access token was not yet known to have arrived.
    #[diesel(sql_type = Bool)]
    pub unconfirmed: bool,
}

/// A session as refreshing sees it.
#[derive(QueryableByName)]
pub(super) struct Family {
    #[diesel(sql_type = SqlUuid)]
    pub user_id: UserId,
    #[diesel(sql_type = Bool)]
    pub alive: bool,
    #[diesel(sql_type = Integer)]
    pub generation: i32,
    #[diesel(sql_type = Timestamptz)]
    pub expires_at: DateTime<Utc>,
}

#[derive(QueryableByName)]
pub(super) struct RefreshRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub successor_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Bytea>)]
    pub sealed: Option<Vec<u8>>,
    #[diesel(sql_type = Bool)]
    pub confirmed: bool,
    #[diesel(sql_type = Timestamptz)]
    pub expires_at: DateTime<Utc>,
}

/// A code to be mailed.
pub(super) struct NewCode<'a> {
    pub id: Uuid,
    pub purpose: &'a str,
    /// Normalised.
    pub email: &'a str,
    pub user_id: Option<UserId>,
    pub registration_id: Option<Uuid>,
    pub client_key: &'a str,
    pub expires_at: DateTime<Utc>,
}

/// A mailed code that may still be used.
#[derive(QueryableByName)]
pub(super) struct CodeRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub user_id: Option<UserId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub registration_id: Option<Uuid>,
}

/// How many of something an address had within an hour: asked for by one client, and by all.
#[derive(QueryableByName)]
pub(super) struct Recent {
    #[diesel(sql_type = BigInt)]
    pub here: i64,
    #[diesel(sql_type = BigInt)]
    pub everywhere: i64,
}

/// A registration that waits for its confirmation.
#[derive(QueryableByName)]
pub(super) struct Pending {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    pub email: String,
    #[diesel(sql_type = Text)]
    pub password_hash: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub name: Option<String>,
    #[diesel(sql_type = Text)]
    pub locale: String,
}

#[derive(QueryableByName)]
pub(super) struct SessionKey {
    #[diesel(sql_type = SqlUuid)]
    pub id: SessionId,
}

//! All SQL that writes people, and the locked reads that go before.

mod codes;
mod registrations;

pub(super) use codes::*;
pub(super) use registrations::*;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::actor::Role;
use crate::base::ids::{SellerId, SessionId, UserId};
use crate::infra::db::schema::{app_user, seller_member, user_role};
use crate::infra::db::statement::Statement;
use crate::people::model::{Credentials, Family, RefreshRow, SessionKey, SessionStanding, User};
use crate::people::state::UserState;

type Conn = AsyncPgConnection;

const CREDENTIALS_BY_EMAIL: &str = "select id, password_hash, state, generation, \
    email_confirmed_at is not null as confirmed, email, locale from app_user where email_normalised = $1";

pub(super) async fn find_credentials(conn: &mut Conn, email: &str) -> QueryResult<Option<Credentials>> {
    Statement::new(CREDENTIALS_BY_EMAIL).bind::<Text, _>(email).get_result(conn).await.optional()
}

const CREDENTIALS_OF: &str = "select id, password_hash, state, generation, \
    email_confirmed_at is not null as confirmed, email, locale from app_user where id = $1";

pub(super) async fn find_credentials_of(conn: &mut Conn, user: UserId) -> QueryResult<Option<Credentials>> {
    Statement::new(CREDENTIALS_OF).bind::<SqlUuid, _>(user).get_result(conn).await.optional()
}

pub(super) async fn lock_user(conn: &mut Conn, user: UserId) -> QueryResult<Option<User>> {
    app_user::table.find(user).select(User::as_select()).for_update().get_result(conn).await.optional()
}

const INSERT_USER: &str = "insert into app_user (id, email, email_normalised, email_confirmed_at, password_hash, name, \
    locale) select $1, $2, $3, case when $4 then app_now() end, $5, $6, $7 \
    on conflict (email_normalised) do nothing";

/// A person about to be stored.
pub(super) struct NewUser<'a> {
    pub id: UserId,
    pub email: &'a str,
    pub email_normalised: &'a str,
    pub confirmed: bool,
    pub password_hash: &'a str,
    pub name: Option<&'a str>,
    pub locale: &'a str,
}

/// Whether the row was added; false when the address is taken.
pub(super) async fn insert_user(conn: &mut Conn, user: &NewUser<'_>) -> QueryResult<bool> {
    let added = Statement::new(INSERT_USER)
        .bind::<SqlUuid, _>(user.id)
        .bind::<Text, _>(user.email)
        .bind::<Text, _>(user.email_normalised)
        .bind::<diesel::sql_types::Bool, _>(user.confirmed)
        .bind::<Text, _>(user.password_hash)
        .bind::<Nullable<Text>, _>(user.name)
        .bind::<Text, _>(user.locale)
        .execute(conn)
        .await?;
    Ok(added == 1)
}

const CONFIRM_EMAIL: &str =
    "update app_user set email_confirmed_at = app_now() where id = $1 and email_confirmed_at is null";

/// Whether it was not confirmed before.
pub(super) async fn advance_email_confirmed(conn: &mut Conn, user: UserId) -> QueryResult<bool> {
    Ok(Statement::new(CONFIRM_EMAIL).bind::<SqlUuid, _>(user).execute(conn).await? == 1)
}

const SET_PASSWORD: &str = "update app_user set password_hash = $1, generation = generation + 1 \
    where id = $2 and generation = $3 and state = 'active'";

/// Ends every access token of the person. False when the person changed meanwhile.
pub(super) async fn advance_password(
    conn: &mut Conn,
    user: UserId,
    generation: i32,
    hash: &str,
) -> QueryResult<bool> {
    let set = Statement::new(SET_PASSWORD)
        .bind::<Text, _>(hash)
        .bind::<SqlUuid, _>(user)
        .bind::<Integer, _>(generation)
        .execute(conn)
        .await?;
    Ok(set == 1)
}

const REHASH: &str = "update app_user set password_hash = $1 where id = $2 and password_hash = $3";

/// The same password under stronger parameters; nothing when it was changed meanwhile.
pub(super) async fn advance_hash(conn: &mut Conn, user: UserId, old: &str, new: &str) -> QueryResult<usize> {
    Statement::new(REHASH)
        .bind::<Text, _>(new)
        .bind::<SqlUuid, _>(user)
        .bind::<Text, _>(old)
        .execute(conn)
        .await
}

/// Moves a person from one state to another; exactly one row, or the caller's picture was old.
pub(super) async fn advance_state(
    conn: &mut Conn,
    user: UserId,
    from: UserState,
    to: UserState,
) -> QueryResult<usize> {
    diesel::update(app_user::table.filter(app_user::id.eq(user)).filter(app_user::state.eq(from)))
        .set((app_user::state.eq(to), app_user::generation.eq(app_user::generation + 1)))
        .execute(conn)
        .await
}

pub(super) async fn advance_generation(conn: &mut Conn, user: UserId) -> QueryResult<usize> {
    diesel::update(app_user::table.find(user))
        .set(app_user::generation.eq(app_user::generation + 1))
        .execute(conn)
        .await
}

pub(super) async fn advance_profile(
    conn: &mut Conn,
    user: UserId,
    name: Option<&str>,
    locale: &str,
) -> QueryResult<usize> {
    diesel::update(app_user::table.find(user))
        .set((app_user::name.eq(name), app_user::locale.eq(locale)))
        .execute(conn)
        .await
}

const SET_ROLES: &str = "with gone as (delete from user_role where user_id = $1 and role <> all($2)) \
    insert into user_role (user_id, role) select $3, unnest($4::text[]) on conflict do nothing";

/// Exactly these roles from now on.
pub(super) async fn insert_roles(conn: &mut Conn, user: UserId, roles: &[Role]) -> QueryResult<()> {
    let names: Vec<&str> = roles.iter().map(|r| r.as_str()).collect();
    Statement::new(SET_ROLES)
        .bind::<SqlUuid, _>(user)
        .bind::<Array<Text>, _>(names.clone())
        .bind::<SqlUuid, _>(user)
        .bind::<Array<Text>, _>(names)
        .execute(conn)
        .await?;
    Ok(())
}

const SET_SELLERS: &str = "with gone as (delete from seller_member where user_id = $1 and seller_id <> all($2)) \
    insert into seller_member (user_id, seller_id) select $3, unnest($4::uuid[]) on conflict do nothing";

/// Acts for exactly these sellers from now on.
pub(super) async fn insert_sellers(conn: &mut Conn, user: UserId, sellers: &[SellerId]) -> QueryResult<()> {
    Statement::new(SET_SELLERS)
        .bind::<SqlUuid, _>(user)
        .bind::<Array<SqlUuid>, _>(sellers.to_vec())
        .bind::<SqlUuid, _>(user)
        .bind::<Array<SqlUuid>, _>(sellers.to_vec())
        .execute(conn)
        .await?;
    Ok(())
}

/// Locks who is admin, so that two admins cannot take each other's right away at once.
pub(super) async fn lock_admins(conn: &mut Conn) -> QueryResult<Vec<UserId>> {
    user_role::table
        .filter(user_role::role.eq(Role::Admin.as_str()))
        .order(user_role::user_id)
        .select(user_role::user_id)
        .for_update()
        .load(conn)
        .await
}

pub(super) async fn list_roles(conn: &mut Conn, user: UserId) -> QueryResult<Vec<String>> {
    user_role::table
        .filter(user_role::user_id.eq(user))
        .order(user_role::role)
        .select(user_role::role)
        .load(conn)
        .await
}

pub(super) async fn list_sellers(conn: &mut Conn, user: UserId) -> QueryResult<Vec<SellerId>> {
    seller_member::table
        .filter(seller_member::user_id.eq(user))
        .order(seller_member::seller_id)
        .select(seller_member::seller_id)
        .load(conn)
        .await
}

const INSERT_SESSION: &str = "insert into session (id, user_id, device, user_generation, expires_at) \
    select $1, id, $2, generation, $3 from app_user where id = $4 and generation = $5 and state = 'active'";

/// False when the person changed since the password was compared.
pub(super) async fn insert_session(
    conn: &mut Conn,
    session: SessionId,
    user: UserId,
    generation: i32,
    device: &str,
    expires_at: DateTime<Utc>,
) -> QueryResult<bool> {
    let added = Statement::new(INSERT_SESSION)
        .bind::<SqlUuid, _>(session)
        .bind::<Text, _>(device)
        .bind::<Timestamptz, _>(expires_at)
        .bind::<SqlUuid, _>(user)
        .bind::<Integer, _>(generation)
        .execute(conn)
        .await?;
    Ok(added == 1)
}

const INSERT_REFRESH: &str = "insert into refresh_token (id, session_id, digest, sealed, expires_at) \
    values ($1, $2, $3, $4, $5)";

/// A refresh token about to be stored.
pub(super) struct NewRefresh {
    pub id: Uuid,
    pub session_id: SessionId,
    pub digest: Vec<u8>,
    /// Its own text, for the predecessor to return again.
    pub sealed: Option<Vec<u8>>,
    pub expires_at: DateTime<Utc>,
}

pub(super) async fn insert_refresh(conn: &mut Conn, token: &NewRefresh) -> QueryResult<usize> {
    Statement::new(INSERT_REFRESH)
        .bind::<SqlUuid, _>(token.id)
        .bind::<SqlUuid, _>(token.session_id)
        .bind::<Bytea, _>(token.digest.as_slice())
        .bind::<Nullable<Bytea>, _>(token.sealed.as_deref())
        .bind::<Timestamptz, _>(token.expires_at)
        .execute(conn)
        .await
}

const LOCK_SESSION: &str = "select id from session where id = \
    (select session_id from refresh_token where digest = $1) for no key update";

/// Locks the session a refresh token belongs to: refreshes of one family go one after the other.
pub(super) async fn lock_session(conn: &mut Conn, digest: &[u8]) -> QueryResult<Option<SessionId>> {
    let row: Option<SessionKey> =
        Statement::new(LOCK_SESSION).bind::<Bytea, _>(digest).get_result(conn).await.optional()?;
    Ok(row.map(|r| r.id))
}

const FAMILY: &str = "select s.user_id, u.generation, s.expires_at, \
    s.revoked_at is null and s.expires_at > app_now() and s.user_generation = u.generation and u.state = 'active' \
      as alive from session s join app_user u on u.id = s.user_id where s.id = $1";

/// Read after the lock, in a snapshot of its own.
pub(super) async fn get_family(conn: &mut Conn, session: SessionId) -> QueryResult<Family> {
    Statement::new(FAMILY).bind::<SqlUuid, _>(session).get_result(conn).await
}

const REFRESH_BY_DIGEST: &str = "select id, successor_id, sealed, confirmed_at is not null as confirmed, expires_at \
    from refresh_token where digest = $1";

pub(super) async fn get_refresh(conn: &mut Conn, digest: &[u8]) -> QueryResult<RefreshRow> {
    Statement::new(REFRESH_BY_DIGEST).bind::<Bytea, _>(digest).get_result(conn).await
}

const REFRESH_BY_ID: &str = "select id, successor_id, sealed, confirmed_at is not null as confirmed, expires_at \
    from refresh_token where id = $1";

pub(super) async fn get_refresh_of(conn: &mut Conn, id: Uuid) -> QueryResult<RefreshRow> {
    Statement::new(REFRESH_BY_ID).bind::<SqlUuid, _>(id).get_result(conn).await
}

const SPEND: &str = "update refresh_token set successor_id = $1, confirmed_at = coalesce(confirmed_at, app_now()), \
    sealed = null where id = $2 and successor_id is null";

/// Spends a token: it was used, so it arrived, and its successor is this one.
pub(super) async fn advance_spent(conn: &mut Conn, id: Uuid, successor: Uuid) -> QueryResult<usize> {
    Statement::new(SPEND).bind::<SqlUuid, _>(successor).bind::<SqlUuid, _>(id).execute(conn).await
}

const CONFIRM: &str = "update refresh_token set confirmed_at = app_now(), sealed = null \
    where id = $1 and confirmed_at is null";

/// The token is known to have arrived: its predecessor gives it out no more.
pub(super) async fn advance_confirmed(conn: &mut Conn, id: Uuid) -> QueryResult<usize> {
    Statement::new(CONFIRM).bind::<SqlUuid, _>(id).execute(conn).await
}

const USED: &str = "update session set last_used_at = app_now() where id = $1";

pub(super) async fn advance_used(conn: &mut Conn, session: SessionId) -> QueryResult<usize> {
    Statement::new(USED).bind::<SqlUuid, _>(session).execute(conn).await
}

const STANDING: &str = "select u.id as user_id, u.generation, u.state, s.user_generation as session_generation, \
    s.revoked_at is not null or s.expires_at <= app_now() as session_ended, \
    exists (select from refresh_token t where t.id = $1 and t.session_id = s.id and t.confirmed_at is null) \
      as unconfirmed, \
    array(select role from user_role r where r.user_id = u.id order by role) as roles, \
    array(select seller_id from seller_member m where m.user_id = u.id order by seller_id) as sellers \
    from session s join app_user u on u.id = s.user_id where s.id = $2";

pub(super) async fn find_standing(
    conn: &mut Conn,
    session: SessionId,
    refresh: Uuid,
) -> QueryResult<Option<SessionStanding>> {
    Statement::new(STANDING)
        .bind::<SqlUuid, _>(refresh)
        .bind::<SqlUuid, _>(session)
        .get_result(conn)
        .await
        .optional()
}

const REVOKE: &str = "update session set revoked_at = app_now(), revoked_reason = $1 \
    where id = $2 and revoked_at is null";

/// Whether it was open.
pub(super) async fn advance_revoked(conn: &mut Conn, session: SessionId, reason: &str) -> QueryResult<bool> {
    let revoked =
        Statement::new(REVOKE).bind::<Text, _>(reason).bind::<SqlUuid, _>(session).execute(conn).await?;
    Ok(revoked == 1)
}

const REVOKE_ALL: &str = "update session set revoked_at = app_now(), revoked_reason = $1 \
    where user_id = $2 and id is distinct from $3 and revoked_at is null returning id";

/// Ends every session of the person but `keep`; which ones were open.
pub(super) async fn advance_all_revoked(
    conn: &mut Conn,
    user: UserId,
    keep: Option<SessionId>,
    reason: &str,
) -> QueryResult<Vec<SessionId>> {
    let ended: Vec<SessionKey> = Statement::new(REVOKE_ALL)
        .bind::<Text, _>(reason)
        .bind::<SqlUuid, _>(user)
        .bind::<Nullable<SqlUuid>, _>(keep)
        .load(conn)
        .await?;
    Ok(ended.into_iter().map(|s| s.id).collect())
}

const FOLLOW_GENERATION: &str = "update session s set user_generation = u.generation from app_user u \
    where u.id = s.user_id and s.id = $1";

/// Lets a session outlive a change of its person's password.
pub(super) async fn advance_session_generation(conn: &mut Conn, session: SessionId) -> QueryResult<usize> {
    Statement::new(FOLLOW_GENERATION).bind::<SqlUuid, _>(session).execute(conn).await
}

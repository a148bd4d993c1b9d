//! All SQL that changes links and sessions.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Integer, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{DownloadSessionId, GrantId, LinkId};
use crate::delivery::model::Link;
use crate::files::model::FileVersion;
use crate::infra::db::statement::Statement;

/// A link of minutes.
pub async fn insert_download_link(
    conn: &mut AsyncPgConnection,
    id: LinkId,
    grant: GrantId,
    expires_at: DateTime<Utc>,
    generation: i32,
) -> QueryResult<usize> {
    Statement::new(
        "insert into download_link (id, grant_id, kind, expires_at, generation) values ($1, $2, 'download', $3, $4)",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<SqlUuid, _>(grant)
    .bind::<Timestamptz, _>(expires_at)
    .bind::<Integer, _>(generation)
    .execute(conn)
    .await
}

const CLAIM_LINKS: &str = "insert into download_link (id, grant_id, kind, expires_at, generation) \
    select n.id, g.id, 'claim', least(app_now() + make_interval(days => $1::int), g.expires_at), o.access_generation \
    from unnest($2::uuid[], $3::uuid[]) as n(id, grant_id) join download_grant g on g.id = n.grant_id \
      join orders o on o.id = g.order_id \
    returning id, grant_id, created_at, expires_at, revoked_at, session_id, generation";

/// Links that work for `days`, or until their grant ends.
pub async fn insert_claim_links(
    conn: &mut AsyncPgConnection,
    links: &[(LinkId, GrantId)],
    days: i64,
) -> QueryResult<Vec<Link>> {
    Statement::new(CLAIM_LINKS)
        .bind::<Integer, _>(days as i32)
        .bind::<Array<SqlUuid>, _>(links.iter().map(|l| l.0.0).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(links.iter().map(|l| l.1.0).collect::<Vec<_>>())
        .load(conn)
        .await
}

/// Locks the grant of a link.
pub async fn lock_grant_of_link(conn: &mut AsyncPgConnection, link: LinkId) -> QueryResult<usize> {
    Statement::new(
        "select g.id from download_grant g \
         where g.id = (select grant_id from download_link where id = $1) for update",
    )
    .bind::<SqlUuid, _>(link)
    .execute(conn)
    .await
}

/// The link belongs to this session from now on.
pub async fn advance_link_joined(
    conn: &mut AsyncPgConnection,
    link: LinkId,
    session: DownloadSessionId,
) -> QueryResult<usize> {
    Statement::new("update download_link set session_id = $1 where id = $2 and session_id is null")
        .bind::<SqlUuid, _>(session)
        .bind::<SqlUuid, _>(link)
        .execute(conn)
        .await
}

/// A session of `seconds` that may serve three times the version's size.
pub async fn insert_session(
    conn: &mut AsyncPgConnection,
    id: DownloadSessionId,
    link: &Link,
    version: &FileVersion,
    seconds: i64,
) -> QueryResult<usize> {
    Statement::new(
        "insert into download_session (id, grant_id, link_id, file_version_id, expires_at, byte_cap) \
         values ($1, $2, $3, $4, app_now() + make_interval(secs => $5::bigint), 3 * $6::bigint)",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<SqlUuid, _>(link.grant_id)
    .bind::<SqlUuid, _>(link.id)
    .bind::<SqlUuid, _>(version.id)
    .bind::<BigInt, _>(seconds)
    .bind::<BigInt, _>(version.size)
    .execute(conn)
    .await
}

/// A newer version is served within the session too: its bytes are added to what the session may serve.
pub async fn advance_session_version(
    conn: &mut AsyncPgConnection,
    id: DownloadSessionId,
    version: &FileVersion,
) -> QueryResult<usize> {
    Statement::new(
        "update download_session s set file_version_id = $1, byte_cap = byte_cap + 3 * $2::bigint \
         from file_version old where s.id = $3 and old.id = s.file_version_id and old.published_at < $4",
    )
    .bind::<SqlUuid, _>(version.id)
    .bind::<BigInt, _>(version.size)
    .bind::<SqlUuid, _>(id)
    .bind::<Timestamptz, _>(version.published_at)
    .execute(conn)
    .await
}

pub async fn advance_session_closed(
    conn: &mut AsyncPgConnection,
    id: DownloadSessionId,
) -> QueryResult<usize> {
    Statement::new("update download_session set closed_at = app_now() where id = $1 and closed_at is null")
        .bind::<SqlUuid, _>(id)
        .execute(conn)
        .await
}

const CLOSE: &str = "with s as (select array_agg(distinct g) as ids from unnest($1::uuid[]) g), \
    links as (update download_link set revoked_at = app_now() \
      where grant_id = any((select ids from s)::uuid[]) and revoked_at is null) \
    update download_session set closed_at = app_now() \
      where grant_id = any((select ids from s)::uuid[]) and closed_at is null";

/// Ends the open sessions and the links of the grants.
pub async fn advance_withdrawn(conn: &mut AsyncPgConnection, grants: &[GrantId]) -> QueryResult<usize> {
    Statement::new(CLOSE)
        .bind::<Array<SqlUuid>, _>(grants.iter().map(|g| g.0).collect::<Vec<_>>())
        .execute(conn)
        .await
}

/// Closes the sessions of the link's grant whose time has passed.
pub async fn advance_lapsed_of_link(conn: &mut AsyncPgConnection, link: LinkId) -> QueryResult<usize> {
    Statement::new(
        "update download_session set closed_at = app_now() \
         where grant_id = (select grant_id from download_link where id = $1) \
           and closed_at is null and expires_at <= app_now()",
    )
    .bind::<SqlUuid, _>(link)
    .execute(conn)
    .await
}

/// Closes up to `most` sessions whose time has passed.
pub async fn advance_lapsed(conn: &mut AsyncPgConnection, most: i64) -> QueryResult<usize> {
    Statement::new(
        "update download_session set closed_at = app_now() where id in ( \
           select id from download_session where closed_at is null and expires_at <= app_now() \
           limit $1 for update skip locked)",
    )
    .bind::<BigInt, _>(most)
    .execute(conn)
    .await
}

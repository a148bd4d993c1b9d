//! All SQL that changes files, grants, links and sessions.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::clock::Clock;
use crate::base::ids::{
    DownloadSessionId, FileId, FileVersionId, GrantId, LinkId, SellerId, UnitId, UploadId, VariantId,
};
use crate::base::text::Locale;
use crate::downloads::model::{FileVersion, GrantWant, Granted, Link, Progress, Upload};
use crate::infra::db::statement::Statement;

// A unit has as many grants as its variant has files, which only the statement knows: the n-th grant's id is the
// program's UUIDv7 with n in its last two bytes.
const GRANT: &str = "insert into download_grant \
      (id, seller_id, order_id, line_id, unit_id, file_id, file_version_id, max_downloads, expires_at, bind_address) \
    select encode(set_byte(set_byte(uuid_send(w.id), 14, (w.n >> 8)::int), 15, (w.n & 255)::int), 'hex')::uuid, \
      w.seller_id, w.order_id, w.line_id, w.unit_id, w.file_id, w.file_version_id, w.max_downloads, coalesce(w.expires_at, 'infinity'), w.bind_address \
    from ( \
      select w.*, f.id as file_id, v.id as file_version_id, variant.bind_address, \
        row_number() over (partition by w.unit_id order by f.created_at, f.id) as n \
      from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::int[], $8::timestamptz[]) \
        as w(id, seller_id, order_id, line_id, unit_id, variant_id, max_downloads, expires_at) \
      join variant on variant.id = w.variant_id \
      join file f on f.variant_id = w.variant_id and f.seller_id = w.seller_id \
      cross join lateral (select id from file_version where file_id = f.id and yanked_at is null \
        order by published_at desc, id desc limit 1) v) w \
    order by w.unit_id, w.file_id \
    on conflict on constraint download_grant_once do nothing \
    returning id, seller_id, order_id, unit_id, file_id, file_version_id";

/// A grant for each file of each unit.
pub async fn insert_grants(
    conn: &mut AsyncPgConnection,
    clock: &Clock,
    wants: &[GrantWant],
) -> QueryResult<Vec<Granted>> {
    Statement::new(GRANT)
        .bind::<Array<SqlUuid>, _>(wants.iter().map(|_| clock.uuid()).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(wants.iter().map(|w| w.seller_id.0).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(wants.iter().map(|w| w.order_id.0).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(wants.iter().map(|w| w.line_id.0).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(wants.iter().map(|w| w.unit_id.0).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(wants.iter().map(|w| w.variant_id.0).collect::<Vec<_>>())
        .bind::<Array<Nullable<Integer>>, _>(wants.iter().map(|w| w.max_downloads).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(wants.iter().map(|w| w.expires_at).collect::<Vec<_>>())
        .load(conn)
        .await
}

const REVOKE: &str = "update download_grant g set state = 'revoked' \
    from (select id from download_grant where unit_id = any($1::uuid[]) and state = 'active' order by id for update) l \
    where g.id = l.id \
    returning g.id, g.seller_id, g.order_id, g.unit_id, g.file_id, g.file_version_id";

/// Active grants of the units become revoked.
pub async fn advance_revoked(conn: &mut AsyncPgConnection, units: &[UnitId]) -> QueryResult<Vec<Granted>> {
    Statement::new(REVOKE)
        .bind::<Array<SqlUuid>, _>(units.iter().map(|u| u.0).collect::<Vec<_>>())
        .load(conn)
        .await
}

/// One active grant becomes revoked.
pub async fn advance_grant_revoked(conn: &mut AsyncPgConnection, id: GrantId) -> QueryResult<Vec<Granted>> {
    Statement::new(
        "update download_grant set state = 'revoked' where id = $1 and state = 'active' \
         returning id, seller_id, order_id, unit_id, file_id, file_version_id",
    )
    .bind::<SqlUuid, _>(id)
    .load(conn)
    .await
}

const CLOSE: &str = "with s as (select array_agg(distinct g) as ids from unnest($1::uuid[]) g), \
    links as (update download_link set revoked_at = app_now() \
      where grant_id = any((select ids from s)::uuid[]) and revoked_at is null) \
    update download_session set closed_at = app_now() \
      where grant_id = any((select ids from s)::uuid[]) and closed_at is null";

/// Ends the open sessions and the links of the grants.
pub async fn advance_sessions_closed(conn: &mut AsyncPgConnection, grants: &[GrantId]) -> QueryResult<usize> {
    Statement::new(CLOSE)
        .bind::<Array<SqlUuid>, _>(grants.iter().map(|g| g.0).collect::<Vec<_>>())
        .execute(conn)
        .await
}

/// Locks the grants in the order of their ids.
pub async fn lock_grants(conn: &mut AsyncPgConnection, ids: &[GrantId]) -> QueryResult<usize> {
    Statement::new("select id from download_grant where id = any($1::uuid[]) order by id for update")
        .bind::<Array<SqlUuid>, _>(ids.iter().map(|id| id.0).collect::<Vec<_>>())
        .execute(conn)
        .await
}

const EXTEND: &str = "update download_grant \
    set max_downloads = max_downloads + $1, expires_at = coalesce($2::timestamptz, expires_at) \
    where id = $3 and state = 'active'";

/// More downloads (nothing for an unlimited grant) and another end; rows changed.
pub async fn advance_extended(
    conn: &mut AsyncPgConnection,
    id: GrantId,
    more: i32,
    until: Option<DateTime<Utc>>,
) -> QueryResult<usize> {
    Statement::new(EXTEND)
        .bind::<Integer, _>(more)
        .bind::<Nullable<Timestamptz>, _>(until)
        .bind::<SqlUuid, _>(id)
        .execute(conn)
        .await
}

/// Counts one download, if one is left; rows changed.
pub async fn advance_used(conn: &mut AsyncPgConnection, id: GrantId) -> QueryResult<usize> {
    Statement::new(
        "update download_grant set used = used + 1 \
         where id = $1 and state = 'active' and (max_downloads is null or used < max_downloads)",
    )
    .bind::<SqlUuid, _>(id)
    .execute(conn)
    .await
}

/// A link of minutes.
pub async fn insert_download_link(
    conn: &mut AsyncPgConnection,
    id: LinkId,
    grant: GrantId,
    expires_at: DateTime<Utc>,
) -> QueryResult<usize> {
    Statement::new(
        "insert into download_link (id, grant_id, kind, expires_at) values ($1, $2, 'download', $3)",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<SqlUuid, _>(grant)
    .bind::<Timestamptz, _>(expires_at)
    .execute(conn)
    .await
}

const CLAIM_LINKS: &str = "insert into download_link (id, grant_id, kind, expires_at) \
    select n.id, g.id, 'claim', least(app_now() + make_interval(days => $1::int), g.expires_at) \
    from unnest($2::uuid[], $3::uuid[]) as n(id, grant_id) join download_grant g on g.id = n.grant_id \
    returning id, grant_id, created_at, expires_at, revoked_at, session_id";

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

/// Adds to what the session has served.
pub async fn advance_served(
    conn: &mut AsyncPgConnection,
    id: DownloadSessionId,
    bytes: i64,
) -> QueryResult<Progress> {
    Statement::new(
        "update download_session set served_bytes = served_bytes + $1 where id = $2 \
         returning served_bytes, byte_cap",
    )
    .bind::<BigInt, _>(bytes)
    .bind::<SqlUuid, _>(id)
    .get_result(conn)
    .await
}

pub async fn insert_upload(conn: &mut AsyncPgConnection, upload: &Upload) -> QueryResult<usize> {
    Statement::new(
        "insert into upload (id, seller_id, user_id, name, content_type, size, expires_at) \
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind::<SqlUuid, _>(upload.id)
    .bind::<SqlUuid, _>(upload.seller_id)
    .bind::<Nullable<SqlUuid>, _>(upload.user_id)
    .bind::<Text, _>(&upload.name)
    .bind::<Text, _>(&upload.content_type)
    .bind::<BigInt, _>(upload.size)
    .bind::<Timestamptz, _>(upload.expires_at)
    .execute(conn)
    .await
}

macro_rules! upload {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            "id, seller_id, user_id, name, content_type, size, received, state, sha256, blob, expires_at",
            $after
        )
    };
}

pub async fn lock_upload(conn: &mut AsyncPgConnection, id: UploadId) -> QueryResult<Option<Upload>> {
    Statement::new(upload!("select ", " from upload where id = $1 for update"))
        .bind::<SqlUuid, _>(id)
        .get_result(conn)
        .await
        .optional()
}

/// An open upload gets its content; rows changed.
pub async fn advance_upload_complete(conn: &mut AsyncPgConnection, upload: &Upload) -> QueryResult<usize> {
    Statement::new(
        "update upload set state = 'complete', received = size, sha256 = $1, blob = $2 \
         where id = $3 and state = 'open' and expires_at > app_now()",
    )
    .bind::<Nullable<Bytea>, _>(upload.sha256.as_deref())
    .bind::<Nullable<Text>, _>(upload.blob.as_deref())
    .bind::<SqlUuid, _>(upload.id)
    .execute(conn)
    .await
}

pub async fn advance_upload_used(conn: &mut AsyncPgConnection, id: UploadId) -> QueryResult<usize> {
    Statement::new("update upload set state = 'used' where id = $1 and state = 'complete'")
        .bind::<SqlUuid, _>(id)
        .execute(conn)
        .await
}

/// The upload that ended, unless it was used.
pub async fn advance_upload_expired(
    conn: &mut AsyncPgConnection,
    id: UploadId,
) -> QueryResult<Option<Upload>> {
    let sql = upload!(
        "update upload set state = 'expired' where id = $1 and state in ('open', 'complete') returning ",
        ""
    );
    Statement::new(sql).bind::<SqlUuid, _>(id).get_result(conn).await.optional()
}

/// Ends up to `most` uploads whose time has passed.
pub async fn claim_expired_uploads(conn: &mut AsyncPgConnection, most: i64) -> QueryResult<Vec<Upload>> {
    Statement::new(upload!(
        "update upload set state = 'expired' where id in ( \
           select id from upload where state in ('open', 'complete') and expires_at <= app_now() \
           order by expires_at limit $1 for update skip locked) returning ",
        ""
    ))
    .bind::<BigInt, _>(most)
    .load(conn)
    .await
}

#[derive(QueryableByName)]
struct Key {
    #[diesel(sql_type = Text)]
    key: String,
}

/// Those of the keys that an upload or a version names.
pub async fn list_known_blobs(conn: &mut AsyncPgConnection, keys: &[String]) -> QueryResult<HashSet<String>> {
    let rows: Vec<Key> = Statement::new(
        "select k.key from unnest($1::text[]) as k(key) \
         where exists (select from file_version v where v.blob = k.key) \
           or exists (select from upload u where u.blob = k.key and u.state in ('open', 'complete', 'used'))",
    )
    .bind::<Array<Text>, _>(keys)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.key).collect())
}

/// A variant that a version is published for.
#[derive(QueryableByName)]
pub struct Target {
    #[diesel(sql_type = SqlUuid)]
    pub id: VariantId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    #[diesel(sql_type = Text)]
    pub kind: String,
}

pub async fn lock_variant(conn: &mut AsyncPgConnection, id: VariantId) -> QueryResult<Option<Target>> {
    Statement::new("select id, seller_id, kind from variant where id = $1 for no key update")
        .bind::<SqlUuid, _>(id)
        .get_result(conn)
        .await
        .optional()
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = SqlUuid)]
    id: FileId,
}

pub async fn find_file(
    conn: &mut AsyncPgConnection,
    variant: VariantId,
    id: FileId,
) -> QueryResult<Option<FileId>> {
    let row: Option<Id> = Statement::new("select id from file where variant_id = $1 and id = $2")
        .bind::<SqlUuid, _>(variant)
        .bind::<SqlUuid, _>(id)
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|row| row.id))
}

pub async fn find_file_by_name(
    conn: &mut AsyncPgConnection,
    variant: VariantId,
    name: &str,
) -> QueryResult<Option<FileId>> {
    let sql = "select id from file where variant_id = $1 and name = $2 order by created_at, id limit 1";
    let row: Option<Id> = Statement::new(sql)
        .bind::<SqlUuid, _>(variant)
        .bind::<Text, _>(name)
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|row| row.id))
}

pub async fn insert_file(
    conn: &mut AsyncPgConnection,
    id: FileId,
    variant: &Target,
    name: &str,
) -> QueryResult<usize> {
    Statement::new("insert into file (id, seller_id, variant_id, name) values ($1, $2, $3, $4)")
        .bind::<SqlUuid, _>(id)
        .bind::<SqlUuid, _>(variant.seller_id)
        .bind::<SqlUuid, _>(variant.id)
        .bind::<Text, _>(name)
        .execute(conn)
        .await
}

pub async fn insert_version(conn: &mut AsyncPgConnection, version: &FileVersion) -> QueryResult<usize> {
    Statement::new(
        "insert into file_version (id, seller_id, file_id, name, version, size, sha256, content_type, blob, published_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind::<SqlUuid, _>(version.id)
    .bind::<SqlUuid, _>(version.seller_id)
    .bind::<SqlUuid, _>(version.file_id)
    .bind::<Text, _>(&version.name)
    .bind::<Text, _>(&version.version)
    .bind::<BigInt, _>(version.size)
    .bind::<Bytea, _>(&version.sha256)
    .bind::<Text, _>(&version.content_type)
    .bind::<Text, _>(&version.blob)
    .bind::<Timestamptz, _>(version.published_at)
    .execute(conn)
    .await
}

pub async fn insert_notes(
    conn: &mut AsyncPgConnection,
    version: FileVersionId,
    locale: Locale,
    notes: &str,
) -> QueryResult<usize> {
    Statement::new("insert into translation (object_id, locale, field, value) values ($1, $2, 'notes', $3)")
        .bind::<SqlUuid, _>(version)
        .bind::<Text, _>(locale.as_str())
        .bind::<Text, _>(notes)
        .execute(conn)
        .await
}

/// The version is no longer served; rows changed.
pub async fn advance_yanked(conn: &mut AsyncPgConnection, id: FileVersionId) -> QueryResult<usize> {
    Statement::new("update file_version set yanked_at = app_now() where id = $1 and yanked_at is null")
        .bind::<SqlUuid, _>(id)
        .execute(conn)
        .await
}

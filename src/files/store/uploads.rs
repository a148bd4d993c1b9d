//! Uploads, files and their versions.

use std::collections::HashSet;

use diesel::sql_types::{Array, BigInt, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{FileId, FileVersionId, SellerId, UploadId, VariantId};
use crate::files::model::{FileVersion, Upload};
use crate::infra::db::statement::Statement;

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
struct UploadKey {
    #[diesel(sql_type = Text)]
    key: String,
}

/// Those of the keys that an upload or a version names.
pub async fn list_known_blobs(conn: &mut AsyncPgConnection, keys: &[String]) -> QueryResult<HashSet<String>> {
    let rows: Vec<UploadKey> = Statement::new(
        "select k.key from unnest($1::text[]) as k(key) \
         where exists (select from file_version v where v.blob = k.key) \
           or exists (select from upload u where u.blob = k.key and u.state in ('open', 'complete', 'used'))",
    )
    .bind::<Array<Text>, _>(keys)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.key).collect())
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
    (seller, variant): (SellerId, VariantId),
    name: &str,
) -> QueryResult<usize> {
    Statement::new("insert into file (id, seller_id, variant_id, name) values ($1, $2, $3, $4)")
        .bind::<SqlUuid, _>(id)
        .bind::<SqlUuid, _>(seller)
        .bind::<SqlUuid, _>(variant)
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

/// The version is no longer served; rows changed.
pub async fn advance_yanked(conn: &mut AsyncPgConnection, id: FileVersionId) -> QueryResult<usize> {
    Statement::new("update file_version set yanked_at = app_now() where id = $1 and yanked_at is null")
        .bind::<SqlUuid, _>(id)
        .execute(conn)
        .await
}

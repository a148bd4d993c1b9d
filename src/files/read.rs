//! Questions about files and uploads.

use diesel::sql_types::{Array, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{FileVersionId, UploadId, VariantId};
use crate::files::model::{FileVersion, Upload};
use crate::infra::db::statement::Statement;

macro_rules! versions {
    ($where:literal) => {
        concat!(
            "select v.id, v.seller_id, v.file_id, v.name, v.version, v.size, v.sha256, v.content_type, v.blob, \
               v.published_at, v.yanked_at from file_version v ",
            $where
        )
    };
}

/// These versions, yanked or not.
pub async fn list_versions(
    conn: &mut AsyncPgConnection,
    ids: &[FileVersionId],
) -> QueryResult<Vec<FileVersion>> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    Statement::new(versions!("where v.id = any($1::uuid[]) order by v.id"))
        .bind::<Array<SqlUuid>, _>(ids)
        .load(conn)
        .await
}

pub async fn find_version(
    conn: &mut AsyncPgConnection,
    id: FileVersionId,
) -> QueryResult<Option<FileVersion>> {
    Ok(list_versions(conn, &[id]).await?.pop())
}

/// The variant that shows this version to everybody: the newest of its file, not yanked.
pub async fn find_showing_variant(
    conn: &mut AsyncPgConnection,
    id: FileVersionId,
) -> QueryResult<Option<VariantId>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        variant_id: VariantId,
    }
    let rows: Vec<Row> = Statement::new(
        "select f.variant_id from file_version v join file f on f.id = v.file_id where v.id = $1 and v.id = ( \
           select n.id from file_version n where n.file_id = f.id and n.yanked_at is null \
           order by n.published_at desc, n.id desc limit 1)",
    )
    .bind::<SqlUuid, _>(id)
    .load(conn)
    .await?;
    Ok(rows.into_iter().next().map(|row| row.variant_id))
}

/// What buyers of these variants get: the newest version of each file that is not yanked, with its variant.
pub async fn list_newest_of_variants(
    conn: &mut AsyncPgConnection,
    variants: &[VariantId],
) -> QueryResult<Vec<(VariantId, FileVersion)>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        variant_id: VariantId,
        #[diesel(embed)]
        version: FileVersion,
    }
    let variants: Vec<_> = variants.iter().map(|id| id.0).collect();
    let rows: Vec<Row> = Statement::new(
        "select f.variant_id, v.* from file f cross join lateral ( \
           select v.id, v.seller_id, v.file_id, v.name, v.version, v.size, v.sha256, v.content_type, v.blob, \
             v.published_at, v.yanked_at from file_version v where v.file_id = f.id and v.yanked_at is null \
             order by v.published_at desc, v.id desc limit 1) v \
         where f.variant_id = any($1::uuid[]) order by f.variant_id, f.created_at, f.id",
    )
    .bind::<Array<SqlUuid>, _>(variants)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.variant_id, row.version)).collect())
}

macro_rules! upload {
    ($where:literal) => {
        concat!(
            "select id, seller_id, user_id, name, content_type, size, received, state, sha256, blob, expires_at \
             from upload ",
            $where
        )
    };
}

/// An upload whose time has not passed.
pub async fn find_upload(conn: &mut AsyncPgConnection, id: UploadId) -> QueryResult<Option<Upload>> {
    Statement::new(upload!(
        "where id = $1 and state <> 'expired' and (state = 'used' or expires_at > app_now())"
    ))
    .bind::<SqlUuid, _>(id)
    .get_result(conn)
    .await
    .optional()
}

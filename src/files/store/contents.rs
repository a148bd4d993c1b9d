//! Whether contents are there.

use diesel::sql_types::{BigInt, Bool, Double, Text, Uuid as SqlUuid};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{FileId, FileVersionId};
use crate::infra::db::statement::Statement;
use crate::infra::stuck::is_put_off;

/// A content that is to be looked at.
#[derive(QueryableByName)]
pub struct UnseenVersion {
    #[diesel(sql_type = SqlUuid)]
    pub id: FileVersionId,
    #[diesel(sql_type = SqlUuid)]
    pub file_id: FileId,
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = BigInt)]
    pub size: i64,
    #[diesel(sql_type = Text)]
    pub blob: String,
    /// Nobody gets it any more.
    #[diesel(sql_type = Bool)]
    pub yanked: bool,
}

const UNSEEN: &str = concat!(
    "with w as (select $1::float8 as missing, $2::float8 as seen, $3::bigint as few, $4::bigint as most)
  select * from (
    select v.id, v.file_id, v.name, v.size, v.blob, v.yanked_at is not null as yanked, v.looked_at from file_version v
     where v.missing_since is not null and v.looked_at < app_now() - make_interval(secs => (select missing from w))
    union all
    (select v.id, v.file_id, v.name, v.size, v.blob, false, v.looked_at from file_version v
      where v.missing_since is null and v.yanked_at is null
        and (v.looked_at is null or v.looked_at < app_now() - make_interval(secs => (select seen from w)))
      order by v.looked_at nulls first, v.id limit (select few from w))) due
  where not ",
    is_put_off!("missing_contents", "due.id::text"),
    " order by looked_at nulls first, id limit (select most from w)"
);

/// Versions that buyers may get at which nobody has looked for so many seconds, and those that were missing when somebody did,
/// after fewer of them.
pub async fn list_unseen(
    conn: &mut AsyncPgConnection,
    (missing, seen): (i32, i32),
    limit: i64,
) -> QueryResult<Vec<UnseenVersion>> {
    Statement::new(UNSEEN)
        .bind::<Double, _>(f64::from(missing))
        .bind::<Double, _>(f64::from(seen))
        .bind::<BigInt, _>(limit)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await
}

#[derive(QueryableByName)]
struct Before {
    #[diesel(sql_type = Bool)]
    missing: bool,
}

const SEEN: &str = "update file_version v set looked_at = app_now(),
    missing_since = case when w.missing then coalesce(v.missing_since, app_now()) end
  from (select id, missing_since from file_version where id = $1 for update) before, (select $2::bool as missing) w
  where v.id = before.id returning before.missing_since is not null as missing";

/// Notes whether a content is missing; whether it was before.
pub async fn advance_looked_at(
    conn: &mut AsyncPgConnection,
    id: FileVersionId,
    missing: bool,
) -> QueryResult<bool> {
    let before: Before =
        Statement::new(SEEN).bind::<SqlUuid, _>(id).bind::<Bool, _>(missing).get_result(conn).await?;
    Ok(before.missing)
}

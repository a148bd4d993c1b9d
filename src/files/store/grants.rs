//! Grants.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, Bool, Integer, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::clock::Clock;
use crate::base::ids::{GrantId, UnitId};
use crate::files::model::{GrantWant, Granted};
use crate::infra::db::statement::Statement;

// A unit has as many grants as its variant has files, which only the statement knows: the n-th grant's id is the
// program's UUIDv7 with n in its last two bytes.
const GRANT: &str = "insert into download_grant \
      (id, seller_id, order_id, line_id, unit_id, file_id, file_version_id, max_downloads, expires_at, bind_address) \
    select encode(set_byte(set_byte(uuid_send(w.id), 14, (w.n >> 8)::int), 15, (w.n & 255)::int), 'hex')::uuid, \
      w.seller_id, w.order_id, w.line_id, w.unit_id, w.file_id, w.file_version_id, w.max_downloads, coalesce(w.expires_at, 'infinity'), w.bind_address \
    from ( \
      select w.*, f.id as file_id, v.id as file_version_id, \
        row_number() over (partition by w.unit_id order by f.created_at, f.id) as n \
      from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::int[], $8::timestamptz[], \
          $9::bool[]) \
        as w(id, seller_id, order_id, line_id, unit_id, variant_id, max_downloads, expires_at, bind_address) \
      join file f on f.variant_id = w.variant_id and f.seller_id = w.seller_id \
      cross join lateral (select id from file_version where file_id = f.id and yanked_at is null \
        order by published_at desc, id desc limit 1) v) w \
    order by w.unit_id, w.file_id \
    on conflict on constraint download_grant_once do nothing \
    returning id, seller_id, order_id, unit_id, file_id, file_version_id";

/// A grant for each file of each unit.
pub async fn insert_grants(
    mut conn: &AsyncPgConnection,
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
        .bind::<Array<Bool>, _>(wants.iter().map(|w| w.bind_address).collect::<Vec<_>>())
        .load(&mut conn)
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

//! SQL of imports that are looked at first.

use chrono::TimeDelta;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Double, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{BatchId, VariantId};
use crate::infra::db::schema::key_batch;
use crate::infra::db::statement::Statement;
use crate::infra::stuck::is_put_off;
use crate::vault::model::{Batch, SealedKey, StoredLine};

/// What exists already, in the vault or in the import itself, is left out; so is a text that another variant has by the
/// other rule of case. `$7` are the variants that fold it.
const STAGE: &str = "\
    insert into staged_key (batch_id, line, id, fp, otherwise, sealed, expires_at)
    select b.id, line.line, line.id, line.fp, line.otherwise, line.sealed, line.expires_at
      from unnest($1::bigint[], $2::uuid[], $3::bytea[], $4::bytea[], $5::bytea[], $6::timestamptz[])
        as line(line, id, fp, otherwise, sealed, expires_at)
      cross join (select * from key_batch where id = $7) b
     where not exists (select 1 from vault_key k where k.seller_id = b.seller_id and (k.fp = line.fp or k.fp_next = line.fp))
       and not exists (select 1 from vault_key k where k.seller_id = b.seller_id and k.fp = line.otherwise
         and (k.variant_id = any($8)) <> (b.variant_id = any($8)))
     order by line.fp
    on conflict do nothing
    returning fp";

/// Stores keys to be looked at and answers the fingerprints of those that were new.
pub(in crate::vault) async fn stage_keys(
    conn: &mut AsyncPgConnection,
    batch: &Batch,
    keys: &[SealedKey],
    folding: &[VariantId],
) -> QueryResult<Vec<Vec<u8>>> {
    let rows: Vec<StoredLine> = Statement::new(STAGE)
        .bind::<Array<BigInt>, _>(keys.iter().map(|k| k.line).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(keys.iter().map(|k| k.id).collect::<Vec<_>>())
        .bind::<Array<Bytea>, _>(keys.iter().map(|k| k.fingerprint.as_slice()).collect::<Vec<_>>())
        .bind::<Array<Bytea>, _>(keys.iter().map(|k| k.otherwise.as_slice()).collect::<Vec<_>>())
        .bind::<Array<Bytea>, _>(keys.iter().map(|k| k.sealed.as_slice()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(keys.iter().map(|k| k.expires_at).collect::<Vec<_>>())
        .bind::<SqlUuid, _>(batch.id)
        .bind::<Array<SqlUuid>, _>(folding)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.fp).collect())
}

/// A staged key that was moved, unless its text is in the vault.
#[derive(QueryableByName)]
pub(super) struct MovedRow {
    #[diesel(sql_type = BigInt)]
    pub line: i64,
    #[diesel(sql_type = Bool)]
    pub stored: bool,
}

/// As `INSERT_KEYS` stores keys, from the staged ones.
const MOVE: &str = "\
    with taken as materialized (
      delete from staged_key s using (select line from staged_key where batch_id = $1 order by line limit $2) next
       where s.batch_id = $3 and s.line = next.line
      returning s.line, s.id, s.fp, s.otherwise, s.sealed, s.expires_at),
    line as materialized (select t.*, nextval('vault_key_pos_seq') as pos from (select * from taken order by line) t),
    stored as (
      insert into vault_key (id, seller_id, variant_id, batch_id, pos, fp, fp_next, data_key_id, sealed, expires_at)
      overriding system value
      select line.id, b.seller_id, b.variant_id, b.id, line.pos, line.fp, line.fp, b.data_key_id, line.sealed,
             coalesce(line.expires_at, b.keys_expire_at, 'infinity')
        from line cross join (select * from key_batch where id = $4) b
       where not exists (select 1 from vault_key k where k.seller_id = b.seller_id and k.fp = line.otherwise
         and (k.variant_id = any($5)) <> (b.variant_id = any($5)))
       order by line.fp
      on conflict do nothing
      returning id)
    select line.line, stored.id is not null as stored from line left join stored on stored.id = line.id order by line.line";

pub(super) async fn move_keys(
    conn: &mut AsyncPgConnection,
    batch: BatchId,
    folding: &[VariantId],
    limit: i64,
) -> QueryResult<Vec<MovedRow>> {
    Statement::new(MOVE)
        .bind::<SqlUuid, _>(batch)
        .bind::<BigInt, _>(limit)
        .bind::<SqlUuid, _>(batch)
        .bind::<SqlUuid, _>(batch)
        .bind::<Array<SqlUuid>, _>(folding)
        .load(conn)
        .await
}

pub(super) async fn count_moved(
    conn: &mut AsyncPgConnection,
    batch: BatchId,
    added: i64,
    twice: i64,
) -> QueryResult<usize> {
    diesel::update(key_batch::table.find(batch))
        .set((
            key_batch::added.eq(key_batch::added + added),
            key_batch::staged.eq(key_batch::staged - added - twice),
            key_batch::refused.eq(key_batch::refused + twice),
            key_batch::duplicates.eq(key_batch::duplicates + twice),
        ))
        .execute(conn)
        .await
}

const CLEAR: &str = "\
    with gone as (
      delete from staged_key s using (select line from staged_key where batch_id = $1 order by line limit $2) next
       where s.batch_id = $3 and s.line = next.line returning 1)
    update key_batch set staged = staged - (select count(*) from gone) where id = $4
    returning (select count(*) from gone) as cleared";

#[derive(QueryableByName)]
struct Cleared {
    #[diesel(sql_type = BigInt)]
    cleared: i64,
}

pub(super) async fn delete_staged(
    conn: &mut AsyncPgConnection,
    batch: BatchId,
    limit: i64,
) -> QueryResult<usize> {
    let row: Cleared = Statement::new(CLEAR)
        .bind::<SqlUuid, _>(batch)
        .bind::<BigInt, _>(limit)
        .bind::<SqlUuid, _>(batch)
        .bind::<SqlUuid, _>(batch)
        .get_result(conn)
        .await?;
    Ok(row.cleared as usize)
}

/// Locks a batch: whoever ends it or goes on with it waits.
pub async fn lock(conn: &mut AsyncPgConnection, id: BatchId) -> QueryResult<Option<Batch>> {
    key_batch::table.find(id).select(Batch::as_select()).for_no_key_update().first(conn).await.optional()
}

#[derive(QueryableByName)]
struct Abandoned {
    #[diesel(sql_type = SqlUuid)]
    id: BatchId,
}

const ABANDONED: &str = concat!(
    "select id from key_batch where preview and state in ('running', 'ready')
       and created_at < app_now() - make_interval(secs => $1) and not ",
    is_put_off!("abandoned_imports", "key_batch.id::text"),
    " order by created_at limit 100"
);

/// Imports that nobody has committed or given up for this long.
pub async fn list_abandoned(conn: &mut AsyncPgConnection, after: TimeDelta) -> QueryResult<Vec<BatchId>> {
    let seconds = after.num_seconds() as f64;
    let rows: Vec<Abandoned> = Statement::new(ABANDONED).bind::<Double, _>(seconds).load(conn).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

//! All SQL of the vault that changes rows, and what is read under a lock.

use std::sync::LazyLock;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::base::ids::{BatchId, KeyId, SellerId, SupplierId, UnitId, VariantId};
use crate::infra::db::schema::key_batch;
use crate::infra::db::statement::Statement;
use crate::vault::batch::NewBatch;
use crate::vault::claim::Claimed;
use crate::vault::import::{Encoding, LineProblem, Mark};
use crate::vault::layout::Layout;
use crate::vault::model::{Batch, ChangedKey, ClaimedRow, Marked, Origin, SealedKey, SealedRow, StoredLine};
use crate::vault::state::{BatchState, KeyChange, KeyMove, KeyState};

/// The array in the scalar sub-select keeps the planner from estimating the limit and joining whole tables; the
/// order is that of the partial index, so that no other index tempts it.
const CLAIM: &str = "\
    with w as materialized (select * from unnest($1, $2) as t(variant_id, wanted))
    select w.variant_id,
           array(select k.id from vault_key k
                  where k.variant_id = w.variant_id and k.state = 'available' and k.expires_at > app_now()
                  order by k.expires_at, k.pos limit w.wanted for update skip locked) as key_ids
      from w";

pub(super) async fn claim(
    mut conn: &AsyncPgConnection,
    variants: Vec<VariantId>,
    counts: Vec<i64>,
) -> QueryResult<Vec<Claimed>> {
    let rows: Vec<ClaimedRow> = Statement::new(CLAIM)
        .bind::<Array<SqlUuid>, _>(variants)
        .bind::<Array<BigInt>, _>(counts)
        .load(&mut conn)
        .await?;
    Ok(rows.into_iter().map(Claimed::from).collect())
}

/// What was held for the line is held no longer.
static SELL: LazyLock<String> = LazyLock::new(|| {
    const FREE: KeyMove = KeyMove::new(KeyState::Available, KeyChange::Sell);
    const HELD: KeyMove = KeyMove::new(KeyState::Reserved, KeyChange::Sell);
    format!(
        "update vault_key k set state = '{}', unit_id = m.unit_id, sold_at = app_now(), reserved_line_id = null,
                reserved_until = null
           from (select * from unnest($1, $2) as t(key_id, unit_id)) m
          where k.id = m.key_id and k.state in ('{}', '{}')",
        FREE.to, FREE.from, HELD.from
    )
});

pub(super) async fn advance_to_sold(
    mut conn: &AsyncPgConnection,
    keys: Vec<KeyId>,
    units: Vec<UnitId>,
) -> QueryResult<usize> {
    Statement::new(&SELL)
        .bind::<Array<SqlUuid>, _>(keys)
        .bind::<Array<SqlUuid>, _>(units)
        .execute(&mut conn)
        .await
}

const LOCK_BATCHES: &str = "\
    select b.id from key_batch b where b.id in (select k.batch_id from vault_key k where k.unit_id = any($1))
     order by b.id for share";

/// Keeps the batches of these units' keys from being recalled before the transaction ends.
pub(super) async fn lock_batches_of(conn: &mut AsyncPgConnection, units: &[UnitId]) -> QueryResult<usize> {
    Statement::new(LOCK_BATCHES).bind::<Array<SqlUuid>, _>(units).execute(conn).await
}

/// What a refund does to the keys of the units: back on sale when nobody can have seen them, they are among
/// those that may return and their batch was not recalled, else never sold again. Rows are locked by id first, so that two
/// refunds cannot cross.
static GIVE_BACK: LazyLock<String> = LazyLock::new(|| {
    const UNSEEN: KeyMove = KeyMove::new(KeyState::Sold, KeyChange::Restock);
    const SEEN: KeyMove = KeyMove::new(KeyState::Sold, KeyChange::Void);
    let (sold, unseen, seen) = (UNSEEN.from, UNSEEN.to, SEEN.to);
    format!(
        "with s as materialized (
           select k.id, k.revealed_at is null and k.mailed_at is null and k.unit_id = any($1)
               and not exists (select 1 from key_batch b where b.id = k.batch_id and b.recalled_at is not null) as unseen
             from vault_key k where k.unit_id = any($2) and k.state = '{sold}' order by k.id for update)
         update vault_key k
            set state = case when s.unseen then '{unseen}' else '{seen}' end,
                unit_id = case when s.unseen then null else k.unit_id end,
                sold_at = case when s.unseen then null else k.sold_at end,
                voided_at = case when s.unseen then null else app_now() end
           from s where k.id = s.id and k.state = '{sold}'
         returning k.id, k.variant_id, k.seller_id, k.state"
    )
});

pub(super) async fn advance_refunded(
    conn: &mut AsyncPgConnection,
    units: &[UnitId],
    restocked: &[UnitId],
) -> QueryResult<Vec<ChangedKey>> {
    Statement::new(&GIVE_BACK)
        .bind::<Array<SqlUuid>, _>(restocked)
        .bind::<Array<SqlUuid>, _>(units)
        .load(conn)
        .await
}

/// By variant, so that the index of what is available is used and nothing else is looked at.
static EXPIRE: LazyLock<String> = LazyLock::new(|| {
    const EXPIRED: KeyMove = KeyMove::new(KeyState::Available, KeyChange::Expire);
    let KeyMove { from, to } = EXPIRED;
    format!(
        "with due as materialized (
           select k.id from (select distinct variant_id as id from key_batch) v
             cross join lateral (select k.id from vault_key k
               where k.variant_id = v.id and k.state = '{from}' and k.expires_at <= app_now()
               order by k.expires_at, k.pos limit $1 for update skip locked) k
            limit 1000)
         update vault_key k set state = '{to}' from due where k.id = due.id and k.state = '{from}'
         returning k.id, k.variant_id, k.seller_id, k.state"
    )
});

pub(super) async fn advance_to_expired(
    conn: &mut AsyncPgConnection,
    limit: i64,
) -> QueryResult<Vec<ChangedKey>> {
    Statement::new(&EXPIRE).bind::<BigInt, _>(limit).load(conn).await
}

/// A unit's key, the version of a shared secret that it has now, or a text of its own.
const SEALED: &str = "\
    select 'vault_key' as source, id, unit_id, variant_id, data_key_id, sealed, revealed_at,
           nullif(expires_at, 'infinity') as expires_at
      from vault_key where unit_id = any($1)
    union all
    select 'secret_version', v.id, s.unit_id, s.variant_id, v.data_key_id, v.sealed, s.revealed_at, null
      from unit_secret s
      cross join lateral (select v.id, v.data_key_id, v.sealed from secret_version v
         where v.variant_id = s.variant_id and (s.follows or v.id = s.version_id)
         order by v.number desc limit 1) v
     where s.unit_id = any($1) and s.version_id is not null
    union all
    select 'unit_secret', unit_id, unit_id, variant_id, data_key_id, sealed, revealed_at, null
      from unit_secret where unit_id = any($1) and sealed is not null";

pub(super) async fn list_sealed(
    conn: &mut AsyncPgConnection,
    units: &[UnitId],
) -> QueryResult<Vec<SealedRow>> {
    Statement::new(SEALED).bind::<Array<SqlUuid>, _>(units).load(conn).await
}

const REVEALED: &str = "\
    with k as (update vault_key set revealed_at = app_now()
       where unit_id = any($1) and state = 'sold' and revealed_at is null returning 1),
    s as (update unit_secret set revealed_at = app_now()
       where unit_id = any($1) and taken_back_at is null and revealed_at is null returning 1)
    select (select count(*) from k) + (select count(*) from s) as marked";

pub(super) async fn advance_revealed(conn: &mut AsyncPgConnection, units: &[UnitId]) -> QueryResult<usize> {
    let row: Marked = Statement::new(REVEALED).bind::<Array<SqlUuid>, _>(units).get_result(conn).await?;
    Ok(row.marked as usize)
}

const MAILED: &str = "\
    with k as (update vault_key set mailed_at = coalesce(mailed_at, app_now())
       where unit_id = any($1) and state = 'sold' returning 1),
    s as (update unit_secret set mailed_at = coalesce(mailed_at, app_now())
       where unit_id = any($1) and taken_back_at is null returning 1)
    select (select count(*) from k) + (select count(*) from s) as marked";

pub(super) async fn advance_mailed(conn: &mut AsyncPgConnection, units: &[UnitId]) -> QueryResult<usize> {
    let row: Marked = Statement::new(MAILED).bind::<Array<SqlUuid>, _>(units).get_result(conn).await?;
    Ok(row.marked as usize)
}

const FROZEN: &str = "\
    with s as materialized (
      select id from vault_key where id = any($1) and state = any($2) order by id for no key update skip locked)
    update vault_key k set state = $3, voided_at = case when $4 = 'voided' then app_now() end,
           reserved_line_id = null, reserved_until = null
      from s where k.id = s.id and k.state = any($5)
        and ($6 <> 'available' or not exists (select 1 from key_batch b where b.id = k.batch_id and b.recalled_at is not null))
    returning k.id, k.variant_id, k.seller_id, k.state";

/// Into and out of `frozen`, where `voided_at` is null and nothing is held. A key of a recalled batch stays out of sale.
pub(super) async fn advance_frozen(
    conn: &mut AsyncPgConnection,
    keys: &[KeyId],
    from: &[KeyState],
    to: KeyState,
) -> QueryResult<Vec<ChangedKey>> {
    let from = || from.iter().map(|state| state.as_str()).collect::<Vec<_>>();
    Statement::new(FROZEN)
        .bind::<Array<SqlUuid>, _>(keys.to_vec())
        .bind::<Array<Text>, _>(from())
        .bind::<Text, _>(to)
        .bind::<Text, _>(to)
        .bind::<Array<Text>, _>(from())
        .bind::<Text, _>(to)
        .load(conn)
        .await
}

pub(super) async fn insert_batch(
    conn: &mut AsyncPgConnection,
    id: BatchId,
    data_key: uuid::Uuid,
    seller: SellerId,
    new: &NewBatch,
) -> QueryResult<Batch> {
    let (origin, wanted, format) = match &new.generate {
        None => (Origin::Import, None, None),
        Some(generate) => {
            (Origin::Generated, Some(generate.quantity), serde_json::to_value(&generate.format).ok())
        }
    };
    diesel::insert_into(key_batch::table)
        .values((
            key_batch::id.eq(id),
            key_batch::seller_id.eq(seller),
            key_batch::variant_id.eq(new.variant_id),
            key_batch::origin.eq(origin),
            key_batch::data_key_id.eq(data_key),
            key_batch::note.eq(&new.note),
            key_batch::created_by.eq(new.created_by.map(|u| u.0)),
            key_batch::wanted.eq(wanted),
            key_batch::format.eq(format),
            key_batch::keys_expire_at.eq(new.keys_expire_at),
            key_batch::layout.eq(stored(&new.layout)),
            key_batch::preview.eq(new.preview),
        ))
        .returning(Batch::as_returning())
        .get_result(conn)
        .await
}

/// Plain lines are the absence of a layout.
fn stored(layout: &Layout) -> Option<Value> {
    (*layout != Layout::default()).then(|| serde_json::to_value(layout).ok()).flatten()
}

const SUPPLIER_BATCH: &str = "\
    insert into key_batch (id, seller_id, variant_id, origin, supplier_id, state, data_key_id, finished_at)
    values ($1, $2, $3, 'bought', $4, 'done', $5, app_now()) on conflict do nothing";

/// A batch for what is bought of a variant at a supplier, unless somebody was faster.
pub(super) async fn insert_supplier_batch(
    conn: &mut AsyncPgConnection,
    id: BatchId,
    data_key: uuid::Uuid,
    (seller, variant, supplier): (SellerId, VariantId, SupplierId),
) -> QueryResult<usize> {
    Statement::new(SUPPLIER_BATCH)
        .bind::<SqlUuid, _>(id)
        .bind::<SqlUuid, _>(seller)
        .bind::<SqlUuid, _>(variant)
        .bind::<SqlUuid, _>(supplier)
        .bind::<SqlUuid, _>(data_key)
        .execute(conn)
        .await
}

/// The batch of what is bought of a variant at a supplier, which is not recalled before the transaction ends.
pub(super) async fn find_supplier_batch(
    conn: &mut AsyncPgConnection,
    variant: VariantId,
    supplier: SupplierId,
) -> QueryResult<Option<Batch>> {
    key_batch::table
        .filter(key_batch::variant_id.eq(variant))
        .filter(key_batch::supplier_id.eq(supplier))
        .filter(key_batch::recalled_at.is_null())
        .select(Batch::as_select())
        .for_share()
        .first(conn)
        .await
        .optional()
}

/// Counts keys that were bought.
pub(super) async fn advance_bought(conn: &mut AsyncPgConnection, id: BatchId) -> QueryResult<usize> {
    diesel::update(key_batch::table.find(id))
        .set((key_batch::added.eq(key_batch::added + 1), key_batch::lines.eq(key_batch::lines + 1)))
        .execute(conn)
        .await
}

const HOLDER: &str =
    "select id from vault_key where seller_id = $1 and (fp = any($2) or fp_next = any($3)) limit 1";

/// A key of the seller that has one of these fingerprints.
pub(super) async fn find_holder(
    conn: &mut AsyncPgConnection,
    seller: SellerId,
    prints: &[Vec<u8>],
) -> QueryResult<Option<KeyId>> {
    #[derive(QueryableByName)]
    struct Holder {
        #[diesel(sql_type = SqlUuid)]
        id: KeyId,
    }
    let found: Option<Holder> = Statement::new(HOLDER)
        .bind::<SqlUuid, _>(seller)
        .bind::<Array<Bytea>, _>(prints.to_vec())
        .bind::<Array<Bytea>, _>(prints.to_vec())
        .get_result(conn)
        .await
        .optional()?;
    Ok(found.map(|holder| holder.id))
}

pub(super) async fn find_batch(conn: &mut AsyncPgConnection, id: BatchId) -> QueryResult<Option<Batch>> {
    key_batch::table.find(id).select(Batch::as_select()).first(conn).await.optional()
}

/// What a chunk brought.
pub(super) struct Counted {
    /// Keys that were stored.
    pub stored: i64,
    pub refused: i64,
    pub duplicates: i64,
}

/// Counts what a chunk brought and how far its file was read, only if nobody else went on with this batch meanwhile.
pub(super) async fn advance_lines(
    conn: &mut AsyncPgConnection,
    batch: &Batch,
    end: Mark,
    counted: Counted,
    layout: Option<&Layout>,
) -> QueryResult<Option<Batch>> {
    let Counted { stored: count, refused, duplicates } = counted;
    let (added, staged) = if batch.preview { (0, count) } else { (count, 0) };
    let same = key_batch::table
        .find(batch.id)
        .filter(key_batch::lines.eq(batch.lines))
        .filter(key_batch::recalled_at.is_null())
        .filter(key_batch::state.eq(BatchState::Running));
    diesel::update(same)
        .set((
            key_batch::lines.eq(end.lines),
            key_batch::bytes.eq(end.bytes),
            key_batch::digest.eq(end.encoding.map(|_| end.digest.to_vec())),
            key_batch::encoding.eq(end.encoding.map(Encoding::as_str)),
            key_batch::added.eq(key_batch::added + added),
            key_batch::refused.eq(key_batch::refused + refused),
            key_batch::staged.eq(key_batch::staged + staged),
            key_batch::duplicates.eq(key_batch::duplicates + duplicates),
            key_batch::layout.eq(layout.and_then(stored)),
        ))
        .returning(Batch::as_returning())
        .get_result(conn)
        .await
        .optional()
}

const END_BATCH: &str = "update key_batch set state = $1,
    finished_at = case when $2 in ('done', 'failed', 'cancelled') then app_now() end
    where id = $3 and state = $4 and lines = $5";

/// Ends a batch as it was read: not when somebody went on with it meanwhile.
pub(super) async fn advance_batch(
    conn: &mut AsyncPgConnection,
    batch: &Batch,
    to: BatchState,
) -> QueryResult<usize> {
    Statement::new(END_BATCH)
        .bind::<Text, _>(to)
        .bind::<Text, _>(to)
        .bind::<SqlUuid, _>(batch.id)
        .bind::<Text, _>(batch.state)
        .bind::<BigInt, _>(batch.lines)
        .execute(conn)
        .await
}

/// Positions are given in the order of the lines, so that the oldest is sold first; rows are inserted in the order
/// of their fingerprints, so that two imports of the same keys wait for each other once instead of crossing. Both
/// fingerprints are the same: a text that was judged by `KeyText` is compared alike by all programs. Each is unique by
/// itself, so a key that is stored under the earlier definition alone, or under another text of it, is a conflict too.
/// `otherwise` is the fingerprint that the text has in variants that see case the other way: there the same text has
/// another one, which no constraint compares. `$8` are the variants that fold it.
const INSERT_KEYS: &str = "\
    with line as materialized (
      select t.id, t.fp, t.otherwise, t.sealed, t.expires_at, nextval('vault_key_pos_seq') as pos
        from unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bytea[], $5::timestamptz[])
          as t(id, fp, otherwise, sealed, expires_at))
    insert into vault_key (id, seller_id, variant_id, batch_id, pos, fp, fp_next, data_key_id, sealed, expires_at)
    overriding system value
    select line.id, b.seller_id, b.variant_id, b.id, line.pos, line.fp, line.fp, b.data_key_id, line.sealed,
           coalesce(line.expires_at, $6::timestamptz, 'infinity')
      from line cross join (select * from key_batch where id = $7) b
     where not exists (select 1 from vault_key k where k.seller_id = b.seller_id and k.fp = line.otherwise
       and (k.variant_id = any($8)) <> (b.variant_id = any($8)))
     order by line.fp
    on conflict do nothing
    returning fp";

/// Stores keys and answers the fingerprints of those that were new. `keys` are in the order of their lines.
pub(super) async fn insert_keys(
    conn: &mut AsyncPgConnection,
    batch: &Batch,
    keys: &[SealedKey],
    folding: &[VariantId],
) -> QueryResult<Vec<Vec<u8>>> {
    let rows: Vec<StoredLine> = Statement::new(INSERT_KEYS)
        .bind::<Array<SqlUuid>, _>(keys.iter().map(|k| k.id).collect::<Vec<_>>())
        .bind::<Array<Bytea>, _>(keys.iter().map(|k| k.fingerprint.as_slice()).collect::<Vec<_>>())
        .bind::<Array<Bytea>, _>(keys.iter().map(|k| k.otherwise.as_slice()).collect::<Vec<_>>())
        .bind::<Array<Bytea>, _>(keys.iter().map(|k| k.sealed.as_slice()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(keys.iter().map(|k| k.expires_at).collect::<Vec<_>>())
        .bind::<Nullable<Timestamptz>, _>(batch.keys_expire_at)
        .bind::<SqlUuid, _>(batch.id)
        .bind::<Array<SqlUuid>, _>(folding)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.fp).collect())
}

const INSERT_PROBLEMS: &str = "\
    insert into key_batch_problem (batch_id, line, code)
    select $1::uuid, * from unnest($2::bigint[], $3::text[])";

pub(super) async fn insert_problems(
    conn: &mut AsyncPgConnection,
    batch: BatchId,
    problems: &[(i64, LineProblem)],
) -> QueryResult<usize> {
    Statement::new(INSERT_PROBLEMS)
        .bind::<SqlUuid, _>(batch)
        .bind::<Array<BigInt>, _>(problems.iter().map(|p| p.0).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(problems.iter().map(|p| p.1.code()).collect::<Vec<_>>())
        .execute(conn)
        .await
}

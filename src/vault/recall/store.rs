//! SQL of recalls.

use std::sync::LazyLock;

use diesel::sql_types::{Array, BigInt, Nullable, Uuid as SqlUuid};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{BatchId, KeyId, LineId, SellerId, VariantId};
use crate::infra::db::statement::Statement;
use crate::vault::recall::TakenOut;
use crate::vault::reserved::FreedLine;
use crate::vault::state::{KeyChange, KeyMove, KeyState};

pub(super) async fn advance_recalled(conn: &mut AsyncPgConnection, id: BatchId) -> QueryResult<usize> {
    // A batch may have a million keys.
    Statement::new("set local statement_timeout = '15min'").execute(conn).await?;
    Statement::new("update key_batch set recalled_at = app_now() where id = $1 and recalled_at is null")
        .bind::<SqlUuid, _>(id.0)
        .execute(conn)
        .await
}

/// What a restore took out of sale does not come back by the restore's own end.
pub(super) async fn forget_epoch(conn: &mut AsyncPgConnection, id: BatchId) -> QueryResult<usize> {
    Statement::new(
        "update vault_key set frozen_by_epoch = null where batch_id = $1 and frozen_by_epoch is not null",
    )
    .bind::<SqlUuid, _>(id.0)
    .execute(conn)
    .await
}

/// In the order in which sales and the ends of holds lock them.
static FREEZE: LazyLock<String> = LazyLock::new(|| {
    const AVAILABLE: KeyMove = KeyMove::new(KeyState::Available, KeyChange::Freeze);
    const RESERVED: KeyMove = KeyMove::new(KeyState::Reserved, KeyChange::Freeze);
    let (to, available, reserved) = (AVAILABLE.to, AVAILABLE.from, RESERVED.from);
    format!(
        "with s as materialized (
           select k.id, k.reserved_line_id as line_id from vault_key k
            where k.batch_id = $1 and k.state in ('{available}', '{reserved}')
            order by k.expires_at, k.pos for update),
         frozen as (
           update vault_key k set state = '{to}', reserved_line_id = null, reserved_until = null
             from s where k.id = s.id and k.state in ('{available}', '{reserved}')
           returning k.id, k.variant_id, k.seller_id, s.line_id)
         select line_id, variant_id, seller_id, count(*)::bigint as keys,
                case when line_id is null then '{{}}' else array_agg(id order by id) end as key_ids
           from frozen group by line_id, variant_id, seller_id order by line_id"
    )
});

#[derive(QueryableByName)]
struct FrozenRow {
    #[diesel(sql_type = Nullable<SqlUuid>)]
    line_id: Option<LineId>,
    #[diesel(sql_type = SqlUuid)]
    variant_id: VariantId,
    #[diesel(sql_type = SqlUuid)]
    seller_id: SellerId,
    #[diesel(sql_type = BigInt)]
    keys: i64,
    #[diesel(sql_type = Array<SqlUuid>)]
    key_ids: Vec<KeyId>,
}

pub(super) async fn advance_to_frozen(conn: &mut AsyncPgConnection, id: BatchId) -> QueryResult<TakenOut> {
    let rows: Vec<FrozenRow> = Statement::new(&FREEZE).bind::<SqlUuid, _>(id.0).load(conn).await?;
    let keys = rows.iter().map(|row| row.keys).sum();
    let freed = rows.into_iter().filter_map(|row| {
        let FrozenRow { line_id, variant_id, seller_id, key_ids, .. } = row;
        Some(FreedLine { line_id: line_id?, variant_id, seller_id, keys: key_ids })
    });
    Ok(TakenOut { keys, freed: freed.collect() })
}

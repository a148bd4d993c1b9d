//! All SQL of the vault that changes rows, and what is read under a lock.

use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{KeyId, UnitId, VariantId};
use crate::infra::db::statement::Statement;
use crate::vault::claim::Claimed;
use crate::vault::model::ClaimedRow;

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
    conn: &mut AsyncPgConnection,
    variants: Vec<VariantId>,
    counts: Vec<i64>,
) -> QueryResult<Vec<Claimed>> {
    let rows: Vec<ClaimedRow> = Statement::new(CLAIM)
        .bind::<Array<SqlUuid>, _>(variants)
        .bind::<Array<BigInt>, _>(counts)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(Claimed::from).collect())
}

const SELL: &str = "\
    update vault_key k set state = 'sold', unit_id = m.unit_id, sold_at = app_now()
      from (select * from unnest($1, $2) as t(key_id, unit_id)) m
     where k.id = m.key_id and k.state = 'available'";

pub(super) async fn advance_to_sold(
    conn: &mut AsyncPgConnection,
    keys: Vec<KeyId>,
    units: Vec<UnitId>,
) -> QueryResult<usize> {
    Statement::new(SELL).bind::<Array<SqlUuid>, _>(keys).bind::<Array<SqlUuid>, _>(units).execute(conn).await
}

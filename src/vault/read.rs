//! Questions to the vault that change nothing.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{BatchId, SellerId, VariantId};
use crate::infra::db::schema::{key_batch, key_batch_problem};
use crate::infra::db::statement::Statement;
use crate::infra::db::total;
use crate::vault::model::{Batch, Origin, StockRow};

const STOCK: &str = "\
    select w.variant_id,
           (select count(*) from (select 1 from vault_key k
              where k.variant_id = w.variant_id and k.state = 'available' and k.expires_at > app_now()
              order by k.expires_at, k.pos limit w.most) counted) as available
      from unnest($1::uuid[], $2::bigint[]) as w(variant_id, most)";

/// How many keys of each variant may be sold now, counted from the keys themselves and no further than asked.
pub async fn stock(
    conn: &mut AsyncPgConnection,
    wants: &[(VariantId, i64)],
) -> QueryResult<HashMap<VariantId, i64>> {
    if wants.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<StockRow> = Statement::new(STOCK)
        .bind::<Array<SqlUuid>, _>(wants.iter().map(|w| w.0).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(wants.iter().map(|w| w.1).collect::<Vec<_>>())
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.variant_id, row.available)).collect())
}

/// Batches of these sellers, newest first, before the given one; all of them, or those that were brought in.
pub async fn list_batches(
    conn: &mut AsyncPgConnection,
    sellers: &[SellerId],
    imports: bool,
    before: Option<BatchId>,
    limit: i64,
) -> QueryResult<Vec<Batch>> {
    let mut query = key_batch::table
        .filter(key_batch::seller_id.eq_any(sellers))
        .select(Batch::as_select())
        .order(key_batch::id.desc())
        .limit(limit)
        .into_boxed();
    if imports {
        query = query.filter(key_batch::origin.eq(Origin::Import));
    }
    if let Some(before) = before {
        query = query.filter(key_batch::id.lt(before));
    }
    query.load(conn).await
}

/// How many there are of them; none above 10,000.
pub async fn count_batches(
    conn: &mut AsyncPgConnection,
    sellers: &[SellerId],
    imports: bool,
) -> QueryResult<Option<i64>> {
    let mut query = Statement::new("select 1 from key_batch b where b.seller_id = any(");
    query.push_bind::<Array<SqlUuid>, _>(sellers.iter().map(|s| s.0).collect::<Vec<_>>()).push(")");
    if imports {
        query.push(" and b.origin = ").push_bind::<Text, _>(Origin::Import.as_str());
    }
    total::count(conn, query).await
}

/// Keys of one variant whose date is on one day.
#[derive(Clone, Debug, QueryableByName)]
pub struct ExpiringKeys {
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    /// Its beginning, in UTC.
    #[diesel(sql_type = Timestamptz)]
    pub day: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    pub keys: i64,
}

/// By variant, so that the index of what is available is used and nothing else is looked at.
const EXPIRING: &str = "\
    select variant_id, date_trunc('day', expires_at, 'UTC') as day, count(*) as keys from vault_key
     where state = 'available' and expires_at < 'infinity' and seller_id = any($1)
       and expires_at > app_now() and expires_at <= app_now() + make_interval(days => $2)
     group by variant_id, day order by day, variant_id limit $3";

/// Keys of these sellers that may be sold and whose date is within so many days, by variant and day, the soonest first.
pub async fn list_expiring(
    conn: &mut AsyncPgConnection,
    sellers: &[SellerId],
    within_days: i32,
    limit: i64,
) -> QueryResult<Vec<ExpiringKeys>> {
    Statement::new(EXPIRING)
        .bind::<Array<SqlUuid>, _>(sellers.iter().map(|s| s.0).collect::<Vec<_>>())
        .bind::<Integer, _>(within_days)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await
}

/// Lines of a batch that were not taken, with their codes, after the given line.
pub async fn list_problems(
    conn: &mut AsyncPgConnection,
    batch: BatchId,
    after_line: i64,
    limit: i64,
) -> QueryResult<Vec<(i64, String)>> {
    key_batch_problem::table
        .filter(key_batch_problem::batch_id.eq(batch).and(key_batch_problem::line.gt(after_line)))
        .select((key_batch_problem::line, key_batch_problem::code))
        .order(key_batch_problem::line)
        .limit(limit)
        .load(conn)
        .await
}

//! SQL of what the database keeps for lists.

use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::infra::db::statement::Statement;

const REFRESH: &str = "with due as materialized (
    select product_id from product_price where until <= app_now() order by until limit $1)
  select refresh_product_prices(array_agg(distinct product_id)) from due having count(*) > 0";

/// Computes again what has come to its time; how many rows had.
pub(super) async fn refresh_due(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<usize> {
    Statement::new(REFRESH).bind::<BigInt, _>(limit).execute(conn).await
}

const CURRENCIES: &str = "insert into price_currency select c from unnest($1::text[]) c
  where not exists (select 1 from price_currency k where k.currency = c) on conflict do nothing";

/// Each product gets its row in a new one, by a trigger.
pub(super) async fn insert_currencies(
    conn: &mut AsyncPgConnection,
    currencies: &[&str],
) -> QueryResult<usize> {
    Statement::new(CURRENCIES).bind::<Array<Text>, _>(currencies).execute(conn).await
}

//! SQL of holds.

use diesel::sql_types::{Array, Bool, Nullable, Text, Uuid as SqlUuid};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::OrderId;
use crate::infra::db::statement::Statement;
use crate::orders::holds::Hold;

const DROP: &str = "delete from hold h where h.order_id = $1 and h.cause <> 'review' and not exists (
    select 1 from unnest($2::uuid[], $3::text[], $4::uuid[]) as w (unit_id, cause, cause_id)
     where w.cause = h.cause and w.cause_id = h.cause_id and w.unit_id is not distinct from h.unit_id)";

const SET: &str = "insert into hold (order_id, unit_id, cause, cause_id)
  select $1, w.unit_id, w.cause, w.cause_id from unnest($2::uuid[], $3::text[], $4::uuid[]) as w (unit_id, cause, cause_id)
  on conflict do nothing";

/// Makes the holds that money causes of a locked order these and no others; a review is none of them. Says whether one was
/// lifted.
pub async fn replace(conn: &mut AsyncPgConnection, order_id: OrderId, wanted: &[Hold]) -> QueryResult<bool> {
    let of = |sql| {
        Statement::new(sql)
            .bind::<SqlUuid, _>(order_id.0)
            .bind::<Array<Nullable<SqlUuid>>, _>(
                wanted.iter().map(|h| h.unit_id.map(|u| u.0)).collect::<Vec<_>>(),
            )
            .bind::<Array<Text>, _>(wanted.iter().map(|h| h.cause.as_str()).collect::<Vec<_>>())
            .bind::<Array<SqlUuid>, _>(wanted.iter().map(|h| h.cause_id).collect::<Vec<_>>())
    };
    let lifted = of(DROP).execute(conn).await?;
    if !wanted.is_empty() {
        of(SET).execute(conn).await?;
    }
    Ok(lifted > 0)
}

#[derive(QueryableByName)]
struct Held {
    #[diesel(sql_type = Bool)]
    held: bool,
}

/// Whether money that is disputed or on its way back holds an order, or a unit of it.
pub async fn is_held_by_money(conn: &mut AsyncPgConnection, id: OrderId) -> QueryResult<bool> {
    let sql = "select exists (select 1 from hold where order_id = $1 and cause <> 'review') as held";
    let row: Held = Statement::new(sql).bind::<SqlUuid, _>(id.0).get_result(conn).await?;
    Ok(row.held)
}

/// Whether anything holds an order, or a unit of it.
pub async fn is_held(conn: &mut AsyncPgConnection, id: OrderId) -> QueryResult<bool> {
    let sql = "select exists (select 1 from hold where order_id = $1) as held";
    let row: Held = Statement::new(sql).bind::<SqlUuid, _>(id.0).get_result(conn).await?;
    Ok(row.held)
}

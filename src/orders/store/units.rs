//! SQL of units that changes or locks.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::ids::{LineId, OrderId, UnitId};
use crate::infra::db::schema::unit;
use crate::infra::db::statement::Statement;
use crate::orders::model::Unit;
use crate::orders::unit::UnitState;

/// Units that were not superseded.
pub async fn list_units(conn: &mut AsyncPgConnection, ids: &[OrderId]) -> QueryResult<Vec<Unit>> {
    unit::table
        .filter(unit::order_id.eq_any(ids))
        .filter(unit::superseded_by.is_null())
        .order((unit::line_id, unit::unit_no))
        .select(Unit::as_select())
        .load(conn)
        .await
}

const RESERVED_LINES: &str = "select id as line_id, order_id from order_line
  where order_id = $1 and reserved_until is not null order by id";

/// Lines of an order for which keys were held when it was placed.
pub async fn list_reserved_lines(conn: &mut AsyncPgConnection, order: OrderId) -> QueryResult<Vec<LineId>> {
    let rows: Vec<OfOrder> = Statement::new(RESERVED_LINES).bind::<SqlUuid, _>(order.0).load(conn).await?;
    Ok(rows.into_iter().map(|row| row.line_id).collect())
}

#[derive(QueryableByName)]
struct OfOrder {
    #[diesel(sql_type = SqlUuid)]
    line_id: LineId,
    #[diesel(sql_type = SqlUuid)]
    order_id: OrderId,
}

/// Whose lines these are.
pub async fn list_orders_of_lines(
    conn: &mut AsyncPgConnection,
    lines: &[LineId],
) -> QueryResult<HashMap<LineId, OrderId>> {
    let rows: Vec<OfOrder> =
        Statement::new("select id as line_id, order_id from order_line where id = any($1)")
            .bind::<Array<SqlUuid>, _>(lines.to_vec())
            .load(conn)
            .await?;
    Ok(rows.into_iter().map(|row| (row.line_id, row.order_id)).collect())
}

const INSERT_UNITS: &str =
    "insert into unit (id, seller_id, order_id, line_id, variant_id, unit_no, total_minor)
  select u.id, l.seller_id, l.order_id, l.id, l.variant_id, u.unit_no, u.total_minor
  from unnest($1::uuid[], $2::uuid[], $3::int[], $4::bigint[]) as u (id, line_id, unit_no, total_minor)
  join order_line l on l.id = u.line_id";

/// Writes the pieces of an order's lines: (unit, line, number within the line, minor units).
pub async fn insert_units(
    conn: &mut AsyncPgConnection,
    units: &[(UnitId, LineId, i32, i64)],
) -> QueryResult<usize> {
    Statement::new(INSERT_UNITS)
        .bind::<Array<SqlUuid>, _>(units.iter().map(|u| u.0.0).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(units.iter().map(|u| u.1.0).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(units.iter().map(|u| u.2).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(units.iter().map(|u| u.3).collect::<Vec<_>>())
        .execute(conn)
        .await
}

const ADVANCE_UNITS: &str = "update unit u set state = w.state,
    assigned_at = case when w.state = 'assigned' then app_now() else u.assigned_at end,
    waiting_since = case when w.state like 'awaiting%' then coalesce(u.waiting_since, app_now()) end,
    revoked_at = case when w.state = 'revoked' then app_now() else u.revoked_at end
  from unnest($1::uuid[], $2::text[], $3::text[]) as w (id, before, state) where u.id = w.id and u.state = w.before";

/// Moves units from the state they were read in.
pub async fn advance_units(
    mut conn: &AsyncPgConnection,
    units: &[(UnitId, UnitState, UnitState)],
) -> QueryResult<usize> {
    if units.is_empty() {
        return Ok(0);
    }
    Statement::new(ADVANCE_UNITS)
        .bind::<Array<SqlUuid>, _>(units.iter().map(|u| u.0.0).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(units.iter().map(|u| u.1.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(units.iter().map(|u| u.2.as_str()).collect::<Vec<_>>())
        .execute(&mut conn)
        .await
}

/// Writes down what units were taken back for.
pub async fn note_revoked_for(
    conn: &mut AsyncPgConnection,
    units: &[UnitId],
    cause: Uuid,
) -> QueryResult<usize> {
    if units.is_empty() {
        return Ok(0);
    }
    Statement::new("update unit set revoked_for = $1 where id = any($2::uuid[])")
        .bind::<SqlUuid, _>(cause)
        .bind::<Array<SqlUuid>, _>(units.iter().map(|u| u.0).collect::<Vec<_>>())
        .execute(conn)
        .await
}

const REVEALED: &str = "update unit set state = 'revealed', revealed_at = app_now()
  where id = any($1::uuid[]) and state = 'assigned'";

/// Records the first time a buyer saw the secrets of these units.
pub async fn advance_revealed(conn: &mut AsyncPgConnection, units: &[UnitId]) -> QueryResult<usize> {
    Statement::new(REVEALED)
        .bind::<Array<SqlUuid>, _>(units.iter().map(|u| u.0).collect::<Vec<_>>())
        .execute(conn)
        .await
}

//! SQL of units that changes or locks.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
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

/// All units of these orders, superseded ones too: by line and number, the earlier piece first.
pub async fn list_all_units(conn: &mut AsyncPgConnection, ids: &[OrderId]) -> QueryResult<Vec<Unit>> {
    unit::table
        .filter(unit::order_id.eq_any(ids))
        .order((unit::line_id, unit::unit_no, unit::id))
        .select(Unit::as_select())
        .load(conn)
        .await
}

#[derive(QueryableByName)]
struct CurrentUnit {
    #[diesel(sql_type = SqlUuid)]
    asked: UnitId,
    #[diesel(sql_type = SqlUuid)]
    id: UnitId,
}

const CURRENT: &str = "with recursive chain as (
    select u.id as asked, u.id, u.superseded_by from unit u where u.id = any($1::uuid[])
    union
    select c.asked, u.id, u.superseded_by from chain c join unit u on u.id = c.superseded_by)
  select asked, id from chain where superseded_by is null";

/// The units that are in the place of these now: themselves, where nothing superseded them. Ids of nothing stay as they are.
pub async fn list_current(conn: &mut AsyncPgConnection, ids: &[UnitId]) -> QueryResult<Vec<UnitId>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<CurrentUnit> = Statement::new(CURRENT)
        .bind::<Array<SqlUuid>, _>(ids.iter().map(|u| u.0).collect::<Vec<_>>())
        .load(conn)
        .await?;
    let current = |id: &UnitId| rows.iter().find(|row| row.asked == *id).map_or(*id, |row| row.id);
    Ok(ids.iter().map(current).collect())
}

/// The row is written after the old one has left the index of those that were not superseded, and before its key is
/// looked for.
const SUPERSEDE: &str = "with old as (
    update unit u set state = w.after, superseded_by = w.successor
      from (select $1::uuid as id, $2::text as before, $3::text as after, $4::uuid as successor) w
     where u.id = w.id and u.state = w.before and u.superseded_by is null
    returning u.seller_id, u.order_id, u.line_id, u.variant_id, u.unit_no, u.total_minor, w.successor)
  insert into unit (id, seller_id, order_id, line_id, variant_id, unit_no, total_minor)
  select successor, seller_id, order_id, line_id, variant_id, unit_no, total_minor from old";

/// Puts a new unit in the place of one of a locked order, from the state it was read in.
pub async fn supersede(
    conn: &mut AsyncPgConnection,
    unit: UnitId,
    (before, after): (UnitState, UnitState),
    successor: UnitId,
) -> QueryResult<usize> {
    Statement::new(SUPERSEDE)
        .bind::<SqlUuid, _>(unit.0)
        .bind::<Text, _>(before.as_str())
        .bind::<Text, _>(after.as_str())
        .bind::<SqlUuid, _>(successor.0)
        .execute(conn)
        .await
}

#[derive(QueryableByName)]
struct FirstDelivery {
    #[diesel(sql_type = Nullable<Timestamptz>)]
    at: Option<DateTime<Utc>>,
}

/// When a piece of a line, or what it took the place of, was delivered first.
pub async fn first_delivered(
    conn: &mut AsyncPgConnection,
    line: LineId,
    unit_no: i32,
) -> QueryResult<Option<DateTime<Utc>>> {
    let row: FirstDelivery =
        Statement::new("select min(assigned_at) as at from unit where line_id = $1 and unit_no = $2")
            .bind::<SqlUuid, _>(line.0)
            .bind::<Integer, _>(unit_no)
            .get_result(conn)
            .await?;
    Ok(row.at)
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

// What is paid in this transaction may be written down after its units are.
const ADVANCE_UNITS: &str = "update unit u set state = w.state,
    assigned_at = case when w.state = 'assigned' then app_now() else u.assigned_at end,
    waiting_since = case when w.state like 'awaiting%' then coalesce(u.waiting_since, app_now()) end,
    paid_at = case when w.state like 'awaiting%'
      then coalesce((select o.paid_at from orders o where o.id = u.order_id), app_now()) end,
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

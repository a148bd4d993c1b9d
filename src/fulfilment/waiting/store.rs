//! SQL of what waits too long. Every question begins at an index of what waits.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{BigInt, Double, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::ids::{LineId, OrderId, VariantId};
use crate::infra::db::statement::Statement;
use crate::infra::stuck::is_put_off;
use crate::orders::UnitState;
use crate::orders::holds::unit_is_held;

#[derive(QueryableByName)]
struct OrderRow {
    #[diesel(sql_type = SqlUuid)]
    id: OrderId,
}

const UNASSIGNED: &str = concat!(
    "with w as (select $1::float8 as seconds, $2::bigint as most)
  select o.id from orders o
  where o.state = 'paid' and o.delivered_at is null and o.paid_at < app_now() - make_interval(secs => (select seconds from w))
    and exists (select 1 from unit u where u.order_id = o.id and u.state = 'unassigned' and u.superseded_by is null)
    and not exists (select 1 from hold h where h.order_id = o.id) and not ",
    is_put_off!("unassigned_orders", "o.id::text"),
    " order by o.paid_at, o.id limit (select most from w)"
);

/// Orders paid so long ago with pieces that have nothing and wait for nothing, although nothing holds them.
pub(super) async fn list_unassigned(
    conn: &mut AsyncPgConnection,
    after: TimeDelta,
    limit: i64,
) -> QueryResult<Vec<OrderId>> {
    let rows: Vec<OrderRow> =
        Statement::new(UNASSIGNED).bind::<Double, _>(secs(after)).bind::<BigInt, _>(limit).load(conn).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

fn secs(time: TimeDelta) -> f64 {
    time.num_seconds() as f64
}

/// A line of which a piece waits for a person.
#[derive(QueryableByName)]
pub(super) struct LeftLine {
    #[diesel(sql_type = SqlUuid)]
    pub line_id: LineId,
    #[diesel(sql_type = SqlUuid)]
    pub order_id: OrderId,
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
}

const LEFT: &str = concat!(
    "with w as (select app_now() - make_interval(secs => $1) as since, app_now() - make_interval(secs => $2) as rested,
      $3::bigint as most)
  select distinct u.line_id, u.order_id, u.variant_id from unit u
  where u.state = 'awaiting_person' and u.superseded_by is null and u.waiting_since < (select since from w) and not ",
    unit_is_held!(),
    " and not exists (select 1 from task t where t.kind in ('delivery_by_hand', 'delivery_failed')
      and t.subject = u.line_id::text and (t.state <> 'resolved' or t.resolved_at > (select rested from w)))
  limit (select most from w)"
);

/// Lines that wait for a person and have no open task, nor one that was ended within `rest`.
pub(super) async fn list_left_to_nobody(
    conn: &mut AsyncPgConnection,
    after: TimeDelta,
    rest: TimeDelta,
    limit: i64,
) -> QueryResult<Vec<LeftLine>> {
    Statement::new(LEFT)
        .bind::<Double, _>(secs(after))
        .bind::<Double, _>(secs(rest))
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await
}

/// A question about what has waited for longer than `after`, and about which no task of this kind was opened since that began.
fn late<'a>(sql: &'static str, kind: &'a str, after: TimeDelta, limit: i64) -> Statement<'a> {
    Statement::new(sql).bind::<Double, _>(secs(after)).bind::<Text, _>(kind).bind::<BigInt, _>(limit)
}

/// A variant whose buyers have waited for too long.
#[derive(QueryableByName)]
pub(super) struct LateVariantRow {
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    #[diesel(sql_type = Text)]
    pub state: UnitState,
    #[diesel(sql_type = BigInt)]
    pub pieces: i64,
    #[diesel(sql_type = Timestamptz)]
    pub since: DateTime<Utc>,
}

const LATE_VARIANTS: &str = concat!(
    "with w as (select app_now() - make_interval(secs => $1) as since, $2::text as kind, $3::bigint as most)
  select late.* from (
    select u.variant_id, u.state, count(*) as pieces, min(u.waiting_since) as since from unit u
     where u.state in ('awaiting_stock', 'awaiting_supplier') and u.superseded_by is null
       and u.waiting_since < (select since from w) and not ",
    unit_is_held!(),
    " group by u.variant_id, u.state) late
  where not exists (select 1 from task t where t.kind = (select kind from w) and t.subject = late.variant_id::text
    and (t.state <> 'resolved' or t.created_at >= late.since))
  order by late.since limit (select most from w)"
);

/// Variants for whose stock, or at whose suppliers, something has waited for longer than this, and about which no task was
/// opened since that began.
pub(super) async fn list_late_variants(
    conn: &mut AsyncPgConnection,
    kind: &str,
    after: TimeDelta,
    limit: i64,
) -> QueryResult<Vec<LateVariantRow>> {
    late(LATE_VARIANTS, kind, after, limit).load(conn).await
}

/// A line that has waited for a person for too long.
#[derive(QueryableByName)]
pub(super) struct LateLineRow {
    #[diesel(sql_type = SqlUuid)]
    pub line_id: LineId,
    #[diesel(sql_type = SqlUuid)]
    pub order_id: OrderId,
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    /// Open code.
    #[diesel(sql_type = Text)]
    pub state: String,
    #[diesel(sql_type = Timestamptz)]
    pub since: DateTime<Utc>,
}

const LATE_LINES: &str = concat!(
    "with w as (select app_now() - make_interval(secs => $1) as since, $2::text as kind, $3::bigint as most)
  select late.* from (
    select u.line_id, u.order_id, u.variant_id, 'AWAITING_PERSON' as state, min(u.waiting_since) as since from unit u
     where u.state = 'awaiting_person' and u.superseded_by is null
       and u.waiting_since < (select since from w) and not ",
    unit_is_held!(),
    " group by u.line_id, u.order_id, u.variant_id
    union all
    select u.line_id, u.order_id, u.variant_id, 'IN_REVIEW', o.paid_at from orders o join unit u on u.order_id = o.id
     where o.state = 'paid' and o.delivered_at is null and o.paid_at < (select since from w)
       and u.state = 'unassigned' and u.superseded_by is null
       and exists (select 1 from hold h where h.order_id = o.id and h.cause = 'review')
     group by u.line_id, u.order_id, u.variant_id, o.paid_at) late
  where not exists (select 1 from task t where t.kind = (select kind from w) and t.subject = late.line_id::text
    and (t.state <> 'resolved' or t.created_at >= late.since))
  order by late.since limit (select most from w)"
);

/// Lines that have waited for a person for longer than this, under review or otherwise, and about which no task was opened since
/// that began.
pub(super) async fn list_late_lines(
    conn: &mut AsyncPgConnection,
    kind: &str,
    after: TimeDelta,
    limit: i64,
) -> QueryResult<Vec<LateLineRow>> {
    late(LATE_LINES, kind, after, limit).load(conn).await
}

/// An open task whose cause has ended.
#[derive(QueryableByName)]
pub(super) struct OverRow {
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Text)]
    subject: String,
}

impl OverRow {
    pub fn id(&self) -> Option<Uuid> {
        self.subject.parse().ok()
    }
}

const OVER: &str = "select t.kind, t.subject from task t
  where t.kind = $1 and t.state <> 'resolved' and not exists (select 1 from unit u
    where u.variant_id = t.subject::uuid and u.state in ('awaiting_stock', 'awaiting_supplier') and u.superseded_by is null)
  union all
  select t.kind, t.subject from task t
  where t.kind = $2 and t.state <> 'resolved' and not exists (select 1 from unit u
    where u.line_id = t.subject::uuid and u.state in ('awaiting_person', 'unassigned') and u.superseded_by is null)
  limit $3";

/// Tasks about variants and lines of which nothing waits any more.
pub(super) async fn list_over(
    conn: &mut AsyncPgConnection,
    goods: &str,
    lines: &str,
    limit: i64,
) -> QueryResult<Vec<OverRow>> {
    Statement::new(OVER)
        .bind::<Text, _>(goods)
        .bind::<Text, _>(lines)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await
}

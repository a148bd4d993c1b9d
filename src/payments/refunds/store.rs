//! SQL of refunds.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{LineId, OrderId, PaymentId, RefundId, SellerId, UnitId};
use crate::infra::db::schema::{refund, refund_unit};
use crate::infra::db::statement::Statement;
use crate::payments::refunds::model::Refund;
use crate::payments::refunds::state::RefundState;

const INSERT: &str = "insert into refund (id, order_id, payment_id, state, amount_minor, currency, reason, origin,
    gateway_refund_id, requested_by, requested_at, succeeded_at, failure_code, basis, counted_minor, made_at, failed_at,
    said_at, mailed_minor, heard_at, ever_succeeded)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)";

pub async fn insert(conn: &mut AsyncPgConnection, row: &Refund) -> QueryResult<usize> {
    Statement::new(INSERT)
        .bind::<SqlUuid, _>(row.id.0)
        .bind::<SqlUuid, _>(row.order_id.0)
        .bind::<SqlUuid, _>(row.payment_id.0)
        .bind::<Text, _>(row.state.as_str())
        .bind::<BigInt, _>(row.amount_minor)
        .bind::<Text, _>(row.currency.as_str())
        .bind::<Nullable<Text>, _>(row.reason.as_deref())
        .bind::<Text, _>(row.origin.as_str())
        .bind::<Nullable<Text>, _>(row.gateway_refund_id.as_deref())
        .bind::<Nullable<SqlUuid>, _>(row.requested_by.map(|u| u.0))
        .bind::<Timestamptz, _>(row.requested_at)
        .bind::<Nullable<Timestamptz>, _>(row.succeeded_at)
        .bind::<Nullable<Text>, _>(row.failure_code.as_deref())
        .bind::<Text, _>(row.basis.as_str())
        .bind::<BigInt, _>(row.counted_minor)
        .bind::<Nullable<Timestamptz>, _>(row.made_at)
        .bind::<Nullable<Timestamptz>, _>(row.failed_at)
        .bind::<Nullable<Timestamptz>, _>(row.said_at)
        .bind::<BigInt, _>(row.mailed_minor)
        .bind::<Timestamptz, _>(row.heard_at)
        .bind::<Bool, _>(row.ever_succeeded)
        .execute(conn)
        .await
}

const INSERT_UNITS: &str = "insert into refund_unit (refund_id, unit_id, amount_minor)
  select $1, * from unnest($2::uuid[], $3::bigint[])";

/// Names the units of a refund with what of it falls on each. The index `refund_unit_once` refuses a unit that another
/// refund, open or succeeded, names.
pub async fn insert_units(
    conn: &mut AsyncPgConnection,
    id: RefundId,
    units: &[(UnitId, i64)],
) -> QueryResult<usize> {
    Statement::new(INSERT_UNITS)
        .bind::<SqlUuid, _>(id.0)
        .bind::<Array<SqlUuid>, _>(units.iter().map(|u| u.0.0).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(units.iter().map(|u| u.1).collect::<Vec<_>>())
        .execute(conn)
        .await
}

const ADVANCE: &str = "update refund set state = w.after, gateway_refund_id = w.gateway_refund_id,
    failure_code = w.failure_code, amount_minor = w.amount_minor, basis = w.basis, counted_minor = w.counted_minor,
    made_at = w.made_at, failed_at = w.failed_at, said_at = w.said_at, mailed_minor = w.mailed_minor,
    heard_at = w.heard_at, ever_succeeded = w.ever_succeeded,
    succeeded_at = case when w.after = 'succeeded' then coalesce(refund.succeeded_at, app_now()) end,
    next_check_at = case when w.after in ('requested', 'pending', 'unknown') then refund.next_check_at end
  from (select $1::uuid as id, $2::text as before, $3::text as after, $4::text as gateway_refund_id,
    $5::text as failure_code, $6::bigint as amount_minor, $7::text as basis, $8::bigint as counted_minor,
    $9::timestamptz as made_at, $10::timestamptz as failed_at, $11::timestamptz as said_at,
    $12::bigint as mailed_minor, $13::timestamptz as heard_at, $14::bool as ever_succeeded) w
  where refund.id = w.id and refund.state = w.before";

/// Writes a refund whose order is locked, from the state it was read in.
pub async fn advance(conn: &mut AsyncPgConnection, before: RefundState, row: &Refund) -> QueryResult<usize> {
    Statement::new(ADVANCE)
        .bind::<SqlUuid, _>(row.id.0)
        .bind::<Text, _>(before.as_str())
        .bind::<Text, _>(row.state.as_str())
        .bind::<Nullable<Text>, _>(row.gateway_refund_id.as_deref())
        .bind::<Nullable<Text>, _>(row.failure_code.as_deref())
        .bind::<BigInt, _>(row.amount_minor)
        .bind::<Text, _>(row.basis.as_str())
        .bind::<BigInt, _>(row.counted_minor)
        .bind::<Nullable<Timestamptz>, _>(row.made_at)
        .bind::<Nullable<Timestamptz>, _>(row.failed_at)
        .bind::<Nullable<Timestamptz>, _>(row.said_at)
        .bind::<BigInt, _>(row.mailed_minor)
        .bind::<Timestamptz, _>(row.heard_at)
        .bind::<Bool, _>(row.ever_succeeded)
        .execute(conn)
        .await
}

const RELEASE: &str = "update refund_unit set active = false where refund_id = $1 and active";

const RECLAIM: &str = "update refund_unit ru set active = true where ru.refund_id = $1 and not ru.active
    and not exists (select 1 from refund_unit other where other.unit_id = ru.unit_id and other.active)";

/// A refund that failed names its units no longer: they may be refunded anew.
pub async fn release_units(conn: &mut AsyncPgConnection, id: RefundId) -> QueryResult<usize> {
    Statement::new(RELEASE).bind::<SqlUuid, _>(id.0).execute(conn).await
}

/// A refund that had failed and succeeded after all names its units again, except those that another one has named
/// meanwhile.
pub async fn reclaim_units(conn: &mut AsyncPgConnection, id: RefundId) -> QueryResult<usize> {
    Statement::new(RECLAIM).bind::<SqlUuid, _>(id.0).execute(conn).await
}

const NOTE_CHECK: &str = "update refund set checks = checks + 1, next_check_at = $1 where id = $2";

/// Counts a call to the gateway about an open refund and notes when the next one is due.
pub async fn note_check(
    conn: &mut AsyncPgConnection,
    id: RefundId,
    next: DateTime<Utc>,
) -> QueryResult<usize> {
    Statement::new(NOTE_CHECK).bind::<Timestamptz, _>(next).bind::<SqlUuid, _>(id.0).execute(conn).await
}

/// Refunds of these orders, the first asked for first.
pub async fn list_of_orders(mut conn: &AsyncPgConnection, ids: &[OrderId]) -> QueryResult<Vec<Refund>> {
    refund::table
        .filter(refund::order_id.eq_any(ids))
        .order((refund::requested_at, refund::id))
        .select(Refund::as_select())
        .load(&mut conn)
        .await
}

/// Which units each refund of these orders names.
pub async fn list_named_units(
    mut conn: &AsyncPgConnection,
    ids: &[OrderId],
) -> QueryResult<HashMap<RefundId, Vec<UnitId>>> {
    let rows: Vec<(RefundId, UnitId)> = refund_unit::table
        .inner_join(refund::table.on(refund::id.eq(refund_unit::refund_id)))
        .filter(refund::order_id.eq_any(ids))
        .order(refund_unit::unit_id)
        .select((refund_unit::refund_id, refund_unit::unit_id))
        .load(&mut conn)
        .await?;
    let mut named: HashMap<RefundId, Vec<UnitId>> = HashMap::new();
    for (refund, unit) in rows {
        named.entry(refund).or_default().push(unit);
    }
    Ok(named)
}

pub async fn find(conn: &mut AsyncPgConnection, id: RefundId) -> QueryResult<Option<Refund>> {
    refund::table.find(id).select(Refund::as_select()).first(conn).await.optional()
}

pub async fn list_units(conn: &mut AsyncPgConnection, id: RefundId) -> QueryResult<Vec<UnitId>> {
    refund_unit::table.filter(refund_unit::refund_id.eq(id)).select(refund_unit::unit_id).load(conn).await
}

/// Those of the units that a refund names which is open or succeeded.
pub async fn list_named_of(conn: &mut AsyncPgConnection, units: &[UnitId]) -> QueryResult<Vec<UnitId>> {
    refund_unit::table
        .filter(refund_unit::unit_id.eq_any(units))
        .filter(refund_unit::active)
        .select(refund_unit::unit_id)
        .load(conn)
        .await
}

/// A line and an amount of it.
#[derive(Clone, Debug, QueryableByName)]
pub struct LineShare {
    #[diesel(sql_type = SqlUuid)]
    pub line_id: LineId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    /// Minor units.
    #[diesel(sql_type = BigInt)]
    pub left_minor: i64,
}

const SHARES: &str =
    "select e.line_id, e.seller_id, (-sum(e.amount_minor))::bigint as left_minor from ledger_entry e
  where e.payment_id = $1 and e.book = 'sales' and e.line_id is not null
  group by e.line_id, e.seller_id having sum(e.amount_minor) < 0 order by e.line_id";

/// The lines a payment paid for with what its own ledger still credits to each.
pub async fn list_shares(conn: &mut AsyncPgConnection, payment_id: PaymentId) -> QueryResult<Vec<LineShare>> {
    Statement::new(SHARES).bind::<SqlUuid, _>(payment_id.0).load(conn).await
}

#[derive(QueryableByName)]
struct UnitLine {
    #[diesel(sql_type = SqlUuid)]
    line_id: LineId,
    #[diesel(sql_type = BigInt)]
    amount_minor: i64,
}

const UNIT_LINES: &str = "select u.line_id, sum(r.amount_minor)::bigint as amount_minor from refund_unit r
  join unit u on u.id = r.unit_id where r.refund_id = $1 group by u.line_id";

/// How much of a refund falls on each line, by its named units.
pub async fn list_unit_lines(conn: &mut AsyncPgConnection, id: RefundId) -> QueryResult<Vec<(LineId, i64)>> {
    let rows: Vec<UnitLine> = Statement::new(UNIT_LINES).bind::<SqlUuid, _>(id.0).load(conn).await?;
    Ok(rows.into_iter().map(|r| (r.line_id, r.amount_minor)).collect())
}

const BOOKED: &str = "select e.line_id, e.seller_id, sum(e.amount_minor)::bigint as left_minor from ledger_entry e
  where e.payment_id = $1 and (e.refund_id = $2 or e.dispute_id = $2) and e.book = 'sales' and e.line_id is not null
  group by e.line_id, e.seller_id having sum(e.amount_minor) > 0 order by e.line_id";

/// What a refund or dispute of this payment took from each line, by the ledger.
pub async fn list_booked(
    conn: &mut AsyncPgConnection,
    payment_id: PaymentId,
    id: uuid::Uuid,
) -> QueryResult<Vec<LineShare>> {
    Statement::new(BOOKED).bind::<SqlUuid, _>(payment_id.0).bind::<SqlUuid, _>(id).load(conn).await
}

const LINE_TOTALS: &str = "select l.id as line_id, l.seller_id, l.total_minor as left_minor from order_line l
  where l.order_id = $1 and l.part_count is null order by l.position";

/// What each line of an order costs; a bundle is its parts.
pub async fn list_line_totals(conn: &mut AsyncPgConnection, id: OrderId) -> QueryResult<Vec<LineShare>> {
    Statement::new(LINE_TOTALS).bind::<SqlUuid, _>(id.0).load(conn).await
}

const OVERDUE: &str = "select r.* from refund r
    where r.state in ('requested', 'pending', 'unknown') and r.requested_at < app_now() - interval '20 hours'
      and not exists (select 1 from task t where t.subject = r.id::text and t.state <> 'resolved'
        and t.kind in ('refund_unclear', 'refund_needs_person', 'refund_overdue'))
    order by r.requested_at limit $1";

/// Refunds that are open for almost a day and of which no person knows.
pub async fn list_overdue(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<Vec<Refund>> {
    Statement::new(OVERDUE).bind::<BigInt, _>(limit).load(conn).await
}

/// Open refunds that nobody has worked on for a quarter of an hour beyond their time: their job was lost.
pub async fn list_forgotten(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<Vec<RefundId>> {
    let rows: Vec<ForgottenRow> = Statement::new(
        "select id from refund where state in ('requested', 'pending', 'unknown')
           and (origin <> 'gateway' or gateway_refund_id is not null)
           and coalesce(next_check_at, requested_at) < app_now() - interval '15 minutes'
         order by requested_at limit $1",
    )
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|r| r.id).collect())
}

#[derive(QueryableByName)]
struct ForgottenRow {
    #[diesel(sql_type = SqlUuid)]
    id: RefundId,
}

//! Refunds: rows that say how far money is on its way back.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{LineId, OrderId, PaymentId, RefundId, SellerId, UnitId, UserId};
use crate::base::money::Currency;
use crate::infra::db::schema::{refund, refund_unit};
use crate::infra::db::statement::Statement;
use crate::payments::model::Refund;
use crate::payments::state::RefundState;

/// A refund to be written.
#[derive(Clone, Debug)]
pub struct NewRefundRow {
    pub id: RefundId,
    pub order_id: OrderId,
    pub payment_id: PaymentId,
    pub state: RefundState,
    pub amount_minor: i64,
    pub currency: Currency,
    pub reason: Option<String>,
    pub origin: &'static str,
    pub gateway_refund_id: Option<String>,
    pub requested_by: Option<UserId>,
}

const INSERT: &str = "insert into refund (id, order_id, payment_id, state, amount_minor, currency, reason, origin,
    gateway_refund_id, requested_by, succeeded_at)
  select v.id, v.order_id, v.payment_id, v.state, v.amount_minor, v.currency, v.reason, v.origin, v.gateway_refund_id,
    v.requested_by, case when v.state = 'succeeded' then app_now() end
  from (select $1 as id, $2 as order_id, $3 as payment_id, $4::text as state, $5 as amount_minor, $6::text as currency,
    $7::text as reason, $8::text as origin, $9::text as gateway_refund_id, $10::uuid as requested_by) v";

pub async fn insert(conn: &mut AsyncPgConnection, new: &NewRefundRow) -> QueryResult<usize> {
    Statement::new(INSERT)
        .bind::<SqlUuid, _>(new.id.0)
        .bind::<SqlUuid, _>(new.order_id.0)
        .bind::<SqlUuid, _>(new.payment_id.0)
        .bind::<Text, _>(new.state.as_str())
        .bind::<BigInt, _>(new.amount_minor)
        .bind::<Text, _>(new.currency.as_str())
        .bind::<Nullable<Text>, _>(new.reason.as_deref())
        .bind::<Text, _>(new.origin)
        .bind::<Nullable<Text>, _>(new.gateway_refund_id.as_deref())
        .bind::<Nullable<SqlUuid>, _>(new.requested_by.map(|u| u.0))
        .execute(conn)
        .await
}

const INSERT_UNITS: &str = "insert into refund_unit (refund_id, unit_id, amount_minor)
  select $1, * from unnest($2::uuid[], $3::bigint[])";

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

const ADVANCE: &str = "update refund set state = w.after, gateway_refund_id = coalesce(w.gateway_refund_id, refund.gateway_refund_id),
    failure_code = coalesce(w.failure_code, refund.failure_code),
    succeeded_at = case when w.after = 'succeeded' then app_now() end,
    checks = refund.checks + 1, next_check_at = w.next_check_at
  from (select $1::uuid as id, $2::text as before, $3::text as after, $4::text as gateway_refund_id,
    $5::text as failure_code, $6::timestamptz as next_check_at) w
  where refund.id = w.id and refund.state = w.before";

/// Moves a refund from the state it was read in.
pub async fn advance(
    conn: &mut AsyncPgConnection,
    row: &Refund,
    after: RefundState,
    gateway_refund_id: Option<&str>,
    failure_code: Option<&str>,
    next_check_at: Option<DateTime<Utc>>,
) -> QueryResult<usize> {
    Statement::new(ADVANCE)
        .bind::<SqlUuid, _>(row.id.0)
        .bind::<Text, _>(row.state.as_str())
        .bind::<Text, _>(after.as_str())
        .bind::<Nullable<Text>, _>(gateway_refund_id)
        .bind::<Nullable<Text>, _>(failure_code)
        .bind::<Nullable<Timestamptz>, _>(next_check_at)
        .execute(conn)
        .await
}

pub async fn find(conn: &mut AsyncPgConnection, id: RefundId) -> QueryResult<Option<Refund>> {
    refund::table.find(id).select(Refund::as_select()).first(conn).await.optional()
}

pub async fn lock(conn: &mut AsyncPgConnection, id: RefundId) -> QueryResult<Option<Refund>> {
    refund::table.find(id).select(Refund::as_select()).for_update().first(conn).await.optional()
}

pub async fn list_units(conn: &mut AsyncPgConnection, id: RefundId) -> QueryResult<Vec<UnitId>> {
    refund_unit::table.filter(refund_unit::refund_id.eq(id)).select(refund_unit::unit_id).load(conn).await
}

#[derive(QueryableByName)]
struct Sum {
    #[diesel(sql_type = BigInt)]
    sum: i64,
}

/// What refunds that nobody has decided yet would take from a payment, minor units.
pub async fn sum_open(conn: &mut AsyncPgConnection, payment_id: PaymentId) -> QueryResult<i64> {
    let row: Sum = Statement::new(
        "select coalesce(sum(amount_minor), 0)::bigint as sum from refund where payment_id = $1
           and state in ('requested', 'pending', 'unknown')",
    )
    .bind::<SqlUuid, _>(payment_id.0)
    .get_result(conn)
    .await?;
    Ok(row.sum)
}

/// A line and how much of it has not been refunded yet.
#[derive(Clone, Debug, QueryableByName)]
pub struct LineShare {
    #[diesel(sql_type = SqlUuid)]
    pub line_id: LineId,
    #[diesel(sql_type = SqlUuid)]
    pub seller_id: SellerId,
    /// Minor units that this payment's ledger still credits to the line.
    #[diesel(sql_type = BigInt)]
    pub left_minor: i64,
}

const SHARES: &str =
    "select e.line_id, e.seller_id, (-sum(e.amount_minor))::bigint as left_minor from ledger_entry e
  where e.payment_id = $1 and e.book = 'sales' and e.line_id is not null
  group by e.line_id, e.seller_id having sum(e.amount_minor) < 0 order by e.line_id";

/// The lines a payment paid for, by its own ledger.
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

/// Open refunds that nobody has worked on for a quarter of an hour beyond their time: their job was lost.
pub async fn list_forgotten(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<Vec<RefundId>> {
    let rows: Vec<ForgottenRow> = Statement::new(
        "select id from refund where state in ('requested', 'pending', 'unknown')
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

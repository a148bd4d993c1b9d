//! The statements of a slice: each handles one notice or sixty-four. They share the connection, so that those which do
//! not wait for each other go to the server together.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{DisputeId, LineId, OrderId, PaymentId, RefundId, SellerId};
use crate::base::money::Currency;
use crate::infra::db::schema::payment;
use crate::infra::db::statement::Statement;
use crate::payments::case::Tracked;
use crate::payments::gateways::gateway::Named;
use crate::payments::model::Payment;
use crate::payments::report::PaymentReport;

/// How a report was matched to a payment. The order is the order of trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    Number,
    TradeNo,
    Reference,
    /// Its number belongs to an attempt at another account.
    OtherAccount,
}

#[derive(QueryableByName)]
struct FoundRow {
    #[diesel(sql_type = BigInt)]
    idx: i64,
    #[diesel(sql_type = SqlUuid)]
    id: PaymentId,
    #[diesel(sql_type = SqlUuid)]
    order_id: OrderId,
    #[diesel(sql_type = Integer)]
    how: i32,
}

/// A payment that a report may be about.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub index: usize,
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub how: How,
}

const FIND: &str = "with w as materialized (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[]) with ordinality
      as w (account_id, number, trade_no, reference, idx))
  select w.idx, p.id, p.order_id, 1 as how from w
    join payment p on p.account_id = w.account_id and p.gateway_number = w.number
  union all select w.idx, p.id, p.order_id, 2 from w
    join payment p on p.account_id = w.account_id and p.trade_no = w.trade_no
  union all select w.idx, p.id, p.order_id, 3 from w
    join payment p on p.account_id = w.account_id and p.gateway_reference = w.reference
  union all select w.idx, p.id, p.order_id, 4 from w
    join payment p on p.gateway_number = w.number and p.account_id <> w.account_id";

/// Which payments the reports may be about; nothing is locked.
pub async fn find(conn: &mut AsyncPgConnection, reports: &[PaymentReport]) -> QueryResult<Vec<Found>> {
    let reference = |w: &PaymentReport| w.facts().and_then(|f| f.gateway_reference.clone());
    let rows: Vec<FoundRow> = Statement::new(FIND)
        .bind::<Array<Text>, _>(reports.iter().map(PaymentReport::account_id).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(reports.iter().map(PaymentReport::number).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(reports.iter().map(PaymentReport::trade_no).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(reports.iter().map(reference).collect::<Vec<_>>())
        .load(conn)
        .await?;
    let how = |n: i32| match n {
        1 => How::Number,
        2 => How::TradeNo,
        3 => How::Reference,
        _ => How::OtherAccount,
    };
    Ok(rows
        .into_iter()
        .map(|r| Found { index: r.idx as usize - 1, payment_id: r.id, order_id: r.order_id, how: how(r.how) })
        .collect())
}

/// Whether a payment has a number, a trade or a reference that an event names which cannot be read.
pub async fn is_known(conn: &mut AsyncPgConnection, account_id: &str, named: &Named) -> QueryResult<bool> {
    // What has control characters is in no row, and PostgreSQL's text takes no NUL.
    let clean = |text: &&str| !text.contains(char::is_control);
    let numbers: Vec<&str> = named.numbers.iter().map(String::as_str).filter(clean).collect();
    let trade_no = named.trade_no.as_deref().filter(clean);
    let reference = named.gateway_reference.as_deref().filter(clean);
    let there = payment::account_id
        .eq(account_id.to_owned())
        .and(payment::trade_no.eq(trade_no).or(payment::gateway_reference.eq(reference)).assume_not_null());
    let known = payment::table.filter(payment::gateway_number.eq_any(numbers).assume_not_null().or(there));
    diesel::select(diesel::dsl::exists(known)).get_result(conn).await
}

pub async fn list_payments(mut conn: &AsyncPgConnection, ids: &[OrderId]) -> QueryResult<Vec<Payment>> {
    payment::table
        .filter(payment::order_id.eq_any(ids))
        .order((payment::order_id, payment::attempt))
        .select(Payment::as_select())
        .load(&mut conn)
        .await
}

const WITH_GOODS: &str = "select distinct u.order_id as id from unit u where u.order_id = any($1::uuid[])
    and u.superseded_by is null and u.state not in ('revoked', 'cancelled')";

#[derive(QueryableByName)]
struct OrderRow {
    #[diesel(sql_type = SqlUuid)]
    id: OrderId,
}

/// Those of the orders that have a unit with goods, or one that waits for some.
pub async fn list_with_goods(mut conn: &AsyncPgConnection, ids: &[OrderId]) -> QueryResult<Vec<OrderId>> {
    let rows: Vec<OrderRow> = Statement::new(WITH_GOODS)
        .bind::<Array<SqlUuid>, _>(ids.iter().map(|id| id.0).collect::<Vec<_>>())
        .load(&mut conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

const ADVANCE: &str = "update payment p set state = u.state, trade_no = u.trade_no, received_minor = u.received_minor,
    received_currency = u.received_currency, allocated = u.allocated, refunded_minor = u.refunded_minor,
    lost_minor = u.lost_minor, told_sum_minor = u.told_sum_minor, told_sum_at = u.told_sum_at,
    told_sum_heard_at = u.told_sum_heard_at, told_sum_asked = u.told_sum_asked,
    captured_at = case when u.received_minor is not null then coalesce(p.captured_at, app_now()) end,
    closed_at = case when u.state in ('failed', 'expired') then coalesce(p.closed_at, app_now()) else p.closed_at end,
    next_check_at = case when u.state in ('started', 'pending', 'unknown') then p.next_check_at end
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::bool[], $8::bigint[],
    $9::bigint[], $10::bigint[], $11::timestamptz[], $12::timestamptz[], $13::bool[])
    as u (id, before, state, trade_no, received_minor, received_currency, allocated, refunded_minor, lost_minor,
      told_sum_minor, told_sum_at, told_sum_heard_at, told_sum_asked)
  where p.id = u.id and p.state = u.before";

/// Writes the changed payments. Answers how many rows still had the state they were locked in: all of them, or the
/// caller has a bug.
pub async fn advance(mut conn: &AsyncPgConnection, changed: &[&Tracked]) -> QueryResult<usize> {
    if changed.is_empty() {
        return Ok(0);
    }
    let rows = || changed.iter().map(|t| &t.row);
    Statement::new(ADVANCE)
        .bind::<Array<SqlUuid>, _>(rows().map(|p| p.id.0).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(changed.iter().map(|t| t.before.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(rows().map(|p| p.state.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(rows().map(|p| p.trade_no.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Nullable<BigInt>>, _>(rows().map(|p| p.received_minor).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(currencies(rows()))
        .bind::<Array<Bool>, _>(rows().map(|p| p.allocated).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(rows().map(|p| p.refunded_minor).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(rows().map(|p| p.lost_minor).collect::<Vec<_>>())
        .bind::<Array<Nullable<BigInt>>, _>(rows().map(|p| p.told_sum_minor).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(rows().map(|p| p.told_sum_at).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(rows().map(|p| p.told_sum_heard_at).collect::<Vec<_>>())
        .bind::<Array<Bool>, _>(rows().map(|p| p.told_sum_asked).collect::<Vec<_>>())
        .execute(&mut conn)
        .await
}

const GIVE_WAY: &str = "update payment set allocated = false where id = any($1::uuid[]) and allocated";

/// Payments that pay for their order no longer make room first: at most one of an order may be allocated at any
/// moment.
pub async fn give_way(conn: &AsyncPgConnection, changed: &[&Tracked]) -> QueryResult<usize> {
    let mut conn = conn;
    let gone: Vec<_> = changed
        .iter()
        .filter(|t| t.row.state.was_captured() && !t.row.allocated && t.before.was_captured())
        .map(|t| t.row.id.0)
        .collect();
    if gone.is_empty() {
        return Ok(0);
    }
    Statement::new(GIVE_WAY).bind::<Array<SqlUuid>, _>(gone).execute(&mut conn).await
}

fn currencies<'a>(rows: impl Iterator<Item = &'a Payment>) -> Vec<Option<String>> {
    rows.map(|p| p.received_currency.map(|c| c.as_str().to_owned())).collect()
}

const INSERT_STRAY: &str = "insert into payment (id, order_id, account_id, account_snapshot, attempt, state,
    expected_minor, expected_currency, received_minor, received_currency, refunded_minor, trade_no, captured_at, options,
    allocated, lost_minor, told_sum_minor, told_sum_at, told_sum_heard_at, told_sum_asked)
  select u.id, u.order_id, u.account_id, '{}', u.attempt, u.state, u.expected_minor, u.expected_currency,
    u.received_minor, u.received_currency, u.refunded_minor, u.trade_no, app_now(), u.options, u.allocated,
    u.lost_minor, u.told_sum_minor, u.told_sum_at, u.told_sum_heard_at, u.told_sum_asked
  from unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::text[], $6::bigint[], $7::text[], $8::bigint[],
    $9::text[], $10::bigint[], $11::text[], $12::jsonb[], $13::bool[], $14::bigint[], $15::bigint[], $16::timestamptz[],
    $17::timestamptz[], $18::bool[])
    as u (id, order_id, account_id, attempt, state, expected_minor, expected_currency, received_minor,
      received_currency, refunded_minor, trade_no, options, allocated, lost_minor, told_sum_minor, told_sum_at,
      told_sum_heard_at, told_sum_asked)";

/// Writes payments for money that came a second time.
pub async fn insert_strays(conn: &mut AsyncPgConnection, strays: &[&Tracked]) -> QueryResult<usize> {
    let rows = || strays.iter().map(|t| &t.row);
    Statement::new(INSERT_STRAY)
        .bind::<Array<SqlUuid>, _>(rows().map(|p| p.id.0).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(rows().map(|p| p.order_id.0).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(rows().map(|p| p.account_id.as_str()).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(rows().map(|p| p.attempt).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(rows().map(|p| p.state.as_str()).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(rows().map(|p| p.expected_minor).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(rows().map(|p| p.expected_currency.as_str().to_owned()).collect::<Vec<_>>())
        .bind::<Array<Nullable<BigInt>>, _>(rows().map(|p| p.received_minor).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(currencies(rows()))
        .bind::<Array<BigInt>, _>(rows().map(|p| p.refunded_minor).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(rows().map(|p| p.trade_no.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Jsonb>, _>(rows().map(|p| p.options.clone()).collect::<Vec<_>>())
        .bind::<Array<Bool>, _>(rows().map(|p| p.allocated).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(rows().map(|p| p.lost_minor).collect::<Vec<_>>())
        .bind::<Array<Nullable<BigInt>>, _>(rows().map(|p| p.told_sum_minor).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(rows().map(|p| p.told_sum_at).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(rows().map(|p| p.told_sum_heard_at).collect::<Vec<_>>())
        .bind::<Array<Bool>, _>(rows().map(|p| p.told_sum_asked).collect::<Vec<_>>())
        .execute(conn)
        .await
}

/// One side of a ledger transaction; `amount_minor` is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceRow {
    pub transaction_id: uuid::Uuid,
    pub book: &'static str,
    pub account_id: String,
    pub order_id: OrderId,
    pub payment_id: PaymentId,
    pub line_id: Option<LineId>,
    pub seller_id: SellerId,
    pub amount_minor: i64,
    pub currency: Currency,
    /// What it was booked for, when money went back.
    pub refund_id: Option<RefundId>,
    pub dispute_id: Option<DisputeId>,
}

const INSERT_ENTRIES: &str = "insert into ledger_entry (transaction_id, book, account_id, order_id, payment_id, line_id,
    seller_id, amount_minor, currency, refund_id, dispute_id)
  select * from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::bigint[],
    $9::text[], $10::uuid[], $11::uuid[])";

pub async fn insert_entries(mut conn: &AsyncPgConnection, entries: &[SliceRow]) -> QueryResult<usize> {
    if entries.is_empty() {
        return Ok(0);
    }
    Statement::new(INSERT_ENTRIES)
        .bind::<Array<SqlUuid>, _>(entries.iter().map(|e| e.transaction_id).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(entries.iter().map(|e| e.book).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(entries.iter().map(|e| e.account_id.as_str()).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(entries.iter().map(|e| e.order_id.0).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(entries.iter().map(|e| e.payment_id.0).collect::<Vec<_>>())
        .bind::<Array<Nullable<SqlUuid>>, _>(
            entries.iter().map(|e| e.line_id.map(|l| l.0)).collect::<Vec<_>>(),
        )
        .bind::<Array<SqlUuid>, _>(entries.iter().map(|e| e.seller_id.0).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(entries.iter().map(|e| e.amount_minor).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(entries.iter().map(|e| e.currency.as_str().to_owned()).collect::<Vec<_>>())
        .bind::<Array<Nullable<SqlUuid>>, _>(
            entries.iter().map(|e| e.refund_id.map(|r| r.0)).collect::<Vec<_>>(),
        )
        .bind::<Array<Nullable<SqlUuid>>, _>(
            entries.iter().map(|e| e.dispute_id.map(|d| d.0)).collect::<Vec<_>>(),
        )
        .execute(&mut conn)
        .await
}

//! SQL of the questions after a restore.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{
    Array, BigInt, Bool, Date, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::base::ids::{OrderId, PaymentId, RefundId, VariantId};
use crate::infra::db::statement::Statement;
use crate::payments::gateways::gateway::StatementLine;

/// What one account was asked about one day, and how far that is.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Question {
    #[diesel(sql_type = Text)]
    pub account_id: String,
    #[diesel(sql_type = Date)]
    pub day: NaiveDate,
    /// `waiting`, `answered`, `unanswerable`.
    #[diesel(sql_type = Text)]
    pub state: String,
    #[diesel(sql_type = Integer)]
    pub unknown_lines: i32,
    #[diesel(sql_type = Nullable<Text>)]
    pub reason: Option<String>,
}

const INSERT: &str = "insert into epoch_question (epoch_id, account_id, day, state, reason)
  select $1, q.account_id, q.day, q.state, q.reason from unnest($2::text[], $3::date[], $4::text[], $5::text[])
    as q (account_id, day, state, reason) on conflict do nothing";

pub(super) async fn insert_questions(
    conn: &mut AsyncPgConnection,
    epoch: i32,
    questions: &[Question],
) -> QueryResult<usize> {
    let all = || questions.iter();
    Statement::new(INSERT)
        .bind::<Integer, _>(epoch)
        .bind::<Array<Text>, _>(all().map(|q| q.account_id.as_str()).collect::<Vec<_>>())
        .bind::<Array<Date>, _>(all().map(|q| q.day).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(all().map(|q| q.state.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(all().map(|q| q.reason.as_deref()).collect::<Vec<_>>())
        .execute(conn)
        .await
}

pub(super) async fn list_questions(conn: &mut AsyncPgConnection, epoch: i32) -> QueryResult<Vec<Question>> {
    let sql = "select account_id, day, state, unknown_lines, reason from epoch_question where epoch_id = $1
      order by account_id, day";
    Statement::new(sql).bind::<Integer, _>(epoch).load(conn).await
}

const ANSWER: &str =
    "update epoch_question set state = $1, unknown_lines = $2, reason = $3, asked_at = app_now()
  where epoch_id = $4 and account_id = $5 and day = $6";

pub(super) async fn advance_question(
    conn: &mut AsyncPgConnection,
    epoch: i32,
    question: &Question,
) -> QueryResult<usize> {
    Statement::new(ANSWER)
        .bind::<Text, _>(question.state.as_str())
        .bind::<Integer, _>(question.unknown_lines)
        .bind::<Nullable<Text>, _>(question.reason.as_deref())
        .bind::<Integer, _>(epoch)
        .bind::<Text, _>(question.account_id.as_str())
        .bind::<Date, _>(question.day)
        .execute(conn)
        .await
}

#[derive(QueryableByName)]
struct PaymentRow {
    #[diesel(sql_type = SqlUuid)]
    id: PaymentId,
}

const TO_ASK: &str = "select id from payment where account_id <> 'free' and gateway_number is not null
    and (state in ('started', 'pending', 'unknown')
      or (state in ('failed', 'expired') and action is not null and coalesce(closed_at, started_at) > $1::timestamptz - interval '2 days'))
    and id > $2 order by id limit 200";

/// Attempts that may have brought money after this time: what is open, and what had just been given up.
pub(super) async fn list_to_ask(
    conn: &mut AsyncPgConnection,
    since: DateTime<Utc>,
    after: PaymentId,
) -> QueryResult<Vec<PaymentId>> {
    let rows: Vec<PaymentRow> =
        Statement::new(TO_ASK).bind::<Timestamptz, _>(since).bind::<SqlUuid, _>(after.0).load(conn).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// What this database knows of a statement's line.
#[derive(Debug, QueryableByName)]
pub(super) struct Known {
    /// Counted from 1.
    #[diesel(sql_type = BigInt)]
    pub idx: i64,
    /// The payment that has its trade.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub by_trade: Option<PaymentId>,
    /// The attempt that has its number.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub by_number: Option<PaymentId>,
    /// The order that its number begins with.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub order_id: Option<OrderId>,
    /// A refund with one of its names, or as much given back as it says where it has no name.
    #[diesel(sql_type = Bool)]
    pub refund_known: bool,
}

const KNOWN: &str = "with w as materialized (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::bigint[]) with ordinality
      as w (account_id, trade_no, number, refund_id, gateway_refund_id, amount_minor, idx))
  select w.idx, t.id as by_trade, n.id as by_number, coalesce(t.order_id, n.order_id, o.id) as order_id,
    coalesce(case when w.refund_id is null and w.gateway_refund_id is null then t.refunded_minor >= w.amount_minor
      else exists (select 1 from refund r where r.payment_id = t.id and r.state = 'succeeded'
        and (r.id = w.refund_id or r.gateway_refund_id = w.gateway_refund_id)) end, false) as refund_known
  from w left join payment t on t.account_id = w.account_id and t.trade_no = w.trade_no
    left join payment n on n.account_id = w.account_id and n.gateway_number = w.number
    left join orders o on o.number = split_part(w.number, '-', 1)
  order by w.idx";

pub(super) async fn list_known(
    conn: &mut AsyncPgConnection,
    account: &str,
    lines: &[StatementLine],
) -> QueryResult<Vec<Known>> {
    let all = || lines.iter();
    let refund = |l: &StatementLine| {
        let id = l.refund_id.as_deref()?;
        crate::base::ids::RefundId::parse(id).ok().map(|id| id.0)
    };
    Statement::new(KNOWN)
        .bind::<Array<Text>, _>(vec![account; lines.len()])
        .bind::<Array<Text>, _>(all().map(|l| l.trade_no.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(all().map(|l| l.number.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Nullable<SqlUuid>>, _>(all().map(refund).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(all().map(|l| l.gateway_refund_id.as_deref()).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(all().map(|l| l.amount_minor).collect::<Vec<_>>())
        .load(conn)
        .await
}

const LOSE_SIGHT: &str = "update refund r set state = 'unknown', next_check_at = app_now() from payment p
  where p.id = r.payment_id and r.state = 'requested' and p.account_id = any($1::text[]) returning r.id, r.order_id";

/// Refunds that the backup has as not sent yet, at accounts where sending twice gives back twice: they may have been sent
/// since, so they are only asked about.
pub(super) async fn advance_refunds_to_unknown(
    conn: &mut AsyncPgConnection,
    accounts: &[String],
) -> QueryResult<Vec<(RefundId, OrderId)>> {
    let rows: Vec<Unseen> = Statement::new(LOSE_SIGHT).bind::<Array<Text>, _>(accounts).load(conn).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.order_id)).collect())
}

#[derive(QueryableByName)]
struct Unseen {
    #[diesel(sql_type = SqlUuid)]
    id: RefundId,
    #[diesel(sql_type = SqlUuid)]
    order_id: OrderId,
}

#[derive(QueryableByName)]
struct AccountRow {
    #[diesel(sql_type = Text)]
    id: String,
}

/// Accounts that anything was ever started or paid at.
pub(super) async fn list_accounts_paid_at(conn: &mut AsyncPgConnection) -> QueryResult<Vec<String>> {
    let sql = "select a.id from gateway_account a where a.id <> 'free'
      and exists (select 1 from payment p where p.account_id = a.id) order by a.id";
    let rows: Vec<AccountRow> = Statement::new(sql).load(conn).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

#[derive(QueryableByName)]
struct SoldVariantRow {
    #[diesel(sql_type = SqlUuid)]
    id: VariantId,
}

/// Variants that can be had for nothing: no gateway knows of such orders.
pub(super) async fn list_free_variants(conn: &mut AsyncPgConnection) -> QueryResult<Vec<VariantId>> {
    let sql = "select distinct variant_id as id from price where unit_minor = 0";
    let rows: Vec<SoldVariantRow> = Statement::new(sql).load(conn).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// One task that a restore has opened.
#[derive(Debug, QueryableByName)]
pub struct Found {
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Jsonb)]
    pub body: Value,
}

/// What was found after the restore and is not known here, the oldest first.
pub(super) async fn list_found(
    conn: &mut AsyncPgConnection,
    since: DateTime<Utc>,
) -> QueryResult<Vec<Found>> {
    let sql =
        "select kind, body from task where kind in ('restored_payment_unknown', 'restored_refund_unknown')
      and created_at >= $1 order by kind, created_at, id";
    Statement::new(sql).bind::<Timestamptz, _>(since).load(conn).await
}

/// Variants with a task about frozen stock of which nothing is frozen any more.
pub(super) async fn list_thawed(conn: &mut AsyncPgConnection) -> QueryResult<Vec<VariantId>> {
    let sql =
        "select subject::uuid as id from task where kind = 'restored_stock_frozen' and state <> 'resolved'
      and not exists (select 1 from vault_key k
        where k.variant_id::text = task.subject and k.state = 'frozen' and k.frozen_by_epoch is not null)";
    let rows: Vec<Thawed> = Statement::new(sql).load(conn).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

#[derive(QueryableByName)]
struct Thawed {
    #[diesel(sql_type = SqlUuid)]
    id: VariantId,
}

#[derive(QueryableByName)]
struct Newest {
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
}

/// The time of the newest thing this database knows: where a backup ends.
pub async fn newest_fact(conn: &mut AsyncPgConnection) -> QueryResult<DateTime<Utc>> {
    let sql = "select greatest((select max(created_at) from event), (select max(placed_at) from orders),
        (select max(started_at) from payment), (select max(received_at) from notice),
        (select max(raised_at) from epoch)) as at";
    let newest: Newest = Statement::new(sql).get_result(conn).await?;
    Ok(newest.at)
}

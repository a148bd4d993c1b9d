//! One attempt to pay at a time: started, asked about, closed.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::base::ids::{OrderId, PaymentId};
use crate::infra::db::schema::payment;
use crate::infra::db::statement::Statement;
use crate::payments::model::Payment;
use crate::payments::state::PaymentState;

pub async fn find(conn: &mut AsyncPgConnection, id: PaymentId) -> QueryResult<Option<Payment>> {
    payment::table.find(id).select(Payment::as_select()).first(conn).await.optional()
}

/// All attempts of an order, the first one first.
pub async fn list(conn: &mut AsyncPgConnection, order_id: OrderId) -> QueryResult<Vec<Payment>> {
    payment::table
        .filter(payment::order_id.eq(order_id))
        .order(payment::attempt)
        .select(Payment::as_select())
        .load(conn)
        .await
}

/// An attempt to be written before its gateway hears of it.
#[derive(Clone, Debug)]
pub struct NewAttempt {
    pub id: PaymentId,
    pub order_id: OrderId,
    pub account_id: String,
    pub account_snapshot: Value,
    pub attempt: i32,
    pub gateway_number: String,
    pub expected_minor: i64,
    pub expected_currency: String,
    pub options: Value,
    pub expires_at: DateTime<Utc>,
    pub next_check_at: Option<DateTime<Utc>>,
}

const INSERT: &str =
    "insert into payment (id, order_id, account_id, account_snapshot, attempt, gateway_number,
    expected_minor, expected_currency, options, expires_at, next_check_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

pub async fn insert(conn: &mut AsyncPgConnection, new: &NewAttempt) -> QueryResult<usize> {
    Statement::new(INSERT)
        .bind::<SqlUuid, _>(new.id.0)
        .bind::<SqlUuid, _>(new.order_id.0)
        .bind::<Text, _>(new.account_id.as_str())
        .bind::<Jsonb, _>(new.account_snapshot.clone())
        .bind::<Integer, _>(new.attempt)
        .bind::<Text, _>(new.gateway_number.as_str())
        .bind::<diesel::sql_types::BigInt, _>(new.expected_minor)
        .bind::<Text, _>(new.expected_currency.as_str())
        .bind::<Jsonb, _>(new.options.clone())
        .bind::<Timestamptz, _>(new.expires_at)
        .bind::<Nullable<Timestamptz>, _>(new.next_check_at)
        .execute(conn)
        .await
}

const NOTE_STARTED: &str = "update payment set action = w.action, gateway_reference = w.reference,
    expires_at = coalesce(w.expires_at, payment.expires_at)
  from (select $1::uuid as id, $2::jsonb as action, $3::text as reference, $4::timestamptz as expires_at) w
  where payment.id = w.id and payment.action is null";

/// Stores what the gateway gave; the first answer counts.
pub async fn note_started(
    conn: &mut AsyncPgConnection,
    id: PaymentId,
    action: &Value,
    reference: Option<&str>,
    expires_at: Option<DateTime<Utc>>,
) -> QueryResult<usize> {
    Statement::new(NOTE_STARTED)
        .bind::<SqlUuid, _>(id.0)
        .bind::<Jsonb, _>(action.clone())
        .bind::<Nullable<Text>, _>(reference)
        .bind::<Nullable<Timestamptz>, _>(expires_at)
        .execute(conn)
        .await
}

const ADVANCE: &str =
    "update payment set state = w.after, failure_code = coalesce(w.failure_code, payment.failure_code),
    closed_at = case when w.after in ('failed', 'expired') then coalesce(payment.closed_at, app_now()) end,
    next_check_at = case when w.after in ('started', 'pending', 'unknown') then payment.next_check_at end
  from (select $1::uuid as id, $2::text as before, $3::text as after, $4::text as failure_code) w
  where payment.id = w.id and payment.state = w.before";

/// Moves an open payment without money: failed, expired, unknown.
pub async fn advance(
    conn: &mut AsyncPgConnection,
    id: PaymentId,
    before: PaymentState,
    after: PaymentState,
    failure_code: Option<&str>,
) -> QueryResult<usize> {
    Statement::new(ADVANCE)
        .bind::<SqlUuid, _>(id.0)
        .bind::<Text, _>(before.as_str())
        .bind::<Text, _>(after.as_str())
        .bind::<Nullable<Text>, _>(failure_code)
        .execute(conn)
        .await
}

const NOTE_RETURNED: &str = "update payment set returned_at = app_now()
  where id = $1 and state in ('started', 'pending', 'unknown')
    and (returned_at is null or returned_at < app_now() - interval '5 seconds')";

/// Notes that the buyer came back from the gateway of an open payment; not more often than every five seconds.
pub async fn note_returned(conn: &mut AsyncPgConnection, id: PaymentId) -> QueryResult<usize> {
    Statement::new(NOTE_RETURNED).bind::<SqlUuid, _>(id.0).execute(conn).await
}

/// Counts a question and notes when the next one is due.
pub async fn note_check(
    conn: &mut AsyncPgConnection,
    id: PaymentId,
    next: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::update(payment::table.find(id))
        .set((payment::checks.eq(payment::checks + 1), payment::next_check_at.eq(next)))
        .execute(conn)
        .await
}

const CLAIM_FORGOTTEN: &str = "with due as (
    select id from payment where next_check_at < app_now() - interval '10 minutes'
      and state in ('started', 'pending', 'unknown') order by next_check_at limit $1 for update skip locked)
  update payment p set next_check_at = app_now() from due where p.id = due.id returning p.id";

/// Open payments that should have been asked about and were not: their job was lost. Each is claimed by its time, so
/// that one whose question faults does not come before the others.
pub async fn claim_forgotten(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<Vec<PaymentId>> {
    let rows: Vec<ForgottenRow> =
        Statement::new(CLAIM_FORGOTTEN).bind::<diesel::sql_types::BigInt, _>(limit).load(conn).await?;
    Ok(rows.into_iter().map(|r| r.id).collect())
}

#[derive(QueryableByName)]
struct ForgottenRow {
    #[diesel(sql_type = SqlUuid)]
    id: PaymentId,
}

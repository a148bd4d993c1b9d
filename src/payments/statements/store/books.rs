//! What lines are compared with, and what came of it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Date, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{OrderId, PaymentId, RefundId};
use crate::base::money::Currency;
use crate::infra::db::statement::Statement;
use crate::payments::statements::model::{Fact, Kind, NewDifference, Run};

#[derive(QueryableByName)]
struct PaymentRow {
    #[diesel(sql_type = SqlUuid)]
    id: PaymentId,
}

const FIND_PAYMENT: &str = "select id from (
    select id, 1 as how from payment where account_id = $1 and trade_no = $2
    union all
    select p.id, 2 from payment p, (select $3::text as account_id, $4::text as number) w
      where p.account_id = w.account_id and p.gateway_number = w.number and p.trade_no is null) found
  order by how limit 1";

/// The payment a fact is about: the one with its trade number, else the one with our number that has no trade yet.
pub async fn find_payment(
    conn: &mut AsyncPgConnection,
    account_id: &str,
    fact: &Fact,
) -> QueryResult<Option<PaymentId>> {
    let row: Option<PaymentRow> = Statement::new(FIND_PAYMENT)
        .bind::<Text, _>(account_id)
        .bind::<Text, _>(fact.trade_no.as_str())
        .bind::<Text, _>(account_id)
        .bind::<Nullable<Text>, _>(fact.number.as_deref())
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|row| row.id))
}

/// How a refund of ours was found to be the one that a fact is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundRefund {
    pub id: RefundId,
    /// By the gateway's id, which no two refunds share.
    pub by_gateway_id: bool,
}

#[derive(QueryableByName)]
struct RefundRow {
    #[diesel(sql_type = SqlUuid)]
    id: RefundId,
    #[diesel(sql_type = Bool)]
    there: bool,
}

const FIND_REFUND: &str =
    "select r.id, r.gateway_refund_id is not distinct from w.theirs and w.theirs is not null as there from refund r,
    (select $1::uuid as payment_id, $2::uuid as ours, $3::text as theirs, $4::bool as unnamed, $5::bigint as minor,
      $6::bigint as fact, $7::text as stated) w
  where r.payment_id = w.payment_id and r.basis = 'refund' and (r.id = w.ours or r.gateway_refund_id = w.theirs
    or (w.unnamed and r.amount_minor = w.minor and r.state <> 'failed'
      and not exists (select 1 from statement_fact f where f.our_refund = r.id and f.stated = w.stated and f.id <> w.fact)))
  order by there desc, r.id = w.ours desc nulls last, r.requested_at limit 1";

/// The refund a fact is about: by the gateway's id, by ours; only where no line named any id the oldest of the same
/// amount that no other fact is.
pub async fn find_refund(
    conn: &mut AsyncPgConnection,
    payment_id: PaymentId,
    fact: &Fact,
) -> QueryResult<Option<FoundRefund>> {
    let ours = fact.refund_id.as_deref().and_then(|id| RefundId::parse(id).ok());
    let row: Option<RefundRow> = Statement::new(FIND_REFUND)
        .bind::<SqlUuid, _>(payment_id.0)
        .bind::<Nullable<SqlUuid>, _>(ours.map(|r| r.0))
        .bind::<Nullable<Text>, _>(fact.gateway_refund_id.as_deref())
        .bind::<Bool, _>(fact.is_unnamed())
        .bind::<BigInt, _>(fact.amount_minor)
        .bind::<BigInt, _>(fact.id)
        .bind::<Text, _>(fact.stated.as_str())
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(|row| FoundRefund { id: row.id, by_gateway_id: row.there }))
}

#[derive(QueryableByName)]
struct Sum {
    #[diesel(sql_type = BigInt)]
    sum: i64,
}

/// What the ledger says is left of a payment: at the gateway, and kept by it as fees.
pub async fn sum_ledger(conn: &mut AsyncPgConnection, payment_id: PaymentId) -> QueryResult<i64> {
    let row: Sum = Statement::new(
        "select coalesce(sum(amount_minor), 0)::bigint as sum from ledger_entry
         where payment_id = $1 and book in ('gateway', 'fees')",
    )
    .bind::<SqlUuid, _>(payment_id.0)
    .get_result(conn)
    .await?;
    Ok(row.sum)
}

const IDENTIFIED: &str = "select coalesce(sum(counted_minor), 0)::bigint as sum from refund
  where payment_id = $1 and basis = 'refund'";

/// What went back of a payment by refunds that are known by an id, minor units. The rest of what went back was reported
/// as a sum, or lost.
pub async fn sum_identified(conn: &mut AsyncPgConnection, payment_id: PaymentId) -> QueryResult<i64> {
    let row: Sum = Statement::new(IDENTIFIED).bind::<SqlUuid, _>(payment_id.0).get_result(conn).await?;
    Ok(row.sum)
}

const UNKNOWN_HERE: &str = "select coalesce(sum(case f.stated when 'refund' then f.amount_minor else -f.amount_minor end), 0)::bigint
    as sum from statement_fact f
  where f.account_id = $1 and f.trade_no = $2 and f.stated in ('refund', 'refund_failed') and f.our_refund is null
    and f.id <> $3";

/// What statements say went back of a trade by other refunds than this one that none of ours is, minor units.
pub async fn sum_unknown_here(
    conn: &mut AsyncPgConnection,
    account_id: &str,
    fact: &Fact,
) -> QueryResult<i64> {
    let row: Sum = Statement::new(UNKNOWN_HERE)
        .bind::<Text, _>(account_id)
        .bind::<Text, _>(fact.trade_no.as_str())
        .bind::<BigInt, _>(fact.id)
        .get_result(conn)
        .await?;
    Ok(row.sum)
}

/// Adds a fee to what a payment's gateway kept.
pub async fn add_fee(conn: &mut AsyncPgConnection, payment_id: PaymentId, fee: i64) -> QueryResult<usize> {
    Statement::new(
        "update payment set fee_minor = coalesce(fee_minor, 0) + w.fee
        from (select $1::uuid as id, $2::bigint as fee) w where payment.id = w.id",
    )
    .bind::<SqlUuid, _>(payment_id.0)
    .bind::<BigInt, _>(fee)
    .execute(conn)
    .await
}

const REFRESH_DIFFERENCE: &str = "update statement_difference d set there_minor = w.there, here_minor = w.here,
    currency = w.currency, order_id = coalesce(w.order_id, d.order_id), payment_id = coalesce(w.payment_id, d.payment_id)
  from (select $1::text as account_id, $2::text as kind, $3::text as subject, $4::bigint as there, $5::bigint as here,
    $6::text as currency, $7::uuid as order_id, $8::uuid as payment_id) w
  where d.account_id = w.account_id and d.kind = w.kind and d.subject = w.subject and d.ended_at is null";

const INSERT_DIFFERENCE: &str =
    "insert into statement_difference as d (run_id, account_id, day, kind, subject, order_id,
    payment_id, there_minor, here_minor, currency) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
  on conflict (account_id, kind, subject) do update set ended_at = null, run_id = excluded.run_id,
    there_minor = excluded.there_minor, here_minor = excluded.here_minor, currency = excluded.currency
    where d.ended_at is not null";

/// Writes a difference down. Answers false when it is known and still open; then only its amounts are brought up to
/// date.
pub async fn insert_difference(
    conn: &mut AsyncPgConnection,
    run: &Run,
    new: &NewDifference,
) -> QueryResult<bool> {
    let (order, payment) = (new.order_id.map(|o| o.0), new.payment_id.map(|p| p.0));
    let refreshed = Statement::new(REFRESH_DIFFERENCE)
        .bind::<Text, _>(run.account_id.as_str())
        .bind::<Text, _>(new.kind.as_str())
        .bind::<Text, _>(new.subject.as_str())
        .bind::<Nullable<BigInt>, _>(new.there_minor)
        .bind::<Nullable<BigInt>, _>(new.here_minor)
        .bind::<Text, _>(new.currency.as_str())
        .bind::<Nullable<SqlUuid>, _>(order)
        .bind::<Nullable<SqlUuid>, _>(payment)
        .execute(conn)
        .await?;
    if refreshed > 0 {
        return Ok(false);
    }
    let written = Statement::new(INSERT_DIFFERENCE)
        .bind::<SqlUuid, _>(run.id.0)
        .bind::<Text, _>(run.account_id.as_str())
        .bind::<Date, _>(run.day)
        .bind::<Text, _>(new.kind.as_str())
        .bind::<Text, _>(new.subject.as_str())
        .bind::<Nullable<SqlUuid>, _>(order)
        .bind::<Nullable<SqlUuid>, _>(payment)
        .bind::<Nullable<BigInt>, _>(new.there_minor)
        .bind::<Nullable<BigInt>, _>(new.here_minor)
        .bind::<Text, _>(new.currency.as_str())
        .execute(conn)
        .await?;
    Ok(written > 0)
}

const END_DIFFERENCES: &str = "update statement_difference d set ended_at = app_now()
  from (select $1::text as account_id, $2::text as subject, $3::text[] as kinds) w
  where d.account_id = w.account_id and d.subject = w.subject and d.kind = any(w.kinds) and d.ended_at is null";

/// Both sides agree about this now.
pub async fn end_differences(
    conn: &mut AsyncPgConnection,
    account_id: &str,
    subject: &str,
    kinds: &[Kind],
) -> QueryResult<usize> {
    Statement::new(END_DIFFERENCES)
        .bind::<Text, _>(account_id)
        .bind::<Text, _>(subject)
        .bind::<Array<Text>, _>(kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>())
        .execute(conn)
        .await
}

const END_UNREAD: &str = "update statement_difference d set ended_at = app_now()
  from (select $1::text as account_id, $2::date as day, $3::text[] as subjects) w
  where d.account_id = w.account_id and d.day = w.day and d.kind = 'unreadable' and d.ended_at is null
    and d.subject <> all(w.subjects)";

/// The day's statement has nothing unreadable any more but this.
pub async fn end_unread(conn: &mut AsyncPgConnection, run: &Run, subjects: &[&str]) -> QueryResult<usize> {
    Statement::new(END_UNREAD)
        .bind::<Text, _>(run.account_id.as_str())
        .bind::<Date, _>(run.day)
        .bind::<Array<Text>, _>(subjects.to_vec())
        .execute(conn)
        .await
}

/// Money that moved here and that no statement names.
#[derive(Clone, Debug, QueryableByName)]
pub struct Unstated {
    #[diesel(sql_type = SqlUuid)]
    pub payment_id: PaymentId,
    #[diesel(sql_type = SqlUuid)]
    pub order_id: OrderId,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub refund_id: Option<RefundId>,
    #[diesel(sql_type = BigInt)]
    pub amount_minor: i64,
    #[diesel(sql_type = Text)]
    pub currency: Currency,
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
}

// A statement names a payment also where that cannot be read. A sum reported without naming refunds is stated by
// refunds that none of ours is, as far as these reach.
const UNSTATED: &str = "select p.id as payment_id, p.order_id, null::uuid as refund_id, p.received_minor as amount_minor,
    p.received_currency as currency, p.captured_at as at
  from payment p where p.account_id = $1 and p.captured_at >= $2 and p.captured_at < $3 and p.received_minor > 0
    and not exists (select 1 from statement_fact f where f.payment_id = p.id and f.stated = 'payment')
    and not exists (select 1 from statement_difference d where d.account_id = p.account_id and d.kind = 'unreadable'
      and d.subject = p.trade_no and d.ended_at is null)
  union all
  select p.id, p.order_id, r.id, r.amount_minor, r.currency, r.succeeded_at
  from refund r join payment p on p.id = r.payment_id
  where p.account_id = $4 and r.succeeded_at >= $5 and r.succeeded_at < $6
    and not exists (select 1 from statement_fact f where f.our_refund = r.id and f.stated = 'refund')
    and not (r.basis = 'sum' and (r.counted_minor = 0 or (select coalesce(sum(case f.stated when 'refund' then f.amount_minor else -f.amount_minor end), 0)
        from statement_fact f where f.payment_id = p.id and f.stated in ('refund', 'refund_failed')
          and f.our_refund is null)
        >= (select sum(u.counted_minor) from refund u where u.payment_id = p.id and u.basis = 'sum')))
  order by at";

/// Payments and refunds of an account in this time that no statement names.
pub async fn list_unstated(
    conn: &mut AsyncPgConnection,
    account_id: &str,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> QueryResult<Vec<Unstated>> {
    Statement::new(UNSTATED)
        .bind::<Text, _>(account_id)
        .bind::<Timestamptz, _>(from)
        .bind::<Timestamptz, _>(until)
        .bind::<Text, _>(account_id)
        .bind::<Timestamptz, _>(from)
        .bind::<Timestamptz, _>(until)
        .load(conn)
        .await
}

const NAMES_REFUNDS: &str = "select count(*) as sum from (select 1 from statement_fact where account_id = $1
    and stated = 'refund' and (refund_id is not null or gateway_refund_id is not null) limit 1) named";

/// Whether this account's statements name single refunds. Some gateways only report how much of a payment went back,
/// on the day of the payment.
pub async fn names_refunds(conn: &mut AsyncPgConnection, account_id: &str) -> QueryResult<bool> {
    let row: Sum = Statement::new(NAMES_REFUNDS).bind::<Text, _>(account_id).get_result(conn).await?;
    Ok(row.sum > 0)
}

//! The inbox: every delivery is a row, until its event was handled; repeats of that are counted.

use diesel::prelude::*;
use diesel::sql_types::{
    Array, BigInt, Bytea, Double, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::base::ids::{OrderId, PaymentId};
use crate::infra::db::statement::Statement;
use crate::payments::gateways::gateway::Facts;
use crate::payments::notices::raw::KeptBody;
use crate::payments::notices::repeats::Repeat;

/// A delivery to be stored.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub account_id: String,
    pub event_key: Option<String>,
    pub verdict: &'static str,
    pub order_id: Option<OrderId>,
    pub payment_id: Option<PaymentId>,
    pub verified_by: Option<i16>,
    pub reason: Option<String>,
    /// What a notice that could not be settled calls its payment.
    pub names: Vec<String>,
    pub kept: KeptBody,
}

/// What a notice calls its payment.
pub fn names(facts: &Facts) -> Vec<String> {
    let names = [&facts.number, &facts.gateway_reference, &facts.trade_no];
    names.into_iter().flatten().cloned().collect()
}

impl Delivery {
    /// Of different numbers in one array of one dimension: no name has a line break.
    fn joined_names(&self) -> Option<String> {
        (!self.names.is_empty()).then(|| self.names.join("\n"))
    }
}

#[derive(QueryableByName)]
struct HandledRow {
    #[diesel(sql_type = Text)]
    account_id: String,
    #[diesel(sql_type = Text)]
    event_key: String,
}

const HANDLED: &str = "select n.account_id, n.event_key from unnest($1::text[], $2::text[]) as w (account_id, event_key)
  join notice n on n.account_id = w.account_id and n.event_key = w.event_key and n.verdict in ('applied', 'recorded')";

/// Which of these events were handled before: pairs of account and event key.
pub async fn list_handled(
    mut conn: &AsyncPgConnection,
    keys: &[(String, String)],
) -> QueryResult<Vec<(String, String)>> {
    let rows: Vec<HandledRow> = Statement::new(HANDLED)
        .bind::<Array<Text>, _>(keys.iter().map(|k| k.0.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(keys.iter().map(|k| k.1.as_str()).collect::<Vec<_>>())
        .load(&mut conn)
        .await?;
    Ok(rows.into_iter().map(|r| (r.account_id, r.event_key)).collect())
}

#[derive(QueryableByName)]
struct Age {
    #[diesel(sql_type = Nullable<Double>)]
    seconds: Option<f64>,
}

/// By the database's clock, which is where the first sight was written down: a server whose own clock is ahead must not
/// answer success to what it has just seen for the first time.
const AGE: &str = "select extract(epoch from app_now() - min(received_at))::float8 as seconds from notice
  where account_id = $1 and event_key = $2 and verdict = 'orphan'";

/// Seconds since an event about an unknown order was first seen.
pub async fn find_age(
    conn: &mut AsyncPgConnection,
    account_id: &str,
    event_key: &str,
) -> QueryResult<Option<f64>> {
    let row: Age =
        Statement::new(AGE).bind::<Text, _>(account_id).bind::<Text, _>(event_key).get_result(conn).await?;
    Ok(row.seconds)
}

/// Stores deliveries: which of them, and what else.
macro_rules! insert {
    ($which:literal, $more:literal) => {
        concat!(
            "with came as materialized (select g.*, ",
            $which,
            " as fresh from unnest($1::text[], $2::text[], $3::text[],
      $4::uuid[], $5::uuid[], $6::smallint[], $7::bytea[], $8::text[], $9::text[], $10::text[], $11::jsonb[],
      $12::bytea[], $13::bytea[], $14::text[]) as g (account_id, event_key, verdict, order_id, payment_id,
      verified_by, body_sha256, reason, method, query, headers, body, sealed, names)),
  given as materialized (
    select nextval(pg_get_serial_sequence('notice', 'id')) as id, came.* from came where fresh),
  narrow as (insert into notice (id, account_id, event_key, verdict, order_id, payment_id, verified_by, body_sha256,
      reason, names) overriding system value
    select id, account_id, event_key, verdict, order_id, payment_id, verified_by, body_sha256, reason,
      string_to_array(names, E'\\n') from given)",
            $more,
            " insert into notice_body (notice_id, method, query, headers, body, sealed)
  select id, method, query, headers, body, sealed from given"
        )
    };
}

const INSERT: &str = insert!("true", "");

// Each question goes by an index of its own, and each finds five rows at most.
const INSERT_DIFFERING: &str = insert!(
    "((select count(*) from notice h where h.account_id = g.account_id and h.event_key = g.event_key
        and h.verdict in ('applied', 'recorded') and h.body_sha256 = g.body_sha256) = 0
      and (select count(*) filter (where o.body_sha256 = g.body_sha256) * 5 + count(*) from notice o
        where o.account_id = g.account_id and o.event_key = g.event_key and o.verdict in ('orphan', 'fault')
          and o.verdict = g.verdict) < 5
      and (select count(*) filter (where d.body_sha256 = g.body_sha256) * 5 + count(*) from notice d
        where d.account_id = g.account_id and d.event_key = g.event_key
          and d.verdict in ('duplicate', 'ignored', 'foreign') and d.verdict = g.verdict) < 5)",
    ", counted as (insert into notice_repeat as r (account_id, event_key, count)
    select account_id, event_key, count(*) from came where not fresh and verdict <> 'duplicate' group by 1, 2 order by 1, 2
    on conflict (account_id, event_key) do update set count = r.count + excluded.count, last_at = app_now())"
);

/// Stores deliveries with their bytes, in one statement. They come sorted by account and event key, so that two
/// writers never wait for each other crosswise.
pub async fn insert(conn: &AsyncPgConnection, deliveries: &[Delivery]) -> QueryResult<usize> {
    store(conn, INSERT, deliveries).await
}

/// Stores what settled nothing, unless the same bytes of its event met the same end before, or five others did: that is counted.
/// Whoever looks into a gateway sees what it said, and repeating it fills no disk. In the same order.
pub async fn insert_differing(conn: &AsyncPgConnection, deliveries: &[Delivery]) -> QueryResult<usize> {
    store(conn, INSERT_DIFFERING, deliveries).await
}

async fn store(
    mut conn: &AsyncPgConnection,
    sql: &'static str,
    deliveries: &[Delivery],
) -> QueryResult<usize> {
    if deliveries.is_empty() {
        return Ok(0);
    }
    let all = || deliveries.iter();
    Statement::new(sql)
        .bind::<Array<Text>, _>(all().map(|d| d.account_id.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(all().map(|d| d.event_key.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(all().map(|d| d.verdict).collect::<Vec<_>>())
        .bind::<Array<Nullable<SqlUuid>>, _>(all().map(|d| d.order_id.map(|o| o.0)).collect::<Vec<_>>())
        .bind::<Array<Nullable<SqlUuid>>, _>(all().map(|d| d.payment_id.map(|p| p.0)).collect::<Vec<_>>())
        .bind::<Array<Nullable<SmallInt>>, _>(all().map(|d| d.verified_by).collect::<Vec<_>>())
        .bind::<Array<Bytea>, _>(all().map(|d| d.kept.sha256.as_slice()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(all().map(|d| d.reason.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(all().map(|d| d.kept.method.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(all().map(|d| d.kept.query.as_str()).collect::<Vec<_>>())
        .bind::<Array<Jsonb>, _>(all().map(|d| d.kept.headers.clone()).collect::<Vec<_>>())
        .bind::<Array<Bytea>, _>(all().map(|d| d.kept.body.as_slice()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Bytea>>, _>(all().map(|d| d.kept.sealed.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(all().map(Delivery::joined_names).collect::<Vec<_>>())
        .execute(&mut conn)
        .await
}

const COUNT_REPEATS: &str = "insert into notice_repeat as r (account_id, event_key, count)
    select * from unnest($1::text[], $2::text[], $3::bigint[])
  on conflict (account_id, event_key) do update set count = r.count + excluded.count, last_at = app_now()";

/// Counts notices of events that were handled before; sorted by account and event key.
pub async fn count_repeats(mut conn: &AsyncPgConnection, repeats: &[Repeat]) -> QueryResult<usize> {
    if repeats.is_empty() {
        return Ok(0);
    }
    Statement::new(COUNT_REPEATS)
        .bind::<Array<Text>, _>(repeats.iter().map(|r| r.account_id.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(repeats.iter().map(|r| r.event_key.as_str()).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(repeats.iter().map(|r| r.count).collect::<Vec<_>>())
        .execute(&mut conn)
        .await
}

/// A stored notice.
#[derive(Debug, QueryableByName)]
pub struct Stored {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = Text)]
    pub account_id: String,
    #[diesel(sql_type = Timestamptz)]
    pub received_at: chrono::DateTime<chrono::Utc>,
    #[diesel(sql_type = Bytea)]
    body_sha256: Vec<u8>,
    #[diesel(sql_type = Nullable<Text>)]
    method: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    query: Option<String>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    headers: Option<Value>,
    #[diesel(sql_type = Nullable<Bytea>)]
    body: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Bytea>)]
    sealed: Option<Vec<u8>>,
}

impl Stored {
    /// What is kept of it; none when that has left.
    pub fn kept(self) -> Option<KeptBody> {
        Some(KeptBody {
            method: self.method?,
            query: self.query?,
            headers: self.headers?,
            body: self.body?,
            sealed: self.sealed,
            sha256: self.body_sha256,
        })
    }
}

const LIST: &str = "select n.id, n.account_id, n.received_at, n.body_sha256,
    coalesce(b.method, r.method, k.method) as method, coalesce(b.query, r.query, k.query) as query,
    coalesce(b.headers, r.headers, k.headers) as headers, coalesce(b.body, r.body, k.body) as body,
    coalesce(b.sealed, r.sealed, k.sealed) as sealed
  from notice n left join notice_body b on b.notice_id = n.id and b.received_at = n.received_at
    left join refused_body r on r.notice_id = n.id left join notice_body_kept k on k.notice_id = n.id
  where n.id = any($1::bigint[])";

/// These notices, in any order.
pub async fn list(conn: &mut AsyncPgConnection, ids: &[i64]) -> QueryResult<Vec<Stored>> {
    Statement::new(LIST).bind::<Array<BigInt>, _>(ids.to_vec()).load(conn).await
}

const UNHANDLED: &str = "select u.id, u.account_id, u.received_at, u.body_sha256, b.method, b.query, b.headers, b.body, b.sealed
  from (select distinct on (n.account_id, n.event_key) n.id, n.account_id, n.received_at, n.body_sha256 from notice n
    where n.verdict in ('orphan', 'fault') and n.event_key is not null and n.received_at > app_now() - interval '1 day'
      and not exists (select 1 from notice h where h.account_id = n.account_id and h.event_key = n.event_key
        and h.verdict in ('applied', 'recorded'))
      and not exists (select 1 from notice h where h.account_id = n.account_id and h.event_key = n.event_key
        and h.verdict = 'ignored')
      and (n.verdict = 'fault' or n.payment_id is not null or n.names is null
        or exists (select 1 from payment p where p.account_id = n.account_id and p.gateway_number = any(n.names))
        or exists (select 1 from payment p where p.account_id = n.account_id and p.gateway_reference = any(n.names))
        or exists (select 1 from payment p where p.account_id = n.account_id and p.trade_no = any(n.names)))
    order by n.account_id, n.event_key, n.received_at desc) u
  join notice_body b on b.notice_id = u.id and b.received_at = u.received_at order by random() limit $1";

/// Genuine notices of the last day that were not handled and whose payment may be there now: one is known by what they
/// call it. Authentication and matching decide. In an order of chance: what cannot be settled does not come before the others.
pub async fn list_unhandled(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<Vec<Stored>> {
    Statement::new(UNHANDLED).bind::<BigInt, _>(limit).load(conn).await
}

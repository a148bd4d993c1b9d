//! Notices that failed authentication: kept within bounds, because anybody can send them.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bytea, Jsonb, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::infra::db::statement::Statement;
use crate::payments::notices::store::inbox::Delivery;

/// How much of them is kept of an account and day.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub notices: i64,
    /// Of method, query, headers and body.
    pub bytes: i64,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

// The tally is counted and asked in one statement, so two at once never slip through together.
const INSERT: &str = "with tally as (
    insert into refused_tally as t (account_id, day, notices, bytes)
    values ($1, (app_now() at time zone 'UTC')::date, 1, $2)
    on conflict (account_id, day) do update set notices = t.notices + 1, bytes = t.bytes + excluded.bytes
      where t.notices < $3
    returning account_id, bytes),
  given as materialized (
    select nextval(pg_get_serial_sequence('notice', 'id')) as id, account_id, bytes from tally),
  narrow as (
    insert into notice (id, account_id, verdict, body_sha256, reason) overriding system value
    select id, account_id, $4, $5, $6 from given),
  bytes as (
    insert into refused_body (notice_id, method, query, headers, body, sealed)
    select id, $7, $8, $9, $10, $11 from given where bytes <= $12)
  select count(*) from given";

/// Stores one, and its bytes while there is room for them. Answers false when the day is full for its account.
pub async fn insert(conn: &mut AsyncPgConnection, one: &Delivery, bounds: Bounds) -> QueryResult<bool> {
    let kept = &one.kept;
    let sealed = kept.sealed.as_ref().map_or(0, Vec::len);
    let headers = kept.headers.to_string();
    let bytes = kept.method.len() + kept.query.len() + headers.len() + kept.body.len() + sealed;
    let row: Count = Statement::new(INSERT)
        .bind::<Text, _>(one.account_id.as_str())
        .bind::<BigInt, _>(bytes as i64)
        .bind::<BigInt, _>(bounds.notices)
        .bind::<Text, _>(one.verdict)
        .bind::<Bytea, _>(kept.sha256.as_slice())
        .bind::<Nullable<Text>, _>(one.reason.as_deref())
        .bind::<Text, _>(kept.method.as_str())
        .bind::<Text, _>(kept.query.as_str())
        .bind::<Jsonb, _>(kept.headers.clone())
        .bind::<Bytea, _>(kept.body.as_slice())
        .bind::<Nullable<Bytea>, _>(kept.sealed.as_deref())
        .bind::<BigInt, _>(bounds.bytes)
        .get_result(conn)
        .await?;
    Ok(row.count > 0)
}

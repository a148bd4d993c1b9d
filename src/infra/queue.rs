//! Background work as rows. A job is added in the transaction that makes it necessary and becomes visible with its
//! commit. While a queued job of the same kind and key exists, another is not added.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Integer, Jsonb, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::infra::db::statement::Statement;

/// A job to be added.
#[derive(Clone, Debug)]
pub struct NewJob {
    pub kind: &'static str,
    pub dedupe_key: Option<String>,
    pub payload: Value,
    /// When it may run at the earliest; `None` is at once.
    pub run_at: Option<DateTime<Utc>>,
    pub max_attempts: i32,
}

impl NewJob {
    pub fn new(kind: &'static str, payload: Value) -> Self {
        Self { kind, dedupe_key: None, payload, run_at: None, max_attempts: 8 }
    }

    pub fn once(mut self, key: impl Into<String>) -> Self {
        self.dedupe_key = Some(key.into());
        self
    }

    pub fn at(mut self, time: DateTime<Utc>) -> Self {
        self.run_at = Some(time);
        self
    }
}

const ADD: &str = "insert into job (kind, dedupe_key, payload, run_at, max_attempts) \
    select kind, dedupe_key, payload, coalesce(run_at, app_now()), max_attempts \
    from unnest($1::text[], $2::text[], $3::jsonb[], $4::timestamptz[], $5::int[]) \
      as added(kind, dedupe_key, payload, run_at, max_attempts) \
    order by kind, dedupe_key on conflict do nothing";

/// Adds the jobs in one statement.
pub async fn add(mut conn: &AsyncPgConnection, jobs: &[NewJob]) -> diesel::QueryResult<usize> {
    if jobs.is_empty() {
        return Ok(0);
    }
    Statement::new(ADD)
        .bind::<Array<Text>, _>(jobs.iter().map(|j| j.kind).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(jobs.iter().map(|j| j.dedupe_key.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Jsonb>, _>(jobs.iter().map(|j| j.payload.clone()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(jobs.iter().map(|j| j.run_at).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(jobs.iter().map(|j| j.max_attempts).collect::<Vec<_>>())
        .execute(&mut conn)
        .await
}

//! Background work as rows. A job is added in the transaction that makes it necessary and becomes visible with its
//! commit. While a queued job of the same kind with the same payload exists, another is not added.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Integer, Jsonb, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::infra::db::statement::Statement;
use crate::infra::effects::record::Record;

/// The payload of one kind of job. Declared with [`payloads!`].
pub trait Payload: Record {
    const KIND: &'static str;
    /// How often it is tried before a person is asked.
    const ATTEMPTS: i32 = 8;

    /// The job, at once.
    fn job(&self) -> NewJob {
        let stored = self.stored();
        let texts = stored.as_object().into_iter().flat_map(|fields| fields.values());
        let key: Vec<String> =
            texts.map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect();
        NewJob {
            kind: Self::KIND,
            dedupe_key: key.join(":"),
            payload: stored,
            run_at: None,
            max_attempts: Self::ATTEMPTS,
        }
    }
}

/// Declares the jobs of a feature: `"feature.verb" pub struct Name { field: Field, }`.
#[macro_export]
macro_rules! payloads {
    ($($(#[doc = $doc:literal])* $kind:literal pub struct $name:ident { $($field:ident: $type:ty,)* })*) => {
        $crate::infra::effects::record::record! {
            $($(#[doc = $doc])* pub struct $name { $($field: $type,)* })*
        }

        $(impl $crate::infra::effects::jobs::Payload for $name {
            const KIND: &'static str = $kind;
        })*
    };
}
pub use crate::payloads;

/// A job to be added.
#[derive(Clone, Debug)]
pub struct NewJob {
    kind: &'static str,
    dedupe_key: String,
    payload: Value,
    run_at: Option<DateTime<Utc>>,
    max_attempts: i32,
}

impl NewJob {
    /// Another one than that of the same payload without this word, and added although that one waits.
    pub fn besides(mut self, word: impl std::fmt::Display) -> Self {
        self.dedupe_key = format!("{}:{word}", self.dedupe_key);
        self
    }

    /// Not before this time.
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
        .bind::<Array<Text>, _>(jobs.iter().map(|j| j.dedupe_key.as_str()).collect::<Vec<_>>())
        .bind::<Array<Jsonb>, _>(jobs.iter().map(|j| j.payload.clone()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Timestamptz>>, _>(jobs.iter().map(|j| j.run_at).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(jobs.iter().map(|j| j.max_attempts).collect::<Vec<_>>())
        .execute(&mut conn)
        .await
}

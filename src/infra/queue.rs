//! The worker's side of the queue. A job is leased, never owned: the lease has a generation, every completing
//! statement names it, and whoever slept past the end of a lease completes nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Bool, Double, Integer, Jsonb, Nullable, Text, Timestamptz};
use diesel::{OptionalExtension, QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::base::clock::{self, Clock};
use crate::base::outcome::Fault;
use crate::infra::db::Db;
use crate::infra::db::errors::violated;
use crate::infra::db::statement::Statement;
use crate::infra::effects::jobs::Payload;
use crate::infra::effects::record::record;
use crate::infra::effects::tasks::{self, TaskKind, task_kinds};

/// A job leased by this worker.
#[derive(Clone, Debug, QueryableByName)]
pub struct Job {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Jsonb)]
    pub payload: Value,
    /// Counted from 1; this run included.
    #[diesel(sql_type = Integer)]
    pub attempt: i32,
    #[diesel(sql_type = Integer)]
    pub max_attempts: i32,
    #[diesel(sql_type = BigInt)]
    pub lease_generation: i64,
}

record! {
    pub struct Dead {
        job: i64,
        kind: String,
        attempts: i32,
        /// How the last attempt ended.
        error: String,
    }
}

task_kinds! {
    /// Tasks of the queue.
    pub const TASKS = [
        /// A job failed too often: it is not tried any more.
        "job_dead" JobDead(i64, Dead),
    ];
}

impl Job {
    pub fn payload<P: Payload>(&self) -> Result<P, Fault> {
        P::read(&self.payload)
            .ok_or_else(|| Fault::bug(format!("job {} of kind {} is not complete", self.id, self.kind)))
    }

    pub fn is_last_attempt(&self) -> bool {
        self.attempt >= self.max_attempts
    }
}

const CLAIM: &str = "with due as materialized ( \
      select id from job where state = 'queued' and run_at <= app_now() order by run_at, id limit $1 \
      for update skip locked) \
    update job set state = 'running', attempt = attempt + 1, lease_generation = lease_generation + 1, leased_by = $2, \
      leased_until = app_now() + make_interval(secs => $3) \
    from due where job.id = due.id \
    returning job.id, job.kind, job.payload, job.attempt, job.max_attempts, job.lease_generation";

/// Leases at most `limit` jobs that are due, the longest waiting first. Whoever asks at the same time gets others.
pub async fn claim(
    conn: &mut AsyncPgConnection,
    worker: &str,
    lease: Duration,
    limit: i64,
) -> QueryResult<Vec<Job>> {
    let mut jobs: Vec<Job> = Statement::new(CLAIM)
        .bind::<BigInt, _>(limit)
        .bind::<Text, _>(worker)
        .bind::<Double, _>(lease.as_secs_f64())
        .load(conn)
        .await?;
    jobs.sort_by_key(|job| job.id);
    Ok(jobs)
}

const EXTEND: &str = "update job set leased_until = app_now() + make_interval(secs => $1) \
    where id = $2 and lease_generation = $3 and state = 'running'";

/// The heartbeat. False: the lease was lost to another worker.
pub async fn extend(conn: &mut AsyncPgConnection, job: &Job, lease: Duration) -> QueryResult<bool> {
    let changed = Statement::new(EXTEND)
        .bind::<Double, _>(lease.as_secs_f64())
        .bind::<BigInt, _>(job.id)
        .bind::<BigInt, _>(job.lease_generation)
        .execute(conn)
        .await?;
    Ok(changed == 1)
}

const FINISH: &str = "update job set state = 'done', finished_at = app_now(), leased_until = null, leased_by = null, \
    last_error = null where id = $1 and lease_generation = $2 and state = 'running'";

/// Marks the job done. False: the lease was lost, and the row belongs to somebody else.
pub async fn finish(conn: &mut AsyncPgConnection, job: &Job) -> QueryResult<bool> {
    let changed = Statement::new(FINISH)
        .bind::<BigInt, _>(job.id)
        .bind::<BigInt, _>(job.lease_generation)
        .execute(conn)
        .await?;
    Ok(changed == 1)
}

/// Puts a job back. When a twin of the same kind and key was queued meanwhile, the twin does the work and this one
/// is done.
const PUT_BACK: &str = "update job set (state, finished_at) = ( \
      select case when twin then 'done' else 'queued' end, case when twin then app_now() end \
      from (select exists (select 1 from job other where other.kind = job.kind \
        and other.dedupe_key = job.dedupe_key and other.state = 'queued') as twin) t), \
      run_at = app_now() + make_interval(secs => $1), attempt = case when $2 then attempt else attempt - 1 end, \
      last_error = $3, lease_generation = lease_generation + 1, leased_until = null, leased_by = null \
    where id = $4 and lease_generation = $5 and state = 'running'";

/// Puts the job back to be run after `gap`. `failed` counts the attempt; a job that merely asks to come back later
/// passes false. False: the lease was lost.
pub async fn put_back(
    conn: &mut AsyncPgConnection,
    job: &Job,
    gap: Duration,
    failed: bool,
    error: Option<&str>,
) -> QueryResult<bool> {
    // A twin may be added between the look and the write; the second look sees it.
    match put_back_once(conn, job, gap, failed, error).await {
        Err(e) if violated(&e, "job_dedupe") => put_back_once(conn, job, gap, failed, error).await,
        other => other,
    }
}

async fn put_back_once(
    conn: &mut AsyncPgConnection,
    job: &Job,
    gap: Duration,
    failed: bool,
    error: Option<&str>,
) -> QueryResult<bool> {
    let changed = Statement::new(PUT_BACK)
        .bind::<Double, _>(gap.as_secs_f64())
        .bind::<Bool, _>(failed)
        .bind::<Nullable<Text>, _>(error.map(shortened))
        .bind::<BigInt, _>(job.id)
        .bind::<BigInt, _>(job.lease_generation)
        .execute(conn)
        .await?;
    Ok(changed == 1)
}

const BURY: &str = "update job set state = 'dead', finished_at = app_now(), last_error = $1, leased_until = null, \
    leased_by = null where id = $2 and lease_generation = $3 and state = 'running'";

/// Gives the job up and puts it before a person, in one transaction. False: the lease was lost.
pub async fn bury(db: &Db, job: &Job, error: &str, clock: &Clock) -> Result<bool, Fault> {
    let mut tx = db.begin().await?;
    let changed = bury_in(&mut tx, job, error, clock).await?;
    tx.commit().await?;
    Ok(changed)
}

async fn bury_in(conn: &mut AsyncPgConnection, job: &Job, error: &str, clock: &Clock) -> QueryResult<bool> {
    let changed = Statement::new(BURY)
        .bind::<Text, _>(shortened(error))
        .bind::<BigInt, _>(job.id)
        .bind::<BigInt, _>(job.lease_generation)
        .execute(conn)
        .await?;
    if changed == 1 {
        let body = Dead {
            job: job.id,
            kind: job.kind.clone(),
            attempts: job.attempt,
            error: shortened(error).into(),
        };
        tasks::open(conn, clock, &[JobDead::open(job.id, body)]).await?;
    }
    Ok(changed == 1)
}

const EXPIRED: &str = "select id, kind, payload, attempt, max_attempts, lease_generation from job \
    where state = 'running' and leased_until < app_now() order by leased_until limit 50 for update skip locked";

/// Takes jobs back whose lease has ended: the worker died or was frozen. They run again at once; those without an
/// attempt left go to a person. Returns how many.
pub async fn rescue(db: &Db, clock: &Clock) -> Result<usize, Fault> {
    let mut tx = db.begin().await?;
    let expired: Vec<Job> = Statement::new(EXPIRED).load(&mut *tx).await?;
    for job in &expired {
        let error = "the worker went away before the job was done";
        if job.is_last_attempt() {
            bury_in(&mut tx, job, error, clock).await?;
        } else {
            put_back_once(&mut tx, job, Duration::ZERO, true, Some(error)).await?;
        }
    }
    tx.commit().await?;
    Ok(expired.len())
}

#[derive(QueryableByName)]
struct Due {
    #[diesel(sql_type = Timestamptz)]
    run_at: DateTime<Utc>,
}

/// When the next queued job may run.
pub async fn next_due(conn: &mut AsyncPgConnection) -> QueryResult<Option<DateTime<Utc>>> {
    let due: Option<Due> =
        Statement::new("select run_at from job where state = 'queued' order by run_at limit 1")
            .get_result(conn)
            .await
            .optional()?;
    Ok(due.map(|due| due.run_at))
}

/// How long a job waits after its n-th failed attempt: 5 s, 15 s, 45 s … at most an hour, with jitter.
pub fn gap_after(attempt: i32) -> Duration {
    let exponent = attempt.clamp(1, 10) - 1;
    let seconds = (5.0 * 3_f64.powi(exponent)).min(3_600.0);
    Duration::from_secs_f64(seconds * clock::jitter())
}

fn shortened(text: &str) -> &str {
    let end = text.char_indices().nth(500).map_or(text.len(), |(index, _)| index);
    &text[..end]
}

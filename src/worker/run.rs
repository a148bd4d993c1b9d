//! The loops of a worker: one takes jobs, one numbers events, one sweeps, one sends to hook endpoints.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use metrics::counter;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::reactions::{self, Done, React};
use super::{ages, hooks, schedule};
use crate::base::outcome::{Failure, Fault};
use crate::infra::db::{Purpose, within};
use crate::infra::queue::{self, Job};
use crate::infra::sequence::{self, Step};
use crate::worker::backend::WorkerBackend;

/// How often the worker looks for work that nobody rang for.
const LOOK: Duration = Duration::from_millis(500);
/// How often the sequencer looks for events that nobody rang for.
const LOOK_FOR_EVENTS: Duration = Duration::from_secs(5);
/// How often expired leases are looked for.
const RESCUE: Duration = Duration::from_secs(5);
/// How long running jobs may go on after the worker was asked to stop.
const PATIENCE: Duration = Duration::from_secs(8);

/// Works until `shutdown`, then lets running jobs end and gives the others back.
pub async fn run(backend: Arc<WorkerBackend>, shutdown: CancellationToken) {
    run_with(backend, reactions::table(), shutdown).await;
}

/// `run` with another table of reactions.
pub async fn run_with(backend: Arc<WorkerBackend>, react: React, shutdown: CancellationToken) {
    for kind in reactions::KINDS {
        counter!("dispense_jobs_dead_total", "kind" => kind).increment(0);
        for outcome in ["done", "later", "failed"] {
            counter!("dispense_jobs_total", "kind" => kind, "outcome" => outcome).increment(0);
        }
    }
    let background = |task: BoxFuture<'static, ()>| tokio::spawn(within(Purpose::Background, task));
    let sequencer = background(number_events(backend.clone(), shutdown.clone()).boxed());
    let sweeper = background(schedule::run(backend.clone(), shutdown.clone()).boxed());
    let sender = background(hooks::send(backend.clone(), shutdown.clone()).boxed());
    let counter = background(ages::run(backend.clone(), shutdown.clone()).boxed());
    within(Purpose::Background, take_jobs(backend, react, shutdown)).await;
    for task in [sequencer, sweeper, sender, counter] {
        if let Err(e) = task.await {
            error!(error = %e, "a loop of the worker ended badly");
        }
    }
}

async fn take_jobs(backend: Arc<WorkerBackend>, react: React, shutdown: CancellationToken) {
    let worker = worker_name();
    let room = backend.config.worker.concurrency.max(1);
    let mut running: JoinSet<()> = JoinSet::new();
    let mut bell = backend.bell.listen();
    let mut rescued_at: Option<Instant> = None;
    while !shutdown.is_cancelled() {
        if rescued_at.is_none_or(|at| at.elapsed() >= RESCUE) {
            rescued_at = Some(Instant::now());
            rescue(&backend).await;
        }
        let free = room - running.len();
        let jobs = if free == 0 { Vec::new() } else { claim(&backend, &worker, free).await };
        let found = jobs.len();
        for job in jobs {
            let (backend, react) = (backend.clone(), react.clone());
            running.spawn(within(Purpose::Background, async move { execute(&backend, &react, job).await }));
        }
        if found > 0 && found == free {
            // There may be more, but no room: wait for one to end.
            tokio::select! {
                _ = running.join_next() => {}
                () = shutdown.cancelled() => {}
            }
            continue;
        }
        tokio::select! {
            _ = running.join_next(), if !running.is_empty() => {}
            _ = bell.changed() => {}
            () = tokio::time::sleep(LOOK) => {}
            () = shutdown.cancelled() => {}
        }
    }
    let all = async { while running.join_next().await.is_some() {} };
    if timeout(PATIENCE, all).await.is_err() {
        warn!("jobs were cut off by the end of the program; their leases run out and others take them");
    }
}

/// Two workers of one machine have different names, so that a lease says who holds it.
pub(super) fn worker_name() -> String {
    format!("{}-{}", std::process::id(), hex::encode(crate::base::clock::random::<4>()))
}

/// A handler has less than half of its lease, so that it has ended long before another worker may start the same job.
fn lease_of(backend: &WorkerBackend) -> (Duration, Duration) {
    let time = Duration::from_secs(backend.config.worker.job_seconds.max(1));
    (time, time * 2 + Duration::from_secs(1))
}

async fn rescue(backend: &Arc<WorkerBackend>) {
    match queue::rescue(&backend.db, &backend.clock).await {
        Ok(0) => {}
        Ok(count) => {
            counter!("dispense_jobs_rescued_total").increment(count as u64);
            warn!(count, "took jobs back from workers that went away");
        }
        Err(e) => warn!(error = %e, "could not look for expired leases"),
    }
}

async fn claim(backend: &Arc<WorkerBackend>, worker: &str, limit: usize) -> Vec<Job> {
    match try_claim(backend, worker, limit).await {
        Ok(jobs) => jobs,
        Err(e) => {
            warn!(error = %e, "could not look for jobs");
            Vec::new()
        }
    }
}

pub(super) async fn try_claim(
    backend: &Arc<WorkerBackend>,
    worker: &str,
    limit: usize,
) -> Result<Vec<Job>, Fault> {
    let (_, lease) = lease_of(backend);
    let mut conn = backend.db.conn().await?;
    Ok(queue::claim(&mut conn, worker, lease, limit as i64).await?)
}

/// Runs one leased job to its end and records the end.
pub(super) async fn execute(backend: &Arc<WorkerBackend>, react: &React, job: Job) {
    let (time, lease) = lease_of(backend);
    let (kind, id, attempt) = (job.kind.clone(), job.id, job.attempt);
    crate::fault_point!("job.leased");
    // A task of its own: a handler that panics ends alone.
    let mut handler = tokio::spawn(within(Purpose::Background, react(backend.clone(), job.clone())));
    let deadline = tokio::time::sleep(time);
    tokio::pin!(deadline);
    let mut heartbeat = tokio::time::interval_at(Instant::now() + lease / 3, lease / 3);
    let ended = loop {
        tokio::select! {
            ended = &mut handler => break match ended {
                Ok(Ok(done)) => Ok(done),
                Ok(Err(failure)) => Err(failure),
                Err(e) if e.is_panic() => Err(Fault::bug("the handler panicked").into()),
                Err(_) => Err(Fault::bug("the handler was cancelled").into()),
            },
            () = &mut deadline => {
                handler.abort();
                break Err(Fault::Upstream(format!("the job took longer than {} s", time.as_secs())).into());
            }
            _ = heartbeat.tick() => {
                if !still_ours(backend, &job, lease).await {
                    handler.abort();
                    warn!(job = id, kind, "lost the lease while working");
                    return;
                }
            }
        }
    };
    crate::fault_point!("job.ran");
    let outcome = match &ended {
        Ok(Done::Finished) => "done",
        Ok(Done::Later(_)) => "later",
        Err(_) => "failed",
    };
    counter!("dispense_jobs_total", "kind" => kind.clone(), "outcome" => outcome).increment(1);
    match record(backend, &job, ended).await {
        Ok(true) => {}
        Ok(false) => {
            warn!(job = id, kind, attempt, "the lease had ended; what this worker did counts for nothing")
        }
        // The lease runs out and the job runs again: every handler may be repeated.
        Err(e) => warn!(job = id, kind, error = %e, "could not record how the job ended"),
    }
}

async fn still_ours(backend: &Arc<WorkerBackend>, job: &Job, lease: Duration) -> bool {
    let extended = async {
        let mut conn = backend.db.conn().await?;
        Ok::<_, Fault>(queue::extend(&mut conn, job, lease).await?)
    };
    // A database that cannot be asked has not said no: the lease itself is judged when the job ends.
    extended.await.unwrap_or(true)
}

async fn record(
    backend: &Arc<WorkerBackend>,
    job: &Job,
    ended: Result<Done, Failure>,
) -> Result<bool, Fault> {
    let failure = match ended {
        Ok(Done::Finished) => return Ok(queue::finish(&mut *backend.db.conn().await?, job).await?),
        Ok(Done::Later(gap)) => {
            return Ok(queue::put_back(&mut *backend.db.conn().await?, job, gap, false, None).await?);
        }
        Err(failure) => failure,
    };
    // A refusal will be the same next time.
    let (text, hopeless) = match &failure {
        Failure::Refused(refusal) => (format!("refused: {}", refusal.code), true),
        Failure::Fault(fault) => (fault.to_string(), false),
    };
    if hopeless || job.is_last_attempt() {
        error!(job = job.id, kind = job.kind, attempt = job.attempt, error = text, "gave a job up");
        counter!("dispense_jobs_dead_total", "kind" => job.kind.clone()).increment(1);
        return queue::bury(&backend.db, job, &text, &backend.clock).await;
    }
    warn!(
        job = job.id,
        kind = job.kind,
        attempt = job.attempt,
        error = text,
        "a job failed and will be tried again"
    );
    let gap = queue::gap_after(job.attempt);
    Ok(queue::put_back(&mut *backend.db.conn().await?, job, gap, true, Some(&text)).await?)
}

/// Numbers committed events for as long as this worker lives, and wakes who waits for them.
async fn number_events(backend: Arc<WorkerBackend>, shutdown: CancellationToken) {
    let mut bell = backend.bell.listen();
    while !shutdown.is_cancelled() {
        match sequence::step(&backend.db).await {
            Ok(Step::More) => continue,
            Ok(_) => {}
            Err(e) => warn!(error = %e, "could not number events"),
        }
        match reactions::to_events(&backend).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(e) => warn!(error = %e, "could not react to events"),
        }
        match crate::hooks::fan_out::step(&backend.hooks).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(e) => warn!(error = %e, "could not pass events on to hook endpoints"),
        }
        tokio::select! {
            _ = bell.changed() => {}
            () = tokio::time::sleep(LOOK_FOR_EVENTS) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

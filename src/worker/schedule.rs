//! Sweeps: what must happen without anybody asking. Each has its gap; while one server runs a sweep, others skip it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use metrics::histogram;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::base::outcome::Outcome;
use crate::infra::db::{Purpose, within};
use crate::infra::session_lock::SessionLocks;
use crate::worker::backend::WorkerBackend;

/// One sweep. It answers how many rows it changed, and is called again at once while that is more than 0.
pub struct Sweep {
    pub name: &'static str,
    pub every: Duration,
    run: fn(Arc<WorkerBackend>) -> BoxFuture<'static, Outcome<usize>>,
}

const fn sweep(
    name: &'static str,
    seconds: u64,
    run: fn(Arc<WorkerBackend>) -> BoxFuture<'static, Outcome<usize>>,
) -> Sweep {
    Sweep { name, every: Duration::from_secs(seconds), run }
}

/// All sweeps.
pub const SWEEPS: &[Sweep] = &[
    sweep("retention", 3_600, |backend| Box::pin(async move { super::retention::sweep(&backend).await })),
    sweep("partitions", 6 * 3_600, |backend| Box::pin(async move { make_partitions(&backend).await })),
    sweep("forgotten_rows", 3_600, |backend| {
        Box::pin(async move { crate::infra::stuck::sweep(&backend).await })
    }),
    sweep("task_alerts", 15, |backend| Box::pin(async move { crate::mail::alert::sweep(&backend).await })),
    sweep("unsent_messages", 120, |backend| {
        Box::pin(async move { crate::mail::unsent::sweep(&backend).await })
    }),
    sweep("old_mail_files", 3_600, |backend| Box::pin(async move { remove_old_mails(&backend).await })),
    sweep("overdue_orders", 15, |backend| {
        Box::pin(async move { crate::payments::attempts::close::expire_overdue(&backend.payments).await })
    }),
    sweep("forgotten_free_orders", 60, |backend| {
        Box::pin(async move {
            crate::payments::attempts::checkout::settle_forgotten_free(&backend.payments).await
        })
    }),
    sweep("lapsed_reservations", 15, |backend| {
        Box::pin(async move { crate::orders::reserve::sweep(&backend).await })
    }),
    sweep("finished_orders", 60, |backend| {
        Box::pin(async move { crate::orders::close::sweep(&backend).await })
    }),
    sweep("orphan_notices", 60, |backend| {
        Box::pin(async move { crate::payments::notices::orphans::sweep(&backend.payments).await })
    }),
    sweep("daily_statements", 900, |backend| {
        Box::pin(async move { crate::payments::statements::schedule::sweep(&backend.payments).await })
    }),
    sweep("forgotten_payments", 300, |backend| {
        Box::pin(async move { crate::payments::attempts::ask::sweep_forgotten(&backend.payments).await })
    }),
    sweep("forgotten_refunds", 300, |backend| {
        Box::pin(async move { crate::payments::refunds::work::sweep_forgotten(&backend.payments).await })
    }),
    sweep("undecided_disputes", 300, |backend| {
        Box::pin(async move { crate::payments::disputes::ask::sweep(&backend.payments).await })
    }),
    sweep("restored_questions", 900, |backend| {
        Box::pin(async move { crate::payments::restored::sweep(&backend.payments).await })
    }),
    sweep("neglected_lines", 60, |backend| {
        Box::pin(async move { crate::fulfilment::fill::sweep(&backend).await })
    }),
    sweep("unassigned_orders", 60, |backend| {
        Box::pin(async move { crate::fulfilment::waiting::sweep_unassigned(&backend).await })
    }),
    sweep("lines_left_to_nobody", 60, |backend| {
        Box::pin(async move { crate::fulfilment::waiting::sweep_persons(&backend).await })
    }),
    sweep("overdue_deliveries", 60, |backend| {
        Box::pin(async move { crate::fulfilment::waiting::sweep_overdue(&backend).await })
    }),
    sweep("missing_contents", 3_600, |backend| {
        Box::pin(async move { crate::files::contents::sweep(&backend).await })
    }),
    sweep("abandoned_imports", 3_600, |backend| {
        Box::pin(async move { crate::fulfilment::commit_import::sweep(&backend).await })
    }),
    sweep("price_changes", 15, |backend| {
        Box::pin(async move { crate::catalogue::product_list::kept::sweep(&backend).await })
    }),
    sweep("low_stock", 60, |backend| {
        Box::pin(async move { crate::fulfilment::low_stock::sweep(&backend).await })
    }),
    sweep("supplier_purchases", 30, |backend| {
        Box::pin(async move { crate::fulfilment::supplier::sweep(&backend).await })
    }),
    sweep("expire_keys", 60, |backend| {
        Box::pin(async move { Ok(crate::vault::expire::sweep(&backend).await?) })
    }),
    sweep("lapsed_downloads", 60, |backend| {
        Box::pin(async move { Ok(crate::delivery::sweep::close_lapsed_sessions(&backend).await?) })
    }),
    sweep("lost_streams", 60, |backend| {
        Box::pin(async move { Ok(crate::delivery::streams::sweep(&backend).await?) })
    }),
    sweep("upload_leftovers", 3_600, |backend| {
        Box::pin(async move { Ok(crate::files::sweep::remove_leftovers(&backend).await?) })
    }),
    sweep("unanswered_cases", 60, |backend| {
        Box::pin(async move { crate::delivery::cases::sweep::sweep(&backend).await })
    }),
    sweep("forgotten_recalls", 300, |backend| {
        Box::pin(async move { crate::delivery::recall::sweep(&backend).await })
    }),
    sweep("key_fingerprints", 60, |backend| {
        Box::pin(async move { crate::fulfilment::key_texts::sweep(&backend).await })
    }),
    sweep("rewrap_data_keys", 3_600, |backend| {
        Box::pin(async move { Ok(crate::vault::rewrap::sweep(&backend).await?) })
    }),
];

/// How long a sweep may take before the others of its kind elsewhere get their turn: what it has begun ends, and it comes again.
const LONGEST: Duration = Duration::from_secs(900);

/// How long sweeps may go on after the worker was asked to stop. What is cut off rolls back and comes again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs every sweep at its gap until `shutdown`, first soon after the start. Each runs by itself: one that waits for
/// somebody else's server keeps no other from its turn.
pub async fn run(backend: Arc<WorkerBackend>, shutdown: CancellationToken) {
    let locks = Arc::new(Mutex::new(SessionLocks::default()));
    let mut loops = JoinSet::new();
    for sweep in SWEEPS {
        let (backend, locks, shutdown) = (backend.clone(), locks.clone(), shutdown.clone());
        loops.spawn(within(Purpose::Background, async move {
            repeat(&backend, &locks, sweep, &shutdown).await;
        }));
    }
    shutdown.cancelled().await;
    let all = async { while loops.join_next().await.is_some() {} };
    if timeout(PATIENCE, all).await.is_err() {
        warn!("sweeps were cut off by the end of the program; they come again");
    }
}

async fn repeat(
    backend: &Arc<WorkerBackend>,
    locks: &Mutex<SessionLocks>,
    sweep: &Sweep,
    shutdown: &CancellationToken,
) {
    let mut due = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(due) => {}
            () = shutdown.cancelled() => return,
        }
        let late = due.elapsed();
        due = Instant::now() + sweep.every.mul_f64(crate::base::clock::jitter());
        guarded(backend, locks, sweep, late, shutdown).await;
    }
}

async fn guarded(
    backend: &Arc<WorkerBackend>,
    locks: &Mutex<SessionLocks>,
    sweep: &Sweep,
    late: Duration,
    shutdown: &CancellationToken,
) {
    match locks.lock().await.try_lock(&backend.db, sweep.name).await {
        Ok(true) => {}
        Ok(false) => return,
        Err(e) => return warn!(sweep = sweep.name, error = %e, "could not take the sweep's lock"),
    }
    let started = Instant::now();
    histogram!("dispense_sweep_late_seconds", "sweep" => sweep.name).record(late.as_secs_f64());
    // However it ends, its lock is given up: while this process lives, others could not run it.
    match AssertUnwindSafe(timeout(LONGEST, until_clean(backend, sweep, shutdown))).catch_unwind().await {
        Ok(Ok(Ok(_))) => {}
        Ok(Ok(Err(failure))) => warn!(sweep = sweep.name, error = ?failure, "a sweep failed"),
        Ok(Err(_)) => warn!(sweep = sweep.name, "a sweep took too long and was cut off"),
        Err(_) => error!(sweep = sweep.name, "a sweep panicked"),
    }
    histogram!("dispense_sweep_seconds", "sweep" => sweep.name).record(started.elapsed().as_secs_f64());
    locks.lock().await.unlock(sweep.name).await;
}

/// A sweep that always finds something must not run for ever under its lock.
const ROUNDS: usize = 100;

async fn until_clean(
    backend: &Arc<WorkerBackend>,
    sweep: &Sweep,
    shutdown: &CancellationToken,
) -> Outcome<usize> {
    let mut all = 0;
    for _ in 0..ROUNDS {
        let changed = (sweep.run)(backend.clone()).await?;
        all += changed;
        if changed == 0 || shutdown.is_cancelled() {
            break;
        }
        backend.bell.ring();
    }
    Ok(all)
}

/// Runs every sweep once, now: for tests and the demo. Returns how many rows changed.
pub async fn sweep_all(backend: &Arc<WorkerBackend>) -> Outcome<usize> {
    let mut all = 0;
    for sweep in SWEEPS {
        all += until_clean(backend, sweep, &CancellationToken::new()).await?;
    }
    Ok(all)
}

async fn make_partitions(backend: &WorkerBackend) -> Outcome<usize> {
    crate::infra::db::partitions::make(&backend.db, 2).await?;
    Ok(0)
}

async fn remove_old_mails(backend: &WorkerBackend) -> Outcome<usize> {
    Ok(backend.mailer.remove_old(chrono::TimeDelta::days(7), backend.clock.now()).await?)
}

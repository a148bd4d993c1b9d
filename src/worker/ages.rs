//! What waits, as metrics of this process: two statements now and then, whatever the shop has sold.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use metrics::gauge;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::base::outcome::Fault;
use crate::hooks;
use crate::operations::waiting;
use crate::worker::backend::WorkerBackend;

/// How often it is counted.
const EVERY: Duration = Duration::from_secs(30);

/// Counts until `shutdown`. Each worker does: a number that only one had would be old as soon as another took over.
pub async fn run(backend: Arc<WorkerBackend>, shutdown: CancellationToken) {
    loop {
        if let Err(e) = report(&backend).await {
            warn!(error = %e, "what waits could not be counted");
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

async fn report(backend: &WorkerBackend) -> Result<(), Fault> {
    let mut conn = backend.db.conn().await?;
    for row in waiting::list(&mut conn).await? {
        set(backend, row.kind().code, row.count, row.oldest);
    }
    let hooks = hooks::read::health(&mut conn).await?;
    set(backend, hooks::read::WAITING.0, hooks.waiting, hooks.oldest);
    Ok(())
}

fn set(backend: &WorkerBackend, code: &'static str, count: i64, oldest: Option<DateTime<Utc>>) {
    let age = oldest.map_or(0, |at| (backend.clock.now() - at).num_seconds().max(0));
    gauge!("dispense_waiting", "code" => code).set(count as f64);
    gauge!("dispense_waiting_oldest_seconds", "code" => code).set(age as f64);
}

//! The loop that sends events to hook endpoints. Those that fail get at most half of the places, so that the others are not
//! kept waiting by any number of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::hooks::deliver::{self, Begun, Capacity, Claimed};
use crate::infra::db::{Purpose, within};
use crate::worker::backend::WorkerBackend;

/// How often it looks for events that nobody rang for.
const LOOK: Duration = Duration::from_millis(500);
/// How long attempts may go on after the worker was asked to stop.
const PATIENCE: Duration = Duration::from_secs(8);

/// Sends until `shutdown`, then lets what was begun end.
pub(super) async fn send(backend: Arc<WorkerBackend>, shutdown: CancellationToken) {
    let most = backend.config.worker.hook_concurrency.max(2);
    let (mut well, mut failing): (JoinSet<()>, JoinSet<()>) = (JoinSet::new(), JoinSet::new());
    let mut bell = backend.bell.listen();
    while !shutdown.is_cancelled() {
        while well.try_join_next().is_some() || failing.try_join_next().is_some() {}
        let free = most.saturating_sub(well.len() + failing.len());
        let room = Capacity { all: free, failing: free.min((most / 2).saturating_sub(failing.len())) };
        let claimed = claim(&backend, room).await;
        let found = claimed.well.len() + claimed.failing.len();
        for begun in claimed.well {
            well.spawn(within(Purpose::Background, attempt(backend.clone(), begun)));
        }
        for begun in claimed.failing {
            failing.spawn(within(Purpose::Background, attempt(backend.clone(), begun)));
        }
        // There may be more.
        if found > 0 && found < free {
            continue;
        }
        tokio::select! {
            _ = well.join_next(), if !well.is_empty() => {}
            _ = failing.join_next(), if !failing.is_empty() => {}
            _ = bell.changed(), if free > 0 => {}
            () = tokio::time::sleep(LOOK) => {}
            () = shutdown.cancelled() => {}
        }
    }
    let all = async { while well.join_next().await.is_some() || failing.join_next().await.is_some() {} };
    if timeout(PATIENCE, all).await.is_err() {
        warn!("attempts at hook endpoints were cut off by the end of the program; they are made again");
    }
}

async fn claim(backend: &WorkerBackend, room: Capacity) -> Claimed {
    match deliver::claim(&backend.hooks, room).await {
        Ok(claimed) => claimed,
        Err(e) => {
            warn!(error = %e, "could not look for events to be sent");
            Claimed::default()
        }
    }
}

async fn attempt(backend: Arc<WorkerBackend>, begun: Begun) {
    // Its lease runs out and it is sent again, under the same id.
    if let Err(e) = deliver::attempt(&backend.hooks, begun).await {
        warn!(error = %e, "could not record how an attempt at a hook endpoint ended");
    }
}

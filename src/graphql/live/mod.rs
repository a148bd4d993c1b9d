//! Subscriptions. A follower that waits is a query, its variables and a place in the hub; when the hub wakes it, its
//! operation is executed anew, as a query would be: with the rights of that moment, with loaders of its own, one turn at a
//! time. So nothing of an execution is kept while nothing happens, and a right that was taken away shows nothing more.

mod follow;
mod frame;
mod message;
mod operate;
mod slots;
mod socket;
mod sse;
mod turn;
mod upgrade;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config;
use crate::infra::db::Db;
use crate::infra::hub::Hub;
use crate::infra::wake::Bell;

pub use frame::written_events;
pub use slots::{FULL_AGAIN, Full, StreamSlots};
pub use sse::{head, stream};
pub use turn::{Turn, TurnExt};
pub use upgrade::SocketEndpoint;

/// How long sockets may take to close when the server ends.
const LAST_FRAMES: Duration = Duration::from_secs(5);

/// What all streams of a process share.
pub struct Live {
    pub hub: Arc<Hub>,
    pub slots: Arc<StreamSlots>,
    /// Followers that read at this moment.
    pub reads: Semaphore,
    /// The server ends: clients are to come again.
    pub closing: CancellationToken,
    /// Sockets, which the HTTP server does not know any more.
    pub sockets: TaskTracker,
}

impl Live {
    /// `lasting`: places for connections that last. `alerts`: how the kinds of events begin that staff follows.
    pub fn new(
        config: &config::Live,
        lasting: &Arc<Semaphore>,
        alerts: &'static [&'static str],
    ) -> Arc<Self> {
        Arc::new(Self {
            hub: Hub::new(alerts),
            slots: StreamSlots::new(config.connections, config.connections_per_address, lasting),
            reads: Semaphore::new(config.reads.max(1)),
            closing: CancellationToken::new(),
            sockets: TaskTracker::new(),
        })
    }

    /// Wakes followers until the server ends.
    pub async fn run(&self, db: &Db, bell: &Bell) {
        tokio::select! {
            () = self.hub.run(db, bell) => {}
            () = self.closing.cancelled() => {}
        }
    }

    /// Sends every client away, to come again elsewhere or later.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Returns when the last socket is closed, or will not be.
    pub async fn closed(&self) {
        self.sockets.close();
        let _ = tokio::time::timeout(LAST_FRAMES, self.sockets.wait()).await;
    }
}

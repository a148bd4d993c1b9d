//! Wakes those who follow something when an event about it was numbered. One hub per process hears the sequencer's
//! notifications once, reads what the new events are about in one statement whatever the number of followers, and wakes the
//! followers of those things alone. While nobody follows anything it reads nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tracing::warn;
use uuid::Uuid;

use crate::base::ids::OrderId;
use crate::base::outcome::Fault;
use crate::infra::db::Db;
use crate::infra::sequence::{self, Trace};
use crate::infra::wake::Bell;

/// How often it looks while notifications do not arrive, or the database did not answer.
const LOOK: Duration = Duration::from_secs(1);

/// How often it looks although they seem to arrive: a connection can be dead long before anybody notices.
const DOUBT: Duration = Duration::from_secs(15);

/// Events read in one statement.
const BATCH: i64 = 1_000;

/// How long a new follower waits for a hub that slept.
const PATIENCE: Duration = Duration::from_secs(3);

/// What can be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Events of one order.
    Order(OrderId),
    /// Events of one object that is no order.
    Object(Uuid),
    /// Events of the kinds that the hub was made for.
    Kinds,
}

type Topics = HashMap<Topic, watch::Sender<i64>>;

/// The hub of a process.
#[derive(Debug)]
pub struct Hub {
    /// How the kinds of [`Topic::Kinds`] begin.
    prefixes: &'static [&'static str],
    topics: Mutex<Topics>,
    /// The last number that was read; none while it sleeps. It changes under the lock of the topics.
    position: watch::Sender<Option<i64>>,
    wanted: Notify,
}

/// Somebody follows a topic, until this is dropped.
#[derive(Debug)]
pub struct Following {
    hub: Arc<Hub>,
    topic: Topic,
    news: watch::Receiver<i64>,
}

impl Hub {
    pub fn new(prefixes: &'static [&'static str]) -> Arc<Self> {
        Arc::new(Self {
            prefixes,
            topics: Mutex::default(),
            position: watch::Sender::new(None),
            wanted: Notify::new(),
        })
    }

    fn topics(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Topics that somebody follows.
    pub fn followed(&self) -> usize {
        self.topics().len()
    }

    /// Follows a topic from now on: what is numbered after this returned will be heard. So whoever reads the present
    /// state afterwards misses nothing.
    ///
    /// # Errors
    /// When the hub slept and the database does not answer.
    pub async fn follow(self: &Arc<Self>, topic: Topic) -> Result<Following, Fault> {
        let (news, mut position) = {
            let mut topics = self.topics();
            let news = topics.entry(topic).or_insert_with(|| watch::Sender::new(0)).subscribe();
            (news, self.position.subscribe())
        };
        let following = Following { hub: self.clone(), topic, news };
        self.wanted.notify_one();
        let awake = position.wait_for(Option::is_some);
        match tokio::time::timeout(PATIENCE, awake).await {
            Ok(Ok(_)) => Ok(following),
            Ok(Err(_)) | Err(_) => Err(Fault::Overloaded("nobody listens to the sequence of events")),
        }
    }

    /// Wakes followers until it is dropped.
    pub async fn run(&self, db: &Db, bell: &Bell) {
        loop {
            self.wanted.notified().await;
            if self.followed() > 0 {
                self.wake_up(db).await;
                self.hear(db, bell).await;
            }
        }
    }

    /// Finds out where the sequence is.
    async fn wake_up(&self, db: &Db) {
        loop {
            let head = async { Ok::<_, Fault>(sequence::head(&mut *db.conn().await?).await?) };
            match head.await {
                Ok(seq) => {
                    let _topics = self.topics();
                    self.position.send_replace(Some(seq));
                    return;
                }
                Err(e) => warn!(error = %e, "could not look where the sequence of events is"),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Reads what comes, until nobody follows anything.
    async fn hear(&self, db: &Db, bell: &Bell) {
        let mut numbering = bell.numbering();
        let mut failed;
        loop {
            let heard = numbering.borrow_and_update().heard;
            match self.read(db).await {
                Ok(()) => failed = false,
                Err(e) => {
                    failed = true;
                    warn!(error = %e, "could not read what was numbered; trying again");
                }
            }
            if self.sleep_when_alone() {
                return;
            }
            let gap = if heard && !failed { DOUBT } else { LOOK };
            tokio::select! {
                changed = numbering.changed() => if changed.is_err() { tokio::time::sleep(LOOK).await },
                () = tokio::time::sleep(gap) => {}
            }
        }
    }

    fn sleep_when_alone(&self) -> bool {
        let topics = self.topics();
        let alone = topics.is_empty();
        if alone {
            self.position.send_replace(None);
        }
        alone
    }

    async fn read(&self, db: &Db) -> Result<(), Fault> {
        loop {
            let Some(position) = *self.position.borrow() else { return Ok(()) };
            metrics::counter!("dispense_live_looks_total").increment(1);
            let traces = sequence::traces(&mut *db.conn().await?, position, BATCH).await?;
            let Some(last) = traces.last().map(|trace| trace.seq) else { return Ok(()) };
            let full = traces.len() as i64 == BATCH;
            self.wake(&traces);
            self.position.send_replace(Some(last));
            if !full {
                return Ok(());
            }
        }
    }

    fn wake(&self, traces: &[Trace]) {
        let topics = self.topics();
        for trace in traces {
            let order = trace.order_id.map(|id| Topic::Order(OrderId(id)));
            let object = trace.object_id.map(Topic::Object);
            for news in [order, object].into_iter().flatten().filter_map(|topic| topics.get(&topic)) {
                news.send_replace(trace.seq);
            }
            let kind = trace.kind.as_deref().unwrap_or_default();
            if self.prefixes.iter().any(|prefix| kind.starts_with(prefix))
                && let Some(news) = topics.get(&Topic::Kinds)
            {
                news.send_replace(trace.seq);
            }
        }
    }
}

impl Following {
    /// Returns when something happened since `catch_up`, or since it was followed.
    pub async fn changed(&mut self) {
        if self.news.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What has happened so far is known.
    pub fn catch_up(&mut self) {
        self.news.borrow_and_update();
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut topics = self.hub.topics();
        if topics.get(&self.topic).is_some_and(|news| news.receiver_count() <= 1) {
            topics.remove(&self.topic);
        }
    }
}

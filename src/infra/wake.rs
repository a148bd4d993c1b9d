//! Whoever waits for work is woken by the commit that made it, in this process and the others of the shop. The signal
//! between processes is a notification that is sent after the commit, on a connection of its own: inside a transaction it
//! would make all commits wait for each other. It is lost when nobody listens; everybody also looks from time to time.

use std::sync::Arc;
use std::time::Duration;

use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures::StreamExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::base::outcome::Fault;
use crate::infra::db::Db;
use crate::infra::db::statement::Statement;
use crate::infra::sequence;

/// Notified after commits that added jobs or events; the payload is the sending process.
pub const CHANNEL: &str = "dispense_work";

/// Commits within this time make one notification.
const TOGETHER: Duration = Duration::from_millis(20);

/// How long a lost connection is left alone.
const AGAIN: Duration = Duration::from_secs(2);

/// Rung after commits that added jobs or events.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<Rings>);

#[derive(Debug, Default)]
struct Rings {
    all: watch::Sender<u64>,
    own: watch::Sender<u64>,
    numbered: watch::Sender<Numbering>,
}

/// What is heard of the sequence of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbering {
    /// Whether the database's notifications arrive here. While they do not, whoever waits has to look.
    pub heard: bool,
    /// The last number of which a notification came.
    pub seq: i64,
}

impl Bell {
    /// This process made work.
    pub fn ring(&self) {
        self.hear();
        self.0.own.send_modify(|rings| *rings += 1);
    }

    /// Another process did.
    fn hear(&self) {
        self.0.all.send_modify(|rings| *rings += 1);
    }

    /// Its `changed()` returns when the bell was rung since the last look.
    pub fn listen(&self) -> watch::Receiver<u64> {
        self.0.all.subscribe()
    }

    /// Its `changed()` returns when events were numbered, by whomever, or it changes whether that is heard here.
    pub fn numbering(&self) -> watch::Receiver<Numbering> {
        self.0.numbered.subscribe()
    }
}

/// Wakes the other processes and is woken by them, until `shutdown`.
pub async fn run(db: Db, bell: Bell, shutdown: CancellationToken) {
    let me = hex::encode(crate::base::clock::random::<8>());
    let both = async { tokio::join!(announce(&db, &bell, &me), hear(&db, &bell, &me)) };
    tokio::select! {
        _ = both => {}
        () = shutdown.cancelled() => {}
    }
    bell.0.numbered.send_modify(|numbering| numbering.heard = false);
}

async fn announce(db: &Db, bell: &Bell, me: &str) {
    let mut own = bell.0.own.subscribe();
    while own.changed().await.is_ok() {
        tokio::time::sleep(TOGETHER).await;
        own.borrow_and_update();
        let sent = async {
            let mut conn = db.conn().await?;
            let notify = Statement::new("select pg_notify($1, $2)");
            Ok::<_, Fault>(notify.bind::<Text, _>(CHANNEL).bind::<Text, _>(me).execute(&mut conn).await?)
        };
        if let Err(e) = sent.await {
            info!(error = %e, "could not wake the other processes: they look by themselves");
        }
    }
}

async fn hear(db: &Db, bell: &Bell, me: &str) {
    loop {
        if let Err(e) = listen(db, bell, me).await {
            info!(error = %e, "not listening to the other processes; looking instead");
        }
        bell.0.numbered.send_modify(|numbering| numbering.heard = false);
        tokio::time::sleep(AGAIN).await;
    }
}

/// Where events were numbered there is often a job too.
async fn listen(db: &Db, bell: &Bell, me: &str) -> Result<(), Fault> {
    let mut conn: AsyncPgConnection = db.dedicated().await?;
    conn.batch_execute(&format!("listen {CHANNEL}")).await?;
    sequence::listen(&mut conn).await?;
    bell.0.numbered.send_modify(|numbering| numbering.heard = true);
    let mut notifications = std::pin::pin!(conn.notifications_stream());
    while let Some(Ok(notification)) = notifications.next().await {
        if notification.payload != me {
            bell.hear();
        }
        if notification.channel == sequence::CHANNEL
            && let Ok(seq) = notification.payload.parse()
        {
            bell.0.numbered.send_modify(|numbering| numbering.seq = seq);
        }
    }
    Ok(())
}

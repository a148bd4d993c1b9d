//! From a token to bytes: what is to be answered, and a stream that keeps asking whether it may go on.

use crate::base::error_code::ErrorCode;
use crate::files;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::time::{Duration, Instant};

use crate::base::ids::{DownloadSessionId, FileVersionId, GrantId};
use crate::base::outcome::{Failure, Outcome, Refusal};
use crate::delivery::kit::DeliveryKit;
use crate::delivery::link::Ticket;
use crate::delivery::model::Progress;
use crate::delivery::range::{self, Conditions, Plan};
use crate::delivery::read;
use crate::delivery::store;
use crate::delivery::{access, session};
use crate::files::model::FileVersion;
use crate::infra::db::Db;
use crate::orders::visits::Visit;

/// Bytes after which a running stream asks again whether it may go on.
const CHECK_EVERY: i64 = 8 * 1024 * 1024;
/// Streams of one session at a time in this process.
const MOST_STREAMS: usize = 16;
/// A client slower than this over its first minutes holds a place that others need. Bytes per second.
const SLOWEST: u64 = 1024;
const PATIENCE: Duration = Duration::from_secs(300);

/// A request for a download.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    pub token: &'a str,
    /// Without a body: neither counts nor opens a session.
    pub head: bool,
    pub conditions: Conditions<'a>,
    pub address: Option<IpAddr>,
    /// `User-Agent`, cleaned and cut.
    pub device: Option<&'a str>,
}

/// What to answer. `body` is there when `plan` has one and the request wants it; an error in it means that the
/// connection must be cut.
pub struct ServedFile {
    pub plan: Plan,
    pub file: FileVersion,
    pub body: Option<BoxStream<'static, io::Result<Bytes>>>,
}

/// Verify, authorise, count, stream.
pub async fn serve(kit: &DeliveryKit, ask: Ask<'_>) -> Outcome<ServedFile> {
    let ticket = Ticket::of_download(kit, ask.token)?;
    ticket.allows(kit, ask.address)?;
    let visit = ask.address.map(|address| Visit { address, device: ask.device.map(str::to_owned) });
    let mut conn = kit.db.conn().await?;
    let mut entry = session::look(&mut conn, &ticket).await?;
    drop(conn);
    let size = entry.version.size as u64;
    let plan = range::plan(size, &entry.version.etag(), &ask.conditions, !ask.head);
    let Some((start, length)) = plan.body(size).filter(|_| !ask.head) else {
        return Ok(ServedFile { plan, file: entry.version, body: None });
    };
    // Before anything is counted: a content that cannot be read must not cost the buyer a download.
    let bytes = kit.blobs.read(&entry.version.blob, size, start, length).await?;
    if entry.session_id.is_none() {
        // One after the other within this process: a crowd at one link must not hold every database connection
        // while it waits for the grant's lock.
        let turn = kit.streams.turn(entry.link.grant_id);
        let _turn = turn.lock().await;
        entry = session::open(kit, &ticket, visit.as_ref()).await?;
    }
    let Some(session) = entry.session_id else {
        return Err(crate::base::outcome::Fault::bug("an opened entry has a session").into());
    };
    let permit = kit.streams.enter(session)?;
    let mut stream = Stream {
        db: kit.db.clone(),
        session,
        grant: entry.link.grant_id,
        version: entry.version.id,
        generation: entry.link.generation,
        permit,
        bytes,
        left: length as i64,
        unsettled: 0,
        served: 0,
        began: Instant::now(),
    };
    // An answer that the session cannot pay for to its end is not begun.
    let progress = stream.settle().await?;
    if progress.byte_cap - progress.served_bytes < length as i64 {
        return Err(used_up().into());
    }
    let body = futures::stream::unfold(Some(stream), |stream| async {
        let mut stream = stream?;
        match stream.next().await {
            Some(Ok(bytes)) => Some((Ok(bytes), Some(stream))),
            Some(Err(error)) => Some((Err(error), None)),
            None => None,
        }
    });
    Ok(ServedFile { plan, file: entry.version, body: Some(body.boxed()) })
}

fn used_up() -> Refusal {
    Refusal::new(
        ErrorCode::GrantExhausted,
        "this download was served in full several times; ask for a new link",
    )
}

/// One body on its way out.
struct Stream {
    db: Db,
    session: DownloadSessionId,
    grant: GrantId,
    version: FileVersionId,
    /// The access generation of the link that it is served by.
    generation: i32,
    permit: Permit,
    bytes: BoxStream<'static, io::Result<Bytes>>,
    /// Bytes that the body still needs.
    left: i64,
    /// Bytes sent and not yet written to the session's row.
    unsettled: i64,
    served: u64,
    began: Instant,
}

impl Stream {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if self.left == 0 {
            return None;
        }
        Some(self.piece().await.map_err(|reason| io::Error::other(reason.to_string())))
    }

    async fn piece(&mut self) -> Result<Bytes, Cut> {
        let piece = self.bytes.next().await.ok_or(Cut::Content)?.map_err(|_| Cut::Content)?;
        let length = piece.len() as i64;
        if self.unsettled + length > CHECK_EVERY {
            self.settle().await.map_err(|failure| match failure {
                Failure::Refused(refusal) => Cut::Refused(refusal.code),
                Failure::Fault(_) => Cut::Fault,
            })?;
        }
        if !self.permit.gauge.take(length) {
            return Err(Cut::Refused(ErrorCode::GrantExhausted));
        }
        let waited = self.began.elapsed();
        if waited > PATIENCE && self.served < SLOWEST * waited.as_secs() {
            return Err(Cut::Slow);
        }
        self.unsettled += length;
        self.served += length as u64;
        self.left -= length;
        if self.left == 0 {
            // Written before the last piece goes out: whoever has the whole file sees it accounted for.
            let mut conn = self.db.conn().await.map_err(|_| Cut::Fault)?;
            let bytes = std::mem::take(&mut self.unsettled);
            let progress =
                store::advance_served(&mut conn, self.session, bytes).await.map_err(|_| Cut::Fault)?;
            self.permit.gauge.settled(bytes, &progress);
        }
        crate::fault_point!("download.streaming");
        Ok(piece)
    }

    /// Writes down what was sent and asks again whether the grant may be used.
    async fn settle(&mut self) -> Outcome<Progress> {
        let mut conn = self.db.conn().await?;
        let bytes = std::mem::take(&mut self.unsettled);
        let progress = store::advance_served(&mut conn, self.session, bytes).await?;
        self.permit.gauge.settled(bytes, &progress);
        let gone = || Refusal::new(ErrorCode::Revoked, "this download was withdrawn");
        let standing = read::find_standing(&mut conn, self.grant).await?.ok_or_else(gone)?;
        access::may_download(&standing)?;
        if standing.access_generation != self.generation {
            return Err(gone().into());
        }
        if standing.session_id != Some(self.session) {
            return Err(Refusal::new(ErrorCode::LinkExpired, "the time of this download has passed").into());
        }
        let version = files::read::find_version(&mut conn, self.version).await?.ok_or_else(gone)?;
        if version.yanked_at.is_some() {
            return Err(Refusal::new(
                ErrorCode::FileYanked,
                "this version of the file is not offered any more",
            )
            .into());
        }
        Ok(progress)
    }
}

impl Drop for Stream {
    /// A client that went away: what it got is recorded by itself.
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.unsettled);
        if bytes == 0 {
            return;
        }
        let (db, session, gauge) = (self.db.clone(), self.session, self.permit.gauge.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let Ok(mut conn) = db.conn().await else { return };
                if let Ok(progress) = store::advance_served(&mut conn, session, bytes).await {
                    gauge.settled(bytes, &progress);
                }
            });
        }
    }
}

/// Why a stream ends before its length. The client only sees the connection go.
#[derive(Debug, thiserror::Error)]
enum Cut {
    #[error("the stored content ended early")]
    Content,
    #[error("no longer allowed: {0}")]
    Refused(ErrorCode),
    #[error("the client reads too slowly")]
    Slow,
    #[error("the database cannot be asked")]
    Fault,
}

/// How many streams a session has open, and what bounds them.
type Open = HashMap<DownloadSessionId, (usize, Arc<Gauge>)>;

/// The streams of this process by session. Cheap to clone.
#[derive(Clone, Default)]
pub struct Streams {
    open: Arc<Mutex<Open>>,
    /// Whoever opens a session of the grant; entries nobody holds are dropped on the next call.
    turns: Arc<Mutex<HashMap<GrantId, Weak<tokio::sync::Mutex<()>>>>>,
}

/// What a session may still serve, as far as this process knows: what its row said last, less what was sent since.
/// Both of the row's numbers only grow, so that answers which overtake each other do no harm.
#[derive(Default)]
struct Gauge {
    served: AtomicI64,
    cap: AtomicI64,
    unsettled: AtomicI64,
}

impl Gauge {
    /// Takes `bytes` from what is left, or nothing.
    fn take(&self, bytes: i64) -> bool {
        let left = self.cap.load(Ordering::SeqCst) - self.served.load(Ordering::SeqCst);
        let more = |unsettled: i64| (unsettled + bytes <= left).then_some(unsettled + bytes);
        self.unsettled.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_ok()
    }

    /// `bytes` of what was sent are in the row now, which says this.
    fn settled(&self, bytes: i64, row: &Progress) {
        self.cap.fetch_max(row.byte_cap, Ordering::SeqCst);
        self.served.fetch_max(row.served_bytes, Ordering::SeqCst);
        self.unsettled.fetch_sub(bytes, Ordering::SeqCst);
    }
}

/// A place among the streams of a session.
struct Permit {
    streams: Streams,
    session: DownloadSessionId,
    gauge: Arc<Gauge>,
}

impl Streams {
    fn turn(&self, grant: GrantId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(&grant).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        turns.insert(grant, Arc::downgrade(&turn));
        turn
    }

    fn enter(&self, session: DownloadSessionId) -> Result<Permit, Refusal> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, gauge) = open.entry(session).or_default();
        if *count >= MOST_STREAMS {
            let text = format!("a download has at most {MOST_STREAMS} connections at a time");
            return Err(Refusal::new(ErrorCode::RateLimited, text).retry_after(5));
        }
        *count += 1;
        Ok(Permit { streams: self.clone(), session, gauge: gauge.clone() })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Slot::Occupied(mut slot) = open.entry(self.session) {
            slot.get_mut().0 -= 1;
            if slot.get().0 == 0 {
                slot.remove();
            }
        }
    }
}

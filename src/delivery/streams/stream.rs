//! One body on its way out, which keeps asking whether it may go on.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use diesel_async::AsyncPgConnection;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::time::Instant;
use uuid::Uuid;

use crate::base::error_code::ErrorCode;
use crate::base::ids::{DownloadSessionId, FileVersionId, GrantId};
use crate::base::outcome::{Failure, Outcome, Refusal};
use crate::delivery::streams::{Permit, store};
use crate::delivery::{access, read};
use crate::files;
use crate::infra::db::Db;

/// Bytes, and the time, after which a running stream asks again whether it may go on.
const CHECK_EVERY: i64 = 8 * 1024 * 1024;
const CHECK_AFTER: Duration = Duration::from_secs(60);
/// A client slower than this over its first minutes holds a place that others need. Bytes per second.
const SLOWEST: u64 = 1024;
const PATIENCE: Duration = Duration::from_secs(300);

/// By what right a body is sent.
#[derive(Clone, Copy)]
pub(in crate::delivery) struct BodyRight {
    /// The body's own.
    pub id: Uuid,
    pub session: DownloadSessionId,
    pub grant: GrantId,
    pub version: FileVersionId,
    /// The access generation of the link that it is served by.
    pub generation: i32,
}

/// A body with its bytes reserved.
pub(in crate::delivery) struct Stream {
    db: Db,
    right: BodyRight,
    bytes: BoxStream<'static, io::Result<Bytes>>,
    _permit: Permit,
    /// Bytes that the body still needs.
    left: i64,
    /// Bytes sent and not yet written to the session's row.
    unsettled: i64,
    served: u64,
    began: Instant,
    settled_at: Instant,
    ended: bool,
}

impl Stream {
    /// Asks whether the body may be sent and reserves its bytes. None: the session has not so many left.
    pub(in crate::delivery) async fn begin(
        db: &Db,
        right: BodyRight,
        permit: Permit,
        (bytes, length): (BoxStream<'static, io::Result<Bytes>>, i64),
    ) -> Outcome<Option<Self>> {
        let mut conn = db.conn().await?;
        may_go_on(&mut conn, right).await?;
        let (id, session) = (right.id, right.session);
        let mut reserved = store::insert_stream(&mut conn, id, session, length).await?;
        if !reserved && store::delete_gone(&mut conn, 1_000).await? > 0 {
            reserved = store::insert_stream(&mut conn, id, session, length).await?;
        }
        let now = Instant::now();
        Ok(reserved.then(|| Self {
            db: db.clone(),
            left: length,
            right,
            bytes,
            _permit: permit,
            unsettled: 0,
            served: 0,
            began: now,
            settled_at: now,
            ended: false,
        }))
    }

    /// The pieces in their order. An error means that the connection must be cut.
    pub(in crate::delivery) fn pieces(self) -> BoxStream<'static, io::Result<Bytes>> {
        let pieces = futures::stream::unfold(Some(self), |stream| async {
            let mut stream = stream?;
            if stream.left == 0 {
                return None;
            }
            match stream.piece().await {
                Ok(bytes) => Some((Ok(bytes), Some(stream))),
                Err(reason) => Some((Err(io::Error::other(reason.to_string())), None)),
            }
        });
        pieces.boxed()
    }

    async fn piece(&mut self) -> Result<Bytes, Cut> {
        let piece = self.bytes.next().await.ok_or(Cut::Content)?.map_err(|_| Cut::Content)?;
        let length = piece.len() as i64;
        if self.unsettled + length > CHECK_EVERY || self.settled_at.elapsed() > CHECK_AFTER {
            self.settle().await?;
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
            self.ended = true;
            store::delete_stream(&mut conn, self.right.id, self.right.session, bytes)
                .await
                .map_err(|_| Cut::Fault)?;
        }
        crate::fault_point!("download.streaming");
        Ok(piece)
    }

    /// Writes down what was sent and asks again whether the grant may be used.
    async fn settle(&mut self) -> Result<(), Cut> {
        let mut conn = self.db.conn().await.map_err(|_| Cut::Fault)?;
        let bytes = std::mem::take(&mut self.unsettled);
        let (id, session) = (self.right.id, self.right.session);
        let alive = store::advance_sent(&mut conn, id, session, bytes).await.map_err(|_| Cut::Fault)?;
        if !alive {
            return Err(Cut::Slow);
        }
        self.settled_at = Instant::now();
        may_go_on(&mut conn, self.right).await.map_err(|failure| match failure {
            Failure::Refused(refusal) => Cut::Refused(refusal.code),
            Failure::Fault(_) => Cut::Fault,
        })
    }
}

/// Whether the grant may still be used for this body.
async fn may_go_on(conn: &mut AsyncPgConnection, right: BodyRight) -> Outcome<()> {
    let gone = || Refusal::new(ErrorCode::Revoked, "this download was withdrawn");
    let standing = read::find_standing(conn, right.grant).await?.ok_or_else(gone)?;
    access::may_download(&standing)?;
    if standing.access_generation != right.generation {
        return Err(gone().into());
    }
    if standing.session_id != Some(right.session) {
        return Err(Refusal::new(ErrorCode::LinkExpired, "the time of this download has passed").into());
    }
    let version = files::read::find_version(conn, right.version).await?.ok_or_else(gone)?;
    if version.yanked_at.is_some() {
        let text = "this version of the file is not offered any more";
        return Err(Refusal::new(ErrorCode::FileYanked, text).into());
    }
    Ok(())
}

impl Drop for Stream {
    /// A client that went away: what it got is recorded by itself, and the rest is given back.
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let (db, id, session, bytes) = (self.db.clone(), self.right.id, self.right.session, self.unsettled);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let Ok(mut conn) = db.conn().await else { return };
                // Should this fail, it counts as gone after its time.
                let _ = store::delete_stream(&mut conn, id, session, bytes).await;
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

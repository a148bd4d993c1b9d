//! Bodies on their way out: what each still needs is reserved before its first byte leaves, so that no number of servers
//! sends more than the session may serve, and no answer is begun that cannot be ended.

mod store;
mod stream;

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::{Arc, Mutex, PoisonError, Weak};

pub(super) use stream::{BodyRight, Stream};

use crate::base::error_code::ErrorCode;
use crate::base::ids::{DownloadSessionId, GrantId};
use crate::base::outcome::{Fault, Refusal};
use crate::infra::kit::Kit;

/// Streams of one session at a time in this process.
const MOST_STREAMS: usize = 16;

/// The streams of this process by session. Cheap to clone.
#[derive(Clone, Default)]
pub struct Streams {
    open: Arc<Mutex<HashMap<DownloadSessionId, usize>>>,
    /// Whoever opens a session of the grant; entries nobody holds are dropped on the next call.
    turns: Arc<Mutex<HashMap<GrantId, Weak<tokio::sync::Mutex<()>>>>>,
}

/// A place among the streams of a session.
pub(super) struct Permit {
    streams: Streams,
    session: DownloadSessionId,
}

impl Streams {
    pub(super) fn turn(&self, grant: GrantId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(&grant).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        turns.insert(grant, Arc::downgrade(&turn));
        turn
    }

    pub(super) fn enter(&self, session: DownloadSessionId) -> Result<Permit, Refusal> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(session).or_default();
        if *count >= MOST_STREAMS {
            let text = format!("a download has at most {MOST_STREAMS} connections at a time");
            return Err(Refusal::new(ErrorCode::RateLimited, text).retry_after(5));
        }
        *count += 1;
        Ok(Permit { streams: self.clone(), session })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Slot::Occupied(mut slot) = open.entry(self.session) {
            *slot.get_mut() -= 1;
            if *slot.get() == 0 {
                slot.remove();
            }
        }
    }
}

/// Sweep: gives back what bodies had reserved whose server is gone. Returns of how many sessions.
pub async fn sweep(kit: &Kit) -> Result<usize, Fault> {
    Ok(store::delete_gone(&mut *kit.db.conn().await?, 1_000).await?)
}

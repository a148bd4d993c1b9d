//! How long a client may still be waited for.

use std::time::{Duration, Instant};

/// Time that runs while a client is waited for and is earned by the bytes that it sends or reads: whoever keeps up the
/// least rate never runs out of it, and whoever stops has `full`.
#[derive(Clone, Debug)]
pub struct Credit {
    full: Duration,
    bytes_per_second: u64,
    left: Duration,
    waiting: Option<Instant>,
}

impl Credit {
    pub fn new(full: Duration, bytes_per_second: u64) -> Self {
        Self { full, bytes_per_second: bytes_per_second.max(1), left: full, waiting: None }
    }

    /// It is the client's turn; when it was already, nothing changes.
    pub fn wait(&mut self, now: Instant) {
        self.waiting.get_or_insert(now);
    }

    /// It is not the client's turn any more.
    pub fn stop(&mut self, now: Instant) {
        if let Some(since) = self.waiting.take() {
            self.left = self.left.saturating_sub(now.saturating_duration_since(since));
        }
    }

    /// So many bytes moved.
    pub fn earn(&mut self, now: Instant, bytes: usize) {
        let was_waiting = self.waiting.is_some();
        self.stop(now);
        let earned = Duration::from_micros((bytes as u64).saturating_mul(1_000_000) / self.bytes_per_second);
        self.left = self.left.saturating_add(earned).min(self.full);
        if was_waiting {
            self.waiting = Some(now);
        }
    }

    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// When it is used up, if the client goes on like this.
    pub fn due(&self) -> Option<Instant> {
        Some(self.waiting? + self.left)
    }
}

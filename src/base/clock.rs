//! The only place that reads the wall clock and the system's random source.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use rand::TryRng;
use rand::rngs::SysRng;
use uuid::Uuid;

/// Wall-clock time plus an offset. The offset is zero in production; a test moves it together with the
/// schema function `app_now()`.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_micros: Arc<AtomicI64>,
}

impl Clock {
    #[allow(clippy::disallowed_methods)]
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::microseconds(self.offset_micros.load(Ordering::SeqCst))
    }

    /// Seconds since the Unix epoch.
    pub fn unix(&self) -> i64 {
        self.now().timestamp()
    }

    pub fn offset(&self) -> TimeDelta {
        TimeDelta::microseconds(self.offset_micros.load(Ordering::SeqCst))
    }

    /// Moves this clock. Whoever calls it also moves the database's `app_now()`.
    pub fn set_offset(&self, offset: TimeDelta) {
        self.offset_micros.store(offset.num_microseconds().unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// A UUIDv7 of this clock's time, so that ids sort by when things happened.
    pub fn uuid(&self) -> Uuid {
        let mut random = [0_u8; 10];
        fill(&mut random);
        uuid::Builder::from_unix_timestamp_millis(self.now().timestamp_millis().max(0) as u64, &random)
            .into_uuid()
    }
}

/// Fills `bytes` from the operating system's CSPRNG. The process cannot go on without one: a shop that
/// guesses keys or tokens is worse than one that is down.
#[allow(clippy::expect_used)]
pub fn fill(bytes: &mut [u8]) {
    SysRng.try_fill_bytes(bytes).expect("the operating system has no random source");
}

/// `N` bytes from the operating system's CSPRNG.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    fill(&mut bytes);
    bytes
}

/// A factor between 0.8 and 1.2 for retry gaps, so that many retries do not arrive together.
pub fn jitter() -> f64 {
    let [byte] = random::<1>();
    0.8 + f64::from(byte) / 255.0 * 0.4
}

//! Connections without a request, by how long: the first to be closed when no more are free.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::meter::Meter;

/// A connection this young is left alone: its first request may be on its way.
const YOUNG: Duration = Duration::from_millis(100);

/// Since when, and the connection's number.
pub type WaitPlace = (Instant, u64);

#[derive(Default)]
pub struct WaitingRoom(Mutex<BTreeMap<WaitPlace, Arc<Meter>>>);

impl WaitingRoom {
    pub fn enter(&self, place: WaitPlace, meter: Arc<Meter>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(place, meter);
    }

    pub fn leave(&self, place: &WaitPlace) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(place);
    }

    /// Has the one closed that has waited longest; whether there was one.
    pub fn close_oldest(&self) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = waiting.first_entry().filter(|first| first.key().0.elapsed() >= YOUNG);
        let Some((_, meter)) = old.map(|first| first.remove_entry()) else { return false };
        drop(waiting);
        meter.evict();
        true
    }
}

//! How many of something each of many has at once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// At most so many of each.
#[derive(Debug)]
pub struct Shares<K: Eq + Hash + Clone> {
    most: usize,
    of: Mutex<HashMap<K, usize>>,
}

/// One that is counted until this is dropped.
#[derive(Debug)]
pub struct Share<K: Eq + Hash + Clone> {
    counts: Arc<Shares<K>>,
    key: K,
}

impl<K: Eq + Hash + Clone> Shares<K> {
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, of: Mutex::default() })
    }

    /// Shares one more, unless there are as many of this as there may be.
    pub fn enter(self: &Arc<Self>, key: K) -> Option<Share<K>> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let here = of.get(&key).copied().unwrap_or_default();
        if here >= self.most {
            return None;
        }
        of.insert(key.clone(), here + 1);
        Some(Share { counts: self.clone(), key })
    }
}

impl<K: Eq + Hash + Clone> Drop for Share<K> {
    fn drop(&mut self) {
        let mut of = self.counts.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(here) = of.get_mut(&self.key) {
            *here -= 1;
            if *here == 0 {
                of.remove(&self.key);
            }
        }
    }
}

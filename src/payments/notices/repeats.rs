//! Genuine notices that come again. Gateways repeat what was answered late, and whoever has heard a notice can send it again for
//! as long as its signature holds: a repeat is answered like the first one, is counted, and is no row of its own.

use std::collections::BTreeMap;

use crate::payments::notices::store::inbox::Delivery;
use crate::payments::report::Settled;

/// How often an event came again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeat {
    pub account_id: String,
    pub event_key: String,
    pub count: i64,
}

/// What is stored of a slice.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// What was handled.
    pub rows: Vec<Delivery>,
    /// What is counted, whatever is stored already.
    pub repeats: Vec<Repeat>,
    /// What settled nothing and differs from all others of its event in this slice: rows, unless the same is stored.
    pub differing: Vec<Delivery>,
}

/// Divides the deliveries of a slice, which are sorted by account and event key. The order stays.
pub(super) fn apart(deliveries: Vec<Delivery>) -> Inbox {
    let handled = [Settled::Applied.verdict(), Settled::Recorded.verdict()];
    let repeated = Settled::Duplicate.verdict();
    let (rows, others): (Vec<Delivery>, Vec<Delivery>) =
        deliveries.into_iter().partition(|one| handled.contains(&one.verdict) || one.event_key.is_none());
    let mut counts: BTreeMap<(String, String), i64> = BTreeMap::new();
    let mut differing: Vec<Delivery> = Vec::new();
    for one in others {
        let same_bytes = |other: &&Delivery| {
            other.account_id == one.account_id
                && other.event_key == one.event_key
                && other.kept.sha256 == one.kept.sha256
        };
        let is_there = rows.iter().any(|other| same_bytes(&other))
            || differing.iter().filter(same_bytes).any(|other| other.verdict == one.verdict);
        if one.verdict == repeated || is_there {
            let key = (one.account_id.clone(), one.event_key.clone().unwrap_or_default());
            *counts.entry(key).or_default() += 1;
        }
        if !is_there {
            differing.push(one);
        }
    }
    let repeat = |((account_id, event_key), count)| Repeat { account_id, event_key, count };
    Inbox { rows, repeats: counts.into_iter().map(repeat).collect(), differing }
}

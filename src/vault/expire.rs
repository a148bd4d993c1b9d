//! Takes keys out of sale whose date has passed. Claims never take them anyway; this makes the state show it.

use std::collections::BTreeMap;

use crate::base::outcome::Fault;
use crate::infra::effects::events::{self, Event, NewEvent};
use crate::infra::kit::Kit;
use crate::vault::events::{Expired, StockEvent};
use crate::vault::store;

/// Keys of one variant that are changed in one transaction.
const STEP: i64 = 500;

/// Expires what is due, in short transactions. Returns how many keys expired.
pub async fn sweep(kit: &Kit) -> Result<usize, Fault> {
    let mut total = 0;
    loop {
        let mut tx = kit.db.begin().await?;
        let expired = store::advance_to_expired(&mut tx, STEP).await?;
        if expired.is_empty() {
            return Ok(total);
        }
        let mut by_variant = BTreeMap::new();
        for key in &expired {
            *by_variant.entry((key.seller_id, key.variant_id)).or_insert(0_i64) += 1;
        }
        let facts: Vec<NewEvent> = by_variant
            .into_iter()
            .map(|((seller, variant), count)| {
                StockEvent::Expired(variant, Expired { count }).by("system").of_seller(seller)
            })
            .collect();
        events::append(&tx, &facts).await?;
        tx.commit().await?;
        total += expired.len();
    }
}

//! Purchases that nobody looks at any more, and those about which a supplier has been silent for too long.

use chrono::TimeDelta;

use crate::base::outcome::Outcome;
use crate::fulfilment::supplier::store as units;
use crate::infra::effects::Effects;
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::effects::tasks::{self, TaskKind};
use crate::infra::kit::Kit;
use crate::suppliers::jobs::BuyFromSupplier;
use crate::suppliers::read;
use crate::suppliers::tasks::{PurchaseTrouble, SupplierSilent};

/// Purchases looked at in one round.
const ROUND: i64 = 500;

/// A purchase that was due so many seconds ago has lost its job.
const FORGOTTEN: i32 = 120;

/// Returns how many jobs and tasks were added.
pub async fn sweep(kit: &Kit) -> Outcome<usize> {
    let mut tx = kit.db.begin().await?;
    let now = kit.clock.now();
    let due = read::list_due(&mut tx, FORGOTTEN, ROUND).await?;
    let again: Vec<_> =
        due.iter().map(|purchase| BuyFromSupplier { piece: purchase.unit_id }.job()).collect();
    let mut done = jobs::add(&tx, &again).await?;
    let unbought = units::list_unbought(&mut tx, BuyFromSupplier::KIND, FORGOTTEN, ROUND).await?;
    if !unbought.is_empty() {
        tracing::warn!(pieces = unbought.len(), "pieces waited for a supplier whom nobody asked");
        metrics::counter!("dispense_defects_total", "kind" => "unbought").increment(unbought.len() as u64);
        let jobs: Vec<_> = unbought.into_iter().map(|piece| BuyFromSupplier { piece }.job()).collect();
        done += jobs::add(&tx, &jobs).await?;
    }
    let patience = i64::try_from(kit.config.worker.supplier_silent_minutes).unwrap_or(i64::MAX / 60_000);
    let silent = read::list_silent(&mut tx, now - TimeDelta::minutes(patience), ROUND).await?;
    let mut effects = Effects::default();
    effects.tasks.extend(silent.iter().map(|purchase| {
        let trouble = PurchaseTrouble {
            supplier: purchase.supplier_id,
            piece: purchase.unit_id,
            variant: purchase.variant_id,
            request: purchase.request_id.clone(),
            reason: purchase.state.as_str().to_ascii_uppercase(),
        };
        SupplierSilent::open(purchase.id, trouble).of_order(purchase.order_id)
    }));
    done += tasks::open(&tx, &kit.clock, &effects.tasks).await?;
    tx.commit().await?;
    Ok(done)
}

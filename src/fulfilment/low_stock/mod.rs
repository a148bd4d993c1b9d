//! Reports once that a variant runs low, and again only after it was restocked (K11). What is counted is compared with one row
//! per variant, after whatever sold or brought the keys is committed.

mod store;

use crate::base::outcome::Outcome;
use crate::fulfilment::events::{StockLevel, StockLevelEvent};
use crate::fulfilment::tasks::{StockIsLow, StockLow};
use crate::infra::effects::Effects;
use crate::infra::effects::events::Event;
use crate::infra::effects::tasks::TaskKind;
use crate::infra::kit::Kit;
use crate::infra::stuck::{self, RowName};
use store::Watched;

/// The sweep. Keys are counted no further than a variant's threshold. Returns how many variants changed.
pub async fn sweep(kit: &Kit) -> Outcome<usize> {
    let watched = store::list_changed(&mut *kit.db.conn().await?).await?;
    let name = |watched: &Watched| RowName::of(watched.variant_id.0, watched.variant_id);
    stuck::each(kit, "low_stock", watched, name, |variant: Watched| async move {
        let mut tx = kit.db.begin().await?;
        // Whoever else saw it was faster.
        let changed = store::advance(&mut tx, variant.variant_id, variant.is_low).await?;
        if changed == 1 {
            effects(&variant).write(&tx, &kit.clock).await?;
        }
        crate::fault_point!("low_stock.noted");
        tx.commit().await?;
        Ok(changed)
    })
    .await
}

/// The event, and the task whose mail reaches the shop's operator.
fn effects(watched: &Watched) -> Effects {
    let mut effects = Effects::default();
    let id = watched.variant_id;
    let level = StockLevel { available: watched.available, threshold: watched.threshold };
    let event =
        if watched.is_low { StockLevelEvent::Low(id, level) } else { StockLevelEvent::Restocked(id, level) };
    effects.events.push(event.by("system").of_seller(watched.seller_id));
    match watched.is_low {
        true => {
            let low = StockIsLow { variant: id, available: watched.available, threshold: watched.threshold };
            effects.tasks.push(StockLow::open(id, low));
        }
        false => effects.over.push(StockLow::over(id)),
    }
    effects
}

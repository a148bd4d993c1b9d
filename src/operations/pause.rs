//! Staff pauses the sales of the shop, and resumes them.

use crate::base::actor::Actor;
use crate::base::ids::SHOP;
use crate::base::outcome::Outcome;
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::record::Nothing;
use crate::infra::kit::Kit;
use crate::infra::sales;
use crate::payments::events::ShopEvent;

/// Sells nothing from the commit on: no order is placed and no payment is started. What was begun is settled and delivered.
/// A repeat changes nothing.
pub async fn pause(kit: &Kit, actor: &Actor, because: &str) -> Outcome<()> {
    let mut tx = kit.db.begin().await?;
    if sales::pause(&mut tx, because).await? {
        events::append(&tx, &[ShopEvent::Paused(SHOP, Nothing {}).by(actor.label())]).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Sells again. A shop that is not paused is left as it is.
pub async fn resume(kit: &Kit, actor: &Actor) -> Outcome<()> {
    let mut tx = kit.db.begin().await?;
    if sales::resume(&mut tx).await? {
        events::append(&tx, &[ShopEvent::Resumed(SHOP, Nothing {}).by(actor.label())]).await?;
        tx.commit().await?;
    }
    Ok(())
}

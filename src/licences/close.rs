//! Ends the activations of a key that was taken back. Nothing is answered by them any more, since each question asks for the
//! key's standing; ended they show it.

use crate::base::ids::KeyId;
use crate::base::outcome::Outcome;
use crate::infra::effects::events::{self, Event, NewEvent};
use crate::infra::kit::Kit;
use crate::licences::events::{LicenceEvent, OfDelivery};
use crate::licences::store;

pub async fn close(kit: &Kit, key: KeyId) -> Outcome<()> {
    let mut tx = kit.db.begin().await?;
    let closed = store::advance_orphaned(&mut tx, key).await?;
    let facts: Vec<NewEvent> = closed
        .iter()
        .map(|owned| {
            let body = OfDelivery { delivery: owned.unit_id, key: owned.key_id };
            let event = LicenceEvent::Deactivated(owned.id, body).by("system");
            event.of_order(owned.order_id).of_seller(owned.seller_id)
        })
        .collect();
    events::append(&tx, &facts).await?;
    tx.commit().await?;
    Ok(())
}

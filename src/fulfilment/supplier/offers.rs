//! A seller says where a variant is bought, and the lines that wait for it are served.

use crate::base::actor::Actor;
use crate::base::ids::VariantId;
use crate::base::outcome::Outcome;
use crate::catalogue::intake;
use crate::fulfilment::jobs::Fill;
use crate::fulfilment::store;
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::kit::Kit;
use crate::suppliers::PricedOffer;
use crate::suppliers::offers::NewOffer;

/// Sets where the pieces of a variant are bought, the first asked first; none: nowhere. Purchases that run are not touched.
/// `NOT_FOUND`, `INVALID`, `TOO_MANY`.
pub async fn set_offers(
    kit: &Kit,
    actor: &Actor,
    id: VariantId,
    offers: &[NewOffer],
) -> Outcome<Vec<PricedOffer>> {
    let mut tx = kit.db.begin().await?;
    store::lock_variant(&mut tx, id).await?;
    let set = intake::set_offers(&mut tx, actor, id, offers).await?;
    if store::is_awaiting_person(&mut tx, id).await? {
        jobs::add(&tx, &[Fill { variant: id }.job()]).await?;
    }
    tx.commit().await?;
    kit.bell.ring();
    Ok(set)
}

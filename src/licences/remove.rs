//! A buyer, or staff, frees a device from afar: one that broke, was sold, or is in another place.

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::ActivationId;
use crate::base::outcome::{Outcome, Refusal};
use crate::infra::effects::events::{self, Event};
use crate::infra::kit::Kit;
use crate::licences::events::{LicenceEvent, OfDelivery};
use crate::licences::model::Owned;
use crate::licences::{read, store};
use crate::orders::access::{self, AccessLevel};
use crate::orders::gifts;
use crate::orders::store as orders;

/// Removes an activation; one that was removed before stays so. The device's next question is answered with
/// `DEVICE_NOT_ACTIVATED`. Refusals: `NOT_FOUND`, `FORBIDDEN` (a watch ticket changes nothing, and of a gift its
/// recipient alone frees a device).
pub async fn remove(
    kit: &Kit,
    actor: &Actor,
    id: ActivationId,
    token: Option<&str>,
) -> Outcome<(Owned, AccessLevel)> {
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such activation").at(["activationId"]);
    let mut tx = kit.db.begin().await?;
    let owned = read::find_owner(&mut tx, id).await?.ok_or_else(missing)?;
    let order = orders::find(&mut tx, owned.order_id).await?.ok_or_else(missing)?;
    let access_level = match access::access_level(kit, actor, &order, token) {
        Some(AccessLevel::Status) => {
            return Err(Refusal::new(ErrorCode::Forbidden, "a watch ticket frees no device").into());
        }
        Some(AccessLevel::Buyer) => {
            gifts::refuse_buyer(&mut tx, &order).await?;
            AccessLevel::Buyer
        }
        Some(level) => level,
        None => return Err(missing().into()),
    };
    if store::advance_removed(&mut tx, id, &actor.label()).await? == 1 {
        let body = OfDelivery { delivery: owned.unit_id, key: owned.key_id };
        let event = LicenceEvent::Deactivated(id, body).by(actor.label());
        events::append(&tx, &[event.of_order(owned.order_id).of_seller(owned.seller_id)]).await?;
        tx.commit().await?;
        kit.bell.ring();
    }
    Ok((owned, access_level))
}

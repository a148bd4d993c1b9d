//! Ends the use of a key on a device, by the software itself.

use crate::base::error_code::ErrorCode;
use crate::base::ids::ActivationId;
use crate::base::outcome::{Outcome, Refusal};
use crate::infra::effects::events::{self, Event};
use crate::infra::kit::Kit;
use crate::licences::device::Device;
use crate::licences::events::{LicenceEvent, OfDelivery, SOFTWARE};
use crate::licences::model::LicenceRow;
use crate::licences::validate::{self, Asked};
use crate::licences::{read, store};

/// A device that does not use the key any more.
#[derive(Clone, Debug)]
pub struct Deactivated {
    pub licence: LicenceRow,
    pub activation: ActivationId,
}

/// Frees a device, whether or not the key is good: nobody is kept from leaving. A device that was freed before is answered
/// the same. Refusals: `NO_SUCH_KEY`, `NOT_SOLD`, `DEVICE_NOT_ACTIVATED` for a device that never was active.
pub async fn deactivate(kit: &Kit, asked: &Asked, device: &Device) -> Outcome<Deactivated> {
    let mut licence = {
        let mut conn = kit.db.conn().await?;
        validate::find(&mut conn, kit, asked).await?.1
    };
    let unsold = || Refusal::new(ErrorCode::NotSold, "this key was not sold");
    let unit = licence.unit_id.ok_or_else(unsold)?;
    let mut tx = kit.db.begin().await?;
    if let Some(activation) = licence.activation()
        && store::advance_removed(&mut tx, activation.id, SOFTWARE).await? == 1
    {
        licence.used -= 1;
        let body = OfDelivery { delivery: unit, key: licence.key_id };
        let event = LicenceEvent::Deactivated(activation.id, body).by(SOFTWARE);
        events::append(&tx, &[event.of_order(licence.order_id).of_seller(licence.seller_id)]).await?;
        crate::fault_point!("licence.deactivated");
        tx.commit().await?;
        kit.bell.ring();
        return Ok(Deactivated { licence, activation: activation.id });
    }
    let removed = read::find_removed(&mut tx, unit, device.digest).await?;
    let never = || {
        let text = "this licence was never activated on this device";
        Refusal::new(ErrorCode::DeviceNotActivated, text).at(["device"])
    };
    Ok(Deactivated { licence, activation: removed.ok_or_else(never)? })
}

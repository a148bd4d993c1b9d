//! Begins to use a key on a device.

use diesel_async::AsyncPgConnection;
use serde_json::Value;

use crate::base::error_code::ErrorCode;
use crate::base::ids::ActivationId;
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::infra::effects::events::{self, Event};
use crate::infra::kit::Kit;
use crate::licences::device::{Device, keep_key_out};
use crate::licences::events::{LicenceEvent, OfDelivery, SOFTWARE};
use crate::licences::model::{Activation, LicenceRow};
use crate::licences::validate::{self, Asked};
use crate::licences::{read, store, verdict};

/// What the software says of the device.
#[derive(Clone, Debug, Default)]
pub struct Described {
    pub name: Option<String>,
    pub metadata: Option<Value>,
}

/// A device on which the key may be used now.
#[derive(Clone, Debug)]
pub struct Activated {
    pub licence: LicenceRow,
    pub activation: Activation,
    /// It was not active there before.
    pub fresh: bool,
}

/// Activates a device; one that is active already stays as it is, but for a name and metadata that are given. Refusals: what
/// `judge` refuses, `DEVICE_LIMIT_REACHED`, `RATE_LIMITED` (one key on and off too often), `IN_PROGRESS` (the key changes hands), `INVALID`.
pub async fn activate(
    kit: &Kit,
    asked: &Asked,
    device: &Device,
    described: &Described,
) -> Outcome<Activated> {
    let (licence, unit) = {
        let mut conn = kit.db.conn().await?;
        let (key, licence) = validate::find(&mut conn, kit, asked).await?;
        keep_key_out(&key, "device", device.hint())?;
        keep_key_out(&key, "name", described.name.as_deref().unwrap_or_default())?;
        let metadata = described.metadata.as_ref().map(Value::to_string);
        keep_key_out(&key, "metadata", metadata.as_deref().unwrap_or_default())?;
        let unit = verdict::judge(&licence)?;
        if let Some(activation) = licence.activation() {
            return active_already(&mut conn, licence, activation, described).await;
        }
        (licence, unit)
    };
    if licence.is_full() {
        return Err(verdict::full(&licence).into());
    }
    kit.throttles.licence_changes.take(&licence.key_id.0).map_err(|seconds| {
        let text = "this key was activated too often: try again later";
        Refusal::new(ErrorCode::RateLimited, text).retry_after(seconds)
    })?;
    let mut tx = kit.db.begin().await?;
    store::lock_unit(&mut tx, unit).await?;
    store::lock_key(&mut tx, licence.key_id).await?;
    // In a statement after the lock: what was committed while it was waited for is visible only to a fresh snapshot.
    let found = read::find_by_key(&mut tx, licence.key_id, device.digest).await?;
    let mut licence = found.ok_or_else(|| Fault::bug("a key is gone"))?;
    if verdict::judge(&licence)? != unit {
        let text = "this key was given back and sold again just now: try again";
        return Err(Refusal::new(ErrorCode::InProgress, text).retry_after(1).into());
    }
    if let Some(activation) = licence.activation() {
        let done = active_already(&mut tx, licence, activation, described).await?;
        tx.commit().await?;
        return Ok(done);
    }
    if licence.is_full() {
        return Err(verdict::full(&licence).into());
    }
    let activation = Activation {
        id: ActivationId(kit.clock.uuid()),
        unit_id: unit,
        name: described.name.clone().unwrap_or_else(|| device.hint().to_owned()),
        metadata: described.metadata.clone().unwrap_or_else(|| Value::Object(serde_json::Map::new())),
        activated_at: licence.now,
        last_seen_at: licence.now,
    };
    store::insert(&mut tx, &licence, &activation, device.digest).await?;
    licence.used += 1;
    let body = OfDelivery { delivery: unit, key: licence.key_id };
    let event = LicenceEvent::Activated(activation.id, body).by(SOFTWARE);
    events::append(&tx, &[event.of_order(licence.order_id).of_seller(licence.seller_id)]).await?;
    crate::fault_point!("licence.activated");
    tx.commit().await?;
    kit.bell.ring();
    Ok(Activated { licence, activation, fresh: true })
}

/// A repeat: the same activation, with the name and the metadata that are given.
async fn active_already(
    conn: &mut AsyncPgConnection,
    mut licence: LicenceRow,
    mut activation: Activation,
    described: &Described,
) -> Outcome<Activated> {
    let (name, metadata) = (described.name.as_ref(), described.metadata.as_ref());
    let changed = name.is_some_and(|name| *name != activation.name)
        || metadata.is_some_and(|metadata| *metadata != activation.metadata);
    if changed || licence.is_due_to_be_seen() {
        let name = described.name.as_deref();
        let at = store::advance_seen(conn, activation.id, name, described.metadata.as_ref(), changed).await?;
        activation.last_seen_at = licence.seen(at);
    }
    activation.name = described.name.clone().unwrap_or(activation.name);
    activation.metadata = described.metadata.clone().unwrap_or(activation.metadata);
    Ok(Activated { licence, activation, fresh: false })
}

//! From the sequence of events to the endpoints that want them. The cursor moves in the transaction that stores the rows:
//! an event is neither left out nor taken twice, whenever a worker dies.

use crate::base::ids::HookDeliveryId;
use crate::base::outcome::Fault;
use crate::hooks::kit::HookKit;
use crate::hooks::store::{self, NewDelivery};
use crate::infra::cursor;
use crate::infra::effects::events::Audience;
use crate::infra::sequence;

/// How far events have come to endpoints.
pub(super) const CURSOR: &str = "hooks";

/// Events looked at in one transaction.
const BATCH: i64 = 512;

/// Stores what newly numbered events mean for endpoints. Returns how many events were looked at.
pub async fn step(kit: &HookKit) -> Result<usize, Fault> {
    let mut tx = kit.db.begin().await?;
    let Some(after) = cursor::claim(&mut tx, CURSOR).await? else { return Ok(0) };
    let head = sequence::head(&mut tx).await?;
    let upto = head.min(after + BATCH);
    let (sellers, clients) = ((kit.known.seen_by)(Audience::Seller), (kit.known.seen_by)(Audience::Client));
    let wanted = store::list_wanted(&mut tx, (after, upto), sellers, clients).await?;
    let new: Vec<NewDelivery> =
        wanted.into_iter().map(|wanted| wanted.named(HookDeliveryId(kit.clock.uuid()))).collect();
    store::insert_deliveries(&mut tx, &new).await?;
    cursor::advance(&mut tx, CURSOR, upto).await?;
    crate::fault_point!("hooks.fanned_out");
    tx.commit().await?;
    if !new.is_empty() {
        kit.bell.ring();
    }
    Ok(usize::try_from(upto - after).unwrap_or(usize::MAX))
}

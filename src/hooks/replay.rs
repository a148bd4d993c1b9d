//! Has events sent again: one, or all since a time or a number. Each keeps the id that the receiver knows it by.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{HookDeliveryId, HookEndpointId};
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::hooks::endpoint::lock_own;
use crate::hooks::events::{HookEvent, HooksReplayed};
use crate::hooks::fan_out::CURSOR;
use crate::hooks::kit::HookKit;
use crate::hooks::model::HookEndpoint;
use crate::hooks::state::{HookChange, HookEndpointState};
use crate::hooks::store::{self, NewDelivery, Past};
use crate::infra::cursor;
use crate::infra::effects::events::{self, Audience, Event};

/// Events replayed by one call.
const MOST: i64 = 1_000;

/// What is sent again.
#[derive(Clone, Copy, Debug)]
pub enum Replay {
    One(HookDeliveryId),
    /// What happened at this time or later.
    Since(DateTime<Utc>),
    /// What is numbered above this.
    After(i64),
}

/// What is sent again, and where a call that did not reach the end goes on.
pub struct HookReplayed {
    pub endpoint: HookEndpoint,
    pub count: i64,
    /// The last number; none when there is nothing above it.
    pub more_after: Option<i64>,
}

/// Sends what the endpoint wants as its filter is now, also what it never got because it was disabled or made later. Up to
/// 1,000 events at a call. What is being sent at this moment is left. `NOT_FOUND`, `ENDPOINT_DISABLED`.
pub async fn replay(kit: &HookKit, actor: &Actor, id: HookEndpointId, what: Replay) -> Outcome<HookReplayed> {
    let mut tx = kit.db.begin().await?;
    let endpoint = lock_own(&mut tx, actor, id).await?;
    if endpoint.state == HookEndpointState::Disabled {
        let text = "nothing is sent to this endpoint while it is disabled";
        return Err(Refusal::new(ErrorCode::EndpointDisabled, text).at(["endpointId"]).into());
    }
    // What is numbered later goes its usual way.
    let upto = cursor::lock(&mut tx, CURSOR).await?;
    let (count, more_after) = match what {
        Replay::One(delivery) => (replay_one(&mut tx, id, delivery).await?, None),
        Replay::Since(since) => {
            replay_past(&mut tx, kit, id, Past { after: 0, upto, since: Some(since) }).await?
        }
        Replay::After(after) => replay_past(&mut tx, kit, id, Past { after, upto, since: None }).await?,
    };
    let event = HookEvent::Replayed(id, HooksReplayed { count }).by(actor.label());
    events::append(&tx, &[event.of_seller(endpoint.seller_id)]).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(HookReplayed { endpoint, count, more_after })
}

async fn replay_one(
    conn: &mut AsyncPgConnection,
    endpoint: HookEndpointId,
    id: HookDeliveryId,
) -> Outcome<i64> {
    let unknown =
        || Refusal::new(ErrorCode::NotFound, "there is no such delivery").at(["target", "deliveryId"]);
    let found = store::lock_delivery(conn, id).await?.filter(|found| found.endpoint_id == endpoint);
    let found = found.ok_or_else(unknown)?;
    if found.state.after(HookChange::Replay).is_err() {
        return Ok(0);
    }
    let changed = store::advance_replayed(conn, endpoint, &[found.seq]).await?;
    Ok(i64::try_from(changed).unwrap_or(i64::MAX))
}

async fn replay_past(
    conn: &mut AsyncPgConnection,
    kit: &HookKit,
    endpoint: HookEndpointId,
    past: Past,
) -> Result<(i64, Option<i64>), Fault> {
    let seen = ((kit.known.seen_by)(Audience::Seller), (kit.known.seen_by)(Audience::Client));
    let mut wanted = store::list_past(conn, endpoint, past, seen, MOST + 1).await?;
    let more = wanted.len() as i64 > MOST;
    wanted.truncate(MOST as usize);
    let seqs: Vec<i64> = wanted.iter().map(|wanted| wanted.seq).collect();
    let again = store::advance_replayed(conn, endpoint, &seqs).await?;
    let new: Vec<NewDelivery> =
        wanted.into_iter().map(|wanted| wanted.named(HookDeliveryId(kit.clock.uuid()))).collect();
    let added = store::insert_deliveries(conn, &new).await?;
    let count = i64::try_from(again + added).unwrap_or(i64::MAX);
    Ok((count, seqs.last().copied().filter(|_| more)))
}

//! A paid order is closed when nothing of it waits and its warranty is over. That changes no access, no refund and no
//! replacement: such an order needs nobody's attention any more.

use chrono::{DateTime, TimeDelta, Utc};

use crate::base::outcome::{Fault, Outcome};
use crate::infra::db::one;
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::record::Nothing;
use crate::infra::kit::Kit;
use crate::orders::events::OrderEvent;
use crate::orders::state::{OrderChange, OrderState};
use crate::orders::store::{self, Finished};

/// For how long an order stays open after its payment; a longer warranty of one of its lines counts in place of it.
pub const OPEN_FOR: TimeDelta = TimeDelta::days(30);

/// After how long an order that something of still waits is looked at again.
const LOOK_AGAIN: TimeDelta = TimeDelta::days(1);

/// Orders that one sweep looks at.
const AT_ONCE: i64 = 500;

/// The moment before which an order stays open; none when it is to be closed now.
pub fn stays_open_until(order: &Finished, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if order.waits {
        return Some(now + LOOK_AGAIN);
    }
    let end = order.paid_at + OPEN_FOR.max(TimeDelta::days(i64::from(order.warranty_days)));
    (end > now).then_some(end)
}

/// Sweep: closes what is finished and puts off what is not, so that each order is looked at when its time comes and
/// never in between.
pub async fn sweep(kit: &Kit) -> Outcome<usize> {
    let now = kit.clock.now();
    let after = OrderState::Paid.after(OrderChange::Close).map_err(|e| Fault::bug(e.to_string()))?;
    let mut tx = kit.db.begin().await?;
    let mut closed = Vec::new();
    for order in store::lock_finished(&mut tx, OPEN_FOR, AT_ONCE).await? {
        match stays_open_until(&order, now) {
            // The column counts from the beginning of the usual time.
            Some(until) => {
                one(store::put_off_closing(&mut tx, order.id, until - OPEN_FOR).await?, "order")?;
            }
            None => {
                one(store::advance(&mut tx, order.id, OrderState::Paid, after).await?, "order")?;
                closed.push(OrderEvent::Closed(order.id, Nothing {}).by("system"));
            }
        }
    }
    events::append(&tx, &closed).await?;
    tx.commit().await?;
    Ok(closed.len())
}

//! An order that nobody paid in time expires. Its payments are closed at their gateways first, by
//! `payments/attempts/expire.rs`.

use diesel_async::AsyncPgConnection;

use crate::base::outcome::Outcome;
use crate::infra::db::one;
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::record::Nothing;
use crate::orders::events::OrderEvent;
use crate::orders::model::Order;
use crate::orders::state::{OrderChange, OrderState};
use crate::orders::{reserve, store};

/// What an order is whose time to pay is over; none when it stays as it is: an attempt to pay it is open, or it was paid or
/// given up meanwhile.
pub fn after(state: OrderState, open: bool) -> Option<OrderState> {
    if open || state != OrderState::PendingPayment {
        return None;
    }
    state.after(OrderChange::Expire).ok()
}

/// Expires a locked order if it may be, and gives back what is held for it; whether it did.
pub async fn expire(conn: &mut AsyncPgConnection, order: &Order, open: bool) -> Outcome<bool> {
    let Some(after) = after(order.state, open) else { return Ok(false) };
    one(store::advance(conn, order.id, order.state, after).await?, "order")?;
    reserve::release(conn, order.id, "system").await?;
    events::append(conn, &[OrderEvent::Expired(order.id, Nothing {}).by("system")]).await?;
    Ok(true)
}

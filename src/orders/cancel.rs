//! Ends unpaid orders. Callers close the open payments at their gateways first: money must not arrive for an order
//! that nobody wants any more.

use diesel_async::AsyncPgConnection;

use crate::base::error_code::ErrorCode;
use crate::base::outcome::{Outcome, Refusal};
use crate::infra::db::one;
use crate::infra::effects::events::{self, Event, NewEvent};
use crate::infra::effects::record::Nothing;
use crate::orders::events::{Cancelled, OrderEvent};
use crate::orders::model::Order;
use crate::orders::state::{OrderChange, OrderState};
use crate::orders::store;

/// Cancels a locked order. `ALREADY_PAID` when money was faster; cancelling twice changes nothing.
pub async fn cancel(
    conn: &mut AsyncPgConnection,
    order: &Order,
    actor: &str,
    reason: Option<&str>,
) -> Outcome<()> {
    let code = if order.state.is_paid() { ErrorCode::AlreadyPaid } else { ErrorCode::NotCancellable };
    let after = order
        .state
        .after(OrderChange::Cancel)
        .map_err(|_| Refusal::new(code, "this order cannot be cancelled any more"))?;
    let cancelled = Cancelled { reason: reason.map(str::to_owned) };
    advance(conn, order, after, OrderEvent::Cancelled(order.id, cancelled).by(actor)).await
}

/// Expires a locked order whose payments are closed.
pub async fn expire(conn: &mut AsyncPgConnection, order: &Order) -> Outcome<()> {
    match order.state.after(OrderChange::Expire) {
        Ok(after) => {
            advance(conn, order, after, OrderEvent::Expired(order.id, Nothing {}).by("system")).await
        }
        // It was paid or cancelled meanwhile.
        Err(_) => Ok(()),
    }
}

async fn advance(
    conn: &mut AsyncPgConnection,
    order: &Order,
    after: OrderState,
    event: NewEvent,
) -> Outcome<()> {
    if after == order.state {
        return Ok(());
    }
    one(store::advance(conn, order.id, order.state, after).await?, "order")?;
    events::append(conn, &[event]).await?;
    Ok(())
}

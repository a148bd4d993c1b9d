//! Ends unpaid orders. Callers close the open payments at their gateways first: money must not arrive for an order
//! that nobody wants any more.

use diesel_async::AsyncPgConnection;
use serde_json::json;

use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::infra::events::{self, NewEvent};
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
    let code = if order.state.is_paid() { "ALREADY_PAID" } else { "NOT_CANCELLABLE" };
    let after = order
        .state
        .after(OrderChange::Cancel)
        .map_err(|_| Refusal::new(code, "this order cannot be cancelled any more"))?;
    advance(conn, order, after, "order.cancelled", actor, json!({ "reason": reason })).await
}

/// Expires a locked order whose payments are closed.
pub async fn expire(conn: &mut AsyncPgConnection, order: &Order) -> Outcome<()> {
    match order.state.after(OrderChange::Expire) {
        Ok(after) => advance(conn, order, after, "order.expired", "system", json!({})).await,
        // It was paid or cancelled meanwhile.
        Err(_) => Ok(()),
    }
}

async fn advance(
    conn: &mut AsyncPgConnection,
    order: &Order,
    after: OrderState,
    event: &'static str,
    actor: &str,
    body: serde_json::Value,
) -> Outcome<()> {
    if after == order.state {
        return Ok(());
    }
    if store::advance(conn, order.id, order.state, after).await? != 1 {
        return Err(Fault::bug("a locked order changed its state").into());
    }
    events::append(conn, &[NewEvent::shop(event, order.id.0, actor, body).of_order(order.id)]).await?;
    Ok(())
}

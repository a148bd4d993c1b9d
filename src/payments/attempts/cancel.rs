//! A buyer gives an unpaid order up: first its payments are closed at their gateways.

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::OrderId;
use crate::base::outcome::{Outcome, Refusal};
use crate::orders::access::{self, AccessLevel};
use crate::orders::model::Order;
use crate::orders::state::OrderState;
use crate::orders::{self, store};
use crate::payments::attempts::close::{self, Closed};
use crate::payments::attempts::store as attempts;
use crate::payments::kit::PaymentKit;

/// Cancels. `NOT_FOUND`, `ALREADY_PAID`, `PAYMENT_IN_PROGRESS` (a gateway does not say whether money came),
/// `NOT_CANCELLABLE`. Cancelling a cancelled order succeeds.
pub async fn cancel(
    kit: &PaymentKit,
    actor: &Actor,
    id: OrderId,
    token: Option<&str>,
    reason: Option<&str>,
) -> Outcome<Order> {
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such order").at(["orderId"]);
    let order = {
        let mut conn = kit.db.conn().await?;
        store::find(&mut conn, id).await?.ok_or_else(missing)?
    };
    if access::access_level(kit, actor, &order, token) < Some(AccessLevel::Buyer) {
        return Err(missing().into());
    }
    if order.state == OrderState::PendingPayment && close::close_all(kit, id).await? == Closed::Unclear {
        return Err(orders::cancel::in_progress().into());
    }
    let mut tx = kit.db.begin().await?;
    let order = store::lock(&mut tx, id).await?.ok_or_else(missing)?;
    let payments = attempts::list(&mut tx, id).await?;
    let unfinished = payments.iter().any(|p| p.state.is_open() || p.waits_for_a_person());
    orders::cancel::cancel(&mut tx, &order, unfinished, &actor.label(), reason).await?;
    let order = store::find(&mut tx, id).await?.ok_or_else(missing)?;
    tx.commit().await?;
    Ok(order)
}

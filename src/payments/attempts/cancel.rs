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
use crate::payments::model::Payment;

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
    let in_progress = || {
        let text = "a payment for this order is being confirmed; try again in a moment";
        Refusal::new(ErrorCode::PaymentInProgress, text).retry_after(10)
    };
    if order.state == OrderState::PendingPayment && close::close_all(kit, id).await? == Closed::Unclear {
        return Err(in_progress().into());
    }
    let mut tx = kit.db.begin().await?;
    let order = store::lock(&mut tx, id).await?.ok_or_else(missing)?;
    let payments = attempts::list(&mut tx, id).await?;
    let unfinished = |p: &Payment| p.state.is_open() || p.waits_for_a_person();
    if order.state == OrderState::PendingPayment && payments.iter().any(unfinished) {
        return Err(in_progress().into());
    }
    orders::cancel::cancel(&mut tx, &order, &actor.label(), reason).await?;
    let order = store::find(&mut tx, id).await?.ok_or_else(missing)?;
    tx.commit().await?;
    Ok(order)
}

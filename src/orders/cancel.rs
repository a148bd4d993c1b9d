//! An unpaid order is given up. Its payments are closed at their gateways first, by `payments/attempts/cancel.rs`: money
//! must not arrive for an order that nobody wants any more.

use diesel_async::AsyncPgConnection;

use crate::base::error_code::ErrorCode;
use crate::base::outcome::{Outcome, Refusal};
use crate::infra::db::one;
use crate::infra::effects::events::{self, Event};
use crate::orders::events::{Cancelled, OrderEvent};
use crate::orders::model::Order;
use crate::orders::state::{OrderChange, OrderState};
use crate::orders::{reserve, store};

/// What a cancelled order is; the same state is a repeat. `unfinished` says that a payment of it may still bring money.
/// `ALREADY_PAID` when money was faster, `PAYMENT_IN_PROGRESS`, `NOT_CANCELLABLE`.
pub fn after(state: OrderState, unfinished: bool) -> Result<OrderState, Refusal> {
    if state == OrderState::PendingPayment && unfinished {
        return Err(in_progress());
    }
    let code = if state.is_paid() { ErrorCode::AlreadyPaid } else { ErrorCode::NotCancellable };
    let refused = |_| Refusal::new(code, "this order cannot be cancelled any more");
    state.after(OrderChange::Cancel).map_err(refused)
}

/// Nobody knows yet whether money comes.
pub fn in_progress() -> Refusal {
    let text = "a payment for this order is being confirmed; try again in a moment";
    Refusal::new(ErrorCode::PaymentInProgress, text).retry_after(10)
}

/// Cancels a locked order and gives back what is held for it, or refuses as [`after`] does. Cancelling twice changes nothing.
pub async fn cancel(
    conn: &mut AsyncPgConnection,
    order: &Order,
    unfinished: bool,
    actor: &str,
    reason: Option<&str>,
) -> Outcome<()> {
    let after = after(order.state, unfinished)?;
    if after == order.state {
        return Ok(());
    }
    one(store::advance(conn, order.id, order.state, after).await?, "order")?;
    reserve::release(conn, order.id, actor).await?;
    let cancelled = Cancelled { reason: reason.map(str::to_owned) };
    events::append(conn, &[OrderEvent::Cancelled(order.id, cancelled).by(actor)]).await?;
    Ok(())
}

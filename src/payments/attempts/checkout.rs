//! From cart to payment in one call: the order is placed, and its payment started or, when there is nothing to pay,
//! settled at once. Should starting fail, the order is kept.

use serde_json::json;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::PaymentId;
use crate::base::outcome::{Failure, Fault, Outcome, Refusal};
use crate::orders::buyer::Proof;
use crate::orders::model::Order;
use crate::orders::place::{self, PlaceOrder, Placed};
use crate::orders::state::OrderState;
use crate::orders::store;
use crate::payments::attempts::start::{self, Start, StartOptions};
use crate::payments::attempts::store::{self as attempts, NewAttempt};
use crate::payments::kit::PaymentKit;
use crate::payments::model::Payment;
use crate::payments::report::PaymentReport;

/// A placed order, and its payment or why there is none.
#[derive(Debug)]
pub struct CheckedOut {
    pub placed: Placed,
    pub payment: Option<Payment>,
    pub payment_refusal: Option<Refusal>,
}

/// Places an order and, when asked to, starts its payment. Placing refuses as [`place::place`] says; what prevents
/// the payment is returned beside the order.
pub async fn checkout(
    kit: &PaymentKit,
    actor: &Actor,
    proof: &Proof,
    new: PlaceOrder,
    options: Option<StartOptions>,
) -> Outcome<CheckedOut> {
    let key = new.idempotency_key.clone();
    let mut placed = place::place_proven(kit, actor, proof, new).await?;
    if placed.order.total_minor == 0 {
        placed.order = settle_free(kit, &placed.order).await?;
        return Ok(CheckedOut { placed, payment: None, payment_refusal: None });
    }
    let Some(options) = options else {
        return Ok(CheckedOut { placed, payment: None, payment_refusal: None });
    };
    let wish = Start {
        // One key covers both: a repeat finds the order and its payment again.
        idempotency_key: key,
        order_id: placed.order.id,
        access_token: Some(placed.access_token.expose().to_owned()),
        options,
    };
    match start::start(kit, actor, wish).await {
        Ok(attempt) => Ok(CheckedOut { placed, payment: Some(attempt.payment), payment_refusal: None }),
        Err(Failure::Refused(refusal)) => {
            Ok(CheckedOut { placed, payment: None, payment_refusal: Some(*refusal) })
        }
        Err(Failure::Fault(fault)) => {
            tracing::error!(%fault, order = %placed.order.id, "the payment of a placed order could not be started");
            let text = "the payment could not be started; try again with the same key";
            let refusal = Refusal::new(ErrorCode::GatewayUnavailable, text).retry_after(5);
            Ok(CheckedOut { placed, payment: None, payment_refusal: Some(refusal) })
        }
    }
}

/// Settles an order of nothing through the shop's own account, by the same function as real money (O8). Repeating it
/// changes nothing.
pub async fn settle_free(kit: &PaymentKit, order: &Order) -> Outcome<Order> {
    if order.state == OrderState::PendingPayment && order.total_minor == 0 {
        let (payment_id, number) = free_attempt(kit, order).await?;
        kit.intake.settle(PaymentReport::Free { payment_id, number }).await?;
    }
    let mut conn = kit.db.conn().await?;
    Ok(store::find(&mut conn, order.id).await?.ok_or_else(|| Fault::bug("a placed order is gone"))?)
}

async fn free_attempt(kit: &PaymentKit, order: &Order) -> Outcome<(PaymentId, String)> {
    let mut tx = kit.db.begin().await?;
    store::lock(&mut tx, order.id).await?;
    if let Some(known) = attempts::list(&mut tx, order.id).await?.first() {
        return Ok((known.id, order.number.clone()));
    }
    let new = NewAttempt {
        id: PaymentId(kit.clock.uuid()),
        order_id: order.id,
        account_id: "free".into(),
        account_snapshot: json!({ "id": "free" }),
        attempt: 1,
        gateway_number: order.number.clone(),
        expected_minor: 0,
        expected_currency: order.currency.as_str().to_owned(),
        options: json!({}),
        expires_at: order.pay_by,
        next_check_at: None,
    };
    attempts::insert(&mut tx, &new).await?;
    tx.commit().await?;
    Ok((new.id, new.gateway_number))
}

/// Sweep: orders of nothing that were placed by a program that was stopped before it settled them. One that faults keeps
/// none of the others waiting. Returns how many were settled.
pub async fn settle_forgotten_free(kit: &PaymentKit) -> Outcome<usize> {
    let ids = {
        let mut conn = kit.db.conn().await?;
        store::list_unsettled_free(&mut conn, 100).await?
    };
    let mut settled = 0;
    for id in ids {
        let order = {
            let mut conn = kit.db.conn().await?;
            store::find(&mut conn, id).await?
        };
        let Some(order) = order else { continue };
        match settle_free(kit, &order).await {
            Ok(now) => settled += usize::from(now.state != OrderState::PendingPayment),
            Err(failure) => tracing::warn!(?failure, order = %id, "an order of nothing could not be settled"),
        }
    }
    Ok(settled)
}

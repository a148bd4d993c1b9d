//! Makes sure that an attempt can no longer bring money, before its order is given up. What the gateway says counts:
//! "already paid" means paid.

use std::time::Duration;

use crate::app::App;
use crate::base::ids::OrderId;
use crate::base::money::Money;
use crate::base::outcome::{Fault, Outcome};
use crate::infra::events::{self, NewEvent};
use crate::orders::state::OrderState;
use crate::orders::{self, store as order_store};
use crate::payments::checkout;
use crate::payments::gateway::{Call, Closing, PaymentRef};
use crate::payments::model::Payment;
use crate::payments::state::PaymentChange;
use crate::payments::store::attempts;
use crate::payments::word::Word;

const TIMEOUT: Duration = Duration::from_secs(10);

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// No money will come.
    Yes,
    /// The money was faster; it is settled.
    Paid,
    /// Nobody knows yet; try again later.
    Unclear,
}

/// Closes an open attempt at its gateway. An attempt whose gateway cannot close, or whose account left the
/// configuration, is given up on our side alone: money that comes all the same is settled as late money.
pub async fn close(app: &App, payment: &Payment) -> Outcome<Closed> {
    if !payment.state.is_open() {
        return Ok(if payment.state.was_captured() { Closed::Paid } else { Closed::Yes });
    }
    let Some((account, gateway)) = app.accounts.find(&payment.account_id) else {
        return give_up(app, payment).await;
    };
    let reference = PaymentRef {
        number: payment.number_there(),
        gateway_reference: payment.gateway_reference.as_deref(),
        trade_no: payment.trade_no.as_deref(),
        money: Money::new(payment.expected_minor, payment.expected_currency),
    };
    let call = Call { keys: &account.keys, now_unix: app.clock.unix(), timeout: TIMEOUT };
    match gateway.close(&call, &reference).await {
        Closing::Closed | Closing::NothingToClose | Closing::Unsupported => give_up(app, payment).await,
        Closing::AlreadyPaid(state) => {
            let word = Word::Answer { payment_id: payment.id, state: Box::new(state) };
            app.intake.settle(word).await?;
            Ok(Closed::Paid)
        }
        Closing::Unknown(why) => {
            tracing::warn!(why, payment = %payment.id, "an attempt could not be closed at its gateway");
            Ok(Closed::Unclear)
        }
    }
}

async fn give_up(app: &App, payment: &Payment) -> Outcome<Closed> {
    let mut tx = app.db.begin().await?;
    order_store::lock(&mut tx, payment.order_id).await?;
    let now = attempts::find(&mut tx, payment.id).await?.ok_or_else(|| Fault::bug("a payment is gone"))?;
    if !now.state.is_open() {
        return Ok(if now.state.was_captured() { Closed::Paid } else { Closed::Yes });
    }
    let after = now.state.after(PaymentChange::Expire).map_err(|e| Fault::bug(e.to_string()))?;
    attempts::advance(&mut tx, now.id, now.state, after, None).await?;
    let event = NewEvent::shop("payment.expired", now.id.0, "system", serde_json::json!({}));
    events::append(&tx, &[event.of_order(now.order_id)]).await?;
    tx.commit().await?;
    Ok(Closed::Yes)
}

/// Closes every open attempt of an order. `Yes` only when none can bring money any more.
pub async fn close_all(app: &App, order_id: OrderId) -> Outcome<Closed> {
    let payments = {
        let mut conn = app.db.conn().await?;
        attempts::list(&mut conn, order_id).await?
    };
    let mut all = Closed::Yes;
    for payment in payments.iter().filter(|p| p.state.is_open()) {
        match close(app, payment).await? {
            Closed::Yes => {}
            Closed::Paid => return Ok(Closed::Paid),
            Closed::Unclear => all = Closed::Unclear,
        }
    }
    Ok(all)
}

/// Sweep: orders whose time is over expire, after their open payments were closed. Returns how many expired.
pub async fn expire_overdue(app: &App) -> Outcome<usize> {
    let overdue = {
        let mut conn = app.db.conn().await?;
        order_store::list_overdue(&mut conn, 100).await?
    };
    let mut expired = 0;
    for id in overdue {
        match expire(app, id).await {
            Ok(true) => expired += 1,
            Ok(false) => {}
            Err(failure) => tracing::warn!(?failure, order = %id, "an order could not be expired"),
        }
    }
    Ok(expired)
}

/// Expires one order if nothing can pay for it any more.
pub async fn expire(app: &App, id: OrderId) -> Outcome<bool> {
    let order = {
        let mut conn = app.db.conn().await?;
        order_store::find(&mut conn, id).await?
    };
    let Some(order) = order.filter(|o| o.state == OrderState::PendingPayment) else { return Ok(false) };
    if order.total_minor == 0 {
        checkout::settle_free(app, &order).await?;
        return Ok(false);
    }
    if close_all(app, id).await? != Closed::Yes {
        return Ok(false);
    }
    let mut tx = app.db.begin().await?;
    let Some(order) = order_store::lock(&mut tx, id).await? else { return Ok(false) };
    // An attempt may have been started while the others were being closed.
    let open = attempts::list(&mut tx, id).await?.iter().any(|p| p.state.is_open());
    if open || order.state != OrderState::PendingPayment {
        return Ok(false);
    }
    orders::cancel::expire(&mut tx, &order).await?;
    tx.commit().await?;
    Ok(true)
}

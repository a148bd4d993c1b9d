//! Makes sure that an attempt can no longer bring money, before its order is given up. What the gateway says counts:
//! "already paid" means paid, when the trade is this attempt's.

use std::time::Duration;

use crate::base::ids::OrderId;
use crate::base::money::Money;
use crate::base::outcome::{Fault, Outcome};
use crate::infra::db::one;
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::record::Nothing;
use crate::orders::store as order_store;
use crate::payments::accounts::Spoken;
use crate::payments::accounts::circuit::Lane;
pub use crate::payments::attempts::expire::{expire, expire_overdue};
use crate::payments::attempts::store as attempts;
use crate::payments::attempts::unstarted;
use crate::payments::events::PaymentEvent;
use crate::payments::gateways::gateway::{Call, Closing, GatewayState, PaymentRef, came_clearly};
use crate::payments::kit::PaymentKit;
use crate::payments::model::Payment;
use crate::payments::report::{PaymentReport, Settled};
use crate::payments::state::PaymentChange;

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

/// Closes an open attempt at its gateway. One whose gateway cannot close is given up on our side alone: money that comes
/// all the same is settled as late money. One whose account left the configuration stays open: nobody can be asked, and
/// the money may be on its way.
pub async fn close(kit: &PaymentKit, payment: &Payment) -> Outcome<Closed> {
    if !payment.state.is_open() {
        return Ok(ended(payment));
    }
    let Some(spoken) = kit.accounts.find(&payment.account_id) else {
        tracing::warn!(payment = %payment.id, account = payment.account_id, "the account of an open payment is not configured");
        return Ok(Closed::Unclear);
    };
    let mut closing = close_there(kit, &spoken, payment).await;
    if let Closing::Unknown(why) = &closing
        && unstarted::is_unstarted(kit, payment)
    {
        // What was started without an answer has no name to be closed by: a repeat learns it.
        tracing::info!(why, payment = %payment.id, "a start without an answer is repeated to be closed");
        match unstarted::go_on(kit, payment.clone()).await? {
            Some(known) if !known.state.is_open() => return Ok(ended(&known)),
            Some(known) if known.action.is_some() => closing = close_there(kit, &spoken, &known).await,
            _ if unstarted::is_outlived(kit, payment) => return give_up(kit, payment).await,
            _ => {}
        }
    }
    match closing {
        Closing::Closed | Closing::NothingToClose | Closing::Unsupported => give_up(kit, payment).await,
        Closing::AlreadyPaid(state) => paid_already(kit, payment, state).await,
        Closing::Unknown(why) => {
            tracing::warn!(why, payment = %payment.id, "an attempt could not be closed at its gateway");
            Ok(Closed::Unclear)
        }
    }
}

fn ended(payment: &Payment) -> Closed {
    if payment.state.was_captured() { Closed::Paid } else { Closed::Yes }
}

/// One call, outside any transaction.
pub(super) async fn close_there(kit: &PaymentKit, (account, gateway): &Spoken, payment: &Payment) -> Closing {
    let reference = PaymentRef {
        number: payment.number_there(),
        gateway_reference: payment.gateway_reference.as_deref(),
        trade_no: payment.trade_no.as_deref(),
        money: Money::new(payment.expected_minor, payment.expected_currency),
    };
    let asked_at = kit.clock.now();
    let call = Call { keys: &account.keys, now_unix: asked_at.timestamp(), timeout: TIMEOUT };
    let closing = tokio::time::timeout(TIMEOUT, gateway.close(&call, &reference));
    match kit.circuits.call(&account.id, Lane::Background, closing, came_clearly).await {
        Ok(Ok(Closing::AlreadyPaid(state))) => Closing::AlreadyPaid(state.asked(asked_at)),
        Ok(Ok(closing)) => closing,
        Ok(Err(_)) => Closing::Unknown("no answer in time".into()),
        Err(put_off) => Closing::Unknown(put_off.to_string()),
    }
}

/// The gateway says that its number is paid. Where the trade is not this attempt's, which is then before a person,
/// nothing can be paid under that number any more: the attempt is given up.
async fn paid_already(kit: &PaymentKit, payment: &Payment, state: GatewayState) -> Outcome<Closed> {
    let report = PaymentReport::Answer { payment_id: payment.id, state: Box::new(state) };
    let settled = kit.intake.settle(report).await?;
    let now = {
        let mut conn = kit.db.conn().await?;
        attempts::find(&mut conn, payment.id).await?.ok_or_else(|| Fault::bug("a payment is gone"))?
    };
    match settled {
        _ if !now.state.is_open() => Ok(ended(&now)),
        Settled::Recorded => give_up(kit, payment).await,
        _ => Ok(Closed::Unclear),
    }
}

async fn give_up(kit: &PaymentKit, payment: &Payment) -> Outcome<Closed> {
    let mut tx = kit.db.begin().await?;
    order_store::lock(&mut tx, payment.order_id).await?;
    let now = attempts::find(&mut tx, payment.id).await?.ok_or_else(|| Fault::bug("a payment is gone"))?;
    if !now.state.is_open() {
        return Ok(ended(&now));
    }
    let after = now.state.after(PaymentChange::Expire).map_err(|e| Fault::bug(e.to_string()))?;
    one(attempts::advance(&mut tx, now.id, now.state, after, None).await?, "payment")?;
    let event = PaymentEvent::Expired(now.id, Nothing {}).by("system").of_order(now.order_id);
    events::append(&tx, &[event]).await?;
    tx.commit().await?;
    Ok(Closed::Yes)
}

/// Closes every open attempt of an order. `Yes` only when none can bring money any more.
pub async fn close_all(kit: &PaymentKit, order_id: OrderId) -> Outcome<Closed> {
    let payments = {
        let mut conn = kit.db.conn().await?;
        attempts::list(&mut conn, order_id).await?
    };
    let mut all = Closed::Yes;
    for payment in payments.iter().filter(|p| p.state.is_open()) {
        match close(kit, payment).await? {
            Closed::Yes => {}
            Closed::Paid => return Ok(Closed::Paid),
            Closed::Unclear => all = Closed::Unclear,
        }
    }
    Ok(all)
}

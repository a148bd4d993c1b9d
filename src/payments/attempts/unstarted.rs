//! Attempts whose start has no clear end: the answer was lost, or the program stopped in between. The start is repeated
//! as it was, in the background too; where a repeat could make a second payment, the gateway is asked for the first one
//! before. What is known afterwards is asked about or closed like any other attempt.

use std::time::Duration;

use chrono::TimeDelta;

use crate::base::error_code::ErrorCode;
use crate::base::outcome::{Failure, Outcome, Refusal};
use crate::orders::model::Order;
use crate::orders::state::OrderState;
use crate::orders::store as orders;
use crate::payments::accounts::circuit::Lane;
use crate::payments::attempts::ask::{self, Asked};
use crate::payments::attempts::store as attempts;
use crate::payments::attempts::{close, start};
use crate::payments::kit::PaymentKit;
use crate::payments::model::Payment;
use crate::payments::report::PaymentReport;

/// Time for the question before a start is repeated.
const TIMEOUT: Duration = Duration::from_secs(8);

/// A start that was never answered can make nothing payable after this: no gateway keeps an attempt open longer than a
/// day beyond the end that it was started with (Stripe's sessions live 24 hours, Alipay's and WeChat Pay's orders end at
/// `time_expire`).
const LONGEST_LIFE: TimeDelta = TimeDelta::hours(25);

/// Nobody knows what the buyer would have to do, although the account starts payments.
pub fn is_unstarted(kit: &PaymentKit, payment: &Payment) -> bool {
    payment.action.is_none() && payment.state.is_open() && starts(kit, payment)
}

fn starts(kit: &PaymentKit, payment: &Payment) -> bool {
    let found = kit.accounts.find(&payment.account_id);
    found.is_some_and(|(account, gateway)| !gateway.abilities(&account.keys).actions.is_empty())
}

/// Whether nothing can come of a start any more that was never answered.
pub fn is_outlived(kit: &PaymentKit, payment: &Payment) -> bool {
    let end = payment.expires_at.unwrap_or(payment.started_at) + LONGEST_LIFE;
    payment.action.is_none() && end < kit.clock.now()
}

/// Starts an attempt again as it was. Refuses with `GATEWAY_OUTCOME_UNKNOWN` while it is not clear whether the first
/// start arrived, and otherwise as a first start does.
pub async fn repeat(kit: &PaymentKit, payment: Payment) -> Outcome<Payment> {
    let Some((account, gateway)) = kit.accounts.find(&payment.account_id) else {
        return Err(
            Refusal::new(ErrorCode::MethodNotAvailable, "this way to pay is no longer offered").into()
        );
    };
    let abilities = gateway.abilities(&account.keys);
    if !abilities.start_repeatable && abilities.query && !settle_first(kit, &payment).await? {
        let text = "the payment service did not answer clearly; try again with the same key";
        return Err(Refusal::new(ErrorCode::GatewayOutcomeUnknown, text).retry_after(10).into());
    }
    start::ask_gateway(kit, payment).await
}

/// Asks for the first start and applies what is known. True when the gateway has never heard of it.
async fn settle_first(kit: &PaymentKit, payment: &Payment) -> Outcome<bool> {
    match ask::ask(kit, payment.id, Lane::Background, TIMEOUT).await? {
        Asked::NotFound | Asked::CannotAsk => Ok(true),
        Asked::Unclear => Ok(false),
        Asked::Known(state) => {
            kit.intake.settle(PaymentReport::Answer { payment_id: payment.id, state }).await?;
            Ok(false)
        }
    }
}

/// What the background does about an attempt without a known start: while its order waits for money it is started again,
/// afterwards it is closed.
pub async fn step(kit: &PaymentKit, payment: Payment) -> Outcome<()> {
    let order = {
        let mut conn = kit.db.conn().await?;
        orders::find(&mut conn, payment.order_id).await?
    };
    let waits = |order: Order| order.state == OrderState::PendingPayment && order.pay_by > kit.clock.now();
    if order.is_some_and(waits) {
        go_on(kit, payment).await?;
    } else {
        close::close(kit, &payment).await?;
    }
    Ok(())
}

/// The background's repeat: an unclear or negative answer is no failure of the job.
pub async fn go_on(kit: &PaymentKit, payment: Payment) -> Outcome<Option<Payment>> {
    let id = payment.id;
    match repeat(kit, payment).await {
        Ok(_) | Err(Failure::Refused(_)) => {}
        Err(fault) => return Err(fault),
    }
    let mut conn = kit.db.conn().await?;
    Ok(attempts::find(&mut conn, id).await?)
}

//! "I have paid": a buyer's client asks for the gateway to be asked now.

use std::sync::LazyLock;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::PaymentId;
use crate::base::outcome::{Outcome, Refusal};
use crate::infra::throttle::Throttle;
use crate::orders::access;
use crate::orders::store as orders;
use crate::payments::attempts::ask;
use crate::payments::attempts::store as attempts;
use crate::payments::kit::PaymentKit;
use crate::payments::model::Payment;

/// Questions about one payment a minute; the gateway has better things to do than to answer more.
const PER_MINUTE: u32 = 12;

static ASKED: LazyLock<Throttle<PaymentId>> = LazyLock::new(|| Throttle::per_minute(PER_MINUTE));

/// Asks the gateway and applies its answer; a payment that is decided is given as it is. Whoever may see the order's
/// state may ask, a watch ticket too. Refusals: `NOT_FOUND`, `RATE_LIMITED`.
pub async fn check_now(
    kit: &PaymentKit,
    actor: &Actor,
    id: PaymentId,
    token: Option<&str>,
) -> Outcome<Payment> {
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such payment").at(["paymentId"]);
    let payment = {
        let mut conn = kit.db.conn().await?;
        let payment = attempts::find(&mut conn, id).await?.ok_or_else(missing)?;
        let order = orders::find(&mut conn, payment.order_id).await?.ok_or_else(missing)?;
        access::access_level(kit, actor, &order, token).ok_or_else(missing)?;
        payment
    };
    if !payment.state.is_open() {
        return Ok(payment);
    }
    ASKED.take(&id).map_err(|seconds| {
        Refusal::new(ErrorCode::RateLimited, "the gateway was asked a moment ago").retry_after(seconds)
    })?;
    ask::reconcile(kit, &payment).await?;
    let mut conn = kit.db.conn().await?;
    Ok(attempts::find(&mut conn, id).await?.ok_or_else(missing)?)
}

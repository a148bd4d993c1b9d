//! Orders whose time to pay is over expire, after their open payments were closed at their gateways. What is due is
//! claimed by its next try: a gateway that does not answer keeps its own orders waiting and no others, because its share of
//! calls is bounded.

use futures::StreamExt;

use crate::base::ids::OrderId;
use crate::base::outcome::Outcome;
use crate::orders::state::OrderState;
use crate::orders::{self, store as order_store};
use crate::payments::attempts::checkout;
use crate::payments::attempts::close::{Closed, close_all};
use crate::payments::attempts::store as attempts;
use crate::payments::kit::PaymentKit;

/// Orders claimed at once.
const CLAIM: i64 = 100;

/// Orders closed at the same time: most of each is waiting for its gateway.
const TOGETHER: usize = 16;

/// Sweep: expires what is due. Returns how many expired.
pub async fn expire_overdue(kit: &PaymentKit) -> Outcome<usize> {
    let mut expired = 0;
    loop {
        let due = {
            let mut conn = kit.db.conn().await?;
            order_store::claim_overdue(&mut conn, CLAIM).await?
        };
        let full = due.len() as i64 == CLAIM;
        let tries = due.into_iter().map(|id| async move {
            match expire(kit, id).await {
                Ok(done) => usize::from(done),
                Err(failure) => {
                    tracing::warn!(?failure, order = %id, "an order could not be expired");
                    0
                }
            }
        });
        let counts: Vec<usize> = futures::stream::iter(tries).buffer_unordered(TOGETHER).collect().await;
        expired += counts.into_iter().sum::<usize>();
        if !full {
            return Ok(expired);
        }
    }
}

/// Expires one order if nothing can pay for it any more.
pub async fn expire(kit: &PaymentKit, id: OrderId) -> Outcome<bool> {
    let order = {
        let mut conn = kit.db.conn().await?;
        order_store::find(&mut conn, id).await?
    };
    let Some(order) = order.filter(|o| o.state == OrderState::PendingPayment) else { return Ok(false) };
    if order.total_minor == 0 {
        checkout::settle_free(kit, &order).await?;
        return Ok(false);
    }
    if close_all(kit, id).await? != Closed::Yes {
        return Ok(false);
    }
    let mut tx = kit.db.begin().await?;
    let Some(order) = order_store::lock(&mut tx, id).await? else { return Ok(false) };
    // An attempt may have been started while the others were being closed.
    let open = attempts::list(&mut tx, id).await?.iter().any(|p| p.state.is_open());
    let expired = orders::expire::expire(&mut tx, &order, open).await?;
    tx.commit().await?;
    Ok(expired)
}

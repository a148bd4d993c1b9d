//! Orders whose time to pay is over expire, after their open payments were closed at their gateways. What is due is
//! claimed by its next try: a gateway that does not answer keeps its own orders waiting and no others.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;

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
const TOGETHER: usize = 8;

/// Orders in a row that an account leaves unclear before the rest of its orders waits for their next try unasked.
const PATIENCE: u32 = 3;

/// Accounts that have left orders unclear in this sweep, and how many in a row.
#[derive(Default)]
struct Silent(Mutex<HashMap<String, u32>>);

impl Silent {
    fn is(&self, account: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(account).is_some_and(|n| *n >= PATIENCE)
    }

    fn note(&self, account: &str, closed: Closed) {
        let mut silent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match closed {
            Closed::Unclear => *silent.entry(account.to_owned()).or_default() += 1,
            Closed::Yes | Closed::Paid => drop(silent.remove(account)),
        }
    }
}

/// Sweep: expires what is due. Returns how many expired.
pub async fn expire_overdue(kit: &PaymentKit) -> Outcome<usize> {
    let silent = Silent::default();
    let mut expired = 0;
    loop {
        let due = {
            let mut conn = kit.db.conn().await?;
            order_store::claim_overdue(&mut conn, CLAIM).await?
        };
        let full = due.len() as i64 == CLAIM;
        let silent = &silent;
        let tries = due.into_iter().map(|id| async move {
            match unless_silent(kit, id, silent).await {
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

async fn unless_silent(kit: &PaymentKit, id: OrderId, silent: &Silent) -> Outcome<bool> {
    let accounts: Vec<String> = {
        let mut conn = kit.db.conn().await?;
        let payments = attempts::list(&mut conn, id).await?;
        payments.into_iter().filter(|p| p.state.is_open()).map(|p| p.account_id).collect()
    };
    if accounts.iter().any(|account| silent.is(account)) {
        return Ok(false);
    }
    let tried = attempt(kit, id).await?;
    if let (Some(closed), [account]) = (tried.closed, accounts.as_slice()) {
        silent.note(account, closed);
    }
    Ok(tried.expired)
}

/// What became of trying to expire an order.
#[derive(Default)]
struct Tried {
    expired: bool,
    /// What its gateways said, when they were asked.
    closed: Option<Closed>,
}

/// Expires one order if nothing can pay for it any more.
pub async fn expire(kit: &PaymentKit, id: OrderId) -> Outcome<bool> {
    Ok(attempt(kit, id).await?.expired)
}

async fn attempt(kit: &PaymentKit, id: OrderId) -> Outcome<Tried> {
    let order = {
        let mut conn = kit.db.conn().await?;
        order_store::find(&mut conn, id).await?
    };
    let Some(order) = order.filter(|o| o.state == OrderState::PendingPayment) else {
        return Ok(Tried::default());
    };
    if order.total_minor == 0 {
        checkout::settle_free(kit, &order).await?;
        return Ok(Tried::default());
    }
    let closed = close_all(kit, id).await?;
    let tried = |expired| Tried { expired, closed: Some(closed) };
    if closed != Closed::Yes {
        return Ok(tried(false));
    }
    let mut tx = kit.db.begin().await?;
    let Some(order) = order_store::lock(&mut tx, id).await? else { return Ok(tried(false)) };
    // An attempt may have been started while the others were being closed.
    let open = attempts::list(&mut tx, id).await?.iter().any(|p| p.state.is_open());
    let expired = orders::expire::expire(&mut tx, &order, open).await?;
    tx.commit().await?;
    Ok(tried(expired))
}

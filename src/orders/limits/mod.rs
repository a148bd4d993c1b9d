//! How much one buyer gets. Limits count a known buyer (a person, a proven mailbox) by what that buyer did, wherever from;
//! of a guest who has proven nothing they count what came from one network address: nobody can use up the limit of
//! somebody else whose mail address is known.

mod store;

use std::collections::HashSet;

use diesel_async::AsyncPgConnection;

use crate::base::error_code::ErrorCode;
use crate::base::ids::OrderId;
use crate::base::outcome::{Fault, Refusal};
use crate::config::{Limits, Shop};
use crate::orders::buyer::{self, Buyer};
use crate::orders::model::Order;
use crate::orders::state::OrderState;

pub use store::{count_bought, lock_buyers};

/// What prevents another order of this buyer: `TOO_MANY_UNPAID_ORDERS`, and for a total of 0
/// `BUYER_LIMIT_REACHED` and `EMAIL_CODE_REQUIRED`. The caller holds the buyer's lock.
pub async fn refusals(
    conn: &mut AsyncPgConnection,
    shop: &Shop,
    buyer: &Buyer,
    free: bool,
) -> Result<Vec<Refusal>, Fault> {
    let counts = store::count_orders(conn, buyer).await?;
    let mut refusals = Vec::new();
    let (unpaid, most) = match (buyer.proven, buyer.client.is_some()) {
        (true, _) => (counts.own_unpaid, shop.unpaid_orders_per_buyer),
        (false, true) => [
            (counts.address_unpaid, shop.unpaid_orders_per_address),
            (counts.device_unpaid, shop.unpaid_orders_per_device),
            (counts.client_unpaid, shop.unpaid_orders_per_client),
        ]
        .into_iter()
        .find(|(unpaid, most)| unpaid >= most)
        .unwrap_or((0, 1)),
        (false, false) => (0, 1),
    };
    if unpaid >= most {
        let text = format!("at most {most} unpaid orders at a time: pay or cancel earlier ones first");
        refusals.push(Refusal::new(ErrorCode::TooManyUnpaidOrders, text));
    }
    let (placed, most) = match buyer.proven {
        true => (counts.own_free, shop.free_orders_per_day),
        false => (counts.client_free, shop.free_orders_per_client),
    };
    // Spares the address more mail that nobody proved to want. Its owner goes on with a code; a stranger gets the answer
    // that everybody gets who has not proven it.
    if free && !buyer.proven && counts.address_free >= shop.free_orders_per_day && placed < most {
        refusals.push(code_required());
    }
    if free && placed >= most {
        refusals
            .push(Refusal::new(ErrorCode::BuyerLimitReached, format!("at most {most} free orders a day")));
    }
    Ok(refusals)
}

/// What prevents `wanted` more pieces from being held for this buyer: `QUANTITY_TOO_LARGE` when they are more than are
/// held for anybody, `TOO_MANY_UNPAID_ORDERS` when they are with what is held already. Otherwise one buyer who pays
/// nothing could hold the whole stock. The caller holds the buyer's lock.
pub async fn held(
    conn: &mut AsyncPgConnection,
    limits: &Limits,
    buyer: &Buyer,
    wanted: i64,
) -> Result<Option<Refusal>, Fault> {
    if wanted == 0 || (!buyer.proven && buyer.client.is_none()) {
        return Ok(None);
    }
    let counts = store::count_held(conn, buyer).await?;
    let caps = match buyer.proven {
        true => vec![(counts.own, limits.held_units_per_buyer)],
        false => vec![
            (counts.address, limits.held_units_per_address),
            (counts.client, limits.held_units_per_client),
        ],
    };
    let over = caps.into_iter().find(|(held, most)| held + wanted > *most);
    Ok(over.map(|(_, most)| match wanted > most {
        true => {
            let text = format!("at most {most} pieces are held for one buyer at a time");
            Refusal::new(ErrorCode::QuantityTooLarge, text).at(["lines"])
        }
        false => {
            let text = format!(
                "at most {most} pieces are held for one buyer at a time: pay or cancel earlier orders first"
            );
            Refusal::new(ErrorCode::TooManyUnpaidOrders, text)
        }
    }))
}

/// Free goods go to an address whose reader asked for them, or to a person.
pub fn needs_proof(buyer: &Buyer, free: bool) -> Option<Refusal> {
    (free && !buyer.owns_address && !buyer.captcha).then(code_required)
}

/// `EMAIL_CODE_REQUIRED`: a guest proves the address first.
pub fn code_required() -> Refusal {
    let text = "prove the address first: ask for a code by mail and send it along";
    Refusal::new(ErrorCode::EmailCodeRequired, text).at(["emailCode"])
}

/// What the limits per buyer say when money comes.
#[derive(Debug, Default)]
pub struct Judged {
    /// Paying for these would give their buyers more than they may have.
    pub over: HashSet<OrderId>,
    /// Another transaction decides about these orders' buyers: to be settled by themselves.
    pub held: HashSet<OrderId>,
}

/// Decides whether these locked orders may be paid, under the locks of their buyers: of two orders of one buyer that are
/// paid at once, the second is decided when the first is committed. `wait`: waits for a buyer's lock; else, and for a
/// second order of the same buyer, `held` says so.
pub async fn judge(conn: &mut AsyncPgConnection, orders: &[Order], wait: bool) -> Result<Judged, Fault> {
    let payable = |o: &&Order| matches!(o.state, OrderState::PendingPayment | OrderState::Expired);
    let limited: Vec<&Order> = orders.iter().filter(|o| o.limited).filter(payable).collect();
    let mut judged = Judged::default();
    if limited.is_empty() {
        return Ok(judged);
    }
    if wait {
        let mut all: Vec<String> = limited.iter().flat_map(|o| keys(o)).collect();
        all.sort();
        all.dedup();
        store::lock_buyers(conn, &all).await?;
    } else {
        let mut seen = HashSet::new();
        for order in &limited {
            let own = keys(order);
            if own.iter().any(|key| seen.contains(key)) {
                judged.held.insert(order.id);
            }
            seen.extend(own);
        }
        let wanted: Vec<String> = seen.into_iter().collect();
        let refused = store::try_lock_buyers(conn, &wanted).await?;
        let busy = |o: &&&Order| keys(o).iter().any(|key| refused.contains(key));
        judged.held.extend(limited.iter().filter(busy).map(|o| o.id));
    }
    let ids: Vec<OrderId> = limited.iter().map(|o| o.id).filter(|id| !judged.held.contains(id)).collect();
    judged.over = store::list_over(conn, &ids).await?.into_iter().collect();
    Ok(judged)
}

/// Refuses with `BUYER_LIMIT_REACHED` an order whose buyer has the limit of some line paid for already. Money that comes
/// all the same is decided by `judge`.
pub async fn refuse_over(
    conn: &mut AsyncPgConnection,
    order: &Order,
) -> Result<(), crate::base::outcome::Failure> {
    if order.limited && !store::list_over(conn, &[order.id]).await?.is_empty() {
        let text = "you have bought as many of these as one buyer gets";
        return Err(Refusal::new(ErrorCode::BuyerLimitReached, text).into());
    }
    Ok(())
}

fn keys(order: &Order) -> Vec<String> {
    buyer::keys(order.user_id, order.mailbox.as_deref().filter(|_| order.mailbox_proven))
}

//! The buyer asks for the mail again (L7), limited per hour.

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::OrderId;
use crate::base::outcome::{Outcome, Refusal};
use crate::delivery::reveal::most_telling;
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::messages::{self, MessageKind};
use crate::infra::effects::record::Nothing;
use crate::infra::kit::Kit;
use crate::orders::access::{self, AccessLevel};
use crate::orders::events::OrderEvent;
use crate::orders::hand_over::may_hand_over;
use crate::orders::messages::{Lines, OrderResend, to_buyer};
use crate::orders::model::Order;
use crate::orders::store;
use crate::payments::standing;

/// Sends the delivery mail again, to the order's own address. `NOT_FOUND`, `NOT_PAID`, `NOT_READY`,
/// `REFUNDED`, `REVOKED`, `RESEND_TOO_SOON`. Answers when the next one is possible.
pub async fn resend(
    kit: &Kit,
    actor: &Actor,
    id: OrderId,
    token: Option<&str>,
) -> Outcome<(Order, DateTime<Utc>)> {
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such order").at(["orderId"]);
    let mut tx = kit.db.begin().await?;
    let order = store::lock(&mut tx, id).await?.ok_or_else(missing)?;
    if access::access_level(kit, actor, &order, token) < Some(AccessLevel::Buyer) {
        return Err(missing().into());
    }
    if !order.state.is_paid() {
        return Err(Refusal::new(ErrorCode::NotPaid, "this order is not paid").into());
    }
    let units = standing::list_standings_of_order(&mut tx, id).await?;
    let verdicts: Vec<_> = units.iter().map(|unit| may_hand_over(&unit.of(&order))).collect();
    if !verdicts.iter().any(Result::is_ok) {
        return Err(most_telling(verdicts).into());
    }
    let subject = format!("{}:{}", id.0, kit.clock.uuid());
    let Some(message) = to_buyer(OrderResend::to, &order, subject, Lines::all()) else {
        return Err(Refusal::new(ErrorCode::NotReady, "there is nobody to send it to").into());
    };
    let now = kit.clock.now();
    if let Some(next) = next_allowed(&mut tx, kit, id).await?.filter(|next| *next > now) {
        let seconds = (next - now).num_seconds().max(1) as u32;
        let text = "this mail was sent a moment ago";
        return Err(Refusal::new(ErrorCode::ResendTooSoon, text).retry_after(seconds).into());
    }
    messages::enqueue(&tx, &kit.clock, &[message]).await?;
    events::append(&tx, &[OrderEvent::MailAskedAgain(id, Nothing {}).by(actor.label())]).await?;
    let next = next_allowed(&mut tx, kit, id).await?.unwrap_or(now);
    tx.commit().await?;
    kit.bell.ring();
    Ok((order, next))
}

/// When the mail may be asked for again; none when it may be now.
pub async fn next_allowed(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    id: OrderId,
) -> Outcome<Option<DateTime<Utc>>> {
    let shop = &kit.config.shop;
    let resends = store::count_resends(conn, id).await?;
    let gap = resends.last.map(|last| last + TimeDelta::seconds(shop.resend_gap_seconds));
    let hour = resends
        .oldest_within_hour
        .filter(|_| resends.within_hour >= shop.resends_per_hour)
        .map(|oldest| oldest + TimeDelta::hours(1));
    Ok(gap.max(hour))
}

//! A guest's purchase becomes part of the account with the same verified address. The guest's token ends with it.

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::OrderId;
use crate::base::outcome::{Outcome, Refusal};
use crate::infra::db::one;
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::messages::{self, MessageKind};
use crate::infra::effects::record::Nothing;
use crate::infra::kit::Kit;
use crate::orders::access::{self, AccessLevel};
use crate::orders::events::OrderEvent;
use crate::orders::messages::{Lines, OrderResend, to_buyer};
use crate::orders::model::Order;
use crate::orders::{gifts, revoke_access, store};
use crate::people;

/// Gives the order to the signed-in buyer. `CLAIM_EMAIL_MISMATCH` unless the account has confirmed the order's own
/// address; `ALREADY_CLAIMED` when it is somebody else's.
pub async fn claim(kit: &Kit, actor: &Actor, id: OrderId, token: Option<&str>) -> Outcome<Order> {
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such order").at(["orderId"]);
    let Some(user_id) = actor.user_id() else {
        return Err(Refusal::new(ErrorCode::Forbidden, "sign in first").into());
    };
    let mut tx = kit.db.begin().await?;
    let order = store::lock(&mut tx, id).await?.ok_or_else(missing)?;
    if access::access_level(kit, actor, &order, token) < Some(AccessLevel::Buyer) {
        return Err(missing().into());
    }
    if order.user_id == Some(user_id) {
        return Ok(order);
    }
    if order.user_id.is_some() {
        return Err(Refusal::new(ErrorCode::AlreadyClaimed, "this order belongs to another account").into());
    }
    let profile = people::read::profile(&mut tx, user_id).await?;
    let confirmed = profile.filter(|p| p.user.email_confirmed_at.is_some()).map(|p| p.user.email_normalised);
    if confirmed.is_none() || confirmed != order.email_normalised {
        let text = "confirm the address this order was placed with first";
        return Err(Refusal::new(ErrorCode::ClaimEmailMismatch, text).into());
    }
    one(store::advance_owner(&mut tx, id, user_id).await?, "order")?;
    events::append(&tx, &[OrderEvent::Claimed(id, Nothing {}).by(actor.label())]).await?;
    // Whoever else held the guest's token, or a link that was mailed, is out.
    let order = revoke_access::raise(&mut tx, order, &actor.label(), "claimed").await?;
    // So is a gift's recipient, who is sent what opens it now.
    if order.state.is_paid() && gifts::find(&mut tx, id).await?.is_some() {
        let subject = format!("{}:{}", id.0, kit.clock.uuid());
        let mail = to_buyer(OrderResend::to, &order, subject, Lines::all());
        messages::enqueue(&tx, &kit.clock, mail.as_slice()).await?;
    }
    tx.commit().await?;
    kit.bell.ring();
    Ok(Order { user_id: Some(user_id), ..order })
}

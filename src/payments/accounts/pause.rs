//! Payments through an account that staff has paused: none is started from the commit on. Those that were begun are settled,
//! refunds go their way, notifications are taken.

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{SHOP, SellerId};
use crate::base::outcome::{Outcome, Refusal};
use crate::infra::effects::events::{self, Event};
use crate::payments::accounts::store;
use crate::payments::events::{OfAccount, ShopEvent};
use crate::payments::kit::PaymentKit;

/// Pauses an account, or changes why it is paused. `NOT_FOUND` for one that is not configured. A repeat changes nothing.
pub async fn pause(kit: &PaymentKit, actor: &Actor, id: &str, because: &str) -> Outcome<()> {
    must_exist(kit, id)?;
    let mut tx = kit.db.begin().await?;
    if store::advance_paused(&mut tx, id, Some(because)).await? {
        events::append(&tx, &[event(ShopEvent::MethodPaused, actor, id)]).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Starts payments there again. `NOT_FOUND`; one that is not paused is left as it is.
pub async fn resume(kit: &PaymentKit, actor: &Actor, id: &str) -> Outcome<()> {
    must_exist(kit, id)?;
    let mut tx = kit.db.begin().await?;
    if store::advance_paused(&mut tx, id, None).await? {
        events::append(&tx, &[event(ShopEvent::MethodResumed, actor, id)]).await?;
        tx.commit().await?;
    }
    Ok(())
}

fn must_exist(kit: &PaymentKit, id: &str) -> Result<(), Refusal> {
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such way to pay").at(["paymentMethodId"]);
    kit.accounts.find(id).map(|_| ()).ok_or_else(missing)
}

fn event(kind: fn(SellerId, OfAccount) -> ShopEvent, actor: &Actor, id: &str) -> events::NewEvent {
    kind(SHOP, OfAccount { account: id.to_owned() }).by(actor.label())
}

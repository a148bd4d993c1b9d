//! Ends every token and every mailed link of an order, by growing its access generation: when it is claimed, when its
//! address is corrected, and when its holder or staff wishes.

use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::OrderId;
use crate::base::outcome::{Outcome, Refusal};
use crate::base::secret::Secret;
use crate::infra::db::one;
use crate::infra::effects::events::{self, Event};
use crate::infra::idempotency::{self, Claim};
use crate::infra::kit::Kit;
use crate::infra::sign;
use crate::orders::access::{self, AccessLevel};
use crate::orders::events::{AccessRevoked, OrderEvent};
use crate::orders::model::Order;
use crate::orders::store;

const OPERATION: &str = "orderAccessRevoke";

/// Grows the generation of a locked order, in the caller's transaction. `cause` is an open code.
pub async fn raise(
    conn: &mut AsyncPgConnection,
    order: Order,
    actor: &str,
    cause: &'static str,
) -> Outcome<Order> {
    one(store::advance_generation(conn, order.id, order.access_generation).await?, "order")?;
    let generation = order.access_generation + 1;
    let revoked = AccessRevoked { generation, cause: cause.into() };
    events::append(conn, &[OrderEvent::AccessRevoked(order.id, revoked).by(actor)]).await?;
    Ok(Order { access_generation: generation, ..order })
}

/// Revokes all access by token and link. Whoever held the order gets the new token; staff gets none. A repeat with the
/// same key and the token that was revoked gives the same again, because the answer may have been lost. `NOT_FOUND`,
/// and those of idempotency.
pub async fn revoke_access(
    kit: &Kit,
    actor: &Actor,
    id: OrderId,
    token: Option<&str>,
    key: &str,
) -> Outcome<(Order, Option<Secret>)> {
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such order").at(["orderId"]);
    let mut tx = kit.db.begin().await?;
    let order = store::lock(&mut tx, id).await?.ok_or_else(missing)?;
    let scope = format!("order:{}", id.0);
    let access_level = access::access_level(kit, actor, &order, token);
    if access_level < Some(AccessLevel::Buyer) {
        let known = idempotency::find(&mut tx, &scope, OPERATION, key, &[]).await?.is_some();
        let before = access::token(kit, id, order.access_generation - 1);
        let held = token.is_some_and(|t| sign::equal(t.as_bytes(), before.expose().as_bytes()));
        if known && held && order.user_id.is_none() {
            let token = access::token(kit, id, order.access_generation);
            return Ok((order, Some(token)));
        }
        return Err(missing().into());
    }
    let order = match idempotency::claim(&mut tx, &scope, OPERATION, key, &[], id.0).await? {
        Claim::New => raise(&mut tx, order, &actor.label(), "asked").await?,
        Claim::Replay(_) => order,
    };
    tx.commit().await?;
    kit.bell.ring();
    let owns = order.user_id.is_some() && order.user_id == actor.user_id();
    let holds = access_level == Some(AccessLevel::Buyer) || owns;
    let token = holds.then(|| access::token(kit, id, order.access_generation));
    Ok((order, token))
}

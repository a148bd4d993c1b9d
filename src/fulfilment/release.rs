//! Staff lets the order of a blocked buyer be delivered.

use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::OrderId;
use crate::base::outcome::{Outcome, Refusal};
use crate::fulfilment::assign;
use crate::fulfilment::effects::{self, Occasion};
use crate::fulfilment::tasks::OrderReview;
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::record::Nothing;
use crate::infra::effects::tasks::{self, TaskKind};
use crate::infra::kit::Kit;
use crate::orders;
use crate::orders::events::BlockEvent;
use crate::orders::model::Order;
use crate::orders::{blocks, holds};

/// Ends the review of an order. What is paid gets its goods in the same transaction, as if it were paid now; what is not
/// paid is delivered when it is. `FORBIDDEN`, `NOT_FOUND`, `ILLEGAL_TRANSITION` while a refund or
/// dispute is open; an order that is not under review is left as it is.
pub async fn release(kit: &Kit, actor: &Actor, id: OrderId) -> Outcome<Order> {
    if !actor.is_staff() {
        return Err(Refusal::new(ErrorCode::Forbidden, "orders are reviewed by staff").into());
    }
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such order").at(["orderId"]);
    let mut tx = kit.db.begin().await?;
    let order = orders::store::lock(&mut tx, id).await?.ok_or_else(missing)?;
    if holds::is_held_by_money(&mut tx, id).await? {
        let text = "a refund or dispute of this order is not over: release it afterwards";
        return Err(Refusal::new(ErrorCode::IllegalTransition, text).at(["orderId"]).into());
    }
    if !blocks::end_review(&mut tx, id).await? {
        return Ok(order);
    }
    events::append(&tx, &[BlockEvent::Released(id, Nothing {}).by(actor.label())]).await?;
    if order.state.is_paid() {
        hand_over(&mut tx, kit, &order, &actor.label()).await?;
    }
    tasks::resolve(&tx, &[OrderReview::over(id)], &actor.label()).await?;
    let order = orders::store::lock(&mut tx, id).await?.ok_or_else(missing)?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(order)
}

/// Gives a locked and paid order what it has not been given, as if it were paid now; whether there was anything.
pub(super) async fn hand_over(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    order: &Order,
    actor: &str,
) -> Outcome<bool> {
    let lines = assign::list_lines(conn, &[order.id]).await?;
    let handed = assign::assign_or_leave_to_a_person(conn, kit, &lines).await?;
    effects::of_assignment(kit, &[order], &handed, Occasion::Paid, actor).write(conn, &kit.clock).await?;
    orders::store::advance_delivered(conn, &[order.id]).await?;
    Ok(!lines.is_empty())
}

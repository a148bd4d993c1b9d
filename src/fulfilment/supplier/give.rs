//! Where a bought key goes: to the unit it was bought for, or into stock; and the units that nobody sells anything for.

use diesel_async::AsyncPgConnection;

use crate::base::ids::{KeyId, UnitId};
use crate::base::outcome::{Fault, Outcome};
use crate::fulfilment::effects::{self, Occasion};
use crate::fulfilment::events::{Awaiting, LineEvent};
use crate::fulfilment::fill;
use crate::fulfilment::store::{self, Handed, HandedLine};
use crate::fulfilment::supplier::store::WaitingUnit;
use crate::fulfilment::tasks::{DeliveryByHand, OfVariant};
use crate::goods::{Given, LineGiven};
use crate::infra::effects::Effects;
use crate::infra::effects::events::Event;
use crate::infra::effects::messages::MessageKind;
use crate::infra::effects::tasks::TaskKind;
use crate::infra::kit::Kit;
use crate::orders::messages::{Lines, OrderAwaitingPerson, to_buyer};
use crate::orders::model::Order;
use crate::orders::{self, UnitState};
use crate::vault::claim::{self, Want};

/// Gives a free key to a unit of a locked order that takes it.
pub(super) async fn key(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    order: &Order,
    (id, unit): (UnitId, &WaitingUnit),
    key: KeyId,
) -> Outcome<()> {
    let lines = store::list_lines_of_units(conn, &[id], unit.state).await?;
    let line = lines.first().ok_or_else(|| Fault::bug("a waiting unit of a locked order has no line"))?;
    claim::assign(conn, &[(key, id)]).await?;
    if orders::store::advance_units(conn, &[(id, unit.state, UnitState::Assigned)]).await? != 1 {
        return Err(Fault::bug("a unit of a locked order changed its state").into());
    }
    let given = LineGiven { units: vec![Given::Assigned], keys: vec![key] };
    let handed = Handed { lines: vec![HandedLine::new(line, given)], effects: Effects::default() };
    let effects = effects::of_assignment(kit, &[order], &handed, Occasion::Filled, "system");
    effects.write(conn, &kit.clock).await?;
    orders::store::advance_delivered(conn, &[order.id]).await?;
    fill::end_tasks(conn, unit.variant_id, &[unit.line_id]).await
}

/// Gives the unit a key that is stock already, if there is one: bought for somebody who could not take it any more.
pub(super) async fn from_stock(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    order: &Order,
    (id, unit): (UnitId, &WaitingUnit),
) -> Outcome<bool> {
    let want = Want { variant_id: unit.variant_id, count: 1 };
    let claimed = claim::claim(conn, &[want]).await?;
    let Some(free) = claimed.first().and_then(|claimed| claimed.key_ids.first()) else { return Ok(false) };
    key(conn, kit, order, (id, unit), *free).await?;
    Ok(true)
}

/// Nobody sells it: a person goes on, and the buyer is mailed that one does.
pub(super) async fn to_a_person(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    order: &Order,
    (id, unit): (UnitId, &WaitingUnit),
) -> Outcome<()> {
    let moved = [(id, UnitState::AwaitingSupplier, UnitState::AwaitingPerson)];
    if orders::store::advance_units(conn, &moved).await? != 1 {
        return Err(Fault::bug("a unit of a locked order changed its state").into());
    }
    let mut effects = Effects::default();
    let awaiting = Awaiting { variant: unit.variant_id, units: 1 };
    let event = LineEvent::AwaitingPerson(unit.line_id, awaiting).by("system");
    effects.events.push(event.of_order(order.id).of_seller(unit.seller_id));
    let task = DeliveryByHand::open(unit.line_id, OfVariant { variant: unit.variant_id });
    effects.tasks.push(task.of_order(order.id).of_line(unit.line_id));
    // A mail per line: further pieces of it that nobody sells are no news.
    let subject = format!("{}:{}", order.id.0, unit.line_id.0);
    let lines = Lines::only(vec![unit.line_id]);
    effects.messages.extend(to_buyer(OrderAwaitingPerson::to, order, subject, lines));
    Ok(effects.write(conn, &kit.clock).await?)
}

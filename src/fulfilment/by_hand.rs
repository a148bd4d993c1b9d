//! What a person made for a piece becomes its goods.

use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::outcome::{Fault, Outcome};
use crate::fulfilment::effects::{self, Occasion};
use crate::fulfilment::fill;
use crate::fulfilment::store::{self, Handed, HandedLine};
use crate::goods::{Given, LineGiven};
use crate::infra::effects::Effects;
use crate::infra::kit::Kit;
use crate::orders::model::{Order, Unit};
use crate::orders::{self, UnitState};
use crate::vault::secrets;

/// Gives a unit of a locked order, which waits for a person, this text: sealed like a key. Whoever asks has looked at who
/// may do so and whether the unit may have its goods.
pub async fn give(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    actor: &Actor,
    order: &Order,
    unit: &Unit,
    text: &str,
) -> Outcome<()> {
    let waiting = store::list_lines_of_units(conn, &[unit.id], UnitState::AwaitingPerson).await?;
    let waiting =
        waiting.first().ok_or_else(|| Fault::bug("a waiting unit of a locked order has no line"))?;
    secrets::give_text(conn, kit, (unit.id, unit.seller_id, unit.variant_id), text).await?;
    let moved = [(unit.id, UnitState::AwaitingPerson, UnitState::Assigned)];
    if orders::store::advance_units(conn, &moved).await? != 1 {
        return Err(Fault::bug("a unit of a locked order changed its state").into());
    }
    let given = LineGiven::all(&waiting.wanted(), Given::Assigned);
    let handed = Handed { lines: vec![HandedLine::new(waiting, given)], effects: Effects::default() };
    let effects = effects::of_assignment(kit, &[order], &handed, Occasion::Filled, &actor.label());
    effects.write(conn, &kit.clock).await?;
    orders::store::advance_delivered(conn, &[order.id]).await?;
    fill::end_tasks(conn, unit.variant_id, &[unit.line_id]).await
}

//! Another piece takes the place of one that does not work. What it had is taken back in the same transaction in which the
//! other one gets its goods or begins to wait for them, so that nobody ever has both, or neither without a place in the queue.

use diesel_async::AsyncPgConnection;

use crate::base::ids::UnitId;
use crate::base::outcome::{Fault, Outcome};
use crate::fulfilment::assign;
use crate::fulfilment::effects::{self, Occasion};
use crate::fulfilment::revoke::take_back;
use crate::fulfilment::store::{self, HeldUnit};
use crate::infra::db::one;
use crate::infra::kit::Kit;
use crate::orders;
use crate::orders::model::{Order, Unit};
use crate::orders::unit::{UnitChange, UnitState};

/// Replaces a delivered unit of a locked order by `successor`, an id of nothing yet. Its goods are never sold again, whether
/// anybody has seen them or not. Where there is nothing to give, the successor waits: in the order of its order's payment, as
/// every line does. Whoever asks has looked at who may do so, and whether the unit may leave the shop now.
pub async fn replace(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    actor: &str,
    order: &Order,
    unit: &Unit,
    successor: UnitId,
) -> Outcome<()> {
    let held = store::lock_units(conn, order.id, Some(&[unit.id])).await?;
    let bad: Vec<HeldUnit> =
        held.into_iter().map(|unit| HeldUnit { restock_unseen: false, ..unit }).collect();
    let after = unit.state.after(UnitChange::Replace).map_err(|e| Fault::bug(e.to_string()))?;
    one(orders::store::supersede(conn, unit.id, (unit.state, after), successor).await?, "unit")?;
    take_back(conn, actor, bad.iter()).await?;
    let lines = store::list_lines_of_units(conn, &[successor], UnitState::Unassigned).await?;
    let handed = assign::assign(conn, kit, &lines).await?;
    let effects = effects::of_assignment(kit, &[order], &handed, Occasion::Replaced, actor);
    effects.write(conn, &kit.clock).await?;
    Ok(())
}

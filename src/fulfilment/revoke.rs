//! Takes goods back: a refund or a lost dispute. Runs in the transaction that records the money's way back, so that
//! nobody is ever both refunded and served.

use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use crate::base::ids::{LineId, OrderId, UnitId, VariantId};
use crate::base::outcome::{Fault, Outcome};
use crate::files;
use crate::fulfilment::events::{LineEvent, Revoked};
use crate::fulfilment::jobs::Fill;
use crate::fulfilment::store::{self, HeldUnit};
use crate::infra::effects::events::{self, Event, NewEvent};
use crate::infra::effects::jobs::{self, NewJob, Payload};
use crate::orders;
use crate::orders::unit::{UnitChange, UnitState};
use crate::vault::give_back::give_back;

/// Revokes the named units of an order, or all of them: delivered ones lose their key and grants, waiting ones are
/// cancelled. Units already revoked are passed over. `cause` is the refund, dispute or payment
/// they are taken back for. The caller holds the order's lock. Returns the lines concerned.
pub async fn revoke(
    conn: &mut AsyncPgConnection,
    order_id: OrderId,
    named: Option<&[UnitId]>,
    actor: &str,
    cause: Uuid,
) -> Outcome<Vec<LineId>> {
    let held = store::lock_units(conn, order_id, named).await?;
    let mut moves: Vec<(UnitId, UnitState, UnitState)> = Vec::new();
    for unit in &held {
        let change = if unit.state.is_waiting() { UnitChange::Cancel } else { UnitChange::Revoke };
        match unit.state.after(change) {
            Ok(after) if after != unit.state => moves.push((unit.id, unit.state, after)),
            Ok(_) | Err(_) => {}
        }
    }
    if orders::store::advance_units(conn, &moves).await? != moves.len() {
        return Err(Fault::bug("a locked unit changed its state").into());
    }
    let taken: Vec<UnitId> = moves.iter().filter(|m| m.2 == UnitState::Revoked).map(|m| m.0).collect();
    orders::store::note_revoked_for(conn, &taken, cause).await?;
    files::grant::revoke(conn, &taken, actor).await?;
    let of_taken = || held.iter().filter(|unit| taken.contains(&unit.id));
    let restocked: Vec<UnitId> = of_taken().filter(|u| u.restock_unseen).map(|u| u.id).collect();
    let keys = give_back(conn, actor, &taken, &restocked).await?;
    let capped: Vec<VariantId> =
        of_taken().filter(|u| u.offered.sale_cap.is_some()).map(|u| u.variant_id).collect();
    let fills: Vec<NewJob> =
        keys.restocked(&capped).into_iter().map(|variant| Fill { variant }.job()).collect();
    jobs::add(conn, &fills).await?;
    let changed: Vec<&HeldUnit> = held.iter().filter(|u| moves.iter().any(|m| m.0 == u.id)).collect();
    events::append(conn, &line_events(order_id, &changed, actor)).await?;
    let mut lines: Vec<LineId> = changed.iter().map(|u| u.line_id).collect();
    lines.dedup();
    Ok(lines)
}

fn line_events(order_id: OrderId, changed: &[&HeldUnit], actor: &str) -> Vec<NewEvent> {
    changed
        .chunk_by(|a, b| a.line_id == b.line_id)
        .map(|units| {
            let revoked = Revoked { units: units.iter().map(|u| u.id).collect() };
            LineEvent::Revoked(units[0].line_id, revoked)
                .by(actor)
                .of_order(order_id)
                .of_seller(units[0].seller_id)
        })
        .collect()
}

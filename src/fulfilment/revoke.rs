//! Takes goods back: a refund or a lost dispute. Runs in the transaction that records the money's way back, so that
//! nobody is ever both refunded and served.

use std::collections::{BTreeMap, BTreeSet};

use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use crate::base::ids::{LineId, OrderId, UnitId, VariantId};
use crate::base::outcome::{Fault, Outcome};
use crate::fulfilment::events::{LineEvent, Revoked};
use crate::fulfilment::jobs::Fill;
use crate::fulfilment::store::{self, HeldUnit};
use crate::fulfilment::tasks::OrderReview;
use crate::goods::{self, Piece};
use crate::infra::effects::events::{self, Event, NewEvent};
use crate::infra::effects::jobs::{self, NewJob, Payload};
use crate::infra::effects::tasks::{self, TaskKind};
use crate::orders;
use crate::orders::blocks;
use crate::orders::unit::{UnitChange, UnitState};

/// Revokes the named units of an order, or all of them: delivered ones lose their key and grants, waiting ones are
/// cancelled. Units already revoked are passed over; of one that was replaced, what is in its place now is revoked. `cause` is the refund, dispute or payment
/// they are taken back for. The caller holds the order's lock. Returns the lines concerned.
pub async fn revoke(
    conn: &mut AsyncPgConnection,
    order_id: OrderId,
    named: Option<&[UnitId]>,
    actor: &str,
    cause: Uuid,
) -> Outcome<Vec<LineId>> {
    let current = match named {
        Some(named) => Some(orders::store::list_current(conn, named).await?),
        None => None,
    };
    let held = store::lock_units(conn, order_id, current.as_deref()).await?;
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
    let fills: Vec<NewJob> = take_back(conn, actor, held.iter().filter(|unit| taken.contains(&unit.id)))
        .await?
        .into_iter()
        .map(|variant| Fill { variant }.job())
        .collect();
    jobs::add(conn, &fills).await?;
    if moves.iter().any(|m| m.2 == UnitState::Cancelled) {
        end_waiting(conn, order_id, actor).await?;
    }
    let changed: Vec<&HeldUnit> = held.iter().filter(|u| moves.iter().any(|m| m.0 == u.id)).collect();
    events::append(conn, &line_events(order_id, &changed, actor)).await?;
    let mut lines: Vec<LineId> = changed.iter().map(|u| u.line_id).collect();
    lines.dedup();
    Ok(lines)
}

/// Pieces of a paid order wait no longer: keys that are held for lines of which none waits are on sale again, and an order of
/// which nothing is left to be reviewed is reviewed no more.
async fn end_waiting(conn: &mut AsyncPgConnection, order: OrderId, actor: &str) -> Outcome<()> {
    let lines = store::list_lines_over(conn, order).await?;
    orders::reserve::release_lines(conn, order, lines, actor).await?;
    if !store::has_unassigned(conn, order).await? && blocks::end_review(conn, order).await? {
        tasks::resolve(conn, &[OrderReview::over(order)], actor).await?;
    }
    Ok(())
}

/// Has each kind take its pieces back, kinds in the order of their codes. Answers the variants that have stock again.
pub(super) async fn take_back(
    conn: &mut AsyncPgConnection,
    actor: &str,
    taken: impl Iterator<Item = &HeldUnit>,
) -> Outcome<BTreeSet<VariantId>> {
    let mut of_kinds: BTreeMap<&str, Vec<Piece>> = BTreeMap::new();
    for unit in taken {
        of_kinds.entry(&unit.kind).or_default().push(Piece {
            unit_id: unit.id,
            variant_id: unit.variant_id,
            offered: unit.offered.clone(),
            restock_unseen: unit.restock_unseen,
        });
    }
    let mut stocked = BTreeSet::new();
    for (code, pieces) in of_kinds {
        let kind =
            goods::find(code).ok_or_else(|| Fault::bug(format!("a unit of the unknown kind {code}")))?;
        stocked.extend(kind.take_back(conn, actor, &pieces).await?);
    }
    Ok(stocked)
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

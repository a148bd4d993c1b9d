//! A person delivers what nobody else can make.

use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{LineId, OrderId, UnitId};
use crate::base::outcome::{Outcome, Refusal};
use crate::base::text;
use crate::fulfilment::by_hand;
use crate::goods::{self, Supply};
use crate::infra::kit::Kit;
use crate::orders::hand_over::may_hand_over;
use crate::orders::unit::Target;
use crate::orders::{self, UnitState};
use crate::payments::standing;
use crate::vault::reveal;

/// Longest text, characters.
const LONGEST: usize = 10_000;

/// Delivers a text, or a note of what was done, for one piece that waits for a person; it is sealed like a key. For
/// staff and those who sell it. The same text again answers the same. `INVALID` for goods that come by themselves,
/// `NOT_FOUND`, `NOT_PAID`, `ILLEGAL_TRANSITION`, `ALREADY_DELIVERED`, `REFUNDED`, `REVOKED`, `REPLACED`.
pub async fn fulfil(kit: &Kit, actor: &Actor, unit: UnitId, text: &str) -> Outcome<(OrderId, LineId)> {
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such delivery").at(["deliveryId"]);
    let text = text::clean(text, "secretText", LONGEST, true)?;
    let target = Target::Units(vec![unit]);
    let mut tx = kit.db.begin().await?;
    let order_id = orders::read::order_of(&mut tx, &target).await?.ok_or_else(missing)?;
    let order = orders::store::lock(&mut tx, order_id).await?.ok_or_else(missing)?;
    let standings = standing::list_standings(&mut tx, order_id, &target, 0, 1).await?;
    let standing = standings.first().ok_or_else(missing)?;
    let piece = &standing.unit;
    if !actor.is_staff() && !actor.sells_for(piece.seller_id) {
        return Err(missing().into());
    }
    let lines = orders::read::list_lines_by_ids(&mut tx, &[piece.line_id]).await?;
    let line = lines.first().ok_or_else(missing)?;
    if !matches!(goods::supply(&line.kind), Some(Supply::Person | Supply::Supplier)) {
        let text = "goods of this kind are not delivered by a person";
        return Err(Refusal::new(ErrorCode::Invalid, text).at(["deliveryId"]).into());
    }
    match may_hand_over(&standing.of(&order)) {
        Ok(()) => return repeated(&mut tx, kit, unit, &text).await.map(|()| (order_id, piece.line_id)),
        Err(refusal) if refusal.code == ErrorCode::NotReady => {}
        Err(refusal) => return Err(refusal.at(["deliveryId"]).into()),
    }
    if piece.state != UnitState::AwaitingPerson {
        let text = "this delivery does not wait for a person";
        return Err(Refusal::new(ErrorCode::IllegalTransition, text).at(["deliveryId"]).into());
    }
    by_hand::give(&mut tx, kit, actor, &order, piece, &text).await?;
    crate::fault_point!("by_hand.fulfilled");
    tx.commit().await?;
    kit.bell.ring();
    Ok((order_id, piece.line_id))
}

/// Whether it was delivered with this very text.
async fn repeated(conn: &mut AsyncPgConnection, kit: &Kit, unit: UnitId, text: &str) -> Outcome<()> {
    let opened = reveal::open(conn, kit, &[unit]).await?;
    match opened.first().is_some_and(|own| own.text.expose() == text) {
        true => Ok(()),
        false => {
            let text = "this delivery was made already, with another text";
            Err(Refusal::new(ErrorCode::AlreadyDelivered, text).at(["deliveryId"]).into())
        }
    }
}

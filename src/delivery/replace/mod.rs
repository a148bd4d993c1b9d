//! A piece that does not work is replaced under its warranty (K13). The old one is never good again, the buyer has another
//! one or a place in the queue, and whoever does it says why.

mod store;

use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{LineId, OrderId, UnitId, UserId};
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::base::text;
use crate::delivery::cases;
use crate::fulfilment;
use crate::goods::{self, Supply};
use crate::infra::effects::events::{self, Event};
use crate::infra::idempotency::{self, Claim};
use crate::infra::kit::Kit;
use crate::orders::events::{ReplacedPiece, UnitEvent};
use crate::orders::hand_over::may_hand_over;
use crate::orders::model::{Line, Order};
use crate::orders::staff::store::{Act, insert_acts};
use crate::orders::unit::Target;
use crate::orders::{self, read};
use crate::payments::standing::{self, UnitStanding};

/// Longest reason, characters.
const LONGEST_REASON: usize = 500;

/// A piece that is to be replaced.
#[derive(Clone, Debug)]
pub struct ReplaceRequest {
    pub idempotency_key: String,
    pub unit_id: UnitId,
    pub reason: String,
    /// Staff lets it pass although the warranty is over or the number is reached.
    pub override_limits: bool,
}

/// What took a piece's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplacedUnit {
    pub order_id: OrderId,
    pub line_id: LineId,
    pub successor: UnitId,
    /// It was made by an earlier call with the same key.
    pub replayed: bool,
}

/// Why a piece is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It does not work. The terms of its line bound that, unless staff lets it pass.
    Warranty { override_limits: bool },
    /// Its key is of a batch that was recalled: no fault of the piece alone, and not bounded.
    Recall,
}

impl Why {
    fn as_str(self) -> &'static str {
        match self {
            Why::Warranty { .. } => "warranty",
            Why::Recall => "recall",
        }
    }
}

/// A delivered piece in the hands of a transaction that holds its order's lock.
pub(super) struct LockedPiece {
    pub order: Order,
    pub line: Line,
    pub standing: UnitStanding,
}

/// Replaces a piece, for who sells it and for staff. `NOT_FOUND`, `FORBIDDEN` (only staff lets pass what is over),
/// `REASON_REQUIRED`, `INVALID` for files, which are published anew, `NOT_PAID`, `NOT_READY`, `REFUNDED`, `REVOKED`,
/// `REPLACED`, `WARRANTY_OVER`, `REPLACEMENT_LIMIT_REACHED`, and those of idempotency. A repeat with the same key answers the
/// same replacement.
pub async fn replace(kit: &Kit, actor: &Actor, wish: ReplaceRequest) -> Outcome<ReplacedUnit> {
    let reason = reason_of(&wish.reason)?;
    let mut tx = kit.db.begin().await?;
    let missing = || Refusal::new(ErrorCode::NotFound, "there is no such delivery").at(["deliveryId"]);
    let piece = lock(&mut tx, wish.unit_id).await?.ok_or_else(missing)?;
    let unit = &piece.standing.unit;
    if !actor.is_staff() && !actor.sells_for(unit.seller_id) {
        return Err(missing().into());
    }
    let successor = UnitId(kit.clock.uuid());
    let (id, over) = (wish.unit_id.0.to_string(), wish.override_limits.to_string());
    let (scope, request) = (format!("user:{}", actor.label()), [id.as_str(), reason.as_str(), over.as_str()]);
    let key = wish.idempotency_key.as_str();
    let of = |successor, replayed| ReplacedUnit {
        order_id: piece.order.id,
        line_id: piece.line.id,
        successor,
        replayed,
    };
    if let Claim::Replay(known) =
        idempotency::claim(&mut tx, &scope, "deliveryReplace", key, &request, successor.0).await?
    {
        return Ok(of(UnitId(known), true));
    }
    let why = Why::Warranty { override_limits: wish.override_limits };
    make(&mut tx, kit, actor, &piece, successor, (why, actor.user_id())).await?;
    if let Some(user) = actor.user_id() {
        insert_acts(&mut tx, Act::DeliveryReplaced, piece.order.id, &[unit.id], user, &reason).await?;
    }
    crate::fault_point!("replace.made");
    tx.commit().await?;
    kit.bell.ring();
    Ok(of(successor, false))
}

/// What a person gives as a reason, cleaned. `REASON_REQUIRED`, `INVALID`.
pub fn reason_of(reason: &str) -> Result<String, Refusal> {
    text::reason(reason, "reason", LONGEST_REASON, "say why")
}

/// Locks a piece with its order; none where there is no such piece.
pub(super) async fn lock(conn: &mut AsyncPgConnection, id: UnitId) -> Outcome<Option<LockedPiece>> {
    let target = Target::Units(vec![id]);
    let Some(order_id) = read::order_of(conn, &target).await? else { return Ok(None) };
    let Some(order) = orders::store::lock(conn, order_id).await? else { return Ok(None) };
    let mut standings = standing::list_standings(conn, order_id, &target, 0, 1).await?;
    let Some(standing) = standings.pop() else { return Ok(None) };
    let line = read::list_lines_by_ids(conn, &[standing.unit.line_id]).await?.pop();
    let line = line.ok_or_else(|| Fault::bug("a unit without its line"))?;
    Ok(Some(LockedPiece { order, line, standing }))
}

/// Puts `successor` in the place of a locked piece, in the caller's transaction. Refusals: those of [`replace`] that are about
/// the piece.
pub(super) async fn make(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    actor: &Actor,
    piece: &LockedPiece,
    successor: UnitId,
    (why, made_by): (Why, Option<UserId>),
) -> Outcome<()> {
    let LockedPiece { order, line, standing } = piece;
    let unit = &standing.unit;
    may_hand_over(&standing.of(order)).map_err(|no| no.at(["deliveryId"]))?;
    if goods::supply(&line.kind) == Some(Supply::Files) {
        let text = "files are not replaced: publish another version, or extend the downloads";
        return Err(Refusal::new(ErrorCode::Invalid, text).at(["deliveryId"]).into());
    }
    let overridden = match why {
        Why::Recall => false,
        Why::Warranty { override_limits } => match within_warranty(conn, kit, piece).await? {
            Ok(()) => false,
            Err(_) if override_limits && actor.is_staff() => true,
            Err(_) if override_limits => {
                let text = "only staff replaces what is beyond its warranty";
                return Err(Refusal::new(ErrorCode::Forbidden, text).at(["overrideLimits"]).into());
            }
            Err(no) => return Err(no.at(["deliveryId"]).into()),
        },
    };
    let label = actor.label();
    fulfilment::replace::replace(conn, kit, &label, order, unit, successor).await?;
    store::insert(conn, unit, successor, (why.as_str(), overridden), made_by).await?;
    let body = ReplacedPiece { line: line.id, successor, cause: why.as_str().into(), overridden };
    let event = UnitEvent::Replaced(unit.id, body).by(label).of_order(order.id).of_seller(unit.seller_id);
    events::append(conn, &[event]).await?;
    cases::end_of_replaced(conn, unit.id, &actor.label()).await?;
    Ok(())
}

/// Whether the terms of a line, as they were when it was bought, let a piece of it be replaced now. The time counts from the
/// first delivery: a replacement begins no warranty of its own.
async fn within_warranty(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    piece: &LockedPiece,
) -> Outcome<Result<(), Refusal>> {
    let (terms, unit) = (&piece.line.terms, &piece.standing.unit);
    if let Some(days) = terms.warranty_days {
        let first = orders::store::first_delivered(conn, unit.line_id, unit.unit_no).await?;
        let end = first.map(|first| first + chrono::TimeDelta::days(i64::from(days)));
        if end.is_none_or(|end| end <= kit.clock.now()) {
            let text = format!("the warranty of {days} days is over");
            return Ok(Err(Refusal::new(ErrorCode::WarrantyOver, text)));
        }
    }
    if let Some(limit) = terms.replacement_limit
        && store::count(conn, unit.line_id, unit.unit_no).await? >= i64::from(limit)
    {
        let text = format!("this piece was replaced as often as it may be: {limit} times");
        return Ok(Err(Refusal::new(ErrorCode::ReplacementLimitReached, text)));
    }
    Ok(Ok(()))
}

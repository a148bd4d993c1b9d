//! Holds: while money goes back, or its way is disputed, nothing of an order (or of one unit) leaves. Payments set and
//! lift them in the transaction that moves the refund or dispute; every entry point asks for them through
//! [`may_hand_over`](crate::orders::hand_over::may_hand_over).

mod store;

use uuid::Uuid;

use crate::base::ids::UnitId;
pub use crate::orders::hand_over::HoldCause as Cause;
use crate::orders::hand_over::{PieceState, Standing};
use crate::orders::model::Order;
use crate::orders::unit::UnitState;
pub use store::{is_held, is_held_by_money, replace};

/// Whether anything holds a unit `u`, itself or with its order, as SQL.
macro_rules! unit_is_held {
    () => {
        "exists (select 1 from hold h where h.order_id = u.order_id and (h.unit_id is null or h.unit_id = u.id))"
    };
}
pub(crate) use unit_is_held;

/// One reason to withhold delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// None: the whole order.
    pub unit_id: Option<UnitId>,
    pub cause: Cause,
    /// The refund, the dispute, the payment whose money is gone, or the block.
    pub cause_id: Uuid,
}

/// How a unit looks to the rule. `is_lost`: the order's money went to the buyer by a dispute.
pub fn standing(order: &Order, unit: UnitState, is_lost: bool, hold: Option<Cause>) -> Standing {
    standing_of(order.state.is_paid(), unit, is_lost, hold)
}

/// The same for a caller that has read whether the order is paid, not the whole order.
pub fn standing_of(paid: bool, unit: UnitState, is_lost: bool, hold: Option<Cause>) -> Standing {
    let piece = match unit {
        UnitState::Assigned | UnitState::Revealed => PieceState::Delivered,
        UnitState::Replaced => PieceState::Replaced,
        UnitState::Revoked if is_lost => PieceState::Revoked,
        UnitState::Revoked => PieceState::Refunded,
        UnitState::Cancelled => PieceState::Cancelled,
        UnitState::Unassigned
        | UnitState::AwaitingStock
        | UnitState::AwaitingSupplier
        | UnitState::AwaitingPerson => PieceState::Waiting,
    };
    Standing { paid, piece, hold }
}

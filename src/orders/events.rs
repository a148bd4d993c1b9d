//! What is recorded of orders and their pieces.

use crate::base::ids::{BlockId, LineId, OrderId, UnitId};
use crate::infra::effects::events::event_kinds;
use crate::infra::effects::record::{Nothing, record};

record! {
    pub struct Placed {
        /// The number that people use.
        number: String,
        /// In minor units.
        total_minor: i64,
        currency: String,
    }

    pub struct OfBlock {
        /// `mailbox`, `domain`, `client` or `country`.
        kind: String,
        /// Orders that it held at once.
        held: usize,
    }

    pub struct Paid {
        /// The number that people use.
        number: String,
    }

    pub struct Cancelled {
        /// What was given as the reason.
        reason: Option<String>,
    }

    pub struct AccessRevoked {
        /// Tokens and links of earlier generations are no longer good.
        generation: i32,
        /// Open code: `claimed`, `address_corrected`, `asked`.
        cause: String,
    }

    pub struct OfLine {
        line: LineId,
    }

    pub struct Reported {
        line: LineId,
        /// Open code of the problem.
        problem: String,
        /// Open code of what the buyer wishes.
        wish: String,
    }

    pub struct ReplacedPiece {
        line: LineId,
        /// The delivery that took its place.
        successor: UnitId,
        /// Open code: `warranty`, `recall`.
        cause: String,
        /// Staff let it pass although the warranty was over or the number was reached.
        overridden: bool,
    }
}

event_kinds! {
    /// Events of orders.
    pub enum OrderEvent {
        /// An order was placed.
        "order.placed" Placed(OrderId, Placed),
        /// An order was paid.
        "order.paid" Paid(OrderId, Paid),
        /// An order was cancelled before it was paid.
        "order.cancelled" Cancelled(OrderId, Cancelled),
        /// The time to pay is over.
        "order.expired" Expired(OrderId, Nothing),
        /// Nothing of a paid order waits, and its warranty is over.
        "order.closed" Closed(OrderId, Nothing),
        /// A person took a guest's order into their account.
        "order.claimed" Claimed(OrderId, Nothing),
        /// Access tokens and mailed links of the order were revoked.
        "order.access_revoked" AccessRevoked(OrderId, AccessRevoked),
        /// The mail with the goods was asked for again.
        "order.mail_asked_again" MailAskedAgain(OrderId, Nothing),
        /// The mail address of the order was corrected.
        "order.address_corrected" AddressCorrected(OrderId, Nothing),
    }
}

event_kinds! {
    /// Events of blocked buyers.
    pub enum BlockEvent {
        /// Orders of a buyer are reviewed from now on.
        "block.added" Added(BlockId, OfBlock),
        /// They are no longer.
        "block.removed" Removed(BlockId, OfBlock),
        /// Staff looked at a blocked buyer's order and let it be delivered.
        "block.order_released" Released(OrderId, Nothing),
    }
}

event_kinds! {
    /// Events of pieces sold.
    pub enum UnitEvent {
        /// The buyer saw the secret for the first time.
        "unit.revealed" Revealed(UnitId, OfLine),
        /// Staff looked at the secret.
        "unit.shown_to_staff" ShownToStaff(UnitId, OfLine),
        /// The buyer reported a problem.
        "delivery.reported" Reported(UnitId, Reported),
        /// Another piece took the place of one that does not work; why is kept beside it.
        "delivery.replaced" Replaced(UnitId, ReplacedPiece),
    }
}

//! Mails about goods.

use crate::base::ids::{LineId, UnitId};
use crate::infra::effects::messages::{MessageKind, NewMessage, message_kinds};
use crate::infra::effects::record::{Nothing, record};
use crate::orders::model::Order;

record! {
    pub struct Lines {
        /// Which lines of the order; none: all.
        lines: Option<Vec<LineId>>,
        /// The pieces in its first attempt. A repeat has these and no others, whatever came meanwhile; none before the
        /// first attempt.
        pieces: Option<Vec<UnitId>>,
    }

    pub struct Pieces {
        /// Those that take the place of others.
        pieces: Vec<UnitId>,
    }
}

impl Lines {
    /// Whatever of the order is there when the message is sent.
    pub fn all() -> Self {
        Self { lines: None, pieces: None }
    }

    /// Whatever of these lines is there when the message is sent.
    pub fn only(lines: Vec<LineId>) -> Self {
        Self { lines: Some(lines), pieces: None }
    }
}

message_kinds! {
    /// Goods are there.
    "order_delivered" OrderDelivered(Lines);
    /// Somebody asked for the mail with the goods again, or the address was corrected.
    "order_resend" OrderResend(Lines);
    /// The goods of a gift went to its recipient: for its buyer.
    "gift_sent" GiftSent(Nothing);
    /// Lines wait for stock.
    "order_awaiting_stock" OrderAwaitingStock(Lines);
    /// Lines wait for a person.
    "order_awaiting_person" OrderAwaitingPerson(Lines);
    /// What takes the place of pieces that do not work is there.
    "delivery_replaced" DeliveryReplaced(Pieces);
    /// It is to come: the pieces before are not good any more.
    "delivery_replacement_awaited" ReplacementAwaited(Pieces);
}

/// How a message with this payload is made: [`to`](crate::infra::effects::messages::MessageKind::to) of its kind.
pub type Made<P> = fn(&str, &str, String, P) -> NewMessage;

/// The kinds of messages that have goods in them.
pub const WITH_GOODS: [&str; 3] = [OrderDelivered::KIND, OrderResend::KIND, DeliveryReplaced::KIND];

/// Whether a message has goods in it. Those of a gift go to its recipient, which is decided when they are sent: what waits
/// meanwhile follows a corrected address.
pub fn has_goods(kind: &str) -> bool {
    WITH_GOODS.contains(&kind)
}

/// A message to the buyer of an order; none when nobody left an address.
pub fn to_buyer<P>(made: Made<P>, order: &Order, subject: String, payload: P) -> Option<NewMessage> {
    let message = made(order.email.as_deref()?, &order.locale, subject, payload);
    Some(message.of_order(order.id).of_user(order.user_id))
}

//! Mails about goods.

use crate::base::ids::LineId;
use crate::infra::effects::messages::message_kinds;
use crate::infra::effects::record::record;

record! {
    pub struct Lines {
        /// Which lines of the order; none: all.
        lines: Option<Vec<LineId>>,
    }
}

message_kinds! {
    /// Goods are there.
    "order_delivered" OrderDelivered(Lines);
    /// Somebody asked for the mail with the goods again, or the address was corrected.
    "order_resend" OrderResend(Lines);
    /// Lines wait for stock.
    "order_awaiting_stock" OrderAwaitingStock(Lines);
    /// Lines wait for a person.
    "order_awaiting_person" OrderAwaitingPerson(Lines);
}

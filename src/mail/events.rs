//! What is recorded of messages to people: never an address.

use crate::base::ids::MessageId;
use crate::infra::effects::events::event_kinds;
use crate::infra::effects::record::record;

record! {
    pub struct Attempted {
        /// The message's kind.
        kind: String,
        /// Which attempt, from 1.
        attempt: i32,
    }

    pub struct SentAgain {
        /// The message's kind.
        kind: String,
        /// Whether the address was corrected.
        corrected: bool,
    }
}

event_kinds! {
    /// Events of messages.
    pub enum MessageEvent {
        /// The mail server took the message.
        "message.sent" Sent(MessageId, Attempted),
        /// The message will not be tried again.
        "message.failed" Failed(MessageId, Attempted),
        /// A person has to look at the message.
        "message.needs_attention" NeedsAttention(MessageId, Attempted),
        /// Staff had the message sent again.
        "message.sent_again" SentAgain(MessageId, SentAgain),
    }
}

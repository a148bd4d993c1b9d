//! What is recorded of messages to people: never an address.

use crate::base::ids::{MessageId, SuppressionId};
use crate::infra::effects::events::event_kinds;
use crate::infra::effects::record::record;

record! {
    pub struct Attempted {
        /// The message's kind.
        kind: String,
        /// Which attempt, from 1.
        attempt: i32,
    }

    pub struct Returned {
        /// The message's kind.
        kind: String,
        /// False: the service tries it again by itself.
        permanent: bool,
    }

    pub struct Suppressed {
        /// `bounce`, `complaint`, `refused`.
        cause: String,
    }

    pub struct Lifted {
        /// Messages that are sent again.
        messages: usize,
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
        /// The message came back, as a mail service reports.
        "message.bounced" Bounced(MessageId, Returned),
        /// Who was sent the message complained about it.
        "message.complained" Complained(MessageId, Returned),
        /// Staff had the message sent again.
        "message.sent_again" SentAgain(MessageId, SentAgain),
    }
}

event_kinds! {
    /// Events of addresses that no mail is sent to.
    pub enum SuppressionEvent {
        /// No mail is sent to an address any more.
        "mail.suppressed" Suppressed(SuppressionId, Suppressed),
        /// Staff lifted that.
        "mail.suppression_lifted" Lifted(SuppressionId, Lifted),
    }
}

//! What of mails is put before a person.

use crate::base::ids::MessageId;
use crate::infra::effects::record::record;
use crate::infra::effects::tasks::task_kinds;

record! {
    pub struct Undelivered {
        message: MessageId,
        /// The message's kind.
        kind: String,
        attempts: i32,
        /// Open code of how the last attempt ended; `bounced` when it came back later.
        outcome: String,
        /// What the mail server answered.
        reason: Option<String>,
    }
}

task_kinds! {
    /// Tasks of mails.
    pub const TASKS = [
        /// A mail did not arrive and will not be tried again.
        "message_undeliverable" MessageUndeliverable(MessageId, Undelivered),
    ];
}

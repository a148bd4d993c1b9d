//! Mails to staff.

use crate::base::ids::TaskId;
use crate::infra::effects::messages::message_kinds;
use crate::infra::effects::record::record;

record! {
    pub struct Opened {
        task: TaskId,
        /// The task's kind.
        kind: String,
    }
}

message_kinds! {
    /// A task needs a person.
    "task_opened" TaskOpened(Opened);
}

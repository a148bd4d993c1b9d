//! What of recalls is put before a person.

use crate::base::ids::{BatchId, RecallId};
use crate::infra::effects::record::record;
use crate::infra::effects::tasks::task_kinds;

record! {
    pub struct NotHandled {
        batch: BatchId,
        /// Pieces that were neither replaced nor refunded.
        failed: i64,
    }
}

task_kinds! {
    /// Tasks of recalls.
    pub const TASKS = [
        /// Some who hold keys of a recalled batch could be given neither another key nor their money: see the recall's pieces.
        "recall_not_handled" RecallNotHandled(RecallId, NotHandled),
    ];
}

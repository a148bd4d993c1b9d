//! What of orders is put before a person.

use crate::base::ids::UnitId;
use crate::infra::effects::record::record;
use crate::infra::effects::tasks::task_kinds;

record! {
    pub struct Problem {
        /// Open code of the problem.
        problem: String,
        /// Open code of what the buyer wishes.
        wish: String,
        /// What the buyer wrote, without the key.
        text: Option<String>,
    }
}

task_kinds! {
    /// Tasks of orders.
    pub const TASKS = [
        /// A buyer reported that what was delivered does not work or is not what was bought, and nobody has answered in time.
        "delivery_reported" DeliveryReported(UnitId, Problem),
    ];
}

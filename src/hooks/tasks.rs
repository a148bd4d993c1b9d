//! What of hook endpoints is put before a person.

use crate::base::ids::HookEndpointId;
use crate::infra::effects::record::record;
use crate::infra::effects::tasks::task_kinds;

record! {
    pub struct HookTrouble {
        /// Open code of how the last attempt ended.
        outcome: String,
        /// The HTTP status of its answer.
        status: Option<i32>,
    }
}

task_kinds! {
    /// Tasks of hook endpoints.
    pub const TASKS = [
        /// Events were given up because an endpoint did not take them; it ends by itself when it takes one.
        "hook_failing" HookFailing(HookEndpointId, HookTrouble),
        /// The program stopped sending to an endpoint that only failed, or is gone; it ends when the endpoint is enabled.
        "hook_disabled" HookDisabled(HookEndpointId, HookTrouble),
    ];
}

//! What is recorded of endpoints. Attempts are rows of their own, not events.

use crate::base::ids::HookEndpointId;
use crate::infra::effects::events::event_kinds;
use crate::infra::effects::record::record;

record! {
    pub struct OfEndpoint {
        /// Grows with each edit.
        version: i32,
    }

    pub struct EndpointDisabled {
        /// Open code: `FAILING`: nothing was taken for too long; `GONE`: it answered with status 410.
        reason: String,
    }

    pub struct HooksReplayed {
        /// How many events are sent again.
        count: i64,
    }
}

event_kinds! {
    /// Events of hook endpoints.
    pub enum HookEvent {
        /// An endpoint was made.
        "hook.created" Created(HookEndpointId, OfEndpoint),
        /// It was edited, disabled or enabled.
        "hook.updated" Updated(HookEndpointId, OfEndpoint),
        /// Its signing secret was changed.
        "hook.secret_rotated" SecretRotated(HookEndpointId, OfEndpoint),
        /// The program stopped sending there.
        "hook.disabled" Disabled(HookEndpointId, EndpointDisabled),
        /// Events are sent there again.
        "hook.replayed" Replayed(HookEndpointId, HooksReplayed),
    }
}

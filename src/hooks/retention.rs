//! What leaves by age: what endpoints took, and what they did not take once its event is gone.

use crate::infra::retention::Rule;

/// Rules of the tables of hooks. Attempts leave with their delivery.
pub const RETENTION: &[Rule] = &[
    Rule {
        table: "hook_delivery",
        days: |config| config.retention.hook_days,
        leaves: crate::infra::retention::old_rows!(
            "hook_delivery",
            "id",
            "ended_at",
            "ended_at is not null and state = 'delivered'"
        ),
    },
    // It may be sent again for as long as there is something to be sent.
    Rule {
        table: "hook_delivery.given_up",
        days: |config| config.retention.event_days.max(config.retention.hook_days),
        leaves: crate::infra::retention::old_rows!(
            "hook_delivery",
            "id",
            "ended_at",
            "ended_at is not null and state = 'needs_attention'"
        ),
    },
];

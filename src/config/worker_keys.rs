//! The keys of background work.

use crate::config::key::{Key, Kind, SECONDS, key, optional};

/// Keys of the section `worker`.
pub const WORKER_KEYS: &[Key] = &[
    key("worker.concurrency", Kind::Int(1, 256), "4", "Jobs run at once."),
    key("worker.job_seconds", SECONDS, "60", "Seconds a job may run; its lease is twice as long."),
    key(
        "worker.message_gaps",
        Kind::Ints(1, 31_536_000),
        "[60, 300, 1800, 7200, 43200]",
        "Gaps between the attempts of a message, seconds. After the last it goes to a person.",
    ),
    key(
        "worker.payment_check_gaps",
        Kind::Ints(1, 31_536_000),
        "[30, 120, 600, 1800, 3600, 10800, 21600, 43200]",
        "Gaps between questions to the gateway about a quiet payment, seconds.",
    ),
    key(
        "worker.supplier_silent_minutes",
        Kind::Int(1, 100_000),
        "30",
        "Minutes after which a person is asked about a purchase that its supplier says nothing of.",
    ),
    key(
        "worker.hook_gaps",
        Kind::Ints(1, 31_536_000),
        "[5, 300, 1800, 7200, 18000, 36000, 36000]",
        "Gaps between the attempts to send an event to a hook endpoint, seconds. After the last it is given up.",
    ),
    key("worker.hook_seconds", Kind::Int(1, 60), "15", "Seconds a hook endpoint has to answer."),
    key(
        "worker.hook_concurrency",
        Kind::Int(2, 1_024),
        "32",
        "Events sent to hook endpoints at once; endpoints that fail get half of it at most.",
    ),
    key(
        "worker.hook_concurrency_per_endpoint",
        Kind::Int(1, 64),
        "4",
        "Events sent to one hook endpoint at once; one to an endpoint that fails or wants them in order.",
    ),
    key(
        "worker.hook_disable_hours",
        Kind::Int(1, 8_760),
        "120",
        "Hours after which a hook endpoint that only fails is disabled.",
    ),
    optional(
        "worker.listen",
        Kind::Text,
        "\"127.0.0.1:9081\"",
        "Address and port on which `dispense work` serves /metrics, /healthz and /readyz. Empty: nothing is served.",
    ),
];

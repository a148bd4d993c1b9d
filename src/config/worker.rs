use std::net::SocketAddr;

use serde::Deserialize;

use crate::config::load::Faults;

/// `[worker]`: background work.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Worker {
    /// Where `dispense work` serves figures and its health. None: nowhere.
    pub listen: Option<SocketAddr>,
    /// Jobs run at once.
    pub concurrency: usize,
    /// Seconds a job may run; its lease is twice as long.
    pub job_seconds: u64,
    /// Gaps between the attempts of a message, seconds. After the last it goes to a person.
    pub message_gaps: Vec<u64>,
    /// Gaps between questions to the gateway about a quiet payment, seconds.
    pub payment_check_gaps: Vec<u64>,
    /// Minutes after which a person is asked about a purchase that its supplier says nothing of.
    pub supplier_silent_minutes: u64,
    /// Gaps between the attempts to send an event to a hook endpoint, seconds. After the last it is given up.
    pub hook_gaps: Vec<u64>,
    /// Seconds an endpoint has to answer.
    pub hook_seconds: u64,
    /// Events sent at once, and to one endpoint at once. Endpoints that fail have one place each, and half of all.
    pub hook_concurrency: usize,
    pub hook_concurrency_per_endpoint: usize,
    /// Hours after which an endpoint that only fails is disabled.
    pub hook_disable_hours: u64,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            listen: None,
            concurrency: 4,
            job_seconds: 60,
            message_gaps: vec![60, 300, 1_800, 7_200, 43_200],
            payment_check_gaps: vec![30, 120, 600, 1_800, 3_600, 10_800, 21_600, 43_200],
            supplier_silent_minutes: 30,
            hook_gaps: vec![5, 300, 1_800, 7_200, 18_000, 36_000, 36_000],
            hook_seconds: 15,
            hook_concurrency: 32,
            hook_concurrency_per_endpoint: 4,
            hook_disable_hours: 120,
        }
    }
}

impl Worker {
    pub(super) fn check(&self, faults: &mut Faults) {
        if self.hook_concurrency_per_endpoint * 2 > self.hook_concurrency {
            let text = "is more than half of worker.hook_concurrency: one endpoint that hangs could keep all others waiting";
            faults.add("worker.hook_concurrency_per_endpoint", text);
        }
    }
}

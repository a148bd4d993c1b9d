use serde::Deserialize;

use crate::config::load::Faults;

/// `[connections]`: what may be open at once and how slow a client may be, on every listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Connections {
    /// Connections open at once.
    pub most: usize,
    /// The same of one peer's address (IPv6: a /56); trusted proxies have no such bound.
    pub per_address: usize,
    /// How many of `most` are left for short requests.
    pub room: usize,
    /// Requests of one client in flight, counted by the forwarded address; event streams have bounds of their own.
    pub requests_per_client: usize,
    /// Seconds a request's head may take.
    pub head_seconds: u64,
    /// Seconds a body may take that is no upload.
    pub body_seconds: u64,
    /// Seconds a connection may be kept without a request.
    pub idle_seconds: u64,
    /// The least a client has to send or to read while it is waited for.
    pub bytes_per_second: u64,
    /// How long it may be slower than that.
    pub stall_seconds: u64,
    /// How long transfers may go on after the signal to stop.
    pub end_seconds: u64,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            most: 20_000,
            per_address: 500,
            room: 1_000,
            requests_per_client: 200,
            head_seconds: 10,
            body_seconds: 30,
            idle_seconds: 75,
            bytes_per_second: 1_000,
            stall_seconds: 30,
            end_seconds: 7,
        }
    }
}

impl Connections {
    /// How many may be held by what lasts: uploads, downloads, sockets, event streams.
    pub fn lasting(&self) -> usize {
        self.most.saturating_sub(self.room)
    }

    pub(super) fn check(&self, faults: &mut Faults) {
        if self.room >= self.most {
            faults
                .add("connections.room", "is as large as connections.most: nothing that lasts could be open");
        }
    }
}

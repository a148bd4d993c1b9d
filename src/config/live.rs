use serde::Deserialize;

/// `[live]`: streams of changes over WebSocket and SSE.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Live {
    /// Sockets and event streams open at once, in all and by address.
    pub connections: usize,
    pub connections_per_address: usize,
    /// Operations of one socket at once.
    pub operations_per_connection: usize,
    /// Messages of one socket a minute.
    pub messages_per_minute: u32,
    /// How many followers that were woken read at once.
    pub reads: usize,
    /// Seconds between two signs of life.
    pub heartbeat_seconds: u64,
    /// Seconds after which a stream ends and its client comes again.
    pub stream_seconds: u64,
    /// Seconds a new socket may be silent.
    pub init_seconds: u64,
    /// Seconds a client may take to read what was sent.
    pub send_seconds: u64,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: 100,
            operations_per_connection: 20,
            messages_per_minute: 300,
            reads: 4,
            heartbeat_seconds: 15,
            stream_seconds: 3_600,
            init_seconds: 5,
            send_seconds: 10,
        }
    }
}

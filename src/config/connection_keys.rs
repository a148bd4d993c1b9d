//! The keys of what may be open at once and how slow a client may be.

use crate::config::key::{COUNT, Key, Kind, key};

/// How long a client may take for something.
const PATIENCE: Kind = Kind::Int(1, 3_600);

/// Keys of the section `connections`.
pub const CONNECTION_KEYS: &[Key] = &[
    key(
        "connections.most",
        Kind::Int(16, 1_000_000),
        "20000",
        "Connections open at once. Where the system allows fewer open files, it is lowered at the start, with a line in\n\
          the log.",
    ),
    key(
        "connections.per_address",
        COUNT,
        "500",
        "The same of one peer's address (IPv6: a /56). Proxies of server.trusted_proxies are not counted so.",
    ),
    key(
        "connections.room",
        COUNT,
        "1000",
        "How many of them are left for short requests: uploads, downloads, sockets and event streams may not take them,\n\
          and when no more are free, those without a request are closed, the oldest first.",
    ),
    key(
        "connections.requests_per_client",
        COUNT,
        "200",
        "Requests of one client address (IPv6: a /56) in flight, those behind proxies by the forwarded one; more are\n\
          answered with 429. Sockets and event streams have bounds of their own ([live]).",
    ),
    key("connections.head_seconds", PATIENCE, "10", "Seconds a request's head may take from its first byte."),
    key(
        "connections.body_seconds",
        PATIENCE,
        "30",
        "Seconds a request's body may take. Uploads and imports of keys may take longer, at the least rate.",
    ),
    key("connections.idle_seconds", PATIENCE, "75", "Seconds a connection is kept open without a request."),
    key(
        "connections.bytes_per_second",
        Kind::Int(1, 1_000_000_000),
        "1000",
        "The least rate at which a client sends a body and reads an answer, while it is waited for.",
    ),
    key(
        "connections.stall_seconds",
        PATIENCE,
        "30",
        "Seconds a client may stay behind that rate before it is cut off.",
    ),
    key(
        "connections.end_seconds",
        PATIENCE,
        "7",
        "Seconds that transfers may go on after the signal to stop. Requests that the shop works on have 30.",
    ),
];

use serde::Deserialize;

use crate::base::secret::Secret;

/// `[database]`: empty means a cluster of our own in the data folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `postgres://…` of the runtime role.
    pub url: Option<Secret>,
    /// `postgres://…` of the schema's owner, used by `dispense migrate` alone; empty: the runtime role's.
    pub owner_url: Option<Secret>,
    /// Name of the runtime role that the migrations grant rights to.
    pub runtime_role: String,
    /// Connections for everything but notices, which have four of their own.
    pub connections: usize,
    pub statement_timeout_ms: u64,
    pub lock_timeout_ms: u64,
    /// How long a request waits for a free connection.
    pub wait_ms: u64,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: None,
            owner_url: None,
            runtime_role: "dispense_app".into(),
            connections: 16,
            statement_timeout_ms: 5_000,
            lock_timeout_ms: 3_000,
            wait_ms: 1_000,
        }
    }
}

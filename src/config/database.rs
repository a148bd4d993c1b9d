use serde::Deserialize;

use crate::base::secret::Secret;
use crate::config::load::Faults;

/// `[database]`: empty means a cluster of our own in the data folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `postgres://…` of the runtime role.
    pub url: Option<Secret>,
    /// `postgres://…` of the schema's owner, used by `dispense migrate` alone; empty: the runtime role's.
    pub owner_url: Option<Secret>,
    /// Folder of PostgreSQL's server programs, for the cluster of our own; empty: looked for.
    pub programs: Option<std::path::PathBuf>,
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
            programs: None,
            runtime_role: "dispense_app".into(),
            connections: 16,
            statement_timeout_ms: 5_000,
            lock_timeout_ms: 3_000,
            wait_ms: 1_000,
        }
    }
}

impl Database {
    pub(super) fn check(&self, faults: &mut Faults) {
        for (key, url) in [("database.url", &self.url), ("database.owner_url", &self.owner_url)] {
            let bad = |url: &&Secret| {
                let read = url.expose().parse::<tokio_postgres::Config>();
                !read.is_ok_and(|c| !c.get_hosts().is_empty())
            };
            if url.as_ref().filter(bad).is_some() {
                faults.add(key, "takes an address such as postgres://user:password@host:5432/database");
            }
        }
        if self.owner_url.is_some() && self.url.is_none() {
            faults.add("database.owner_url", "means nothing without database.url");
        }
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if self.runtime_role.is_empty() || !self.runtime_role.bytes().all(plain) {
            faults.add("database.runtime_role", "has lower-case letters, digits and underscores");
        }
    }
}

//! Everything built once from the configuration; used by serve, work, demo and tests alike.

use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::Clock;
use crate::base::outcome::Fault;
use crate::config::Config;
use crate::infra::db::{Db, Limits};

/// The program's parts. Actions take it first and open their own transactions.
pub struct App {
    pub config: Config,
    pub clock: Clock,
    pub db: Db,
}

impl App {
    /// Builds the parts over a migrated database. `url` is the runtime role's.
    pub async fn start(config: Config, clock: Clock, url: &str) -> Result<Arc<Self>, Fault> {
        let limits = Limits {
            connections: config.database.connections,
            wait: Duration::from_millis(config.database.wait_ms),
            statement_timeout: Duration::from_millis(config.database.statement_timeout_ms),
            lock_timeout: Duration::from_millis(config.database.lock_timeout_ms),
        };
        let db = Db::new(url, &limits)?;
        Ok(Arc::new(Self { config, clock, db }))
    }
}

//! What every feature is given: the parts of the program that belong to none of them. Actions take it first and open
//! their own transactions.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::base::clock::Clock;
use crate::base::outcome::Fault;
use crate::config::Config;
use crate::infra::blob::Blobs;
use crate::infra::data_keys;
use crate::infra::db::{Address, Db, Limits};
use crate::infra::mailer::Mailer;
use crate::infra::outbound::{Outbound, Rules, SystemLookup};
use crate::infra::readiness::Readiness;
use crate::infra::seal::Sealer;
use crate::infra::telemetry;
use crate::infra::throttle::Throttles;
use crate::infra::wake::Bell;

/// Built once from the configuration. A feature with parts of its own holds it in a kit of its own, which leads to this
/// one (`Deref`), so that it calls the features below with what it has.
pub struct Kit {
    pub config: Config,
    pub clock: Clock,
    pub db: Db,
    /// Rung after commits that added work for the worker.
    pub bell: Bell,
    /// Seals and opens what must not be read in the database.
    pub sealer: Sealer,
    pub outbound: Outbound,
    pub mailer: Mailer,
    /// Rate limits by client address.
    pub throttles: Throttles,
    /// Contents of files.
    pub blobs: Blobs,
    /// Whether the shop can do its work.
    pub readiness: Readiness,
    /// Places for connections that last: the others are kept for short requests.
    pub lasting: Arc<Semaphore>,
}

impl Kit {
    /// Builds the parts over a migrated database. `url` is the runtime role's.
    pub async fn start(config: Config, clock: Clock, url: &str) -> Result<Arc<Self>, Fault> {
        // What its parts report is written from their beginning.
        telemetry::figures();
        let limits = Limits {
            connections: config.database.connections,
            report_connections: config.database.report_connections,
            background_connections: config.database.background_connections,
            wait: Duration::from_millis(config.database.wait_ms),
            statement_timeout: Duration::from_millis(config.database.statement_timeout_ms),
            lock_timeout: Duration::from_millis(config.database.lock_timeout_ms),
        };
        let db = Db::new(Address::new(url, &config.database)?, &limits)?;
        let sealer = Sealer::new(&config.secrets.vault, &config.secrets.fingerprint)?;
        let missing = data_keys::missing_keks(&mut *db.conn().await?, &sealer).await?;
        if !missing.is_empty() {
            let names = missing.join(", ");
            return Err(Fault::bug(format!("stored secrets need keys that `secrets.vault` lacks: {names}")));
        }
        let rules = Rules {
            private: config.outbound.networks(),
            plain: config.outbound.plain_http,
            ports: config.outbound.ports.clone(),
        };
        let outbound = Outbound::with_rules(rules, Arc::new(SystemLookup))?;
        // An attempt must end before its job's time does, so that its outcome can be recorded.
        let mail_time = config.mail.timeout_seconds.min(config.worker.job_seconds.saturating_sub(5)).max(1);
        let mailer = Mailer::new(&config.mail, Duration::from_secs(mail_time), &config.data.join("mail"))?;
        let throttles = Throttles::new(&config.limits);
        let blobs = Blobs::folder(config.data.join("files"));
        let bell = Bell::default();
        let lasting = Arc::new(Semaphore::new(config.connections.lasting()));
        let readiness = Readiness::default();
        Ok(Arc::new(Self {
            config,
            clock,
            db,
            bell,
            sealer,
            outbound,
            mailer,
            throttles,
            blobs,
            readiness,
            lasting,
        }))
    }

    /// The address the world uses, without a slash at the end.
    pub fn public_url(&self) -> &str {
        self.config.server.public_url.trim_end_matches('/')
    }
}

/// A kit of a feature: `Kit` and parts of its own.
#[macro_export]
macro_rules! leads_to_kit {
    ($name:ty) => {
        impl std::ops::Deref for $name {
            type Target = $crate::infra::kit::Kit;

            fn deref(&self) -> &Self::Target {
                &self.kit
            }
        }
    };
}

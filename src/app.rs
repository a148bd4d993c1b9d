//! Everything built once from the configuration; used by serve, work, demo and tests alike.

use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::Clock;
use crate::base::outcome::Fault;
use crate::catalogue::shelf::ShelfMemory;
use crate::config::Config;
use crate::downloads::Streams;
use crate::infra::blob::Blobs;
use crate::infra::data_keys;
use crate::infra::db::{Db, Limits};
use crate::infra::mailer::Mailer;
use crate::infra::outbound::{Outbound, Rules, SystemLookup};
use crate::infra::seal::Sealer;
use crate::infra::throttle::Throttles;
use crate::infra::wake::Bell;
use crate::payments::accounts::{self, Accounts};
use crate::payments::intake::Intake;
use crate::payments::refuse::FullDays;
use crate::people::password::Passwords;
use crate::people::token::AccessTokens;

/// The program's parts. Actions take it first and open their own transactions.
pub struct App {
    pub config: Config,
    pub clock: Clock,
    pub db: Db,
    /// Rung after commits that added work for the worker.
    pub bell: Bell,
    /// Seals and opens what must not be read in the database.
    pub sealer: Sealer,
    /// What buyers were shown of products, checked against the database each time.
    pub shelf: ShelfMemory,
    pub outbound: Outbound,
    pub mailer: Mailer,
    /// The accounts at gateways, each checked.
    pub accounts: Accounts,
    /// Rate limits by client address.
    pub throttles: Throttles,
    /// Contents of files.
    pub blobs: Blobs,
    /// Downloads that run in this process.
    pub streams: Streams,
    /// Accounts that keep no more forged notices today.
    pub full_days: FullDays,
    /// The way of notices into slices.
    pub intake: Intake,
    /// Hashes passwords, a few at a time.
    pub passwords: Passwords,
    /// Issues and reads access tokens.
    pub access_tokens: AccessTokens,
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
        let mail = &config.mail;
        let mailer = Mailer::new(
            mail.url.as_ref(),
            &mail.from,
            Duration::from_secs(mail_time),
            &config.data.join("mail"),
        )?;
        let accounts = Accounts::build(&config, &outbound).map_err(|faults| {
            let told: Vec<String> = faults.iter().map(|(key, text)| format!("{key}: {text}")).collect();
            Fault::setup(told.join("; "))
        })?;
        let changed = accounts::reload::sync(&db, &accounts).await?;
        if !changed.is_empty() {
            let told: Vec<String> = changed.iter().map(|(key, text)| format!("{key}: {text}")).collect();
            return Err(Fault::setup(told.join("; ")));
        }
        let throttles = Throttles::new(&config.limits);
        let passwords = Passwords::new(&config.people, &config.limits)?;
        let access_tokens = AccessTokens::new(&config)?;
        let blobs = Blobs::folder(config.data.join("files"));
        let app = Arc::new(Self {
            config,
            clock,
            db,
            bell: Bell::default(),
            sealer,
            shelf: ShelfMemory::default(),
            outbound,
            mailer,
            accounts,
            throttles,
            passwords,
            access_tokens,
            blobs,
            streams: Streams::default(),
            full_days: FullDays::default(),
            intake: Intake::default(),
        });
        Intake::start(&app);
        Ok(app)
    }

    /// The address the world uses, without a slash at the end.
    pub fn public_url(&self) -> &str {
        self.config.server.public_url.trim_end_matches('/')
    }
}

//! Configuration: one documented TOML file, `.env`, the environment. One file per concern; each documents its keys.

mod account_keys;
mod accounts;
mod captcha;
mod connection_keys;
mod connections;
mod database;
mod fee;
mod key;
mod keys;
mod limit_keys;
mod limits;
mod live;
mod load;
mod log;
mod mail;
mod outbound;
mod people;
mod retention;
mod secrets;
mod sections;
mod server;
mod shop;
mod show;
mod stamp;
mod storage;
mod worker;
mod worker_keys;

pub use accounts::{Account, Policy};
pub use captcha::{CAPTCHA_GATES, Captcha};
pub use connections::Connections;
pub use database::Database;
pub use fee::Fee;
pub use limits::Limits;
pub use live::Live;
pub use load::{Faults, Sources};
pub use log::Log;
pub use mail::Mail;
pub use outbound::Outbound;
pub use people::People;
pub use retention::Retention;
pub use secrets::{Bytes32, RingKey, Secrets};
pub use server::{Server, is_app_scheme};
pub use shop::Shop;
pub use show::{documented, effective};
pub use stamp::Stamp;
pub use storage::Storage;
pub use worker::Worker;

use std::path::PathBuf;

/// The whole configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data folder: the embedded cluster, files, mails, secrets.
    pub data: PathBuf,
    pub server: Server,
    pub connections: Connections,
    pub database: Database,
    pub storage: Storage,
    pub mail: Mail,
    pub secrets: Secrets,
    pub shop: Shop,
    pub limits: Limits,
    pub live: Live,
    pub worker: Worker,
    pub retention: Retention,
    pub people: People,
    pub captcha: Captcha,
    pub outbound: Outbound,
    pub log: Log,
    pub accounts: Vec<Account>,
}

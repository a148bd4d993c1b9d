//! The outside world: database, queue, event sequence, sealing, signing, files, HTTP calls, mail server, logs.

pub mod blob;
pub mod cursor;
pub mod data_keys;
pub mod db;
pub mod dkim;
pub mod effects;
pub mod epoch;
pub mod fault_points;
pub mod hub;
pub mod idempotency;
pub mod kit;
pub mod logs;
pub mod mailer;
pub mod outbound;
pub mod persisted;
pub mod queue;
pub mod seal;
pub mod sequence;
pub mod session_lock;
pub mod sign;
pub mod smtp;
pub mod stock_lock;
pub mod telemetry;
pub mod throttle;
pub mod wake;
pub mod webhook_signature;

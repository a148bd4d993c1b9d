//! The outside world: database, queue, event sequence, sealing, signing, files, HTTP calls, mail server, logs.

pub mod db;

//! What every test stands on: a database of its own, the real `App`, a movable clock.

mod config;
mod database;
pub mod log;
pub mod signing;
mod test_app;

pub use config::test_config;
pub use database::TestDatabase;
pub use test_app::TestApp;

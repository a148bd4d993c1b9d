//! What every test stands on: a database of its own, the real `App`, a movable clock.

mod config;
mod database;
pub mod declared;
mod durable;
mod front;
pub mod log;
mod paths;
mod people;
pub mod played;
mod process;
pub mod rsa;
pub mod sent;
pub mod shop;
pub mod signing;
mod smtp;
mod test_app;
pub mod test_events;
pub mod test_jobs;
pub mod visitor;
mod work;

pub use config::test_config;
pub use database::TestDatabase;
pub use durable::DurableCluster;
pub use front::Front;
pub use people::PASSWORD;
pub use process::{Server, Setup, program};
pub use shop::{Said, with_generic};
pub use smtp::{SmtpServer, Taken, Trouble};
pub use test_app::TestApp;
pub use visitor::{behind_a_proxy, codes};

//! The simulator of gateways, for frontend developers offline, the demo and the tests: it speaks Stripe's API and the
//! generic one over real HTTP, shows a page per payment, and keeps a journal that tests take for the gateway's
//! truth. It signs with code of its own, never with the verifier's.

mod accounts;
mod acts;
mod book;
mod generic;
mod notices;
mod page;
mod signing;
mod simulator;
mod stripe;

pub use accounts::{alone, beside, shop_listens};
pub use simulator::{GenericSide, Simulator, SimulatorConfig, StripeSide};

//! The simulator of gateways, for frontend developers offline, the demo and the tests: it speaks every gateway's
//! protocol over real HTTP, shows a page per payment, and keeps a journal that tests take for the gateways' truth. It
//! signs and reads with code of its own, never with the verifier's.

mod accounts;
mod acts;
mod book;
mod chance;
mod chaos;
mod drawer;
mod forms;
mod notices;
mod page;
mod payment;
mod played;
mod rsa;
mod sides;
mod signing;
mod simulator;
mod supplier;
mod trouble;

pub use accounts::{alone, beside, remember, shop_listens};
pub use drawer::Drawer;
pub use simulator::{Simulator, SimulatorConfig};

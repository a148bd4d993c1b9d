//! Orders: quote, place, cancel, expire, and who may see one. Delivery is not an order's state: it is computed from its
//! units.

pub mod access;
pub mod blocks;
mod bundles;
pub mod buyer;
pub mod cancel;
pub mod claim;
pub mod close;
pub mod events;
pub mod expire;
pub mod gifts;
pub mod hand_over;
pub mod holds;
pub mod jobs;
pub mod limits;
pub mod lines;
pub mod lost;
pub mod messages;
pub mod model;
pub mod number;
pub mod place;
pub mod quote;
pub mod read;
pub mod reserve;
pub mod retention;
pub mod revoke_access;
pub mod staff;
pub mod state;
pub mod store;
pub mod sync;
pub mod tasks;
pub mod unit;
pub mod visits;

pub use model::{Line, Order, Unit};
pub use state::{OrderChange, OrderState};
pub use unit::{UnitChange, UnitState};

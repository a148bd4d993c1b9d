//! How far the pieces of an order and their money have come, as the delivery rule asks for it. It is here because the rule
//! must know whether the money that paid for them was lost.

mod read;

pub use read::{UnitStanding, list_standings, list_standings_of_order};

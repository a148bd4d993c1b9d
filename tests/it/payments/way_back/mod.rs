//! Money that goes back: refunds and disputes as gateways report them, in every order, and what buyers, staff and the
//! books see of it.

mod disputes;
mod doors;
mod lost_notices;
mod paid_twice;
mod planted;
mod races;
pub mod shop;
mod sums;
mod turns;
mod units;

//! Notices of gateways: from their bytes to settled orders, in slices of one transaction each.

pub mod belongs;
pub mod decide;
mod effects;
mod foreign;
pub mod held;
pub mod intake;
pub mod orphans;
pub mod raw;
pub mod receive;
pub mod refuse;
mod repeats;
pub mod replay;
pub mod settle;
mod slice;
pub mod store;
pub mod vectors;

//! Those who sell in the shop: the shop itself, and others beside it. Who acts for a seller is people's to know.

mod model;
mod read;

pub use model::SellerProfile;
pub use read::{COLUMNS, find};

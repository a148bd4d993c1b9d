//! Products, their variants and prices: how sellers make them, how the shop reviews them, how buyers see them.

pub mod availability;
pub mod bundles;
pub mod events;
pub mod intake;
pub mod jobs;
pub mod kit;
pub mod model;
pub mod offers;
pub mod pause;
pub mod prices;
pub mod product;
pub mod product_list;
pub mod read;
pub mod review;
pub mod scope;
pub mod state;
mod store;
pub mod texts;
pub mod variant;
pub mod view;

pub use scope::Scope;

//! Products on their way to being sold, and the lists of those that are.

mod availability;
mod fixture;
mod kept;
mod order;
mod prices;
mod product;
mod product_list;
mod review;
mod state;
mod variant;

//! Products on their way to the shelf, and the shelf.

mod availability;
mod fixture;
mod order;
mod prices;
mod product;
mod review;
mod shelf;
mod state;
mod variant;

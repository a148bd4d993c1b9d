//! What ordering must know of variants.

mod read;

pub use read::{Offer, OfferPart, for_order};

//! Orders: placed once, seen by their buyer alone.

mod access;
mod blocks;
mod bundles;
mod buyer_limits;
mod close;
mod corrected_address;
mod gifts;
mod guest_tokens;
mod pauses;
mod place;
mod reservation;
mod state;
mod why;

//! Orders: placed once, seen by their buyer alone.

mod access;
mod buyer_limits;
mod close;
mod corrected_address;
mod gifts;
mod guest_tokens;
mod place;
mod reservation;
mod state;

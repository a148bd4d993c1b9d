//! Orders: placed once, seen by their buyer alone.

mod access;
mod place;
mod state;

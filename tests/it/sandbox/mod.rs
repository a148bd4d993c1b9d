//! The simulator, and the gateways' translators against it over real HTTP.

mod calls;
mod notices;
mod page;
mod play;
mod start;

//! The simulator, and the gateways' translators against it over real HTTP.

mod calls;
mod manners;
mod notices;
mod page;
mod play;
mod start;

//! The simulator, and the gateways' translators against it over real HTTP.

mod calls;
mod chaos;
mod manners;
mod money_back;
mod notices;
mod page;
mod play;
mod start;
mod witness;

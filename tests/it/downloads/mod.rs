mod counting;
mod grants;
mod kills;
mod refusals;
mod serving;
pub mod shop;
mod states;
mod uploads;
mod versions;

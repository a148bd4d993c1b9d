mod counting;
mod grants;
mod refusals;
mod serving;
pub mod shop;
mod states;
mod versions;

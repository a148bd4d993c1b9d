mod counting;
mod grants;
mod refusals;
mod serving;
mod shop;
mod states;
mod versions;
